"""A Summary as the last screen of a terminal: at most 22 lines of 80 columns for one internet line, 28 for several.

Decides only what is left out where there is no room: the first problem stays whole, the rest is counted. Builds rich
`Text` only, never markup, and shows network text through `visible`.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from gosip_check.records import Readiness
from gosip_check.report.sentences import listed, once
from gosip_check.report.styles import OF_READINESS
from gosip_check.report.summary import EXPLAIN, Gap, Problem, Summary
from gosip_check.report.text import visible

ROOM, ROOM_OF_SEVERAL_LINKS = 22, 28
WIDTH = 80
_MOST_OF_A_PROBLEM = 5
_INDENT = "   "
_CODE = re.compile(r"(`[^`]*`)")
_NO_BREAK = "\u00a0"


@dataclass(frozen=True)
class _Frugality:
    """How much is shown. whole: problems with what to do; named: problems, warnings and gaps that are named at all.

    advice: warnings and gaps may take more than a line each.
    """

    whole: int
    named: int
    advice: bool


_LEVELS = [
    *(_Frugality(whole, 9, True) for whole in (3, 2, 1)),
    *(_Frugality(1, named, False) for named in (9, 6, 4, 3, 2, 1)),
]


def screen(summary: Summary, saved: Sequence[str], width: int, *, several_links: bool = False) -> list[Text]:
    """The lines. saved: names of the files that were written. Narrower than 80 columns, more lines are needed."""
    room = (ROOM_OF_SEVERAL_LINKS if several_links else ROOM) * WIDTH // min(width, WIDTH)
    for frugality in _LEVELS:
        lines = list(_lines(summary, saved, width, frugality))
        if len(lines) <= room:
            break
    return lines


def _lines(summary: Summary, saved: Sequence[str], width: int, frugality: _Frugality) -> Iterator[Text]:
    is_ready = summary.readiness is Readiness.READY
    count = len(summary.problems)
    yield from _banner(summary, width)
    if is_ready:
        yield Text()
        yield from _groups(summary, width)
    for title, number, lines in (
        ("FIX THIS", f"{count} problem{'s' * (count > 1)}", _to_fix(summary, width, frugality)),
        ('NOT MEASURED, NEEDED FOR "READY"', f"{summary.gap_count}", _gaps(summary, width, frugality)),
        (
            "BEFORE THE PBX GOES LIVE" if is_ready else "LOOK AT",
            f"{len(summary.look_at)}",
            _look_at(summary, width, frugality),
        ),
    ):
        if lines:
            yield Text()
            yield Text(f"{title}{number.rjust(max(2, width - len(title)))}", "bold")
            yield from lines
    yield Text()
    yield from _the_rest(summary, width)
    yield from _ending(summary, saved, width)


def _banner(summary: Summary, width: int) -> Iterator[Text]:
    about = visible(", ".join([*summary.about, *summary.scope]), 300)
    first, *more = _wrapped(f"{about}, {summary.elapsed_s:.0f} s", width - len(summary.word) - 4)
    yield Text.assemble((f" {summary.word} ", OF_READINESS[summary.readiness]), "  ", first)
    yield from (Text(f"{' ' * (len(summary.word) + 4)}{line}") for line in more)
    yield from map(Text, _wrapped(f"{summary.closing[:1].upper()}{summary.closing[1:]}.", width))
    if summary.taken_over:
        yield from map(Text, _wrapped(summary.taken_over, width))


def _to_fix(summary: Summary, width: int, frugality: _Frugality) -> list[Text]:
    lines: list[Text] = []
    for number, problem in enumerate(summary.problems[: frugality.named], 1):
        lines += _problem(problem, f"{number}  ", width, whole=number <= frugality.whole)
    return lines + _more(len(summary.problems) - frugality.named)


def _problem(problem: Problem, mark: str, width: int, *, whole: bool) -> list[Text]:
    """In at most five lines what it is, what it means and what to do, and one with what follows from it; or in one."""
    title = _titled(problem, mark, width)
    if not whole:
        return [Text.assemble((_fitting(" ".join(title), width), "bold"))]
    lines = [*(Text(line, "bold") for line in title), *_said(problem.means, width)]
    for number, text in enumerate(problem.do):
        step = _said(text, width)
        if number and len(lines) + len(step) > _MOST_OF_A_PROBLEM:
            break
        lines += step
    pointer = visible(f"{EXPLAIN} {problem.id}", 200) if problem.id else ""
    return _pointing([*lines, *_effects(problem, width)], pointer, width)


def _titled(problem: Problem, mark: str, width: int) -> list[str]:
    where = f"{problem.links}: " if problem.links else ""
    return _hanging(visible(where + problem.title, 300), mark, width)


def _effects(problem: Problem, width: int) -> list[Text]:
    """What else it explains, in one line."""
    if not problem.effects:
        return []
    return [Text(_fitting(f"{_INDENT}With it: {_listed(problem.effects)}.", width))]


def _pointing(lines: list[Text], pointer: str, width: int) -> list[Text]:
    """The last line under the title that has room for it ends in the pointer; else it has a line of its own."""
    if not pointer:
        return lines
    for at in range(len(lines) - 1, 0, -1):
        room = width - len(lines[at]) - len(pointer)
        if room >= 2:
            return [*lines[:at], Text.assemble(lines[at], " " * room, pointer), *lines[at + 1 :]]
    return [*lines, *(Text(line.rjust(width)) for line in _wrapped(pointer, width))]


def _gaps(summary: Summary, width: int, frugality: _Frugality) -> list[Text]:
    lines: list[Text] = []
    for gap in summary.gaps[: frugality.named]:
        lines += _gap(gap, width, frugality)
    for command in once(gap.command for gap in summary.gaps[: frugality.named]):
        lines += [Text(line, "bold") for line in _wrapped(visible(command), width, _INDENT, _INDENT)]
    return lines + _more(len(summary.gaps) - frugality.named)


def _gap(gap: Gap, width: int, frugality: _Frugality) -> list[Text]:
    titles = gap.titles[: frugality.named]
    left_out = len(gap.titles) - len(titles)
    listed = _listed([*titles, f"{left_out} more"] if left_out else titles)
    why = visible(gap.why, 200)
    listed = f"{visible(gap.links, 100)}: {listed}" if gap.links else listed
    text = f"{listed}{'.' if why[:1].isupper() else ':'} {why}" if why else listed
    return _marked(text if text.endswith(".") else f"{text}.", "?  ", width, frugality)


def _look_at(summary: Summary, width: int, frugality: _Frugality) -> list[Text]:
    lines: list[Text] = []
    for number, warning in enumerate(summary.look_at[: frugality.named], 1):
        mark = "!  " if warning.is_advised else "i  "
        lines += _marked(" ".join(_titled(warning, "", width)), mark, width, frugality)
        if summary.readiness is Readiness.READY and frugality.advice and number <= frugality.whole:
            lines += _said(" ".join(once([warning.means, *warning.do[:1]])), width)
    return lines + _more(len(summary.look_at) - frugality.named)


def _marked(text: str, mark: str, width: int, frugality: _Frugality) -> list[Text]:
    """All of it, or as much as fits into a line."""
    if frugality.advice:
        return [Text(line) for line in _hanging(text, mark, width)]
    return [Text(_fitting(f"{mark}{text}", width))]


def _more(count: int) -> list[Text]:
    return [Text(f"{_INDENT}+ {count} more: --all")] if count > 0 else []


def _groups(summary: Summary, width: int) -> Iterator[Text]:
    """A line for each, with as many of its key figures as there is room for."""
    headings = [visible(group.heading, 40) for group in summary.groups]
    column = max(map(len, headings), default=0)
    for group, heading in zip(summary.groups, headings, strict=True):
        line = f"{_INDENT}{heading:{column}}  "
        first, *others = [visible(figure, 60) for figure in group.figures] or [f"{group.passed} passed"]
        line = _fitting(f"{line}{first}", width)
        for figure in others:
            if len(line) + len(figure) + 2 <= width:
                line = f"{line}, {figure}"
        yield Text(line)


def _the_rest(summary: Summary, width: int) -> Iterator[Text]:
    """What is well, in two lines at most, where no line is spent on each group; and what nobody needs."""
    is_ready = summary.readiness is Readiness.READY
    if summary.groups and not is_ready:
        passed = sum(group.passed for group in summary.groups)
        named = (f"{visible(group.heading, 40)} {group.passed}" for group in summary.groups)
        names = ", ".join(name.replace(" ", _NO_BREAK) for name in named)
        yield from _at_most(f"OK {passed}:  {names}", 2, width)
    if summary.not_needed:
        count = f"Not measured, not required: {len(summary.not_needed)}"
        if is_ready:
            yield from _at_most(f"{count}: {_listed(summary.not_needed)}", 2, width)
        else:
            yield from map(Text, _wrapped(f"{count} (--all names them)", width))


def _ending(summary: Summary, saved: Sequence[str], width: int) -> Iterator[Text]:
    files = f"Saved: {', '.join(visible(name, 200) for name in saved)}" if saved else ""
    parts = [part for part in (files, *(visible(step, 200) for step in summary.next_steps)) if part]
    if parts:
        yield Text()
    line = ""
    for part in parts:
        if line and len(line) + len(part) + 4 > width:
            yield Text(line)
            line = ""
        line = f"{line}    {part}" if line else part
    if line:
        yield from map(Text, _wrapped(line, width) if len(line) > width else [line])


def _listed(titles: Sequence[str]) -> str:
    return listed(visible(title, 120) for title in titles)


def _fitting(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3].rstrip()}..."


def _at_most(text: str, most: int, width: int) -> Iterator[Text]:
    lines = _wrapped(text, width)
    yield from (Text(line) for line in lines[: most - 1])
    if len(lines) >= most:
        yield Text(_fitting(" ".join(lines[most - 1 :]), width))


def _said(text: str, width: int) -> list[Text]:
    """A sentence under a problem; code in backticks is bold and loses them."""
    return [_with_code(line) for line in _hanging(visible(text, 600), _INDENT, width)]


def _with_code(line: str) -> Text:
    """Code is bold. One that goes on in the next line keeps its backtick, so that it is seen."""
    parts = _CODE.split(line)
    return Text.assemble(*((part[1:-1], "bold") if _CODE.fullmatch(part) else part for part in parts))


def _hanging(text: str, mark: str, width: int) -> list[str]:
    """Wrapped, with the mark before the first line and as much room before the others. Code stays on one line."""
    whole = _CODE.sub(lambda code: code[0].replace(" ", _NO_BREAK), text)
    return _wrapped(whole, width, mark, " " * len(mark))


def _wrapped(text: str, width: int, mark: str = "", indent: str = "") -> list[str]:
    lines = textwrap.wrap(text, max(width, 20), initial_indent=mark, subsequent_indent=indent, break_on_hyphens=False)
    return [line.replace(_NO_BREAK, " ") for line in lines] or [mark]
