"""Where a report goes: the terminal, and files that are opened before anything is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from gosip_check.cli.exits import input_errors

if TYPE_CHECKING:
    from rich.console import Console

    from gosip_check.records import Report
    from gosip_check.report.output import Output

METRICS_MODE = 0o644
"node_exporter, which reads the metrics, runs as a user of its own."


def console(*, to_stderr: bool = False) -> Console:
    """A console that takes no text for markup."""
    from rich.console import Console

    return Console(stderr=to_stderr, markup=False, emoji=False, highlight=False)


def show(report: Report, options: Mapping[str, Any], saved: Sequence[str] = (), *, to_stderr: bool) -> None:
    """The last screen; with --all everything before it, and one unwrapped line with --quiet. saved: files written."""
    from gosip_check.report.to_terminal import closing_line, print_summary

    if not options["quiet"]:
        everything = bool(options.get("everything"))
        details = everything and report.part not in ("", "health")
        print_summary(console(to_stderr=to_stderr), report, saved=saved, everything=everything, details=details)
    elif not to_stderr:
        click.echo(closing_line(report))


def outputs_of(files: Mapping[str, str | None], stack: ExitStack) -> dict[str, Output]:
    """The files that were named, by format; given up with `stack` where nothing is written. Raises UsageProblem."""
    from gosip_check.report import FORMATS, NotInstalled
    from gosip_check.report.output import Output, OutputError

    outputs = {}
    for name, file in files.items():
        if file is None:
            continue
        with input_errors(NotInstalled):
            if name in FORMATS:
                FORMATS[name].load()
        with input_errors(OutputError, prefix=f"--{name} "):
            outputs[name] = Output(file)
        stack.callback(outputs[name].discard)
    return outputs


def write(outputs: Mapping[str, Output], document_of: Callable[[str], str | bytes]) -> dict[str, str]:
    """Every output, even when one of them fails; by format a sentence for each that did."""
    from gosip_check.report.output import OutputError

    troubles = {}
    for name, output in outputs.items():
        try:
            output.write(document_of(name), METRICS_MODE if name == "prometheus" else None)
        except OutputError as error:
            troubles[name] = f"--{name} {error}"
    return troubles
