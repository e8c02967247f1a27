"""The record of failed attempts, where passwords come from, and what must pass before one is sent."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gosip_check.checklist import load, parse
from gosip_check.cli.account import account_of, password_of
from gosip_check.cli.exits import UsageProblem
from gosip_check.probes.account.attempts import MOST, attempts
from gosip_check.probes.probe import ProbeFailed
from gosip_check.probes.secret import Secret
from gosip_check.run import select

PASSWORD = "pl4nted-Pa55word"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "gosip-check"


def test_an_attempt_stays_until_one_succeeds(state: Path) -> None:
    with attempts("35621000000", "trunk.example.net") as record:
        assert record.failures == 0
        record.begin()
    with attempts("35621000000", "TRUNK.example.net") as record:
        assert record.failures == 1
        record.begin()
        with pytest.raises(ProbeFailed, match="third attempt"):
            record.begin()
    with attempts("35621000001", "trunk.example.net") as other:
        assert other.failures == 0
    kept = (state / "attempts.json").read_text()
    assert "35621000000" not in kept
    assert (state / "attempts.json").stat().st_mode & 0o777 == 0o600
    with attempts("35621000000", "trunk.example.net") as record:
        assert record.failures == MOST
        record.succeeded()
        assert record.failures == 0


def test_an_attempt_that_is_killed_half_way_counts() -> None:
    script = (
        "import os\n"
        "from gosip_check.probes.account.attempts import attempts\n"
        "with attempts('u', 'd') as record:\n"
        "    record.begin()\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=30).returncode == 9
    with attempts("u", "d") as record:
        assert record.failures == 1


def test_without_a_place_for_the_record_no_attempt_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    with pytest.raises(ProbeFailed, match="No record of failed attempts can be kept"), attempts("u", "d"):
        pass


@pytest.mark.parametrize("content", [b"", b"[]", b'{"x": -1}', b'{"x": true}', b'{"x": "1"}', b"\xff", b"[" * 100_000])
def test_a_damaged_record_allows_no_attempt(state: Path, content: bytes) -> None:
    state.mkdir(parents=True)
    (state / "attempts.json").write_bytes(content)
    with pytest.raises(ProbeFailed, match="cannot be used"), attempts("u", "d"):
        pass
    assert (state / "attempts.json").read_bytes() == content


def test_a_record_that_cannot_be_written_allows_no_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(ProbeFailed, match="cannot be used"), attempts("u", "d"):
        pass


def test_two_runs_do_not_try_at_once() -> None:
    with (
        attempts("u", "d"),
        pytest.raises(ProbeFailed, match="Another run is trying"),
        attempts("v", "d"),
    ):
        pass


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
    ],
)
def test_a_wrong_account_file_tells_nothing(tmp_path: Path, content: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        account_of(_file(tmp_path, content))
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_account_file(tmp_path: Path) -> None:
    user, password = account_of(_file(tmp_path, f'user = "35621000000"\npassword = "{PASSWORD}"'))
    assert (user, password.take()) == ("35621000000", PASSWORD)


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


def _outcomes(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "gosip_check", *arguments]
    env: dict[str, Any] = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, stdin=subprocess.DEVNULL)


def test_a_run_without_an_account_asks_for_none() -> None:
    said = _outcomes("demo", "--json", "-", "--quiet", "--skip", "dns.*")
    assert "account." not in said.stdout


def test_register_wants_a_password_from_somewhere() -> None:
    said = _outcomes("register", "--user", "35621000000", PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring")
    assert said.returncode == 2
    assert "There is no terminal to ask for the password" in said.stderr
    wrong = _outcomes("register", "--user", "a@b")
    assert (wrong.returncode, "is no user name" in wrong.stderr) == (2, True)
    assert "--password " not in _outcomes("register", "--help").stdout
