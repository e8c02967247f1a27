"""The files that a command is given, each kind read in one place. What is wrong with one is a UsageProblem."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gosip_check.cli.exits import input_errors

if TYPE_CHECKING:
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


def load_report(file: str) -> Report:
    """A saved report; `-` is standard input."""
    from gosip_check.report.load import ReportError, load

    with input_errors(ReportError):
        return load(Path(file))


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
