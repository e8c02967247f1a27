"""A report says and never decides. One file per format; FORMATS names those that are written to files.

A format is `to_<name>.py` with a function `to_<name>(report)`, and one line in the table: the option `--<name>` and the
command `report <name>` follow from it. A format's file is imported when it is wanted.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gosip_check.records import Report


class NotInstalled(Exception):
    """A format needs a library that is not there. The text is a sentence that says what to do."""


@dataclass(frozen=True)
class Format:
    """How a report is written. option: the help of `--<name>`.

    command: the help of `report <name>`; empty where it would only make of a saved report what it is.
    instead: what to do where its library, the extra of the same name, is not installed. has_more: with `everything` it
    also holds each verdict's reason and the raw facts.
    """

    name: str
    option: str
    command: str = ""
    instead: str = ""
    has_more: bool = False

    def load(self) -> Callable[..., str | bytes]:
        """The function that writes it. Raises NotInstalled."""
        module = f"{__name__}.to_{self.name}"
        try:
            writer: Callable[..., str | bytes] = getattr(importlib.import_module(module), f"to_{self.name}")
        except ModuleNotFoundError as error:
            if not self.instead:
                raise
            extra = f"{self.name.upper()} needs the extra `{self.name}`: pip install 'gosip-check[{self.name}]'."
            raise NotInstalled(f"{extra} {self.instead}") from error
        return writer

    def __call__(self, report: Report, *, everything: bool = False) -> str | bytes:
        """The whole document."""
        return self.load()(report, everything=True) if everything and self.has_more else self.load()(report)


FORMATS = {
    written.name: written
    for written in (
        Format("json", "Write the report as JSON; - prints it, and nothing else."),
        Format(
            "html",
            "Write the report as a page, to be read, printed or mailed.",
            "Write a saved report as a page.\n\nSelf-contained, readable on a phone, printed on A4, to be signed.",
            has_more=True,
        ),
        Format("svg", "Write the summary as a picture.", "Write the summary of a saved report as a picture."),
        Format(
            "pdf",
            "Write the report as PDF; needs the extra `pdf`.",
            "Write a saved report as PDF; needs the extra `pdf`.\n\nWithout it, print the page of `report html`.",
            instead="Or print the page of `gosip-check report html`: it is made for A4.",
            has_more=True,
        ),
    )
}
