"""A server stayed silent, or a reset came: was it the site's own edge? Signalling that dies one hop behind it shows.

For UDP an OPTIONS, for TCP a SYN; neither reaches a server. Seen behind the edge: it left the site, and the silence is
the provider's or the network's. Lost there while controls get through: the edge drops it. A reset that answers a SYN
which cannot have reached the server was forged on the way.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.path import hops
from gosip_check.probes.path.asking import Fate, Trial, ask
from gosip_check.probes.path.quotes import SYN_CONTROL_PORTS, Shot, sip_shot, syn_shot
from gosip_check.probes.path.syns import first_quoted
from gosip_check.probes.probe import Context
from gosip_check.wire import bait

_BUDGET_S = 40.0
_NEARER_S = 4.0


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
    """Of each server. Takes a second where its OPTIONS are seen; longer where they are lost and hops ration."""

    def options(server: Server, ttl: int) -> Shot:
        return sip_shot(server.address, server.port, domain, bait.OPTIONS, ttl)

    return _departures(context, path, servers, options)


def over_tcp(context: Context, path: hops.Facts, servers: Sequence[Server]) -> list[Departure]:
    """Of each server. Takes a second where its SYN is seen or reset; longer where it is lost and hops ration."""
    return _departures(context, path, servers, lambda server, ttl: syn_shot(server.address, server.port, ttl))


def _departures(
    context: Context, path: hops.Facts, servers: Sequence[Server], shot: Callable[[Server, int], Shot]
) -> list[Departure]:
    beyond = path.beyond_the_edge()
    if not beyond:
        return [_UNDECIDED for _ in servers]
    until_s = time.monotonic() + _BUDGET_S
    ttl = beyond[0].ttl
    nearer = [hop.ttl for hop in path.hops if hop.ttl < ttl]
    trials = ask(context, [shot(server, ttl) for server in servers], until_s)
    dropped = [server for server, trial in zip(servers, trials, strict=True) if trial.fate is Fate.DROPPED]
    before = ask(context, [shot(server, ttl) for server in dropped for ttl in nearer], time.monotonic() + _NEARER_S)
    seen = {trial.shot.address: trial.answered_by for trial in before if trial.fate is Fate.PASSED}

    def departure(server: Server, trial: Trial) -> Departure:
        hop = trial.answered_by
        match trial.fate:
            case Fate.PASSED:
                return Departure("left", hop)
            case Fate.REFUSED:
                return Departure("left" if hop == server.address else "rejected", hop)
            case Fate.DROPPED:
                return Departure("dropped", seen.get(server.address))
            case Fate.RESET if _dies_at(context, path, server, ttl):
                return Departure("forged reset", str(ttl))
        return _UNDECIDED

    return [departure(server, trial) for server, trial in zip(servers, trials, strict=True)]


def _dies_at(context: Context, path: hops.Facts, server: Server, ttl: int) -> bool:
    """A SYN with this TTL cannot reach the server, not even on a way that is one hop shorter."""
    deeper = max(hop.ttl for hop in path.hops)
    return ttl + 1 < deeper or first_quoted(context, server.address, SYN_CONTROL_PORTS, ttl)[1] == "time exceeded"
