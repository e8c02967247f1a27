"""What do the hops on the way quote of our SIP? Method one of the ALG probe: the ALG's own handwriting.

SIP requests to the signalling port die at one hop after the other, and each hop quotes what reached it. Behind the
site's edge any difference from what was sent is the edge's doing. Requests that would matter to a server are only sent
as far as a harmless one is known to have died on the way.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from gosip_check.probes.path import hops
from gosip_check.probes.path.quotes import Fate, Shot, Told, sip_shot, tell
from gosip_check.probes.probe import Context
from gosip_check.wire import bait
from gosip_check.wire.rewriting import Comparison, compare

_MOST_HOPS = 5
_SHORT_QUOTE = 130
"A hop that quotes no more than this gets the short OPTIONS as well."

_BUDGET_S = 12.0


@dataclass(frozen=True)
class Sighting:
    """One request at one hop. `hop`: who quoted or answered. `comparison`: of what was quoted with what was sent."""

    message: str
    ttl: int
    port: int
    fate: Fate
    hop: str | None
    local: tuple[str, int]
    sent: bytes
    comparison: Comparison | None
    tries: int


@dataclass(frozen=True)
class Walk:
    """All sightings. `elsewhere`: the suspicious ones once more, to a port that is not SIP's."""

    sightings: list[Sighting]
    elsewhere: list[Sighting]


def walk(context: Context, ways: hops.Facts, domain: str, port: int) -> Walk:
    """Raises ProbeFailed as `tell` does. Takes a second or two where hops quote freely, up to 25 where they ration."""
    until_s = time.monotonic() + _BUDGET_S
    ttls = _ttls(ways)
    baits = [(bait.OPTIONS, ttl) for ttl in ttls]
    baits += [(bait.SHORT, hop.ttl) for hop in _beyond(ways) if hop.quoted_bytes <= _SHORT_QUOTE]

    def neutral(one: Shot) -> Shot | None:
        known = ways.hop_at(one.ttl) is not None and ways.control_port is not None
        return hops.control(one.address, one.ttl, ways.control_port or 0) if known else None

    first = tell(context, [sip_shot(ways.destination, port, domain, *one) for one in baits], neutral, until_s)
    sightings = [_sighting(message, told) for (message, _), told in zip(baits, first, strict=True)]
    safe = {one.ttl for one in sightings if one.message == bait.OPTIONS and one.fate is Fate.PASSED}
    safe &= {hop.ttl for hop in ways.hops}

    def same_port(one: Shot) -> Shot:
        return sip_shot(ways.destination, port, domain, bait.OPTIONS, one.ttl)

    for messages in ((bait.INVITE, bait.REGISTER), (bait.TRAP,)):
        if messages == (bait.TRAP,) and _suspicious(sightings):
            break  # what already shows itself need not be provoked
        ttls = sorted(safe) if messages != (bait.TRAP,) else [hop.ttl for hop in _beyond(ways) if hop.ttl in safe][:1]
        baits = [(message, ttl) for ttl in ttls for message in messages]
        told = tell(context, [sip_shot(ways.destination, port, domain, *one) for one in baits], same_port, until_s)
        sightings += [_sighting(message, one) for (message, _), one in zip(baits, told, strict=True)]
    elsewhere: list[Sighting] = []
    if ways.control_port is not None:
        baits = _suspicious(sightings)
        shots = [sip_shot(ways.destination, ways.control_port, domain, *one) for one in baits]
        told = tell(context, shots, neutral, until_s + _BUDGET_S)
        elsewhere = [_sighting(message, one) for (message, _), one in zip(baits, told, strict=True)]
    return Walk(sightings, elsewhere)


def _suspicious(sightings: Sequence[Sighting]) -> list[tuple[str, int]]:
    """(request, TTL) of what was lost, and of what was first seen changed: to be tried at another port as well."""
    changed = [one for one in sightings if one.comparison is not None and not one.comparison.identical]
    nearest = min((one.ttl for one in changed), default=0)
    lost = [one for one in sightings if one.fate is Fate.DROPPED and one.message != bait.OPTIONS]
    return list(dict.fromkeys((one.message, one.ttl) for one in [*lost, *(c for c in changed if c.ttl == nearest)]))


def _beyond(ways: hops.Facts) -> list[hops.Hop]:
    return ways.beyond_the_edge()[:3]


def _ttls(ways: hops.Facts) -> list[int]:
    """The first hop, every hop up to the edge and the first few behind it; guesses where no hop answered a control."""
    known = [hop.ttl for hop in ways.hops if hop.ttl <= ways.edge_ttl] + [hop.ttl for hop in _beyond(ways)]
    return known[:_MOST_HOPS] if known else [1, 2, 3]


def _sighting(message: str, told: Told) -> Sighting:
    heard = told.heard
    quoted = heard.quoted if told.fate is Fate.PASSED else b""
    who = heard.icmp.sender if heard.icmp else heard.reply.address if heard.reply else None
    comparison = compare(heard.sent, quoted) if quoted else None
    return Sighting(
        message, told.shot.ttl, told.shot.port, told.fate, who, heard.local, heard.sent, comparison, told.tries
    )


def covered(sightings: Sequence[Sighting], message: str) -> set[str]:
    """The lines of a kind of request that some hop quoted in full and unchanged."""
    lines: set[str] = set()
    for one in sightings:
        if one.message == message and one.comparison is not None and one.comparison.identical:
            lines.update(one.comparison.covered)
    return lines
