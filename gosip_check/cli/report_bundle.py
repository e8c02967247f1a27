"""`report bundle`: a site's report and its PBX's as one order, and how an order is shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gosip_check.cli.commands import example
from gosip_check.cli.exits import UsageProblem, input_errors, output_errors
from gosip_check.cli.inputs import report_path
from gosip_check.form_fields import names_of

if TYPE_CHECKING:
    from rich.console import Console

    from gosip_check.order import Order

_FILE = "order.json"


@click.command(epilog=example("report bundle last pbx.json order.json"))
@click.argument("site", metavar="SITE")
@click.argument("pbx", metavar="PBX")
@click.argument("out", metavar="[OUT.json|-]", default=_FILE)
def bundle(site: str, pbx: str, out: str) -> int:
    """Put a site's report and that of its PBX into one order.

    Both stay whole. SITE is a report of `gosip-check run`, PBX one of `gosip-check pbx`. The form is the site's; put it
    there with `report form`. The exit code is that of the worse outcome.
    """
    from gosip_check.cli.carry_out import exit_code
    from gosip_check.order import bundle as bundled
    from gosip_check.report.load import ReportError, read
    from gosip_check.report.output import Output, OutputError
    from gosip_check.report.text import visible

    paths = [report_path(name) for name in (site, pbx)]
    with input_errors(ReportError):
        first, second = (read(path) for path in paths)
        order, text = bundled(first, second, (site, pbx))
    for path in paths:
        if out != "-" and Path(out).exists() and path.exists() and path.samefile(out):
            raise UsageProblem(f"{out}: is one of the reports itself; name another file.")
    with output_errors(OutputError):
        Output(out).write(text)
    for line in _headlines(order):
        click.echo(line, err=True)
    if out != "-":
        click.echo(f"Wrote {visible(out)}.", err=True)
    return exit_code(order.outcome)


def print_order(order: Order, terminal: Console, *, everything: bool, details: bool) -> None:
    """Both outcomes in two lines, then each report as its run showed it."""
    from gosip_check.report.to_terminal import print_summary

    for line in _headlines(order):
        terminal.print(line, style="bold", soft_wrap=True)
    for report in order.reports:
        terminal.print()
        print_summary(terminal, report, everything=everything, details=details)


def _headlines(order: Order) -> list[str]:
    """Each part with its outcome and what is wrong, then whose order it is."""
    from gosip_check.order import NAMES
    from gosip_check.report.summary import summary_of
    from gosip_check.report.text import visible

    parts = zip(NAMES.values(), order.reports, strict=True)
    lines = [visible(f"{name + ':':6}{summary_of(report).sentence}", 300) for name, report in parts]
    if order.form is None:
        return [*lines, "Form: none; put it into the site's report with gosip-check report form SITE FORM."]
    form = order.form
    pbx = f"{form.pbx.vendor} {form.pbx.model}".strip() or "not named yet"
    missing = f"; not filled in: {names_of(form.not_filled_in)}" if form.not_filled_in else ""
    return [*lines, visible(f"Form: {form.company_name.strip() or 'no company yet'}, PBX {pbx}{missing}", 300)]
