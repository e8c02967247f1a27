"""`watch`: the light check again and again in the foreground, with a history of what it found."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from gosip_check.cli.carry_out import exit_code, stopping_on_signals
from gosip_check.cli.commands import example
from gosip_check.cli.exits import UsageProblem, input_errors
from gosip_check.cli.health import history_options, light_plan, opened, seconds_of
from gosip_check.cli.options import site_options
from gosip_check.cli.outputs import METRICS_MODE, outputs_of

if TYPE_CHECKING:
    from datetime import datetime

    from gosip_check.health.history import History
    from gosip_check.plan import Plan
    from gosip_check.records import Report

    Latest = tuple[Report, datetime | None]


@click.command(epilog=example("watch --every 5m"))
@site_options
@history_options
@click.option("--every", metavar="TIME", default="5m", show_default=True, help="Such as 30s, 5m or 1h.")
@click.option("--jitter", metavar="TIME", help="Each run begins up to so much later; default: a tenth of --every.")
@click.option("--exec", "command", metavar="COMMAND", help="Run this on a change, with the changes on standard input.")
@click.option("--listen", metavar="[ADDRESS:]PORT", help="Serve metrics (OpenMetrics); default: on 127.0.0.1.")
def watch(
    every: str,
    jitter: str | None,
    command: str | None,
    listen: str | None,
    history: str | None,
    keep_days: int,
    prometheus: str | None,
    demo: str | None,
    **options: Any,
) -> int:
    """The light check again and again, as long as this runs.

    Prints the first outcome, and then only changes.
    """
    import random
    import shlex
    from tempfile import TemporaryDirectory

    from gosip_check.health.database import HistoryError
    from gosip_check.health.watch import repeat
    from gosip_check.records import Readiness

    every_s = seconds_of(every, "--every", 1)
    jitter_s = seconds_of(jitter, "--jitter", 0) if jitter else every_s / 10
    if jitter_s >= every_s:
        raise UsageProblem(f"--jitter {jitter}: must be shorter than --every.")
    try:
        argv = shlex.split(command) if command else []
    except ValueError as error:
        raise UsageProblem(f"--exec: {error}.") from error
    stop = threading.Event()
    with ExitStack() as stack:
        plan = light_plan(stack, options, demo)
        if demo is not None and history is None:  # it is no site, and stands in no history of one
            history = f"{stack.enter_context(TemporaryDirectory())}/history.sqlite"
        with input_errors(HistoryError):
            kept = stack.enter_context(opened(history))
        with ExitStack() as tried:
            outputs_of({"prometheus": prometheus}, tried)
        watching = _Watching(plan, kept, keep_days, prometheus, argv, stop)
        if listen is not None:
            _serve(stack, listen, lambda: watching.latest)
        stack.enter_context(stopping_on_signals(stop))
        repeat(watching.check, every_s, jitter_s, stop, random.random)
    return exit_code(watching.latest[0].outcome if watching.latest else Readiness.INCONCLUSIVE)


@dataclass
class _Watching:
    """What is known from one check to the next. argv: the command that is run on a change, empty for none.

    before: the last report, with what it skipped as it was before. latest: the last one, and the last that was ready.
    """

    plan: Plan
    history: History
    keep_days: int
    prometheus: str | None
    argv: Sequence[str]
    stop: threading.Event
    before: Report | None = None
    latest: Latest | None = None

    def check(self) -> None:
        """One light check: keep it, say what has changed, serve and write its metrics."""
        from gosip_check.health.database import HistoryError
        from gosip_check.health.history import site_of
        from gosip_check.health.notify import notify
        from gosip_check.health.watch import check_once, keep_watched, tell
        from gosip_check.report.changes import as_looked_at

        checked = check_once(self.plan, self.stop)
        if checked.interrupted:
            return
        report = checked.report
        sentences, trouble = keep_watched(self.history, self.before, report, self.keep_days)
        self.before = as_looked_at(self.before, report) if self.before else report
        last_success = report.started if report.outcome == "ready" else self.latest[1] if self.latest else None
        with suppress(HistoryError):  # said already
            last_success = last_success or self.history.last_ready(site_of(report))
        to_say = [trouble, self._write_metrics(report, last_success)]
        to_say += [f"{report.outcome}.", checked.out_of_time] if self.latest is None else []
        for sentence in filter(None, [*to_say, *sentences]):
            _say(report, sentence)
        if self.latest is not None and self.latest[0].outcome is not report.outcome:
            _say(report, f"The outcome changed from {self.latest[0].outcome} to {report.outcome}.")
        self.latest = (report, last_success)
        notify(f"STATUS={report.outcome}, last run {report.started:%H:%M:%S} UTC")
        if self.argv and sentences:
            failure = tell(self.argv, [f"(demo) {s}" if report.is_demo else s for s in sentences], self.stop)
            if failure:
                _say(report, failure)

    def _write_metrics(self, report: Report, last_success: datetime | None) -> str | None:
        """What went wrong, if anything."""
        from gosip_check.report.output import Output, OutputError
        from gosip_check.report.to_prometheus import to_prometheus

        try:
            if self.prometheus is not None:
                Output(self.prometheus).write(to_prometheus(report, last_success), METRICS_MODE)
        except OutputError as error:
            return str(error)
        return None


def _say(report: Report, sentence: str) -> None:
    from gosip_check.report.text import visible

    demo = "(demo) " if report.is_demo else ""
    click.echo(visible(f"{report.started.astimezone():%Y-%m-%d %H:%M:%S} {demo}{sentence}"))
    sys.stdout.flush()


def _serve(stack: ExitStack, listen: str, latest: Callable[[], Latest | None]) -> None:
    """Metrics over HTTP until the stack ends. Raises UsageProblem."""
    from gosip_check.health.metrics import MetricsServer
    from gosip_check.report.to_prometheus import registry

    address, _, port = listen.rpartition(":")
    address = address.strip("[]") or "127.0.0.1"
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise UsageProblem(f"--listen {listen!r}: PORT or ADDRESS:PORT would be right, such as 127.0.0.1:9799.")
    try:
        server = MetricsServer(address, int(port), registry(latest))
    except OSError as error:
        raise UsageProblem(f"--listen {listen!r}: {error.strerror or error}.") from error
    server.start()
    stack.callback(server.close)
