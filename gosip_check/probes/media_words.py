"""Sentences about media: every number with what it means and how much it can prove. Pure."""

from collections.abc import Mapping, Sequence

from gosip_check.probes import stats
from gosip_check.probes.far_end import FarEnd
from gosip_check.probes.far_end import Place as FarPlace
from gosip_check.probes.media_bounds import Range, own_trouble
from gosip_check.probes.round_trips import Place
from gosip_check.probes.stream_facts import StreamFacts
from gosip_check.probes.voice import VoiceQuality
from gosip_check.probes.way import Way
from gosip_check.wire.stamp_tlv import FarDrops

_GET_ONE = (
    "Run `gosip-check reflector` on a machine outside this site, such as a small rented server, or ask the provider "
    "for a STAMP or TWAMP Light reflector, and name it with --reflector HOST."
)
NO_REFLECTOR = f"There is no reflector to send media to. {_GET_ONE}"


def no_way_to_reflector(trouble: str) -> str:
    """Why nothing was sent to a reflector that this machine cannot send to. trouble: a sentence."""
    return f"No media was sent: {trouble} That is the far end's address or this machine, not the line."


def silent_reflector(place: FarPlace) -> str:
    """Why nothing was sent to a reflector."""
    return (
        f"The reflector at {place} did not answer. It may be down, refuse this site or need a key, or the firewall may "
        f"not let UDP port {place.port} out; which of them cannot be told from here."
    )


def evidence(
    stream: StreamFacts,
    far: FarEnd,
    drops: FarDrops | None,
    voice: VoiceQuality | None,
    calls: Range | None,
    capacity: int | None,
) -> dict[str, str]:
    """Fact name -> sentence, for every fact that a requirement may ask about."""
    trouble = own_trouble(stream, drops)
    doubt = f" But {' and '.join(trouble)}, so what is bad here may not be the path's fault." if trouble else ""
    words = {
        "delivered_pct": _bandwidth(stream, calls, capacity) + doubt,
        "window15_loss_pct": _loss(stream, far) + doubt,
        "burst200_loss_pct": _bursts(stream) + doubt,
        "worst_jitter_ms": _jitter(stream) + doubt,
        "dscp_survives": _dscp(stream),
    }
    if stream.rtt_ms is not None:
        trip = stream.rtt_ms
        words["rtt_ms.p95"] = (
            f"Round trip {trip.p50:.1f} ms in the middle, {trip.p95:.1f} ms p95, {trip.max:.1f} ms at worst "
            f"(half of p95: {trip.p95 / 2:.1f} ms)."
        )
    if voice is not None:
        words["mos"] = _mos(voice)
    return words


def evidence_without_reflector(places: Sequence[Place], bounds: Mapping[str, Range], why: str) -> dict[str, str]:
    """What round trips to others can say, and what they cannot."""
    words = dict.fromkeys(("delivered_pct", "window15_loss_pct", "burst200_loss_pct", "mos", "dscp_survives"), why)
    told = "; ".join(_place(place) for place in places if place.rtt_ms is not None)
    if "rtt_ms.p95" in bounds:
        trip, jitter = bounds["rtt_ms.p95"][1], bounds["worst_jitter_ms"][1]
        words["rtt_ms.p95"] = f"At most {trip:.1f} ms p95 to the slowest server, its own time included ({told})."
        words["worst_jitter_ms"] = (
            f"Round trips to one server varied by at most {jitter:.1f} ms ({told}), and neither direction's jitter is "
            f"larger than that. {why}"
        )
    else:
        silent = f"No server of the trunk answered SIP or ICMP often enough to time it{f' ({told})' if told else ''}."
        words["rtt_ms.p95"] = words["worst_jitter_ms"] = f"{silent} {why}"
    return words


def _place(place: Place) -> str:
    assert place.rtt_ms is not None
    trip = place.rtt_ms
    return (
        f"{place.role} {place.address} by {place.method.upper()}: {place.answered} of {place.asked} answered, "
        f"{trip.min:.1f} to {trip.max:.1f} ms"
    )


