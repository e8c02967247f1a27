"""Kept reports of `run`: a file each, which only its owner reads, and of them the newest hundred. Judges nothing.

A report's id begins with its time, so names in their order are reports in theirs. Several runs may keep at once: each
has a file of its own, and what one of them takes away the other does not miss.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from gosip_check.folders import state_folder
from gosip_check.records import Report
from gosip_check.report.load import ReportError, load
from gosip_check.report.output import Output, OutputError
from gosip_check.report.to_json import to_json

MOST = 100
LAST = "last"
"What the newest is called."

_MODE = 0o600
_ID_LENGTH = 26


class KeptError(Exception):
    """A run that cannot be kept, or is not. The text is a sentence."""


def folder() -> Path:
    """Where they lie. Raises NoHomeFolder."""
    return state_folder() / "runs"


def make_room() -> None:
    """Find out before a run whether it can be kept. Raises KeptError, NoHomeFolder."""
    _output("probe").discard()


def keep(report: Report) -> Path:
    """Write it, and let the oldest go. Raises KeptError, NoHomeFolder."""
    output = _output(f"{report.id}.json")
    try:
        output.write(to_json(report), _MODE)
    except OutputError as error:
        raise KeptError(str(error)) from error
    path = folder() / f"{report.id}.json"
    for old in [each for each in paths() if each != path][MOST - 1 :]:
        with contextlib.suppress(OSError):  # another run was quicker, or the folder is not ours any more
            old.unlink()
    return path


def paths() -> list[Path]:
    """The files, newest first. Raises NoHomeFolder."""
    return sorted((path for path in folder().glob("*.json") if len(path.stem) == _ID_LENGTH), reverse=True)


def reports() -> Iterator[tuple[Path, Report | ReportError]]:
    """All of them, newest first, and the trouble with one that cannot be read. Raises NoHomeFolder."""
    for path in paths():
        try:
            yield path, load(path)
        except ReportError as error:
            yield path, error


def is_name(text: str) -> bool:
    """`last`, a number of `report list`, or an id: the name of a kept report, and no file."""
    return text == LAST or (text.isascii() and text.isdigit()) or (len(text) == _ID_LENGTH and text.isalnum())


def path_of(name: str) -> Path:
    """The file of a kept report by its name. Raises KeptError, NoHomeFolder."""
    known = paths()
    if not known:
        raise KeptError("No run is kept yet; `gosip-check run` keeps each one.")
    if len(name) == _ID_LENGTH:
        found = [path for path in known if path.stem == name.upper()]
    else:
        number = 1 if name == LAST else int(name[:9])
        found = known[number - 1 : number] if number > 0 else []
    if not found:
        raise KeptError(f"There is no kept run {name!r}; `gosip-check report list` shows the {len(known)} there are.")
    return found[0]


def _output(name: str) -> Output:
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Output(str(place / name))
    except OSError as error:
        raise KeptError(f"{place}: cannot be used: {error.strerror}.") from error
    except OutputError as error:
        raise KeptError(str(error)) from error
