"""What the E-model makes of a stream: how a call over it would sound. Pure; judges nothing."""

from gosip_check.probes.e_model import G711, G711_PLC, Inputs, Quality, quality
from gosip_check.probes.stream_facts import StreamFacts
from gosip_check.probes.way import JITTER_BUFFER_MS
from gosip_check.records import Record

PACKETISATION_MS = 20.0


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
