"""How often which value was measured, counted from every value: for a chart, in place of a list too long for a file.

Pure. What lies beyond the 99th percentile is counted apart, so that one straggler does not squeeze the rest into a bar.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import pairwise

from gosip_check.probes.media import stats
from gosip_check.records import Record

STEPS = 40


class Histogram(Record, frozen=True):
    """counts: of `STEPS` equally wide steps from `low` to `high`; beyond: values above `high`, the largest is `max`."""

    low: float
    high: float
    max: float
    counts: list[int]
    beyond: int


def histogram(values: Iterable[float]) -> Histogram | None:
    """None for no values."""
    ordered = sorted(values)
    if not ordered:
        return None
    low, high = ordered[0], stats.percentile(ordered, 99)
    edges = [low + (high - low) * number / STEPS for number in range(1, STEPS)]
    places = [0, *(bisect_left(ordered, edge) for edge in edges), bisect_right(ordered, high)]
    return Histogram(
        low=low,
        high=high,
        max=ordered[-1],
        counts=[after - before for before, after in pairwise(places)],
        beyond=len(ordered) - places[-1],
    )
