"""Lines made up by hand, for echoes: what a queue, a policer, losses, jitter and others' traffic bring back."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from gosip_check.probes.media.echo_rule import LATE_MS, Ask, Phase

PAUSE_S = 0.7
ETHERNET_OCTETS = 14


@dataclass
class Way:
    """One direction. A queue of `queue_ms` before `kbps`, or a policer with a bucket; loss; jitter in order.

    others: kb/s of other people's traffic at a time, which takes its share of the queue.
    """

    kbps: float = float("inf")
    queue_ms: float = 200.0
    bucket_octets: float | None = None
    loss: float = 0.0
    loss_of_large: float = 0.0
    delay_ms: float = 8.0
    jitter_ms: float = 0.0
    others: Callable[[float], float] | None = None
    _free_s: float = 0.0
    _clock_s: float = 0.0
    _tokens: float = field(default=0.0)
    _last_s: float = 0.0

    def __post_init__(self) -> None:
        self._tokens = self.bucket_octets or 0.0

    def passes(self, at_s: float, octets: int, chance: random.Random) -> float | None:
        """When it comes out at the other end; None where it does not."""
        if chance.random() < (self.loss_of_large if octets > 600 else 0.0) + self.loss:
            return None
        if self.kbps < float("inf"):
            served_s = self._policed(at_s, octets) if self.bucket_octets else self._queued(at_s, octets)
            if served_s is None:
                return None
            at_s = served_s
        at_s += (self.delay_ms + chance.random() * self.jitter_ms) / 1000
        self._last_s = max(self._last_s, at_s)
        return self._last_s

    def _policed(self, at_s: float, octets: int) -> float | None:
        assert self.bucket_octets is not None
        self._tokens = min(self.bucket_octets, self._tokens + (at_s - self._clock_s) * self.kbps * 125)
        self._clock_s = at_s
        if self._tokens < octets:
            return None
        self._tokens -= octets
        return at_s

    def _queued(self, at_s: float, octets: int) -> float | None:
        step_s = 0.002
        while self.others is not None and self._clock_s + step_s <= at_s:  # what others send in the meantime
            self._clock_s += step_s
            work_s = self.others(self._clock_s) * step_s / self.kbps
            waiting_s = max(0.0, self._free_s - self._clock_s)
            if waiting_s < self.queue_ms / 1000:
                self._free_s = self._clock_s + waiting_s + work_s
        waiting_s = max(0.0, self._free_s - at_s)
        serving_s = octets / self.kbps / 125
        if waiting_s > self.queue_ms / 1000:
            return None
        self._free_s = at_s + waiting_s + serving_s
        return self._free_s


@dataclass
class Line:
    """Both ways to a hop, and the hop. ration: echoes a second that it answers, above a burst of ten.

    late: share of echoes that this machine sends late. hop_kbps: what the hop takes of large echoes to itself.
    """

    up: Way = field(default_factory=Way)
    down: Way = field(default_factory=Way)
    ration: float | None = None
    late: float = 0.0
    late_loads: int = 99
    own: Way | None = None
    seed: int = 1
    asked: list[Ask] = field(default_factory=list)
    now_s: float = 10.0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self._answers, self._at_s = 10.0, 0.0

    def send(self, ask: Ask) -> Phase:
        self.asked.append(ask)
        self.late_loads -= ask.is_load
        late_share = self.late if self.late_loads >= 0 or not ask.is_load else 0.0
        slots = round(ask.seconds * ask.pps)
        rtts: list[float | None] = []
        late = 0
        for number in range(slots):
            at_s = self.now_s + number / ask.pps
            if self.chance.random() < late_share:
                at_s += 2 * LATE_MS / 1000
                late += 1
            rtts.append(self._round_trip(at_s, ask))
            if ask.dying_octets is not None:
                for other in range(round(ask.dying_pps / ask.pps)):
                    self.up.passes(at_s + (other + 0.5) / ask.dying_pps, ask.dying_octets, self.chance)
        self.now_s += ask.seconds + PAUSE_S
        return Phase(slots=slots, late=late, lasted_s=ask.seconds, rtts_ms=rtts)

    def _round_trip(self, at_s: float, ask: Ask) -> float | None:
        there_s = self.up.passes(at_s, ask.octets, self.chance)
        if there_s is not None and not ask.to_witness:
            there_s = self._answered(there_s, ask.octets)
        back_s = None if there_s is None else self.down.passes(there_s, ask.octets, self.chance)
        return None if back_s is None else (back_s - at_s) * 1000

    def _answered(self, at_s: float, octets: int) -> float | None:
        if self.own is not None:
            return self.own.passes(at_s, octets, self.chance)
        if self.ration is None:
            return at_s
        self._answers = min(10.0, self._answers + (at_s - self._at_s) * self.ration)
        self._at_s = at_s
        if self._answers < 1:
            return None
        self._answers -= 1
        return at_s
