"""Can the far end's times be true, and was a clock moved while packets went to and fro? Pure.

A time is held against our own clock before anything is concluded from it. A clock that is set, or that does not run at
the pace of ours, makes one direction look slower and the other faster by the same amount; the round trip stays as it
is. A queue changes the round trip.
"""

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from statistics import median

from gosip_check.probes.media import summary
from gosip_check.probes.media.direction import PACKET_MS
from gosip_check.wire.stamp import Reply

STEP_MS = 20.0
"Smaller steps are left in: they raise the jitter of RFC 3550 by about a millisecond, and only for a moment."
_EDGE_STEP_MS = 100.0
_BLOCK = 20
"Medians of so many packets are compared: jitter of 60 ms in both directions moves them by less than a step."
_ROUGHER, _ROUGHER_BY_MS = 2.0, 1.0
"""A direction whose jitter is more than so many times that of the round trip, and so much more, was timed by a wrong
clock. Delays of two directions know nothing of each other, so their sum varies no less than each of them."""
_DRIFT = 0.005
"No clock is so far off its pace: crystals are 0.01 % off, and NTP changes their pace by 0.05 % (RFC 5905 11.3)."
_PARTS = 5
_FEWEST_TIMED = 10
"Fewer answers show no pace."


class Doubt(StrEnum):
    """Why the far end's times are not believed: "The reflector's clock ..."."""

    NO_TIME = "does not say when packets arrived and left"
    BACKWARDS = "says that answers left before their packets had arrived"
    TOO_LONG = "says that it kept packets for longer than they were away"
    PACE = "does not run at the pace of ours"


def doubt_of(reply: Reply, away_ns: int) -> Doubt | None:
    """Why T2 and T3 of one answer cannot be true; None where they can. away_ns: T4 - T1, both by our own clock."""
    if reply.received_ns is None or reply.sent_ns is None:
        return Doubt.NO_TIME
    kept_ns = reply.sent_ns - reply.received_ns
    if kept_ns < 0:
        return Doubt.BACKWARDS
    return Doubt.TOO_LONG if kept_ns > away_ns else None


def runs_at_our_pace(up_ms: Sequence[float], far_ms: Sequence[float], down_ms: Sequence[float]) -> bool:
    """Times of one channel's answers in order of arrival: there, kept by the far end, and back."""
    if len(up_ms) < _FEWEST_TIMED:
        return True
    there_and_back = [up + down for up, down in zip(up_ms, down_ms, strict=True)]
    away = [trip + kept for trip, kept in zip(there_and_back, far_ms, strict=True)]
    # A far end that sends at fixed moments keeps a packet the shorter the later it came, so `away` hides what `up` is.
    rough_ms = max(_roughness(there_and_back), _roughness(away))
    if _roughness(up_ms) > _ROUGHER * rough_ms + _ROUGHER_BY_MS:
        return False
    if _roughness(down_ms) > _ROUGHER * _roughness(away) + _ROUGHER_BY_MS:
        return False
    moved_ms = max(_movement(there_and_back), _movement(away))
    drift_ms = max(STEP_MS, _DRIFT * PACKET_MS * len(up_ms))
    return max(_movement(up_ms), _movement(down_ms)) <= moved_ms + drift_ms


def _movement(delays_ms: Sequence[float]) -> float:
    """How far apart the fastest packets of the stream's parts are."""
    size = max(1, len(delays_ms) // _PARTS)
    fastest = [min(delays_ms[start : start + size]) for start in range(0, len(delays_ms) - size + 1, size)]
    return max(fastest) - min(fastest)


def _roughness(delays_ms: Sequence[float]) -> float:
    """The jitter that most packets stay below."""
    return summary.percentile(sorted(summary.jitter(delays_ms)), 99)


def steps(up_ms: Sequence[float], down_ms: Sequence[float]) -> list[tuple[int, float]]:
    """(index of the first answer after it, ms that `up` grew by then), in order. Delays in order of arrival."""
    offsets = [(up - down) / 2 for up, down in zip(up_ms, down_ms, strict=True)]
    trips = [up + down for up, down in zip(up_ms, down_ms, strict=True)]
    jumps = [0.0, *(abs(later - earlier) for earlier, later in pairwise(offsets))]
    if max(jumps, default=0.0) < STEP_MS / 2:
        return []
    starts = range(0, len(offsets) - _BLOCK + 1, _BLOCK)
    middles = [median(offsets[start : start + _BLOCK]) for start in starts]
    trip_middles = [median(trips[start : start + _BLOCK]) for start in starts]
    moves = []
    block = 1
    while block < len(middles) - 1:
        moved = middles[block + 1] - middles[block - 1]
        changed = abs(trip_middles[block + 1] - trip_middles[block - 1])
        at = max(range((block - 1) * _BLOCK + 1, (block + 2) * _BLOCK), key=jumps.__getitem__)
        if abs(moved) >= STEP_MS and changed < abs(moved) / 4 and jumps[at] >= abs(moved) / 2:
            moves.append((at, moved))
            block += 1
        block += 1
    return sorted(moves + _near_the_ends(offsets, trips, jumps, [at for at, _ in moves]))


def _near_the_ends(
    offsets: Sequence[float], trips: Sequence[float], jumps: Sequence[float], known: Sequence[int]
) -> list[tuple[int, float]]:
    """Steps with too few packets on one side of them for a median: only those that nothing else explains."""
    last = len(offsets) - 2 * _BLOCK
    return [
        (at, offsets[at] - offsets[at - 1])
        for at, jump in enumerate(jumps)
        if jump >= _EDGE_STEP_MS
        and not _BLOCK * 2 <= at < last
        and abs(trips[at] - trips[at - 1]) < jump / 8
        and all(abs(at - other) > _BLOCK for other in known)
    ]
