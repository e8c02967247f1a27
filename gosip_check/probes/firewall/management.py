"""Is the way out to the provider's management of the gateway open? A TCP connection to every address and port, closed
at once: nothing is asked there and nobody logs in. That they can come in cannot be seen from here.
"""

from collections.abc import Sequence
from typing import Literal

from gosip_check.probes import probe
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context, Probe, ProbeFailed, side_by_side
from gosip_check.records import THE_PROVIDER, FailureKind, Record

_TIMEOUT_S = 4.0

Result = Literal["open", "silent", "reset", "rejected", "unreachable"]


class Options(probe.Options, frozen=True):
    """Where the provider's management of the gateway lives; provider: its name, for texts."""

    management_addresses: list[str] = []
    management_ports: list[int] = []
    provider: str = THE_PROVIDER


class Connection(Record, frozen=True):
    """One address and port. culprit: who rejected the connection."""

    address: str
    port: int
    result: Result
    detail: str
    culprit: str | None = None


class Facts(probe.Facts, frozen=True):
    """outbound_open: False where something on the way rejects a connection; None for silence and resets.

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
    connections = side_by_side(lambda endpoint: _try(context, *endpoint), wanted, len(wanted))
    results = {connection.result for connection in connections}
    is_open = False if results & {"rejected", "unreachable"} else True if results == {"open"} else None
    sentence = _sentence(connections, is_open, options.provider)
    return Facts(places=connections, outbound_open=is_open, evidence={"outbound_open": sentence})


def _try(context: Context, address: str, port: int) -> Connection:
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
    return Connection(address, port, "open", "open")


def _sentence(connections: Sequence[Connection], is_open: bool | None, provider: str) -> str:
    """Who did not open, and what that proves."""
    closed = [connection for connection in connections if connection.result != "open"]
    details = "; ".join(f"{each.address}:{each.port} {each.detail}" for each in closed)
    opened = len(connections) - len(closed)
    sentence = f"{opened} of {len(connections)} connections opened{f': {details}' if details else ''}."
    if is_open is None:
        sentence += (
            " A far end may stay silent or reset whom it does not know, so this proves no block;"
            " look for a rule on the firewall that stops these ports."
        )
    return f"{sentence} That {provider} can come in from there is not shown: only {provider} can try."


PROBE = Probe(
    "management",
    Options,
    Facts,
    measure,
    subject=lambda options: f"management at {', '.join(options.management_addresses)}",
)
