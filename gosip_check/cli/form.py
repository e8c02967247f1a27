"""`form`: the Customer Compliance Form as a file."""

import click

from gosip_check.cli.exits import EXIT_NOT_READY, EXIT_READY, UsageProblem


@click.group()
def form() -> None:
    """The Customer Compliance Form: write an empty one, check one, show one."""


@form.command()
@click.argument("file")
def new(file: str) -> int:
    """Write an empty form with comments to FILE."""
    from pathlib import Path

    from gosip_check.form import TEMPLATE

    try:
        with Path(file).open("x", encoding="utf-8") as out:
            out.write(TEMPLATE)
    except FileExistsError as error:
        raise UsageProblem(f"{file}: exists already; choose another name, so that nothing is lost.") from error
    except OSError as error:
        raise UsageProblem(f"{file}: cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {file}. Fill it in, then: gosip-check form check {file}")
    return EXIT_READY


@form.command()
@click.argument("file")
def check(file: str) -> int:
    """Check FILE: exit code 0 when complete, 1 when something is not filled in, 2 when something is wrong."""
    from pathlib import Path

    from gosip_check.form import load, not_filled_in
    from gosip_check.tomlfile import TomlError

    try:
        missing = not_filled_in(load(Path(file)))
    except TomlError as error:
        raise UsageProblem(str(error)) from error
    if missing:
        click.echo(f"{file}: not filled in yet: {', '.join(missing)}.")
        return EXIT_NOT_READY
    click.echo(f"{file}: complete.")
    return EXIT_READY


@form.command()
@click.argument("file")
def show(file: str) -> int:
    """Show FILE as it will stand in a report."""
    from pathlib import Path

    from rich.console import Console

    from gosip_check.form import load
    from gosip_check.report.to_terminal import form_table
    from gosip_check.tomlfile import TomlError

    try:
        filled_in = load(Path(file))
    except TomlError as error:
        raise UsageProblem(str(error)) from error
    Console(markup=False, emoji=False, highlight=False).print(form_table(filled_in))
    return EXIT_READY
