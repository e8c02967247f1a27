"""Groups of commands: a help that cuts no line and shows an example, and a suggestion for a wrong name. Click only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

_ELSEWHERE = {
    "version": "--version",
    "help": "--help",
    "check": "run",
    "test": "run",
    "doctor": "run",
    "compare": "report compare",
    "show": "report show",
    "list": "report list",
}
"What people type who know other tools -> what it is here."


class Commands(click.Group):
    """A group whose help lists every command whole. sections: heading -> the names under it; empty: one list."""

    sections: Mapping[str, Sequence[str]] = {}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As Click's, but in sections, and with the whole first sentence."""
        for heading, names in (self.sections or {"Commands": self.list_commands(ctx)}).items():
            commands = {name: self.get_command(ctx, name) for name in names}
            rows = [(name, command.get_short_help_str(1000)) for name, command in commands.items() if command]
            with formatter.section(heading):
                formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As Click's, but for a name that there is not: one that is close, or what it is called here."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"No such command {name!r}{self._instead(ctx, name)}")
        return super().resolve_command(ctx, args)

    def _instead(self, ctx: click.Context, name: str) -> str:
        import difflib

        close = difflib.get_close_matches(name, self.list_commands(ctx), 1)
        if ctx.parent is None and name in _ELSEWHERE:
            close = [_ELSEWHERE[name]]
        return f"; did you mean '{ctx.command_path} {close[0]}'?" if close else "."


def example(*lines: str) -> str:
    """The end of a command's help: command lines that can be typed as they stand."""
    return "\n".join(["\b", "Example:", *(f"  gosip-check {line}" for line in lines)])
