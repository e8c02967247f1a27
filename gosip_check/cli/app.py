"""The command line: the group, and the table of its commands; a command's file is imported when it is wanted."""

import importlib

import click

from gosip_check import __version__
from gosip_check.cli.exits import EXIT_CODES
from gosip_check.cli.run import GROUPS, group_command

# Command -> the file that holds the function of that name, in the order of --help. GROUPS has those of one group each.
COMMANDS = {
    "run": "run",
    **dict.fromkeys(GROUPS, "run"),
    "register": "register",
    "demo": "demo",
    "recommend": "recommend",
    "reflector": "reflector",
    "form": "form",
    "report": "report",
    "health": "health",
    "watch": "watch",
    "history": "history",
    "schedule": "schedule",
    "fleet": "fleet",
    "checklist": "checklist",
    "schema": "schema",
}


class _Commands(click.Group):
    """A group whose commands are those of the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name in GROUPS:
            return group_command(cmd_name)
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"gosip_check.cli.{COMMANDS[cmd_name]}"), cmd_name)
        return command


@click.group(cls=_Commands, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gosip-check")
def gosip_check() -> None:
    """Will calls work here? Checks a site before its SIP trunk is provisioned.

    Start with `gosip-check demo`, which needs no network, and then `gosip-check run` at the site.
    """
