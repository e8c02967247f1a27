"""The files that `report check` and `report table` are given: files, folders, standard input; one by one or many."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TypeVar

from gosip_check.cli.exits import UsageProblem
from gosip_check.cli.inputs import report_path

Source = tuple[str, bytes | None]
"What a file is called, and its content where it was read already."

Result = TypeVar("Result")


def for_each(
    function: Callable[[Source], Result], names: Sequence[str], lost: Callable[[Source], Result]
) -> Iterator[Result]:
    """A result for every report, in order; on all cores where there are several. lost: of one whose process died.

    Raises UsageProblem.
    """
    if len(names) == 1 and names[0] != "-" and not Path(names[0]).is_dir():
        yield function((str(report_path(names[0])), None))
        return
    from gosip_check.cores import on_all_cores

    yield from on_all_cores(function, sources(names), lost)


def sources(names: Sequence[str]) -> Iterator[Source]:
    """Every report that the names stand for: a folder for all *.json in it and below, `-` for standard input."""
    for name in names:
        if name == "-":
            yield from _piped(sys.stdin.buffer if sys.stdin else None)
        elif Path(name).is_dir():
            files = sorted(_below(Path(name)))
            if not files:
                raise UsageProblem(f"{name}: there is no file *.json in this folder.")
            yield from ((str(file), None) for file in files)
        else:
            yield str(report_path(name)), None


def _below(folder: Path) -> Iterator[Path]:
    for where, _, files in os.walk(folder):
        yield from (path for file in files if file.endswith(".json") and (path := Path(where, file)).is_file())


def _piped(pipe: IO[bytes] | None) -> Iterator[Source]:
    """One report that is written over many lines, as the tool does, or one a line, as `history export` does."""
    from gosip_check.report.load import LARGEST_FILE

    first = pipe.readline(LARGEST_FILE + 1) if pipe else b""
    if pipe is None or first.strip() in (b"", b"{"):
        yield "-", first + (pipe.read(LARGEST_FILE + 1) if pipe else b"")
        return
    line, number = first, 1
    while line:
        if line.strip():
            yield f"-:{number}", line
        while line and not line.endswith(b"\n"):  # the rest of a line that is too long
            line = pipe.readline(LARGEST_FILE)
        line, number = pipe.readline(LARGEST_FILE + 1), number + 1