def _bandwidth(stream: StreamFacts, calls: Range | None, capacity: int | None) -> str:
    wanted = stream.channels * stream.ip_octets * 8 / 20
    text = f"{_channels(stream)} ({wanted:.0f} kb/s at IP each way): "
    if stream.up.delivered_pct is None or stream.down.delivered_pct is None:
        text += f"{100 - stream.round_trip_loss_pct:.2f} % came back; on which way the rest was lost cannot be told."
    else:
        text += f"{_rate(stream.up)} up, {_rate(stream.down)} down."
        if stream.up.delivered_pct < 99 <= stream.down.delivered_pct:
            text += (
                " The way up delivers too little; the way down carried all that came up, which is less than its share."
            )
        elif stream.up.delivered_pct < 99:
            text += " Both ways deliver too little."
        elif stream.down.delivered_pct < 99:
            text += " The way down delivers too little."
    if stream.short_answers:
        text += " The far end answers with shorter packets, so the way down was not loaded, and nothing is known of it."
    if stream.sending.queue_full:
        text += f" This machine's own interface had no room for {stream.sending.queue_full} packets."
    if calls is not None and calls[0] is not None and calls[1] is not None:
        enough = "enough" if calls[0] >= 99 else "not enough" if calls[1] < 99 else "perhaps enough"
        text += f" With real G.711 packets (80 kb/s at IP) {calls[1]:.1f} % were delivered: {enough} for the calls."
    if capacity is not None:
        text += f" The line carries {capacity} channels."
    return text


def _rate(way: Way) -> str:
    return f"{way.rate_kbps or 0:.0f} kb/s ({way.delivered_pct or 0:.2f} % in time)"


def _loss(stream: StreamFacts, far: FarEnd) -> str:
    """Loss, and how much so many packets can prove."""
    lost = stream.sent - stream.received
    low, high = stats.wilson(lost, stream.sent)
    window = f"in the worst {min(15.0, stream.packets / 50):g} s"
    if stream.up.lost is None or stream.down.lost is None:
        why = "the reflector is stateless" if far.stateful is False else "the answers do not show which way"
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
            text += f" {stream.lost_undecided} more at the end, on either way."
    if lost:
        return f"{text} So many packets put the loss between {100 * low:.2g} % and {100 * high:.2g} %."
    return f"{text} So many packets prove only that the loss is below {100 * high:.2g} %."


def _bursts(stream: StreamFacts) -> str:
    return (
        f"In the worst 200 ms {stream.round_trip_burst200_pct:.1f} % of the packets of all channels were lost; the "
        f"longest run on one channel was {stream.longest_burst} packets ({stream.longest_burst * 20} ms)."
    )


def _jitter(stream: StreamFacts) -> str:
    up, down = stream.up.jitter_ms, stream.down.jitter_ms
    if up is None or down is None:
        return "No packet came back, so there is no jitter to tell."
    return (
        f"Jitter (RFC 3550) up {up.p99:.3g} ms p99, {up.max:.3g} ms at worst; down {down.p99:.3g} ms p99, "
        f"{down.max:.3g} ms at worst."
    )


def _mos(voice: VoiceQuality) -> str:
    inputs = voice.inputs_plc
    return (
        f"MOS {voice.plc.mos:.2f} (R {voice.plc.r_factor:.1f}) for G.711 with loss concealment, {voice.no_plc.mos:.2f} "
        f"without, from {inputs.ta_ms:.0f} ms mouth to ear (assuming a 40 ms jitter buffer), {inputs.ppl_pct:.2g} % "
        f"lost or too late, burst ratio {inputs.burst_ratio:.2g}; {inputs.formula}."
    )


def _dscp(stream: StreamFacts) -> str:
    if not stream.far_dscp:
        return "The far end does not tell which marking reached it."
    seen = ", ".join(f"{dscp} on {count} packets" for dscp, count in sorted(stream.far_dscp.items()))
    back = ", ".join(f"{dscp} on {count}" for dscp, count in sorted(stream.dscp.items()))
    return f"Sent with DSCP 46 (EF); the far end saw {seen}, and its answers, sent with EF too, came with {back}."


def _channels(stream: StreamFacts) -> str:
    return f"{stream.channels} channel{'s' if stream.channels > 1 else ''} for {stream.packets / 50:g} s"
