"""What was measured over time, for charts: fewer points for a file, with the extremes kept. Pure."""

import math
from array import array
from collections.abc import Iterable, Sequence

from gosip_check.records import Series

MOST_POINTS = 2000


def thinned(name: str, unit: str, points: Sequence[tuple[float, float]]) -> Series:
    """At most 2,000 points in the order of time: of every stretch its smallest and its largest value."""
    if len(points) <= MOST_POINTS:
        return Series(name=name, unit=unit, points=list(points), measured=len(points))
    stretches = MOST_POINTS // 2
    kept: list[tuple[float, float]] = []
    for number in range(stretches):
        stretch = points[number * len(points) // stretches : (number + 1) * len(points) // stretches]
        low = min(range(len(stretch)), key=lambda index: stretch[index][1])
        high = max(range(len(stretch)), key=lambda index: stretch[index][1])
        kept += [stretch[index] for index in sorted({low, high})]
    return Series(name=name, unit=unit, points=kept, measured=len(points))


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
        if not points:
            return []
        found = thinned(name, unit, points)
        return [Series(name=found.name, unit=found.unit, points=found.points, measured=self._measured)]


def shares(name: str, lost: Sequence[int], sent: Sequence[int], slots_each: int, slot_s: float) -> Series:
    """Loss in percent for every `slots_each` slots; a stretch in which nothing was sent has no point."""
    points = []
    for start in range(0, len(sent), slots_each):
        offered = sum(sent[start : start + slots_each])
        if offered:
            share_pct = 100 * sum(lost[start : start + slots_each]) / offered
            points.append((round(start * slot_s, 3), round(share_pct, 4)))
    found = thinned(name, "%", points)
    return Series(name=found.name, unit=found.unit, points=found.points, measured=sum(sent))
