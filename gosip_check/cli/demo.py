"""`demo`: a check against an emulated trunk and reflector on loopback; `health` and `watch` have it as `--demo`.

`demo --pbx` is the other way round: a rehearsal with an emulated PBX.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from gosip_check.cli import complete
from gosip_check.cli.commands import example
from gosip_check.cli.exits import EXIT_READY, UsageProblem
from gosip_check.cli.options import checklist_option, output_options
from gosip_check.cli.pbx import plan_of_pbx

if TYPE_CHECKING:
    from gosip_check.heard import Heard
    from gosip_check.plan import Plan

_CHANNELS = 10
_DURATION_S = 1.0
_LOOPBACK = {"source": "127.0.0.1", "interface": "lo"}


@click.command(epilog=example("demo", "demo --fault list", "demo --pbx"))
@checklist_option
@click.option(
    "--fault",
    metavar="NAME",
    shell_complete=complete.of(lambda context: ["list", *_faults(context.params.get("pbx", False))]),
    help="Show a broken site, or a PBX with a fault; `--fault list` names them.",
)
@click.option("--pbx", is_flag=True, help="Rehearse with an emulated PBX in place of the check of a site.")
@output_options
def demo(fault: str | None, pbx: bool, **options: Any) -> int:
    """Try it out: a check against an emulated trunk on this machine. Needs no network and no root."""
    from gosip_check.cli.carry_out import carry_out
    from gosip_check.cli.plan import plan_of

    if fault == "list":
        for name, meaning in _faults(pbx).items():
            click.echo(f"{name:22} {meaning}")
        return EXIT_READY
    if pbx:
        return carry_out(_rehearsed(fault, options), options)
    with ExitStack() as stack:
        plan = plan_of("demo", options, lambda checklist: checklist.requirements)
        return carry_out(emulated(stack, plan, fault), options)


def _rehearsed(fault: str | None, options: dict[str, Any]) -> Plan:
    """What an emulated PBX has gone through, to be judged. Raises UsageProblem for a fault that there is not."""
    from dataclasses import replace

    from gosip_check.records.report import DEMO
    from gosip_check.servers.emulated.behaviour import Behaviour
    from gosip_check.servers.emulated.faults import FAULTS
    from gosip_check.servers.emulated.rehearsal import rehearse

    if fault is not None and fault not in FAULTS:
        raise UsageProblem(f"--fault {fault!r}: there is no such fault; there are {', '.join(FAULTS)}.")
    plan = plan_of_pbx("pbx rehearse", options)
    heard = rehearse(plan.checklist.trunk.domain, Behaviour() if fault is None else FAULTS[fault].behaviour)
    if not options["quiet"]:
        _show(heard)
    return replace(plan, command=f"pbx rehearse{DEMO}", heard=heard)


def _show(heard: Heard) -> None:
    """What a rehearsal does, and when."""
    from gosip_check.cli.rehearsal.screen import TEXTS

    click.echo("A rehearsal with an emulated PBX, in virtual time:", err=True)
    for step in heard.steps:
        minutes, seconds = divmod(round(step.began_s - heard.steps[0].began_s), 60)
        click.echo(f"{minutes:4}:{seconds:02}  {TEXTS[step.name][0]}", err=True)
    click.echo(err=True)


def _faults(of_pbx: bool) -> dict[str, str]:
    from gosip_check.servers.emulated.faults import FAULTS

    return {name: fault.says for name, fault in FAULTS.items()} if of_pbx else faults()


def emulated(stack: ExitStack, plan: Plan, fault: str | None) -> Plan:
    """The plan, led to an emulated trunk and reflector that serve as long as `stack`. Its links are this machine's
    loopback, over which nothing can leave it.

    Raises UsageProblem for a fault that there is not, and for a link that is another one.
    """
    from dataclasses import replace

    import msgspec

    from gosip_check.records import Settings
    from gosip_check.servers import cloud
    from gosip_check.servers.demo_reflector import DemoReflector
    from gosip_check.servers.edge import MirrorBehindAlg
    from gosip_check.servers.trunk import NETWORKS, Trunk

    if fault is not None and fault not in faults():
        raise UsageProblem(f"--fault {fault!r}: there is no such fault; there are {', '.join(faults())}.")
    for link in plan.links:
        if (link.source or link.interface) and not link.is_loopback:
            raise UsageProblem(f"--link {link.name}: a demo stays on this machine; use {link.name}=127.0.0.1.")
    trunk = msgspec.structs.replace(plan.checklist.trunk, networks=NETWORKS)
    server = stack.enter_context(Trunk(trunk.domain, trunk.service, trunk.transport, fault))
    far_end = DemoReflector(_CHANNELS, fault)
    reflector = stack.enter_context(far_end)
    if fault == "sip-alg":
        stack.enter_context(MirrorBehindAlg("127.0.0.1", server.port))
    beside = stack.enter_context(cloud.Cloud())
    trunk = msgspec.structs.replace(
        trunk,
        port=server.port,
        rtp_ports=far_end.rtp_ports or trunk.rtp_ports,
        management_addresses=[cloud.ADDRESS],
        management_ports=beside.management_ports,
        ntp_servers=[cloud.ADDRESS],
        ntp_port=beside.ntp_port,
    )
    settings = Settings(
        dns_servers=[server.dns_server],
        system_resolvers=False,
        channels=_CHANNELS,
        duration_s=_DURATION_S,
        reflector=reflector,
    )
    return replace(
        plan,
        checklist=msgspec.structs.replace(plan.checklist, trunk=trunk),
        links=[link if link.is_loopback else msgspec.structs.replace(link, **_LOOPBACK) for link in plan.links],
        settings=settings,
    )


def faults() -> dict[str, str]:
    """The broken sites that a demo can show, and what each means."""
    from gosip_check.servers import demo_reflector, trunk

    return trunk.FAULTS | demo_reflector.FAULTS
