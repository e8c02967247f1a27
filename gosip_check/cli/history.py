"""`history`: what the light checks have found over time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence

import click

from gosip_check.cli.commands import Commands, example
from gosip_check.cli.exits import EXIT_READY, input_errors
from gosip_check.cli.health import history_path
from gosip_check.cli.inputs import a_file

_BLOCKS = "▁▂▃▄▅▆▇█"
_COLUMNS = 60
_NUMBERS = 40
"Columns that stand beside a sparkline."

_file = click.option("--history", metavar="FILE", callback=a_file, help="Another file than the usual one.")


@click.group(cls=Commands, epilog=example("history show"))
def history() -> None:
    """What `health` and `watch` have found: runs, changes, trends."""


@history.command(epilog=example("history path"))
@_file
def path(history: str | None) -> int:
    """Where the history lies."""
    from gosip_check.health.database import HistoryError

    with input_errors(HistoryError):
        click.echo(history_path(history))
    return EXIT_READY


@history.command(epilog=example("history show --last 50"))
@_file
@click.option("--last", metavar="N", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Runs.")
def show(history: str | None, last: int) -> int:
    """The last runs, and what changed when."""
    from gosip_check.health.database import HistoryError
    from gosip_check.health.history import History, sentence, sentences
    from gosip_check.report.reading import counted
    from gosip_check.report.text import visible

    with input_errors(HistoryError), History(history_path(history), create=False) as kept:
        runs, changes, count = kept.runs(last), kept.changes(last), kept.count()
        several = len(kept.sites()) > 1
    click.echo(f"{count} run(s) kept; the last {len(runs)}:")
    for run in runs:
        counts = counted(run.counts) + (f"  ({run.site})" if several else "")
        click.echo(visible(f"{run.started:%Y-%m-%d %H:%M:%S} UTC  {run.outcome:12}  {run.elapsed_s:5.1f} s  {counts}"))
        for text in sentences([change for change in changes if change.run == run]):
            click.echo(visible(f"    {text}"))
    earlier = [change for change in changes if change.run not in runs]
    if earlier:
        click.echo("Earlier changes:")
    for change in earlier:
        where = f"  ({change.run.site})" if several else ""
        click.echo(visible(f"{change.run.started:%Y-%m-%d %H:%M:%S} UTC{where}  {sentence(change)}"))
    return EXIT_READY


@history.command(epilog=example("history trend"))
@_file
@click.option("--last", metavar="N", type=click.IntRange(2, 100_000), default=500, show_default=True)
def trend(history: str | None, last: int) -> int:
    """A line of blocks for each figure over the last runs.

    Each block is the worst of its stretch; the oldest stands on the left.
    """
    from gosip_check.health.database import HistoryError
    from gosip_check.health.history import History
    from gosip_check.report.text import visible

    with input_errors(HistoryError), History(history_path(history), create=False) as kept:
        sites = kept.sites()
        trends = {site: kept.trend(last, site if len(sites) > 1 else None) for site in sites}
    for site, figures in trends.items():
        if len(sites) > 1:
            click.echo(visible(f"{site}:"))
        for line in trend_lines(figures, shutil.get_terminal_size().columns):
            click.echo(visible(line))
    return EXIT_READY


def trend_lines(figures: Mapping[str, Sequence[float]], width: int) -> Iterator[str]:
    """A line for each figure that has a unit and moved, times first; and how many did not."""
    from gosip_check.values import UNITS, shown, unit_of, without_unit

    units = list(UNITS.values())
    moved = {name: values for name, values in figures.items() if unit_of(name) and min(values) != max(values)}
    names = {
        name: without_unit(name).replace("_", " ") for name in sorted(moved, key=lambda n: units.index(unit_of(n)))
    }
    column = max(map(len, names.values()), default=0)
    blocks = min(_COLUMNS, max(10, width - column - _NUMBERS))
    for name, text in names.items():
        values, unit = moved[name], unit_of(name)
        low, high, latest = (shown(value, 3) for value in (min(values), max(values), values[-1]))
        yield f"{text:{column}}  {sparkline(values, blocks):{blocks}}  last {latest} {unit}, {low} to {high} {unit}"
    left_out = len(figures) - len(moved)
    if left_out:
        yield f"{left_out} figure(s) that did not change or have no unit are left out; `history export` has them."


@history.command(epilog=example("history export --figures"))
@_file
@click.option("--figures", is_flag=True, help="CSV of the figures instead of whole reports.")
def export(history: str | None, figures: bool) -> int:
    """Every kept run: one JSON report a line, or CSV."""
    import csv
    import sys

    import msgspec

    from gosip_check.health.database import HistoryError
    from gosip_check.health.history import History
    from gosip_check.records import Report
    from gosip_check.report.figures import figures as figures_of
    from gosip_check.report.to_json import safe

    writer, left_out = csv.writer(sys.stdout), 0
    if figures:
        writer.writerow(["started", "outcome", "link", "figure", "value"])
    with input_errors(HistoryError), History(history_path(history), create=False) as kept:
        for document in kept.reports():
            if not figures:
                click.echo(safe(document.decode()))
                continue
            try:
                report = msgspec.json.decode(document, type=Report)
            except msgspec.DecodeError:
                left_out += 1
                continue
            for (link, name), value in figures_of(report).items():
                writer.writerow([report.started.isoformat(), report.outcome.value, link, name, value])
    if left_out:
        click.echo(f"{left_out} run(s) left out: another version of gosip-check wrote them.", err=True)
    return EXIT_READY


def sparkline(values: Sequence[float], most: int = _COLUMNS) -> str:
    """At most so many blocks; where there are more values, each block is the largest of its stretch."""
    columns = min(most, len(values))
    parts = [
        max(values[column * len(values) // columns : (column + 1) * len(values) // columns])
        for column in range(columns)
    ]
    low, high = min(parts), max(parts)
    if high == low:
        return _BLOCKS[0] * columns
    return "".join(_BLOCKS[min(7, int((part - low) / (high - low) * 8))] for part in parts)
