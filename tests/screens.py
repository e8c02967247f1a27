"""Reports of one state of a site each, as the lab brought them (tests/lab/screens.py), and their screens in figures."""

import functools
import gzip
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from gosip_check.checklist import load
from gosip_check.probes import PROBES
from gosip_check.records import Report
from gosip_check.rejudge import WHOLE, rejudge
from gosip_check.report.last_screen import WIDTH, screen
from gosip_check.report.load import parse
from gosip_check.report.summary import summary_of

SCREENS = Path(__file__).parent / "data" / "screens"
SAVED = ("report.json", "report.html")


def names() -> list[str]:
    """The states whose reports are kept."""
    return sorted(path.name.removesuffix(".json.gz") for path in SCREENS.glob("*.json.gz"))


@functools.cache
def kept(name: str) -> Report:
    """The report of a state, judged under the checklist of today. A whole run names what it was not switched on for."""
    report = parse(gzip.decompress((SCREENS / f"{name}.json.gz").read_bytes()), name)
    checklist = load(report.checklist.id)
    asked = {verdict.id for verdict in report.verdicts}
    if report.command in WHOLE:
        asked |= {r.id for r in checklist.requirements if PROBES[r.probe].only_with}
    return rejudge(report, checklist, [r for r in checklist.requirements if r.id in asked])


@dataclass(frozen=True)
class Measured:
    """A last screen in figures. remedy_line: where what to do about the first problem begins; None without one.

    twice: sentences that stand there more than once.
    """

    lines: list[str]
    remedy_line: int | None
    twice: list[str]


def measured(name: str, width: int = WIDTH) -> Measured:
    """The last screen of a state."""
    return measured_of(kept(name), width)


def measured_of(report: Report, width: int = WIDTH) -> Measured:
    summary = summary_of(report)
    texts = screen(summary, SAVED, width, several_links=len(report.links) > 1)
    lines = [text.plain for text in texts]
    remedy_line = None
    if summary.problems:
        words = summary.problems[0].do[0].replace("`", "").split()[:3]
        remedy_line = next((n for n, line in enumerate(lines, 1) if line.split()[:3] == words), len(lines))
    text = " ".join(re.sub(r"^[?!i0-9] {2}", "", line) for line in lines)
    said = Counter(re.split(r"(?<=[.!?])\s+", " ".join(text.split())))
    return Measured(lines, remedy_line, [sentence for sentence, count in said.items() if count > 1])


def print_table() -> None:
    """State -> lines at 80 columns, line of the first remedy, sentences that stand there twice."""
    print(f"{'state':16} {'outcome':13} lines  remedy on line  twice")
    for name in names():
        found = measured(name)
        outcome = summary_of(kept(name)).word
        print(f"{name:16} {outcome:13} {len(found.lines):5}  {found.remedy_line or '-':>14}  {len(found.twice):5}")
