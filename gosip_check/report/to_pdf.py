"""A report as PDF through typst, the extra `pdf`. What the page says, in the page's order.

Everything from the report goes in as JSON data, never into the markup, so no text can be taken for typst.
"""

import json
from pathlib import Path
from typing import Any

import typst

from gosip_check.records import ALL_LINKS, LinkReport, Measurement, Outcome, Report, Verdict
from gosip_check.report.pictures import pictures, rewritings
from gosip_check.report.reading import closing, counted, groups, needs_hint, wanting
from gosip_check.report.side_by_side import rows
from gosip_check.report.text import visible
from gosip_check.report.to_html import fact_lines, form_rows

_MOST_FACTS = 200


def to_pdf(report: Report) -> bytes:
    """The whole document."""
    source = Path(__file__).with_name("page.typ")
    document = typst.compile(str(source), sys_inputs={"report": json.dumps(_data(report))})
    assert isinstance(document, bytes)
    return document


def _data(report: Report) -> dict[str, Any]:
    checklist = report.checklist
    data = {
        "outcome": report.outcome.value,
        "closing": closing(report),
        "counts": counted(report.counts),
        "title": report.checklist.title,
        "when": f"{report.started:%Y-%m-%d %H:%M:%S} UTC, took {report.elapsed_s:.0f} s",
        "demo": report.is_demo,
        "wanting": [_verdict(verdict, several=len(report.links) > 1) for verdict in wanting(report)],
        "form": [
            [label, f"{value} (discovered, not confirmed)" if discovered else value]
            for label, value, discovered in (form_rows(report.form) if report.form else [])
        ],
        "not_filled_in": ", ".join(report.form.not_filled_in) if report.form else "",
        "names": [link.name for link in report.links],
        "side_by_side": [[id_, *(o.value if o else "-" for o in outcomes)] for id_, outcomes in rows(report)],
        "together": _groups(report, ALL_LINKS),
        "links": [
            {
                "name": f"{link.name}: {link.outcome.value.replace('-', ' ')}",
                "address": _address(link),
                "trouble": link.trouble or "",
                "groups": _groups(report, link.name),
            }
            for link in report.links
        ],
        "rewritings": [
            {
                "title": f"{rewriting.message} {rewriting.culprit}",
                "lines": [[before or "(not there)", after or "(taken out)"] for before, after in rewriting.lines],
            }
            for rewriting in rewritings(report)
        ],
        "not_measured": [
            [v.title, f"{v.id}, {v.link}, {v.outcome.value}", v.reason]
            for v in report.verdicts
            if v.outcome in (Outcome.UNKNOWN, Outcome.SKIPPED)
        ],
        "measured": [
            {
                "name": f"{m.id} {m.probe}: {m.subject}",
                "how": f"{m.link}, {m.started:%H:%M:%S} UTC, {m.elapsed_s:.1f} s{_asked_with(m)}",
                "failure": f"{m.failure.kind}: {m.failure.message}" if m.failure else "",
                "facts": [list(fact) for fact in fact_lines(m.facts or {})][:_MOST_FACTS],
            }
            for m in report.measurements
        ],
        "identity": [
            ["Report", report.id],
            [
                "Made by",
                f"{report.company}, " * bool(report.company)
                + f"gosip-check {report.tool_version}, {report.command}"
                + _on(report),
            ],
            ["Checklist", f"{checklist.id} version {checklist.version}, SHA-256 {checklist.sha256}"],
            *_signed(report),
        ],
    }
    safe: dict[str, Any] = _visible(data)
    return {**safe, "pictures": [str(picture.svg) for picture in pictures(report)]}


def _groups(report: Report, link: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "verdicts": [_verdict(verdict) for verdict in verdicts]}
        for name, verdicts in groups(report, link).items()
    ]


def _address(link: LinkReport) -> str:
    own = " ".join(filter(None, [link.interface, link.source]))
    return f"{own}, seen as {link.public_address}" if link.public_address else own


def _verdict(verdict: Verdict, several: bool = False) -> list[str]:
    """several: the line's name is needed, because the verdict stands among those of other lines."""
    hint = verdict.hint if needs_hint(verdict) else ""
    name = f"{verdict.id}, {verdict.link}" if several else verdict.id
    return [verdict.outcome.value, verdict.title, name, verdict.reason, hint]


def _asked_with(measurement: Measurement) -> str:
    asked = ", ".join(f"{name} {value}" for name, value in fact_lines(measurement.options or {}))
    return f"; asked with {asked}" if asked else ""


def _signed(report: Report) -> list[list[str]]:
    signature = report.signature
    if signature is None:
        return []
    key = f", key {signature.key}" if signature.key else ""
    return [["Signed", f"{signature.algorithm}{key} (gosip-check report check verifies the JSON document)"]]


def _on(report: Report) -> str:
    return f" on {report.host.name} ({report.host.system})" if report.host else ""


def _visible(value: Any) -> Any:
    match value:
        case str():
            return visible(value)
        case list():
            return [_visible(item) for item in value]
        case dict():
            return {name: _visible(item) for name, item in value.items()}
        case _:
            return value
