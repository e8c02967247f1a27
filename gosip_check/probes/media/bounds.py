"""What a stream proves about the path once our own faults are taken off. Pure; knows no requirement.

Loss in a direction that nobody can tell lies somewhere between all in one and half in each. Packets that this machine
or the far end's dropped, or sent in clumps, are no fault of the path: a figure is worse than the path by what they may
have cost, and so has a lower bound of its own. What the far end says of its own doings is not taken further than what
we see for ourselves. The numbers below are this tool's own errors, not what a site is asked for.
"""

from collections.abc import Sequence
from enum import Enum

from gosip_check.probes.media.direction import LATE_MS, PACKET_MS, WINDOW_15_S, WINDOW_200_MS
from gosip_check.probes.media.far_clock import STEP_MS
from gosip_check.probes.media.round_trips import Responder
from gosip_check.probes.media.stream_facts import StreamFacts
from gosip_check.probes.media.summary import RoundTrip
from gosip_check.probes.media.times import FAR_MS
from gosip_check.probes.media.voice import best_mos, voice_quality
from gosip_check.wire.stamp_tlv import FarDrops

OWN_SHARE = 0.0005
"""Packets that we may have spoilt, up to this share of all, leave jitter and MOS alone: each moves some twenty of the
estimates of RFC 3550, so together fewer than the one in a hundred beyond the 99th percentile."""
NO_LOAD_MS = 1000.0
"A sender that falls this far behind did not offer the load, so nothing is known about the bandwidth."
_CLUMP = 2
"A packet sent late goes out in a clump with others: it may cost itself and one more."
_MEDIAN_HOLDS = 0.05
"Up to this share of spoilt packets, the median of the jitter still tells about the path."
_GROWTH_OVER = 0.8
"The fastest packets of the first and of the last fifth are this share of the stream apart."
LOADED_PCT = 99.0
"Down gets only what came up, but for a load of its own. With more than this share it counts as loaded in full."
_STEADY_PCT = 99.5
"Growth that would leave more than this looks like a delay that varies."

Range = tuple[float | None, float | None]
"Lowest and highest that the truth can be; the same twice where it is known, None where nothing is."


class Ending(Enum):
    """What the far end did when it was asked again after the stream."""

    ANSWERED = "answered"
    SILENT = "silent"
    RESTARTED = "restarted"
    "Its counters were lower than before."


def bounds_of(stream: StreamFacts, drops: FarDrops | None, ending: Ending = Ending.ANSWERED) -> dict[str, Range]:
    """Bounds of the figures of the worse direction, by fact. drops: what the far end lost by itself."""
    up, down = stream.up, stream.down
    spoilt = _spoilt(stream, drops, ending)
    many = spoilt > OWN_SHARE * stream.sent
    trip_ms = _round_trip(stream)
    clock_moved = abs(stream.sending.clock_step_ms) > STEP_MS
    ranges = {
        "window15_loss_pct": _worse(
            stream, up.window15_loss_pct, down.window15_loss_pct, stream.round_trip_window15_pct
        ),
        "burst200_loss_pct": _worse(
            stream, up.burst200_loss_pct, down.burst200_loss_pct, stream.round_trip_burst200_pct
        ),
        "delivered_pct": _delivered(stream, spoilt, clock_moved=clock_moved),
        "worst_jitter_ms": _jitter(stream),
        "mos": _mos(stream, spoilt if many else 0, clock_moved=clock_moved),
    }
    if trip_ms[0] != trip_ms[1]:
        ranges["rtt_ms.p95"] = trip_ms
    # What we may have spoilt can only be better than it looks, and only by so much.
    for name, slots in (("window15_loss_pct", WINDOW_15_S), ("burst200_loss_pct", WINDOW_200_MS)):
        low, high = ranges[name]
        window = stream.channels * min(slots, stream.packets)
        ranges[name] = (max(0.0, (low or 0.0) - 100 * spoilt / window), high)
    if many or clock_moved:
        ranges["worst_jitter_ms"] = (
            0.0 if clock_moved or spoilt > _MEDIAN_HOLDS * stream.sent else _median_jitter(stream),
            ranges["worst_jitter_ms"][1],
        )
    return ranges


