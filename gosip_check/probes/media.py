"""Do calls work on this line? N channels both ways at once against a reflector; without one, round trips only.

Measures 250-octet IP packets, 50 a second and channel: 100.0 kb/s at IP, which is more than G.711 needs (80 kb/s).
Where that fails, a shorter pass with real 200-octet packets tells "not 100 kb/s" from "not enough for calls".
"""

import secrets
from dataclasses import dataclass
from typing import Any, Literal

from gosip_check.probes import far_end, media_words, probe, round_trips, signalling, srv
from gosip_check.probes.e_model import Inputs
from gosip_check.probes.far_end import FarEnd
from gosip_check.probes.histogram import Histogram
from gosip_check.probes.media_bounds import Range, bounds_of
from gosip_check.probes.probe import Context, Probe
from gosip_check.probes.round_trips import Place
from gosip_check.probes.stream import PACKETS_PER_S, StreamPlan
from gosip_check.probes.stream_child import run_stream
from gosip_check.probes.stream_facts import ChannelFacts, RoundTrip, Spread, StreamFacts, VoiceQuality, voice_quality
from gosip_check.records import Series
from gosip_check.wire.stamp_tlv import FarDrops

EF = 46
"Expedited forwarding, what telephony is marked with (RFC 4594 4.1)."
GUIDE_IP_OCTETS = 250
G711_IP_OCTETS = 200
_IPV4_UDP_OCTETS, _IPV6_UDP_OCTETS = 28, 48
_SECOND_PASS_S = 5.0
MOST_CHANNELS = 2000

