"""What do the hops on the way quote of our SIP? Method one of the ALG probe: it shows every line that the ALG changed.

SIP requests to the signalling port die at one hop after the other, and each hop quotes what reached it. Behind the
site's edge any difference from what was sent is the edge's doing. Requests that would matter to a server are only sent
as far as a harmless one is known to have died on the way.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gosip_check.probes.path import hops
from gosip_check.probes.path.asking import Fate, Trial, ask
from gosip_check.probes.path.quotes import Shot, sip_shot
from gosip_check.probes.probe import Context
from gosip_check.wire import bait
from gosip_check.wire.rewriting import Comparison, compare

_MOST_HOPS = 5
_MOST_HOPS_BEYOND = 3
_SHORT_QUOTE = 130
"A hop that quotes no more than this gets the short OPTIONS as well."

_BUDGET_S = 40.0

_Bait = tuple[str, int]
"Kind of request, TTL."


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


def walk(context: Context, path: hops.Facts, domain: str, port: int) -> Walk:
    """Takes a second or two where all is seen; longer where something is lost and hops ration. Raises ProbeFailed as
    `volley`.
    """
    until_s = time.monotonic() + _BUDGET_S
    beyond = path.beyond_the_edge()[:_MOST_HOPS_BEYOND]

    def see(
        baits: Sequence[_Bait], to_port: int, until_s: float, control: Callable[[Shot], Shot] | None = None
    ) -> list[Sighting]:
        shots = [sip_shot(path.destination, to_port, domain, message, ttl) for message, ttl in baits]
        trials = ask(context, shots, until_s, control=control)
        return [_sighting(message, trial) for (message, _), trial in zip(baits, trials, strict=True)]

    def same_port(shot: Shot) -> Shot:
        return sip_shot(path.destination, port, domain, bait.OPTIONS, shot.ttl)

    baits = [(bait.OPTIONS, ttl) for ttl in _ttls(path, beyond)]
    baits += [(bait.SHORT, hop.ttl) for hop in beyond if hop.quoted_bytes <= _SHORT_QUOTE]
    sightings = see(baits, port, until_s)
    died = {each.ttl for each in sightings if each.message == bait.OPTIONS and each.fate is Fate.PASSED}
    safe = sorted(died & {hop.ttl for hop in path.hops})
    sightings += see([(kind, ttl) for ttl in safe for kind in (bait.INVITE, bait.REGISTER)], port, until_s, same_port)
    if not _suspicious(sightings):  # what already shows itself need not be provoked
        trap = [(bait.TRAP, hop.ttl) for hop in beyond if hop.ttl in safe][:1]
        sightings += see(trap, port, time.monotonic() + _BUDGET_S / 2, same_port)
    if path.control_port is None:
        return Walk(sightings, [])
    return Walk(sightings, see(_suspicious(sightings), path.control_port, time.monotonic() + _BUDGET_S / 2))


def _suspicious(sightings: Sequence[Sighting]) -> list[_Bait]:
    """What was lost, and what was first seen changed: to be tried at another port as well."""
    changed = [each for each in sightings if each.comparison is not None and not each.comparison.identical]
    nearest = min((each.ttl for each in changed), default=0)
    lost = [each for each in sightings if each.fate is Fate.DROPPED and each.message != bait.OPTIONS]
    first_changed = [each for each in changed if each.ttl == nearest]
    return list(dict.fromkeys((each.message, each.ttl) for each in lost + first_changed))


def _ttls(path: hops.Facts, beyond: Sequence[hops.Hop]) -> list[int]:
    """The first hop, every hop up to the edge and the first few behind it; guesses where no hop answered a control."""
    known = [hop.ttl for hop in path.hops if hop.ttl <= path.edge_ttl] + [hop.ttl for hop in beyond]
    return known[:_MOST_HOPS] if known else [1, 2, 3]


def _sighting(message: str, trial: Trial) -> Sighting:
    reaction, shot = trial.reaction, trial.shot
    quoted = reaction.quoted if trial.fate is Fate.PASSED else b""
    comparison = compare(reaction.sent, quoted) if quoted else None
    return Sighting(
        message=message,
        ttl=shot.ttl,
        port=shot.port,
        fate=trial.fate,
        hop=trial.answered_by,
        local=reaction.local,
        sent=reaction.sent,
        comparison=comparison,
        tries=trial.tries,
    )


def covered(sightings: Sequence[Sighting], message: str) -> set[str]:
    """The lines of a kind of request that some hop quoted in full and unchanged."""
    lines: set[str] = set()
    for each in sightings:
        if each.message == message and each.comparison is not None and each.comparison.identical:
            lines.update(each.comparison.covered)
    return lines
