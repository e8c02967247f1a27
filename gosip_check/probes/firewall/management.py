"""Is the way out to the provider's management of the gateway open? A TCP connection to every address and port, closed
at once: nothing is asked there and nobody logs in. That they can come in cannot be seen from here.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from gosip_check.probes import probe
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.records import THE_PROVIDER, FailureKind, Record

_TIMEOUT_S = 4.0

Result = Literal["open", "silent", "reset", "rejected", "unreachable"]


class Options(probe.Options, frozen=True):
    """Where the provider's management of the gateway lives; provider: its name, for texts."""

    management_addresses: list[str] = []
    management_ports: list[int] = []
    provider: str = THE_PROVIDER


class Place(Record, frozen=True):
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

    places: list[Place]
    outbound_open: bool | None
    inbound_open: bool | None = None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when there is nothing to try, this machine cannot send, or the run was stopped."""
    wanted = [(address, port) for address in options.management_addresses for port in options.management_ports]
    if not wanted:
        raise ProbeFailed(FailureKind.UNSUPPORTED, "The checklist names no management addresses.")
    context.say(f"Way out to {len(wanted)} management ports")
    with ThreadPoolExecutor(len(wanted)) as pool:
        places = list(pool.map(lambda place: _try(context, *place), wanted))
    results = {place.result for place in places}
    is_open = False if results & {"rejected", "unreachable"} else True if results == {"open"} else None
    words = _words(places, is_open, options.provider)
    return Facts(places=places, outbound_open=is_open, evidence={"outbound_open": words})


def _try(context: Context, address: str, port: int) -> Place:
    try:
        sockets.tcp_connect(context, address, port, _TIMEOUT_S).close()
    except sockets.ConnectFailed as failed:
        if failed.icmp is not None:
            rejected = failed.icmp.kind in (FailureKind.PROHIBITED, FailureKind.REFUSED)
            words = f"{failed.icmp.sender} says {failed.icmp.name}"
            return Place(address, port, "rejected" if rejected else "unreachable", words, failed.icmp.sender)
        if failed.failure.kind is FailureKind.REFUSED:
            return Place(address, port, "reset", "answered with a reset")
        return Place(address, port, "silent", f"no answer within {_TIMEOUT_S:g} s")
    return Place(address, port, "open", "open")


def _words(places: Sequence[Place], is_open: bool | None, provider: str) -> str:
    """Who did not open, and what that proves."""
    opened = sum(place.result == "open" for place in places)
    told = "; ".join(f"{p.address}:{p.port} {p.detail}" for p in places if p.result != "open")
    words = f"{opened} of {len(places)} connections opened{f': {told}' if told else ''}."
    if is_open is None:
        words += (
            " A far end may stay silent or reset whom it does not know, so this proves no block;"
            " look for a rule on the firewall that stops these ports."
        )
    return f"{words} That {provider} can come in from there is not shown: only {provider} can try."


PROBE = Probe(
    "management",
    Options,
    Facts,
    measure,
    subject=lambda options: f"management at {', '.join(options.management_addresses)}",
)
