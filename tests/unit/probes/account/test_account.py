"""Where passwords come from, what must pass before one is sent, and what is refused before one is asked for."""

import pickle
from pathlib import Path

import pytest

from gosip_check.checklist import load, parse
from gosip_check.cli.account import account_of, check_auth_user, password_of
from gosip_check.cli.exits import UsageProblem
from gosip_check.plan import select
from gosip_check.probes.secret import Secret

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
        f'user = "{PASSWORD}"\npassword = {"[" * 10_000}',
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
