"""Several internet lines in one table: what each of them says to the same requirement. Decides nothing."""

from rich import box
from rich.table import Table
from rich.text import Text

from gosip_check.records import ALL_LINKS, Outcome, Report
from gosip_check.report.text import visible


def rows(report: Report) -> list[tuple[str, list[Outcome | None]]]:
    """Requirement and its outcome on each line, where more than one was asked; empty for a single line."""
    outcomes = {(verdict.id, verdict.link): verdict.outcome for verdict in report.verdicts}
    ids = dict.fromkeys(verdict.id for verdict in report.verdicts if verdict.link != ALL_LINKS)
    all_rows = [(id_, [outcomes.get((id_, link.name)) for link in report.links]) for id_ in ids]
    return [(id_, row) for id_, row in all_rows if sum(outcome is not None for outcome in row) > 1]


def side_by_side(report: Report, styles: dict[Outcome, str]) -> Table:
    """A row for each requirement that was asked on more than one line, a column for each line."""
    table = Table(
        box=box.SIMPLE, expand=True, show_edge=False, title=Text("Side by side", "bold"), title_justify="left"
    )
    table.add_column(Text("requirement"), ratio=1)
    for link in report.links:
        table.add_column(Text(visible(link.name)), no_wrap=True)
    for id_, row in rows(report):
        cells = [Text("-") if outcome is None else Text(f" {outcome.value} ", styles[outcome]) for outcome in row]
        table.add_row(Text(visible(id_)), *cells)
    table.add_row(Text("public address"), *(Text(visible(link.public_address or "-")) for link in report.links))
    table.add_row(Text("outcome", "bold"), *(Text(link.outcome.value, "bold") for link in report.links))
    return table
