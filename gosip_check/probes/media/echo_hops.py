"""Which hop behind the edge can be measured by, and which second one can bear witness? Asks each a little first.

A hop is of use that answers nearly all small echoes, and as large ones as possible; then it must also answer as many a
second as the load will have. The nearest such hop is taken: with it the least of other lines is in the figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gosip_check.probes.media import politeness
from gosip_check.probes.media.echo_child import Echoes
from gosip_check.probes.media.echo_rule import SMALL_OCTETS, Phase, together
from gosip_check.probes.media.echoes import EchoPlan, EchoStream
from gosip_check.probes.media.proportions import chance_of_more
from gosip_check.probes.path.hops import Hop

VOICE_OCTETS = 200
"A packet of G.711, 20 ms, with its IP header."
BESIDE_PPS = 5.0
LOOK_S, _LOOK_PPS = 2.0, 5.0
REHEARSAL_S = 1.0
_MOST_HOPS = 4
_SMALLER_OCTETS = (1000, 700, 500)
_NEARLY_ALL, _HALF = 0.9, 0.5
_RATIONS = 0.01


@dataclass(frozen=True)
class Answering:
    """A hop that answers echoes. octets: the largest that it answers; calm: what came of those at a slow pace."""

    hop: Hop
    octets: int
    calm: Phase

    @property
    def voice_octets(self) -> int:
        return VOICE_OCTETS if self.octets >= VOICE_OCTETS else SMALL_OCTETS


@dataclass(frozen=True)
class Looked:
    """hops: those that answer, nearest first. beside: other addresses that answer a small echo now and then."""

    hops: list[Answering]
    beside: list[str] = field(default_factory=list)


def look(echoes: Echoes, hops: Sequence[Hop], others: Sequence[str]) -> Looked:
    """Ask the nearest few hops, each small, voice-sized and large; and `others` small. Ten echoes of each kind."""
    hops = hops[:_MOST_HOPS]
    sizes = (SMALL_OCTETS, VOICE_OCTETS, politeness.LARGEST_ECHO)
    asked = [(hop.address, octets) for hop in hops for octets in sizes] + [(other, SMALL_OCTETS) for other in others]
    answers = _asked(echoes, asked)
    some = [hop for hop in hops if answers[hop.address, SMALL_OCTETS].loss <= 1 - _HALF]
    nearly_all = [hop for hop in some if answers[hop.address, SMALL_OCTETS].loss <= 1 - _NEARLY_ALL + 1e-9]
    useful = nearly_all or some
    smaller = [hop.address for hop in useful if not _answered(answers, hop.address, politeness.LARGEST_ECHO)]
    if smaller:
        answers |= _asked(echoes, [(address, octets) for address in smaller for octets in _SMALLER_OCTETS])
    return Looked(
        [_answering(hop, answers) for hop in useful],
        [other for other in others if answers[other, SMALL_OCTETS].timed_ms],
    )


def rehearse(echoes: Echoes, hops: Sequence[Answering], pps: float) -> list[tuple[Answering, Phase]]:
    """Which of them answer small echoes at the pace of the load, too? A second of it for each."""
    if not hops:
        return []
    plan = EchoPlan([EchoStream(one.hop.address, pps, SMALL_OCTETS) for one in hops], REHEARSAL_S)
    phases = echoes.send(plan, f"rehearsal, {pps:.0f} small echoes a second")
    return [
        (one, phase)
        for one, phase in zip(hops, phases, strict=True)
        if chance_of_more(phase.lost, phase.sent, one.calm.lost, one.calm.sent) > _RATIONS
    ]


_Asked = tuple[str, int]


def _asked(echoes: Echoes, asked: Sequence[_Asked]) -> dict[_Asked, Phase]:
    plan = EchoPlan([EchoStream(address, _LOOK_PPS, octets) for address, octets in asked], LOOK_S)
    return dict(zip(asked, echoes.send(plan, "which hop answers echoes"), strict=True))


def _answering(hop: Hop, answers: Mapping[_Asked, Phase]) -> Answering:
    sizes = sorted((octets for address, octets in answers if address == hop.address), reverse=True)
    octets = next(octets for octets in sizes if octets == SMALL_OCTETS or _answered(answers, hop.address, octets))
    calm = [answers[hop.address, size] for size in sizes if size <= octets and _answered(answers, hop.address, size)]
    return Answering(hop, octets, together(*calm) if calm else answers[hop.address, SMALL_OCTETS])


def _answered(answers: Mapping[_Asked, Phase], address: str, octets: int) -> bool:
    """As many large ones come back as small ones, as far as ten of each can tell."""
    large, small = answers[address, octets], answers[address, SMALL_OCTETS]
    return bool(large.timed_ms) and large.loss <= small.loss + (1 - _HALF) / 2
