"""`gosip-check` alone, at a terminal: asks what a check has to know, shows it as a command line, and runs that."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from gosip_check.cli.exits import EXIT_READY, EXIT_USAGE

_MOST_CHANNELS = 2000


def guided(context: click.Context) -> int:
    """The exit code of the check. Without a terminal there is nobody to ask: the help, and exit code 2."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        click.echo(context.get_help(), err=True)
        return EXIT_USAGE
    click.echo("Return takes what stands in brackets. Ctrl-C ends this.", err=True)
    arguments = ["run", *_checklist(), *_channels(), *_links(), *_form()]
    click.echo(f"\nThe same, typed:  gosip-check {shlex.join(arguments)}\n", err=True)
    if not click.confirm("Start now?", default=True, err=True):
        return EXIT_READY
    code: int = context.command.main(arguments, standalone_mode=False)
    return code


def _checklist() -> list[str]:
    """Which product. The one that a check takes by itself, or by the defaults file, need not be typed."""
    from gosip_check.checklist import load_file, shipped

    usual = str(_default("checklist"))
    names = list(shipped())
    click.echo("\nWhich trunk is it?", err=True)
    for number, (_, path) in enumerate(shipped().items(), 1):
        click.echo(f"  {number}  {load_file(path).identity.title}", err=True)
    if usual not in names:
        names.append(usual)
        click.echo(f"  {len(names)}  {usual}", err=True)
    number = click.prompt("Number", type=click.IntRange(1, len(names)), default=names.index(usual) + 1, err=True)
    chosen = names[number - 1]
    return [] if chosen == usual else ["--checklist", chosen]


def _channels() -> list[str]:
    usual = int(str(_default("channels")))
    question = "How many calls at the same time"
    number = click.prompt(question, type=click.IntRange(1, _MOST_CHANNELS), default=usual, err=True)
    return [] if number == usual else ["--channels", str(number)]


def _links() -> list[str]:
    """Nothing for one line: the system knows the way. For two, the interface of each."""
    from gosip_check.probes.net.interfaces import addresses

    if click.prompt("How many internet lines", type=click.IntRange(1, 2), default=1, err=True) == 1:
        return []
    interfaces = {
        name: ", ".join(str(each.ip) for each in here if each.version == 4)
        for name, here in addresses().items()
        if name != "lo"
    }
    for name, here in interfaces.items():
        click.echo(f"  {name:10} {here}", err=True)
    arguments = []
    for number, usual in zip((1, 2), [*interfaces, None, None], strict=False):
        names = click.Choice(list(interfaces))
        question = f"Interface of Internet-{number}"
        name = click.prompt(question, type=names, default=usual, show_choices=False, err=True)
        arguments += ["--link", f"Internet-{number}={name}"]
    return arguments


def _form() -> list[str]:
    """A form that lies in this folder, where the person says that it is the one."""
    for name, company in _forms():
        if click.confirm(f"Use the form {name} ({company or 'no company on it yet'})?", default=True, err=True):
            return ["--form", name]
    return []


def _forms() -> Iterator[tuple[str, str]]:
    """Name and company of every form here. A TOML file that is something else is left out."""
    from gosip_check.form.form import load
    from gosip_check.report.text import visible
    from gosip_check.tomlfile import TomlError

    for path in sorted(Path().glob("*.toml")):
        try:
            yield str(path), visible(load(path).company_name, 60)
        except TomlError:
            continue


def _default(key: str) -> object:
    """What `run` takes where its command line does not say."""
    from gosip_check.cli.defaults import defaults_for, takes_from_the_environment
    from gosip_check.cli.run import run

    context = takes_from_the_environment(run).make_context("run", [], default_map=defaults_for(run))
    return context.params[key]
