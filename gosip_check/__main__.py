"""The entry point: exit codes for what Click leaves open. Imports nothing but Click until a command runs."""

import os
import sys
from types import TracebackType

import click

from gosip_check.cli.app import gosip_check
from gosip_check.cli.exits import EXIT_TOOL_FAILED


def main() -> None:
    """Run the command line; exit 4 for what is our own fault, so that a crash never looks like a verdict."""
    sys.excepthook = _crashed
    for stream in (sys.stdout, sys.stderr):  # a redirected stream may have an encoding without a check mark
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        code = gosip_check.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        click.echo("Stopped.", err=True)
        code = EXIT_TOOL_FAILED
    except (BrokenPipeError, SystemExit):  # whoever read our output has gone, which Click makes an exit code 1
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_TOOL_FAILED
    sys.exit(code)


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.__excepthook__(kind, error, trace)
    print("This is a fault of gosip-check itself; it says nothing about the site.", file=sys.stderr)
    sys.stderr.flush()
    os._exit(3 if "--nagios" in sys.argv else EXIT_TOOL_FAILED)  # a plugin has no fourth code; 3 is UNKNOWN


if __name__ == "__main__":
    main()
