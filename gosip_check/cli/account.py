"""Where the password of an account comes from: a file of one's own, the keyring, or the prompt. Never an argument.

What is read here goes into a `Secret` at once, and no error sentence repeats what a file holds.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from gosip_check.cli.exits import UsageProblem, input_errors

if TYPE_CHECKING:
    from gosip_check.probes.secret import Secret

KEYRING_SERVICE = "gosip-check"


@dataclass(frozen=True)
class Account:
    """What an account file holds. auth_user: the name that the password belongs to; None: the user name."""

    user: str
    auth_user: str | None
    password: Secret


def spent() -> Secret:
    """Of a run whose attempt is refused before it begins: no password is asked for, and none can be sent."""
    from gosip_check.probes.secret import Secret

    secret = Secret("")
    secret.take()
    return secret


def password_of(user: str, password_file: str | None) -> Secret:
    """From the file, else the keyring where it is installed and knows the user, else the prompt."""
    from gosip_check.probes.secret import Secret

    if password_file is not None:
        text = read_private("--password-file", password_file).decode("utf-8", "surrogateescape")
        return _secret(text.splitlines()[0] if text else "", f"--password-file {password_file}")
    kept = _from_keyring(user)
    if kept is not None:
        return Secret(kept)
    if not sys.stdin.isatty():
        raise UsageProblem("There is no terminal to ask for the password; name a file with --password-file.")
    return _secret(click.prompt(f"Password of {user}", hide_input=True, err=True, type=str), "the prompt")


def account_of(file: str) -> Account:
    """An account file: TOML with `user`, `password` and perhaps `auth_user`, readable by nobody else."""
    from gosip_check import tomlfile

    where = f"--account {file}"
    try:
        table = tomlfile.parse(read_private("--account", file), where)
    except tomlfile.TomlError:  # the error would show a part of the file
        raise UsageProblem(f'{where}: is not TOML with user = "..." and password = "...".') from None
    table = {name.replace("-", "_"): value for name, value in table.items()}  # as the option is written
    user, password, auth_user = table.get("user"), table.get("password"), table.get("auth_user")
    known = set(table) <= {"user", "password", "auth_user"} and isinstance(auth_user, str | None)
    if not isinstance(user, str) or not isinstance(password, str) or not known:
        raise UsageProblem(
            f'{where}: use user = "..." and password = "...", and auth_user = "..." where the provider gave a second '
            "name; nothing else."
        )
    return Account(check_user(user), check_auth_user(auth_user), _secret(password, where))


def check_edge_access(file: str) -> None:
    """Raises UsageProblem for an access file that cannot be used, before anything is measured."""
    from gosip_check.probes.edge.access import read_access

    with input_errors(ValueError, prefix=f"--edge-snmp {file}: "):
        read_access(file)


def check_user(user: str) -> str:
    """Raises UsageProblem for what cannot be a SIP user name."""
    if not user or not user.isascii() or not all(letter.isalnum() or letter in "-_.+" for letter in user):
        raise UsageProblem(
            f"{user!r} is not a user name; use the number that the provider supplied, such as 35621000000."
        )
    return user


def check_auth_user(auth_user: str | None) -> str | None:
    """Raises UsageProblem for what no SIP message can carry; any other character is right."""
    if auth_user is None:
        return None
    is_text = auth_user == auth_user.encode(errors="ignore").decode()
    if not auth_user or not is_text or any(letter in auth_user for letter in "\r\n\0"):
        raise UsageProblem("The authentication name is empty, or holds a line break, a NUL or what is not text.")
    return auth_user


def read_private(option: str, file: str) -> bytes:
    """A small file that only its owner can read. Raises UsageProblem."""
    from gosip_check.probes import secret

    with input_errors(ValueError, prefix=f"{option} {file}: "):
        return secret.read_private(file)


def _secret(text: str, where: str) -> Secret:
    from gosip_check.probes.secret import Secret

    if not text:
        raise UsageProblem(f"{where}: there is no password in it.")
    return Secret(text)


def _from_keyring(user: str) -> str | None:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        return None
    try:
        return keyring.get_password(KEYRING_SERVICE, user)
    except (keyring.errors.KeyringError, RuntimeError, OSError):  # none on a server without a desktop
        return None