def bounds_of_round_trips(responders: Sequence[Responder]) -> dict[str, Range]:
    """What round trips to the trunk's servers prove; nothing where one of them did not answer often enough to tell.

    A round trip holds the server's own time, so it is the most that the path took. Of two methods to ask one server the
    better one counts.
    """
    best: dict[str, RoundTrip | None] = {}
    for responder in responders:
        if responder.role != "target" or not responder.answered:
            continue
        trip, other = responder.rtt_ms, best.setdefault(responder.address, None)
        if trip is not None and responder.speaks_for_the_link and (other is None or trip.p95 < other.p95):
            best[responder.address] = trip
    trips = [trip for trip in best.values() if trip is not None]
    if not trips or len(trips) < len(best):
        return {}
    return {
        "rtt_ms.p95": (0.0, max(trip.p95 for trip in trips)),
        "worst_jitter_ms": (0.0, max(trip.max - trip.min for trip in trips)),
    }


def own_trouble(stream: StreamFacts, drops: FarDrops | None, ending: Ending = Ending.ANSWERED) -> list[str]:
    """What this machine, or the far end's, did wrong, as clauses; empty where both can be trusted."""
    troubles = []
    sending = stream.sending
    if sending.sent_late:
        troubles.append(f"this machine sent {_packets(sending.sent_late)} more than {LATE_MS:.0f} ms late")
    if stream.far_late:
        troubles.append(f"the reflector's machine answered {_packets(stream.far_late)} more than {LATE_MS:.0f} ms late")
    if sending.unsent:
        troubles.append(f"this machine could not send {_packets(sending.unsent)}")
    if sending.queue_full:
        troubles.append(f"this machine's own interface had no room for {_packets(sending.queue_full)}")
    if stream.own_drops:
        troubles.append(f"this machine was too busy to take {_packets(stream.own_drops)} that had arrived")
    if abs(sending.clock_step_ms) > STEP_MS:
        troubles.append(f"this machine's clock was moved by {sending.clock_step_ms:.0f} ms meanwhile")
    missing = stream.sent - stream.received
    if drops and missing and drops.kernel:
        troubles.append(f"the reflector's machine was too busy to take {_packets(min(drops.kernel, missing))}")
    if drops and missing and drops.refused:
        troubles.append(f"the reflector's rate limit refused {_packets(min(drops.refused, missing))}")
    if missing and stream.strays:
        troubles.append(f"{_packets(stream.strays)} came from the reflector that answer none that is missing")
    if stream.restarted or _restarted_unseen(stream, ending):
        every = " on every channel" * stream.restarted
        troubles.append(f"the reflector began to count again{every}: it was restarted, or a device forgot the flows")
    if ending is Ending.SILENT:
        troubles.append(
            f"the reflector had stopped answering by the end ({_packets(stream.lost_at_end)} since its last answer), "
            "because it or the line went down"
        )
    return troubles


def _packets(count: int) -> str:
    return f"{count} packet{'s' * (count > 1)}"


def _spoilt(stream: StreamFacts, drops: FarDrops | None, ending: Ending) -> int:
    """How many packets at most our own machines, and not the path, may have cost."""
    late = _CLUMP * (stream.sending.sent_late + stream.far_late)
    spoilt = late + stream.sending.unsent + stream.sending.queue_full + stream.own_drops
    not_the_paths = stream.strays + (drops.kernel + drops.refused if drops else 0)
    spoilt += min(not_the_paths, stream.sent - stream.received)
    if _restarted_unseen(stream, ending):
        spoilt += stream.sent - stream.received
    if ending is Ending.SILENT:
        spoilt += stream.lost_at_end
    return spoilt + stream.lost_at_restart


