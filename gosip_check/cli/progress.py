"""What a run shows while it runs, on stderr: a live list on a terminal, a plain line for each verdict elsewhere.

The list is replaced in place and stays as the finished list. Drawing costs the measuring nothing: media is sent from a
process of its own.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from gosip_check.cli.outputs import console
from gosip_check.records import Outcome, Verdict
from gosip_check.report.reading import heading
from gosip_check.report.styles import OF_OUTCOME
from gosip_check.report.summary import title_of
from gosip_check.report.text import visible
from gosip_check.run import Observer

_BAR = 20
_REFRESHES_PER_S = 4
_WORST_FIRST = (Outcome.FAIL, Outcome.WARN, Outcome.UNKNOWN, Outcome.SKIPPED, Outcome.PASS)


@contextmanager
def progress(quiet: bool) -> Iterator[Observer]:
    """An observer that shows what happens; one that shows nothing when `quiet`."""
    terminal = console(to_stderr=True)
    if quiet:
        yield Observer()
    elif terminal.is_terminal and not terminal.is_dumb_terminal:
        shown = LiveList(terminal.width)
        with Live(
            get_renderable=shown.drawn,
            console=terminal,
            refresh_per_second=_REFRESHES_PER_S,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        ):
            yield Observer(say=shown.say, judged=shown.judged, begun=shown.begun)
            shown.ended()
    else:
        yield Observer(judged=_print_plainly)


@dataclass
class LiveList:
    """The groups of each line with what came of them. Told by the run's threads, drawn by another one."""

    width: int
    _lines: list["_Line"] = field(default_factory=list)
    _says: str = ""

    def begun(self, link: str, ids: Sequence[str], about_s: float) -> None:
        """What will be asked on a line, and about how long that takes."""
        self.ended()
        groups: dict[str, _Group] = {}
        for id_ in ids:
            groups.setdefault(id_.partition(".")[0], _Group()).asked += 1
        self._lines.append(_Line(link, groups, about_s))

    def say(self, text: str) -> None:
        """What is being measured now."""
        self._says = text

    def judged(self, verdict: Verdict) -> None:
        """One verdict more."""
        if self._lines:
            self._lines[-1].groups.setdefault(verdict.group, _Group()).verdicts.append(verdict)

    def ended(self) -> None:
        """Nothing is measured any more; the list stays."""
        self._says = ""
        for line in self._lines:
            line.took_s = line.took_s or time.monotonic() - line.start_s

    def drawn(self) -> RenderableType:
        """All lines as they stand."""
        rows = [row for line in list(self._lines) for row in self._rows(line)]
        for row in rows:
            row.truncate(self.width, overflow="ellipsis")
        return Group(*rows)

    def _rows(self, line: "_Line") -> Iterator[Text]:
        yield line.bar()
        groups = dict(line.groups)
        column = max((len(heading(group)) for group in groups), default=0)
        for name, group in groups.items():
            if group.is_done:
                word, style = group.outcome
                yield Text.assemble((f" {word:^7} ", style), f"  {visible(heading(name)):{column}}  {group.result()}")
        if line.took_s is None:
            yield Text(f"   ...     {visible(self._says, 200) or 'starting'}")


@dataclass
class _Group:
    """asked: how many requirements. verdicts: those that have fallen."""

    asked: int = 0
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        return 0 < self.asked <= len(self.verdicts)

    @property
    def outcome(self) -> tuple[str, str]:
        """The worst one, as a word and its colours."""
        worst = min((verdict.outcome for verdict in self.verdicts), key=_WORST_FIRST.index)
        return worst.value, OF_OUTCOME[worst]

    def result(self) -> str:
        """What is wrong, else how many passed with their key figures."""
        worst = min(self.verdicts, key=lambda verdict: _WORST_FIRST.index(verdict.outcome))
        passed = [verdict for verdict in self.verdicts if verdict.outcome is Outcome.PASS]
        if worst.outcome in (Outcome.FAIL, Outcome.WARN):
            return visible(title_of(worst), 200)
        figures = dict.fromkeys(visible(verdict.figure, 80) for verdict in passed if verdict.figure)
        return "  ".join([f"{len(passed)}/{len(self.verdicts)}", *figures])


@dataclass
class _Line:
    """One internet line. took_s: None while it is measured."""

    link: str
    groups: dict[str, _Group]
    about_s: float
    start_s: float = field(default_factory=time.monotonic)
    took_s: float | None = None

    def bar(self) -> Text:
        """How far it is, by the time that such a run takes."""
        so_far_s = time.monotonic() - self.start_s if self.took_s is None else self.took_s
        share = 1.0 if self.took_s is not None else min(so_far_s / max(self.about_s, 1.0), 0.95)
        done = round(share * _BAR)
        of = f" of about {max(self.about_s, so_far_s):.0f} s" if self.took_s is None else " s"
        return Text(f"[{'#' * done}{'.' * (_BAR - done)}] {so_far_s:.0f}{of}   {visible(self.link, 60)}", "bold")


def _print_plainly(verdict: Verdict) -> None:
    with contextlib.suppress(OSError):  # that nobody takes the progress is no reason to lose the report
        click.echo(visible(f"{verdict.outcome.value:7} {verdict.id}: {verdict.reason}"), err=True)
