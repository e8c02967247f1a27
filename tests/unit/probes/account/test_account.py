"""Where passwords come from, what must pass before one is sent, and what is refused before one is asked for."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gosip_check.checklist import load, parse
from gosip_check.cli.account import account_of, check_auth_user, password_of
from gosip_check.cli.exits import UsageProblem
from gosip_check.probes.account.attempts import attempts
from gosip_check.probes.secret import Secret
from gosip_check.run import select

PASSWORD = "pl4nted-Pa55word"


def test_a_secret_shows_itself_once() -> None:
    secret = Secret(PASSWORD)
    assert PASSWORD not in f"{secret!r} {secret} {[secret]}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert (secret.take(), secret.take()) == (PASSWORD, None)


def _file(folder: Path, content: str, mode: int = 0o600) -> str:
    path = folder / "secret"
    path.write_text(content)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(UsageProblem, match="others can read it; chmod 600"):
        password_of("u", _file(tmp_path, PASSWORD, mode))


def test_a_password_file_holds_one_line(tmp_path: Path) -> None:
    assert password_of("u", _file(tmp_path, f"{PASSWORD}\r\n")).take() == PASSWORD
    with pytest.raises(UsageProblem, match="no password in it"):
        password_of("u", _file(tmp_path, ""))
    with pytest.raises(UsageProblem, match="Is a directory"):
        password_of("u", str(tmp_path))
    with pytest.raises(UsageProblem, match="No such file"):
        password_of("u", str(tmp_path / "gone"))


@pytest.mark.parametrize(
    "content",
    [
        f'user = "3562"\npassword = "{PASSWORD}',
        f'user = "3562"\npassword = "{PASSWORD}"\nmore = 1',
        f'password = "{PASSWORD}"',
        f'user = "a b"\npassword = "{PASSWORD}"',
        f'user = ["{PASSWORD}"]',
        f'user = "{PASSWORD}"\npassword = {"[" * 100_000}',
        f'user = "3562"\npassword = "{PASSWORD}"\nauth_user = 3',
        f'user = "3562"\npassword = "{PASSWORD}"\nauth_user = ""',
        f'user = "3562"\npassword = "{PASSWORD}"\nauth_user = "a\\nb"',
    ],
)
def test_a_wrong_account_file_tells_nothing(tmp_path: Path, content: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        account_of(_file(tmp_path, content))
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("key", ["auth_user", "auth-user"])
def test_an_account_file(tmp_path: Path, key: str) -> None:
    account = account_of(_file(tmp_path, f'user = "35621000000"\npassword = "{PASSWORD}"'))
    assert (account.user, account.auth_user, account.password.take()) == ("35621000000", None, PASSWORD)
    account = account_of(_file(tmp_path, f'user = "35621000000"\n{key} = "ess 47@x"\npassword = "{PASSWORD}"'))
    assert (account.auth_user, account.password.take()) == ("ess 47@x", PASSWORD)


@pytest.mark.parametrize("name", [" ", "a b@c:d", '"\\', "\u00dc\u4e2d", "tab\t"])
def test_an_authentication_name_may_hold_any_character(name: str) -> None:
    assert check_auth_user(name) == name


@pytest.mark.parametrize("name", ["", "a\nb", "a\r", "\0", "\udcff"])
def test_but_for_what_no_message_can_carry(name: str) -> None:
    with pytest.raises(UsageProblem, match="authentication name"):
        check_auth_user(name)


WITHOUT_ALG = """
[checklist]
id = "x"
title = "X"
version = "1"
source = "x"
date = "2026-01-01"
extends = "{parent}"

[drop]
requirements = ["alg.absent"]
"""


@pytest.mark.parametrize("name", ["go-native", "go-gateway"])
def test_the_alg_comes_first_where_the_checklist_has_it(name: str) -> None:
    """Without `alg.absent` nothing else changes."""
    for checklist, expected in ((load(name), True), (parse(WITHOUT_ALG.format(parent=name).encode(), "x.toml"), False)):
        for requirement in checklist.requirements:
            if requirement.group == "account":
                assert {"dns.targets-in-networks", "firewall.signalling"} <= set(requirement.needs)
                assert ("alg.absent" in requirement.needs) is expected
        chosen = [requirement.id for requirement in select(checklist, ["account.*"])]
        assert ("alg.absent" in chosen) is expected


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
    assert (wrong.returncode, "is no user name" in wrong.stderr) == (2, True)
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
