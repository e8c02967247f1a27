"""`report table`: saved reports as CSV, for a spreadsheet or a database."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from gosip_check.cli.commands import example
from gosip_check.cli.exits import EXIT_READY, EXIT_USAGE
from gosip_check.cli.report_files import Source, for_each

if TYPE_CHECKING:
    from gosip_check.report.table import Row


@click.command(epilog=example("report table orders/"))
@click.argument("files", metavar="FILE|DIR|-...", nargs=-1, required=True)
@click.option("--verdicts", is_flag=True, help="One row for each verdict, not for each report.")
def table(files: tuple[str, ...], verdicts: bool) -> int:
    """Print saved reports as a table (CSV).

    One row for each report, two for an order. A folder stands for all its *.json, - for standard input. Nothing is
    checked: that is `report check`. A file that is no report is named, and the exit code is then 2.
    """
    import csv

    from gosip_check.report.table import REPORT_COLUMNS, VERDICT_COLUMNS
    from gosip_check.report.text import visible

    writer = csv.writer(sys.stdout)
    writer.writerow(VERDICT_COLUMNS if verdicts else REPORT_COLUMNS)
    code = EXIT_READY
    for rows, trouble in for_each(partial(_rows, verdicts=verdicts), files, _lost):
        writer.writerows(rows)
        if trouble:
            click.echo(f"Error: {visible(trouble)}", err=True)
            code = EXIT_USAGE
    return code


def _rows(source: Source, verdicts: bool) -> tuple[list[Row], str]:
    """The rows of one report, of both in an order, or why there are none."""
    from pathlib import Path

    from gosip_check.order import reports_in
    from gosip_check.report.load import ReportError, bounded, read
    from gosip_check.report.table import report_row, verdict_rows

    path, content = source
    try:
        reports = reports_in(read(Path(path)) if content is None else bounded(content, path), path)
    except ReportError as error:
        return [], str(error)
    except MemoryError:
        return [], f"{path}: needs more memory than a report may."
    if verdicts:
        return [row for report in reports for row in verdict_rows(path, report)], ""
    return [report_row(path, report) for report in reports], ""


def _lost(source: Source) -> tuple[list[Row], str]:
    return [], f"{source[0]}: the process that read it died; it may want more memory than there is."
