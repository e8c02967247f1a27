"""From what one stream of N channels brought back to numbers. Pure; judges nothing and knows no threshold.

`up` is site to far end, `down` the way back. Directions of loss need a stateful reflector (see `losses`). Jitter and
delay variation are known per direction without synchronised clocks; the delay itself only as a round trip.
"""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple, Self

from gosip_check.probes.media import far_clock, losses, summary
from gosip_check.probes.media.direction import (
    PACKET_MS,
    WINDOW_15_S,
    WINDOW_200_MS,
    DirectionFacts,
    Pool,
    Timing,
    direction_facts,
)
from gosip_check.probes.media.summary import Extremes, Histogram, RoundTrip, Spread, shares
from gosip_check.records import Record, Series

LATE_MS = 10.0
"A packet that an end sends this much late goes out in a clump with others: see `bounds`."
_UNDECIDED_SHARE = 0.01
"With more packets than this lost in a direction that nobody can tell, nothing is said about either."


class Answer(NamedTuple):
    """One packet that came back. Clock offsets are still in `up_ms` and `down_ms`; their sum has none."""

    sequence: int
    far_sequence: int
    up_ms: float
    down_ms: float
    far_ms: float
    "How long the far end kept it."
    far_ns: int
    "When it arrived there, by the clock there."
    arrived_ns: int
    far_dscp: int | None
    dscp: int
    marked: bool = True
    "False where the far end may not mark its answers as it was asked to."


@dataclass(frozen=True)
class ChannelLog:
    """sent: packets sent, the uncounted tail included. answers: in order of arrival, read once."""

    sent: int
    answers: Iterable[Answer]


class SendingFacts(Record, frozen=True):
    """How well this machine sent. Names that `media.facts.Facts` has, too, are explained there."""

    lateness_ms: Spread
    sent_late: int
    unsent: int
    queue_full: int
    lasted_s: float
    clock_step_ms: float

    @classmethod
    def of(
        cls, ordered_late_s: Sequence[float], *, unsent: int, queue_full: int, lasted_s: float, clock_step_ms: float
    ) -> Self:
        """`ordered_late_s`: how late each packet left, sorted."""
        p50, p99 = (summary.percentile(ordered_late_s, percent) * 1000 for percent in (50, 99))
        lateness = Spread(p50=p50, p99=p99, max=ordered_late_s[-1] * 1000)
        return cls(
            lateness_ms=lateness,
            sent_late=len(ordered_late_s) - bisect_right(ordered_late_s, LATE_MS / 1000),
            unsent=unsent,
            queue_full=queue_full,
            lasted_s=lasted_s,
            clock_step_ms=clock_step_ms,
        )


class ChannelFacts(Record, frozen=True):
    """One channel. Names that `media.facts.Facts` has, too, are explained there."""

    sent: int
    received: int
    lost_up: int
    lost_down: int
    lost_undecided: int
    duplicates: int
    reordered: int
    longest_burst: int
    burst_ratio: float
    "This and the two below of both directions together."
    window15_loss_pct: float
    burst200_loss_pct: float
    rate_up_kbps: float | None
    rate_down_kbps: float
    rtt_ms: RoundTrip | None
    jitter_up_ms: Spread | None
    jitter_down_ms: Spread | None
    variation_up_p99_ms: float | None
    variation_down_p99_ms: float | None
    far_dscp: int | None
    "The marking that most packets reached the far end with."


