"""What the E-model makes of a stream: how a call over it would sound. Pure; judges nothing."""

from gosip_check.probes.media.direction import JITTER_BUFFER_MS
from gosip_check.probes.media.e_model import G711, G711_PLC, Inputs, Quality, quality
from gosip_check.probes.media.stream_facts import StreamFacts
from gosip_check.probes.media.times import FAR_MS
from gosip_check.records import Record

PACKETISATION_MS = 20.0


class VoiceQuality(Record, frozen=True):
    """The E-model's result for the worse direction, with and without concealment of losses, and what went into it."""

    plc: Quality
    no_plc: Quality
    inputs_plc: Inputs
    inputs_no_plc: Inputs


def voice_quality(facts: StreamFacts) -> VoiceQuality | None:
    """As it was measured; a loss in a direction that nobody can tell counts for both, and a long time that the far end
    says it kept packets counts for the path.

    None without any answer, and where the figures are such as no path has.

    Mouth to ear is taken as half the round trip, one packet and the jitter buffer.
    """
    if facts.rtt_ms is None or facts.away_ms is None:
        return None
    have_direction = facts.up.loss_pct is not None
    kept_ms = facts.away_ms.p50 - facts.rtt_ms.p50
    voices = [
        _of(
            facts.rtt_ms.p50 + (kept_ms if kept_ms > FAR_MS else 0.0),
            facts.round_trip_loss_pct if direction.loss_pct is None else direction.loss_pct,
            direction.too_late_pct,
            direction.burst_ratio if have_direction else facts.round_trip_burst_ratio,
        )
        for direction in (facts.up, facts.down)
    ]
    return min((voice for voice in voices if voice is not None), key=lambda voice: voice.plc.r_factor, default=None)


def best_mos(facts: StreamFacts, spoilt: int, *, clock_moved: bool) -> float | None:
    """With concealment, if `spoilt` packets are no fault of the path, nor lateness where a clock was moved.

    Loss in a direction that nobody can tell is then half in each. Where the far end's clock is wrong, all of the round
    trip may have been its own time. None as `voice_quality` is.
    """
    if facts.rtt_ms is None:
        return None
    clock_is_wrong = clock_moved or facts.clock_doubt is not None
    rtt_ms = 0.0 if facts.clock_doubt is not None else facts.rtt_ms.p50
    scores = []
    for direction in (facts.up, facts.down):
        loss_pct = facts.round_trip_loss_pct / 2 if direction.loss_pct is None else direction.loss_pct
        loss_pct = max(0.0, loss_pct - 100 * spoilt / facts.sent)
        voice = _of(rtt_ms, loss_pct, 0.0 if clock_is_wrong else direction.too_late_pct, 1.0)
        if voice is not None:
            scores.append(voice.plc.mos)
    return min(scores, default=None)


def _of(rtt_ms: float, loss_pct: float, too_late_pct: float, burst_ratio: float) -> VoiceQuality | None:
    ta_ms = rtt_ms / 2 + PACKETISATION_MS + JITTER_BUFFER_MS
    ppl_pct = min(100.0, loss_pct + (100 - loss_pct) * too_late_pct / 100)
    inputs_plc = Inputs(ta_ms=ta_ms, ppl_pct=ppl_pct, burst_ratio=burst_ratio, codec=G711_PLC)
    inputs_no_plc = Inputs(ta_ms=ta_ms, ppl_pct=ppl_pct, burst_ratio=burst_ratio, codec=G711)
    plc, no_plc = quality(inputs_plc), quality(inputs_no_plc)
    if plc is None or no_plc is None:
        return None
    return VoiceQuality(plc=plc, no_plc=no_plc, inputs_plc=inputs_plc, inputs_no_plc=inputs_no_plc)
