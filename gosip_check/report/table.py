"""Reports as rows of a table, for a spreadsheet or a database: one row a report, or one a verdict.

A spreadsheet takes a cell that begins with = + - @ for a formula, and obeys it. Such text gets an apostrophe in front.
"""

import re
from collections.abc import Iterator

from gosip_check.records import Form, Outcome, Report
from gosip_check.report.text import visible

Row = list[str | int | float]

_REPORT = ["path", "id", "site", "started", "checklist"]
REPORT_COLUMNS = [
    *_REPORT, "checklist_version", "checklist_sha256", "tool_version", "command", "elapsed_s", "outcome",
    *(outcome.value for outcome in Outcome), "failed", "company", "pbx_vendor", "pbx_model", "router_vendor",
    "router_model", "router_release", "links", "public_addresses",
]  # fmt: skip
VERDICT_COLUMNS = [
    *_REPORT, "router_vendor", "router_model", "link", "requirement", "level", "outcome", "reason",
]  # fmt: skip

_FORMULA = re.compile(r"[=+\-@＝＋－＠]")


def report_row(path: str, report: Report) -> Row:
    """The cells of REPORT_COLUMNS. Several values stand in one cell with spaces between them."""
    form, checklist = report.form or Form(), report.checklist
    failed = dict.fromkeys(verdict.id for verdict in report.verdicts if verdict.outcome is Outcome.FAIL)
    return [
        *_about(path, report),
        *map(cell, (checklist.version, checklist.sha256, report.tool_version, report.command)),
        report.elapsed_s,
        report.outcome.value,
        *(report.counts.get(outcome, 0) for outcome in Outcome),
        cell(" ".join(failed)),
        *map(cell, (form.company_name, form.pbx.vendor, form.pbx.model)),
        *map(cell, (form.router.vendor, form.router.model, form.router.release)),
        cell(" ".join(link.name for link in report.links)),
        cell(" ".join(link.public_address for link in report.links if link.public_address)),
    ]


def verdict_rows(path: str, report: Report) -> Iterator[Row]:
    """The cells of VERDICT_COLUMNS, for each verdict."""
    router = (report.form or Form()).router
    about = [*_about(path, report), cell(router.vendor), cell(router.model)]
    for verdict in report.verdicts:
        words = (verdict.link, verdict.id, verdict.level.value, verdict.outcome.value, verdict.reason)
        yield [*about, *map(cell, words)]


def cell(text: str) -> str:
    """Text that a spreadsheet shows and never obeys, on one line."""
    shown = visible(text)
    return f"'{shown}" if _FORMULA.match(shown.lstrip()) else shown


def _about(path: str, report: Report) -> Row:
    return [cell(path), cell(report.id), cell(report.site), report.started.isoformat(), cell(report.checklist.id)]
