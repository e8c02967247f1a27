"""`form`: the Customer Compliance Form as a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gosip_check.cli.commands import Commands, example
from gosip_check.cli.exits import EXIT_NOT_READY, EXIT_READY, ToolFailed, UsageProblem, output_errors
from gosip_check.cli.inputs import a_file, load_form, load_report
from gosip_check.form_fields import FIELDS, names_of

if TYPE_CHECKING:
    from gosip_check.form.form import Finding
    from gosip_check.records import Form


@click.group(cls=Commands, epilog=example("form fill form.toml"))
def form() -> None:
    """The Customer Compliance Form: new, fill, check, show."""


@form.command(epilog=example("form new form.toml"))
@click.argument("file", callback=a_file)
def new(file: str) -> int:
    """Write an empty form with comments to FILE."""
    from gosip_check.form.form import TEMPLATE

    path = Path(file)
    try:
        path.open("x").close()
    except FileExistsError as error:
        raise UsageProblem(f"{file}: exists already; choose another name, so that nothing is lost.") from error
    except OSError as error:
        raise UsageProblem(f"{file}: cannot be written: {error.strerror}.") from error
    try:
        path.write_text(TEMPLATE, encoding="utf-8")
    except OSError as error:
        path.unlink(missing_ok=True)  # half a form is none
        raise ToolFailed(f"{file}: cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {file}. Fill it in, then: gosip-check form check {file}")
    return EXIT_READY


@form.command(epilog=example("form check form.toml"))
@click.argument("file")
def check(file: str) -> int:
    """Is FILE complete?

    Exit code 0 when complete, 1 when something is not filled in, 2 when something is wrong.
    """
    missing = load_form(file).not_filled_in
    if missing:
        click.echo(f"{file}: not filled in yet: {names_of(missing)}.")
        return EXIT_NOT_READY
    click.echo(f"{file}: complete.")
    return EXIT_READY


@form.command(epilog=example("form show form.toml"))
@click.argument("file")
def show(file: str) -> int:
    """Show FILE as it will stand in a report."""
    from gosip_check.cli.outputs import console
    from gosip_check.report.to_terminal import form_table

    console().print(form_table(load_form(file)))
    return EXIT_READY


@form.command(epilog=example("form fill form.toml --pbx 192.168.1.20"))
@click.argument("file", callback=a_file)
@click.option("--pbx", metavar="ADDRESS[:PORT]", help="Ask this PBX what it is, with one OPTIONS.")
@click.option("--report", metavar="FILE", help="Take lines, addresses and measured speeds from a saved report.")
@click.option("--link", metavar="NAME=ADDRESS|INTERFACE", multiple=True, help="An internet line (repeatable).")
@click.option("--no-questions", is_flag=True, help="Ask nothing: write what was found, marked as discovered.")
def fill(file: str, pbx: str | None, report: str | None, link: tuple[str, ...], no_questions: bool) -> int:
    """Fill in FILE: asks what is missing, offers what it finds.

    Exit code 0 when the form is complete, 1 when something is still missing.
    """
    from gosip_check.cli.plan import links_of
    from gosip_check.form.discover import discover
    from gosip_check.form.form import findings_of
    from gosip_check.records import Form
    from gosip_check.report.output import Output, OutputError

    pbx_at = _pbx(pbx)
    links = links_of(link)
    known = load_form(file) if Path(file).exists() else Form()
    measured = load_report(report) if report else None
    if measured is not None and measured.is_demo:
        raise UsageProblem(f"{report}: was made by the demo; its addresses and speeds are those of no site.")
    with output_errors(OutputError):  # before the questions, not after
        Output(file).discard()
    findings = findings_of(measured) if measured is not None else []
    click.echo("Looking around ...", err=True)
    findings += discover(links, pbx_at)
    filled = fill_in(known, findings, asks=sys.stdin.isatty() and not no_questions)
    write_form(filled, file)
    if filled.discovered:
        click.echo(f"Found automatically, please confirm: {names_of(filled.discovered)}.")
    if filled.not_filled_in:
        click.echo(f"{file}: not filled in yet: {names_of(filled.not_filled_in)}.")
        return EXIT_NOT_READY
    click.echo(f"{file}: complete.")
    return EXIT_READY


def fill_in(known: Form, findings: Sequence[Finding], *, asks: bool) -> Form:
    """The form with what a person answers, else with what was found, marked as discovered.

    Who stops answering (Ctrl-C) keeps what was answered until then.
    """
    from gosip_check.form.form import value_of, with_findings, with_value
    from gosip_check.report.text import visible

    form = with_findings(known, findings)
    if not asks:
        return form
    click.echo("Return takes what stands in brackets; - leaves a field empty.", err=True)
    where = {finding.field: finding.where for finding in reversed(findings)}
    for field, label in FIELDS.items():
        discovered = field in form.discovered
        if value_of(form, field).strip() and not discovered:
            continue
        if not discovered and (field.endswith(SEEN_ONLY) or not _applies(field, form)):
            continue
        default = visible(value_of(form, field), 200)
        if field.startswith("firewall.") and not default:
            default = visible(value_of(form, field.replace("firewall", "router")), 200)
        question = f"{label} (found: {visible(where.get(field, 'in the file'), 120)})" if discovered else label
        try:
            answer = _ask(question, default, field)
        except click.Abort:
            click.echo("\nStopped: what was answered until here is kept.", err=True)
            return form
        form = with_value(form, field, answer, discovered=False)
    return form


def write_form(form: Form, file: str) -> None:
    """An older file that holds more than fields, such as comments of one's own, is kept beside. Raises ToolFailed."""
    from gosip_check.form.form import load, to_toml
    from gosip_check.report.output import Output, OutputError
    from gosip_check.tomlfile import TomlError, read

    path = Path(file)
    try:
        before = read(path, "form") if path.is_file() else b""
        as_written = to_toml(load(path)).encode() if before else b""
    except TomlError:  # it was a form when it was read, and has been edited since
        as_written = b""
    with output_errors(OutputError):
        if before != as_written:
            Output(f"{file}.bak").write(before)
            click.echo(f"{file}.bak: the file as it was; comments of your own are in it only.", err=True)
        Output(file).write(to_toml(form))


