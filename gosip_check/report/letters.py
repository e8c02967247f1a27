"""A report as a short text for a mail or a ticket, as its reader needs it: at most 25 lines of 76 columns.

Decides nothing: it is a view of the Summary. Text from the network or a form is shown through `visible`, is cut, and
never begins a line, so that it cannot pass for a line of ours.
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import ip_address, ip_network

from gosip_check.records import Form, InternetLine, LinkReport, Readiness, Report
from gosip_check.report.reading import ROUTER, heading, who_of
from gosip_check.report.sentences import listed
from gosip_check.report.summary import EXPLAIN, Problem, Summary, summary_of
from gosip_check.report.text import visible
from gosip_check.report.waiting import outside_address

MOST_LINES, WIDTH = 25, 76
_MOST_LINKS, _MOST_PROBLEMS = 2, 3
IN_THE_REPORT = "the report names them"
_CODE = re.compile(r"(`[^`]*`)")
_NO_BREAK = "\u00a0"
_LONGEST = 400

_INSIDE = [ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")]
"Addresses that nobody outside sees (RFC 1918, 6598, 4193): one that is seen there was written by something on the way."


def letter(report: Report, reader: str) -> str:
    """The text, with a final line break. reader: a key of READERS."""
    return "\n".join([*READERS[reader](report, summary_of(report)), ""])


def _provider(report: Report, summary: Summary) -> list[str]:
    """Whose site it is, which address to whitelist, what is open, the figures."""
    form = report.form or Form()
    customer = ", ".join(filter(None, [form.company_name, form.contact, form.contact_number]))
    pbx = f"{form.pbx.vendor} {form.pbx.model}".strip()
    product = [report.checklist.title, _channels(report), f"PBX {pbx}" if pbx else ""]
    head = [
        *_entry("SIP trunk, check before the order", _outcome(summary)),
        *_entry("Customer", customer or "not on a form"),
        *_entry("Product", ", ".join(filter(None, product))),
        "",
        *_addresses(report),
        *_entry("Result", f"{summary.closing}."),
    ]
    tail = ["", *_entry("Measured", _figures(summary), 3), *_made(report)]
    open_points = [*(f"To fix: {_where(problem)}" for problem in summary.problems), *_gaps(summary)]
    return [*head, *_fitting(open_points, MOST_LINES - len(head) - len(tail), IN_THE_REPORT), *tail]


def _technician(report: Report, summary: Summary) -> list[str]:
    """The one change on the router, or what else is first, with every step; then the lines and the figures."""
    on_router = [problem for problem in summary.problems if who_of(problem.id) == ROUTER]
    first = next(iter(on_router or summary.problems), None)
    others = [problem for problem in summary.problems if problem is not first]
    head = [*_entry("SIP trunk", f"{', '.join(summary.about)}: {_outcome(summary)}"), ""]
    steps, more = [*_gaps(summary), *_warnings(summary)], IN_THE_REPORT
    if first is None:
        is_ready = summary.readiness is Readiness.READY
        head += _entry(
            "To change", "nothing that this check found" if is_ready else "nothing that is known yet; what is open:"
        )
    else:
        where = _device(report) if on_router else f"by {who_of(first.id)}"
        head += [*_entry(f"To change {where}", _where(first)), *_entry("Why", first.means)]
        steps, more = list(first.do), f"{EXPLAIN} {first.id}" if first.id else IN_THE_REPORT
    tail = [
        *(_entry("It also explains", listed(first.effects)) if first and first.effects else []),
        *(_entry("Also to fix", "; ".join(map(_where, others)), 3) if others else []),
        "",
        *(_paragraph(summary.next_steps[0], 2) if summary.problems and summary.next_steps else []),
        *_lines_of(report),
        *_entry("Measured", _figures(summary)),
        *_made(report),
    ]
    return [*head, *_fitting(steps, MOST_LINES - len(head) - len(tail), more), *tail]


def _customer(report: Report, summary: Summary) -> list[str]:
    """Whether it will work, what is wrong, who has to act. No commands."""
    what = _what(report)
    said = {
        Readiness.READY: f"{what} is ready for the SIP trunk",
        Readiness.NOT_READY: f"{what} is not ready yet for the SIP trunk",
        Readiness.INCONCLUSIVE: f"it is not decided yet whether {what} is ready for the SIP trunk",
    }[summary.readiness]
    head = [*_entry(_outcome(summary), f"{said}."), *_entry("Checked", ", ".join(summary.about)), ""]
    for problem in summary.problems[:_MOST_PROBLEMS]:
        head += [*_entry("To fix", f"{_where(problem)}. {problem.means}"), *_entry("Who can do it", who_of(problem.id))]
    if left_out := summary.problems[_MOST_PROBLEMS:]:
        head += _entry("And", f"{len(left_out)} more; {IN_THE_REPORT}")
    quality = [figure for group in summary.groups if group.heading == heading("media") for figure in group.figures]
    tail = [
        *_lines_of(report),
        *(_entry("Call quality", ", ".join(quality)) if quality else []),
        *_made(report),
    ]
    notes = [*_gaps(summary), *_warnings(summary)]
    if notes or summary.problems:
        tail = ["", *tail]
    return [*head, *_fitting(notes, MOST_LINES - len(head) - len(tail), IN_THE_REPORT), *tail]


READERS: dict[str, Callable[[Report, Summary], list[str]]] = {
    "provider": _provider,
    "technician": _technician,
    "customer": _customer,
}
"Who reads it -> the lines."


def _what(report: Report) -> str:
    """What the outcome is of: a part that is well makes no site ready."""
    if report.is_demo:
        return "the emulated site"
    if report.part.startswith("pbx "):
        return "the PBX"
    return "the part that was checked" if report.part else "your site"


def _gaps(summary: Summary) -> list[str]:
    named = [(f"{gap.links}: " if gap.links else "", listed(gap.titles), gap.why) for gap in summary.gaps]
    return [f"Not decided: {links}{titles}. {why}" for links, titles, why in named]


def _warnings(summary: Summary) -> list[str]:
    """Without those about the machine that measured."""
    advised = [warning for warning in summary.look_at if warning.is_advised and not warning.id.startswith("host.")]
    return [f"To look at: {_where(warning)}." for warning in advised]


def _outcome(summary: Summary) -> str:
    return f"{summary.word} ({'; '.join(summary.scope)})" if summary.scope else summary.word


def _where(problem: Problem) -> str:
    return f"{problem.links}: {problem.title}" if problem.links else problem.title


def _device(report: Report) -> str:
    """`on the router`, with its name where the form has one."""
    form = report.form
    named = [form.router, form.firewall] if form else []
    names = [f"{device.vendor} {device.model}".strip() for device in named]
    return f"on the router ({visible(name, 60)})" if (name := next(filter(None, names), "")) else "on the router"


def _channels(report: Report) -> str:
    return f"{report.asked.settings.channels} channels" if report.asked and not report.part else ""


def _figures(summary: Summary) -> str:
    """Of the groups that have any, the quality of calls first; not those of the machine that measured."""
    calls, machine = heading("media"), heading("host")
    ordered = sorted(summary.groups, key=lambda group: group.heading != calls)
    groups = [f"{g.heading}: {', '.join(g.figures)}" for g in ordered if g.figures and g.heading != machine]
    return "; ".join(groups) or "nothing that passed has a figure"


def _links(report: Report) -> list[tuple[LinkReport, InternetLine]]:
    """Those that have an address or should have one, with what the form says of them. None of a demo."""
    on_form = [report.form.internet_1, report.form.internet_2] if report.form else []
    lines = [on_form[number] if number < len(on_form) else InternetLine() for number in range(len(report.links))]
    both = zip(report.links, lines, strict=True)
    return [] if report.is_demo else [(link, line) for link, line in both if link.source or link.trouble]


def _addresses(report: Report) -> Iterator[str]:
    """For each line what the provider has to whitelist, and how sure that is."""
    links = _links(report)
    for link, line in links[:_MOST_LINKS]:
        yield from _entry(*_address(report, link, line), most=2)
    if len(links) > _MOST_LINKS:
        yield from _entry("And", f"{len(links) - _MOST_LINKS} more lines; {IN_THE_REPORT}")


def _address(report: Report, link: LinkReport, line: InternetLine) -> tuple[str, str]:
    name, seen, fixed = visible(link.name, 40), _public(link), visible(line.fixed_address, 45)
    if seen is None:
        if fixed:
            return "Please whitelist", f"{fixed} ({name}: as on the form; this check could not see it)"
        if known := visible(outside_address(report, link.name), 100):
            return "Please whitelist", f"{known}, {name}"
        return "Please whitelist", f"not known yet: this check could not see the public address of {name}"
    facts = [v.facts for v in report.verdicts if v.link == link.name]
    if any(each.get("public_address_is_the_providers") is True for each in facts):
        return "Public address", f"{seen} ({name}), one of the provider's own"
    if not fixed:
        return "Please whitelist", f"{seen} ({name}; it may change: the form names no fixed address)"
    agrees = "as on the form" if fixed == seen else f"the form says {fixed}; please ask which is right"
    return "Please whitelist", f"{seen} ({name}: {agrees})"


def _public(link: LinkReport) -> str | None:
    """The address that others see; None where none was seen, or only one that nobody outside can see."""
    try:
        address = ip_address(link.public_address or "")
    except ValueError:
        return None
    is_inside = address.is_loopback or address.is_link_local or any(address in network for network in _INSIDE)
    return None if is_inside else str(address)


def _lines_of(report: Report) -> Iterator[str]:
    links = _links(report)
    for link, _ in links[:_MOST_LINKS]:
        inside = link.source or "no address"
        yield from _entry("Line", f"{link.name}, here {inside}, public address {_public(link) or 'not seen'}")
    if len(links) > _MOST_LINKS:
        yield from _entry("And", f"{len(links) - _MOST_LINKS} more lines; {IN_THE_REPORT}")


def _made(report: Report) -> Iterator[str]:
    made = f"{report.id}, made {report.started:%Y-%m-%d %H:%M} UTC"
    by = f" by {report.company}" if report.company else ""
    site = f"; site {report.site}" if report.site else ""
    yield from _entry("Report", f"{made}{by}{site}", 2)


def _entry(label: str, text: str, most: int = 2) -> list[str]:
    """`Label: text` in at most so many lines."""
    return _paragraph(f"{label}: {text}", most)


def _paragraph(text: str, most: int) -> list[str]:
    return _cut(_wrapped("", visible(text, _LONGEST), "  "), most)


def _fitting(steps: Sequence[str], room: int, more: str) -> Iterable[str]:
    """As many whole steps as there is room for; where some are left out, the last line says where they stand."""
    lines: list[str] = []
    for number, step in enumerate(steps, 1):
        wrapped = _cut(_wrapped("  - ", visible(step, _LONGEST), "    "), 3)
        if len(lines) + len(wrapped) > room - (number < len(steps)):
            return [*lines, f"  - More: {more}."]
        lines += wrapped
    return lines


def _wrapped(mark: str, text: str, indent: str) -> list[str]:
    """A command in backticks stays in one line."""
    whole = _CODE.sub(lambda code: code[0].replace(" ", _NO_BREAK), text)
    lines = textwrap.wrap(mark + whole, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
    return [line.replace(_NO_BREAK, " ") for line in lines] or [mark.rstrip()]


def _cut(lines: list[str], most: int) -> list[str]:
    return lines if len(lines) <= most else [*lines[: most - 1], f"{lines[most - 1][: WIDTH - 3].rstrip()}..."]
