"""`checklist`: which there are, what one demands, whether one of your own is right."""

import click

from gosip_check.cli import complete
from gosip_check.cli.commands import Commands, example
from gosip_check.cli.exits import EXIT_READY


@click.group(cls=Commands, epilog=example("checklist show go-native"))
def checklist() -> None:
    """What a site is held against: list, show, check."""


@checklist.command(name="list", epilog=example("checklist list"))
def list_() -> int:
    """The checklists that come with the tool."""
    from gosip_check.checklist import load_file, shipped

    for name, path in shipped().items():
        click.echo(f"{name:12} {load_file(path).identity.title}")
    return EXIT_READY


@checklist.command(epilog=example("checklist show go-native"))
@click.argument("name", metavar="ID|PATH", shell_complete=complete.checklists)
def show(name: str) -> int:
    """Every requirement of a checklist, with its remedy and source."""
    from rich.padding import Padding
    from rich.text import Text

    from gosip_check.cli.inputs import load_checklist
    from gosip_check.cli.outputs import console
    from gosip_check.report.text import visible

    loaded = load_checklist(name)
    trunk = loaded.trunk
    terminal = console()
    terminal.print(Text(visible(f"{loaded.identity.title} (version {loaded.identity.version})"), "bold"))
    terminal.print(Text(visible(f"from {loaded.source}, as of {loaded.date}")))
    if loaded.extends is not None:
        terminal.print(Text(visible(f"extends {loaded.extends}")))
    networks = ", ".join(trunk.networks)
    terminal.print(Text(visible(f"trunk {trunk.domain}, {trunk.port}/{trunk.transport.upper()}, {networks}")))
    for requirement in loaded.requirements:
        terminal.print()
        terminal.print(Text(visible(f"{requirement.id} ({requirement.level}): {requirement.title}"), "bold"))
        hints = [requirement.hint, *requirement.hint_if.values()]
        for text in (*(f"if not: {hint}" for hint in hints), f"source: {requirement.source}"):
            terminal.print(Padding(Text(visible(text)), (0, 0, 0, 2)))
    return EXIT_READY


@checklist.command(epilog=example("checklist check ./mine.toml"))
@click.argument("name", metavar="ID|PATH", shell_complete=complete.checklists)
def check(name: str) -> int:
    """Is a checklist right?

    Exit code 2 and a sentence when it is not.
    """
    from gosip_check.cli.inputs import load_checklist
    from gosip_check.report.text import visible

    loaded = load_checklist(name)
    parent = "" if loaded.extends is None else f" It extends {visible(loaded.extends)}."
    click.echo(f"{name}: right, with {len(loaded.requirements)} requirements.{parent}")
    return EXIT_READY
