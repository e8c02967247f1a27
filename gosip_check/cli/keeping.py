"""Keeps every run by itself. What cannot be kept costs no verdict and no exit code: it is said, and put elsewhere."""

from __future__ import annotations

import contextlib
import tempfile
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gosip_check.records import Report

KEPT = "run"
"The command whose reports are kept."
WHERE = "kept run (gosip-check report show last)"
"What the last screen says of a run that was kept."


def say_what_cannot_be_kept() -> None:
    """Before a run, while a file can still be named for it."""
    from gosip_check import kept
    from gosip_check.folders import NoHomeFolder

    try:
        kept.make_room()
    except (kept.KeptError, NoHomeFolder) as error:
        click.echo(f"This run cannot be kept for later: {error} Name a file with --json.", err=True)


def keep(report: Report) -> bool:
    """After a run: was it kept? A private file among the temporary ones where the usual place takes none."""
    from gosip_check import kept
    from gosip_check.folders import NoHomeFolder
    from gosip_check.report.to_json import to_json

    try:
        kept.keep(report)
    except (kept.KeptError, NoHomeFolder) as error:
        try:
            with tempfile.NamedTemporaryFile("w", prefix="gosip-check-", suffix=".json", delete=False) as file:
                file.write(to_json(report))
            instead = f"It lies in {file.name} instead."
        except OSError:
            instead = "There is no room for it elsewhere."
        with contextlib.suppress(OSError):  # nobody hears it, and the run goes on to what was asked for
            click.echo(f"This run could not be kept: {error} {instead}", err=True)
        return False
    return True
