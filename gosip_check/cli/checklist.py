"""`checklist`: which there are, what one demands, whether one of your own is right."""

import click

from gosip_check.cli.carry_out import load_checklist
from gosip_check.cli.exits import EXIT_READY


@click.group()
def checklist() -> None:
    """What a site is held against: list the checklists, show one, check one of your own."""


@checklist.command(name="list")
def list_() -> int:
    """The checklists that come with the tool."""
    from gosip_check.checklist import load_file, shipped

    for name, path in shipped().items():
        click.echo(f"{name:12} {load_file(path).identity.title}")
    return EXIT_READY


@checklist.command()
@click.argument("name", metavar="ID|PATH")
def show(name: str) -> int:
    """Every requirement of a checklist: what must be so, what to do if not, and who says so."""
    from gosip_check.report.text import visible

    loaded = load_checklist(name)
    trunk = loaded.trunk
    click.echo(visible(f"{loaded.identity.title} (version {loaded.identity.version})"))
    click.echo(visible(f"from {loaded.source}, as of {loaded.date}"))
    click.echo(visible(f"trunk {trunk.domain}, {trunk.port}/{trunk.transport.upper()}, {', '.join(trunk.networks)}"))
    for requirement in loaded.requirements:
        click.echo()
        click.echo(visible(f"{requirement.id} ({requirement.level}): {requirement.title}"))
        click.echo(visible(f"  if not: {requirement.hint}"))
        click.echo(visible(f"  source: {requirement.source}"))
    return EXIT_READY


@checklist.command()
@click.argument("name", metavar="ID|PATH")
def check(name: str) -> int:
    """Load a checklist and say whether it is right; exit code 2 and a sentence when it is not."""
    loaded = load_checklist(name)
    click.echo(f"{name}: right, with {len(loaded.requirements)} requirements.")
    return EXIT_READY
