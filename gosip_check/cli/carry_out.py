"""Carries a check out for every command that makes one: prepare all that can fail, measure, show, write, exit code."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gosip_check.cli.exits import EXIT_INCONCLUSIVE, EXIT_NOT_READY, EXIT_READY, ToolFailed, UsageProblem
from gosip_check.cli.options import Chosen, key_of

if TYPE_CHECKING:
    from rich.console import Console

    from gosip_check.records import Checklist, Readiness, Report
    from gosip_check.report.output import Output
    from gosip_check.run import Plan
    from gosip_check.signing import Key


def load_checklist(name: str) -> Checklist:
    """Raises UsageProblem."""
    from gosip_check.checklist import load
    from gosip_check.tomlfile import TomlError

    try:
        return load(name)
    except TomlError as error:
        raise UsageProblem(str(error)) from error


def check_skip(plan: Plan) -> None:
    """Raises UsageProblem for a pattern that would leave nothing out: what it was meant for would be looked at."""
    import fnmatch

    for pattern in plan.skip:
        if not any(fnmatch.fnmatchcase(requirement.id, pattern) for requirement in plan.requirements):
            known = ", ".join(requirement.id for requirement in plan.requirements)
            raise UsageProblem(f"--skip {pattern!r} matches nothing; there are {known}.")


def carry_out(plan: Plan, chosen: Chosen, details: bool) -> int:
    """Measure, show and write; the exit code. Raises UsageProblem before anything is measured, ToolFailed after."""
    from rich.console import Console

    from gosip_check.cli.progress import progress
    from gosip_check.report.to_terminal import closing_line, print_summary
    from gosip_check.run import run

    check_skip(plan)
    key = key_of(chosen.sign_key_file, signs=True)
    to_stderr = chosen.json == "-"
    console = Console(stderr=to_stderr, markup=False, emoji=False, highlight=False)
    files = {"json": chosen.json, "svg": chosen.svg, "html": chosen.html}
    stop = threading.Event()
    with saying_what_remains(plan.remains, console), ExitStack() as stack:
        outputs = outputs_of(files, stack)
        stack.enter_context(stopping_on_signals(stop))
        with progress(quiet=chosen.quiet) as observer:
            report = run(plan, stop, observer)
        trouble = _write(_signed(report, key), outputs)  # before it is shown: a terminal that is gone loses no report
        if not chosen.quiet:
            print_summary(console, report, details)
        elif not to_stderr:
            console.print(closing_line(report))
        if plan.command == "run" and not chosen.quiet and not trouble:
            with_form = _offer_the_form(report, chosen.form)
            if with_form is not report:
                trouble = _write(_signed(with_form, key), outputs_of(files, stack))
        if trouble:
            raise ToolFailed(trouble)
    return exit_code(report.outcome)


def _signed(report: Report, key: Key | None) -> Report:
    return report if key is None else key.sign(report)


def _offer_the_form(report: Report, file: str | None) -> Report:
    """At a terminal, and where the form lacks something: ask for it, and put it into the report. Else the same."""
    import click
    from msgspec.structs import replace

    from gosip_check.cli.form import fill_in, write_form
    from gosip_check.form.form import findings_of
    from gosip_check.records import Form

    known = report.form or Form()
    if not (sys.stdin.isatty() and sys.stderr.isatty()) or not known.not_filled_in:
        return report
    click.echo(f"The Customer Compliance Form lacks {', '.join(known.not_filled_in)}.", err=True)
    try:
        if not click.confirm("Fill it in now?", default=False, err=True):
            return report
        name: str = file or click.prompt("File to keep it in", default="form.toml", err=True)
        if file is None and Path(name).exists():
            click.echo(f"{name}: exists already; run again with --form {name}, so that nothing is lost.", err=True)
            return report
        form = fill_in(known, findings_of(report), asks=True)
    except click.Abort:  # what was measured is not lost for it
        return report
    write_form(form, name)
    return replace(report, form=form)


def exit_code(outcome: Readiness) -> int:
    """0, 1 or 3; what 2 and 4 mean is decided elsewhere."""
    from gosip_check.records import Readiness

    return {
        Readiness.READY: EXIT_READY,
        Readiness.NOT_READY: EXIT_NOT_READY,
        Readiness.INCONCLUSIVE: EXIT_INCONCLUSIVE,
    }[outcome]


def outputs_of(names: dict[str, str | None], stack: ExitStack) -> dict[str, Output]:
    """The files that were named, given up with `stack` where nothing is written. Raises UsageProblem for a bad one."""
    from gosip_check.report.output import Output, OutputError

    outputs = {}
    for kind, name in names.items():
        if name is not None:
            try:
                outputs[kind] = Output(name)
            except OutputError as error:
                raise UsageProblem(f"--{kind} {error}") from error
            stack.callback(outputs[kind].discard)
    return outputs


def _write(report: Report, outputs: dict[str, Output]) -> str:
    """Every output, even when one of them fails; what went wrong. A JSON that cannot be written is printed instead."""
    from gosip_check.report import FORMATS
    from gosip_check.report.output import OutputError

    troubles = []
    for kind, output in outputs.items():
        try:
            output.write(FORMATS[kind](report))
        except OutputError as error:
            troubles.append(f"--{kind} {error}")
            if kind == "json" and output.name != "-":
                sys.stdout.write(FORMATS[kind](report))
    return " ".join(troubles)


@contextmanager
def saying_what_remains(remains: Sequence[str], console: Console) -> Iterator[None]:
    """However a run ends, the last line says what it may leave at the provider. `remains`: filled while it runs."""
    is_said = False
    try:
        yield
        for words in remains:
            console.print(words, style="bold", soft_wrap=True)
        is_said = True
    except KeyboardInterrupt:
        is_said = True
        raise ToolFailed(" ".join(["Stopped.", *remains])) from None
    except ToolFailed as failed:
        is_said = True
        raise ToolFailed(" ".join([failed.message, *remains])) from failed
    finally:
        if not is_said:
            for words in remains:
                print(words, file=sys.stderr)


@contextmanager
def stopping_on_signals(stop: threading.Event) -> Iterator[None]:
    """The first signal ends the measuring and the report is still made; a second one ends the program.

    SIGHUP is a terminal that was closed: the report is what its owner will look for.
    """
    is_stopping = False

    def stopped(number: int, frame: object) -> None:
        nonlocal is_stopping
        del number, frame
        if is_stopping:  # not asked of `stop`: its lock may be held by the call that this signal interrupts
            raise KeyboardInterrupt
        is_stopping = True
        stop.set()

    before = {number: signal.signal(number, stopped) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
