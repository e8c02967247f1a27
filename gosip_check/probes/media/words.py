"""Sentences about media: every number with what it means and how much it can prove. Pure."""

from collections.abc import Mapping, Sequence

from gosip_check.probes.far_end import FarEnd, Reflector
from gosip_check.probes.media import summary
from gosip_check.probes.media.bounds import Range, sustained_pct
from gosip_check.probes.media.capacity import Capacity
from gosip_check.probes.media.direction import Way
from gosip_check.probes.media.round_trips import Place
from gosip_check.probes.media.stream_facts import StreamFacts
from gosip_check.probes.media.voice import VoiceQuality

_GET_ONE = (
    "Run `gosip-check reflector` on a machine outside this site, such as a small rented server, or ask the provider "
    "for a STAMP or TWAMP Light reflector, and name it with --reflector HOST."
)
NO_REFLECTOR = f"There is no reflector to send media to. {_GET_ONE}"


def no_way_to_reflector(trouble: str) -> str:
    """Why nothing was sent to a reflector that this machine cannot send to. trouble: a sentence."""
    return f"No media was sent: {trouble} That is the far end's address or this machine, not the line."


def no_use_of_reflector(reflector: Reflector, *, unusable: bool) -> str:
    """Why nothing was sent to a reflector. unusable: it answers, but not with our key, or not as a reflector does."""
    if unusable and reflector.key is not None:
        return (
            f"The reflector at {reflector} answers, but its answers are not signed with the key of "
            "--reflector-key-file: it has another key or none."
        )
    if unusable:
        return f"Something at {reflector} answers, but not as a STAMP or TWAMP Light reflector does."
    key = "need a key (--reflector-key-file)" if reflector.key is None else "have another key"
    return (
        f"The reflector at {reflector} did not answer. It may be down, refuse this site or {key}, or the firewall may "
        f"not let UDP port {reflector.port} out; which of them cannot be told from here."
    )


def evidence(
    stream: StreamFacts,
    far: FarEnd,
    trouble: Sequence[str],
    ranges: Mapping[str, Range],
    voice: VoiceQuality | None,
    calls: Range | None,
    carried: Capacity | None,
) -> dict[str, str]:
    """Fact name -> sentence, for every fact that a requirement may ask about. trouble: see `own_trouble`."""
    doubt = f" But {' and '.join(trouble)}, so what is bad here may not be the path's fault." if trouble else ""
    words = {
        "delivered_pct": _bandwidth(stream, ranges["delivered_pct"], calls, carried),
        "window15_loss_pct": _loss(stream, far),
        "burst200_loss_pct": _bursts(stream),
        "worst_jitter_ms": _jitter(stream),
    }
    if voice is not None:
        words["mos"] = _mos(voice, ranges["mos"])
    for fact in words:
        low, high = ranges[fact]
        words[fact] += doubt if low != high or low is None else ""
    words["dscp_survives"] = _dscp(stream)
    if stream.rtt_ms is not None:
        trip = stream.rtt_ms
        words["rtt_ms.p95"] = (
            f"Round trip {trip.p50:.1f} ms in the middle, {trip.p95:.1f} ms p95, {trip.max:.1f} ms at worst "
            f"(half of p95: {trip.p95 / 2:.1f} ms)."
        )
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
        few = f" Fewer than eight answers, or than 80 % of those asked for, prove nothing ({told})." if told else ""
        silent = f"Not every server of the trunk answered SIP or ICMP often enough to time it.{few}"
        words["rtt_ms.p95"] = words["worst_jitter_ms"] = f"{silent} {why}"
    return words


def _place(place: Place) -> str:
    assert place.rtt_ms is not None
    trip = place.rtt_ms
    return (
        f"{place.role} {place.address} by {place.method.upper()}: {place.answered} of {place.asked} answered, "
        f"{trip.min:.1f} to {trip.max:.1f} ms"
    )


