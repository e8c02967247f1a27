"""`report`: saved reports: show, judge again, compare, check, write in another format. No network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gosip_check.cli.carry_out import exit_code
from gosip_check.cli.exits import (
    EXIT_CODES,
    EXIT_NOT_READY,
    EXIT_READY,
    UsageProblem,
    input_errors,
    output_errors,
)
from gosip_check.cli.inputs import load_checklist, load_report
from gosip_check.cli.options import format_options
from gosip_check.cli.outputs import console
from gosip_check.cli.report_check import check
from gosip_check.cli.report_table import table
from gosip_check.report import FORMATS, Format, NotInstalled

if TYPE_CHECKING:
    from gosip_check.records import Report


@click.group()
def report() -> None:
    """Saved reports: show one, make a page of it, judge it again, compare two, check one that was handed in.

    A FILE of - is standard input; what is made of it is then printed, unless it is given a name.
    """


@report.command(epilog=EXIT_CODES)
@click.argument("file")
@click.option("--details", is_flag=True, help="Show every fact that was measured.")
def show(file: str, details: bool) -> int:
    """Show a saved report as the run did; the exit code is that of its outcome."""
    from gosip_check.report.to_terminal import print_summary

    loaded = load_report(file)
    print_summary(console(), loaded, details)
    return exit_code(loaded.outcome)


def _format_command(made: Format) -> click.Command:
    """`report html` and its like."""

    @click.command(made.name, help=made.command)
    @click.argument("file")
    @click.argument("out", metavar=f"[OUT.{made.name}|-]", required=False)
    def write_in(file: str, out: str | None) -> int:
        _write(out or _beside(file, f".{made.name}"), _document(made, load_report(file)), file)
        return EXIT_READY

    return write_in


for _format in FORMATS.values():
    if _format.command:
        report.add_command(_format_command(_format))


@report.command(epilog=EXIT_CODES)
@click.argument("file")
@click.option("--checklist", metavar="ID|PATH", required=True, help="What the measurements are held against.")
@format_options
def judge(file: str, checklist: str, **files: str | None) -> int:
    """Judge a saved report's measurements again, under a checklist of your choice. No network is used."""
    from gosip_check.rejudge import rejudge
    from gosip_check.report.to_terminal import print_summary
    from gosip_check.vetting import as_asked

    loaded = load_report(file)
    again = rejudge(loaded, as_asked(loaded, load_checklist(checklist)))
    print_summary(console(to_stderr="-" in files.values()), again)
    for name, out in files.items():
        if out is not None:
            _write(out, _document(FORMATS[name], again), file)
    return exit_code(again.outcome)


@report.command()
@click.argument("before")
@click.argument("after")
@click.option("--all", "every_figure", is_flag=True, help="Show small moves of figures too.")
def compare(before: str, after: str, every_figure: bool) -> int:
    """What changed between two reports, by requirement and by figure; exit code 1 when a requirement got worse."""
    from gosip_check.report.changes import changes
    from gosip_check.report.text import visible
    from gosip_check.report.to_changes import change_lines

    old, new = load_report(before), load_report(after)
    terminal = console()
    if old.checklist.id != new.checklist.id:
        terminal.print(visible(f"These are different checklists: {old.checklist.id} and {new.checklist.id}."))
    changed = changes(old, new)
    for line in change_lines(changed, every_figure):
        terminal.print(line, soft_wrap=True)
    return EXIT_NOT_READY if any(change.is_worse for change in changed.verdicts) else EXIT_READY


report.add_command(check)
report.add_command(table)


def _document(made: Format, loaded: Report) -> str | bytes:
    with input_errors(NotInstalled):
        return made(loaded)


def _beside(file: str, suffix: str) -> str:
    """The report's own name with another suffix; what is read from a pipe has none, and is printed."""
    return "-" if file == "-" or file.startswith(("/dev/", "/proc/")) else str(Path(file).with_suffix(suffix))


def _write(name: str, content: str | bytes, source: str) -> None:
    """Never over the report itself."""
    from gosip_check.report.output import Output, OutputError

    if name != "-" and Path(name).exists() and Path(source).exists() and Path(name).samefile(source):
        raise UsageProblem(f"{name}: is the report itself; name another file.")
    with output_errors(OutputError):
        Output(name).write(content)
    if name != "-":
        click.echo(f"Wrote {name}.", file=sys.stderr)
