"""`report`: what can be done with saved reports: show, html, pdf, judge, compare, check. No network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gosip_check.cli.carry_out import exit_code, load_checklist
from gosip_check.cli.exits import EXIT_CODES, EXIT_INCONCLUSIVE, EXIT_NOT_READY, EXIT_READY, ToolFailed, UsageProblem
from gosip_check.cli.options import key_of

if TYPE_CHECKING:
    from rich.console import Console

    from gosip_check.records import Checklist, Report


@click.group()
def report() -> None:
    """Saved reports: show one, make a page of it, judge it anew, compare two, check one that was handed in.

    A FILE of - is standard input; what is made of it is then printed, unless it is given a name.
    """


@report.command(epilog=EXIT_CODES)
@click.argument("file")
@click.option("--details", is_flag=True, help="Show every fact that was measured.")
def show(file: str, details: bool) -> int:
    """Show a saved report as the run did; the exit code is that of its outcome."""
    from gosip_check.report.to_terminal import print_summary

    loaded = _load(file)
    print_summary(_console(), loaded, details)
    return exit_code(loaded.outcome)


@report.command()
@click.argument("file")
@click.argument("page", metavar="[PAGE.html|-]", required=False)
def html(file: str, page: str | None) -> int:
    """Write a saved report as a page: self-contained, readable on a phone, printed on A4."""
    from gosip_check.report import FORMATS

    name = page or _beside(file, ".html")
    _write(name, FORMATS["html"](_load(file)), file)
    return EXIT_READY


@report.command()
@click.argument("file")
@click.argument("out", metavar="[OUT.pdf|-]", required=False)
def pdf(file: str, out: str | None) -> int:
    """Write a saved report as PDF; needs the extra `pdf`. Without it, print the page of `report html`."""
    from gosip_check.report.to_pdf import NoTypst, to_pdf

    name = out or _beside(file, ".pdf")
    loaded = _load(file)
    try:
        document = to_pdf(loaded)
    except NoTypst as error:
        raise UsageProblem(str(error)) from error
    _write(name, document, file)
    return EXIT_READY


@report.command(epilog=EXIT_CODES)
@click.argument("file")
@click.option("--checklist", metavar="ID|PATH", required=True, help="What the measurements are held against.")
@click.option("--json", metavar="FILE|-", help="Write the new report as JSON; - prints it, and nothing else.")
def judge(file: str, checklist: str, json: str | None) -> int:
    """Judge a saved report's measurements anew, under a checklist of your choice. No network is used."""
    from gosip_check.rejudge import rejudge
    from gosip_check.report import FORMATS
    from gosip_check.report.to_terminal import print_summary

    loaded = _load(file)
    again = rejudge(loaded, _as_asked(loaded, load_checklist(checklist)))
    print_summary(_console(stderr=json == "-"), again)
    if json is not None:
        _write(json, FORMATS["json"](again), file)
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

    old, new = _load(before), _load(after)
    console = _console()
    if old.checklist.id != new.checklist.id:
        console.print(visible(f"These are different checklists: {old.checklist.id} and {new.checklist.id}."))
    found = changes(old, new)
    for line in change_lines(found, every_figure):
        console.print(line, soft_wrap=True)
    return EXIT_NOT_READY if any(change.is_worse for change in found.verdicts) else EXIT_READY


