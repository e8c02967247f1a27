"""A report as PDF through typst, the extra `pdf`. What the page says, in the page's order.

Everything from the report goes in as JSON data, never into the markup, so no text can be taken for typst.
"""

import json
from pathlib import Path
from typing import Any

import typst

from gosip_check.form_fields import names_of
from gosip_check.records import ALL_LINKS, LinkReport, Measurement, Outcome, Report, Verdict
from gosip_check.report.pictures import pictures, rewritings
from gosip_check.report.reading import LEVELS, counted, groups, needs_hint, who_of
from gosip_check.report.side_by_side import rows
from gosip_check.report.summary import Problem, summary_of, title_of
from gosip_check.report.text import visible
from gosip_check.report.to_html import checked, code, fact_lines, fingerprint, form_rows, whose

_MOST_FACTS = 200


def to_pdf(report: Report, *, everything: bool = False) -> bytes:
    """The document. everything: also every verdict's reason, the pictures and the raw facts."""
    source = Path(__file__).with_name("page.typ")
    document = typst.compile(str(source), sys_inputs={"report": json.dumps(_data(report, everything))})
    assert isinstance(document, bytes)
    return document


def _data(report: Report, everything: bool) -> dict[str, Any]:
    checklist, summary = report.checklist, summary_of(report)
    customer, product, addresses = whose(report)
    scope = "; ".join(summary.scope)
    data = {
        "outcome": report.outcome.value,
        "closing": f"{summary.word}{f' ({scope})' if scope else ''}: {summary.closing}",
        "everything": everything,
        "whose": ", ".join([*filter(None, [customer]), product, *addresses]),
        "title": f"{summary.word}: {', '.join([*filter(None, [customer]), product, *addresses])}",
        "name": customer or product,
        "about": "; ".join([product, *(_seen(link) for link in report.links)]),
        "when": f"{report.started:%Y-%m-%d %H:%M:%S} UTC, took {report.elapsed_s:.0f} s. {counted(report.counts)}.",
        "customer": customer,
        "company": report.company or "",
        "content": f"Report {report.id}, content {fingerprint(report)}",
        "checked": [_checked(report, verdict) for verdict in checked(report, summary)],
        "demo": report.is_demo,
        "problems": [_problem(problem, "fail") for problem in summary.problems],
        "gaps": [[", ".join([*filter(None, [gap.links]), *gap.titles]), gap.why, gap.command] for gap in summary.gaps],
        "look_at": [_problem(problem, "warn") for problem in summary.look_at],
        "form": [
            [label, f"{value} (discovered, not confirmed)" if discovered else value]
            for label, value, discovered in (form_rows(report.form) if report.form else [])
        ],
        "not_filled_in": names_of(report.form.not_filled_in) if report.form else "",
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
            [title_of(v), f"{v.id}, {v.link}, {v.outcome.value}", v.reason]
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
            *([["Measured before", summary.taken_over]] if summary.taken_over else []),
            *_signed(report),
        ],
    }
    safe: dict[str, Any] = _visible(data)
    return {**safe, "code": _alone(str(code(report))), "pictures": [str(picture.svg) for picture in pictures(report)]}


def _alone(svg: str) -> str:
    """A drawing that stood in a page, as a file."""
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)


def _seen(link: LinkReport) -> str:
    return f"{link.name}, seen as {link.public_address}" if link.public_address else link.name


def _checked(report: Report, verdict: Verdict) -> list[str]:
    where = f"{verdict.link}: " if len(report.links) > 1 else ""
    return [verdict.outcome.value, f"{where}{title_of(verdict)}", verdict.figure]


def _groups(report: Report, link: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "verdicts": [_verdict(verdict) for verdict in verdicts]}
        for name, verdicts in groups(report, link).items()
    ]


def _address(link: LinkReport) -> str:
    own = " ".join(filter(None, [link.interface, link.source]))
    return f"{own}, seen as {link.public_address}" if link.public_address else own


def _problem(problem: Problem, word: str) -> list[str]:
    where = f"{problem.links}: " if problem.links else ""
    effects = f" With it: {'; '.join(problem.effects)}." if problem.effects else ""
    who = f" Who: {who_of(problem.id)}." if word == "fail" else ""
    return [word, f"{where}{problem.title}", problem.id, f"{problem.means}{who}{effects}", " ".join(problem.do)]


def _verdict(verdict: Verdict) -> list[str]:
    hint = verdict.hint if needs_hint(verdict) else ""
    name = f"{verdict.id}, {LEVELS[verdict.level]}"
    return [verdict.outcome.value, title_of(verdict), name, verdict.reason, hint]


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