class StreamFacts(Record, frozen=True):
    """All channels together. Names that `media.facts.Facts` has, too, are explained there.

    `round_trip_*`: of losses without regard to direction, always known.
    """

    channels: int
    packets: int
    "That each channel sent, its tail not counted."
    ip_octets: int
    sent: int
    received: int
    duplicates: int
    reordered: int
    lost_undecided: int
    lost_at_end: int
    "Since the last answer of any channel."
    lost_at_restart: int
    "While the far end began to count again."
    restarted: bool
    "The far end began to count again on every channel."
    up: DirectionFacts
    down: DirectionFacts
    round_trip_loss_pct: float
    round_trip_window15_pct: float
    round_trip_burst200_pct: float
    round_trip_burst_ratio: float
    rtt_ms: RoundTrip | None
    longest_burst: int
    dscp_sent: int
    dscp_at_far_end: dict[int, int]
    dscp_received: dict[int, int]
    unmarked: int
    "Answers that the far end may not mark as it was asked to."
    own_drops: int
    short_answers: int
    far_late: int
    far_clock_step_ms: float
    sending: SendingFacts
    per_channel: list[ChannelFacts]
    series: list[Series] = []
    rtt_histogram: Histogram | None = None


def facts_of(
    logs: Iterable[ChannelLog],
    channels: int,
    packets: int,
    ip_octets: int,
    stateful: bool,
    sending: SendingFacts,
    own_drops: int,
    short_answers: int,
    dscp_sent: int = 46,
) -> StreamFacts:
    """packets: for each channel, its tail not counted; ip_octets: of each; short_answers: answers shorter than that."""
    up, down, either, whole = Pool(packets), Pool(packets), Pool(packets), Pool(packets)
    rtts = array("f")
    over_time = Extremes(packets, PACKET_MS / 1000)
    far_late = unmarked = lost_at_restart = 0
    dscp_at_far_end: Counter[int] = Counter()
    dscp_received: Counter[int] = Counter()
    per_channel: list[ChannelFacts] = []
    have_direction = True
    last_answered = -1
    restarts: list[int] = []
    clock_steps_ms: list[float] = []
    rate_kbps = ip_octets * 8 / PACKET_MS
    for log in logs:
        answers = list(log.answers)
        located = losses.locate(log.sent, [(a.sequence, a.far_sequence) for a in answers], stateful)
        counted, stepped_ms = _with_steady_clock([a for a in answers if a.sequence < packets], sending.clock_step_ms)
        lost = [[n for n in numbers if n < packets] for numbers in (located.up, located.down, located.undecided)]
        up.lose(lost[0])
        down.lose(lost[1])
        either.lose(lost[2])
        missing = sorted(lost[0] + lost[1] + lost[2])
        whole.lose(missing)
        have_direction = have_direction and (located.have_direction or not missing)
        lost_at_restart += sum(n < packets for n in located.at_restart)
        if answers:
            restarts.append(located.restarts)
            clock_steps_ms.append(stepped_ms)
            last_answered = max(last_answered, max(a.sequence for a in answers))
        marks = Counter(a.far_dscp for a in counted if a.far_dscp is not None)
        dscp_at_far_end.update(marks)
        dscp_received.update(a.dscp for a in counted)
        unmarked += sum(not a.marked for a in counted)
        up.arrivals_ns.extend(a.far_ns for a in counted)
        down.arrivals_ns.extend(a.arrived_ns for a in counted)
        far_late += sum(a.far_ms > LATE_MS for a in counted)
        trips = [a.up_ms + a.down_ms for a in counted]
        rtts.extend(trips)
        over_time.add(zip((a.sequence for a in counted), trips, strict=True))
        timing = up.time([a.up_ms for a in counted]), down.time([a.down_ms for a in counted])
        per_channel.append(_channel(packets, rate_kbps, located, lost, missing, trips, timing, marks))
    sent = channels * packets
    every = [channels] * packets
    decided = [channels - lost for lost in either.lost]
    reached = [sent_up - lost for sent_up, lost in zip(decided, up.lost, strict=True)]
    known = have_direction and either.total <= _UNDECIDED_SHARE * sent and either.total < sent
    restarted = bool(restarts) and all(restarts)
    return StreamFacts(
        channels=channels,
        packets=packets,
        ip_octets=ip_octets,
        sent=sent,
        received=sent - whole.total,
        duplicates=sum(channel.duplicates for channel in per_channel),
        reordered=sum(channel.reordered for channel in per_channel),
        lost_undecided=either.total,
        lost_at_end=sum(whole.lost[last_answered + 1 :]),
        lost_at_restart=lost_at_restart if restarted else 0,
        restarted=restarted,
        up=direction_facts(up, decided, known, rate_kbps / packets, up.late()),
        down=direction_facts(down, reached, known, rate_kbps / packets, down.late(up)),
        round_trip_loss_pct=100 * whole.total / sent,
        round_trip_window15_pct=summary.worst_window_pct(whole.lost, every, WINDOW_15_S),
        round_trip_burst200_pct=summary.worst_window_pct(whole.lost, every, WINDOW_200_MS),
        round_trip_burst_ratio=summary.burst_ratio(whole.bursts, sent),
        rtt_ms=RoundTrip.of(rtts),
        longest_burst=max(whole.bursts, default=0),
        dscp_sent=dscp_sent,
        dscp_at_far_end=dict(dscp_at_far_end),
        dscp_received=dict(dscp_received),
        unmarked=unmarked,
        own_drops=own_drops,
        short_answers=short_answers,
        far_late=far_late,
        far_clock_step_ms=_step_of_all(clock_steps_ms, sending.clock_step_ms),
        sending=sending,
        per_channel=per_channel,
        series=over_time.series("round trip", "ms")
        + _losses_over_time(up, down, whole, decided, reached, every, known),
        rtt_histogram=Histogram.of(rtts),
    )


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


