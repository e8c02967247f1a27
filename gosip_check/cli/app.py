"""The command line: the group, and the table of its commands; a command's file is imported when it is wanted."""

import importlib
from typing import Any

import click

from gosip_check import __version__
from gosip_check.cli.commands import Commands
from gosip_check.cli.defaults import TAKE_DEFAULTS, defaults_for, takes_from_the_environment
from gosip_check.cli.exits import EXIT_CODES
from gosip_check.cli.run import GROUPS, group_command

SECTIONS = {
    "At the site": ["run", *GROUPS, "register", "pbx", "demo"],
    "The report": ["report", "form"],
    "Afterwards": ["health", "watch", "history", "schedule", "fleet"],
    "The far end": ["reflector"],
    "Data": ["explain", "checklist", "recommend", "config", "schema"],
}
"The commands in the order of --help: each a function in a file of its name, but for those of GROUPS."


class _Commands(Commands):
    """A group whose commands are those of the table."""

    sections = SECTIONS

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [name for names in SECTIONS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        if cmd_name in GROUPS:
            command = group_command(cmd_name)
        else:
            command = getattr(importlib.import_module(f"gosip_check.cli.{cmd_name}"), cmd_name)
        return takes_from_the_environment(command) if cmd_name in TAKE_DEFAULTS else command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Also reads the defaults file for a command that takes its options from there; --help works without it."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in TAKE_DEFAULTS and command is not None and not {"-h", "--help"} & set(rest):
            ctx.default_map = {name: _defaults(command, rest)}
        return name, command, rest


def _defaults(command: click.Command, arguments: list[str]) -> dict[str, Any]:
    if "--nagios" not in arguments:
        return defaults_for(command)
    from gosip_check.cli.health import as_nagios

    with as_nagios(asked=True):
        return defaults_for(command)


@click.group(
    cls=_Commands,
    epilog=EXIT_CODES,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, "-V", "--version", prog_name="gosip-check")
@click.pass_context
def gosip_check(context: click.Context) -> int:
    """Will calls work here? Checks a site before its SIP trunk is provisioned.

    Try `gosip-check demo`, which needs no network. At the site, `gosip-check` alone asks what it has to know.
    """
    if context.invoked_subcommand is None:
        from gosip_check.cli.guided import guided

        return guided(context)
    return 0
