"""A server stayed silent, or a reset came: was it the site's own edge? Signalling that dies one hop behind it shows.

For UDP an OPTIONS, for TCP a SYN; neither reaches a server. Seen behind the edge: it left the site, and the silence is
the provider's or the network's. Lost there while controls get through: the edge drops it. A reset that answers a SYN
which cannot have reached the server was forged on the way.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.path import hops
from gosip_check.probes.path.quotes import STRIKES, Fate, Trial, sip_shot, try_shots
from gosip_check.probes.path.syns import CONTROL_PORTS, first_quoted, syn
from gosip_check.probes.probe import Context
from gosip_check.wire import bait

_BUDGET_S = 10.0


@dataclass(frozen=True)
class Departure:
    """How far signalling got. hop: the one that saw it, that refused it, or the last one before it was lost."""

    how: Literal["left", "dropped", "rejected", "forged reset", "undecided"]
    hop: str | None = None

    @property
    def clause(self) -> str:
        """To follow on what the server answered, or did not answer."""
        match self.how:
            case "left":
                return f"it left the site: {self.hop} saw it pass"
            case "dropped":
                return f"the site's edge drops it, at {self.hop or 'the first hop'} or right behind it"
            case "rejected":
                return f"{self.hop} rejects it on the way"
            case "forged reset":
                return (
                    f"the reset was forged before hop {self.hop}: a packet that cannot reach the server is answered so"
                )
            case "undecided":
                return "whether it left the site could not be seen"


_UNDECIDED = Departure("undecided")


def over_udp(context: Context, path: hops.Facts, domain: str, servers: Sequence[Server]) -> list[Departure]:
    """Of each server. Takes a second where hops quote freely, up to 12 where they ration."""
    beyond = path.beyond_the_edge()
    if not beyond or path.control_port is None:
        return [_UNDECIDED for _ in servers]
    control_port, until_s = path.control_port, time.monotonic() + _BUDGET_S
    nearer = [hop.ttl for hop in path.hops if hop.ttl < beyond[0].ttl]

    def trials(towards: Sequence[tuple[Server, int]]) -> list[Trial]:
        shots = [sip_shot(server.address, server.port, domain, bait.OPTIONS, ttl) for server, ttl in towards]
        return try_shots(context, shots, lambda shot: hops.control(shot.address, shot.ttl, control_port), until_s)

    def departure(server: Server, trial: Trial) -> Departure:
        hop = trial.answered_by
        match trial.fate:
            case Fate.PASSED:
                return Departure("left", hop)
            case Fate.REFUSED:
                return Departure("left" if hop == server.address else "rejected", hop)
            case Fate.DROPPED:
                seen = [t for t in trials([(server, ttl) for ttl in nearer]) if t.fate is Fate.PASSED]
                return Departure("dropped", seen[-1].answered_by if seen else None)
        return _UNDECIDED

    behind = trials([(server, beyond[0].ttl) for server in servers])
    return [departure(server, trial) for server, trial in zip(servers, behind, strict=True)]


def over_tcp(context: Context, path: hops.Facts, server: Server) -> Departure:
    """Of one server. Takes a second when the SYN is seen or reset, some 8 when it is lost."""
    beyond = path.beyond_the_edge()
    if not beyond:
        return _UNDECIDED
    address, ttl, strikes = server.address, beyond[0].ttl, 0
    control_ports: Sequence[int] = CONTROL_PORTS
    until_s = time.monotonic() + _BUDGET_S
    while time.monotonic() < until_s:
        came, sender = syn(context, address, server.port, ttl)
        if came == "time exceeded":
            return Departure("left", sender)
        if came == "reset":
            deeper = max(hop.ttl for hop in path.hops)  # a way one hop shorter would bring the SYN to the server itself
            certain = ttl + 1 < deeper or first_quoted(context, address, CONTROL_PORTS, ttl)[1] == "time exceeded"
            return Departure("forged reset", str(ttl)) if certain else _UNDECIDED
        if came == "rejected":
            return Departure("left" if sender == address else "rejected", sender)
        if came == "connected":
            return _UNDECIDED
        control_port, vouched, _ = first_quoted(context, address, control_ports, ttl)
        if vouched != "time exceeded":
            return _UNDECIDED
        control_ports = (control_port,)
        strikes += 1
        if strikes == STRIKES:
            return Departure("dropped", _last_to_see(context, path, server, ttl))
        context.wait(random.uniform(0.05, 0.3))
    return _UNDECIDED


def _last_to_see(context: Context, path: hops.Facts, server: Server, ttl: int) -> str | None:
    for hop in reversed([hop for hop in path.hops if hop.ttl < ttl]):
        came, sender = syn(context, server.address, server.port, hop.ttl)
        if came == "time exceeded":
            return sender
    return None
