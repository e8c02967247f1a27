"""From what both sides of a flow between two lines noted to numbers. Pure; judges nothing and knows no threshold.

Each side sends all channels by itself, so each direction is loaded in full and its losses are its own. Both are timed
by one clock, so the delay of each direction is known. A round trip is a packet up and the one of the same number down;
it is whole where both arrived.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import structs

from gosip_check.probes.media import summary
from gosip_check.probes.media.direction import PACKET_MS, WINDOW_15_S, WINDOW_200_MS, Pool, Timing, direction_facts
from gosip_check.probes.media.far_clock import STEP_MS
from gosip_check.probes.media.losses import Losses
from gosip_check.probes.media.one_side import Noted, SidePlan
from gosip_check.probes.media.stream_facts import SendingFacts, StreamFacts, channel_facts, losses_over_time
from gosip_check.probes.media.summary import RoundTrip, Spread
from gosip_check.probes.media.times import RoundTrips

_SAME_NS = 1_000
"A time of sending comes back rounded to 2^-32 s."


class _Arrived(NamedTuple):
    number: int
    delay_ms: float
    arrived_ns: int
    dscp: int


class _Channel(NamedTuple):
    """What came of one channel in one direction, the first of each packet, in order of arrival."""

    arrived: list[_Arrived]
    lost: list[int]
    duplicates: int
    reordered: int


def facts_of_both(plan: SidePlan, near: Noted, far: Noted) -> StreamFacts:
    """plan: of either side."""
    packets, channels = plan.packets, plan.channels
    ups, strays_up = _channels(plan, near.sent_ns, far)
    downs, strays_down = _channels(plan, far.sent_ns, near)
    up, down, whole = Pool(packets), Pool(packets), Pool(packets)
    trips = RoundTrips(packets)
    rate_kbps = plan.ip_octets * 8 / PACKET_MS
    per_channel = []
    for there, back in zip(ups, downs, strict=True):
        timing = _add(up, there), _add(down, back)
        missing = sorted({*there.lost, *back.lost})
        whole.lose(missing)
        there_ms = {packet.number: packet.delay_ms for packet in there.arrived}
        both = [packet for packet in back.arrived if packet.number in there_ms]
        trips_ms = [there_ms[packet.number] + packet.delay_ms for packet in both]
        trips.add([packet.number for packet in both], trips_ms)
        whole.time(trips_ms)
        whole.arrivals_ns.extend(packet.arrived_ns for packet in both)
        twice, overtaken = there.duplicates + back.duplicates, there.reordered + back.reordered
        located = Losses(there.lost, back.lost, duplicates=twice, reordered=overtaken)
        lost = located.up, located.down, located.undecided
        marks = Counter(packet.dscp for packet in there.arrived)
        facts = channel_facts(packets, rate_kbps, located, lost, missing, trips_ms, timing, marks)
        rate_down_kbps = rate_kbps * (1 - len(back.lost) / packets)
        per_channel.append(structs.replace(facts, rate_down_kbps=rate_down_kbps))
    sending = _both_sending(near.sending, far.sending)
    clock_moved = abs(sending.clock_step_ms) > STEP_MS
    sent, every = channels * packets, [channels] * packets
    return StreamFacts(
        channels=channels,
        packets=packets,
        ip_octets=plan.ip_octets,
        sent=sent,
        received=sent - whole.total,
        duplicates=sum(channel.duplicates for channel in per_channel),
        reordered=sum(channel.reordered for channel in per_channel),
        lost_undecided=0,
        lost_at_end=0,
        lost_at_restart=0,
        restarted=False,
        up=direction_facts(up, every, True, rate_kbps / packets, up.late()),
        down=direction_facts(down, every, True, rate_kbps / packets, down.late()),
        round_trip_loss_pct=100 * whole.total / sent,
        round_trip_window15_pct=summary.worst_window_pct(whole.lost, every, WINDOW_15_S),
        round_trip_burst200_pct=summary.worst_window_pct(whole.lost, every, WINDOW_200_MS),
        round_trip_burst_ratio=summary.burst_ratio(whole.bursts, sent),
        round_trip_late=whole.late(),
        round_trip_jitter_ms=Spread.of(whole.jitter),
        rtt_ms=trips.summary,
        away_ms=trips.summary,
        delay_up_ms=None if clock_moved else _delays(ups),
        delay_down_ms=None if clock_moved else _delays(downs),
        each_way=True,
        clock_doubt=None,
        strays=strays_up + strays_down,
        ports_changed=0,
        longest_burst=max(whole.bursts, default=0),
        dscp_sent=near.dscp,
        dscp_at_far_end=_marks(ups),
        dscp_received=_marks(downs),
        unmarked=0 if far.dscp == near.dscp else sent,
        own_drops=near.drops + far.drops,
        short_answers=0,
        far_late=0,
        far_clock_step_ms=0.0,
        sending=sending,
        per_channel=per_channel,
        series=trips.series + losses_over_time(up, down, whole, every, every, every, known=True),
        rtt_histogram=trips.histogram,
    )


def _channels(plan: SidePlan, sent_ns: Sequence[int], receiver: Noted) -> tuple[list[_Channel], int]:
    """What arrived of each channel, and how many packets looked like one of them and were never sent."""
    found: list[dict[int, _Arrived]] = [{} for _ in range(plan.channels)]
    duplicates, reordered, highest = ([0] * plan.channels for _ in range(3))
    strays = 0
    for ssid, number, claimed_ns, arrived_ns, dscp in receiver.arrived:
        channel = ssid - plan.ssid
        at = number * plan.channels + channel
        if not 0 <= channel < plan.channels:
            continue
        if at >= len(sent_ns) or abs(claimed_ns - sent_ns[at]) > _SAME_NS:
            strays += 1
            continue
        if number in found[channel]:
            duplicates[channel] += 1
            continue
        reordered[channel] += number < highest[channel]
        highest[channel] = max(highest[channel], number)
        found[channel][number] = _Arrived(number, (arrived_ns - sent_ns[at]) / 1e6, arrived_ns, dscp)
    return [
        _Channel(list(arrived.values()), [n for n in range(plan.packets) if n not in arrived], twice, overtaken)
        for arrived, twice, overtaken in zip(found, duplicates, reordered, strict=True)
    ], strays


def _add(pool: Pool, channel: _Channel) -> Timing:
    pool.lose(channel.lost)
    pool.arrivals_ns.extend(packet.arrived_ns for packet in channel.arrived)
    return pool.time([packet.delay_ms for packet in channel.arrived])


def _delays(channels: Sequence[_Channel]) -> RoundTrip | None:
    return RoundTrip.of(packet.delay_ms for channel in channels for packet in channel.arrived)


def _marks(channels: Sequence[_Channel]) -> dict[int, int]:
    return dict(Counter(packet.dscp for channel in channels for packet in channel.arrived))


def _both_sending(near: SendingFacts, far: SendingFacts) -> SendingFacts:
    """Both sides are this machine, so what either did wrong counts."""
    lateness = summary.Spread(
        p50=max(near.lateness_ms.p50, far.lateness_ms.p50),
        p99=max(near.lateness_ms.p99, far.lateness_ms.p99),
        max=max(near.lateness_ms.max, far.lateness_ms.max),
    )
    return SendingFacts(
        lateness_ms=lateness,
        sent_late=near.sent_late + far.sent_late,
        unsent=near.unsent + far.unsent,
        queue_full=near.queue_full + far.queue_full,
        lasted_s=max(near.lasted_s, far.lasted_s),
        clock_step_ms=max(near.clock_step_ms, far.clock_step_ms, key=abs),
    )
