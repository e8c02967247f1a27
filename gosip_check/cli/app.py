"""The command line: the group, and the table of its commands."""

import click

from gosip_check import __version__
from gosip_check.cli.checklist import checklist
from gosip_check.cli.demo import demo
from gosip_check.cli.exits import EXIT_CODES
from gosip_check.cli.form import form
from gosip_check.cli.health import health, watch
from gosip_check.cli.history import history
from gosip_check.cli.reflector import reflector
from gosip_check.cli.report import report
from gosip_check.cli.run import alg, bandwidth, firewall, host, nat, quality, run, srv
from gosip_check.cli.schedule import schedule
from gosip_check.cli.schema import schema


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gosip-check")
def gosip_check() -> None:
    """Will calls work here? Checks a site before its SIP trunk is provisioned.

    Start with `gosip-check demo`, which needs no network, and then `gosip-check run` at the site.
    """


for command in (
    run,
    srv,
    firewall,
    alg,
    nat,
    quality,
    bandwidth,
    host,
    demo,
    reflector,
    form,
    report,
    health,
    watch,
    history,
    schedule,
    checklist,
    schema,
):
    gosip_check.add_command(command)
