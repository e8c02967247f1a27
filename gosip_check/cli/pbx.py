"""`pbx`: is the PBX set up as the provider's guide demands? From what it says, in a rehearsal or in a trace."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gosip_check.cli import complete
from gosip_check.cli.commands import Commands, example
from gosip_check.cli.exits import UsageProblem, input_errors
from gosip_check.cli.options import Option, output_options, outputs, shared

if TYPE_CHECKING:
    from gosip_check.heard import Heard
    from gosip_check.plan import Plan

_NUMBER = re.compile(r"\+?[0-9]{3,17}")

checklist_option = click.option(
    "--checklist", metavar="ID|PATH", default="go-native", show_default=True, help="What the PBX is held against."
)

account_options: Option = shared(
    click.option("--user", metavar="NAME", help="The SIP user name that the provider supplied."),
    click.option(
        "--numbers",
        metavar="NUMBER,...",
        help="The account's own numbers, such as 21669015,21669016.",
    ),
    click.option("--show-numbers", is_flag=True, help="Write numbers in full; by default their last two digits."),
)
"Of every way to judge a PBX."


@click.group(cls=Commands, epilog=example("pbx rehearse --user 35621669015 --skip long", "pbx trace trunk.pcap"))
def pbx() -> None:
    """The PBX itself: is it set up as the provider's guide demands?"""


@pbx.command(epilog=example("pbx rehearse --user 35621669015 --numbers 21669015,21669016"))
@checklist_option
@click.option("--pbx", metavar="ADDRESS", help="The PBX: nothing else is served. [default: the first that registers]")
@click.option(
    "--address", metavar="ADDRESS", help="Of this laptop, for DNS and SIP. [default: the one towards the PBX]"
)
@click.option("--second-address", "second", metavar="ADDRESS", help="One that is free, for the second site (root).")
@click.option(
    "--only",
    metavar="PHASE",
    multiple=True,
    shell_complete=complete.of(lambda _: _phases()),
    help="Only the registration and this phase (repeatable).",
)
@click.option("--no-dns", is_flag=True, help="The PBX cannot use this laptop as its DNS server: it gets an address.")
@click.option("--no-forward", is_flag=True, help="Refuse all names but the trunk's, and ask no resolver.")
@click.option("--yes", is_flag=True, help="Begin without waiting for Return.")
@account_options
@outputs(
    click.option(
        "--skip",
        metavar="PHASE|ID",
        multiple=True,
        shell_complete=complete.of(lambda _: ["long", *_phases()]),
        help="Leave out a phase, all that take long (`long`), or a requirement such as pbx.clir (repeatable).",
    )
)
def rehearse(skip: tuple[str, ...], **options: Any) -> int:
    """Play the trunk for a real PBX, and judge what it does.

    This laptop is its DNS server, registrar and far end: before the trunk exists, and never while it is in use on this
    PBX. No call and no digit leaves this laptop. Needs no root but for DNS (port 53): a sentence says how to allow it.
    """
    from gosip_check.cli.rehearsal.rehearse import rehearse as carry_out

    if options["user"] is None:
        raise UsageProblem("--user: name the SIP user that the provider supplied, or will; such as 35621669015.")
    requirements = [name for name in skip if "." in name or "*" in name]
    plan = plan_of_pbx("pbx rehearse", {**options, "skip": requirements})
    left_out = [name for name in skip if name not in requirements]
    return carry_out(plan, numbers_of(options["numbers"]), {**options, "left_out": left_out})


@pbx.command(epilog=example("pbx trace trunk.pcap"))
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@checklist_option
@click.option("--pbx", "pbx_address", metavar="ADDRESS", help="Which speaker is the PBX, where that is not sure.")
@account_options
@output_options
def trace(files: tuple[str, ...], **options: Any) -> int:
    """Judge what a PBX and the trunk said, from captures and text logs.

    Captures are pcap or pcapng, gzipped as well. No network is used. No password and no voice is read or written.
    """
    from dataclasses import replace

    from gosip_check.cli.carry_out import carry_out

    plan = plan_of_pbx("pbx trace", options)
    return carry_out(replace(plan, heard=_heard(files, plan, options)), options)


def _phases() -> list[str]:
    from gosip_check.servers.rehearsal.phases import PHASES

    return [phase.name for phase in PHASES]


def plan_of_pbx(command: str, options: dict[str, Any]) -> Plan:
    """What is demanded of the PBX, to be judged from what was `heard`. Raises UsageProblem."""
    from dataclasses import replace

    from gosip_check.cli.plan import plan_of
    from gosip_check.heard import WAYS
    from gosip_check.records import Link

    way = WAYS[command]
    plan = plan_of(command, options, lambda checklist: [r for r in checklist.requirements if way in r.ways])
    if not plan.requirements:
        device = plan.checklist.trunk.device
        raise UsageProblem(
            f"{plan.checklist.identity.id} demands nothing of a PBX: there the {device} registers at the trunk."
        )
    return replace(plan, links=[Link(name="PBX")])


def numbers_of(text: str | None) -> list[str]:
    """The account's numbers, as --numbers has them. Raises UsageProblem."""
    numbers = [number.strip() for number in (text or "").split(",") if number.strip()]
    for number in numbers:
        if not _NUMBER.fullmatch(number):
            raise UsageProblem(f"--numbers {number!r}: digits alone would be right, such as 21669015,21669016.")
    return numbers


def _heard(files: tuple[str, ...], plan: Plan, options: dict[str, Any]) -> Heard:
    from gosip_check.trace.reading import TraceError, read
    from gosip_check.trace.sides import Account, Trunk, heard_in

    trunk = plan.checklist.trunk
    account = Account(options["user"], numbers_of(options["numbers"]), options["show_numbers"])
    with input_errors(TraceError):
        trace = read([Path(file) for file in files])
        return heard_in(trace, Trunk(trunk.domain, trunk.networks), options["pbx_address"], account)