# When a ramp stops: what the checklists demand of bandwidth and loss.
_CAPACITY_DELIVERED_PCT = 99.0
_CAPACITY_LOSS_PCT = 1.0
_CAPACITY_STEP_S = 4.0


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

    window15_loss_pct, burst200_loss_pct, delivered_pct, worst_jitter_ms: of the worse direction, as far as this
    machine's own sending and receiving and the far end's can be trusted. delivered_*: of N times 100 kb/s, in time.
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
    unsent: int | None = None
    own_drops: int | None = None
    far_drops: int | None = None
    far_refused: int | None = None
    clock_step_ms: float | None = None
    per_channel: list[ChannelFacts] = []
    series: list[Series] = []
    rtt_histogram: Histogram | None = None
    round_trips: list[Place] = []
    between: dict[str, Range] = {}


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when this machine cannot measure, or was stopped. A far end that is not there is a fact."""
    if options.reflector is None:
        return _without_reflector(options, context, media_words.NO_REFLECTOR)
    place = far_end.place_of(context, options.reflector, options.reflector_key_file)
    context.say(f"media: asking the reflector at {place}")
    before = far_end.ask(context, place)
    if before is None:
        return _without_reflector(options, context, media_words.silent_reflector(place))
    target = _Target(place, before.stateful is True)
    seconds = max(1.0, options.duration_s)
    stream = _stream(context, target, options.channels, seconds, GUIDE_IP_OCTETS)
    after = far_end.ask(context, place)
    drops = _lost_at_far_end(before, after)
    ranges = bounds_of(stream, drops)
    calls: Range | None = None
    most = ranges["delivered_pct"][1]
    if most is not None and most < _CAPACITY_DELIVERED_PCT:
        second = _stream(context, target, options.channels, min(seconds, _SECOND_PASS_S), G711_IP_OCTETS)
        calls = bounds_of(second, drops)["delivered_pct"]
    capacity = _capacity(context, target) if options.find_capacity else None
    return _facts(str(place), before, stream, drops, ranges, calls, capacity)


@dataclass(frozen=True)
class _Target:
    place: far_end.Place
    stateful: bool


def _stream(context: Context, target: _Target, channels: int, seconds: float, ip_octets: int) -> StreamFacts:
    place = target.place
    headers = _IPV6_UDP_OCTETS if ":" in place.address else _IPV4_UDP_OCTETS
    plan = StreamPlan(
        address=place.address,
        port=place.port,
        channels=channels,
        packets=round(seconds * PACKETS_PER_S),
        octets=ip_octets - headers,
        ssid=secrets.randbelow(65535) + 1,
        stateful=target.stateful,
        source=context.link.source,
        dscp=EF,
        key=None if place.key is None else place.key.hex(),
    )
    return run_stream(context, plan)


def _capacity(context: Context, target: _Target) -> int:
    """The largest number of channels that went through: doubled until it does not, then narrowed down."""

    def carries(channels: int) -> bool:
        stream = _stream(context, target, channels, _CAPACITY_STEP_S, GUIDE_IP_OCTETS)
        found = bounds_of(stream, FarDrops(0, 0))
        delivered, loss = found["delivered_pct"][0], found["window15_loss_pct"][1]
        return (
            delivered is not None
            and loss is not None
            and delivered >= _CAPACITY_DELIVERED_PCT
            and loss <= _CAPACITY_LOSS_PCT
        )

    good, bad = 0, 1
    while bad <= MOST_CHANNELS and carries(bad):
        good, bad = bad, min(bad * 2, MOST_CHANNELS) if bad < MOST_CHANNELS else MOST_CHANNELS + 1
    while bad - good > max(1, good // 20):
        middle = (good + bad) // 2
        good, bad = (middle, bad) if carries(middle) else (good, middle)
    return good


def _facts(
    place: str,
    far: FarEnd,
    stream: StreamFacts,
    drops: FarDrops | None,
    ranges: dict[str, Range],
    calls: Range | None,
    capacity: int | None,
) -> Facts:
    known = {name: low for name, (low, high) in ranges.items() if low == high}
    voice = voice_quality(stream)
    survives = None
    if stream.far_dscp:
        survives = set(stream.far_dscp) == {EF}
    up, down = stream.up, stream.down
    return Facts(
        channels=stream.channels,
        reflector=place,
        reflector_stateful=far.stateful,
        mapped_address=f"{far.mapped[0]}:{far.mapped[1]}" if far.mapped else None,
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
        burst_ratio=max(up.burst_ratio, down.burst_ratio),
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
        capacity_channels=capacity,
        jitter_up_ms=up.jitter_ms,
        jitter_down_ms=down.jitter_ms,
        variation_up_p99_ms=up.variation_p99_ms,
        variation_down_p99_ms=down.variation_p99_ms,
        rtt_ms=stream.rtt_ms,
        **_voice(voice),
        dscp_sent=EF,
        dscp_at_far_end=stream.far_dscp,
        dscp_received=stream.dscp,
        dscp_survives=survives,
        lateness_ms=stream.sending.lateness_ms,
        unsent=stream.sending.unsent,
        own_drops=stream.own_drops,
        far_drops=drops.kernel if drops else None,
        far_refused=drops.refused if drops else None,
        clock_step_ms=stream.sending.clock_step_ms,
        per_channel=stream.per_channel,
        series=stream.series,
        rtt_histogram=stream.rtt_histogram,
        between={name: bounds for name, bounds in ranges.items() if name not in known and bounds != (None, None)},
        evidence=media_words.evidence(stream, far, drops, voice, calls, capacity),
        window15_loss_pct=known.get("window15_loss_pct"),
        burst200_loss_pct=known.get("burst200_loss_pct"),
        delivered_pct=known.get("delivered_pct"),
        worst_jitter_ms=known.get("worst_jitter_ms"),
    )


def _voice(voice: VoiceQuality | None) -> dict[str, Any]:
    if voice is None:
        return {}
    return {
        "mos": round(voice.plc.mos, 3),
        "r_factor": round(voice.plc.r_factor, 2),
        "mos_no_plc": round(voice.no_plc.mos, 3),
        "r_factor_no_plc": round(voice.no_plc.r_factor, 2),
        "mos_inputs": voice.inputs_plc,
        "mos_no_plc_inputs": voice.inputs_no_plc,
    }


def _lost_at_far_end(before: FarEnd, after: FarEnd | None) -> FarDrops | None:
    """What the far end's machine lost while it was measured; None where it does not tell."""
    if before.drops is None or after is None or after.drops is None:
        return None
    return FarDrops(
        (after.drops.kernel - before.drops.kernel) & 0xFFFFFFFF,
        (after.drops.refused - before.drops.refused) & 0xFFFFFFFF,
    )


def _without_reflector(options: Options, context: Context, why: str) -> Facts:
    """Round trips to whoever answers, and what they can prove: bounds of the delay and of its variation."""
    found = context.seen.get("srv")
    targets = found.targets if isinstance(found, srv.Facts) else []
    asked = context.seen.get("signalling")
    servers = asked.servers if isinstance(asked, signalling.Facts) else []
    mute = {server.address for server in servers if server.first.result != "answered"}
    places = round_trips.measure(context, options.domain, options.transport, targets, mute, options.duration_s)
    reached = [place for place in places if place.role == "target" and place.rtt_ms is not None]
    bounds: dict[str, Range] = {}
    if reached:
        best: dict[str, Place] = {}
        for place in reached:
            assert place.rtt_ms is not None
            other = best.get(place.address)
            if other is None or other.rtt_ms is None or place.rtt_ms.p95 < other.rtt_ms.p95:
                best[place.address] = place
        trips = [place.rtt_ms for place in best.values() if place.rtt_ms is not None]
        bounds["rtt_ms.p95"] = (0.0, max(trip.p95 for trip in trips))
        bounds["worst_jitter_ms"] = (0.0, max(trip.max - trip.min for trip in trips))
    return Facts(
        channels=options.channels,
        round_trips=places,
        between=bounds,
        evidence=media_words.evidence_without_reflector(places, bounds, why),
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
