"""`fleet`: the files for whoever looks after many sites."""

from __future__ import annotations

import click

from gosip_check.cli.commands import Commands, example
from gosip_check.cli.exits import EXIT_READY, ToolFailed, UsageProblem, output_errors
from gosip_check.cli.inputs import a_file


@click.group(cls=Commands, epilog=example("fleet files fleet/"))
def fleet() -> None:
    """For many sites: agents, alert rules, dashboards, an order desk."""


@fleet.command(epilog=example("fleet files fleet/"))
@click.argument("folder", metavar="DIR", callback=a_file)
def files(folder: str) -> int:
    """Write the files that Prometheus, Grafana and PostgreSQL read.

    Nothing that is there already is changed.
    """
    from pathlib import Path

    from gosip_check.fleet import FILES, content
    from gosip_check.report.output import Output, OutputError
    from gosip_check.report.to_prometheus import MOST_SERIES

    there = [name for name in FILES if Path(folder, name).exists()]
    if there:
        raise UsageProblem(f"{folder}: has {', '.join(there)} already; name another folder.")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolFailed(f"{folder}: no folder can be made there: {error.strerror}.") from error
    for name, meaning in FILES.items():
        with output_errors(OutputError):
            Output(str(Path(folder, name))).write(content(name))
        click.echo(f"{name:22} {meaning}")
    click.echo(f"\nA site makes at most {MOST_SERIES} series; `gosip_check_series` counts them.")
    return EXIT_READY
