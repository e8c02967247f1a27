"""A report on a terminal: the last screen; before it, where that is wanted, every verdict and every fact.

Decides nothing. Builds rich `Text` only, never markup, and shows network text through `visible`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from gosip_check.records import (
    ALL_LINKS,
    Form,
    InternetLine,
    LinkReport,
    Outcome,
    Report,
    SecondTrunk,
    Verdict,
)
from gosip_check.report.last_screen import screen
from gosip_check.report.pictures import Rewriting, rewritings
from gosip_check.report.reading import LEVELS, counted, heading, needs_hint
from gosip_check.report.side_by_side import side_by_side
from gosip_check.report.styles import OF_OUTCOME
from gosip_check.report.summary import summary_of, title_of
from gosip_check.report.text import visible
from gosip_check.values import shown, shown_record

_SPREAD_OUT = 4
"A list of more records than this gets a line each instead of a line for each of their facts."
_MOST_ITEMS = 20


def print_summary(
    console: Console, report: Report, *, saved: Sequence[str] = (), everything: bool = False, details: bool = False
) -> None:
    """The last screen; `everything` stands before it, with every fact for `details`. saved: files that were written.

    `console` must have markup, emoji and highlighting off.
    """
    if everything or details:
        console.print(_everything(report, details))
    several = len(report.links) > 1
    for line in screen(summary_of(report), saved, console.width, several_links=several):
        console.print(line, soft_wrap=True)


def closing_line(report: Report) -> str:
    """The outcome in one line that no terminal wraps."""
    return visible(f"{summary_of(report).sentence} ({counted(report.counts)})", _LONGEST_LINE)


_LONGEST_LINE = 4000


def _everything(report: Report, details: bool) -> RenderableType:
    """Every verdict with its reason, line by line; `details` adds every fact that was measured."""
    parts: list[RenderableType] = [_title(report)]
    if report.form is not None:
        parts.append(form_table(report.form))
    elif report.command == "run":
        parts.append(Text("No Customer Compliance Form: add one with --form FILE (gosip-check form new FILE)."))
    for link in report.links:
        verdicts = [verdict for verdict in report.verdicts if verdict.link == link.name]
        parts += [Text(), _link_line(link), _table(verdicts)]
    across = [verdict for verdict in report.verdicts if verdict.link == ALL_LINKS]
    if len(report.links) > 1:
        parts += [Text(), side_by_side(report, OF_OUTCOME)]
        if across:
            parts += [Text(), Text("The lines together", "bold"), _table(across)]
    for rewriting in rewritings(report):
        parts += _rewritten(rewriting)
    if details:
        for measurement in report.measurements:
            parts += [Text(), Text(visible(f"{measurement.probe}: {measurement.subject}"), "bold")]
            parts += [Text(line) for line in _facts(measurement.facts or {})]
    return Group(*parts, Text())


def _title(report: Report) -> Text:
    when = report.started.astimezone().strftime("%Y-%m-%d %H:%M")
    return Text.assemble(
        ("gosip-check ", "bold"),
        (visible(report.checklist.title), "bold"),
        f"  {when}, {report.elapsed_s:.0f} s",
    )


def _link_line(link: LinkReport) -> Text:
    where = [visible(part) for part in (link.interface, link.source) if part]
    seen = f", seen as {visible(link.public_address)}" if link.public_address else ""
    line = Text(f"{visible(link.name)}{f' ({chr(32).join(where)}{seen})' if where else ''}", "bold")
    if link.trouble:
        line.append(f"\n{visible(link.trouble)}")
    return line


def _table(verdicts: list[Verdict]) -> Table:
    table = Table(box=box.SIMPLE, show_header=False, expand=True, show_edge=False)
    table.add_column(width=9, no_wrap=True)
    table.add_column(ratio=1)
    shown: set[str] = set()  # what several verdicts say in the same words stands at the first of them
    group = None
    for verdict in verdicts:
        if verdict.group != group:
            if group is not None:
                table.add_section()
            group = verdict.group
            table.add_row(Text(), Text(visible(heading(group)), "bold"))
        weighs = needs_hint(verdict) or verdict.outcome is Outcome.UNKNOWN
        cell = Text.assemble(
            (visible(title_of(verdict)), "bold" if weighs else ""),
            f"  {visible(verdict.id)}, {LEVELS[verdict.level]}",
            f"\n{visible(verdict.reason)}" if verdict.reason not in shown else "",
        )
        shown.add(verdict.reason)
        if needs_hint(verdict) and verdict.hint not in shown:
            cell.append(f"\n-> {visible(verdict.hint)}")
            shown.add(verdict.hint)
        table.add_row(Text(f" {verdict.outcome.value} ", OF_OUTCOME[verdict.outcome]), cell)
    return table


def _rewritten(rewriting: Rewriting) -> list[Text]:
    """The lines of a SIP message before and after, as a diff shows them."""
    title = f"What became of {rewriting.message} on the way ({rewriting.link})"
    lines = [Text(), Text(visible(title), "bold")]
    for before, after in rewriting.lines:
        lines += [] if before is None else [Text(f"- {visible(before)}")]
        lines += [] if after is None else [Text(f"+ {visible(after)}")]
    return lines


def form_table(form: Form) -> Table:
    """The Customer Compliance Form as it stands beside the verdicts."""
    table = Table(
        title=Text("Customer Compliance Form", "bold"),
        title_justify="left",
        box=box.SIMPLE,
        show_header=False,
        expand=True,
    )
    table.add_column(width=12)
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
        table.add_row(name, Text(visible(value)) if value.strip() else Text("-"))
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
                else:  # one of many records, as of the channels: all of it, but not a screenful each
                    in_a_line = shown_record if isinstance(item, Mapping) else shown
                    yield f"{indent}{visible(name)} {number}: {in_a_line(item, text=visible)}"
            if len(value) > _MOST_ITEMS:
                yield f"{indent}{visible(name)}: {len(value) - _MOST_ITEMS} more, see --json"
        else:
            yield f"{indent}{visible(name)}: {shown(value, text=visible)}"
