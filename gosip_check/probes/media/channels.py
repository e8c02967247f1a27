"""Do calls work on this line? N channels both ways at once against a reflector; without one, round trips only.

Measures 250-octet IP packets, 50 a second and channel: 100.0 kb/s at IP, which is more than G.711 needs (80 kb/s).
Where that fails, a shorter pass with real 200-octet packets tells "not 100 kb/s" from "not enough for calls".
"""

import secrets
from dataclasses import dataclass, replace
from typing import Any, Literal

from gosip_check.probes import far_end, probe
from gosip_check.probes.dns import srv
from gosip_check.probes.far_end import FarEnd
from gosip_check.probes.media import capacity, round_trips, words
from gosip_check.probes.media.bounds import Ending, Range, bounds_of, bounds_of_round_trips, own_trouble
from gosip_check.probes.media.capacity import Capacity
from gosip_check.probes.media.e_model import Inputs
from gosip_check.probes.media.round_trips import Place
from gosip_check.probes.media.stream import PACKETS_PER_S, StreamPlan
from gosip_check.probes.media.stream_child import run_stream
from gosip_check.probes.media.stream_facts import ChannelFacts, StreamFacts
from gosip_check.probes.media.summary import Histogram, RoundTrip, Spread
from gosip_check.probes.media.voice import VoiceQuality, voice_quality
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.probes.sip import signalling
from gosip_check.records import FailureKind, Series
from gosip_check.wire.stamp_tlv import FarDrops

EF = 46
"Expedited forwarding, what telephony is marked with (RFC 4594 4.1)."
GUIDE_IP_OCTETS = 250
G711_IP_OCTETS = 200
_SECOND_PASS_S = 5.0
_DELIVERED_PCT = 99.0
"Below this share of the load the second pass is made: what the checklists demand of bandwidth."
_BACKWARDS = 1 << 31
"Counters wrap at 2^32. One that seems to have grown by more than half of that is lower than before."


class Options(probe.Options, frozen=True):
    """reflector: HOST[:PORT] of a STAMP or TWAMP Light reflector. find_capacity: try how many channels go through."""

    domain: str
    transport: Literal["udp", "tcp"]
    channels: int = 10
    duration_s: float = 20.0
    reflector: str | None = None
    reflector_key_file: str | None = None
    find_capacity: bool = False