@report.command()
@click.argument("file")
@click.option("--checklist", metavar="ID|PATH", help="The checklist it was made with, where it is none of the shipped.")
@click.option("--verify-key-file", metavar="FILE", help="The key that must have signed it: Ed25519 public, or shared.")
def check(file: str, checklist: str | None, verify_key_file: str | None) -> int:
    """Check a report that was handed in: is it one, and does every verdict follow from what was measured?

    Exit code 0: it holds together. 1: it does not, or the signature is wrong. 2: it is no report. 3: nothing in it is
    wrong as far as can be told, but it is no whole check of a site, something was left out on request, its checklist is
    not at hand, or another version wrote it.
    """
    from gosip_check.form.form import faults
    from gosip_check.rejudge import WHOLE, contradictions, unchecked
    from gosip_check.report.load import ReportError, document_of, parse, read
    from gosip_check.report.text import visible

    key = key_of(verify_key_file, signs=False)
    try:
        content = read(Path(file))
        loaded = parse(content, file)
        document = document_of(content, file)
    except ReportError as error:
        raise UsageProblem(str(error)) from error
    found = load_checklist(checklist) if checklist else _shipped(loaded)
    wrong: list[str] = []
    open_: list[str] = []
    if key is not None:
        wrong += filter(None, [key.verify(document, loaded.signature)])
    if found is not None and found.identity == loaded.checklist:
        wrong += contradictions(loaded, _as_asked(loaded, found))
    elif checklist:
        raise UsageProblem(f"{checklist}: the report names another checklist, with SHA-256 {loaded.checklist.sha256}.")
    else:
        open_.append(
            f"Its checklist {loaded.checklist.id!r} (version {loaded.checklist.version}, SHA-256 "
            f"{loaded.checklist.sha256}) is none of those shipped here; name the file with --checklist."
        )
    if loaded.form is not None:
        wrong += [f"Its form is none that the tool could have written: {fault}" for fault in faults(loaded.form)]
    open_ += unchecked(loaded)
    if loaded.is_demo:
        open_.append("It was made by the demo: an emulated trunk, not a site.")
    elif loaded.command not in WHOLE:
        open_.append(f"It covers a part only ({loaded.command}); an order needs a report of `gosip-check run`.")
    if loaded.skip:
        open_.append(f"Left out on request: {', '.join(loaded.skip)}.")
    if loaded.signature is not None and key is None:
        open_.append("It is signed, and nobody has verified that: name the key with --verify-key-file.")
    for sentence in [*wrong, *open_]:
        click.echo(visible(sentence))
    if loaded.form is None:
        click.echo("It holds no Customer Compliance Form.")
    elif loaded.form.not_filled_in:
        click.echo(f"Its form lacks {', '.join(loaded.form.not_filled_in)}.")
    if wrong:
        click.echo(f"{visible(file)}: NOT RIGHT: {len(wrong)} contradiction(s).")
        return EXIT_NOT_READY
    signed = f", signed with the key {key.name or 'given'}" if key else ""
    click.echo(f"{visible(file)}: {'holds together' if not open_ else 'undecided'}{signed}. It says: {loaded.outcome}.")
    return EXIT_INCONCLUSIVE if open_ else EXIT_READY


def _beside(file: str, suffix: str) -> str:
    """The report's own name with another suffix; what is read from a pipe has none, and is printed."""
    return "-" if file == "-" or file.startswith(("/dev/", "/proc/")) else str(Path(file).with_suffix(suffix))


def _load(file: str) -> Report:
    from gosip_check.report.load import ReportError, load

    try:
        return load(Path(file))
    except ReportError as error:
        raise UsageProblem(str(error)) from error


def _shipped(loaded: Report) -> Checklist | None:
    """The shipped checklist that the report was made with, to the byte."""
    from gosip_check.checklist import load_file, shipped

    for path in shipped().values():
        found = load_file(path)
        if found.identity == loaded.checklist:
            return found
    return None


_MOVED = ("port", "management_addresses", "management_ports", "ntp_servers", "ntp_port")


def _as_asked(loaded: Report, checklist: Checklist) -> Checklist:
    """The demo moves the provider's networks and ports to loopback, so those its measurements were asked for."""
    if not loaded.is_demo:
        return checklist
    from msgspec.structs import replace

    from gosip_check.servers.trunk import NETWORKS

    asked = [measurement.options or {} for measurement in loaded.measurements]
    moved = {name: found for name in _MOVED if (found := next((o[name] for o in asked if name in o), None)) is not None}
    return replace(checklist, trunk=replace(checklist.trunk, networks=NETWORKS, **moved))


def _console(stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def _write(name: str, content: str | bytes, source: str) -> None:
    """Never over the report itself."""
    from gosip_check.report.output import Output, OutputError

    if name != "-" and Path(name).exists() and Path(source).exists() and Path(name).samefile(source):
        raise UsageProblem(f"{name}: is the report itself; name another file.")
    try:
        Output(name).write(content)
    except OutputError as error:
        raise ToolFailed(str(error)) from error
    if name != "-":
        click.echo(f"Wrote {name}.", file=sys.stderr)
