"""Was a clock moved while packets went to and fro? Pure.

A clock that is set makes one direction look slower and the other faster by the same amount; the round trip stays as it
is. A queue changes the round trip.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

STEP_MS = 20.0
"Smaller steps are left in: they raise the jitter of RFC 3550 by about a millisecond, and only for a moment."
_EDGE_STEP_MS = 100.0
_BLOCK = 20
"Medians of so many packets are compared: jitter of 60 ms in both directions moves them by less than a step."


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
