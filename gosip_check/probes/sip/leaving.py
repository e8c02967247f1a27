"""A server stayed silent, or a reset came: was it the site's own edge? Signalling that dies one hop behind it tells.

For UDP an OPTIONS, for TCP a SYN; neither reaches a server. Seen behind the edge: it left the site, and the silence is
the provider's or the network's. Lost there while controls get through: the edge drops it. A reset that answers a SYN
which cannot have reached the server was forged on the way.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gosip_check.probes.net import sockets
from gosip_check.probes.path import hops
from gosip_check.probes.path.quotes import STRIKES, TIME_EXCEEDED, Fate, Shot, sip_shot, tell
from gosip_check.probes.probe import Context
from gosip_check.records import FailureKind
from gosip_check.wire import bait

_BUDGET_S = 10.0
_SYN_TIMEOUT_S = 0.8
_TCP_CONTROL_PORTS = (443, 80, 5065, 33434)


@dataclass(frozen=True)
class Left:
    """How far signalling got. who: the hop that saw it, that refused it, or the last one before it was lost."""

    how: Literal["left", "dropped", "rejected", "forged reset", "undecided"]
    who: str | None

    @property
    def words(self) -> str:
        """To follow on what the server said, or did not say."""
        match self.how:
            case "left":
                return f"it left the site: {self.who} saw it pass"
            case "dropped":
                return f"the site's edge drops it, at {self.who or 'the first hop'} or right behind it"
            case "rejected":
                return f"{self.who} rejects it on the way"
            case "forged reset":
                return (
                    f"the reset was forged before hop {self.who}: a packet that cannot reach the server is answered so"
                )
            case "undecided":
                return "whether it left the site could not be seen"


def over_udp(context: Context, ways: hops.Facts, domain: str, places: Sequence[tuple[str, int]]) -> list[Left]:
    """Of each (address, port). Takes a second where hops quote freely, up to 12 where they ration."""
    beyond = ways.beyond_the_edge()
    if not beyond or ways.control_port is None:
        return [Left("undecided", None) for _ in places]
    ttl, port = beyond[0].ttl, ways.control_port
    until_s = time.monotonic() + _BUDGET_S
    shots = [sip_shot(address, own, domain, bait.OPTIONS, ttl) for address, own in places]

    def control(one: Shot) -> Shot:
        return hops.control(one.address, one.ttl, port)

    found = []
    for one in tell(context, shots, control, until_s):
        who = one.heard.icmp.sender if one.heard.icmp else None
        if one.fate is Fate.PASSED or (one.fate is Fate.REFUSED and who == one.shot.address):
            found.append(Left("left", who))
        elif one.fate is Fate.REFUSED:
            found.append(Left("rejected", who))
        elif one.fate is Fate.DROPPED:
            nearer = [hop.ttl for hop in ways.hops if hop.ttl < ttl]
            again = [sip_shot(one.shot.address, one.shot.port, domain, bait.OPTIONS, hop) for hop in nearer]
            seen = (
                [t.heard.icmp for t in tell(context, again, control, until_s) if t.fate is Fate.PASSED] if again else []
            )
            last = seen[-1] if seen else None
            found.append(Left("dropped", last.sender if last else None))
        else:
            found.append(Left("undecided", who))
    return found


def over_tcp(context: Context, ways: hops.Facts, address: str, port: int) -> Left:
    """Of one server. Takes a second when the SYN is seen or reset, some 8 when it is lost."""
    beyond = ways.beyond_the_edge()
    if not beyond:
        return Left("undecided", None)
    ttl, strikes = beyond[0].ttl, 0
    control_port = None
    until_s = time.monotonic() + _BUDGET_S
    while time.monotonic() < until_s:
        came, who = _syn(context, address, port, ttl)
        if came == "time exceeded":
            return Left("left", who)
        if came == "reset":
            deeper = max(hop.ttl for hop in ways.hops)  # a way one hop shorter would bring the SYN to the server itself
            certain = ttl + 1 < deeper or _dies_at(context, address, ttl)
            return Left("forged reset", str(ttl)) if certain else Left("undecided", None)
        if came == "rejected":
            return Left("left" if who == address else "rejected", who)
        if came == "connected":
            return Left("undecided", None)
        candidates = _TCP_CONTROL_PORTS if control_port is None else (control_port,)
        control_port = next((own for own in candidates if _syn(context, address, own, ttl)[0] == "time exceeded"), None)
        if control_port is None:
            return Left("undecided", None)
        strikes += 1
        if strikes == STRIKES:
            return Left("dropped", _last_to_see(context, ways, address, port, ttl))
        context.wait(random.uniform(0.05, 0.3))
    return Left("undecided", None)


def _dies_at(context: Context, address: str, ttl: int) -> bool:
    """Another SYN to the same server dies at this TTL, so this TTL does not reach it."""
    return any(_syn(context, address, port, ttl)[0] == "time exceeded" for port in _TCP_CONTROL_PORTS)


def _last_to_see(context: Context, ways: hops.Facts, address: str, port: int, ttl: int) -> str | None:
    nearer = [hop for hop in ways.hops if hop.ttl < ttl]
    for hop in reversed(nearer):
        came, who = _syn(context, address, port, hop.ttl)
        if came == "time exceeded":
            return who
    return None


_Came = Literal["time exceeded", "reset", "rejected", "connected", "nothing"]


def _syn(context: Context, address: str, port: int, ttl: int) -> tuple[_Came, str | None]:
    try:
        sockets.tcp_connect(context, address, port, _SYN_TIMEOUT_S, ttl=ttl).close()
        return "connected", None
    except sockets.ConnectFailed as failed:
        if failed.icmp is not None:
            exceeded = failed.icmp.type == TIME_EXCEEDED
            return ("time exceeded" if exceeded else "rejected"), failed.icmp.sender
        return ("reset" if failed.failure.kind is FailureKind.REFUSED else "nothing"), None
