"""`reflector`: the far end for media and for finding SIP ALGs, to be run outside the site."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import click

from gosip_check.cli.commands import example
from gosip_check.cli.exits import EXIT_READY, ToolFailed, UsageProblem, output_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gosip_check.servers.limits import Prefix
    from gosip_check.servers.reflector import Reflector

_SIP_PORTS = (5060, 5061, 15060)
"SIP's own, and one that no ALG knows as SIP's."
_SIP_PORTS_SHOWN = ", ".join(map(str, _SIP_PORTS))


@click.command(epilog=example("reflector --allow 203.0.113.0/24"))
@click.option("--bind", metavar="ADDRESS", multiple=True, help="Where to listen (repeatable). [default: 0.0.0.0]")
@click.option("--port", type=click.IntRange(0, 65535), default=862, show_default=True, help="UDP port for STAMP.")
@click.option("--key-file", metavar="FILE", help="Answer STAMP only if it is signed with the key in FILE.")
@click.option("--allow", metavar="PREFIX", multiple=True, help="Answer only these sources (repeatable). [default: all]")
@click.option(
    "--all-ports",
    is_flag=True,
    help="Answer on every UDP port from 1024 to 65535 (root, nftables): this machine's other UDP services get nothing.",
)
@click.option(
    "--sip-port",
    type=click.IntRange(1, 65535),
    multiple=True,
    help=f"Mirror SIP on these ports, UDP and TCP (repeatable). [default: {_SIP_PORTS_SHOWN}; none with --key-file]",
)
@click.option("--no-sip", is_flag=True, help="Mirror no SIP.")
@click.option(
    "--max-rate",
    type=click.IntRange(1),
    default=30_000,
    show_default=True,
    help="Packets a second that one source address gets answered; a channel needs 50.",
)
def reflector(
    bind: tuple[str, ...],
    port: int,
    key_file: str | None,
    allow: tuple[str, ...],
    all_ports: bool,
    sip_port: tuple[int, ...],
    no_sip: bool,
    max_rate: int,
) -> int:
    """Be the far end: answer STAMP and TWAMP Light, and mirror SIP.

    Run it on a machine outside the site, such as a small rented server, and name that to `gosip-check run --reflector`.
    Made for the open internet: it never answers UDP with more than it was sent, limits every source, and gives up root.
    SIP over TCP, where the sender has proven its address, is answered with three times its length at most.

    With --key-file, packets whose own time is more than a day off get no answer, and SIP is mirrored only where
    --sip-port names a port: SIP cannot be signed, so the key would not cover it.
    """
    from gosip_check.servers.all_ports import OWN_PORTS
    from gosip_check.servers.reflector import Reflector, ReflectorOptions

    if all_ports and bind not in ((), ("0.0.0.0",), ("::",)):
        raise UsageProblem("--all-ports answers on every address: leave --bind out, or give 0.0.0.0 or :: alone.")
    options = ReflectorOptions(
        addresses=bind or ("0.0.0.0",),
        ports=(port, *[0] * (OWN_PORTS - 1)) if all_ports else (port,),
        sip_ports=() if no_sip else sip_port or (() if key_file else _SIP_PORTS),
        key=_key(key_file),
        allow=_prefixes(allow),
        packets_per_s=max_rate,
        marks=all_ports,
    )
    try:
        opened = Reflector.open(options)
    except PermissionError as error:
        raise UsageProblem(f"{error.strerror}. Ports below 1024 and --all-ports need root: try --port 8620.") from error
    except OSError as error:
        raise UsageProblem(f"{error.strerror or error}. Choose other ports with --port and --sip-port.") from error
    with opened:
        if all_ports:
            return _serve_all_ports(opened, ipv6=bind == ("::",))
        return _serve(opened, threading.Event())


def _serve(opened: Reflector, stop: threading.Event) -> int:
    import signal

    from gosip_check.cli.carry_out import stop_signals
    from gosip_check.servers import privileges

    for number in stop_signals():
        signal.signal(number, lambda *_: stop.set())
    dropped = privileges.drop()
    sip = f", SIP mirror on {', '.join(map(str, opened.sip_ports))}" if opened.sip_ports else ""
    click.echo(f"STAMP on UDP {', '.join(map(str, opened.stamp_ports))}{sip}{'; root given up' if dropped else ''}")
    opened.serve(stop, click.echo)
    click.echo(opened.line())
    return EXIT_READY


def _serve_all_ports(opened: Reflector, *, ipv6: bool) -> int:
    """The redirect stands as long as this process does; where somebody takes it away, this process ends."""
    from gosip_check.servers import all_ports

    text = all_ports.rules(opened.stamp_ports, opened.sip_ports, ipv6=ipv6)
    click.echo(text, nl=False)
    stop, is_gone = threading.Event(), False
    with output_errors(OSError), all_ports.Redirect(text) as redirect:

        def watch() -> None:
            nonlocal is_gone
            redirect.wait()
            is_gone = not stop.is_set()
            stop.set()

        threading.Thread(target=watch, name="redirect", daemon=True).start()
        code = _serve(opened, stop)
    if is_gone:
        raise ToolFailed("Somebody took the redirect away, so most ports did not answer any more.")
    return code


def _key(file: str | None) -> bytes | None:
    from gosip_check.cli.inputs import reflector_key

    return None if file is None else reflector_key("--key-file", file)


def _prefixes(texts: Sequence[str]) -> list[Prefix]:
    from ipaddress import ip_network

    prefixes = []
    for text in texts:
        try:
            prefixes.append(ip_network(text))
        except ValueError as error:
            raise UsageProblem(f"--allow {text!r}: {error}; 192.0.2.0/24 would be right.") from error
    return prefixes
