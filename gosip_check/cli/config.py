"""`config`: the defaults file: where it lies, what counts and where that comes from, whether the file is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from gosip_check.cli.commands import Commands, example
from gosip_check.cli.exits import EXIT_READY, input_errors


@click.group(cls=Commands, epilog=example("config show"))
def config() -> None:
    """Defaults of your own for the options of `run`.

    They are lines of a TOML file, such as `reflector = "rx.example.net"`. An environment variable goes before the
    file, such as GOSIP_CHECK_REFLECTOR. An option on the command line goes before both.
    """


@config.command(epilog=example("config path"))
def path() -> int:
    """Where the file lies, or would lie."""
    from gosip_check.cli.defaults import config_path
    from gosip_check.folders import NoHomeFolder

    with input_errors(NoHomeFolder):
        click.echo(config_path())
    return EXIT_READY


@config.command(epilog=example("config show"))
def show() -> int:
    """Every default that counts now, and where it comes from."""
    from gosip_check.cli.defaults import config_path, read_defaults
    from gosip_check.folders import NoHomeFolder

    try:
        file = config_path()
        click.echo(f"{file}{'' if file.exists() else ' (there is no such file)'}\n")
    except NoHomeFolder as error:
        click.echo(f"{error}\n")
    values = read_defaults()
    rows = [(key, *_row(key, values)) for key in _known()]
    width = max(len(key) for key, _, _ in rows)
    for key, value, source in rows:
        click.echo(f"{key:{width}}  {value:24}  {source}".rstrip())
    return EXIT_READY


@config.command(epilog=example("config check"))
def check() -> int:
    """Is the file right? Exit code 2 and a sentence when it is not."""
    from gosip_check.cli.defaults import config_path, read_defaults
    from gosip_check.folders import NoHomeFolder

    with input_errors(NoHomeFolder):
        file = config_path()
    values = read_defaults()
    if not file.exists():
        click.echo(f"{file}: there is no such file; every option has its own default.")
        return EXIT_READY
    _try_out(values)
    click.echo(f"{file}: right, with {len(values)} default(s).")
    return EXIT_READY


def _known() -> dict[str, click.Option]:
    from gosip_check.cli.defaults import known_options

    return known_options()


def _row(key: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """The value as it is written, and where it comes from."""
    from click.core import ParameterSource

    from gosip_check.cli.defaults import defaults_for, options_of, takes_from_the_environment, variable_of
    from gosip_check.cli.run import GROUPS, group_command, run

    for command in (run, *map(group_command, GROUPS)):
        option = options_of(command).get(key)
        if option is None or option.name is None:
            continue
        takes_from_the_environment(command)
        context = command.make_context(command.name, [], default_map=defaults_for(command, values))
        source = context.get_parameter_source(option.name)
        words = {
            ParameterSource.ENVIRONMENT: f"environment, {variable_of(key)}",
            ParameterSource.DEFAULT_MAP: "defaults file",
        }
        return _shown(context.params[option.name]), words.get(source, "") if source else ""
    raise KeyError(key)


def _shown(value: Any) -> str:
    from gosip_check.report.text import visible

    if isinstance(value, tuple):
        return ", ".join(visible(str(each)) for each in value) or "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "-" if value is None else visible(f"{value:g}" if isinstance(value, float) else str(value))


def _try_out(values: Mapping[str, Any]) -> None:
    """Raises UsageProblem for what a run would refuse before it measures."""
    from gosip_check.cli.defaults import defaults_for
    from gosip_check.cli.inputs import load_checklist, signing_key
    from gosip_check.cli.plan import settings_of
    from gosip_check.cli.run import run

    options = run.make_context("run", [], default_map=defaults_for(run, values)).params
    load_checklist(options["checklist"])
    settings_of(options)
    signing_key(options["sign_key_file"], signs=True)