SEEN_ONLY = (".interface", ".address", ".public_address", ".measured_speed")
"Fields that only a look at the site fills in."


def _applies(field: str, form: Form) -> bool:
    """False for what belongs to a second line or a second trunk that there is not."""
    if field.startswith("internet_2.") and field != "internet_2.service_identifier":
        return bool(form.internet_2.service_identifier.strip())
    return not field.startswith("second_trunk.") or field == "second_trunk.use" or bool(form.second_trunk.use)


def _ask(question: str, default: str, field: str) -> str:
    from gosip_check.form.form import checked

    while True:
        try:
            answer: str = click.prompt(question, default=default, show_default=bool(default), err=True).strip()
            answer.encode("utf-8")
        except UnicodeError:
            click.echo("That holds a byte that is no text; type it again, or set the terminal to UTF-8.", err=True)
            continue
        if answer in ("", "-"):
            return ""
        try:
            return checked(field, answer)
        except ValueError as error:
            click.echo(str(error), err=True)


def _pbx(text: str | None) -> tuple[str, int] | None:
    from gosip_check.probes.net.sockets import family_of

    if text is None:
        return None
    address, _, port = text.partition(":") if text.count(":") == 1 else (text, "", "")
    try:
        family_of(address)
        number = int(port or "5060")
    except ValueError:
        number = 0
    if not 1 <= number <= 65535:  # what was given is not repeated: somebody may have put a password into it
        raise UsageProblem("--pbx: ADDRESS or ADDRESS:PORT would be right, such as 192.168.1.20 or 192.168.1.20:5060.")
    return address, number
