"""The commands. Each file parses, calls and returns an exit code; everything but Click is imported when a command runs."""

import click

from gosip_check import __version__

EXIT_READY = 0
EXIT_NOT_READY = 1
EXIT_USAGE = 2
EXIT_INCONCLUSIVE = 3
EXIT_TOOL_FAILED = 4

EXIT_CODES = """\
\b
Exit codes:
  0  ready (warnings allowed)
  1  not ready: something that must be so is not
  2  wrong usage, or an input file that cannot be used
  3  inconclusive: something that decides could not be found out
  4  gosip-check itself failed, for example could not write the report
"""


class UsageProblem(click.ClickException):
    """Bad input, in one sentence; exit code 2."""

    exit_code = EXIT_USAGE

    def __init__(self, message: str) -> None:
        from gosip_check.report.text import visible

        super().__init__(visible(message))


class ToolFailed(UsageProblem):
    """What could not be done through no fault of the input; exit code 4."""

    exit_code = EXIT_TOOL_FAILED


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gosip-check")
def gosip_check() -> None:
    """Will calls work here? Checks a site before its SIP trunk is provisioned.

    Start with `gosip-check demo`, which needs no network, and then `gosip-check run` at the site.
    """


# The commands import this file for their exit codes, so the table stands below them.
from gosip_check.cli.checklist import checklist  # noqa: E402
from gosip_check.cli.demo import demo  # noqa: E402
from gosip_check.cli.form import form  # noqa: E402
from gosip_check.cli.run import firewall, host, run, srv  # noqa: E402
from gosip_check.cli.schema import schema  # noqa: E402

for command in (run, srv, firewall, host, demo, form, checklist, schema):
    gosip_check.add_command(command)
