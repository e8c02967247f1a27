"""`health`: the light check once, with a history of what it found; and what it shares with `watch`."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from gosip_check.cli.carry_out import exit_code, stopping_on_signals
from gosip_check.cli.commands import example
from gosip_check.cli.demo import emulated
from gosip_check.cli.exits import ToolFailed, UsageProblem, input_errors
from gosip_check.cli.inputs import a_file
from gosip_check.cli.options import everything_option, format_option, shared, site_options, skip_option
from gosip_check.cli.outputs import outputs_of, show, write
from gosip_check.cli.plan import plan_of

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from gosip_check.health.history import History
    from gosip_check.health.push import Receiver
    from gosip_check.plan import Plan
    from gosip_check.records import Report

NAGIOS_UNKNOWN = 3


class NagiosCommand(click.Command):
    """With --nagios every trouble is UNKNOWN, wrong usage included: Click's own 2 would mean CRITICAL."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """As Click's, but for the exit code."""
        with as_nagios("--nagios" in args):
            return super().make_context(info_name, args, parent, **extra)


history_options = shared(
    click.option(
        "--history", metavar="FILE", callback=a_file,
        help="Where the runs are kept; `history path` shows the usual place.",
    ),
    click.option(
        "--keep-days", metavar="DAYS", type=click.IntRange(1, 36500), default=365, show_default=True,
        help="Runs that are older go.",
    ),
    click.option("--prometheus", metavar="FILE", help="Write metrics for node_exporter's textfile collector."),
    skip_option,
    click.option(
        "--demo", metavar="ready|FAULT",
        help="Check an emulated trunk on this machine instead of a site; kept only with --history.",
    ),
)  # fmt: skip


@click.command(cls=NagiosCommand, epilog=example("health", "health --nagios"))
@site_options
@history_options
@click.option("--no-history", is_flag=True, help="Keep nothing.")
@format_option("json")
@click.option("--nagios", is_flag=True, help="One line with performance data; exit codes 0/1/2/3 as Nagios reads them.")
@click.option("--push", metavar="URL", help="Send metrics to this import endpoint, with what could not be sent before.")
@click.option("--push-headers-file", metavar="FILE", help="Headers for --push, such as Authorization; mode 600.")
@everything_option
@click.option("--quiet", is_flag=True, help="Print the outcome and changes only, a line each.")
def health(nagios: bool, **options: Any) -> int:
    """The light check for every few minutes, in at most 10 seconds.

    Names, signalling and this machine.

    It sends at most one packet a second to one server, and says what has changed since the last run.
    """
    with as_nagios(nagios):
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
    everything: bool,
    demo: str | None,
    push: str | None,
    push_headers_file: str | None,
    **options: Any,
) -> int:
    from gosip_check.cli.progress import progress
    from gosip_check.health.database import HistoryError
    from gosip_check.health.history import site_of
    from gosip_check.health.watch import check_once, keep
    from gosip_check.report.text import visible
    from gosip_check.report.to_json import to_json
    from gosip_check.report.to_nagios import state, to_nagios
    from gosip_check.report.to_prometheus import to_prometheus

    stop = threading.Event()
    receiver = receiver_of(push, push_headers_file, demo)
    with ExitStack() as stack:
        plan = light_plan(stack, options, demo)
        outputs = outputs_of({"json": json, "prometheus": prometheus}, stack)
        stack.enter_context(stopping_on_signals(stop))
        with progress(quiet=quiet or nagios) as observer:
            checked = check_once(plan, stop, observer)
        report, troubles = checked.report, []
        sentences: list[str] = []
        unsent: list[str] = []
        last_success = report.started if report.outcome == "ready" else None
        if not no_history and (demo is None or history is not None):
            try:
                with opened(history) as kept:
                    sentences = keep(kept, checked, keep_days)
                    last_success = last_success or kept.last_ready(site_of(report))
                    if receiver is not None and not checked.interrupted:
                        unsent = sent(kept, report, last_success, receiver)
            except HistoryError as error:
                troubles.append(str(error))
        elif receiver is not None:
            troubles += sent(None, report, last_success, receiver)

        def document(name: str) -> str | bytes:
            return to_json(report) if name == "json" else to_prometheus(report, last_success)

        troubles += write(outputs, document).values()
        saved = [output.name for output in outputs.values() if output.name != "-"]
        if nagios:
            changed = [f"CHANGED: {sentence}" for sentence in sentences]
            sys.stdout.write(to_nagios(report, " ".join([*changed, *troubles, *unsent])))
            return state(report)
        show(report, {"quiet": quiet, "everything": everything}, saved, to_stderr=json == "-")
        for sentence in sentences:
            click.echo(visible(f"CHANGED: {sentence}"), err=json == "-")
        for sentence in filter(None, [checked.out_of_time, *unsent]):
            click.echo(visible(sentence), err=True)
        if troubles:
            raise ToolFailed(" ".join(troubles))
        return exit_code(report.outcome)


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
    """The file that is named, else the usual one. Raises HistoryError."""
    from pathlib import Path

    from gosip_check.health.history import default_path

    return Path(name) if name is not None else default_path()


def receiver_of(url: str | None, headers_file: str | None, demo: str | None) -> Receiver | None:
    """Where --push sends to. Raises UsageProblem."""
    if url is None:
        if headers_file is not None:
            raise UsageProblem("--push-headers-file needs --push.")
        return None
    from gosip_check.cli.account import read_private
    from gosip_check.health.push import Receiver, headers_in

    content = b"" if headers_file is None else read_private("--push-headers-file", headers_file)
    with input_errors(ValueError, prefix=f"--push-headers-file {headers_file}: "):
        headers = headers_in(content)
    with input_errors(ValueError, prefix=f"--push {url}: "):
        receiver = Receiver(url, headers)
    if demo is not None and not receiver.is_here:
        raise UsageProblem("--push: a demo stays on this machine; name a receiver on 127.0.0.1.")
    return receiver


def sent(history: History | None, report: Report, last_success: datetime | None, receiver: Receiver) -> list[str]:
    """A sentence for each trouble with sending; what is not sent waits in the history."""
    from gosip_check.health.push import push

    return [f"--push: {trouble}" for trouble in push(history, report, last_success, receiver)]


def check_options(
    *,
    json: str | None,
    prometheus: str | None,
    history: str | None,
    no_history: bool,
    demo: str | None,
    push: str | None,
    push_headers_file: str | None,
    **given: Any,
) -> None:
    """Raises UsageProblem for options of `health` with which it can only fail. Runs nothing."""
    from gosip_check.health.database import HistoryError
    from gosip_check.health.history import History

    receiver_of(push, push_headers_file, demo)
    with ExitStack() as stack:
        light_plan(stack, given, demo)
        outputs_of({"json": json, "prometheus": prometheus}, stack)
        with input_errors(OSError, HistoryError):
            if not no_history and (path := history_path(history)).exists():
                stack.enter_context(History(path, create=False))


def opened(name: str | None) -> History:
    """The history, to be written to. Raises HistoryError."""
    from gosip_check.health.history import History

    return History(history_path(name))


def light_plan(stack: ExitStack, options: Mapping[str, Any], demo: str | None) -> Plan:
    """What a light check runs, against an emulated trunk that serves as long as `stack` for a `demo`.

    Raises UsageProblem.
    """
    from dataclasses import replace

    from gosip_check.health.watch import light
    from gosip_check.plan import select_health
    from gosip_check.records import DEMO

    plan = plan_of("health", options, select_health)
    if not plan.requirements:
        raise UsageProblem(f"{options['checklist']}: marks nothing with health = true, so there is nothing to run.")
    if demo is None:
        return light(plan)
    plan = light(emulated(stack, plan, None if demo == "ready" else demo))
    return replace(plan, command=f"{plan.command}{DEMO}")


@contextmanager
def as_nagios(asked: bool) -> Iterator[None]:
    """Where Nagios asks, every trouble is one line and UNKNOWN."""
    try:
        yield
    except click.ClickException as error:
        if asked:
            from gosip_check.report.to_nagios import unknown

            sys.stdout.write(unknown(error.format_message()))
            raise click.exceptions.Exit(NAGIOS_UNKNOWN) from error
        raise
