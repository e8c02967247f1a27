"""From what one stream of N channels brought back to numbers. Pure; judges nothing and knows no threshold.

`up` is site to far end, `down` the way back. Directions of loss need a stateful reflector (see `losses`). Jitter and
delay variation are told per direction without synchronised clocks; the delay itself only as a round trip.
"""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from gosip_check.probes import losses, stats
from gosip_check.probes.e_model import G711, G711_PLC, Inputs, Quality, quality
from gosip_check.probes.histogram import Histogram, histogram
from gosip_check.probes.series import Extremes, shares
from gosip_check.records import Record, Series

PACKET_MS = 20
LATE_MS = 10.0
"A packet that an end sends this much late goes out in a clump with others: see `media_bounds`."
PACKETISATION_MS = 20.0
JITTER_BUFFER_MS = 40.0
"Assumed of the phone: fixed, counted from the fastest packet. A packet later than that is lost to the listener."
_IP_UDP_OCTETS = 28
_WINDOW_15_S = 750
_WINDOW_200_MS = 10
_UNDECIDED_SHARE = 0.01
"With more packets than this lost on a way that nobody can tell, nothing is said about either way."
_LATE_NS = 100_000_000
"A packet that arrives this long after the stream's own length was delivered too slowly to count for the rate."


class Answer(NamedTuple):
    """One packet that came back. Clock offsets are still in `up_ms` and `down_ms`; their sum has none.

    far_ms: how long the far end kept it; far_ns: when it arrived there, by the clock there.
    """

    sequence: int
    far_sequence: int
    up_ms: float
    down_ms: float
    far_ms: float
    far_ns: int
    arrived_ns: int
    far_dscp: int | None
    dscp: int


@dataclass(frozen=True)
class ChannelLog:
    """sent: packets sent, the uncounted tail included. answers: in order of arrival, read once."""

    sent: int
    answers: Iterable[Answer]


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


class SendingFacts(Record, frozen=True):
    """How well this machine sent. late: packets that left more than `LATE_MS` after their time.

    unsent: packets that the system refused; queue_full: those that its own interface had no room for, which count as
    lost on the way up; clock_step_ms: how far the clock was moved meanwhile.
    """

    lateness_ms: Spread
    late: int
    unsent: int
    queue_full: int
    lasted_s: float
    clock_step_ms: float

    @classmethod
    def of(
        cls, ordered_late_s: Sequence[float], *, unsent: int, queue_full: int, lasted_s: float, clock_step_ms: float
    ) -> Self:
        """`ordered_late_s`: how late each packet left, sorted."""
        p50, p99 = (stats.percentile(ordered_late_s, percent) * 1000 for percent in (50, 99))
        lateness = Spread(p50=p50, p99=p99, max=ordered_late_s[-1] * 1000)
        late = len(ordered_late_s) - bisect_right(ordered_late_s, LATE_MS / 1000)
        return cls(
            lateness_ms=lateness,
            late=late,
            unsent=unsent,
            queue_full=queue_full,
            lasted_s=lasted_s,
            clock_step_ms=clock_step_ms,
        )


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


class ChannelFacts(Record, frozen=True):
    """One channel. lost_undecided: lost on a way that nobody can tell."""

    received: int
    lost_up: int
    lost_down: int
    lost_undecided: int
    duplicates: int
    reordered: int
    longest_burst: int
    rtt_p50_ms: float | None
    rtt_max_ms: float | None
    jitter_up_max_ms: float | None
    jitter_down_max_ms: float | None


class StreamFacts(Record, frozen=True):
    """All channels together. `round_trip_*`: loss without regard to direction, always known."""

    channels: int
    packets: int
    ip_octets: int
    sent: int
    received: int
    duplicates: int
    reordered: int
    lost_undecided: int
    up: Way
    down: Way
    round_trip_loss_pct: float
    round_trip_window15_pct: float
    round_trip_burst200_pct: float
    rtt_ms: RoundTrip | None
    longest_burst: int
    far_dscp: dict[int, int]
    dscp: dict[int, int]
    own_drops: int
    short_answers: int
    far_late: int
    sending: SendingFacts
    per_channel: list[ChannelFacts]
    series: list[Series] = []
    rtt_histogram: Histogram | None = None


@dataclass
class _Pool:
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


