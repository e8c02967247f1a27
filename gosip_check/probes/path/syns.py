"""TCP SYNs that die on the way: what came back for one. Says nothing of why."""

from collections.abc import Sequence
from typing import Literal

from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context
from gosip_check.records import FailureKind

CONTROL_PORTS = (443, 80, 5065, 33434)
"Two that most firewalls let out, and two that hardly anybody listens on."

_TIMEOUT_S = 0.8

Came = Literal["time exceeded", "reset", "rejected", "connected", "nothing"]


def syn(context: Context, address: str, port: int, ttl: int) -> tuple[Came, str | None]:
    """What came back for a SYN that dies after `ttl` hops, and who sent an ICMP error."""
    try:
        sockets.tcp_connect(context, address, port, _TIMEOUT_S, ttl=ttl).close()
        return "connected", None
    except sockets.ConnectFailed as failed:
        if failed.icmp is not None:
            return ("time exceeded" if failed.icmp.is_time_exceeded else "rejected"), failed.icmp.sender
        return ("reset" if failed.failure.kind is FailureKind.REFUSED else "nothing"), None


def first_quoted(context: Context, address: str, ports: Sequence[int], ttl: int) -> tuple[int, Came, str | None]:
    """The first port to which a SYN is seen to die at this TTL, so that this TTL does not reach the server, and where.

    What came for the last port that was tried instead, where none is; "nothing" only if it was so for all.
    """
    last: tuple[int, Came, str | None] = (0, "nothing", None)
    for port in ports:
        came, sender = syn(context, address, port, ttl)
        if came == "time exceeded":
            return port, came, sender
        last = (port, came, sender) if came != "nothing" else last
    return last
