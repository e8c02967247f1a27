"""`register`: where a password may come from, and what is refused before anybody is asked for one."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gosip_check.probes.account.attempts import attempts

TOOL = """
import sys
from pathlib import Path
from gosip_check.probes.account import attempts
attempts.ROOTS_FILE, attempts.ANYBODYS_FILE = map(Path, sys.argv[1:3])
del sys.argv[1:3]
from gosip_check.__main__ import main
main()
"""
"The command line with a count of its own instead of the machine's."


@pytest.fixture
def tool(count_files: tuple[Path, Path]) -> "Callable[..., subprocess.CompletedProcess[str]]":
    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", TOOL, *map(str, count_files), *arguments]
        env = {**os.environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, stdin=subprocess.DEVNULL)

    return run


Tool = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_run_without_an_account_asks_for_none(tool: Tool) -> None:
    said = tool("demo", "--json", "-", "--quiet", "--skip", "dns.*")
    assert "account." not in said.stdout


def test_register_wants_a_password_from_somewhere(tool: Tool) -> None:
    said = tool("register", "--user", "35621000000")
    assert said.returncode == 2
    assert "There is no terminal to ask for the password" in said.stderr
    wrong = tool("register", "--user", "a@b")
    assert (wrong.returncode, "is not a user name" in wrong.stderr) == (2, True)
    assert "--password " not in tool("register", "--help").stdout
    assert "authentication name" in tool("register", "--user", "1", "--auth-user", "a\nb").stderr


@pytest.mark.parametrize(("failed", "options", "words"), [(1, (), "--i-know"), (2, ("--i-know",), "sudo rm")])
def test_what_is_refused_for_certain_is_refused_before_the_prompt(
    tool: Tool, failed: int, options: tuple[str, ...], words: str
) -> None:
    for _ in range(failed):
        with attempts("+356 2100 0000") as record:
            record.begin()
    said = tool("register", "--user", "35621000000", *options)
    assert (said.returncode, said.stdout) == (3, "")
    assert said.stderr.startswith("Not tried: ")
    assert words in said.stderr
    assert "terminal" in tool("register", "--user", "35621000001").stderr


def test_a_count_that_cannot_be_kept_is_said_before_the_prompt(tool: Tool, count_files: tuple[Path, Path]) -> None:
    count_files[1].mkdir()
    said = tool("register", "--user", "35621000000")
    assert (said.returncode, str(count_files[1]) in said.stderr) == (3, True)


def test_a_report_that_was_asked_for_is_made_all_the_same(tool: Tool, tmp_path: Path) -> None:
    with attempts("35621000000") as record:
        record.begin()
    report = tmp_path / "r.json"
    said = tool("register", "--user", "35621000000", "--skip", "*", "--json", str(report))
    assert (said.returncode, "account.registers" in report.read_text()) == (3, True)
