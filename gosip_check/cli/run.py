"""`run`, and the commands for one group of requirements each: a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from gosip_check.cli.commands import example
from gosip_check.cli.exits import UsageProblem
from gosip_check.cli.options import (
    Option,
    channels_option,
    duration_option,
    far_end_link_options,
    find_capacity_option,
    gentle_option,
    output_options,
    reflector_option,
    reflector_options,
    shared,
    site_options,
    thorough_option,
    transfer_options,
    under_load_option,
)

if TYPE_CHECKING:
    from gosip_check.plan import Plan
    from gosip_check.probes.secret import Secret
    from gosip_check.records import Link

_KBPS_PER_CHANNEL = 100
_ALL_ELSE_S = 2.0
"What is not in a run's budget: names, the way, the first answers."

_BOUND = (
    "--bind registers {user} at this computer for 130 s. Calls may come here meanwhile and are refused. Callers then "
    "hear that nobody is available. Ctrl-C ends it. The registration is taken back at the end."
)


@dataclass(frozen=True)
class Group:
    """A command for one part of a check. ids: globs on requirements, with whatever these need.

    options: beside those that every check has. settings: what is not left to choose.
    without_reflector: what is asked as well where none is named: the trunk's own servers are then timed.
    """

    help: str
    ids: Sequence[str]
    options: Sequence[Option] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    without_reflector: Sequence[str] = ()


GROUPS = {
    "srv": Group("Only DNS: SRV records, targets and resolvers.", ["dns.*"]),
    "firewall": Group(
        "Only the firewall: signalling, media and large messages.",
        ["firewall.*"],
        [reflector_options],
    ),
    "alg": Group(
        "Only the SIP ALG: does something change SIP, where, and how.",
        ["alg.*"],
        [reflector_option, far_end_link_options],
    ),
    "nat": Group(
        "Only address translation: who sees which address.",
        ["nat.*", "link.*"],
        [reflector_options, far_end_link_options, thorough_option],
    ),
    "quality": Group(
        "Only voice quality, on one channel: loss, jitter, delay, score.",
        ["media.loss", "media.jitter", "media.latency", "media.bursts", "media.mos", "media.dscp"],
        [reflector_options, far_end_link_options, duration_option, gentle_option],
        {"channels": 1, "load": False},
        without_reflector=["dns.targets-resolve"],
    ),
    "bandwidth": Group(
        "Only bandwidth: does the line carry all channels, both ways?",
        ["media.*"],
        [
            channels_option,
            find_capacity_option,
            reflector_options,
            far_end_link_options,
            transfer_options,
            duration_option,
            thorough_option,
            gentle_option,
        ],
        without_reflector=["dns.targets-resolve"],
    ),
    "host": Group("Only this machine: processor, memory and clock.", ["host.*"]),
}


@click.command(
    epilog=example(
        "run --form form.toml --json report.json", "run --channels 30 --reflector rx.example.net", "run --again"
    )
)
@click.option(
    "--account",
    "account_file",
    metavar="FILE",
    help="Also try an account, once: TOML with user and password, mode 600.",
)
@click.option("--bind", is_flag=True, help="With --account: stay registered for 130 s. Calls meanwhile are refused.")
@click.option("--edge-snmp", metavar="FILE", help="Also read router or firewall by SNMP while media runs; mode 600.")
@click.option(
    "--again",
    metavar="[REPORT]",
    is_flag=False,
    flag_value="last",
    help="Measure only what did not pass in an earlier run; without a name in the last one.",
)
@click.option("--until-ready", is_flag=True, help="Repeat what keeps the site from ready, until it is or Ctrl-C.")
@site_options
@channels_option
@reflector_options
@far_end_link_options
@transfer_options
@duration_option
@thorough_option
@gentle_option
@under_load_option
@output_options
@click.pass_context
def run(
    context: click.Context,
    /,
    account_file: str | None,
    bind: bool,
    again: str | None,
    until_ready: bool,
    **options: Any,
) -> int:
    """Check the whole site, once for each internet line."""
    if bind and (account_file is None or again is not None or until_ready):
        raise UsageProblem("--bind needs --account FILE and a whole run, without --again or --until-ready.")
    if again is not None or until_ready:
        from gosip_check.cli.again import run_again, run_until_ready

        named = {name for name in options if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
        return (run_until_ready if until_ready else run_again)(again, account_file, options, named)
    from gosip_check.cli.account import account_of

    if account_file is None:
        return _check("run", ["*"], options)
    login = account_of(account_file)
    if bind:
        click.echo(_BOUND.format(user=login.user), err=True)
    account = {"account": login.user, "auth_user": login.auth_user, "account_bind": bind, "account_listen": bind}
    return _check("run", ["*"], {**options, **account}, login.password)


def group_command(name: str) -> click.Command:
    """The command of a line in GROUPS."""
    group = GROUPS[name]

    def check(**options: Any) -> int:
        if name == "nat" and options["thorough"] and not (options["reflector"] or options["far_end_link"]):
            raise UsageProblem("--thorough needs a far end: name it with --reflector or --far-end-link.")
        ids = [*group.ids, *([] if options.get("reflector") else group.without_reflector)]
        return _check(name, ids, {**options, **group.settings})

    with_options = shared(site_options, *group.options, output_options)(check)
    return click.command(name, help=group.help, epilog=example(name))(with_options)


def _check(command: str, ids: Sequence[str], options: Mapping[str, Any], password: Secret | None = None) -> int:
    from dataclasses import replace

    from gosip_check.cli.carry_out import carry_out
    from gosip_check.cli.plan import plan_of
    from gosip_check.plan import select

    plan = plan_of(command, options, lambda checklist: select(checklist, ids))
    if not options["quiet"]:
        if not plan.settings.gentle and any(each.probe == "media" for each in plan.requirements):
            _say_what_is_not_allowed(plan.links[0])
        _say_how_long(plan)
        _say_what_it_costs(plan)
    return carry_out(replace(plan, password=password), options)


def _say_how_long(plan: Plan) -> None:
    """Before the start, where it takes long."""
    from gosip_check.plan import budget

    takes = budget(plan)
    if takes:
        whole_s = sum(takes.values()) + _ALL_ELSE_S
        each = f" for each of {len(plan.links)} lines" if len(plan.links) > 1 else ""
        parts = ", ".join(f"{what} {seconds:.0f} s" for what, seconds in takes.items())
        click.echo(f"On a line that is well this takes about {whole_s:.0f} s{each}: {parts}.", err=True)


def _say_what_it_costs(plan: Plan) -> None:
    """Before the start, where people notice it, or a second line may be paid for by the megabyte."""
    settings = plan.settings
    if settings.under_load and any(each.probe == "qos" for each in plan.requirements):
        click.echo("--under-load fills the line for ten seconds, and the office will notice.", err=True)
        if settings.far_end_link is not None and settings.upload is None:
            click.echo(f"It sends up to {_fill_megabytes():.0f} MB to the second line.", err=True)
    if settings.far_end_link is None or settings.gentle or all(each.probe != "media" for each in plan.requirements):
        return
    megabytes = 2 * _KBPS_PER_CHANNEL * settings.channels * settings.duration_s / 8000
    name = settings.far_end_link.partition("=")[0]
    click.echo(f"The second line {name} carries up to {megabytes:.0f} MB for it, both ways together.", err=True)


def _fill_megabytes() -> float:
    from gosip_check.probes.media.politeness import SECOND_FILL

    return SECOND_FILL.kbps * SECOND_FILL.seconds / 8000


def _say_what_is_not_allowed(link: Link) -> None:
    """Before the start, because what is then missing cannot be measured later."""
    from gosip_check.probes.net import echo

    if not echo.is_allowed(link):
        click.echo(
            "This user may not send ICMP echoes (ping), so speed, loss and jitter may stay unknown. Allow them:\n"
            f"  sudo {echo.ALLOW_ALL}\n  or run gosip-check with sudo",
            err=True,
        )
