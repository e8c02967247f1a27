"""Sentences about media: every figure with its bounds and what they can prove. Pure.

They say what was seen and never whether it suffices: the same sentence stands beside a pass and beside a fail.
"""

from collections.abc import Mapping, Sequence

from gosip_check.probes.far_end import FarEnd, Reflector
from gosip_check.probes.media import round_trips, summary
from gosip_check.probes.media.bounds import LOADED_PCT, Range, sustained_pct
from gosip_check.probes.media.direction import DirectionFacts
from gosip_check.probes.media.idle_loss import Cause
from gosip_check.probes.media.round_trips import Responder
from gosip_check.probes.media.stream_facts import StreamFacts
from gosip_check.probes.media.summary import RoundTrip
from gosip_check.probes.media.voice import VoiceQuality

_GET_ONE = (
    "Run `gosip-check reflector` on a machine outside this site, or ask the provider for a STAMP or TWAMP Light "
    "reflector. Name it with --reflector HOST."
)
NO_REFLECTOR = f"There is no reflector to send media to. {_GET_ONE}"


def cannot_send_to_reflector(trouble: str) -> str:
    """Why nothing was sent to a reflector that this machine cannot send to. trouble: a sentence."""
    return f"No media was sent: {trouble} That is the far end's address or this machine, not the line."


def cannot_use_reflector(reflector: Reflector, unusable: str | None) -> str:
    """Why nothing was sent to a reflector. unusable: how it answers, where it does, but not as a reflector should."""
    if unusable is not None and reflector.key is not None:
        return (
            f"The reflector at {reflector} answers, but its answers are not signed with the key of "
            "--reflector-key-file. It has another key or none."
        )
    if unusable is not None:
        return f"Something at {reflector} answers, but not as a STAMP or TWAMP Light reflector does: {unusable}."
    key = "need a key (--reflector-key-file)" if reflector.key is None else "have another key"
    clock = "" if reflector.key is None else " A clock here that is a day off keeps it silent too."
    return (
        f"The reflector at {reflector} did not answer. It may be down, refuse this site or {key}. Or "
        f"the firewall does not let UDP port {reflector.port} out.{clock}"
    )


def evidence(
    stream: StreamFacts,
    far_end: FarEnd,
    troubles: Sequence[str],
    ranges: Mapping[str, Range],
    voice: VoiceQuality | None,
    calls: Range | None,
    capacity: str | None,
    cause: Cause | None = None,
) -> dict[str, str]:
    """Fact name -> sentences, for every fact that a requirement may ask about.

    troubles: see `own_trouble`; ranges: see `bounds_of`; calls: what was delivered of real G.711 packets, where tried;
    capacity: a sentence, where it was looked for.
    """
    wrong_clock = _wrong_clock(stream, far_end)
    doubt = f" But {' and '.join(troubles)}, so part of this may not be the path's doing." if troubles else ""
    stated = {
        "delivered_pct": _bandwidth(stream, ranges["delivered_pct"], calls, capacity, cause),
        "window15_loss_pct": _loss(stream, far_end),
        "burst200_loss_pct": _bursts(stream),
        "worst_jitter_ms": _jitter(stream, wrong_clock),
        "mos": _mos(voice, ranges["mos"], wrong_clock),
    }
    for fact in stated:
        low, high = ranges[fact]
        stated[fact] += doubt if low != high or low is None else ""
    stated["dscp_survives"] = _dscp(stream)
    if stream.rtt_ms is not None:
        stated["rtt_ms.p95"] = _round_trip(stream.rtt_ms, ranges.get("rtt_ms.p95"), wrong_clock)
    else:
        stated["rtt_ms.p95"] = f"No packet came back whose round trip could be timed.{doubt}"
    return stated


def _wrong_clock(stream: StreamFacts, far_end: FarEnd) -> str | None:
    """Why nothing that needs the far end's times is known, a sentence without its full stop; None where it is."""
    if stream.clock_doubt is None:
        return None
    if far_end.is_echo:
        return "The far end echoes, it is not a STAMP reflector, and tells no times"
    return f"The reflector's clock {stream.clock_doubt}"


def _round_trip(trip: RoundTrip, open_ms: Range | None, wrong_clock: str | None) -> str:
    text = f"Round trip {trip.p50:.1f} ms in the middle, {trip.p95:.1f} ms p95, {trip.max:.1f} ms at worst"
    if wrong_clock is not None:
        return f"{text}, by this machine's clock and with the far end's own time in it. {wrong_clock}."
    text += f" (half of p95: {trip.p95 / 2:.1f} ms)."
    if open_ms is not None:
        text += f" With the time that the reflector says it kept packets, p95 is {open_ms[1]:.1f} ms."
    return text


