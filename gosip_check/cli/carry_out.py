"""Carries a check out for every command that makes one: prepare all that can fail, measure, show, write, exit code."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gosip_check.cli.exits import EXIT_INCONCLUSIVE, EXIT_NOT_READY, EXIT_READY, ToolFailed
from gosip_check.cli.inputs import signing_key
from gosip_check.cli.keeping import KEPT, WHERE, keep, say_what_cannot_be_kept
from gosip_check.cli.outputs import console, outputs_of, show, write
from gosip_check.form_fields import names_of

if TYPE_CHECKING:
    from rich.console import Console

    from gosip_check.plan import Plan
    from gosip_check.records import Checklist, Readiness, Report
    from gosip_check.report.output import Output
    from gosip_check.signing import Key

_ONE_WISH_S = 1.0


@dataclass(frozen=True)
class Ended:
    """How a check ended. stopped: by a signal, before all was measured."""

    report: Report
    stopped: bool


def carry_out(plan: Plan, options: Mapping[str, Any]) -> int:
    """Measure, show and write; the exit code. options: those of `output_options`, as Click gives them.

    Raises UsageProblem before anything is measured, ToolFailed after.
    """
    return exit_code(check(plan, options).report.outcome)


def check(plan: Plan, options: Mapping[str, Any], *, offers_form: bool = True) -> Ended:
    """As `carry_out`, for who wants the report as well. offers_form: ask for what is missing on the form."""
    from gosip_check.cli.progress import progress
    from gosip_check.report import FORMATS
    from gosip_check.run import run

    key = signing_key(options["sign_key_file"], signs=True)
    files = {name: options[name] for name in FORMATS}
    quiet, to_stderr = options["quiet"], "-" in files.values()
    stop = threading.Event()
    with saying_what_remains(plan.remains, console(to_stderr=to_stderr)), ExitStack() as stack:
        outputs = outputs_of(files, stack)
        if plan.command == KEPT:
            say_what_cannot_be_kept()
        with stopping_on_signals(stop):
            with progress(quiet=quiet) as observer:
                # What a rehearsal heard took half an hour: judging it takes no time, and is not left half done.
                is_heard = plan.heard is not None and plan.heard.way == "rehearsal"
                report = run(plan, threading.Event() if is_heard else stop, observer)
            # Written before it is shown: a terminal that is gone loses no report.
            trouble, is_kept = _write(report, key, outputs)
            files_written = [] if trouble else [output.name for output in outputs.values() if output.name != "-"]
            show(report, options, [*files_written, *[WHERE] * is_kept], to_stderr=to_stderr)
        if offers_form and plan.command == KEPT and not quiet and not trouble and not stop.is_set():
            with_form = _offer_the_form(report, plan.checklist, options["form"])
            if with_form is not report:
                trouble, _ = _write(with_form, key, outputs_of(files, stack))
        if trouble:
            raise ToolFailed(trouble)
    return Ended(report, stop.is_set())


def _write(report: Report, key: Key | None, outputs: Mapping[str, Output]) -> tuple[str, bool]:
    """What went wrong, empty where nothing did; and was it kept? A JSON that cannot be written is printed instead."""
    from gosip_check.report import FORMATS
    from gosip_check.report.to_json import to_json

    signed = report if key is None else key.sign(report)
    troubles = write(outputs, lambda name: FORMATS[name](signed))
    if "json" in troubles and outputs["json"].name != "-":
        sys.stdout.write(to_json(signed))
    is_kept = report.command == KEPT and keep(signed)
    return " ".join(troubles.values()), is_kept


def _offer_the_form(report: Report, checklist: Checklist, file: str | None) -> Report:
    """At a terminal, ask for what is missing on the form, and put it into the report. Else the same report."""
    import click

    from gosip_check.cli.form import fill_in, write_form
    from gosip_check.form.form import findings_of
    from gosip_check.records import Form
    from gosip_check.rejudge import with_form

    known = report.form or Form()
    if not (sys.stdin.isatty() and sys.stderr.isatty()) or not known.not_filled_in:
        return report
    click.echo(f"Not filled in on the Customer Compliance Form: {names_of(known.not_filled_in)}.", err=True)
    try:
        if not click.confirm("Fill it in now?", default=False, err=True):
            return report
        name: str = file or click.prompt("File to keep it in", default="form.toml", err=True)
        if file is None and Path(name).exists():
            click.echo(
                f"{name}: exists already. Put it into this report: gosip-check report form last {name}", err=True
            )
            return report
        form = fill_in(known, findings_of(report), asks=True)
    except click.Abort:  # what was measured is not lost for it
        return report
    write_form(form, name)
    return with_form(report, form, checklist)


def exit_code(outcome: Readiness) -> int:
    """0, 1 or 3; what 2 and 4 mean is decided elsewhere."""
    from gosip_check.records import Readiness

    return {
        Readiness.READY: EXIT_READY,
        Readiness.NOT_READY: EXIT_NOT_READY,
        Readiness.INCONCLUSIVE: EXIT_INCONCLUSIVE,
    }[outcome]


@contextmanager
def saying_what_remains(remains: Sequence[str], terminal: Console) -> Iterator[None]:
    """However a run ends, the last line says what it may leave at the provider. `remains`: filled while it runs."""
    is_said = False
    try:
        yield
        for sentence in remains:
            terminal.print(sentence, style="bold", soft_wrap=True)
        is_said = True
    except KeyboardInterrupt:
        is_said = True
        raise ToolFailed(" ".join(["Stopped.", *remains])) from None
    except ToolFailed as failed:
        is_said = True
        raise ToolFailed(" ".join([failed.message, *remains])) from failed
    finally:
        if not is_said:
            for sentence in remains:
                print(sentence, file=sys.stderr)


def stop_signals() -> list[signal.Signals]:
    """Those that end a command. A closed terminal ends none that nohup(1) has begun."""
    is_deaf = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([] if is_deaf else [signal.SIGHUP])]


def is_the_same_wish(number: int, first_s: float) -> bool:
    """timeout(1) stops a program and then its group, a shell hangs up what its terminal did: one wish, two signals.

    first_s: when the first came, time.monotonic(). Who presses Ctrl-C twice means it.
    """
    return number != signal.SIGINT and time.monotonic() < first_s + _ONE_WISH_S


@contextmanager
def stopping_on_signals(stop: threading.Event) -> Iterator[None]:
    """The first signal ends the measuring and the report is still made; a second one ends the program.

    SIGHUP is a terminal that was closed: the report is what its owner will look for.
    """
    first_s: float | None = None

    def stopped(number: int, frame: object) -> None:
        nonlocal first_s
        del frame
        if first_s is None:  # not asked of `stop`: its lock may be held by the call that this signal interrupts
            first_s = time.monotonic()
            stop.set()
        elif not is_the_same_wish(number, first_s):
            raise KeyboardInterrupt

    before = {number: signal.signal(number, stopped) for number in stop_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
