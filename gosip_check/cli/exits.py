"""Exit codes, one meaning each, and the exceptions that end a command with one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import click

EXIT_READY = 0
EXIT_NOT_READY = 1
EXIT_USAGE = 2
EXIT_INCONCLUSIVE = 3
EXIT_TOOL_FAILED = 4

EXIT_CODES = """\
\b
Exit codes:
  0  ready (warnings allowed)
  1  not ready: a required check failed
  2  wrong usage, or an input file that cannot be used
  3  not decided: a required check could not be measured
  4  gosip-check itself failed, for example could not write the report
"""


_PASSWORD = re.compile(r"(?<=[^\s:/@]):[^\s:/@]+@")
"The password of `user:password@host`, which somebody may have typed where an address belongs."


class UsageProblem(click.ClickException):
    """Bad input, in one sentence; exit code 2."""

    exit_code = EXIT_USAGE

    def __init__(self, message: str) -> None:
        from gosip_check.report.text import visible

        super().__init__(visible(_PASSWORD.sub(":...@", message)))


class ToolFailed(UsageProblem):
    """What could not be done through no fault of the input; exit code 4."""

    exit_code = EXIT_TOOL_FAILED


@contextmanager
def input_errors(*kinds: type[Exception], prefix: str = "") -> Iterator[None]:
    """Errors of these kinds are sentences about what was given: they end the command with exit code 2."""
    try:
        yield
    except kinds as error:
        raise UsageProblem(f"{prefix}{error}") from error


@contextmanager
def output_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Errors of these kinds are sentences about what could not be done: they end the command with exit code 4."""
    try:
        yield
    except kinds as error:
        raise ToolFailed(str(error)) from error
