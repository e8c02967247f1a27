"""Is the way out to the provider's management of the gateway open? A TCP connection to every address and port, closed
at once: nothing is asked there and nobody logs in. A connection counts for open where no device on the way is seen to
accept it in that address's name. That they can come in cannot be seen from here.
"""

from collections.abc import Sequence
from typing import Literal

from gosip_check.probes import probe
from gosip_check.probes.dns.servers import Server
from gosip_check.probes.net import interfaces, sockets
from gosip_check.probes.path.stand_in import hops_to_try, look_over_tcp
from gosip_check.probes.probe import Context, Probe, ProbeFailed, side_by_side
from gosip_check.records import THE_PROVIDER, FailureKind, Record

_TIMEOUT_S = 4.0

Result = Literal["open", "unproven", "stand-in", "silent", "reset", "rejected", "unreachable"]
"""unproven: accepted, and by whom could not be looked at. stand-in: accepted by a device on the way. Others: what came
instead."""

_WHAT_IT_MEANS: dict[Result, str] = {
    "silent": "A far end may stay silent or reset whom it does not know, so this proves no block."
    " Look for a rule on the firewall that stops these ports.",
    "unproven": "No hop on the way shows who accepted, and a device in between may have.",
    "stand-in": "Take the redirection of these ports, or the proxy, off that device, and run this again.",
}
"What decides nothing, and what would help."


class Options(probe.Options, frozen=True):
    """Where the provider's management of the gateway lives; provider: its name, for texts.

    networks: the provider's own. What accepts there accepts for it.
    """

    networks: list[str] = []
    management_addresses: list[str] = []
    management_ports: list[int] = []
    provider: str = THE_PROVIDER


class Connection(Record, frozen=True):
    """One address and port. culprit: who rejected the connection, or accepted it in the address's name."""

    address: str
    port: int
    result: Result
    detail: str
    culprit: str | None = None


class Facts(probe.Facts, frozen=True):
    """outbound_open: False where something on the way rejects a connection; None for silence and resets, and where
    something else may have accepted.

    inbound_open is always None: only somebody out there can try.
    """

    places: list[Connection]
    outbound_open: bool | None
    inbound_open: bool | None = None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when there is nothing to try, this machine cannot send, or the run was stopped."""
    wanted = [(address, port) for address in options.management_addresses for port in options.management_ports]
    if not wanted:
        raise ProbeFailed(FailureKind.UNSUPPORTED, "The checklist names no management addresses.")
    context.say(f"Way out to {len(wanted)} management ports")
    connections = side_by_side(lambda endpoint: _try(options, context, *endpoint), wanted, len(wanted))
    results = {connection.result for connection in connections}
    is_open = False if results & {"rejected", "unreachable"} else True if results == {"open"} else None
    sentence = _sentence(connections, is_open, options.provider)
    return Facts(places=connections, outbound_open=is_open, evidence={"outbound_open": sentence})


def _try(options: Options, context: Context, address: str, port: int) -> Connection:
    try:
        sockets.tcp_connect(context, address, port, _TIMEOUT_S).close()
    except sockets.ConnectFailed as failed:
        if failed.icmp is not None:
            rejected = failed.icmp.kind in (FailureKind.PROHIBITED, FailureKind.REFUSED)
            detail = f"{failed.icmp.sender} says {failed.icmp.name}"
            return Connection(address, port, "rejected" if rejected else "unreachable", detail, failed.icmp.sender)
        if failed.failure.kind is FailureKind.REFUSED:
            return Connection(address, port, "reset", "answered with a reset")
        return Connection(address, port, "silent", f"no answer within {_TIMEOUT_S:g} s")
    return _accepted(options, context, address, port)


def _accepted(options: Options, context: Context, address: str, port: int) -> Connection:
    """By the address itself, as far as hops on the way show it."""
    if interfaces.is_this_machine(address):
        return Connection(address, port, "open", "open")
    server = Server("management", address, port)
    look = look_over_tcp(context, server, hops_to_try(context, options.networks) if server.is_ipv4 else [])
    if look.stand_in is not None:
        detail = f"was accepted by something {look.stand_in.place} in its name, so the address itself is not seen"
        return Connection(address, port, "stand-in", detail, look.stand_in.hop)
    if look.cleared is None:
        return Connection(address, port, "unproven", "was accepted, but it could not be seen by whom")
    return Connection(address, port, "open", "open")


def _sentence(connections: Sequence[Connection], is_open: bool | None, provider: str) -> str:
    """Who did not open, and what that proves."""
    closed = [connection for connection in connections if connection.result != "open"]
    details = "; ".join(f"{each.address}:{each.port} {each.detail}" for each in closed)
    opened = sum(connection.result in ("open", "unproven", "stand-in") for connection in connections)
    sentence = f"{opened} of {len(connections)} connections opened{f': {details}' if details else ''}."
    if is_open is None:
        results: list[Result] = ["silent" if each.result == "reset" else each.result for each in closed]
        sentence += "".join(f" {_WHAT_IT_MEANS[result]}" for result in dict.fromkeys(results))
    return f"{sentence} That {provider} can come in from there is not shown: only {provider} can try."


PROBE = Probe(
    "management",
    Options,
    Facts,
    measure,
    subject=lambda options: f"management at {', '.join(options.management_addresses)}",
    after=("path",),
)
