"""What echoes prove of a line, as bounds of the figures of the worse direction. Pure; knows no requirement.

An echo goes both ways, so its losses and its jitter are those of both: neither direction is worse than the round trip,
and one of them is at least half as bad. The hop may be slow or busy by itself, which only makes figures worse: whatever
the second host beside it does not show as well is never held against the line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, sqrt
from statistics import median
from typing import Any

from gosip_check.probes.media import summary
from gosip_check.probes.media.bounds import Range
from gosip_check.probes.media.direction import JITTER_BUFFER_MS, WINDOW_200_MS
from gosip_check.probes.media.e_model import G711_PLC, Inputs, quality
from gosip_check.probes.media.echo_load import VOICE_PPS, Echoed
from gosip_check.probes.media.echo_rule import AT_ITS_END, Doubt, Phase, Shape, together
from gosip_check.probes.media.proportions import at_least, chance_of_more, highest_share, lowest_share
from gosip_check.probes.media.round_trips import Responder
from gosip_check.probes.media.summary import RoundTrip
from gosip_check.probes.media.voice import PACKETISATION_MS

_LOOKS = 3
"So often, at most, losses are looked at to see whether they decide something; each look has its share of the doubt."
_DOUBT = 0.05 / _LOOKS
_OWN_DOING = 0.01
_FEWEST_LOST = 2
"Of others' echoes, the witness's and the servers'; one may be lost anywhere."
_CLUSTERS = 0.2
_QUEUE_MS = 10.0
"A round trip that grows by less is never called a queue."
_NO_CHANCE = 0.01
_CHANCE = 1.1
"""So much more than the round trips' may the 99th percentile of the worse way be by chance: 1.06 was the most in 2,400
streams of four shapes."""


@dataclass(frozen=True)
class Losses:
    """Of a round trip. low, high: what the share can be, as fractions of 1; low is 0 where it may be the hop's own.

    may_be_the_line: others lose no less, as far as can be told yet. before_the_line: the site's router does, too.
    """

    lost: int
    of: int
    low: float
    high: float
    may_be_the_line: bool
    before_the_line: bool

    @property
    def worse_way(self) -> tuple[float, float]:
        """Of the worse direction, in percent: all in one, or as many in each."""
        return 100 * (1 - sqrt(1 - self.low)), 100 * self.high


def bounds_of_echoes(echoed: Echoed, need_kbps: float, servers: Sequence[Responder]) -> dict[str, Range]:
    """Bounds by fact; only those about which something is known. servers: of the provider, where they were timed."""
    ranges: dict[str, Range] = {}
    if echoed.finding is not None and echoed.load is not None:
        ranges["delivered_pct"] = _delivered(echoed, need_kbps)
    voice = [sent.phase for sent in echoed.own("voice")]
    lost = losses(echoed, servers)
    if lost is None or not voice:
        return ranges
    ranges["window15_loss_pct"] = lost.worse_way
    ranges["burst200_loss_pct"] = _bursts(voice, lost)
    ranges["worst_jitter_ms"] = _jitter(echoed, voice, servers)
    ranges["mos"] = _mos(voice, lost, servers)
    return ranges


def losses(echoed: Echoed, servers: Sequence[Responder]) -> Losses | None:
    """All echoes of the hop that no load of ours can have pushed out, thinned to voice's pace. None without any. A line
    may be so narrow that one call fills it.

    They are the line's where the witness loses as many, and the provider's servers do, if they answer echoes. A witness
    that loses more is none: it rations its answers. Where the site's own router loses as many, they are lost before it.
    """
    finding = echoed.finding
    names = ["slow"] if _one_call_fills(echoed) else ["voice", "slow"]
    if finding is None or finding.doubt is not Doubt.RATIONS:
        names += ["rehearsal", "control"]
    if finding is not None and finding.shape is Shape.CARRIED and not finding.by_witness:
        names.append("load")
    phases = [_thinned(sent.phase, sent.ask.pps) for sent in echoed.own(*names)]
    if not any(phase.sent for phase in phases):
        return None
    pool = together(*phases)
    lost, of = pool.lost, pool.sent
    if max(map(_clustering, phases), default=0.0) > _CLUSTERS:
        lost, of = ceil(lost / 2), of // 2
    witness = together(*echoed.witnessed(*names))
    pinged = [server for server in servers if server.method == "icmp" and server.answered]
    at_server = together(*(sent.phase for sent in echoed.others(*names) if sent.to != echoed.witness))
    servers_lost = at_server.lost + sum(server.asked - server.answered for server in pinged)
    servers_asked = at_server.sent + sum(server.asked for server in pinged)
    others = [(witness.lost, witness.sent), *([(servers_lost, servers_asked)] if servers_asked else [])]
    may_be_the_line = (
        witness.sent > 0
        and all(chance_of_more(lost, of, *other) > _OWN_DOING for other in others)
        and chance_of_more(witness.lost, witness.sent, lost, of) > _OWN_DOING
    )
    edge = together(*echoed.edge(*names))
    before_the_line = (
        edge.lost >= _FEWEST_LOST
        and chance_of_more(lost, of, edge.lost, edge.sent) > _OWN_DOING
        and chance_of_more(edge.lost, edge.sent, lost, of) > _OWN_DOING
    )
    may_be_the_line = may_be_the_line and not before_the_line
    is_the_line = may_be_the_line and all(other_lost >= _FEWEST_LOST for other_lost, _ in others)
    low = lowest_share(lost, of, _DOUBT) if is_the_line else 0.0
    return Losses(pool.lost, pool.sent, low, highest_share(lost, of, _DOUBT), may_be_the_line, before_the_line)


def _one_call_fills(echoed: Echoed) -> bool:
    """Round trips rise already with a stream of voice, on a line that is too narrow."""
    if echoed.finding is None or echoed.finding.shape is not Shape.NARROW:
        return False
    voice = together(*(sent.phase for sent in echoed.own("voice"))).timed_ms
    slow = together(*(sent.phase for sent in echoed.own("slow"))).timed_ms
    return bool(voice and slow) and median(voice) - summary.percentile(sorted(slow), 90) > _QUEUE_MS


def more_would_help(echoed: Echoed, servers: Sequence[Responder], limit_pct: float) -> bool:
    """Do the losses leave open whether the worse direction loses more than `limit_pct`, and could more tell?"""
    lost = losses(echoed, servers)
    if lost is None or _one_call_fills(echoed):
        return False
    low, high = lost.worse_way
    return low <= limit_pct < high and (lost.may_be_the_line or lost.lost < limit_pct / 100 * lost.of)


def what_is_wrong(echoed: Echoed, ranges: Mapping[str, Range]) -> dict[str, Any]:
    """Of each fault whether the line has it, as far as its behaviour shows that; a line may have more than one."""
    finding = echoed.finding
    known: dict[str, Any] = {}
    if finding is not None and finding.shape is not Shape.UNKNOWN:
        known = {"too_narrow": finding.shape is Shape.NARROW, "policed": finding.shape is Shape.POLICED}
    if ranges.get("window15_loss_pct", (0.0, 0.0))[0] or (finding and finding.shape is Shape.LOSSY):
        known["lossy"] = True
    return known


def least_round_trip_ms(echoed: Echoed, responders: Sequence[Responder]) -> float:
    """What the line takes at least: one host behind the edge may be slow by itself, but not all. 0: fewer than two."""
    least: dict[str, float] = {}
    sent = [*echoed.own("voice"), *echoed.others("voice")]
    answered = [(each.to, min(each.phase.timed_ms)) for each in sent if each.phase.timed_ms]
    answered += [(each.address, each.rtt_ms.min) for each in responders if each.role != "gateway" and each.rtt_ms]
    for address, rtt_ms in answered:
        least[address] = min(rtt_ms, least.get(address, rtt_ms))
    return min(least.values()) if len(least) > 1 else 0.0


def _delivered(echoed: Echoed, need_kbps: float) -> Range:
    finding, load = echoed.finding, echoed.load
    assert finding is not None
    assert load is not None
    offered_pct = 100 * load.kbps / need_kbps
    if finding.shape is Shape.CARRIED:
        return offered_pct * (1 - finding.unseen), 100.0
    if finding.shape in (Shape.NARROW, Shape.POLICED):
        worst, best = min(1.0, max(finding.short_of) / AT_ITS_END), min(1.0, *finding.short_of)
        return offered_pct * (1 - worst), offered_pct * (1 - best)
    return None, None


def _bursts(voice: Sequence[Phase], lost: Losses) -> Range:
    """In the worst 200 ms of one stream of voice. Packets that are lost one here, one there make no burst."""
    windows = [
        phase.rtts_ms[start : start + WINDOW_200_MS].count(None)
        for phase in voice
        for start in range(max(1, phase.sent - WINDOW_200_MS + 1))
    ]
    most = max(windows, default=0)
    high = 100 * most / WINDOW_200_MS
    by_chance = at_least(most, WINDOW_200_MS, lost.high) * len(windows)
    return (high / 2 if lost.low and by_chance < _NO_CHANCE else 0.0), high


def _jitter(echoed: Echoed, voice: Sequence[Phase], servers: Sequence[Responder]) -> Range:
    """RFC 3550 of the round trips: no direction has more, one has at least half. Here and there are at most added."""
    settled = [estimate for phase in voice for estimate in _estimates(phase)]
    if not settled:
        return None, None
    ordered = sorted(settled)
    own = _mean_step([phase.timed_ms for phase in voice])
    beside = _mean_step([phase.timed_ms for phase in echoed.witnessed("voice")])
    share = 0.0 if own is None or beside is None or own <= 0 else min(1.0, beside / own)
    own_spread_ms = _spread_ms(RoundTrip.of(rtt for phase in voice for rtt in phase.timed_ms))
    for server in servers:
        if server.method == "icmp" and server.speaks_for_the_link and own_spread_ms > 0:
            share = min(share, _spread_ms(server.rtt_ms) / own_spread_ms)
    # Where two values add up to more than twice a limit in 2 of 100, one of them is above it in 1 of 100.
    return share * summary.percentile(ordered, 98) / 2, _CHANCE * summary.percentile(ordered, 99)


def _spread_ms(trip: RoundTrip | None) -> float:
    return 0.0 if trip is None else trip.p95 - trip.min


def _mos(voice: Sequence[Phase], lost: Losses, servers: Sequence[Responder]) -> Range:
    """Of G.711 with concealment. Worst: all losses and delays in one direction; best: half of the least of them."""
    timed = sorted(rtt for phase in voice for rtt in phase.timed_ms)
    if not timed:
        return None, None
    trip = RoundTrip.of(timed)
    assert trip is not None
    # A server's own time is in its round trips, so they are the most that the way takes.
    whole_ms = max([trip.p50, *(server.rtt_ms.p50 for server in servers if server.rtt_ms)])
    early_ms = summary.percentile(timed, 10)
    late_pct = 100 * sum(rtt > early_ms + JITTER_BUFFER_MS for rtt in timed) / len(timed)
    loss_pct = 100 * lost.high
    worst = _score(whole_ms / 2, min(100.0, loss_pct + (100 - loss_pct) * late_pct / 100))
    best = _score(trip.min / 2, lost.worse_way[0])
    return worst, best


def _score(one_way_ms: float, ppl_pct: float) -> float | None:
    ta_ms = one_way_ms + PACKETISATION_MS + JITTER_BUFFER_MS
    found = quality(Inputs(ta_ms=ta_ms, ppl_pct=ppl_pct, burst_ratio=1.0, codec=G711_PLC))
    return None if found is None else round(found.mos, 3)


def _estimates(phase: Phase) -> list[float]:
    estimates = summary.jitter(phase.timed_ms)
    return estimates[summary.JITTER_WARM_UP :] or estimates


def _mean_step(series: Sequence[Sequence[float]]) -> float | None:
    steps = [abs(later - earlier) for one in series for earlier, later in pairwise(one)]
    return sum(steps) / len(steps) if steps else None


def _thinned(phase: Phase, pps: float) -> Phase:
    """Losses close to each other are not independent of each other: of a faster stream, every second echo or so."""
    every = max(1, ceil(pps / VOICE_PPS - 1e-9))
    return Phase(phase.slots, phase.late, phase.lasted_s, phase.rtts_ms[::every], phase.spoilt, phase.stopped)


def _clustering(phase: Phase) -> float:
    """Correlation of one echo's loss with the next one's."""
    lost = [rtt is None for rtt in phase.rtts_ms]
    share = sum(lost) / len(lost) if lost else 0.0
    if not 0 < share < 1 or len(lost) < 100:
        return 0.0
    both = sum(a and b for a, b in pairwise(lost)) / (len(lost) - 1)
    return (both - share * share) / (share * (1 - share))
