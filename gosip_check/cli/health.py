"""`health` and `watch`: the light check, once or again and again, with a history of what it found."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from gosip_check.cli.carry_out import check_skip, exit_code, load_checklist, outputs_of, stopping_on_signals
from gosip_check.cli.demo import emulated
from gosip_check.cli.exits import EXIT_CODES, ToolFailed, UsageProblem
from gosip_check.cli.options import Chosen, links_of, settings_of, shared, site_options

if TYPE_CHECKING:
    from pathlib import Path

    from gosip_check.health.history import History
    from gosip_check.records import Report
    from gosip_check.run import Plan

NAGIOS_UNKNOWN = 3


class NagiosCommand(click.Command):
    """With --nagios every trouble is UNKNOWN, wrong usage included: Click's own 2 would mean CRITICAL."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """As Click's, but for the exit code."""
        with _as_nagios("--nagios" in args):
            return super().make_context(info_name, args, parent, **extra)


history_options = shared(
    click.option("--history", metavar="FILE", help="Where the runs are kept; `history path` shows the usual place."),
    click.option(
        "--keep-days", metavar="DAYS", type=click.IntRange(1, 36500), default=365, show_default=True,
        help="Runs that are older go.",
    ),
    click.option("--prometheus", metavar="FILE", help="Write metrics for node_exporter's textfile collector."),
    click.option("--skip", metavar="ID", multiple=True, help="Leave out requirements, such as host.* (repeatable)."),
    click.option(
        "--demo", metavar="ready|FAULT",
        help="Check an emulated trunk on this machine instead of a site; kept only with --history.",
    ),
)  # fmt: skip


@click.command(cls=NagiosCommand, epilog=EXIT_CODES)
@site_options
@history_options
@click.option("--no-history", is_flag=True, help="Keep nothing.")
@click.option("--json", metavar="FILE|-", help="Write the report as JSON; - prints it, and nothing else.")
@click.option("--nagios", is_flag=True, help="One line with performance data; exit codes 0/1/2/3 as Nagios reads them.")
@click.option("--quiet", is_flag=True, help="Print the closing line and changes only.")
def health(nagios: bool, **options: Any) -> int:
    """The light check for every few minutes: names, signalling and this machine, in at most 10 seconds.

    It sends at most one packet a second to one server, and says what has changed since the last run.
    """
    with _as_nagios(nagios):
        return _health(nagios=nagios, **options)


def _health(
    *,
    nagios: bool,
    history: str | None,
    no_history: bool,
    keep_days: int,
    prometheus: str | None,
    json: str | None,
    quiet: bool,
    skip: tuple[str, ...],
    demo: str | None,
    **options: Any,
) -> int:
    from gosip_check.cli.progress import progress
    from gosip_check.health.history import HistoryError, site_of
    from gosip_check.health.watch import check_once, keep
    from gosip_check.report import FORMATS
    from gosip_check.report.output import OutputError
    from gosip_check.report.to_nagios import state, to_nagios
    from gosip_check.report.to_prometheus import to_prometheus

    stop = threading.Event()
    with ExitStack() as stack:
        plan = _plan(stack, _chosen(options, skip), demo)
        outputs = outputs_of({"json": json, "prometheus": prometheus}, stack)
        stack.enter_context(stopping_on_signals(stop))
        with progress(quiet=quiet or nagios) as observer:
            checked = check_once(plan, stop, observer)
        report, troubles = checked.report, []
        sentences: list[str] = []
        last_success = report.started if report.outcome == "ready" else None
        if not no_history and (demo is None or history is not None):
            try:
                with _opened(history) as kept:
                    sentences = keep(kept, checked, keep_days)
                    last_success = last_success or kept.last_ready(site_of(report))
            except HistoryError as error:
                troubles.append(str(error))
        for name, output in outputs.items():
            try:
                if name == "json":
                    output.write(FORMATS["json"](report))
                else:
                    output.write(to_prometheus(report, last_success), mode=0o644)
            except OutputError as error:
                troubles.append(f"--{name} {error}")
        if nagios:
            changed = [f"CHANGED: {sentence}" for sentence in sentences]
            sys.stdout.write(to_nagios(report, " ".join([*changed, *troubles])))
            return state(report)
        _show(report, sentences, quiet=quiet, to_stderr=json == "-")
        if checked.out_of_time:
            click.echo(checked.out_of_time, err=True)
        if troubles:
            raise ToolFailed(" ".join(troubles))
        return exit_code(report.outcome)


@click.command(epilog=EXIT_CODES)
@site_options
@history_options
@click.option("--every", metavar="TIME", default="5m", show_default=True, help="Such as 30s, 5m or 1h.")
@click.option("--jitter", metavar="TIME", help="Each run begins up to so much later; a tenth of --every unless told.")
@click.option("--exec", "command", metavar="COMMAND", help="Run this on a change, with the changes on standard input.")
@click.option("--listen", metavar="[ADDRESS:]PORT", help="Serve metrics (OpenMetrics); on 127.0.0.1 unless told.")
def watch(
    every: str,
    jitter: str | None,
    command: str | None,
    listen: str | None,
    history: str | None,
    keep_days: int,
    prometheus: str | None,
    skip: tuple[str, ...],
    demo: str | None,
    **options: Any,
) -> int:
    """The light check again and again in the foreground. Prints the first outcome, and then only changes."""
    import random
    import shlex
    from tempfile import TemporaryDirectory

    from gosip_check.health.history import HistoryError, site_of
    from gosip_check.health.notify import notify
    from gosip_check.health.watch import check_once, keep_watched, repeat, tell
    from gosip_check.records import Readiness
    from gosip_check.report.changes import as_looked_at
    from gosip_check.report.output import Output, OutputError
    from gosip_check.report.to_prometheus import to_prometheus

    every_s = seconds_of(every, "--every", 1)
    jitter_s = seconds_of(jitter, "--jitter", 0) if jitter else every_s / 10
    if jitter_s >= every_s:
        raise UsageProblem(f"--jitter {jitter}: must be shorter than --every.")
    try:
        words = shlex.split(command) if command else []
    except ValueError as error:
        raise UsageProblem(f"--exec: {error}.") from error
    stop = threading.Event()
    latest: list[tuple[Report, Any]] = []
    outcome = Readiness.INCONCLUSIVE
    before: Report | None = None
    with ExitStack() as stack:
        plan = _plan(stack, _chosen(options, skip), demo)
        if demo is not None and history is None:  # it is no site, and stands in no history of one
            history = f"{stack.enter_context(TemporaryDirectory())}/history.sqlite"
        try:
            kept = stack.enter_context(_opened(history))
        except HistoryError as error:
            raise UsageProblem(str(error)) from error
        with ExitStack() as tried:
            outputs_of({"prometheus": prometheus}, tried)
        if listen is not None:
            _serve(stack, listen, lambda: latest[-1] if latest else None)
        stack.enter_context(stopping_on_signals(stop))

        def check() -> None:
            nonlocal outcome, before
            checked = check_once(plan, stop)
            if checked.interrupted:
                return
            report = checked.report
            sentences, trouble = keep_watched(kept, before, report, keep_days)
            before = as_looked_at(before, report) if before else report
            troubles = [trouble] if trouble else []
            last_success = report.started if report.outcome == "ready" else latest[-1][1] if latest else None
            with suppress(HistoryError):  # told already
                last_success = last_success or kept.last_ready(site_of(report))
            try:
                if prometheus is not None:
                    Output(prometheus).write(to_prometheus(report, last_success), mode=0o644)
            except OutputError as error:
                troubles.append(str(error))
            for sentence in troubles:
                _say(report, sentence)
            if not latest:
                _say(report, f"{report.outcome}.")
                if checked.out_of_time:
                    _say(report, checked.out_of_time)
            for sentence in sentences:
                _say(report, sentence)
            if latest and outcome is not report.outcome:
                _say(report, f"The outcome changed from {outcome} to {report.outcome}.")
            outcome = report.outcome
            latest[:] = [(report, last_success)]
            notify(f"STATUS={outcome}, last run {report.started:%H:%M:%S} UTC")
            if words and sentences:
                failure = tell(words, [f"(demo) {s}" if report.is_demo else s for s in sentences], stop)
                if failure:
                    _say(report, failure)

        repeat(check, every_s, jitter_s, stop, random.random)
    return exit_code(outcome)


def seconds_of(text: str, option: str, least_s: float) -> float:
    """`90s`, `5m`, `1h`, `1d`. Raises UsageProblem."""
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smhd])", text.strip())
    seconds = float(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]] if match else -1.0
    if seconds < least_s:
        raise UsageProblem(
            f"{option} {text!r}: a time such as 30s, 5m or 1h would be right, and {least_s:g}s at least."
        )
    return seconds


def history_path(name: str | None) -> Path:
    """The file that is named, else the usual one. Raises UsageProblem."""
    from pathlib import Path

    from gosip_check.folders import NoHomeFolder
    from gosip_check.health.history import default_path

    try:
        return Path(name) if name is not None else default_path()
    except NoHomeFolder as error:
        raise UsageProblem(str(error)) from error


def check_options(
    *,
    json: str | None,
    prometheus: str | None,
    history: str | None,
    skip: tuple[str, ...],
    demo: str | None,
    **given: Any,
) -> None:
    """Raises UsageProblem for options of `health` with which it can only fail. Runs nothing."""
    from gosip_check.health.history import History, HistoryError

    options = {name: given[name] for name in ("checklist", "link", "dns_server")}
    with ExitStack() as stack:
        _plan(stack, _chosen(options, skip), demo)
        outputs_of({"json": json, "prometheus": prometheus}, stack)
        path = history_path(history)
        try:
            if not given["no_history"] and path.exists():
                stack.enter_context(History(path, create=False))
        except (OSError, HistoryError) as error:
            raise UsageProblem(str(error)) from error


def _opened(name: str | None) -> History:
    from gosip_check.health.history import History

    return History(history_path(name))


def _chosen(options: dict[str, Any], skip: tuple[str, ...]) -> Chosen:
    return Chosen(form=None, json=None, svg=None, quiet=False, skip=skip, **options)


def _plan(stack: ExitStack, chosen: Chosen, demo: str | None) -> Plan:
    from dataclasses import replace

    from gosip_check.health.watch import light
    from gosip_check.records import DEMO
    from gosip_check.run import Plan, select_health

    checklist, settings = load_checklist(chosen.checklist), settings_of(chosen)
    if demo is not None:
        checklist, settings = emulated(stack, checklist, None if demo == "ready" else demo)
    requirements = select_health(checklist)
    if not requirements:
        raise UsageProblem(f"{chosen.checklist}: marks nothing with health = true, so there is nothing to run.")
    plan = light(Plan(checklist, requirements, links_of(chosen), settings, skip=chosen.skip))
    check_skip(plan)
    return plan if demo is None else replace(plan, command=f"{plan.command}{DEMO}")


def _show(report: Report, sentences: list[str], *, quiet: bool, to_stderr: bool) -> None:
    from rich.console import Console

    from gosip_check.report.text import visible
    from gosip_check.report.to_terminal import closing_line, print_summary

    console = Console(stderr=to_stderr, markup=False, emoji=False, highlight=False)
    if not quiet:
        print_summary(console, report)
    elif not to_stderr:
        console.print(closing_line(report))
    for sentence in sentences:
        click.echo(visible(f"CHANGED: {sentence}"), err=to_stderr)


def _say(report: Report, sentence: str) -> None:
    from gosip_check.report.text import visible

    demo = "(demo) " if report.is_demo else ""
    click.echo(visible(f"{report.started.astimezone():%Y-%m-%d %H:%M:%S} {demo}{sentence}"))
    sys.stdout.flush()


def _serve(stack: ExitStack, listen: str, latest: Callable[[], tuple[Report, Any] | None]) -> None:
    """Metrics over HTTP until the stack ends. Raises UsageProblem."""
    from prometheus_client import start_http_server

    from gosip_check.report.to_prometheus import registry

    address, _, port = listen.rpartition(":")
    address = address.strip("[]") or "127.0.0.1"
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise UsageProblem(f"--listen {listen!r}: PORT or ADDRESS:PORT would be right, such as 127.0.0.1:9799.")
    try:
        server, thread = start_http_server(int(port), address, registry(latest))
    except OSError as error:
        raise UsageProblem(f"--listen {listen!r}: {error.strerror or error}.") from error

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    stack.callback(end)


@contextmanager
def _as_nagios(asked: bool) -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        if asked:
            from gosip_check.report.to_nagios import unknown

            sys.stdout.write(unknown(error.format_message()))
            raise click.exceptions.Exit(NAGIOS_UNKNOWN) from error
        raise
