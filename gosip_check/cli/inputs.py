"""The files that a command is given, each kind read in one place. What is wrong with one is a UsageProblem."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gosip_check.cli.exits import UsageProblem, input_errors

if TYPE_CHECKING:
    import click

    from gosip_check.order import Order
    from gosip_check.records import Checklist, Form, Report
    from gosip_check.signing import Key


def load_checklist(name: str) -> Checklist:
    """By its id or its path."""
    from gosip_check.checklist import load
    from gosip_check.tomlfile import TomlError

    with input_errors(TomlError):
        return load(name)


def load_form(file: str) -> Form:
    """A Customer Compliance Form."""
    from gosip_check.form.form import load
    from gosip_check.tomlfile import TomlError

    with input_errors(TomlError):
        return load(Path(file))


def load_report(name: str) -> Report:
    """A report by its file, `-` for standard input, or by the name of a kept one."""
    from gosip_check.report.load import ReportError, load

    with input_errors(ReportError):
        return load(report_path(name))


def load_report_or_order(name: str) -> Report | Order:
    """As `load_report`, and what `report bundle` wrote."""
    from gosip_check.order import Order, reports_in
    from gosip_check.report.load import ReportError, read

    with input_errors(ReportError):
        reports = reports_in(read(report_path(name)), name)
    return reports[0] if len(reports) == 1 else Order(*reports)


def report_path(name: str) -> Path:
    """The file of a report. Names of kept ones are `last`, a number of `report list`, and an id."""
    from gosip_check import kept
    from gosip_check.folders import NoHomeFolder

    if not kept.is_name(name):
        return Path(name)
    with input_errors(kept.KeptError, NoHomeFolder):
        return kept.path_of(name)


def checklist_of(report: Report, named: str | None) -> Checklist | None:
    """The one that a report was made with, to the byte: the named one, else one of the shipped; else None."""
    from gosip_check.checklist import load_file, shipped

    checklists = [load_checklist(named)] if named else [load_file(path) for path in shipped().values()]
    return next((checklist for checklist in checklists if checklist.identity == report.checklist), None)


def a_file(context: click.Context, parameter: click.Parameter, name: str | None) -> str | None:
    """A callback for what is written to: names that mean something else elsewhere here, or to SQLite, are refused."""
    if name is not None and (name in ("", "-") or name.startswith((":", "file:"))):
        what = parameter.get_error_hint(context).strip("'")
        raise UsageProblem(f"{what}: {name!r} names no file and no folder; ./{name or 'name'} would.")
    return name


def reflector_key(option: str, file: str) -> bytes:
    """The key that packets to and from a reflector are signed with."""
    from gosip_check.probes import far_end

    with input_errors(ValueError, prefix=f"{option} "):
        return far_end.read_key(file)


def signing_key(file: str | None, *, signs: bool) -> Key | None:
    """The key that a report is signed with, or verified."""
    from gosip_check.signing import Key, SigningError

    with input_errors(SigningError):
        return None if file is None else Key(Path(file), signs=signs)
