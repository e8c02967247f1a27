"""The entry point: exit codes for what Click leaves open. Imports nothing but Click until a command runs."""

import contextlib
import errno
import os
import sys
from types import TracebackType

import click

from gosip_check.cli.app import gosip_check
from gosip_check.cli.exits import EXIT_TOOL_FAILED, EXIT_USAGE

_LINUX_ONLY = (
    "gosip-check runs on Linux only: start this computer from a Linux USB stick, or bring a small Linux computer."
)


def main() -> None:
    """Run the command line; exit 4 for what is our own fault, so that a crash never looks like a verdict."""
    sys.excepthook = _crashed
    # A closed stream is None, which would crash whoever prints; a redirected one may have an encoding without a tick.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - it stays open until the end
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    if sys.platform != "linux":
        click.echo(f"Error: {_LINUX_ONLY}", err=True)
        sys.exit(_code(EXIT_USAGE))
    try:
        code = gosip_check.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        click.echo("Stopped.", err=True)
        code = EXIT_TOOL_FAILED
    except (OSError, SystemExit) as error:  # output that nobody takes: Click makes an exit code 1 of a closed pipe
        code = EXIT_TOOL_FAILED
        with contextlib.suppress(OSError):
            if isinstance(error, OSError) and error.errno != errno.EPIPE:
                click.echo(f"Error: cannot write: {error.strerror}.", err=True)
        nowhere = os.open(os.devnull, os.O_WRONLY)  # what is still buffered must not fail again when Python ends
        for number in (1, 2):
            os.dup2(nowhere, number)
    sys.exit(code)


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    try:
        sys.__excepthook__(kind, error, trace)
        print("This is a fault of gosip-check itself; it says nothing about the site.", file=sys.stderr)
        sys.stderr.flush()
    finally:
        os._exit(_code(EXIT_TOOL_FAILED))


def _code(code: int) -> int:
    """For a Nagios plugin 3, UNKNOWN: its other codes mean something else."""
    return 3 if "--nagios" in sys.argv else code


if __name__ == "__main__":
    main()
