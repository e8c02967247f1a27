"""A server stayed silent, or a reset came: was it the site's own edge? Signalling that dies one hop behind it shows.

For UDP an OPTIONS, for TCP a SYN; neither reaches a server. Seen behind the edge: it left the site, and the silence is
the provider's or the network's. Lost there while controls get through: the edge drops it. A reset that answers a SYN
which cannot have reached the server was forged on the way.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.path import hops
from gosip_check.probes.path.quotes import Control, Fate, Shot, Trial, sip_shot, syn_shot, try_shots
from gosip_check.probes.path.syns import CONTROL_PORTS, first_quoted
from gosip_check.probes.probe import Context
from gosip_check.wire import bait

_BUDGET_S = 25.0


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
    """Of each server. Takes a second where hops quote freely, up to 30 where they ration."""
    if path.control_port is None:
        return [_UNDECIDED for _ in servers]
    control_port = path.control_port
    return _departures(
        context,
        path,
        servers,
        lambda server, ttl: sip_shot(server.address, server.port, domain, bait.OPTIONS, ttl),
        lambda shot: hops.control(shot.address, shot.ttl, control_port),
    )


def over_tcp(context: Context, path: hops.Facts, servers: Sequence[Server]) -> list[Departure]:
    """Of each server. Takes a second when the SYN is seen or reset, up to 30 when it is lost."""
    ports = itertools.cycle(CONTROL_PORTS)
    return _departures(
        context,
        path,
        servers,
        lambda server, ttl: syn_shot(server.address, server.port, ttl),
        lambda shot: syn_shot(shot.address, next(ports), shot.ttl),
    )


def _departures(
    context: Context,
    path: hops.Facts,
    servers: Sequence[Server],
    shot: Callable[[Server, int], Shot],
    control: Control,
) -> list[Departure]:
    beyond = path.beyond_the_edge()
    if not beyond:
        return [_UNDECIDED for _ in servers]
    until_s = time.monotonic() + _BUDGET_S
    ttl = beyond[0].ttl
    nearer = [hop.ttl for hop in path.hops if hop.ttl < ttl]
    trials = try_shots(context, [shot(server, ttl) for server in servers], control, until_s)
    dropped = [server for server, trial in zip(servers, trials, strict=True) if trial.fate is Fate.DROPPED]
    before = try_shots(context, [shot(server, ttl) for server in dropped for ttl in nearer], control, until_s)
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
    return ttl + 1 < deeper or first_quoted(context, server.address, CONTROL_PORTS, ttl)[1] == "time exceeded"
