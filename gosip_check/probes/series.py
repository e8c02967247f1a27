"""Fewer points of a series for a file, with its extremes kept. Pure."""

from collections.abc import Sequence

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
