"""One direction of a stream: what all channels together lost on it, and how late the rest came. Pure."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median, stdev
from typing import NamedTuple

from gosip_check.probes.media import summary
from gosip_check.probes.media.summary import Spread
from gosip_check.records import Record

PACKET_MS = 20
LATE_MS = 10.0
"A packet that an end sends this much late goes out in a clump with others: see `bounds`."
JITTER_BUFFER_MS = 40.0
"Assumed of the phone. A packet that comes later than that after its spurt's start is lost to the listener."
SPURT = 50
"Packets of one talk spurt, 1.0 s on average (ITU-T P.59): a buffer that adapts sets its start again before each."
SPURT_START_PCT = 10
"The start is this percentile of the spurt's delays: a few packets that were faster do not make all others late."
WINDOW_15_S, WINDOW_200_MS = 750, 10
"Windows that loss is judged in, in packets of one channel."
_LATE_NS = 100_000_000
"A packet that arrives this long after the stream's own length was delivered too slowly to count for the rate."
_PARTS = 5
_BY_CHANCE = 2.5
"Two standard errors of a median: 1.2533 of those of a mean, where the values are spread evenly to both sides."


class DirectionFacts(Record, frozen=True):
    """All channels together. Of losses None is known where nobody can tell in which direction packets were lost."""

    lost: int | None
    loss_pct: float | None
    window15_loss_pct: float | None
    burst200_loss_pct: float | None
    delivered_pct: float | None
    "Packets that arrived, and in time, of those sent into this direction."
    rate_kbps: float | None
    "At IP, of the same packets."
    late: int | None
    "Packets that arrived, but not in time. None where the far end's clock is not believed, as jitter and variation."
    jitter_ms: Spread | None
    variation_p99_ms: float | None
    "99th percentile of the delay over the smallest within 15 s."
    too_late_pct: float
    "Packets that miss a jitter buffer. This and the growth are at most so much where the clock is not believed."
    growth_ms: float
    "How much longer packets took at the end than at the start, on the median channel."
    burst_ratio: float


class Timing(NamedTuple):
    """One channel in one direction."""

    jitter_ms: Spread | None
    variation_p99_ms: float | None


@dataclass
class Pool:
    """What all channels add up to in one direction."""

    slots: int
    lost: list[int] = field(init=False)
    total: int = 0
    bursts: list[int] = field(default_factory=list)
    jitter: "array[float]" = field(default_factory=lambda: array("f"))
    jitter_max: float = 0.0
    variation: "array[float]" = field(default_factory=lambda: array("f"))
    too_late: int = 0
    growths_ms: list[float] = field(default_factory=list)
    arrivals_ns: "array[int]" = field(default_factory=lambda: array("q"))

    def __post_init__(self) -> None:
        self.lost = [0] * self.slots

    def lose(self, numbers: Sequence[int]) -> None:
        """Count packets that were lost in this direction."""
        for number in numbers:
            self.lost[number] += 1
        self.total += len(numbers)
        self.bursts += summary.bursts(numbers)

    def time(self, delays_ms: Sequence[float]) -> Timing:
        """Take one channel's delays, in order of arrival. Each is held against those near it: clocks drift apart."""
        estimates = summary.jitter(delays_ms)
        settled = estimates[summary.JITTER_WARM_UP :] or estimates
        self.jitter.extend(settled)
        largest = max(estimates, default=0.0)
        self.jitter_max = max(self.jitter_max, largest)
        variation: list[float] = []
        for start in range(0, len(delays_ms), WINDOW_15_S):
            window = delays_ms[start : start + WINDOW_15_S]
            fastest = min(window)
            variation.extend(delay - fastest for delay in window)
        self.variation.extend(variation)
        for start in range(0, len(delays_ms), SPURT):
            spurt = sorted(delays_ms[start : start + SPURT])
            latest = summary.percentile(spurt, SPURT_START_PCT) + JITTER_BUFFER_MS
            self.too_late += sum(delay > latest for delay in spurt)
        part = len(delays_ms) // _PARTS
        if part:
            self.growths_ms.append(min(delays_ms[-part:]) - min(delays_ms[:part]))
        jitter = Spread.of(settled)
        return Timing(
            Spread(p50=jitter.p50, p99=jitter.p99, max=largest) if jitter else None,
            summary.percentile(sorted(variation), 99) if variation else None,
        )

    def take_times_of(self, whole: "Pool") -> None:
        """Where those of this direction are not believed: the round trip's are at least as long, and vary as much."""
        self.too_late, self.variation, self.growths_ms = whole.too_late, whole.variation, whole.growths_ms

    def late(self, before: "Pool | None" = None) -> int:
        """How many arrived later than a stream of that length explains, and than the direction before had made them."""
        if not self.arrivals_ns:
            return 0
        end_ns = self._end_ns()
        if before is None:
            return sum(at_ns - end_ns > _LATE_NS for at_ns in self.arrivals_ns)
        before_ns = before._end_ns()
        return sum(
            at_ns - end_ns - max(0, there_ns - before_ns) > _LATE_NS
            for at_ns, there_ns in zip(self.arrivals_ns, before.arrivals_ns, strict=True)
        )

    def _end_ns(self) -> int:
        return min(self.arrivals_ns) + self.slots * PACKET_MS * 1_000_000


def direction_facts(
    pool: Pool, sent: Sequence[int], known: bool, kbps_each: float, late: int, timed: bool = True
) -> DirectionFacts:
    """sent: packets per slot that were sent into this direction; late: see `Pool.late`.

    known: its losses can be told from those of the other. kbps_each: what one packet that arrives adds at IP.
    timed: its times are believed; where not, `late` is the round trip's.
    """
    offered = sum(sent)
    known = known and offered > 0
    in_time = known and (timed or not late)
    arrived = offered - pool.total - late
    jitter = Spread.of(pool.jitter) if timed else None
    count = len(pool.variation)
    return DirectionFacts(
        lost=pool.total if known else None,
        loss_pct=100 * pool.total / offered if known else None,
        window15_loss_pct=summary.worst_window_pct(pool.lost, sent, WINDOW_15_S) if known else None,
        burst200_loss_pct=summary.worst_window_pct(pool.lost, sent, WINDOW_200_MS) if known else None,
        delivered_pct=100 * arrived / offered if in_time else None,
        rate_kbps=kbps_each * arrived if in_time else None,
        late=late if timed else None,
        jitter_ms=Spread(p50=jitter.p50, p99=jitter.p99, max=pool.jitter_max) if jitter else None,
        variation_p99_ms=summary.percentile(sorted(pool.variation), 99) if count and timed else None,
        too_late_pct=100 * pool.too_late / count if count else 0.0,
        growth_ms=_growth_ms(pool.growths_ms),
        burst_ratio=summary.burst_ratio(pool.bursts, offered),
    )


def _growth_ms(of_channels: Sequence[float]) -> float:
    """What all channels have in common, as a queue has. What they differ by is jitter, and jitter alone makes some."""
    if not of_channels:
        return 0.0
    by_chance = _BY_CHANCE * stdev(of_channels) / len(of_channels) ** 0.5 if len(of_channels) > 1 else 0.0
    return max(0.0, median(of_channels) - by_chance)
