"""What a stream proves about the path once our own faults are taken off. Pure; knows no requirement.

Loss on a way that nobody can tell lies somewhere between all on one way and half on each. Packets that this machine or
the far end's dropped, or sent in clumps, are no fault of the path: a figure is worse than the path by what they may
have cost, and so has a lower bound of its own.
"""

from gosip_check.probes.stream_facts import LATE_MS, StreamFacts
from gosip_check.probes.way import WINDOW_15_S, WINDOW_200_MS
from gosip_check.wire.stamp_tlv import FarDrops

OWN_SHARE = 0.0005
"Packets that we may have spoilt, up to this share of all: too few to turn a verdict about 0.1 %."
NO_LOAD_MS = 1000.0
"A sender that falls this far behind did not offer the load, so nothing is known about the bandwidth."
CLOCK_STEP_MS = 20.0
_CLUMP = 2
"A packet sent late goes out in a clump with others: it may cost itself and one more."
_MEDIAN_HOLDS = 0.05
"Up to this share of spoilt packets, the median of the jitter still tells about the path."

Range = tuple[float | None, float | None]
"Lowest and highest that the truth can be; the same twice where it is known, None where nothing is."


def bounds_of(stream: StreamFacts, drops: FarDrops | None) -> dict[str, Range]:
    """What is judged about the worse direction. drops: what the far end lost by itself."""
    up, down = stream.up, stream.down
    ranges = {
        "window15_loss_pct": _worse(
            stream, up.window15_loss_pct, down.window15_loss_pct, stream.round_trip_window15_pct
        ),
        "burst200_loss_pct": _worse(
            stream, up.burst200_loss_pct, down.burst200_loss_pct, stream.round_trip_burst200_pct
        ),
        "delivered_pct": _delivered(stream),
        "worst_jitter_ms": _jitter(stream),
    }
    spoilt = _spoilt(stream, drops)
    clock_moved = abs(stream.sending.clock_step_ms) > CLOCK_STEP_MS
    if spoilt > OWN_SHARE * stream.sent or clock_moved:
        # What we may have spoilt can only be better than it looks, and only by so much.
        for name, slots in (("window15_loss_pct", WINDOW_15_S), ("burst200_loss_pct", WINDOW_200_MS)):
            low, high = ranges[name]
            window = stream.channels * min(slots, stream.packets)
            ranges[name] = (max(0.0, (low or 0.0) - 100 * spoilt / window), high)
        low, high = ranges["delivered_pct"]
        ranges["delivered_pct"] = (low, min(100.0, (high or 0.0) + 100 * spoilt / stream.sent))
        ranges["worst_jitter_ms"] = (
            0.0 if clock_moved or spoilt > _MEDIAN_HOLDS * stream.sent else _median_jitter(stream),
            ranges["worst_jitter_ms"][1],
        )
    if stream.short_answers:
        # A TWAMP reflector may answer with less than it was sent; the way down was then not loaded.
        ranges["delivered_pct"] = (0.0, ranges["delivered_pct"][1])
    if stream.sending.lateness_ms.max > NO_LOAD_MS:
        ranges["delivered_pct"] = (None, None)
    return ranges


def _spoilt(stream: StreamFacts, drops: FarDrops | None) -> int:
    """How many packets at most our own machines, and not the path, may have cost."""
    late = _CLUMP * (stream.sending.late + stream.far_late)
    return late + stream.sending.unsent + stream.own_drops + (drops.kernel + drops.refused if drops else 0)


def _median_jitter(stream: StreamFacts) -> float | None:
    if stream.up.jitter_ms is None or stream.down.jitter_ms is None:
        return None
    return max(stream.up.jitter_ms.p50, stream.down.jitter_ms.p50)


def own_trouble(stream: StreamFacts, drops: FarDrops | None) -> list[str]:
    """What this machine, or the far end's, did wrong, in words; empty where both can be trusted."""
    found = []
    few = OWN_SHARE * stream.sent
    sending = stream.sending
    if sending.late > few:
        found.append(f"this machine sent {sending.late} packets more than {LATE_MS:.0f} ms late")
    if stream.far_late > few:
        found.append(f"the reflector's machine answered {stream.far_late} packets more than {LATE_MS:.0f} ms late")
    if sending.unsent > few:
        found.append(f"this machine could not send {sending.unsent} packets")
    if stream.own_drops > few:
        found.append(f"this machine was too busy to take {stream.own_drops} packets that had arrived")
    if abs(sending.clock_step_ms) > CLOCK_STEP_MS:
        found.append(f"this machine's clock was moved by {sending.clock_step_ms:.0f} ms meanwhile")
    if drops and drops.kernel > few:
        found.append(f"the reflector's machine was too busy to take {drops.kernel} packets")
    if drops and drops.refused > few:
        found.append(f"the reflector's rate limit refused {drops.refused} packets")
    return found


def _worse(stream: StreamFacts, up: float | None, down: float | None, round_trip: float) -> Range:
    if up is None or down is None:
        return round_trip / 2, round_trip
    if stream.lost_undecided:
        return max(up, down, round_trip / 2), max(up, down, round_trip)
    return max(up, down), max(up, down)


def _delivered(stream: StreamFacts) -> Range:
    """The way up is loaded in full. The way down only with what came up, so beyond a fault there it proves nothing."""
    up, down = stream.up.delivered_pct, stream.down.delivered_pct
    if up is None or down is None:
        arrived = 100 - stream.round_trip_loss_pct
        return arrived, (100 + arrived) / 2
    return up * down / 100, min(up, down)


def _jitter(stream: StreamFacts) -> Range:
    if stream.up.jitter_ms is None or stream.down.jitter_ms is None:
        return None, None
    worse = max(stream.up.jitter_ms.p99, stream.down.jitter_ms.p99)
    return worse, worse