class Facts(probe.Facts, frozen=True, kw_only=True):
    """`up` is site to far end. Raw figures are as measured; `between` holds bounds of those that could not be decided.

    capacity_channels: the most channels that went through, capacity_failed_at: the fewest that did not; see `capacity`.

    window15_loss_pct, burst200_loss_pct, delivered_pct, worst_jitter_ms: of the worse direction, as far as this
    machine's own sending and receiving and the far end's can be trusted. delivered_*: of N times 100 kb/s, in time.
    calls_delivered_pct: the most that it can be with real G.711 packets. mos: of the worse direction; r_factor and the
    others beside it are as measured. sent_late: packets that this machine sent more than 10 ms late; late_*: that came
    too late to count as delivered. clock_step_ms, far_clock_step_ms: how far a clock was moved meanwhile.
    """

    channels: int
    reflector: str | None = None
    reflector_stateful: bool | None = None
    mapped_address: str | None = None
    duration_s: float | None = None
    ip_octets: int | None = None
    sent: int | None = None
    received: int | None = None
    lost_up: int | None = None
    lost_down: int | None = None
    lost_undecided: int | None = None
    duplicates: int | None = None
    reordered: int | None = None
    longest_burst: int | None = None
    burst_ratio: float | None = None
    loss_up_pct: float | None = None
    loss_down_pct: float | None = None
    round_trip_loss_pct: float | None = None
    window15_loss_up_pct: float | None = None
    window15_loss_down_pct: float | None = None
    window15_loss_pct: float | None = None
    burst200_loss_pct: float | None = None
    rate_up_kbps: float | None = None
    rate_down_kbps: float | None = None
    delivered_up_pct: float | None = None
    delivered_down_pct: float | None = None
    delivered_pct: float | None = None
    calls_delivered_pct: float | None = None
    capacity_channels: int | None = None
    capacity_failed_at: int | None = None
    jitter_up_ms: Spread | None = None
    jitter_down_ms: Spread | None = None
    worst_jitter_ms: float | None = None
    variation_up_p99_ms: float | None = None
    variation_down_p99_ms: float | None = None
    rtt_ms: RoundTrip | None = None
    mos: float | None = None
    r_factor: float | None = None
    mos_no_plc: float | None = None
    r_factor_no_plc: float | None = None
    mos_inputs: Inputs | None = None
    mos_no_plc_inputs: Inputs | None = None
    dscp_sent: int | None = None
    dscp_at_far_end: dict[int, int] = {}
    dscp_received: dict[int, int] = {}
    dscp_survives: bool | None = None
    lateness_ms: Spread | None = None
    sent_late: int | None = None
    late_up: int | None = None
    late_down: int | None = None
    unsent: int | None = None
    queue_full: int | None = None
    short_answers: int | None = None
    own_drops: int | None = None
    far_drops: int | None = None
    far_refused: int | None = None
    far_late: int | None = None
    far_restarted: bool | None = None
    far_answered_afterwards: bool | None = None
    clock_step_ms: float | None = None
    far_clock_step_ms: float | None = None
    per_channel: list[ChannelFacts] = []
    series: list[Series] = []
    rtt_histogram: Histogram | None = None
    round_trips: list[Place] = []
    between: dict[str, Range] = {}


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when the run was stopped. A far end that is not there, or not to be reached, is a fact."""
    if options.reflector is None:
        return _without_reflector(options, context, words.NO_REFLECTOR)
    try:
        return _with_reflector(options, context, options.reflector)
    except ProbeFailed as failed:
        # Whatever keeps this machine from its own far end is no fault of the site.
        if failed.failure.kind in (FailureKind.INTERRUPTED, FailureKind.BUG):
            raise
        return _without_reflector(options, context, words.no_way_to_reflector(failed.failure.message))


def _with_reflector(options: Options, context: Context, named: str) -> Facts:
    reflector = far_end.reflector_of(context, named, options.reflector_key_file)
    context.say(f"media: asking the reflector at {reflector}")
    replies = far_end.ask_closely(context, reflector)
    before = replies.far_end
    if before is None:
        unsigned = reflector.key is not None and far_end.ask(context, replace(reflector, key=None)) is not None
        reason = words.no_use_of_reflector(reflector, unusable=unsigned or replies.unusable > 0)
        return _without_reflector(options, context, reason)
    target = _Target(reflector, before.stateful is True)
    seconds = max(1.0, options.duration_s)
    stream = _stream(context, target, options.channels, seconds, GUIDE_IP_OCTETS)
    after = far_end.ask(context, reflector)
    end = ended(before, after)
    ranges = bounds_of(stream, *end)
    calls: Range | None = None
    most = ranges["delivered_pct"][1]
    if after is not None and most is not None and most < _DELIVERED_PCT:
        second = _stream(context, target, options.channels, min(seconds, _SECOND_PASS_S), G711_IP_OCTETS)
        calls = bounds_of(second, *ended(after, far_end.ask(context, reflector)))["delivered_pct"]
    carried = _capacity(context, target, stream, end) if options.find_capacity else None
    return facts_of_stream(str(reflector), before, stream, end, ranges, calls, carried)


@dataclass(frozen=True)
class _Target:
    reflector: far_end.Reflector
    stateful: bool


def _stream(context: Context, target: _Target, channels: int, seconds: float, ip_octets: int) -> StreamFacts:
    reflector = target.reflector
    plan = StreamPlan(
        address=reflector.address,
        port=reflector.port,
        channels=channels,
        packets=round(seconds * PACKETS_PER_S),
        ip_octets=ip_octets,
        ssid=secrets.randbelow(65535) + 1,
        stateful=target.stateful,
        source=context.link.source,
        dscp=EF,
        key=None if reflector.key is None else reflector.key.hex(),
    )
    return run_stream(context, plan)


def _capacity(context: Context, target: _Target, stream: StreamFacts, end: tuple[FarDrops | None, Ending]) -> Capacity:
    """How many channels the line carries, beginning with what the measurement itself has shown."""

    def went(stream: StreamFacts, end: tuple[FarDrops | None, Ending]) -> bool | None:
        found = bounds_of(stream, *end)
        is_ours = bool(own_trouble(stream, *end))
        return capacity.carries(found["delivered_pct"], found["window15_loss_pct"], is_ours=is_ours)

    def attempt(channels: int) -> bool | None:
        context.say(f"media: does the line carry {channels} channels?")
        before = far_end.ask(context, target.reflector)
        try:
            stream = _stream(context, target, channels, capacity.STEP_S, GUIDE_IP_OCTETS)
        except ProbeFailed as failed:  # this machine has no room for so many; what was measured before is not lost
            if failed.failure.kind is FailureKind.INTERRUPTED:
                raise
            return None
        after = far_end.ask(context, target.reflector)
        if before is None or after is None:
            return None
        return went(stream, ended(before, after))

    return capacity.search(stream.channels, went(stream, end), attempt)


def facts_of_stream(
    place: str,
    far: FarEnd,
    stream: StreamFacts,
    end: tuple[FarDrops | None, Ending],
    ranges: dict[str, Range],
    calls: Range | None,
    carried: Capacity | None,
) -> Facts:
    """end: see `ended`; ranges: see `bounds_of`; calls: what was delivered of real G.711 packets, where tried."""
    drops, ending = end
    known = {name: low for name, (low, high) in ranges.items() if low == high}
    voice = voice_quality(stream)
    up, down = stream.up, stream.down
    return Facts(
        channels=stream.channels,
        reflector=place,
        reflector_stateful=far.stateful,
        mapped_address=str(far_end.Reflector(*far.mapped)) if far.mapped else None,
        duration_s=stream.packets / PACKETS_PER_S,
        ip_octets=stream.ip_octets,
        sent=stream.sent,
        received=stream.received,
        lost_up=up.lost,
        lost_down=down.lost,
        lost_undecided=stream.lost_undecided,
        duplicates=stream.duplicates,
        reordered=stream.reordered,
        longest_burst=stream.longest_burst,
        burst_ratio=stream.burst_ratio if up.lost is None else max(up.burst_ratio, down.burst_ratio),
        loss_up_pct=up.loss_pct,
        loss_down_pct=down.loss_pct,
        round_trip_loss_pct=stream.round_trip_loss_pct,
        window15_loss_up_pct=up.window15_loss_pct,
        window15_loss_down_pct=down.window15_loss_pct,
        rate_up_kbps=up.rate_kbps,
        rate_down_kbps=down.rate_kbps,
        delivered_up_pct=up.delivered_pct,
        delivered_down_pct=down.delivered_pct,
        calls_delivered_pct=None if calls is None else calls[1],
        capacity_channels=carried.channels if carried else None,
        capacity_failed_at=carried.failed_at if carried else None,
        jitter_up_ms=up.jitter_ms,
        jitter_down_ms=down.jitter_ms,
        variation_up_p99_ms=up.variation_p99_ms,
        variation_down_p99_ms=down.variation_p99_ms,
        rtt_ms=stream.rtt_ms,
        **_voice(voice),
        dscp_sent=stream.dscp_sent,
        dscp_at_far_end=stream.far_dscp,
        dscp_received=stream.dscp,
        dscp_survives=_dscp_survives(stream),
        lateness_ms=stream.sending.lateness_ms,
        sent_late=stream.sending.late,
        late_up=up.late,
        late_down=down.late,
        unsent=stream.sending.unsent,
        queue_full=stream.sending.queue_full,
        short_answers=stream.short_answers,
        own_drops=stream.own_drops,
        far_drops=drops.kernel if drops else None,
        far_refused=drops.refused if drops else None,
        far_late=stream.far_late,
        far_restarted=stream.restarted or ending is Ending.RESTARTED,
        far_answered_afterwards=ending is not Ending.SILENT,
        clock_step_ms=stream.sending.clock_step_ms,
        far_clock_step_ms=stream.far_clock_step_ms,
        per_channel=stream.per_channel,
        series=stream.series,
        rtt_histogram=stream.rtt_histogram,
        between={name: bounds for name, bounds in ranges.items() if name not in known and bounds != (None, None)},
        evidence=words.evidence(stream, far, own_trouble(stream, drops, ending), ranges, voice, calls, carried),
        window15_loss_pct=known.get("window15_loss_pct"),
        burst200_loss_pct=known.get("burst200_loss_pct"),
        delivered_pct=known.get("delivered_pct"),
        worst_jitter_ms=known.get("worst_jitter_ms"),
        mos=known.get("mos"),
    )


def _voice(voice: VoiceQuality | None) -> dict[str, Any]:
    if voice is None:
        return {}
    return {
        "r_factor": round(voice.plc.r_factor, 2),
        "mos_no_plc": round(voice.no_plc.mos, 3),
        "r_factor_no_plc": round(voice.no_plc.r_factor, 2),
        "mos_inputs": voice.inputs_plc,
        "mos_no_plc_inputs": voice.inputs_no_plc,
    }


def _dscp_survives(stream: StreamFacts) -> bool | None:
    """None where a way cannot be told: we did not mark, or the far end does not tell or may not mark its answers."""
    if stream.dscp_sent != EF or not stream.far_dscp:
        return None
    if set(stream.far_dscp) != {EF}:
        return False
    return None if stream.unmarked else set(stream.dscp) == {EF}


def ended(before: FarEnd, after: FarEnd | None) -> tuple[FarDrops | None, Ending]:
    """What the far end's machine lost while it was measured, None where it does not tell; and what became of it."""
    if after is None:
        return None, Ending.SILENT
    if before.drops is None or after.drops is None:
        return None, Ending.ANSWERED
    lost = FarDrops(
        (after.drops.kernel - before.drops.kernel) & 0xFFFFFFFF,
        (after.drops.refused - before.drops.refused) & 0xFFFFFFFF,
    )
    if max(lost) > _BACKWARDS:
        return after.drops, Ending.RESTARTED
    return lost, Ending.ANSWERED


def _without_reflector(options: Options, context: Context, why: str) -> Facts:
    """Round trips to whoever answers, and what they can prove: bounds of the delay and of its variation."""
    found = context.seen.get("srv")
    targets = found.targets if isinstance(found, srv.Facts) else []
    asked = context.seen.get("signalling")
    servers = asked.servers if isinstance(asked, signalling.Facts) else []
    mute = {server.address for server in servers if server.first.result != "answered"}
    places = round_trips.measure(context, options.domain, options.transport, targets, mute, options.duration_s)
    bounds = bounds_of_round_trips(places)
    return Facts(
        channels=options.channels,
        round_trips=places,
        between=bounds,
        evidence=words.evidence_without_reflector(places, bounds, why),
    )


PROBE = Probe(
    "media",
    Options,
    Facts,
    measure,
    subject=lambda options: f"{options.channels} channel(s), {options.reflector or 'no reflector'}",
    uses=("srv", "signalling"),
    alone=True,
    deadline_s=3600.0,
)
