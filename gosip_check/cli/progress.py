"""What a run shows while it runs: one moving line on a terminal, a plain line for each verdict elsewhere. On stderr."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.text import Text

from gosip_check.cli.outputs import console
from gosip_check.records import Verdict
from gosip_check.report.text import visible
from gosip_check.run import Observer


@contextmanager
def progress(quiet: bool) -> Iterator[Observer]:
    """An observer that shows what happens; one that shows nothing when `quiet`."""
    terminal = console(to_stderr=True)
    if quiet:
        yield Observer()
    elif terminal.is_terminal:
        with terminal.status(Text("starting")) as status:
            yield Observer(say=lambda line: status.update(Text(visible(line))))
    else:
        yield Observer(judged=_print_plainly)


def _print_plainly(verdict: Verdict) -> None:
    with contextlib.suppress(OSError):  # that nobody takes the progress is no reason to lose the report
        click.echo(visible(f"{verdict.outcome.value:7} {verdict.id}: {verdict.reason}"), err=True)
