"""A saved report -> Report, or one sentence that says why not. Trusts nothing in the file and judges nothing.

Reads what this version and older minor versions wrote: a field that an older one did not know takes its default. What
this version does not know is refused, because leaving it out would change what the document says.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec.structs import replace

from gosip_check import __version__
from gosip_check.records import STOPPED, FailureKind, Report
from gosip_check.textfile import encoding_trouble

LARGEST_FILE = 16 * 1024 * 1024
STANDARD_INPUT = "-"
SCHEMA: str = get_args(Report.__annotations__["schema"])[0]
ORDER_SCHEMA = "gosip-check/order/1"
"Of a document that holds two reports."


_YEARS = (2, 9998)
"Times beyond cannot be written in every time zone. Whether any clock shows such a year is not asked here."

DEEPEST = 32
"Objects and lists inside each other. A report has about ten; what writes one takes its own stack for each."

MOST_LINKS = 64
MOST_SKIPPED, LONGEST_SKIPPED = 200, 200
"Globs that a run may leave out, and the letters of one."
_LONGEST_ID = 64
"A run's has 26 letters. It stands in the names of files and in the code on a page, which hold only so many."
_MOST_VERDICTS = 1_000
"On one line; a checklist has a few dozen."
_MOST_MEASUREMENTS = 64
"Of one probe on one line: one for each set of options that requirements choose."


class ReportError(Exception):
    """A file that is not a report, or cannot be read here. The text is a sentence for the person who named it."""


def load(path: Path) -> Report:
    """`-` is standard input. Raises ReportError."""
    return parse(read(path), str(path))


def read(path: Path) -> bytes:
    """The bytes of a report's file, of standard input for `-`. Raises ReportError."""
    try:
        if str(path) == STANDARD_INPUT:
            content = sys.stdin.buffer.read(LARGEST_FILE + 1) if sys.stdin else b""
        else:
            with path.open("rb") as file:
                content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ReportError(f"{path}: cannot be read: {error.strerror}.") from error
    return bounded(content, str(path))


def bounded(content: bytes, where: str) -> bytes:
    """The same bytes. Raises ReportError for more than any report has."""
    if len(content) > LARGEST_FILE:
        raise ReportError(f"{where}: is larger than {LARGEST_FILE // 1024 // 1024} MiB, so it is no report.")
    return content


def parse(content: bytes, where: str) -> Report:
    """`where` names the file in sentences. Raises ReportError."""
    return report_of(document_of(content, where), content, where)


def report_of(document: dict[str, Any], content: bytes, where: str) -> Report:
    """Where the document of these bytes is there already. Raises ReportError."""
    schema = document.get("schema")
    if schema == ORDER_SCHEMA:
        raise ReportError(
            f"{where}: is an order of two reports; `report show`, `text` and `check` take it, nothing else."
        )
    if schema != SCHEMA:
        newer = isinstance(schema, str) and re.fullmatch(r"gosip-check/report/[0-9]{1,9}", schema)
        if newer:
            raise ReportError(
                f"{where}: was written in the format {schema}; this is {__version__}, which reads {SCHEMA}."
            )
        raise ReportError(f"{where}: is no report of gosip-check: it does not name the format {SCHEMA}.")
    written_by = document.get("tool_version")
    if isinstance(written_by, str) and _version_of(written_by) > _version_of(__version__):
        raise ReportError(f"{where}: was written by gosip-check {written_by[:20]}; this is {__version__}, and older.")
    try:
        report = msgspec.json.decode(content, type=Report)
    except msgspec.ValidationError as error:
        fault = str(error).replace("`", "")
        raise ReportError(f"{where}: is damaged or was edited: {fault}.") from error
    except msgspec.DecodeError as error:
        raise ReportError(f"{where}: is damaged: {error}.") from error
    if not _version_of(report.tool_version):
        raise ReportError(f"{where}: is damaged or was edited: it does not say which version wrote it.")
    years = [report.started.year, *(measurement.started.year for measurement in report.measurements)]
    if not all(_YEARS[0] <= year <= _YEARS[1] for year in years):
        raise ReportError(f"{where}: is damaged or was edited: it was made in the year {min(years)} to {max(years)}.")
    too_much = _too_much(report)
    if too_much is not None:
        raise ReportError(f"{where}: is damaged or was edited: it holds {too_much}.")
    return as_of_today(report)


def _too_much(report: Report) -> str | None:
    """What of it no run makes so many of: whoever reads a report may take time for each with each."""
    places = len(report.links) + 1
    of_a_probe = Counter((measurement.probe, measurement.link) for measurement in report.measurements)
    most = max(of_a_probe.values(), default=0)
    if len(report.id) > _LONGEST_ID:
        return f"an id of {len(report.id)} letters, and a run's has 26"
    if len(report.links) > MOST_LINKS:
        return f"{len(report.links)} internet lines, and a run has {MOST_LINKS} at most"
    if len(report.skip) > MOST_SKIPPED or any(len(pattern) > LONGEST_SKIPPED for pattern in report.skip):
        return "more of what was left out on request (--skip) than a run takes"
    if len(report.verdicts) > _MOST_VERDICTS * places:
        return f"{len(report.verdicts)} verdicts, and no checklist has so many requirements"
    if most > _MOST_MEASUREMENTS or len(of_a_probe) > len(report.verdicts) + _MOST_VERDICTS:
        return f"{len(report.measurements)} measurements, and no run makes so many"
    return None


def as_of_today(report: Report) -> Report:
    """What 0.1 wrote in the records of today. It told a stopped verdict, and what took too long, by their sentences."""
    if _version_of(report.tool_version) >= (0, 2):
        return report
    verdicts = [replace(v, stopped=True) if v.reason == STOPPED else v for v in report.verdicts]
    measurements = [
        replace(m, failure=replace(m.failure, kind=FailureKind.BUG))
        if m.failure and m.failure.kind is FailureKind.INTERRUPTED and m.failure.message != STOPPED
        else m
        for m in report.measurements
    ]
    return replace(report, verdicts=verdicts, measurements=measurements)


def document_of(content: bytes, where: str) -> dict[str, Any]:
    """The JSON as it stands. A name that stands twice is refused: two readers could understand it differently."""
    if trouble := encoding_trouble(content):
        raise ReportError(f"{where}: {trouble}.")
    try:
        document = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ReportError(f"{where}: is not valid JSON: {error.msg} (line {error.lineno}).") from error
    except RecursionError as error:
        raise ReportError(f"{where}: is nested too deeply to be a report.") from error
    except ValueError as error:
        raise ReportError(f"{where}: is not valid JSON: {error}.") from error
    if not isinstance(document, dict):
        raise ReportError(f"{where}: is no report of gosip-check: it is not an object.")
    if _is_deeper(document, DEEPEST):
        raise ReportError(f"{where}: is nested too deeply to be a report.")
    return document


def _is_deeper(document: dict[str, Any], most: int) -> bool:
    level: list[Any] = [document]
    for _ in range(most):
        level = [item for each in level for item in _items(each) if isinstance(item, dict | list)]
        if not level:
            return False
    return True


def _items(document: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return document.values() if isinstance(document, dict) else document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return document


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _version_of(text: str) -> tuple[int, ...]:
    """The three numbers that a version begins with; empty for any other text."""
    numbers = re.match(r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})", text)
    return tuple(map(int, numbers.groups())) if numbers else ()
