"""`run`, and the commands for one group of requirements each."""

from typing import Any

import click

from gosip_check.cli.exits import EXIT_CODES
from gosip_check.cli.options import (
    Chosen,
    channels_option,
    duration_option,
    form_of,
    links_of,
    output_options,
    reflector_option,
    reflector_options,
    settings_of,
    site_options,
    thorough_option,
)


@click.command(epilog=EXIT_CODES)
@click.option("--account", metavar="FILE", help="Also try an account, once: TOML with user and password, mode 600.")
@click.option("--edge-snmp", metavar="FILE", help="Also read router or firewall by SNMP while media runs; mode 600.")
@site_options
@channels_option
@reflector_options
@duration_option
@thorough_option
@output_options
def run(account: str | None, edge_snmp: str | None, **options: Any) -> int:
    """Check the whole site, once for each internet line."""
    return _check("run", ("*",), Chosen(**options), account, edge_snmp)


@click.command(epilog=EXIT_CODES)
@site_options
@output_options
def srv(**options: Any) -> int:
    """Only DNS: SRV records, targets and resolvers, in detail."""
    return _check("srv", ("dns.*",), Chosen(**options))


@click.command(epilog=EXIT_CODES)
@site_options
@reflector_options
@output_options
def firewall(**options: Any) -> int:
    """Only the firewall: do signalling, media and large messages get through, in detail."""
    return _check("firewall", ("firewall.*",), Chosen(**options))


@click.command(epilog=EXIT_CODES)
@site_options
@reflector_option
@output_options
def alg(**options: Any) -> int:
    """Only the SIP ALG: does something on the way change signalling, where, and how."""
    return _check("alg", ("alg.*",), Chosen(**options))


@click.command(epilog=EXIT_CODES)
@site_options
@reflector_options
@thorough_option
@output_options
def nat(**options: Any) -> int:
    """Only address translation and the line: who sees what address, in detail."""
    return _check("nat", ("nat.*", "link.*"), Chosen(**options))


@click.command(epilog=EXIT_CODES)
@site_options
@output_options
def host(**options: Any) -> int:
    """Only this machine: processor, memory and clock, in detail."""
    return _check("host", ("host.*",), Chosen(**options))


@click.command(epilog=EXIT_CODES)
@site_options
@reflector_options
@duration_option
@output_options
def quality(**options: Any) -> int:
    """Only voice quality, on one channel: loss, jitter, delay, score and marking, in detail."""
    chosen = Chosen(channels=1, **options)
    return _check("quality", (*(f"media.{name}" for name in _QUALITY), *_servers(chosen)), chosen)


@click.command(epilog=EXIT_CODES)
@site_options
@channels_option
@click.option("--find-capacity", is_flag=True, help="Also try how many channels the line carries (up to 2000).")
@reflector_options
@duration_option
@output_options
def bandwidth(**options: Any) -> int:
    """All channels at once, both ways: does the line carry them, and how do they sound, in detail."""
    chosen = Chosen(**options)
    return _check("bandwidth", ("media.*", *_servers(chosen)), chosen)


def _servers(chosen: Chosen) -> tuple[str, ...]:
    """Without a reflector the trunk's own servers are timed, and DNS must find them first."""
    return () if chosen.reflector else ("dns.targets-resolve",)


_QUALITY = ("loss", "jitter", "latency", "bursts", "mos", "dscp")


def _check(
    command: str,
    patterns: tuple[str, ...],
    chosen: Chosen,
    account: str | None = None,
    edge_snmp: str | None = None,
) -> int:
    import msgspec

    from gosip_check.cli.account import account_of, check_edge_access
    from gosip_check.cli.carry_out import carry_out, load_checklist
    from gosip_check.run import Plan, select

    checklist = load_checklist(chosen.checklist)
    if edge_snmp is not None:
        check_edge_access(edge_snmp)
    login = None if account is None else account_of(account)
    plan = Plan(
        checklist=checklist,
        requirements=select(checklist, patterns),
        links=links_of(chosen),
        settings=msgspec.structs.replace(
            settings_of(chosen),
            account=login.user if login else None,
            auth_user=login.auth_user if login else None,
            edge_snmp=edge_snmp,
        ),
        skip=chosen.skip,
        form=form_of(chosen),
        command=command,
        password=login.password if login else None,
    )
    return carry_out(plan, chosen, details=command != "run")
