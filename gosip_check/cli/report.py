"""`report`: saved reports: show, judge again, compare, check, write in another format. No network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gosip_check.cli.carry_out import exit_code
from gosip_check.cli.commands import Commands, example
from gosip_check.cli.exits import (
    EXIT_NOT_READY,
    EXIT_READY,
    UsageProblem,
    input_errors,
    output_errors,
)
from gosip_check.cli.inputs import (
    checklist_of,
    load_checklist,
    load_form,
    load_report,
    load_report_or_order,
    report_path,
    signing_key,
)
from gosip_check.cli.options import everything_option, format_options
from gosip_check.cli.outputs import console
from gosip_check.cli.report_bundle import bundle, print_order
from gosip_check.cli.report_check import check
from gosip_check.cli.report_table import table
from gosip_check.cli.report_text import text
from gosip_check.report import FORMATS, Format, NotInstalled

if TYPE_CHECKING:
    from gosip_check.records import Form, Report


@click.group(cls=Commands, epilog=example("report show report.json"))
def report() -> None:
    """Saved reports: show, compare, check, make a page, mail or order.

    A FILE of - is standard input; what is made of it is then printed, unless it is given a name. Of the runs that are
    kept, the newest is called `last`; the others have the numbers of `report list`.
    """


@report.command(epilog=example("report show report.json"))
@click.argument("file")
@everything_option
@click.option("--details", is_flag=True, help="As --all, with every fact that was measured.")
def show(file: str, everything: bool, details: bool) -> int:
    """Show a saved report as the run did, or both reports of an order.

    The exit code is that of its outcome; of an order the worse one counts.
    """
    from gosip_check.records import Report
    from gosip_check.report.to_terminal import print_summary

    loaded = load_report_or_order(file)
    if not isinstance(loaded, Report):
        print_order(loaded, console(), everything=everything, details=details)
    else:
        print_summary(console(), loaded, everything=everything, details=details)
    return exit_code(loaded.outcome)


def _format_command(made: Format) -> click.Command:
    """`report html` and its like."""

    @click.command(made.name, help=made.command, epilog=example(f"report {made.name} report.json"))
    @click.argument("file")
    @click.argument("out", metavar=f"[OUT.{made.name}|-]", required=False)
    def write_in(file: str, out: str | None, everything: bool = False) -> int:
        _write(out or _beside(file, f".{made.name}"), _document(made, load_report(file), everything), file)
        return EXIT_READY

    reasons = click.option("--all", "everything", is_flag=True, help="With every check's reason and the raw facts.")
    return reasons(write_in) if made.has_more else write_in


for _format in FORMATS.values():
    if _format.command:
        report.add_command(_format_command(_format))


@report.command(epilog=example("report judge report.json --checklist go-gateway"))
@click.argument("file")
@click.option("--checklist", metavar="ID|PATH", required=True, help="What the measurements are held against.")
@everything_option
@format_options
def judge(file: str, checklist: str, everything: bool, **files: str | None) -> int:
    """Judge a saved report again, under another checklist.

    Only what was measured is used, and no network.
    """
    from gosip_check.rejudge import rejudge
    from gosip_check.report.to_terminal import print_summary
    from gosip_check.vetting import as_asked

    loaded = load_report(file)
    again = rejudge(loaded, as_asked(loaded, load_checklist(checklist)))
    print_summary(console(to_stderr="-" in files.values()), again, everything=everything)
    for name, out in files.items():
        if out is not None:
            _write(out, _document(FORMATS[name], again), file)
    return exit_code(again.outcome)


@report.command(name="form", epilog=example("report form last form.toml"))
@click.argument("name", metavar="REPORT")
@click.argument("form_file", metavar="FORM")
@click.option("--checklist", metavar="ID|PATH", help="The checklist it was made with, where it is not a shipped one.")
@click.option("--sign-key-file", metavar="FILE", help="Sign the report with this key; an older signature goes.")
def put_form(name: str, form_file: str, checklist: str | None, sign_key_file: str | None) -> int:
    """Put a form into a saved report, or another one in its place.

    The report's own file is written again. The steps for the router on the form follow it; nothing else changes.
    """
    from gosip_check.rejudge import with_form
    from gosip_check.report.output import Output, OutputError
    from gosip_check.report.text import visible
    from gosip_check.report.to_json import to_json
    from gosip_check.vetting import as_asked

    key = signing_key(sign_key_file, signs=True)
    form = load_form(form_file)
    loaded = load_report(name)
    judged_by = checklist_of(loaded, checklist)
    if judged_by is None:
        raise UsageProblem(f"{name}: its checklist {loaded.checklist.id!r} is not at hand; name it with --checklist.")
    changed = with_form(loaded, form, as_asked(loaded, judged_by))
    signed = changed if key is None else key.sign(changed)
    with output_errors(OutputError):
        Output(str(report_path(name))).write(to_json(signed))
    if loaded.signature is not None and key is None:
        click.echo("Its signature did not fit any more and is gone; --sign-key-file makes a new one.", err=True)
    if _measured_by(loaded.form) != _measured_by(form):
        click.echo(
            "Speed and fixed address were measured by the form of that run; run again --form to use these.", err=True
        )
    click.echo(f"{name}: holds the form of {visible(form.company_name) or 'no company yet'} now.", err=True)
    return EXIT_READY


def _measured_by(form: Form | None) -> list[str]:
    """What of a form a run measures by."""
    lines = [form.internet_1, form.internet_2] if form else []
    return [value for line in lines for value in (line.speed, line.fixed_address) if value]


@report.command(name="list", epilog=example("report list"))
def list_() -> int:
    """The runs that are kept here, the newest first."""
    from gosip_check import kept
    from gosip_check.folders import NoHomeFolder
    from gosip_check.report.load import ReportError
    from gosip_check.report.reading import listed
    from gosip_check.report.text import visible

    number = 0
    with input_errors(NoHomeFolder):
        for number, (_, loaded) in enumerate(kept.reports(), 1):
            words = str(loaded) if isinstance(loaded, ReportError) else listed(loaded)
            click.echo(f"{number:3}  {visible(words)}")
    if not number:
        click.echo("No run is kept here yet; `gosip-check run` keeps each.", err=True)
    return EXIT_READY


@report.command(epilog=example("report compare", "report compare before.json after.json"))
@click.argument("before", required=False)
@click.argument("after", required=False)
@click.option("--all", "everything", is_flag=True, help="Show every statement and figure that changed, too.")
def compare(before: str | None, after: str | None, everything: bool) -> int:
    """What was fixed and what got worse between two reports.

    Without names: the last kept run and the one before it of the same checklist. With one name: that one and the last.
    Exit code 1 when a requirement got worse, or is not looked at any more.
    """
    from gosip_check.report.changes import changes
    from gosip_check.report.standing import standing, standing_lines
    from gosip_check.report.text import visible
    from gosip_check.report.to_changes import change_lines

    new = load_report(after or "last")
    old = load_report(before) if before else _the_one_before(new)
    terminal = console()
    if old.checklist.id != new.checklist.id:
        terminal.print(visible(f"These are different checklists: {old.checklist.id} and {new.checklist.id}."))
    for line in standing_lines(standing(old, new)):
        terminal.print(line, soft_wrap=True)
    changed = changes(old, new)
    if everything:
        terminal.print()
        for line in change_lines(changed, every_figure=True):
            terminal.print(line, soft_wrap=True)
    elif more := len(changed.statements) + len(changed.figures):
        terminal.print(f"{more} statements and figures changed as well: --all shows them.", style="dim", soft_wrap=True)
    return EXIT_NOT_READY if any(change.is_worse for change in changed.verdicts) else EXIT_READY


def _the_one_before(new: Report) -> Report:
    """The newest kept run before this one with the same checklist. Raises UsageProblem where no such run was kept."""
    from gosip_check import kept
    from gosip_check.records import Report

    for _, old in kept.reports():
        if isinstance(old, Report) and old.id < new.id and old.checklist.id == new.checklist.id:
            return old
    raise UsageProblem(f"No earlier run with the checklist {new.checklist.id} is kept; name two reports.")


report.add_command(text)
report.add_command(bundle)
report.add_command(check)
report.add_command(table)


def _document(made: Format, loaded: Report, everything: bool = False) -> str | bytes:
    with input_errors(NotInstalled):
        return made(loaded, everything=everything)


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
