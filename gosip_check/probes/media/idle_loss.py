"""Is what a full stream lost also lost of one that fills little? Tells a lossy line from one that is too narrow. Pure.

The second stream has as many packets a second, but small ones. What it loses as well has nothing to do with the rate,
so it is taken off the losses of the first before these say anything about the rate.
"""

from typing import Any, Literal, get_args

from gosip_check.probes.media.bounds import Range, sustained_pct
from gosip_check.probes.media.direction import DirectionFacts
from gosip_check.probes.media.proportions import chance_of_more, highest_share, lowest_share
from gosip_check.probes.media.stream_facts import StreamFacts

Cause = Literal["too_narrow", "policed", "lossy"]
"As the facts are called."

_MORE = 0.01
"A stream that loses so much more only by this chance loses more."
_WORST_DOUBT, _BEST_DOUBT = 0.05, 0.001
"What fails a line must be surer than what leaves it open."
_QUEUE_MS = 10.0
"Round trips that grow by less than this, and by less than they vary without the load, are flat."

_Count = tuple[int, int]
"Lost, of how many."


def is_lossy(full: StreamFacts, small: StreamFacts) -> bool:
    """Does the small stream lose in each direction as much as the full one, as far as so many packets tell?"""
    return all(_is_explained(*pair) for pair in _pairs(full, small))


def but_for_idle_loss(delivered: Range, full: StreamFacts, small: StreamFacts) -> Range:
    """Bounds of what was delivered of the load, in percent, without what is lost at any rate."""
    low, high = delivered
    if low is None or high is None or not is_lossy(full, small):
        return delivered
    pairs = _pairs(full, small)
    worst = best = 100.0
    for (lost, of), (idle_lost, idle_of) in pairs:
        kept = (1 - highest_share(lost, of, _WORST_DOUBT)) / (1 - lowest_share(idle_lost, idle_of, _WORST_DOUBT))
        worst *= min(1.0, kept)
        idle = 1 - highest_share(idle_lost, idle_of, _BEST_DOUBT)
        kept = (1 - lowest_share(lost, of, _BEST_DOUBT)) / idle if idle > 0 else 1.0
        best = min(best, 100 * kept)
    # What the far end did not send back in full was not loaded, whatever was lost.
    worst = 0.0 if full.short_answers else min(worst, sustained_pct(full))
    return max(low, worst), max(high, best)


def cause_of_stream(full: StreamFacts, small: StreamFacts) -> Cause:
    """Why a full stream did not arrive."""
    if is_lossy(full, small):
        return "lossy"
    if full.rtt_ms is None or small.rtt_ms is None:
        return "too_narrow"
    grown_ms = full.rtt_ms.p50 - small.rtt_ms.p50
    return "too_narrow" if grown_ms > max(_QUEUE_MS, small.rtt_ms.p95 - small.rtt_ms.p50) else "policed"


def told_of(cause: Cause | None) -> dict[str, Any]:
    """Of each cause whether it is this one; empty where none was looked for."""
    known: tuple[Cause, ...] = get_args(Cause)
    return {} if cause is None else {one: one == cause for one in known}


def _pairs(full: StreamFacts, small: StreamFacts) -> list[tuple[_Count, _Count]]:
    """What both lost, by direction; of both directions together where one of them does not tell."""
    if None in (full.up.lost, full.down.lost, small.up.lost, small.down.lost):
        return [((full.sent - full.received, full.sent), (small.sent - small.received, small.sent))]
    return [
        (_count(full, "up"), _count(small, "up")),
        (_count(full, "down"), _count(small, "down")),
    ]


def _count(stream: StreamFacts, way: Literal["up", "down"]) -> _Count:
    """What came too late to count for the rate is lost to it."""
    direction: DirectionFacts = getattr(stream, way)
    offered = stream.sent if way == "up" else stream.sent - (stream.up.lost or 0)
    return (direction.lost or 0) + (direction.late or 0), offered


def _is_explained(full: _Count, small: _Count) -> bool:
    if not full[0]:
        return True
    return small[0] > 0 and chance_of_more(*full, *small) > _MORE
