"""The defaults of a user: a TOML file and environment variables, for options that the command line does not name.

The command line beats the environment, which beats the file. A key is an option's long name with `_` for `-`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gosip_check.cli.exits import UsageProblem, input_errors
from gosip_check.cli.run import GROUPS, group_command, run

TAKE_DEFAULTS = ("run", *GROUPS, "register", "health", "watch")
"Commands that take defaults. A demo does not: it is no work of a company, and must be the same everywhere."

_OF_ONE_SITE = {
    "account": "each try counts towards the lock of the account",
    "form": "it belongs to one customer",
    "again": "it is about one run",
    "until_ready": "it is about one run",
}
"Options of `run` that no file sets, and why not."


def config_path() -> Path:
    """Where this user's defaults lie. Raises NoHomeFolder."""
    from gosip_check.folders import config_folder

    return config_folder() / "config.toml"


def key_of(option: click.Parameter) -> str:
    """`dns_server` for --dns-server."""
    return option.opts[-1].lstrip("-").replace("-", "_")


def variable_of(key: str) -> str:
    """The environment variable that sets it."""
    return f"GOSIP_CHECK_{key.upper()}"


def options_of(command: click.Command) -> dict[str, click.Option]:
    """Key -> the option of a command that it sets."""
    options = {key_of(option): option for option in command.params if isinstance(option, click.Option)}
    return {key: option for key, option in options.items() if key not in _OF_ONE_SITE}


def known_options() -> dict[str, click.Option]:
    """Key -> the option, for everything that a file may set: the options of `run` and of the group commands."""
    commands = [run, *map(group_command, GROUPS)]
    return {key: option for command in reversed(commands) for key, option in options_of(command).items()}


def takes_from_the_environment(command: click.Command) -> click.Command:
    """The command, whose options have a variable each."""
    known = known_options()
    for key, option in options_of(command).items():
        if key in known:
            option.envvar = variable_of(key)
    return command


def defaults_for(command: click.Command, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the file says of the command's options, under the names that Click has for them. Raises UsageProblem.

    values: what `read_defaults` gave, where the file was read already.
    """
    values = read_defaults() if values is None else values
    return {option.name or "": values[key] for key, option in options_of(command).items() if key in values}


def read_defaults() -> dict[str, Any]:
    """Key -> value; empty where there is no file. Raises UsageProblem for a file that cannot be used."""
    from gosip_check.folders import NoHomeFolder

    try:
        path = config_path()
    except NoHomeFolder:
        return {}
    if not os.path.lexists(path):
        return {}
    from gosip_check import tomlfile

    with input_errors(tomlfile.TomlError):
        table = tomlfile.parse(tomlfile.read(path, "defaults file"), str(path))
    known = known_options()
    values = {}
    for name, value in table.items():
        key = name.replace("-", "_")
        if key in _OF_ONE_SITE:
            raise UsageProblem(f"{path}: {name} is no default: {_OF_ONE_SITE[key]}. Give it with --{name}.")
        if key not in known:
            raise UsageProblem(f"{path}: there is no option {name!r}{tomlfile.instead(key, known)}")
        values[key] = _value(known[key], value, f"{path}: {name}")
    return values


def _value(option: click.Option, value: Any, where: str) -> Any:
    """The value as Click takes it. Raises UsageProblem for one that does not fit the option."""
    if option.multiple and not isinstance(value, list):
        value = [value]
    if not option.multiple and isinstance(value, list):
        raise UsageProblem(f"{where}: takes one value, not a list.")
    if isinstance(value, Mapping) or (option.is_flag is not isinstance(value, bool)):
        right = "true or false" if option.is_flag else "a number or a text in quotes"
        raise UsageProblem(f"{where}: takes {right}.")
    try:
        option.type_cast_value(click.Context(click.Command("config")), value)
    except click.BadParameter as error:
        raise UsageProblem(f"{where}: {error.message}") from error
    return value
