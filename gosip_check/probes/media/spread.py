"""Delays in a few numbers: percentiles, in milliseconds. Pure."""

from collections.abc import Iterable
from typing import Self

from gosip_check.probes.media import stats
from gosip_check.records import Record


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
        return cls(p50=stats.percentile(ordered, 50), p99=stats.percentile(ordered, 99), max=ordered[-1])


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
        p50, p95, p99 = (stats.percentile(ordered, percent) for percent in (50, 95, 99))
        return cls(min=ordered[0], p50=p50, p95=p95, p99=p99, max=ordered[-1])
