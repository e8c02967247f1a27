"""When the packets of all channels came and went: there and back by our own clock, in each direction by the far end's
as far as that can be believed. Pure; judges nothing.
"""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from gosip_check.probes.media import far_clock
from gosip_check.probes.media.answer import Answer
from gosip_check.probes.media.direction import LATE_MS, PACKET_MS, Pool, Timing
from gosip_check.probes.media.far_clock import Doubt
from gosip_check.probes.media.summary import Extremes, Histogram, RoundTrip
from gosip_check.records import Series

FAR_MS = 10.0
"Up to this, the median time that the far end says it kept packets is taken off their round trips as it says."
_GRACE_MS = 10_000
"No packet is away for longer than its stream lasted, and this."
_IMPOSSIBLE_SHARE = 0.01
"With more answers than this whose times cannot be true, none of the far end's are believed."


class RoundTrips:
    """Of all channels, in milliseconds."""

    def __init__(self, slots: int) -> None:
        self._all = array("f")
        self._over_time = Extremes(slots, PACKET_MS / 1000)

    def add(self, numbers: Sequence[int], trips_ms: Sequence[float]) -> None:
        """One channel's: the numbers of the packets, and the round trip of each."""
        self._all.extend(trips_ms)
        self._over_time.add(zip(numbers, trips_ms, strict=True))

    @property
    def summary(self) -> RoundTrip | None:
        """None without any."""
        return RoundTrip.of(self._all)

    @property
    def histogram(self) -> Histogram | None:
        """None without any."""
        return Histogram.of(self._all)

    @property
    def series(self) -> list[Series]:
        """Over time; empty without any."""
        return self._over_time.series("round trip", "ms")


@dataclass
class Times:
    """up, down, whole: what is known of each direction and of both together. own_step_ms: of this machine's clock.

    lasted_s: how long packets were sent.
    """

    up: Pool
    down: Pool
    whole: Pool
    own_step_ms: float
    lasted_s: float
    _far_late: int = 0
    _doubts: Counter[Doubt] = field(default_factory=Counter)
    _answers: int = 0
    _keeps_pace: bool = True
    _steps_ms: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._trips, self.away = RoundTrips(self.whole.slots), RoundTrips(self.whole.slots)

    def add(self, answers: Sequence[Answer]) -> tuple[list[float], tuple[Timing, Timing]]:
        """One channel's answers in order of arrival: its round trips, and how even each direction was."""
        timed, step_ms = _with_steady_clock([a for a in answers if a.doubt is None], self.own_step_ms)
        if answers:
            self._steps_ms.append(step_ms)
        self._answers += len(answers)
        self._doubts.update(a.doubt for a in answers if a.doubt is not None)
        least_ms = min((a.far_ms for a in timed), default=0.0)
        self._far_late += sum(a.far_ms - least_ms > LATE_MS for a in timed)
        self.up.arrivals_ns.extend(a.far_ns for a in timed)
        self.down.arrivals_ns.extend(a.arrived_ns for a in timed)
        self.whole.arrivals_ns.extend(a.arrived_ns for a in timed)
        self.whole.arrivals_ns.extend(a.arrived_ns for a in answers if a.doubt is not None)
        # Not so while our own clock was set.
        back = [a for a in answers if 0 <= a.away_ms <= self.lasted_s * 1000 + _GRACE_MS]
        away, trips = [a.away_ms for a in back], [a.away_ms - a.far_ms for a in back]
        numbers = [a.sequence for a in back]
        self.away.add(numbers, away)
        self._trips.add(numbers, trips)
        self.whole.time(away)
        up_ms, down_ms = [a.up_ms for a in timed], [a.down_ms for a in timed]
        self._keeps_pace &= far_clock.runs_at_our_pace(up_ms, [a.far_ms for a in timed], down_ms)
        return trips, (self.up.time(up_ms), self.down.time(down_ms))

    @property
    def doubt(self) -> Doubt | None:
        """Why the far end's times are not believed. One doubt does for all channels: they went to one machine."""
        if self._doubts.total() > _IMPOSSIBLE_SHARE * self._answers:
            return max(self._doubts, key=self._doubts.__getitem__)
        return None if self._keeps_pace or self._own_clock_moved else Doubt.PACE

    @property
    def trips(self) -> RoundTrips:
        """Without the time that the far end kept the packets, where that is believed."""
        return self._trips if self.doubt is None else self.away

    @property
    def far_late(self) -> int:
        """Answers that the far end kept so much longer than others, by its own word: they came in clumps."""
        return self._far_late if self.doubt is None else 0

    @property
    def far_step_ms(self) -> float:
        """How far the far end's clock was moved; 0 unless all channels agree, or where it was this machine's."""
        if self.doubt is not None or self._own_clock_moved or not self._steps_ms or not all(self._steps_ms):
            return 0.0
        return median(self._steps_ms)

    @property
    def _own_clock_moved(self) -> bool:
        return abs(self.own_step_ms) >= far_clock.STEP_MS


def _with_steady_clock(answers: list[Answer], own_step_ms: float) -> tuple[list[Answer], float]:
    """The answers as if no clock had been moved while they came, and by how much one was.

    own_step_ms: of this machine's clock. Where that was moved, the arrivals here are put right, else those there.
    """
    moved = far_clock.steps([a.up_ms for a in answers], [a.down_ms for a in answers])
    if not moved:
        return answers, 0.0
    own = abs(own_step_ms) >= far_clock.STEP_MS
    steady = answers[: moved[0][0]]
    total_ms = 0.0
    for (start, step_ms), (end, _) in zip(moved, [*moved[1:], (len(answers), 0.0)], strict=True):
        total_ms += step_ms
        shift_ns = int(total_ms * 1e6)
        steady += [
            a._replace(
                up_ms=a.up_ms - total_ms,
                down_ms=a.down_ms + total_ms,
                far_ns=a.far_ns - (0 if own else shift_ns),
                arrived_ns=a.arrived_ns + (shift_ns if own else 0),
            )
            for a in answers[start:end]
        ]
    return steady, total_ms
