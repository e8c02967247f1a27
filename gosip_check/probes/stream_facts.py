"""From what one stream of N channels brought back to numbers. Pure; judges nothing and knows no threshold.

`up` is site to far end, `down` the way back. Directions of loss need a stateful reflector (see `losses`). Jitter and
delay variation are told per direction without synchronised clocks; the delay itself only as a round trip.
"""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from gosip_check.probes import losses, stats
from gosip_check.probes.series import Extremes, shares
from gosip_check.probes.spread import RoundTrip, Spread
from gosip_check.probes.way import PACKET_MS, WINDOW_15_S, WINDOW_200_MS, Pool, Way, way_of
from gosip_check.records import Record, Series

LATE_MS = 10.0
"A packet that an end sends this much late goes out in a clump with others: see `media_bounds`."
_IP_UDP_OCTETS = 28
_UNDECIDED_SHARE = 0.01
"With more packets than this lost on a way that nobody can tell, nothing is said about either way."


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
    up, down, either, whole = Pool(packets), Pool(packets), Pool(packets), Pool(packets)
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
        up=way_of(up, decided, known, rate / sent),
        down=way_of(down, reached, known, rate / sent),
        round_trip_loss_pct=100 * whole.total / sent,
        round_trip_window15_pct=stats.worst_window_pct(whole.lost, every, WINDOW_15_S),
        round_trip_burst200_pct=stats.worst_window_pct(whole.lost, every, WINDOW_200_MS),
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
    )


def _losses_over_time(
    up: Pool, down: Pool, whole: Pool, decided: list[int], reached: list[int], every: list[int], known: bool
) -> list[Series]:
    """Second by second; both ways together where nobody can tell on which of them packets were lost."""
    second, slot_s = 1000 // PACKET_MS, PACKET_MS / 1000
    if not known:
        return [shares("loss, both ways", whole.lost, every, second, slot_s)]
    return [
        shares("loss up", up.lost, decided, second, slot_s),
        shares("loss down", down.lost, reached, second, slot_s),
    ]
