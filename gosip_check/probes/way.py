"""One direction of a stream: what all channels together lost on it, and how late the rest came. Pure."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from gosip_check.probes import stats
from gosip_check.probes.spread import Spread
from gosip_check.records import Record

PACKET_MS = 20
JITTER_BUFFER_MS = 40.0
"Assumed of the phone: fixed, counted from the fastest packet. A packet later than that is lost to the listener."
WINDOW_15_S, WINDOW_200_MS = 750, 10
"Windows that loss is judged in, in packets of one channel."
_LATE_NS = 100_000_000
"A packet that arrives this long after the stream's own length was delivered too slowly to count for the rate."


class Way(Record, frozen=True):
    """One direction. lost and what follows from it are None where the direction of losses cannot be told.

    delivered_pct: packets that arrived, and in time, of those sent into this direction. variation_p99_ms: 99th
    percentile of the delay over the smallest.
    """

    lost: int | None
    loss_pct: float | None
    window15_loss_pct: float | None
    burst200_loss_pct: float | None
    delivered_pct: float | None
    rate_kbps: float | None
    jitter_ms: Spread | None
    variation_p99_ms: float | None
    too_late_pct: float
    burst_ratio: float


@dataclass
class Pool:
    """What all channels add up to in one direction."""

    slots: int
    lost: list[int] = field(init=False)
    total: int = 0
    late: int = 0
    bursts: list[int] = field(default_factory=list)
    jitter: "array[float]" = field(default_factory=lambda: array("f"))
    jitter_max: float = 0.0
    delays: "array[float]" = field(default_factory=lambda: array("d"))
    arrivals_ns: "array[int]" = field(default_factory=lambda: array("q"))

    def __post_init__(self) -> None:
        self.lost = [0] * self.slots

    def lose(self, numbers: Sequence[int]) -> None:
        """Count packets that were lost on this way."""
        for number in numbers:
            self.lost[number] += 1
        self.total += len(numbers)
        self.bursts += stats.bursts(numbers)

    def time(self, delays_ms: Sequence[float]) -> float | None:
        """Take one channel's delays, in order of arrival; its largest jitter."""
        estimates = stats.jitter(delays_ms)
        self.delays.extend(delays_ms)
        self.jitter.extend(estimates[stats.JITTER_WARM_UP :] or estimates)
        largest = max(estimates, default=None)
        self.jitter_max = max(self.jitter_max, largest or 0.0)
        return largest

    def count_late(self, packets: int) -> None:
        """How many arrived later than a stream of that length explains."""
        if self.arrivals_ns:
            end_ns = min(self.arrivals_ns) + packets * PACKET_MS * 1_000_000 + _LATE_NS
            self.late = sum(at_ns > end_ns for at_ns in self.arrivals_ns)


def way_of(pool: Pool, sent: Sequence[int], known: bool, kbps_each: float) -> Way:
    """sent: packets per slot that were sent into this direction; kbps_each: what one packet that arrives adds at IP."""
    offered = sum(sent)
    delays = sorted(pool.delays)
    known = known and offered > 0
    arrived = offered - pool.total - pool.late
    jitter = Spread.of(pool.jitter)
    too_late = 0
    if delays:
        too_late = sum(delay > delays[0] + JITTER_BUFFER_MS for delay in delays)
    return Way(
        lost=pool.total if known else None,
        loss_pct=100 * pool.total / offered if known else None,
        window15_loss_pct=stats.worst_window_pct(pool.lost, sent, WINDOW_15_S) if known else None,
        burst200_loss_pct=stats.worst_window_pct(pool.lost, sent, WINDOW_200_MS) if known else None,
        delivered_pct=100 * arrived / offered if known else None,
        rate_kbps=kbps_each * arrived if known else None,
        jitter_ms=Spread(p50=jitter.p50, p99=jitter.p99, max=pool.jitter_max) if jitter else None,
        variation_p99_ms=stats.percentile(delays, 99) - delays[0] if delays else None,
        too_late_pct=100 * too_late / len(delays) if delays else 0.0,
        burst_ratio=stats.burst_ratio(pool.bursts, offered),
    )