def _restarted_unseen(stream: StreamFacts, ending: Ending) -> bool:
    """Its counters say that it was restarted, and nobody can tell when. Not so where it counted on to the end."""
    return ending is Ending.RESTARTED and not stream.restarted and (stream.up.lost is None or stream.lost_undecided > 0)


def _median_jitter(stream: StreamFacts) -> float | None:
    if stream.clock_doubt is not None:
        return 0.0
    if stream.up.jitter_ms is None or stream.down.jitter_ms is None:
        return None
    return max(stream.up.jitter_ms.p50, stream.down.jitter_ms.p50)


def _worse(stream: StreamFacts, up: float | None, down: float | None, round_trip: float) -> Range:
    if up is None or down is None:
        return round_trip / 2, round_trip
    if stream.lost_undecided:
        return max(up, down, round_trip / 2), max(up, down, round_trip)
    return max(up, down), max(up, down)


def _delivered(stream: StreamFacts, spoilt: int, *, clock_moved: bool) -> Range:
    """Up is loaded in full. Down often with what came up only; then it proves nothing beyond a fault up."""
    if stream.sending.lateness_ms.max > NO_LOAD_MS:
        return None, None
    up, down = stream.up.delivered_pct, stream.down.delivered_pct
    if up is None or down is None:
        arrived = 100 - stream.round_trip_loss_pct - 100 * stream.round_trip_late / stream.sent
        low, high = arrived, (100 + arrived) / 2
    else:
        low, high = min(up, down) if stream.each_way or up > LOADED_PCT else up * down / 100, min(up, down)
        # What was lost in a direction that nobody can tell counts for neither, but it did not arrive.
        low = max(0.0, low - 100 * stream.lost_undecided / stream.sent)
    late = max(stream.up.late or 0, stream.down.late or 0, stream.round_trip_late) if clock_moved else 0
    high = min(100.0, high + 100 * (spoilt + late) / stream.sent)
    # A TWAMP reflector may answer with less than it was sent; down was then not loaded.
    return 0.0 if stream.short_answers else min(low, sustained_pct(stream)), high


def sustained_pct(stream: StreamFacts) -> float:
    """The share of the load that left the slower direction by the end: a queue that grew is load not carried."""
    lasted_ms = _GROWTH_OVER * stream.packets * PACKET_MS
    share_pct = 100 * lasted_ms / (lasted_ms + max(stream.up.growth_ms, stream.down.growth_ms))
    return share_pct if share_pct < _STEADY_PCT else 100.0


def _round_trip(stream: StreamFacts) -> Range:
    """Of the 95th percentile. How long the far end kept the packets is its own word: the path may have taken it all."""
    if stream.rtt_ms is None or stream.away_ms is None:
        return None, None
    most_ms = stream.away_ms.p95 if stream.away_ms.p50 - stream.rtt_ms.p50 > FAR_MS else stream.rtt_ms.p95
    return stream.rtt_ms.p95, most_ms


def _jitter(stream: StreamFacts) -> Range:
    if stream.clock_doubt is not None and stream.round_trip_jitter_ms is not None:
        return 0.0, stream.round_trip_jitter_ms.p99
    if stream.up.jitter_ms is None or stream.down.jitter_ms is None:
        return None, None
    worse = max(stream.up.jitter_ms.p99, stream.down.jitter_ms.p99)
    return worse, worse


def _mos(stream: StreamFacts, spoilt: int, *, clock_moved: bool) -> Range:
    voice = voice_quality(stream)
    if voice is None:
        return None, None
    low = round(voice.plc.mos, 3)
    least_ms, most_ms = _round_trip(stream)
    clock_holds = not clock_moved and stream.clock_doubt is None and least_ms == most_ms
    if not spoilt and clock_holds and stream.up.loss_pct is not None:
        return low, low
    best = best_mos(stream, spoilt, clock_moved=clock_moved)
    return low, low if best is None else max(low, round(best, 3))