def _bandwidth(stream: StreamFacts, found: Range, calls: Range | None, carried: Capacity | None) -> str:
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
    text += _open(stream, found)
    if calls is not None and calls[0] is not None and calls[1] is not None:
        enough = "enough" if calls[0] >= 99 else "not enough" if calls[1] < 99 else "perhaps enough"
        share = f"{calls[1]:.1f}" if calls[1] - calls[0] < 0.05 else f"{calls[0]:.1f} to {calls[1]:.1f}"
        text += f" With real G.711 packets (80 kb/s at IP) {share} % were delivered: {enough} for the calls."
    if carried is not None:
        text += f" {carried.words}"
    return text


def _open(stream: StreamFacts, found: Range) -> str:
    """Why the share that was delivered is not known better; nothing where it is."""
    low, high = found
    if low is None or high is None:
        late_s = stream.sending.lateness_ms.max / 1000
        return f" This machine fell {late_s:.1f} s behind, so it did not offer the load, and nothing is known of it."
    if low == high:
        return ""
    text = ""
    growth_ms = max(stream.up.growth_ms, stream.down.growth_ms)
    if sustained_pct(stream) < 100:
        way = "up" if stream.up.growth_ms > stream.down.growth_ms else "down"
        text += (
            f" The way {way} took {growth_ms:.0f} ms longer at the end than at the start: a queue that grows on is a "
            "line that does not carry the load, and a longer run (--duration) tells."
        )
    if stream.up.lost and stream.down.lost:
        text += " What was lost on the way up never loaded the way down."
    return f"{text} So the worse way delivers between {low:.2f} % and {high:.2f} %."


def _rate(way: Way) -> str:
    return f"{way.rate_kbps or 0:.0f} kb/s ({way.delivered_pct or 0:.2f} % in time)"


def _loss(stream: StreamFacts, far: FarEnd) -> str:
    """Loss, and how much so many packets can prove."""
    lost = stream.sent - stream.received
    low, high = summary.wilson(lost, stream.sent)
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
            text += f" {stream.lost_undecided} more on either way, which cannot be told."
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
    text = (
        f"Jitter (RFC 3550) up {up.p99:.3g} ms p99, {up.max:.3g} ms at worst; down {down.p99:.3g} ms p99, "
        f"{down.max:.3g} ms at worst."
    )
    if stream.far_clock_step_ms:
        text += f" The reflector's clock was moved by {stream.far_clock_step_ms:.0f} ms meanwhile; that is taken out."
    return text


def _mos(voice: VoiceQuality, found: Range) -> str:
    inputs = voice.inputs_plc
    low, high = found
    text = (
        f"MOS {voice.plc.mos:.2f} (R {voice.plc.r_factor:.1f}) for G.711 with loss concealment, {voice.no_plc.mos:.2f} "
        f"without, from {inputs.ta_ms:.0f} ms mouth to ear (assuming a jitter buffer of 40 ms that adapts with every "
        f"talk spurt), {inputs.ppl_pct:.2g} % lost or too late, burst ratio {inputs.burst_ratio:.2g}; {inputs.formula}."
    )
    if low != high and high is not None:
        text += f" That is the least: what may not be the worse way's own loss taken off, it is {high:.2f}."
    return text


def _dscp(stream: StreamFacts) -> str:
    if stream.dscp_sent != 46:
        return f"This machine would not mark what it sends with DSCP 46 (EF), only with {stream.dscp_sent}."
    if not stream.far_dscp:
        return "The far end does not tell which marking reached it, nor mark its answers when it is asked to."
    seen = ", ".join(f"{dscp} on {count} packets" for dscp, count in sorted(stream.far_dscp.items()))
    back = ", ".join(f"{dscp} on {count}" for dscp, count in sorted(stream.dscp.items()))
    text = f"Sent with DSCP 46 (EF); the far end saw {seen}, and its answers came with {back}."
    if stream.unmarked:
        return f"{text} The far end may not mark its answers with EF, so nothing is known of the way down."
    return f"{text} The answers were sent with EF too."


def _channels(stream: StreamFacts) -> str:
    return f"{stream.channels} channel{'s' if stream.channels > 1 else ''} for {stream.packets / 50:g} s"
