"""`demo`: the native checklist against an emulated trunk and reflector on loopback."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from gosip_check.cli.exits import EXIT_CODES, UsageProblem
from gosip_check.cli.options import Chosen, form_of, output_options

if TYPE_CHECKING:
    from gosip_check.records import Checklist, Settings

_CHANNELS = 10
_DURATION_S = 1.0


@click.command(epilog=EXIT_CODES)
@click.option("--checklist", metavar="ID|PATH", default="go-native", show_default=True, help="What is tried out.")
@click.option("--fault", metavar="NAME", help="Show a broken site; `--fault list` names them.")
@output_options
def demo(fault: str | None, **options: Any) -> int:
    """Try it out: a check against an emulated trunk on this machine. Needs no network and no root."""
    from gosip_check.cli.carry_out import carry_out, load_checklist
    from gosip_check.records import Link
    from gosip_check.run import Plan

    if fault == "list":
        for name, meaning in _faults().items():
            click.echo(f"{name:18} {meaning}")
        return 0
    chosen = Chosen(link=(), dns_server=(), **options)
    form = form_of(chosen)
    with ExitStack() as stack:
        checklist, settings = emulated(stack, load_checklist(chosen.checklist), fault)
        plan = Plan(
            checklist=checklist,
            requirements=checklist.requirements,
            links=[Link(name="Internet-1")],
            settings=settings,
            skip=chosen.skip,
            form=form,
            command="demo",
        )
        return carry_out(plan, chosen, details=False)


def emulated(stack: ExitStack, checklist: Checklist, fault: str | None) -> tuple[Checklist, Settings]:
    """An emulated trunk and reflector that serve as long as `stack`, and the checklist and settings that lead there.

    Raises UsageProblem for a fault that there is not.
    """
    from msgspec.structs import replace

    from gosip_check.records import Settings
    from gosip_check.servers.demo_reflector import DemoReflector
    from gosip_check.servers.trunk import NETWORKS, Trunk

    if fault is not None and fault not in _faults():
        raise UsageProblem(f"--fault {fault!r}: there is no such fault; there are {', '.join(_faults())}.")
    trunk = replace(checklist.trunk, networks=NETWORKS)
    server = stack.enter_context(Trunk(trunk.domain, trunk.service, trunk.transport, fault))
    reflector = stack.enter_context(DemoReflector(_CHANNELS, fault))
    settings = Settings(
        dns_servers=[server.dns_server],
        system_resolvers=False,
        channels=_CHANNELS,
        duration_s=_DURATION_S,
        reflector=reflector,
    )
    return replace(checklist, trunk=replace(trunk, port=server.port)), settings


def _faults() -> dict[str, str]:
    from gosip_check.servers import demo_reflector, trunk

    return trunk.FAULTS | demo_reflector.FAULTS
