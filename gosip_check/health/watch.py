"""The light check again and again: at even times, never two at once, with what changed. Judges nothing itself.

Times are kept on the monotonic clock and counted from the start, so that no delay adds up: run number n begins at
start + n * every, plus a jitter of its own. A run that takes longer than the interval costs the times it has missed.
"""

import contextlib
import math
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from gosip_check.health.database import HistoryError
from gosip_check.health.history import History, sentences
from gosip_check.health.notify import notify, watchdog_s
from gosip_check.plan import Plan
from gosip_check.probes.probe import Turns
from gosip_check.records import Report
from gosip_check.report.changes import news, sentence_of
from gosip_check.run import Observer, run

LONGEST_S = 10.0
"What a light check may take. Its probes are stopped a little earlier, and need a moment to notice."

SERVER_INTERVAL_S = 1.0
"At most one packet a second to one server of the provider."

_STOP_AFTER_S = 9.0
_COMMAND_TIMEOUT_S = 60.0
_LONGEST_WAIT_S = 3600.0
"An event is not waited for for ever: the system's clock has a largest time."
_COMMAND_POLL_S = 0.2
_COMMAND_GRACE_S = 1.0


@dataclass(frozen=True)
class Checked:
    """One light check. interrupted: somebody stopped it, so it is not to be kept."""

    report: Report
    interrupted: bool

    @property
    def out_of_time(self) -> str | None:
        """What to say of a check that took too long to be finished; None of one that did not."""
        if self.interrupted or not any(verdict.stopped for verdict in self.report.verdicts):
            return None
        words = f"A light check may take {LONGEST_S:g} s, and this one was stopped before everything was measured."
        if len(self.report.links) > 1:
            words += " Lines are measured one after the other: name fewer of them (--link), in runs of their own."
        return words


def light(plan: Plan) -> Plan:
    """The plan as a light check carries it out: one OPTIONS for each server, and never two packets within a second."""
    settings = msgspec.structs.replace(plan.settings, requests=1)
    return replace(plan, settings=settings, turns=Turns(SERVER_INTERVAL_S), command="health")


def check_once(plan: Plan, stop: threading.Event, observer: Observer | None = None) -> Checked:
    """Carry out a `light` plan in bounded time. Set `stop` to end it early."""
    own_stop = threading.Event()
    ended = threading.Event()
    deadline_s = time.monotonic() + _STOP_AFTER_S

    def mind() -> None:
        while not ended.wait(0.05):
            if stop.is_set() or time.monotonic() > deadline_s:
                own_stop.set()
                return

    minder = threading.Thread(target=mind, name="deadline", daemon=True)
    minder.start()
    try:
        report = run(plan, own_stop, observer or Observer())
    finally:
        ended.set()
        minder.join()
    return Checked(report, interrupted=stop.is_set())


def repeat(
    check: Callable[[], None],
    every_s: float,
    jitter_s: float,
    stop: threading.Event,
    draw: Callable[[], float],
) -> None:
    """Call `check` at even times until `stop` is set. draw: a number from 0 to 1, for the jitter.

    Tells systemd that it is ready, that it lives, and that it stops.
    """
    alive_s = watchdog_s() or math.inf
    notify("READY=1")
    start_s, number = time.monotonic(), 0
    while not stop.is_set():
        due_s = start_s + number * every_s + draw() * jitter_s
        while (left_s := due_s - time.monotonic()) > 0 and not stop.is_set():
            stop.wait(min(left_s, alive_s, _LONGEST_WAIT_S))
            notify("WATCHDOG=1")
        if stop.is_set():
            break
        check()
        notify("WATCHDOG=1")
        missed = math.ceil((time.monotonic() - start_s) / every_s)
        number = max(number + 1, missed)
    notify("STOPPING=1")


def keep(history: History, checked: Checked, keep_days: int | None) -> list[str]:
    """Keep a check that was not interrupted; a sentence for each change since the one before."""
    if checked.interrupted:
        return []
    return sentences(history.keep(checked.report, keep_days))


def keep_watched(
    history: History, before: Report | None, report: Report, keep_days: int | None
) -> tuple[list[str], str]:
    """Keep a run, and a sentence for each change from the one `before` it, as this process saw it: another one may keep
    its runs in the same history, and a full disk hides no change. None: from the last one that was kept.

    Second, a sentence when the history cannot be used.
    """
    found = news(before, report) if before else []
    try:
        kept = history.keep(report, keep_days)
        return sentences(history.since(report, found) if before else kept), ""
    except HistoryError as error:
        return [sentence_of(change) for change in found], str(error)


def tell(
    command: Sequence[str], sentences: Sequence[str], stop: threading.Event, limit_s: float = _COMMAND_TIMEOUT_S
) -> str | None:
    """Run a command with the changes on its standard input, a line each. None, or a sentence that says what failed.

    No shell reads what comes from the network. Past its time, or when `stop` is set, all that it has started ends too.
    """
    until_s = time.monotonic() + limit_s
    with tempfile.TemporaryFile() as lines:  # a pipe that nobody reads would fill
        lines.write("\n".join([*sentences, ""]).encode("utf-8", errors="replace"))
        lines.seek(0)
        try:
            process = subprocess.Popen(command, stdin=lines, start_new_session=True)
        except OSError as error:
            return f"{command[0]}: cannot be run: {error.strerror}."
    while process.poll() is None and time.monotonic() < until_s and not stop.is_set():
        notify("WATCHDOG=1")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_COMMAND_POLL_S)
    if process.returncode is None:
        _end(process)
        why = "was stopped with the watch" if stop.is_set() else f"did not end within {limit_s:g} s and was stopped"
        return f"{command[0]}: {why}."
    return None if process.returncode == 0 else f"{command[0]}: ended with exit code {process.returncode}."


def _end(process: subprocess.Popen[bytes]) -> None:
    """Its whole session: asked first, and made to a moment later."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_COMMAND_GRACE_S)
