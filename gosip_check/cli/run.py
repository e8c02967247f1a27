"""`run`, and the commands for one group of requirements each: a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from gosip_check.cli.commands import example
from gosip_check.cli.options import (
    Option,
    channels_option,
    duration_option,
    find_capacity_option,
    output_options,
    reflector_option,
    reflector_options,
    shared,
    site_options,
    thorough_option,
)

if TYPE_CHECKING:
    from gosip_check.probes.secret import Secret


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
    "alg": Group("Only the SIP ALG: does something change SIP, where, and how.", ["alg.*"], [reflector_option]),
    "nat": Group(
        "Only address translation: who sees which address.",
        ["nat.*", "link.*"],
        [reflector_options, thorough_option],
    ),
    "quality": Group(
        "Only voice quality, on one channel: loss, jitter, delay, score.",
        ["media.loss", "media.jitter", "media.latency", "media.bursts", "media.mos", "media.dscp"],
        [reflector_options, duration_option],
        {"channels": 1},
        without_reflector=["dns.targets-resolve"],
    ),
    "bandwidth": Group(
        "Only bandwidth: does the line carry all channels, both ways?",
        ["media.*"],
        [channels_option, find_capacity_option, reflector_options, duration_option],
        without_reflector=["dns.targets-resolve"],
    ),
    "host": Group("Only this machine: processor, memory and clock.", ["host.*"]),
}


@click.command(
    epilog=example("run --form form.toml --json report.json", "run --channels 30 --reflector rx.example.net")
)
@click.option(
    "--account",
    "account_file",
    metavar="FILE",
    help="Also try an account, once: TOML with user and password, mode 600.",
)
@click.option("--edge-snmp", metavar="FILE", help="Also read router or firewall by SNMP while media runs; mode 600.")
@site_options
@channels_option
@reflector_options
@duration_option
@thorough_option
@output_options
def run(account_file: str | None, **options: Any) -> int:
    """Check the whole site, once for each internet line."""
    from gosip_check.cli.account import account_of

    if account_file is None:
        return _check("run", ["*"], options)
    login = account_of(account_file)
    return _check("run", ["*"], {**options, "account": login.user, "auth_user": login.auth_user}, login.password)


def group_command(name: str) -> click.Command:
    """The command of a line in GROUPS."""
    group = GROUPS[name]

    def check(**options: Any) -> int:
        ids = [*group.ids, *([] if options.get("reflector") else group.without_reflector)]
        return _check(name, ids, {**options, **group.settings})

    with_options = shared(site_options, *group.options, output_options)(check)
    return click.command(name, help=group.help, epilog=example(name))(with_options)


def _check(command: str, ids: Sequence[str], options: Mapping[str, Any], password: Secret | None = None) -> int:
    from dataclasses import replace

    from gosip_check.cli.carry_out import carry_out
    from gosip_check.cli.plan import plan_of
    from gosip_check.run import select

    plan = plan_of(command, options, lambda checklist: select(checklist, ids))
    return carry_out(replace(plan, password=password), options)
