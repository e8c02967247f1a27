"""What the installer sees and says while a rehearsal plays: what to do now, what came last, and y or n.

A live screen on a terminal, a line for each of it elsewhere; both on stderr. The engine's thread tells it, another one
draws, and a third one reads keys.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gosip_check.cli.keys import pressed
from gosip_check.cli.outputs import console
from gosip_check.cli.rehearsal.seen import seen
from gosip_check.heard import Heard
from gosip_check.report.text import visible
from gosip_check.servers.rehearsal.phases import Phase

ANSWER_WITHIN_S = 60.0
_REFRESHES_PER_S = 2
_SEEN = 6
_LOOK_S = 1.0
_JUST_S = 1.0
_KEYS = "s leave this step out   r do this step again   Ctrl-C end and put back"

TEXTS = {
    "register": ("The PBX registers", "Enter what the slip says, and switch the new trunk on."),
    "incoming": ("A call comes in", ""),
    "routing": ("Calls to two numbers", ""),
    "site-b-call": ("A call from the second site", ""),
    "forward": ("A call that is forwarded", ""),
    "outgoing": ("A call goes out", ""),
    "withheld": ("A call that hides its number", ""),
    "session-refresh": ("A call that is refreshed", ""),
    "transfer": ("A transfer", ""),
    "outgoing-international": ("A call abroad", ""),
    "refresh-60": ("Renewal after 60 s", "Nothing to do: the PBX renews its registration."),
    "refresh-120": ("Renewal after 120 s", "Nothing to do: the PBX renews its registration."),
    "srv-swapped": ("The SRV records change", "Nothing to do: the PBX should follow."),
    "a-silent": ("The first site is silent", ""),
    "a-503": ("The first site says 503", "Nothing to do: the PBX should move to the second site."),
    "a-back": ("The first site is back", "Nothing to do."),
    "trunk-off": ("The trunk is switched off", ""),
    "refuse-401-new": ("The password is refused", "Nothing to do: the right password is refused here."),
    "refuse-401-same": ("The password is refused, same nonce", "Nothing to do. If the PBX gave up: trunk off and on."),
    "refuse-403": ("The password is refused with 403", "Nothing to do. If the PBX gave up: trunk off and on."),
}
"Phase -> what it is called here, and what the installer does meanwhile; empty where its script says that."


class Played(Protocol):
    """What of a rehearsal is shown and steered."""

    def latest(self) -> Heard: ...
    def leave(self) -> None: ...


@dataclass
class _Question:
    text: str
    ends_s: float
    said: threading.Event = field(default_factory=threading.Event)
    answer: bool | None = None


@dataclass
class Screen:
    """count: of phases. say_line: where there is no live screen. asks: somebody can press keys.

    repeats: the phase at hand is to be played, again perhaps.
    """

    rehearsal: Played
    count: int
    say_line: Callable[[str], None] | None
    asks: bool
    repeats: bool = True
    _number: int = 0
    _phase: Phase | None = None
    _began_s: float = 0.0
    _before: str = ""
    _do: str = ""
    _said_s: float = 0.0
    _question: _Question | None = None

    def began(self, phase: Phase) -> None:
        """It is played now."""
        self._number += phase != self._phase
        self._phase, self._began_s, self.repeats = phase, time.monotonic(), False
        # What was said as the last phase ended is still to be done.
        self._before = self._do if self._began_s - self._said_s < _JUST_S else ""
        title, self._do = TEXTS.get(phase.name, (phase.name, ""))
        self._line(
            f"{self._number} of {self.count}, at most {_minutes(self._at_most_s())}: {title}. {self._do}".strip()
        )

    def say(self, text: str) -> None:
        """What the installer does now."""
        self._do, self._said_s = text, time.monotonic()
        self._line(text)

    def ask(self, question_id: str, text: str) -> bool | None:
        """What only the installer can hear or see; None where nobody says it in time."""
        del question_id
        if not self.asks:
            self._line(f"Not asked, because there is no terminal: {text}")
            return None
        question = _Question(text, time.monotonic() + ANSWER_WITHIN_S)
        self._question = question
        question.said.wait(ANSWER_WITHIN_S)
        self._question = None
        return question.answer

    def key(self, key: str) -> None:
        """One that was pressed."""
        question = self._question
        if question is not None and key in "yn":
            question.answer = key == "y"
            question.said.set()
        elif key in "sr":
            self.repeats = key == "r"
            self.ended()
            self.rehearsal.leave()

    def ended(self) -> None:
        """Nobody waits for an answer any more."""
        if self._question is not None:
            self._question.said.set()

    def drawn(self) -> RenderableType:
        """As it stands now."""
        if self._phase is None:
            return Text("")
        now_s = time.monotonic()
        title, _ = TEXTS.get(self._phase.name, (self._phase.name, ""))
        left_s = max(0.0, self._began_s + self._at_most_s() - now_s)
        head = Text(f"[{self._number} of {self.count}] {title}", "bold")
        head.append(f"   at most {_minutes(left_s)} left", "not bold")
        rows = Table.grid(padding=(0, 2))
        rows.add_column(width=6)
        rows.add_column(ratio=1)
        rows.add_row(Text("Do", "bold"), Text(f"{self._before} Then: {self._do}" if self._before else self._do))
        if self._question is not None:
            wait_s = max(0.0, self._question.ends_s - now_s)
            rows.add_row(Text("?", "bold reverse"), Text(f"{self._question.text}  y / n  ({wait_s:.0f} s)", "bold"))
        lines = seen(self.rehearsal.latest())[-_SEEN:]
        for number in range(_SEEN):
            line = Text(visible(lines[number], 300) if number < len(lines) else "", no_wrap=True, overflow="ellipsis")
            rows.add_row(Text("" if number else "Seen", "bold"), line)
        return Group(head, rows, Text(_KEYS, "dim"))

    def _at_most_s(self) -> float:
        return 0.0 if self._phase is None else self._phase.within_s + self._phase.listens_s

    def line(self, text: str) -> None:
        """Where there is no live screen."""
        if self.say_line is not None:
            self.say_line(text)

    def _line(self, text: str) -> None:
        self.line(f"{time.strftime('%H:%M:%S')}  {text}")


@contextlib.contextmanager
def screen(rehearsal: Played, count: int, *, quiet: bool) -> Iterator[Screen]:
    """One that is shown as long as the block lasts; nothing is shown when `quiet`, unless a question is asked."""
    terminal = console(to_stderr=True)
    asks = sys.stdin.isatty() and terminal.is_terminal
    if quiet or not terminal.is_terminal or terminal.is_dumb_terminal:
        shown = Screen(rehearsal, count, None if quiet else _print, asks and not quiet)
        with pressed(shown.key), _lines(shown):
            yield shown
        return
    shown = Screen(rehearsal, count, None, asks)
    live = Live(
        get_renderable=shown.drawn,
        console=terminal,
        refresh_per_second=_REFRESHES_PER_S,
        redirect_stdout=False,
        redirect_stderr=False,
        transient=True,
    )
    with pressed(shown.key):
        live.start()
        try:
            yield shown
        finally:
            with contextlib.suppress(OSError):  # the terminal was closed
                live.stop()


@contextlib.contextmanager
def _lines(shown: Screen) -> Iterator[None]:
    """What came, in place of a screen: a second late, so that the answer is there."""
    ended = threading.Event()

    def work() -> None:
        said_s, is_last = 0.0, False
        while not is_last:
            is_last = ended.wait(_LOOK_S)
            until_s = time.time() - (0.0 if is_last else _LOOK_S)
            for line in seen(shown.rehearsal.latest(), said_s, until_s):
                shown.line(line)
            said_s = until_s

    thread = threading.Thread(target=work, name="seen", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _minutes(seconds: float) -> str:
    return f"{seconds // 60:.0f}:{seconds % 60:02.0f}"


def _print(text: str) -> None:
    with contextlib.suppress(OSError):  # that nobody takes it is no reason to stop
        click.echo(visible(text, 300), err=True)