def facts_of(
    logs: Iterable[ChannelLog],
    channels: int,
    packets: int,
    octets: int,
    stateful: bool,
    sending: SendingFacts,
    own_drops: int,
    short_answers: int,
) -> StreamFacts:
    """packets: for each channel, its tail not counted; octets: UDP payload; short_answers: shorter than that."""
    up, down, either, whole = _Pool(packets), _Pool(packets), _Pool(packets), _Pool(packets)
    rtts = array("f")
    over_time = Extremes(packets, PACKET_MS / 1000)
    far_late = 0
    far_dscp: Counter[int] = Counter()
    dscp: Counter[int] = Counter()
    per_channel = []
    for log in logs:
        answers = list(log.answers)
        found = losses.locate(log.sent, [(a.sequence, a.far_sequence) for a in answers], stateful)
        counted = [a for a in answers if a.sequence < packets]
        lost = [[n for n in numbers if n < packets] for numbers in (found.up, found.down, found.undecided)]
        up.lose(lost[0])
        down.lose(lost[1])
        either.lose(lost[2])
        missing = sorted(lost[0] + lost[1] + lost[2])
        whole.lose(missing)
        far_dscp.update(a.far_dscp for a in counted if a.far_dscp is not None)
        dscp.update(a.dscp for a in counted)
        up.arrivals_ns.extend(a.far_ns for a in counted)
        down.arrivals_ns.extend(a.arrived_ns for a in counted)
        far_late += sum(a.far_ms > LATE_MS for a in counted)
        trips = [a.up_ms + a.down_ms for a in counted]
        rtts.extend(trips)
        over_time.add(zip((a.sequence for a in counted), trips, strict=True))
        ordered = sorted(trips)
        per_channel.append(
            ChannelFacts(
                received=packets - len(missing),
                lost_up=len(lost[0]),
                lost_down=len(lost[1]),
                lost_undecided=len(lost[2]),
                duplicates=found.duplicates,
                reordered=found.reordered,
                longest_burst=max(stats.bursts(missing), default=0),
                rtt_p50_ms=stats.percentile(ordered, 50) if ordered else None,
                rtt_max_ms=ordered[-1] if ordered else None,
                jitter_up_max_ms=up.time([a.up_ms for a in counted]),
                jitter_down_max_ms=down.time([a.down_ms for a in counted]),
            )
        )
    sent = channels * packets
    up.count_late(packets)
    down.count_late(packets)
    rate = channels * (octets + _IP_UDP_OCTETS) * 8 / PACKET_MS
    every = [channels] * packets
    decided = [channels - lost for lost in either.lost]
    reached = [sent_up - lost for sent_up, lost in zip(decided, up.lost, strict=True)]
    known = either.total <= _UNDECIDED_SHARE * sent and either.total < sent
    return StreamFacts(
        channels=channels,
        packets=packets,
        ip_octets=octets + _IP_UDP_OCTETS,
        sent=sent,
        received=sent - whole.total,
        duplicates=sum(channel.duplicates for channel in per_channel),
        reordered=sum(channel.reordered for channel in per_channel),
        lost_undecided=either.total,
        up=_way(up, decided, known, rate / sent),
        down=_way(down, reached, known, rate / sent),
        round_trip_loss_pct=100 * whole.total / sent,
        round_trip_window15_pct=stats.worst_window_pct(whole.lost, every, _WINDOW_15_S),
        round_trip_burst200_pct=stats.worst_window_pct(whole.lost, every, _WINDOW_200_MS),
        rtt_ms=RoundTrip.of(rtts),
        longest_burst=max(whole.bursts, default=0),
        far_dscp=dict(far_dscp),
        dscp=dict(dscp),
        own_drops=own_drops,
        short_answers=short_answers,
        far_late=far_late,
        sending=sending,
        per_channel=per_channel,
        series=over_time.series("round trip", "ms")
        + _losses_over_time(up, down, whole, decided, reached, every, known),
        rtt_histogram=histogram(rtts),
    )


def _losses_over_time(
    up: _Pool, down: _Pool, whole: _Pool, decided: list[int], reached: list[int], every: list[int], known: bool
) -> list[Series]:
    """Second by second; both ways together where nobody can tell on which of them packets were lost."""
    second, slot_s = 1000 // PACKET_MS, PACKET_MS / 1000
    if not known:
        return [shares("loss, both ways", whole.lost, every, second, slot_s)]
    return [
        shares("loss up", up.lost, decided, second, slot_s),
        shares("loss down", down.lost, reached, second, slot_s),
    ]


def _way(pool: _Pool, sent: Sequence[int], known: bool, kbps_each: float) -> Way:
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
        window15_loss_pct=stats.worst_window_pct(pool.lost, sent, _WINDOW_15_S) if known else None,
        burst200_loss_pct=stats.worst_window_pct(pool.lost, sent, _WINDOW_200_MS) if known else None,
        delivered_pct=100 * arrived / offered if known else None,
        rate_kbps=kbps_each * arrived if known else None,
        jitter_ms=Spread(p50=jitter.p50, p99=jitter.p99, max=pool.jitter_max) if jitter else None,
        variation_p99_ms=stats.percentile(delays, 99) - delays[0] if delays else None,
        too_late_pct=100 * too_late / len(delays) if delays else 0.0,
        burst_ratio=stats.burst_ratio(pool.bursts, offered),
    )


class VoiceQuality(Record, frozen=True):
    """The E-model's word on the worse direction, with and without concealment of losses, and all that went into it."""

    plc: Quality
    no_plc: Quality
    inputs_plc: Inputs
    inputs_no_plc: Inputs


def voice_quality(facts: StreamFacts) -> VoiceQuality | None:
    """Mouth to ear is taken as half the round trip, one packet and the jitter buffer. None without any answer."""
    if facts.rtt_ms is None:
        return None
    ta_ms = facts.rtt_ms.p50 / 2 + PACKETISATION_MS + JITTER_BUFFER_MS
    worst: VoiceQuality | None = None
    for way in (facts.up, facts.down):
        loss_pct = way.loss_pct if way.loss_pct is not None else facts.round_trip_loss_pct
        ppl_pct = loss_pct + (100 - loss_pct) * way.too_late_pct / 100
        plc, none = (
            Inputs(ta_ms=ta_ms, ppl_pct=ppl_pct, burst_ratio=way.burst_ratio, codec=codec) for codec in (G711_PLC, G711)
        )
        found = VoiceQuality(plc=quality(plc), no_plc=quality(none), inputs_plc=plc, inputs_no_plc=none)
        if worst is None or found.plc.r_factor < worst.plc.r_factor:
            worst = found
    return worst
