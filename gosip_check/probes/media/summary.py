"""What many measured values come to in a few: percentiles, jitter, bursts, windows, and the points of a chart.

Pure: no clock, no socket; judges nothing.
"""

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Self

from gosip_check.records import Record, Series

JITTER_WARM_UP = 48
"Packets after which the estimator of RFC 3550, which starts at zero, has reached 95 % of its level."
HISTOGRAM_STEPS = 40
MOST_POINTS = 2000
"Of one series in a report."
_Z_95 = 1.959963984540054


class Spread(Record, frozen=True):
    """Percentiles in milliseconds."""

    p50: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self | None:
        """None for no values."""
        ordered = sorted(values)
        if not ordered:
            return None
        return cls(p50=percentile(ordered, 50), p99=percentile(ordered, 99), max=ordered[-1])


class RoundTrip(Record, frozen=True):
    """Percentiles in milliseconds."""

    min: float
    p50: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self | None:
        """None for no values."""
        ordered = sorted(values)
        if not ordered:
            return None
        p50, p95, p99 = (percentile(ordered, percent) for percent in (50, 95, 99))
        return cls(min=ordered[0], p50=p50, p95=p95, p99=p99, max=ordered[-1])


class Histogram(Record, frozen=True):
    """counts: of `HISTOGRAM_STEPS` equally wide steps from `low` to `high`, the 99th percentile.

    beyond: values above `high`, so that one straggler does not squeeze the rest into a bar; the largest is `max`.
    """

    low: float
    high: float
    max: float
    counts: list[int]
    beyond: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Self | None:
        """Counted from every value. None for no values."""
        ordered = sorted(values)
        if not ordered:
            return None
        low, high = ordered[0], percentile(ordered, 99)
        edges = [low + (high - low) * number / HISTOGRAM_STEPS for number in range(1, HISTOGRAM_STEPS)]
        up_to = [0, *(bisect_left(ordered, edge) for edge in edges), bisect_right(ordered, high)]
        return cls(
            low=low,
            high=high,
            max=ordered[-1],
            counts=[later - earlier for earlier, later in pairwise(up_to)],
            beyond=len(ordered) - up_to[-1],
        )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed. `ordered` is sorted and not empty."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def jitter(transits: Iterable[float]) -> list[float]:
    """RFC 3550 6.4.1 and A.8: the running estimate after each packet but the first, in the unit of the transits.

    transits: arrival time minus sending time, in order of arrival; the clocks need not agree.
    """
    estimate = 0.0
    estimates = []
    for earlier, later in pairwise(transits):
        estimate += (abs(later - earlier) - estimate) / 16
        estimates.append(estimate)
    return estimates


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share, as fractions of 1: what `hits` of `of` can prove. (0, 1) for an empty sample."""
    if of == 0:
        return 0.0, 1.0
    share, z2 = hits / of, _Z_95**2
    middle = share + z2 / (2 * of)
    spread = _Z_95 * math.sqrt(share * (1 - share) / of + z2 / (4 * of**2))
    low, high = (middle - spread) / (1 + z2 / of), (middle + spread) / (1 + z2 / of)
    return low if hits else 0.0, high if hits < of else 1.0


def worst_window_pct(lost: Sequence[int], sent: Sequence[int], width: int) -> float:
    """The largest loss in any `width` slots on end, in percent; a shorter series is one window.

    lost, sent: packets per slot. Windows in which nothing was sent say nothing.
    """
    width = min(width, len(sent))
    lost_in, sent_in = sum(lost[:width]), sum(sent[:width])
    worst = 100 * lost_in / sent_in if sent_in else 0.0
    for end in range(width, len(sent)):
        lost_in += lost[end] - lost[end - width]
        sent_in += sent[end] - sent[end - width]
        if sent_in:
            worst = max(worst, 100 * lost_in / sent_in)
    return worst


def bursts(lost: Sequence[int]) -> list[int]:
    """Lengths of the runs of consecutive sequence numbers in `lost`, which is sorted."""
    lengths: list[int] = []
    for index, number in enumerate(lost):
        if index and number == lost[index - 1] + 1:
            lengths[-1] += 1
        else:
            lengths.append(1)
    return lengths


def burst_ratio(lengths: Sequence[int], sent: int) -> float:
    """G.107: mean length of the loss bursts over what it would be if loss were random, 1 / (1 - p). Never below 1."""
    lost = sum(lengths)
    if not lost or lost >= sent:
        return 1.0
    return max(1.0, lost / len(lengths) * (1 - lost / sent))


def thinned(name: str, unit: str, points: Sequence[tuple[float, float]], measured: int | None = None) -> Series:
    """At most `MOST_POINTS`, in the order of time: of every stretch its smallest and its largest value.

    measured: how many values stand behind the points, where these are fewer.
    """
    kept = list(points) if len(points) <= MOST_POINTS else _extremes(points, MOST_POINTS // 2)
    return Series(name=name, unit=unit, points=kept, measured=len(points) if measured is None else measured)


def _extremes(points: Sequence[tuple[float, float]], stretches: int) -> list[tuple[float, float]]:
    kept: list[tuple[float, float]] = []
    for number in range(stretches):
        stretch = points[number * len(points) // stretches : (number + 1) * len(points) // stretches]
        low = min(range(len(stretch)), key=lambda index: stretch[index][1])
        high = max(range(len(stretch)), key=lambda index: stretch[index][1])
        kept += [stretch[index] for index in sorted({low, high})]
    return kept


class Extremes:
    """The smallest and the largest round trip of every slot, over all channels. slot_s: how long a slot is."""

    def __init__(self, slots: int, slot_s: float) -> None:
        self._low, self._high = array("d", [math.inf]) * slots, array("d", [-math.inf]) * slots
        self._slot_s, self._measured = slot_s, 0

    def add(self, values: Iterable[tuple[int, float]]) -> None:
        """(slot, value)."""
        for slot, value in values:
            self._low[slot] = min(self._low[slot], value)
            self._high[slot] = max(self._high[slot], value)
            self._measured += 1

    def series(self, name: str, unit: str) -> list[Series]:
        """One series, or none where nothing was added. `measured` counts every value."""
        points = []
        for slot, (low, high) in enumerate(zip(self._low, self._high, strict=True)):
            if low <= high:
                at_s = round(slot * self._slot_s, 3)
                points += [(at_s, round(value, 3)) for value in dict.fromkeys((low, high))]
        return [thinned(name, unit, points, self._measured)] if points else []


def shares(name: str, lost: Sequence[int], sent: Sequence[int], slots_each: int, slot_s: float) -> Series:
    """Loss in percent for every `slots_each` slots; a stretch in which nothing was sent has no point."""
    points = []
    for start in range(0, len(sent), slots_each):
        offered = sum(sent[start : start + slots_each])
        if offered:
            share_pct = 100 * sum(lost[start : start + slots_each]) / offered
            points.append((round(start * slot_s, 3), round(share_pct, 4)))
    return thinned(name, "%", points, sum(sent))