def evidence_without_reflector(
    responders: Sequence[Responder], ranges: Mapping[str, Range], reason: str
) -> dict[str, str]:
    """What round trips to others can say, and what they cannot. reason: why there is no more, a sentence."""
    stated = dict.fromkeys(("delivered_pct", "window15_loss_pct", "burst200_loss_pct", "mos", "dscp_survives"), reason)
    timed = "; ".join(_responder(responder) for responder in responders if responder.rtt_ms is not None)
    if "rtt_ms.p95" in ranges:
        trip_ms, jitter_ms = ranges["rtt_ms.p95"][1], ranges["worst_jitter_ms"][1]
        stated["rtt_ms.p95"] = f"At most {trip_ms:.1f} ms p95 to the slowest server, its own time included ({timed})."
        stated["worst_jitter_ms"] = (
            f"Round trips to one server varied by at most {jitter_ms:.1f} ms ({timed}). Neither direction's jitter is "
            f"larger than that. {reason}"
        )
        return stated
    few = (
        f" Fewer than {round_trips.FEWEST_ANSWERS} answers, or than {100 * round_trips.LEAST_ANSWERED:g} % of those "
        f"asked for, prove nothing ({timed})."
    )
    silent = "Not every server of the trunk answered SIP or ICMP often enough to time it."
    stated["rtt_ms.p95"] = stated["worst_jitter_ms"] = f"{silent}{few if timed else ''} {reason}"
    return stated


def _responder(responder: Responder) -> str:
    assert responder.rtt_ms is not None
    trip = responder.rtt_ms
    return (
        f"{responder.role} {responder.address} by {responder.method.upper()}: {responder.answered} of "
        f"{responder.asked} answered, {trip.min:.1f} to {trip.max:.1f} ms"
    )


def _bandwidth(
    stream: StreamFacts, delivered: Range, calls: Range | None, capacity: str | None, cause: Cause | None
) -> str:
    offered_kbps = stream.channels * stream.ip_octets * 8 / 20
    text = f"{_channels(stream)} ({offered_kbps:.0f} kb/s at IP each way): "
    up, down = stream.up.delivered_pct, stream.down.delivered_pct
    if up is None or down is None:
        text += f"{100 - stream.round_trip_loss_pct:.2f} % came back; in which direction the rest was lost is unknown."
    else:
        text += f"{_rate(stream.up)} up, {_rate(stream.down)} down.{_compared(up, down, each_way=stream.each_way)}"
        text += "" if stream.each_way or up > LOADED_PCT else " Down was loaded with no more than what came up."
    if stream.short_answers:
        text += " The far end answers with shorter packets, so down was not loaded, and nothing is known of it."
    text += _CAUSES[cause] if cause else ""
    text += _open(stream, delivered)
    if calls is not None and calls[0] is not None and calls[1] is not None:
        share = f"{calls[1]:.1f}" if calls[1] - calls[0] < 0.05 else f"{calls[0]:.1f} to {calls[1]:.1f}"
        text += f" With real G.711 packets (80 kb/s at IP) {share} % were delivered."
    return text if capacity is None else f"{text} {capacity}"


_CAUSES: dict[Cause, str] = {
    "lossy": " As many small packets lose as much, so it is not the speed; such losses are not counted here.",
    "too_narrow": " As many small packets lose less, and round trips rise with the load: a queue before the line.",
    "policed": " As many small packets lose less, and round trips stay flat: something drops what is above a rate.",
}


def _compared(up_pct: float, down_pct: float, *, each_way: bool) -> str:
    """Which direction is the worse one, as exactly as the figures are shown; both where each alone carries too little.

    each_way: down is a load of its own.
    """
    if each_way and max(up_pct, down_pct) < LOADED_PCT:
        return " Neither direction carries all of it."
    if f"{up_pct:.2f}" == f"{down_pct:.2f}":
        return ""
    return " Up is the worse direction." if up_pct < down_pct else " Down is the worse direction."


def _open(stream: StreamFacts, delivered: Range) -> str:
    """Why the share that was delivered is not known better; nothing where it is."""
    low, high = delivered
    if low is None or high is None:
        late_s = stream.sending.lateness_ms.max / 1000
        return f" This machine fell {late_s:.1f} s behind, so it did not offer the load, and nothing is known of it."
    if low == high:
        return ""
    text = ""
    growth_ms = max(stream.up.growth_ms, stream.down.growth_ms)
    if sustained_pct(stream) < 100:
        direction = "up" if stream.up.growth_ms > stream.down.growth_ms else "down"
        text += (
            f" The delay {direction} grew by {growth_ms:.0f} ms from start to end, so a queue may be growing. "
            "A longer run (--duration) shows whether it is."
        )
    return f"{text} So the worse direction delivers between {low:.2f} % and {high:.2f} %."


def _rate(direction: DirectionFacts) -> str:
    return f"{direction.rate_kbps or 0:.0f} kb/s ({direction.delivered_pct or 0:.2f} % in time)"


