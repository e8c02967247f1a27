"""The entry point: exit codes for what Click leaves open. Imports nothing but Click until a command runs."""

import contextlib
import errno
import os
import sys
import threading
from types import TracebackType
from typing import NoReturn

import click

from gosip_check.cli.app import gosip_check
from gosip_check.cli.exits import EXIT_TOOL_FAILED, EXIT_USAGE

_LINUX_ONLY = (
    "gosip-check runs on Linux only: start this computer from a Linux USB stick, or bring a small Linux computer."
)

_LAST_STREAM = 2
_STACK_OCTETS = 2 << 20
"Of a thread; the usual 8 MiB are more than a small machine may give to ten of them."
_OF_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF, errno.EFBIG}


def main() -> None:
    """Run the command line; exit 4 for what is our own fault, so that a crash never looks like a verdict."""
    sys.excepthook = _crashed
    threading.stack_size(_STACK_OCTETS)
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):  # a redirected one may have an encoding without a tick
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    if sys.platform != "linux":
        click.echo(f"Error: {_LINUX_ONLY}", err=True)
        _leave(_for_nagios(EXIT_USAGE))
    try:
        code = gosip_check.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        code = error.exit_code
        with contextlib.suppress(OSError):
            error.show()
    except click.Abort:
        click.echo("Stopped.", err=True)
        code = EXIT_TOOL_FAILED
    except (OSError, MemoryError, RuntimeError, SystemExit) as error:  # Click makes an exit code 1 of a closed pipe
        sentence = _machine_trouble(error)
        if sentence is None:
            raise
        code = EXIT_TOOL_FAILED
        with contextlib.suppress(OSError):
            click.echo(sentence, err=True, nl=bool(sentence))
    _leave(code)


def _open_closed_streams() -> None:
    """Else Python's stream is None, and the next file or socket that is opened takes its number."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= _LAST_STREAM:
        pass
    os.close(number)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - it stays open until the end
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def _machine_trouble(error: BaseException) -> str | None:
    """What to say where this machine is why the command ended; empty where nobody hears it. None where it is not."""
    from gosip_check.scarce import scarcity

    sentence = scarcity(error)
    if sentence is not None:
        return f"Error: {sentence}"
    if isinstance(error, SystemExit) or (isinstance(error, OSError) and error.errno == errno.EPIPE):
        return ""
    if isinstance(error, OSError):
        what = error.strerror or str(error) or type(error).__name__
        place = f"{error.filename}: " if error.filename else "cannot write: " if error.errno in _OF_WRITING else ""
        return f"Error: {place}{what}."
    return None


def _leave(code: int) -> NoReturn:
    """At once, whatever thread still waits for something. What is still buffered must not fail again."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(_for_nagios(code) if code == EXIT_TOOL_FAILED else code)


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    try:
        sys.__excepthook__(kind, error, trace)
        print("This is a fault of gosip-check itself; it says nothing about the site.", file=sys.stderr)
        sys.stderr.flush()
    finally:
        os._exit(_for_nagios(EXIT_TOOL_FAILED))


def _for_nagios(code: int) -> int:
    """For a Nagios plugin 3, UNKNOWN: its other codes mean something else."""
    return 3 if "--nagios" in sys.argv else code


if __name__ == "__main__":
    main()
