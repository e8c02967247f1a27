"""TCP SYNs that die on the way: what came back for one. Says nothing of why."""

from collections.abc import Sequence
from typing import Literal

from gosip_check.probes.path.asking import Desk
from gosip_check.probes.path.quotes import syn_shot, volley
from gosip_check.probes.probe import Context

_TIMEOUT_S = 0.8

Came = Literal["time exceeded", "reset", "rejected", "connected", "nothing"]


def syn(context: Context, address: str, port: int, ttl: int) -> tuple[Came, str | None]:
    """What came back for a SYN that dies after `ttl` hops, and who sent an ICMP error."""
    reactions = volley(context, [syn_shot(address, port, ttl)], _TIMEOUT_S)
    context.shared(Desk).saw(reactions)
    (reaction,) = reactions
    if reaction.icmp is not None:
        return ("time exceeded" if reaction.died_on_the_way else "rejected"), reaction.icmp.sender
    match reaction.connection:
        case "accepted":
            return "connected", None
        case "reset":
            return "reset", None
    return "nothing", None


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
