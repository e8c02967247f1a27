"""The options that commands share. What reaches a probe as a setting has the name of its field in `Settings`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from gosip_check.cli import complete
from gosip_check.report import FORMATS

DEFAULT_CHECKLIST = "go-native"

Option = Callable[[Any], Any]
"A decorator that adds one option or several to a command."


def shared(*options: Option) -> Option:
    """Several options as one decorator."""

    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def format_option(name: str) -> Option:
    """`--json` and its like."""
    return click.option(f"--{name}", metavar="FILE|-", help=FORMATS[name].option)


format_options = shared(*map(format_option, FORMATS))
"A file for each format, under the format's name."

skip_option = click.option(
    "--skip",
    metavar="ID",
    multiple=True,
    shell_complete=complete.requirement_ids,
    help="Leave out requirements, such as host.* (repeatable).",
)

checklist_option = click.option(
    "--checklist",
    metavar="ID|PATH",
    default=DEFAULT_CHECKLIST,
    show_default=True,
    shell_complete=complete.checklists,
    help="What the site is held against.",
)

everything_option = click.option(
    "--all", "everything", is_flag=True, help="Show every check with its reason, not the last screen only."
)


def outputs(skip: Option) -> Option:
    """Where a report goes and what it holds; with the command's own form of --skip."""
    return shared(
        click.option("--form", metavar="FILE", help="The Customer Compliance Form to show beside the result."),
        format_options,
        click.option("--sign-key-file", metavar="FILE", help="Sign the report with this Ed25519 or shared key."),
        skip,
        click.option("--company", metavar="NAME", help="Who checks: your company's name, for the report."),
        everything_option,
        click.option("--quiet", is_flag=True, help="Print the outcome in one line only."),
    )


output_options = outputs(skip_option)

site_options = shared(
    checklist_option,
    click.option(
        "--link",
        "links",
        metavar="NAME=ADDRESS|INTERFACE",
        multiple=True,
        shell_complete=complete.links,
        help="An internet line to test, such as Internet-1=eth0 (repeatable).",
    ),
    click.option(
        "--dns-server",
        "dns_servers",
        metavar="ADDRESS[:PORT]",
        multiple=True,
        help="A resolver to ask beside this machine's own (repeatable).",
    ),
    click.option("--site", metavar="ID", default="", help="The id of the customer's site, the same in every run."),
)


reflector_option = click.option(
    "--reflector", metavar="HOST[:PORT]", help="A far end: `gosip-check reflector`; for media any STAMP reflector."
)

reflector_options = shared(
    reflector_option,
    click.option("--reflector-key-file", metavar="FILE", help="The key that the reflector wants packets signed with."),
)


far_end_link_options = shared(
    click.option(
        "--far-end-link",
        "far_end_link",
        metavar="NAME=INTERFACE|ADDRESS",
        shell_complete=complete.links,
        help="Another line of this machine as the far end, such as phone=wlan0.",
    ),
    click.option(
        "--stun",
        metavar="HOST[:PORT]",
        multiple=True,
        help="A STUN server that says as what this line and --far-end-link are seen (give two).",
    ),
)


transfer_options = shared(
    click.option("--download", metavar="URL", help="Read the calls' rate from here, where echoes do not decide it."),
    click.option("--upload", metavar="URL", help="Write the calls' rate to here, likewise."),
)


class _Seconds(click.FloatRange):
    """A range of seconds. `nan` lies in every range, and is no time."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if seconds != seconds:
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds


duration_option = click.option(
    "--duration",
    "duration_s",
    metavar="SECONDS",
    type=_Seconds(1, 600),
    default=20,
    show_default=True,
    help="How long media is measured; less proves less.",
)

thorough_option = click.option(
    "--thorough",
    is_flag=True,
    help="Take minutes more: a load of 20 s, and with --reflector how long NAT and firewall remember a flow.",
)

gentle_option = click.option("--gentle", is_flag=True, help="Where media is measured, send nothing but round trips.")

under_load_option = click.option(
    "--under-load",
    is_flag=True,
    help="Fill the way out for ten seconds, and see whether voice goes first; people notice.",
)

channels_option = click.option(
    "--channels",
    type=click.IntRange(1, 2000),
    default=10,
    show_default=True,
    help="Calls at the same time that the line must carry.",
)

find_capacity_option = click.option(
    "--find-capacity", is_flag=True, help="Also try how many channels the line carries (up to 2000)."
)