def _loss(stream: StreamFacts, far_end: FarEnd) -> str:
    """Loss, and how much so many packets can prove."""
    lost = stream.sent - stream.received
    low, high = summary.wilson(lost, stream.sent)
    window = f"in the worst {min(15.0, stream.packets / 50):g} s"
    if stream.up.lost is None or stream.down.lost is None or far_end.is_echo:
        why = "the reflector is stateless" if far_end.stateful is False else "the answers do not show the direction"
        if far_end.is_echo:
            why = "the far end echoes, it is not a STAMP reflector"
        text = (
            f"Round trip only ({why}): {lost} of {stream.sent} packets lost, "
            f"{stream.round_trip_window15_pct:.2f} % {window}."
        )
    else:
        text = (
            f"Up {stream.up.lost} of {stream.sent} packets lost, down {stream.down.lost}; {window} "
            f"{stream.up.window15_loss_pct:.2f} % up, {stream.down.window15_loss_pct:.2f} % down."
        )
        if stream.lost_undecided:
            text += f" {stream.lost_undecided} more in one direction or the other."
    if stream.ports_changed:
        text += (
            f" The far end saw the port of {stream.ports_changed} of {stream.channels} channels change. A device "
            "on the way forgot them, or the line was cut."
        )
    if far_end.oddities:
        text += f" The reflector's answers {' and '.join(far_end.oddities)}."
    if lost:
        return f"{text} So many packets put the loss between {100 * low:.2g} % and {100 * high:.2g} %."
    return f"{text} So many packets prove only that the loss is below {100 * high:.2g} %."


def _bursts(stream: StreamFacts) -> str:
    return (
        f"In the worst 200 ms {stream.round_trip_burst200_pct:.1f} % of the packets of all channels were lost. The "
        f"longest run on one channel was {stream.longest_burst} packets ({stream.longest_burst * 20} ms)."
    )


def _jitter(stream: StreamFacts, wrong_clock: str | None) -> str:
    whole = stream.round_trip_jitter_ms
    if wrong_clock is not None and whole is not None:
        return (
            f"{wrong_clock}, so the jitter of one direction is not known. That of both together, by this machine's "
            f"clock, is {whole.p99:.3g} ms p99, {whole.max:.3g} ms at worst. Neither direction's is larger."
        )
    up, down = stream.up.jitter_ms, stream.down.jitter_ms
    if up is None or down is None:
        return "No packet came back, so there is no jitter to measure."
    text = (
        f"Jitter (RFC 3550) up {up.p99:.3g} ms p99, {up.max:.3g} ms at worst; down {down.p99:.3g} ms p99, "
        f"{down.max:.3g} ms at worst."
    )
    if stream.far_clock_step_ms:
        text += f" The reflector's clock was moved by {stream.far_clock_step_ms:.0f} ms meanwhile; that is taken out."
    return text


def _mos(voice: VoiceQuality | None, score: Range, wrong_clock: str | None) -> str:
    if voice is None:
        return "There is no round trip that a call's score could be worked out from."
    inputs = voice.inputs_plc
    low, high = score
    text = (
        f"MOS {voice.plc.mos:.2f} (R {voice.plc.r_factor:.1f}) for G.711 with loss concealment, {voice.no_plc.mos:.2f} "
        f"without. It follows from {inputs.ta_ms:.0f} ms mouth to ear, {inputs.ppl_pct:.2g} % lost or too late, and a "
        f"burst ratio of {inputs.burst_ratio:.2g}. A jitter buffer of 40 ms is assumed that adapts with every talk "
        f"spurt. {inputs.formula}."
    )
    if low != high and high is not None and wrong_clock is not None:
        return f"{text} That is the least, and {high:.2f} the most. {wrong_clock}."
    if low != high and high is not None:
        text += f" That is the least; without losses that may not be the worse direction's own it is {high:.2f}."
    return text


def _dscp(stream: StreamFacts) -> str:
    if stream.dscp_sent != 46:
        return f"This machine would not mark what it sends with DSCP 46 (EF), only with {stream.dscp_sent}."
    if not stream.dscp_at_far_end:
        return "The far end does not say which marking reached it, nor mark its answers when it is asked to."
    there = ", ".join(f"{dscp} on {count} packets" for dscp, count in sorted(stream.dscp_at_far_end.items()))
    back = ", ".join(f"{dscp} on {count}" for dscp, count in sorted(stream.dscp_received.items()))
    text = f"Sent with DSCP 46 (EF); the far end saw {there}, and its answers came with {back}."
    if stream.unmarked:
        return f"{text} The far end may not mark its answers with EF, so nothing is known of down."
    return f"{text} The answers were sent with EF too."


def _channels(stream: StreamFacts) -> str:
    return f"{stream.channels} channel{'s' * (stream.channels > 1)} for {stream.packets / 50:g} s"
