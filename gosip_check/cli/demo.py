"""`demo`: the native checklist against an emulated trunk on loopback."""

from typing import Any

import click

from gosip_check.cli.exits import EXIT_CODES, UsageProblem
from gosip_check.cli.options import Chosen, form_of, output_options

_CHANNELS = 10
_DURATION_S = 1.0


@click.command(epilog=EXIT_CODES)
@click.option("--checklist", metavar="ID|PATH", default="go-native", show_default=True, help="What is tried out.")
@click.option("--fault", metavar="NAME", help="Show a broken site; `--fault list` names them.")
@output_options
def demo(fault: str | None, **options: Any) -> int:
    """Try it out: a check against an emulated trunk on this machine. Needs no network and no root."""
    import msgspec

    from gosip_check.cli.carry_out import carry_out, load_checklist
    from gosip_check.records import Link, Settings
    from gosip_check.run import Plan
    from gosip_check.servers import cloud, demo_reflector
    from gosip_check.servers.trunk import FAULTS, NETWORKS, Trunk

    faults = FAULTS | demo_reflector.FAULTS
    if fault == "list":
        for name, meaning in faults.items():
            click.echo(f"{name:18} {meaning}")
        return 0
    if fault is not None and fault not in faults:
        raise UsageProblem(f"--fault {fault!r}: there is no such fault; there are {', '.join(faults)}.")
    chosen = Chosen(link=(), dns_server=(), **options)
    checklist = load_checklist(chosen.checklist)
    form = form_of(chosen)
    trunk = checklist.trunk
    with (
        Trunk(trunk.domain, trunk.service, trunk.transport, fault) as server,
        demo_reflector.DemoReflector(_CHANNELS, fault) as place,
        cloud.Cloud() as beside,
    ):
        trunk = msgspec.structs.replace(
            trunk,
            networks=NETWORKS,
            port=server.port,
            management_addresses=[cloud.ADDRESS],
            management_ports=beside.management_ports,
            ntp_servers=[cloud.ADDRESS],
            ntp_port=beside.ntp_port,
        )
        plan = Plan(
            checklist=msgspec.structs.replace(checklist, trunk=trunk),
            requirements=checklist.requirements,
            links=[Link(name="Internet-1")],
            settings=Settings(
                dns_servers=[server.dns_server],
                system_resolvers=False,
                channels=_CHANNELS,
                duration_s=_DURATION_S,
                reflector=place,
            ),
            skip=chosen.skip,
            form=form,
            command="demo",
        )
        return carry_out(plan, chosen, details=False)