def _step_of_all(steps_ms: list[float], own_step_ms: float) -> float:
    """How far the far end's clock was moved; 0 unless all channels agree, or where it was this machine's."""
    if not steps_ms or not all(steps_ms) or abs(own_step_ms) >= far_clock.STEP_MS:
        return 0.0
    return median(steps_ms)


def _channel(
    packets: int,
    rate_kbps: float,
    located: losses.Losses,
    lost: Sequence[Sequence[int]],
    missing: Sequence[int],
    trips: Sequence[float],
    timing: tuple[Timing, Timing],
    marks: Counter[int],
) -> ChannelFacts:
    """lost: up, down, in either direction. rate_kbps: of a channel that loses nothing."""
    windows = 0.0, 0.0
    runs = summary.bursts(missing)
    if missing:
        gone = [0] * packets
        for number in missing:
            gone[number] = 1
        sent = [1] * packets
        windows = summary.worst_window_pct(gone, sent, WINDOW_15_S), summary.worst_window_pct(gone, sent, WINDOW_200_MS)
    received = packets - len(missing)
    have_direction = located.have_direction or not missing
    return ChannelFacts(
        sent=packets,
        received=received,
        lost_up=len(lost[0]),
        lost_down=len(lost[1]),
        lost_undecided=len(lost[2]),
        duplicates=located.duplicates,
        reordered=located.reordered,
        longest_burst=max(runs, default=0),
        burst_ratio=summary.burst_ratio(runs, packets),
        window15_loss_pct=windows[0],
        burst200_loss_pct=windows[1],
        rate_up_kbps=rate_kbps * (received + len(lost[1])) / packets if have_direction else None,
        rate_down_kbps=rate_kbps * received / packets,
        rtt_ms=RoundTrip.of(trips),
        jitter_up_ms=timing[0].jitter_ms,
        jitter_down_ms=timing[1].jitter_ms,
        variation_up_p99_ms=timing[0].variation_p99_ms,
        variation_down_p99_ms=timing[1].variation_p99_ms,
        far_dscp=max(marks, key=marks.__getitem__) if marks else None,
    )


def _losses_over_time(
    up: Pool, down: Pool, whole: Pool, decided: list[int], reached: list[int], every: list[int], known: bool
) -> list[Series]:
    """Second by second; both directions together where nobody can tell in which of them packets were lost."""
    second, slot_s = 1000 // PACKET_MS, PACKET_MS / 1000
    if not known:
        return [shares("loss, both ways", whole.lost, every, second, slot_s)]
    return [
        shares("loss up", up.lost, decided, second, slot_s),
        shares("loss down", down.lost, reached, second, slot_s),
    ]
