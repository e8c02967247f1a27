"""From what one stream of N channels brought back to numbers. Pure; judges nothing and knows no threshold.

`up` is site to far end, `down` the way back. Directions of loss need a stateful reflector (see `losses`). Jitter and
delay variation are known per direction without synchronised clocks; the delay itself only as a round trip. Where the
far end's times cannot be true, the figures that need them are None, and the round trip is by our own clock alone.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Self

from msgspec import structs

from gosip_check.probes.media import losses, summary
from gosip_check.probes.media.answer import Answer, ChannelLog
from gosip_check.probes.media.direction import (
    LATE_MS,
    PACKET_MS,
    WINDOW_15_S,
    WINDOW_200_MS,
    DirectionFacts,
    Pool,
    Timing,
    direction_facts,
)
from gosip_check.probes.media.far_clock import Doubt
from gosip_check.probes.media.summary import Histogram, RoundTrip, Spread, shares
from gosip_check.probes.media.times import Times
from gosip_check.records import Record, Series

_UNDECIDED_SHARE = 0.01
"With more packets than this lost in a direction that nobody can tell, nothing is said about either."


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
    round_trip_late: int
    "Came back, but not in time."
    round_trip_jitter_ms: Spread | None
    rtt_ms: RoundTrip | None
    "Without the time that the far end kept the packets, as far as that is believed."
    away_ms: RoundTrip | None
    "With it: by our own clock alone."
    clock_doubt: Doubt | None
    "Why the far end's times are not believed."
    strays: int
    "Packets from the far end that belong to none that was sent, or to one that was answered already."
    ports_changed: int
    "Channels whose port the far end saw change: a device on the way forgot the flow, not the far end."
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
    delay_up_ms: RoundTrip | None = None
    delay_down_ms: RoundTrip | None = None
    "One way; None where the far end has a clock of its own."
    each_way: bool = False
    "Down is a load of its own, as large as that up; else it is the answers to what came up."


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
    times = Times(up, down, whole, sending.clock_step_ms, sending.lasted_s)
    unmarked = lost_at_restart = strays = ports_changed = 0
    dscp_at_far_end: Counter[int] = Counter()
    dscp_received: Counter[int] = Counter()
    per_channel: list[ChannelFacts] = []
    have_direction = True
    last_answered = -1
    restarts: list[int] = []
    rate_kbps = ip_octets * 8 / PACKET_MS
    for log in logs:
        answers = list(log.answers)
        strays += log.strays
        located = losses.locate(log.sent, [(a.sequence, a.far_sequence) for a in answers], stateful)
        counted = _first_of_each(a for a in answers if a.sequence < packets)
        lost = [[n for n in numbers if n < packets] for numbers in (located.up, located.down, located.undecided)]
        up.lose(lost[0])
        down.lose(lost[1])
        either.lose(lost[2])
        missing = sorted(lost[0] + lost[1] + lost[2])
        whole.lose(missing)
        have_direction = have_direction and (located.have_direction or not missing)
        has_moved = len({a.far_port for a in answers} - {None}) > 1
        ports_changed += has_moved
        lost_at_restart += 0 if has_moved else sum(n < packets for n in located.at_restart)
        if answers:
            restarts.append(0 if has_moved else located.restarts)
            last_answered = max(last_answered, max(a.sequence for a in answers))
        marks = Counter(a.far_dscp for a in counted if a.far_dscp is not None)
        dscp_at_far_end.update(marks)
        dscp_received.update(a.dscp for a in counted)
        unmarked += sum(not a.marked for a in counted)
        trips, timing = times.add(counted)
        per_channel.append(channel_facts(packets, rate_kbps, located, lost, missing, trips, timing, marks))
    late = up.late(), down.late(up)
    is_timed = times.doubt is None
    if not is_timed:
        late = whole.late(), whole.late()
        up.take_times_of(whole)
        down.take_times_of(whole)
        per_channel = [_without_far_times(channel) for channel in per_channel]
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
        up=direction_facts(up, decided, known, rate_kbps / packets, late[0], is_timed),
        down=direction_facts(down, reached, known, rate_kbps / packets, late[1], is_timed),
        round_trip_loss_pct=100 * whole.total / sent,
        round_trip_window15_pct=summary.worst_window_pct(whole.lost, every, WINDOW_15_S),
        round_trip_burst200_pct=summary.worst_window_pct(whole.lost, every, WINDOW_200_MS),
        round_trip_burst_ratio=summary.burst_ratio(whole.bursts, sent),
        round_trip_late=whole.late(),
        round_trip_jitter_ms=Spread.of(whole.jitter),
        rtt_ms=times.trips.summary,
        away_ms=times.away.summary,
        clock_doubt=times.doubt,
        strays=strays,
        ports_changed=ports_changed,
        longest_burst=max(whole.bursts, default=0),
        dscp_sent=dscp_sent,
        dscp_at_far_end=dict(dscp_at_far_end),
        dscp_received=dict(dscp_received),
        unmarked=unmarked,
        own_drops=own_drops,
        short_answers=short_answers,
        far_late=times.far_late,
        far_clock_step_ms=times.far_step_ms,
        sending=sending,
        per_channel=per_channel,
        series=times.trips.series + losses_over_time(up, down, whole, decided, reached, every, known=known),
        rtt_histogram=times.trips.histogram,
    )


def _first_of_each(answers: Iterable[Answer]) -> list[Answer]:
    """The first answer to each packet: only that one has a time."""
    firsts: dict[int, Answer] = {}
    for answer in answers:
        firsts.setdefault(answer.sequence, answer)
    return list(firsts.values())


def _without_far_times(channel: ChannelFacts) -> ChannelFacts:
    return structs.replace(
        channel, jitter_up_ms=None, jitter_down_ms=None, variation_up_p99_ms=None, variation_down_p99_ms=None
    )


def channel_facts(
    packets: int,
    rate_kbps: float,
    located: losses.Losses,
    lost: Sequence[Sequence[int]],
    missing: Sequence[int],
    trips: Sequence[float],
    timing: tuple[Timing, Timing],
    marks: Counter[int],
) -> ChannelFacts:
    """lost: up, down, in either direction. rate_kbps: of a channel that loses nothing. missing: lost there or back."""
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
        rate_up_kbps=rate_kbps * (packets - len(lost[0]) - len(lost[2])) / packets if have_direction else None,
        rate_down_kbps=rate_kbps * received / packets,
        rtt_ms=RoundTrip.of(trips),
        jitter_up_ms=timing[0].jitter_ms,
        jitter_down_ms=timing[1].jitter_ms,
        variation_up_p99_ms=timing[0].variation_p99_ms,
        variation_down_p99_ms=timing[1].variation_p99_ms,
        far_dscp=max(marks, key=marks.__getitem__) if marks else None,
    )


def losses_over_time(
    up: Pool, down: Pool, whole: Pool, decided: list[int], reached: list[int], every: list[int], *, known: bool
) -> list[Series]:
    """Second by second; both directions together where nobody can tell in which of them packets were lost."""
    second, slot_s = 1000 // PACKET_MS, PACKET_MS / 1000
    if not known:
        return [shares("loss, both ways", whole.lost, every, second, slot_s)]
    return [
        shares("loss up", up.lost, decided, second, slot_s),
        shares("loss down", down.lost, reached, second, slot_s),
    ]
