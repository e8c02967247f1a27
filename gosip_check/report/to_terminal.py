"""A report for a person: the form, one table of verdicts by group, and a closing line to be read across a room.

Decides nothing. Builds rich `Text` only, never markup, and shows network text through `visible`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gosip_check.records import (
    ALL_LINKS,
    Form,
    InternetLine,
    LinkReport,
    Outcome,
    Readiness,
    Report,
    SecondTrunk,
    Verdict,
)
from gosip_check.report.alg_diff import diff
from gosip_check.report.reading import heading, meaning
from gosip_check.report.side_by_side import side_by_side
from gosip_check.report.text import visible

_STYLES = {
    Outcome.PASS: "green",
    Outcome.WARN: "yellow",
    Outcome.FAIL: "bold red",
    Outcome.UNKNOWN: "magenta",
    Outcome.SKIPPED: "dim",
}
_CLOSING = {
    Readiness.READY: ("READY", "bold white on dark_green"),
    Readiness.NOT_READY: ("NOT READY", "bold white on dark_red"),
    Readiness.INCONCLUSIVE: ("INCONCLUSIVE", "bold black on yellow"),
}
_SPREAD_OUT = 4
"A list of more records than this gets a line each instead of a line for each of their facts."
_MOST_ITEMS = 20
_MEANING = {
    Readiness.READY: "everything that must be so is so",
    Readiness.NOT_READY: "mend what failed, then run this again",
    Readiness.INCONCLUSIVE: "something that decides could not be found out",
}


def summary(report: Report, details: bool = False) -> RenderableType:
    """The whole report; `details` adds every fact that was measured."""
    parts: list[RenderableType] = [_title(report)]
    if report.form is not None:
        parts.append(form_table(report.form))
    elif report.command == "run":
        parts.append(Text("No Customer Compliance Form: add one with --form FILE (gosip-check form new FILE).", "dim"))
    for link in report.links:
        verdicts = [verdict for verdict in report.verdicts if verdict.link == link.name]
        parts += [Text(), _link_line(link), _table(verdicts)]
    across = [verdict for verdict in report.verdicts if verdict.link == ALL_LINKS]
    if len(report.links) > 1:
        parts += [Text(), side_by_side(report, _STYLES)]
        if across:
            parts += [Text(), Text("The lines together", "bold"), _table(across)]
    for measurement in report.measurements:
        parts += diff(measurement)
    if details:
        for measurement in report.measurements:
            parts += [Text(), Text(visible(f"{measurement.probe}: {measurement.subject}"), "bold")]
            parts += [Text(line) for line in _facts(measurement.facts or {})]
    return Group(*parts, Text(), closing(report))


def closing(report: Report) -> RenderableType:
    """The outcome in a bar as wide as the terminal, to be read across a room."""
    _, style = _CLOSING[report.outcome]
    return Padding(Text(f"{_outcome(report)}\n{_counts(report)}", style), (1, 2), style=style)


def closing_line(report: Report) -> Text:
    """The outcome in one line."""
    return Text(f"{_outcome(report)} ({_counts(report)})", _CLOSING[report.outcome][1])


def _outcome(report: Report) -> str:
    scope = [f"{visible(report.part)} only"] if report.part else []
    scope += ["a demo, no site"] if report.is_demo else []
    told = f" ({'; '.join(scope)})" if scope else ""
    return f"{_CLOSING[report.outcome][0]}{told}: {meaning(report, _MEANING[report.outcome])}"


def _counts(report: Report) -> str:
    return ", ".join(f"{number} {outcome}" for outcome, number in report.counts.items() if number)


def print_summary(console: Console, report: Report, details: bool = False) -> None:
    """`console` must have markup, emoji and highlighting off."""
    console.print(summary(report, details))


def _title(report: Report) -> Text:
    when = report.started.astimezone().strftime("%Y-%m-%d %H:%M")
    return Text.assemble(
        ("gosip-check ", "bold"),
        (visible(report.checklist.title), "bold"),
        (f"  {when}, {report.elapsed_s:.0f} s", "dim"),
    )


def _link_line(link: LinkReport) -> Text:
    where = [visible(part) for part in (link.interface, link.source) if part]
    seen = f", seen as {visible(link.public_address)}" if link.public_address else ""
    line = Text(f"{visible(link.name)}{f' ({chr(32).join(where)}{seen})' if where else ''}", "bold")
    if link.trouble:
        line.append(f"\n{visible(link.trouble)}", "bold red")
    return line


def _table(verdicts: list[Verdict]) -> Table:
    table = Table(box=box.SIMPLE, show_header=False, expand=True, show_edge=False)
    table.add_column(width=7, no_wrap=True)
    table.add_column(ratio=1)
    group = None
    for verdict in verdicts:
        if verdict.group != group:
            if group is not None:
                table.add_section()
            group = verdict.group
            table.add_row(Text(), Text(visible(heading(group)), "bold"))
        missed = verdict.outcome in (Outcome.FAIL, Outcome.WARN)
        weighs = missed or verdict.outcome is Outcome.UNKNOWN
        words = Text.assemble(
            (visible(verdict.title), "bold" if weighs else ""),
            (f"  {visible(verdict.id)}", "dim"),
            (f"\n{visible(verdict.reason)}", "" if weighs else "dim"),
        )
        if missed:  # what is unknown says itself what would help
            words.append(f"\n-> {visible(verdict.hint)}", "cyan")
        table.add_row(Text(verdict.outcome.value, _STYLES[verdict.outcome]), words)
    return table


def form_table(form: Form) -> Table:
    """The Customer Compliance Form as it stands beside the verdicts."""
    table = Table(
        title=Text("Customer Compliance Form", "bold"),
        title_justify="left",
        box=box.SIMPLE,
        show_header=False,
        expand=True,
    )
    table.add_column(style="dim", width=12)
    table.add_column(ratio=1)
    rows = {
        "Company": form.company_name,
        "Contact": ", ".join(filter(None, (form.contact, form.contact_number))),
        "PBX": _joined(form.pbx.vendor, form.pbx.model, form.pbx.release),
        "Router": _joined(form.router.vendor, form.router.model, form.router.release),
        "Firewall": _joined(form.firewall.vendor, form.firewall.model, form.firewall.release),
        "Internet-1": _line(form.internet_1),
        "Internet-2": _line(form.internet_2),
        "Trunk 2": _trunk(form.second_trunk),
        "Comments": form.comments,
    }
    for name, value in rows.items():
        table.add_row(name, Text(visible(value)) if value.strip() else Text("-", "dim"))
    return table


def _line(line: InternetLine) -> str:
    fixed = f"fixed address {line.fixed_address}" if line.fixed_address.strip() else ""
    return _joined(line.service_identifier, line.speed, fixed, line.comments)


def _trunk(trunk: SecondTrunk) -> str:
    channels = f"{trunk.channels} channels" if trunk.channels.strip() else ""
    return _joined(trunk.use, channels, trunk.link, trunk.comments)


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part.strip())


def _facts(facts: Mapping[str, Any], depth: int = 1) -> Iterator[str]:
    """Facts as indented lines, `name: value`. What is shown elsewhere is left out: the evidence and changed lines."""
    indent = "  " * depth
    for name, value in facts.items():
        if name in ("evidence", "changes", "series", "rtt_histogram"):
            continue
        if isinstance(value, Mapping) and value:
            yield f"{indent}{visible(name)}:"
            yield from _facts(value, depth + 1)
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            for number, item in enumerate(value[:_MOST_ITEMS], 1):
                if isinstance(item, Mapping) and len(value) <= _SPREAD_OUT:
                    yield f"{indent}{visible(name)} {number}:"
                    yield from _facts(item, depth + 1)
                else:
                    words = _in_a_line(item) if isinstance(item, Mapping) else _value(item)
                    yield f"{indent}{visible(name)} {number}: {words}"
            if len(value) > _MOST_ITEMS:
                yield f"{indent}{visible(name)}: {len(value) - _MOST_ITEMS} more, see --json"
        else:
            yield f"{indent}{visible(name)}: {_value(value)}"


def _in_a_line(facts: Mapping[str, Any]) -> str:
    """One of many records, as of the channels: all of it, but not a screenful each."""
    words = (f"{visible(name)} {_value(value)}" for name, value in facts.items() if value is not None)
    return ", ".join(words)


def _value(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case list():
            return ", ".join(_value(item) for item in value) or "none"
        case Mapping():
            return f"({_in_a_line(value)})" if value else "none"
        case _:
            return visible(str(value))
