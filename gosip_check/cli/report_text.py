"""`report text`: a saved report as a short text for a mail or a ticket."""

from __future__ import annotations

import click

from gosip_check.cli.commands import example
from gosip_check.cli.exits import EXIT_READY
from gosip_check.cli.inputs import load_report_or_order

READERS = ("provider", "technician", "customer")
"Those of report/letters.py, which a command's --help does not load."


@click.command(epilog=example("report text last --for provider"))
@click.argument("file", metavar="REPORT")
@click.option("--for", "reader", type=click.Choice(READERS), required=True, help="Who reads it.")
def text(file: str, reader: str) -> int:
    """Print a saved report as text for a mail or a ticket.

    It has at most 25 lines. The provider gets the public address to whitelist, the technician the one change on the
    router, the customer what it comes to. Of an order both texts are printed.
    """
    from msgspec.structs import replace

    from gosip_check.records import Report
    from gosip_check.report.letters import letter

    loaded = load_report_or_order(file)
    reports = [loaded] if isinstance(loaded, Report) else [replace(each, form=loaded.form) for each in loaded.reports]
    click.echo("\n".join(letter(each, reader) for each in reports), nl=False)
    return EXIT_READY
