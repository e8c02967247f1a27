"""What the media probe says of a link: a stream's figures under a report's names, their bounds, a call's quality.

Pure, and judges nothing. What a stream brought back is worked out in `stream_facts`, where the room's own names stand.
"""

from typing import Any, Literal

from gosip_check.probes import far_end, probe
from gosip_check.probes.far_end import FarEnd
from gosip_check.probes.media import sentences
from gosip_check.probes.media.bounds import Ending, Range, own_trouble
from gosip_check.probes.media.capacity import Capacity, Criterion
from gosip_check.probes.media.direction import DirectionFacts
from gosip_check.probes.media.e_model import Inputs
from gosip_check.probes.media.idle_loss import Cause, told_of
from gosip_check.probes.media.pacing import PACKETS_PER_S
from gosip_check.probes.media.round_trips import Responder
from gosip_check.probes.media.stream_facts import ChannelFacts, StreamFacts
from gosip_check.probes.media.summary import Histogram, RoundTrip, Spread
from gosip_check.probes.media.transfer import Transfer
from gosip_check.probes.media.voice import VoiceQuality, voice_quality
from gosip_check.records import Record, Series
from gosip_check.wire.stamp_tlv import FarDrops

EF = 46
"Expedited forwarding, what telephony is marked with (RFC 4594 4.1)."


class EchoPhase(Record, frozen=True):
    """Echoes of one size at one pace to one host. left_out: slots that had passed before this machine could send.

    late: sent more than 5 ms late. stopped: before its end, because a host fell silent or too many were lost.
    """

    name: str
    to: str
    pps: float
    octets: int
    sent: int
    left_out: int
    late: int
    lost: int
    rtt_p50_ms: float | None
    rtt_p90_ms: float | None
    stopped: str


class EchoFacts(Record, frozen=True):
    """Measured by the echoes of a hop behind the edge. way_ends_at: the hop at which the provider answers, if it does.

    witness: who was asked beside it. shape: what the load met; doubt: why that is unknown. short_of_pct: of the load,
    by each try. phases: in the order in which they were sent. uplink_suffers: True where a load that only went up met
    the same; None proves nothing.
    """

    hop: str
    hop_ttl: int
    way_ends_at: int | None
    witness: str | None
    load_kbps: float | None
    load_s: float | None
    shape: str | None
    doubt: str | None
    short_of_pct: list[float]
    phases: list[EchoPhase]
    uplink_suffers: bool | None = None


class Facts(probe.Facts, frozen=True, kw_only=True):
    """`up` is site to far end, `down` the way back. Figures are as measured, but for five of the worse direction: these
    are None where our own errors leave them open, and `between` has their bounds.

    Without a reflector only `channels`, what is wrong, `echoes`, `round_trips`, and bounds made of them are there; with
    a second line of this machine as the far end also what it showed, of both lines together.
    """

    channels: int
    "Calls at the same time."
    reflector: str | None = None
    "Address and port of the far end."
    far_end_link: str | None = None
    "The second line that was the far end: its name, and its outside address and port."
    reflector_stateful: bool | None = None
    "It counts what it sends, so that the direction of a loss is known (RFC 8762 4)."
    reflector_is_echo: bool | None = None
    "It sends back what it is sent: no reflector, so nothing is known of either direction by itself."
    mapped_address: str | None = None
    "Our address and port as the far end saw them."
    duration_s: float | None = None
    "How long media was sent."
    ip_octets: int | None = None
    "Of each packet, with its IP header."

    sent: int | None = None
    received: int | None = None
    "Packets that came back, of those that were sent; each is counted once."
    lost_up: int | None = None
    lost_down: int | None = None
    "None where nobody can tell in which direction packets were lost; so are all figures of losses below that name one."
    lost_undecided: int | None = None
    "Lost, in a direction that nobody can tell."
    duplicates: int | None = None
    "Answers that came more than once."
    reordered: int | None = None
    "Answers that came after one to a later packet."
    strays: int | None = None
    "Packets from the far end that answer none that was sent, or one again. Each may be the answer to one that is lost."
    ports_changed: int | None = None
    "Channels whose port the far end saw change meanwhile: a device on the way forgot them, or the line was cut."
    longest_burst: int | None = None
    "Packets lost one after the other on one channel, at most."
    burst_ratio: float | None = None
    "Mean length of the bursts over what random loss would have made (ITU-T G.107), of the worse direction."
    loss_up_pct: float | None = None
    loss_down_pct: float | None = None
    round_trip_loss_pct: float | None = None
    "Lost in either direction."
    window15_loss_up_pct: float | None = None
    window15_loss_down_pct: float | None = None
    "The most that was lost in any 15 s."
    window15_loss_pct: float | None = None
    "The most that was lost in any 15 s in the worse direction, as far as both ends can be trusted."
    burst200_loss_pct: float | None = None
    "The most that was lost in any 200 ms in the worse direction, as far as both ends can be trusted."

    rate_up_kbps: float | None = None
    rate_down_kbps: float | None = None
    "What arrived in time, at IP."
    delivered_up_pct: float | None = None
    delivered_down_pct: float | None = None
    "What arrived in time, of what was sent into this direction: a reflector loads down with what came up."
    delivered_pct: float | None = None
    """Of N times 100 kb/s, what arrived in time in the worse direction, as far as both ends can be trusted. Where the
    line is `lossy`, what is lost at any rate does not count."""
    calls_delivered_pct: float | None = None
    "The most that `delivered_pct` can be with real G.711 packets; None where these were not tried."
    capacity_channels: int | None = None
    "The most channels that met the options' criterion; None where they were not looked for."
    capacity_failed_at: int | None = None
    "The fewest channels that did not meet it; None where none were seen not to."

    jitter_up_ms: Spread | None = None
    jitter_down_ms: Spread | None = None
    "The estimate of RFC 3550 6.4.1 after each packet."
    worst_jitter_ms: float | None = None
    "99th percentile of RFC 3550's jitter in the worse direction, as far as both ends can be trusted."
    variation_up_p99_ms: float | None = None
    variation_down_p99_ms: float | None = None
    "99th percentile of the delay over the smallest within 15 s."
    rtt_ms: RoundTrip | None = None
    """Of every packet that came back, without the time that the far end kept it. None where it says it kept half of
    them for long: `between` has what the path may have taken. By this clock alone where that is impossible."""
    delay_up_ms: RoundTrip | None = None
    delay_down_ms: RoundTrip | None = None
    "One way, over both lines. Only a second line of this machine shows it: both ends are timed by one clock."
    mos: float | None = None
    "Mean opinion score of G.711 with loss concealment in the worse direction, as far as both ends can be trusted."
    r_factor: float | None = None
    mos_no_plc: float | None = None
    r_factor_no_plc: float | None = None
    "As measured, of the worse direction; `no_plc` without loss concealment."
    mos_inputs: Inputs | None = None
    mos_no_plc_inputs: Inputs | None = None
    "What went into the E-model."

    dscp_sent: int | None = None
    dscp_at_far_end: dict[int, int] = {}
    "Marking -> how many packets reached the far end with it."
    dscp_received: dict[int, int] = {}
    "Marking -> how many answers came back with it."
    dscp_survives: bool | None = None
    "EF arrived as EF in both directions; None where that is not known of one."

    lateness_ms: Spread | None = None
    "How long after its time this machine sent a packet."
    sent_late: int | None = None
    "Packets that it sent more than 10 ms late."
    late_up: int | None = None
    late_down: int | None = None
    "Packets that arrived too late to count as delivered."
    unsent: int | None = None
    "Packets that the system refused to send, because its interface was down, say."
    queue_full: int | None = None
    "Packets that this machine's own interface had no room for, because its cable was out, say."
    short_answers: int | None = None
    "Answers shorter than what was sent: down was not loaded."
    own_drops: int | None = None
    "Answers that this machine was too busy to take."
    far_drops: int | None = None
    "Packets that the far end's machine was too busy to take; None where it does not say."
    far_refused: int | None = None
    "Packets that the far end's rate limit refused; None where it does not say."
    far_late: int | None = None
    "Packets that the far end kept for more than 10 ms longer than others."
    far_restarted: bool | None = None
    far_answered_afterwards: bool | None = None
    clock_step_ms: float | None = None
    "How far this machine's clock was moved while media was sent."
    far_clock_step_ms: float | None = None
    "How far the far end's clock was moved, as far as all channels show it; it is taken out of all delays."
    far_clock_believed: bool | None = None
    "False where the far end's times cannot be true: no figure that needs them is there, but for its bounds."

    per_channel: list[ChannelFacts] = []
    series: list[Series] = []
    "Round trips and losses over time."
    rtt_histogram: Histogram | None = None
    round_trips: list[Responder] = []
    "Without a reflector: who was asked instead."
    transfers: list[Transfer] = []
    "Without a reflector: what a download and an upload carried, where URLs were named and the echoes left it open."
    echoes: EchoFacts | None = None
    "Without a reflector: what the echoes of a hop behind the edge showed."
    too_narrow: bool | None = None
    "Packets wait and are lost because the load is too much; None where the line's behaviour does not show whether."
    policed: bool | None = None
    "Packets above a rate are lost, and none waits; None likewise."
    lossy: bool | None = None
    "Packets are lost at any rate; None likewise."
    ping_not_allowed: bool | None = None
    "This user may not send ICMP echoes, so nothing was measured with them."
    lost_before_the_line: bool | None = None
    "The site's own router loses as many echoes as what lies behind it."
    between: dict[str, Range] = {}
    "Fact -> lowest and highest that it can be, of those that are not known exactly."


def facts_of_stream(
    reflector: str,
    far: FarEnd,
    stream: StreamFacts,
    end: tuple[FarDrops | None, Ending],
    ranges: dict[str, Range],
    calls: Range | None = None,
    capacity: tuple[Capacity, Criterion] | None = None,
    cause: Cause | None = None,
) -> Facts:
    """end: see `channels.ended`; ranges: see `bounds_of`; calls: what was delivered of real G.711 packets, where tried.

    capacity: what the search brought, and its criterion, where there was one.
    """
    drops, ending = end
    known: dict[str, Any] = {name: low for name, (low, high) in ranges.items() if low == high}
    known["rtt_ms"] = None if "rtt_ms.p95" in ranges else stream.rtt_ms
    voice = voice_quality(stream)
    sentence = capacity[0].sentence(capacity[1]) if capacity else None
    return Facts(
        **_of_same_name(stream),
        **_of_same_name(stream.sending),
        **_of_direction("up", stream.up),
        **_of_direction("down", stream.down),
        **_of_voice(voice),
        **known,
        reflector=reflector,
        reflector_stateful=far.stateful,
        reflector_is_echo=far.is_echo,
        mapped_address=str(far_end.Reflector(*far.mapped)) if far.mapped else None,
        duration_s=stream.packets / PACKETS_PER_S,
        burst_ratio=_burst_ratio(stream),
        calls_delivered_pct=calls[1] if calls else None,
        capacity_channels=capacity[0].channels if capacity else None,
        capacity_failed_at=capacity[0].failed_at if capacity else None,
        **told_of(cause),
        dscp_survives=_dscp_survives(stream),
        far_drops=drops.kernel if drops else None,
        far_refused=drops.refused if drops else None,
        far_restarted=stream.restarted or ending is Ending.RESTARTED,
        far_clock_believed=stream.clock_doubt is None,
        far_answered_afterwards=ending is not Ending.SILENT,
        between={name: bounds for name, bounds in ranges.items() if name not in known and bounds != (None, None)},
        evidence=sentences.evidence(
            stream, far, own_trouble(stream, drops, ending), ranges, voice, calls, sentence, cause
        ),
    )


def _of_same_name(record: Record) -> dict[str, Any]:
    """What a record holds under the very names that a report has."""
    names = set(record.__struct_fields__) & set(Facts.__struct_fields__) - {"rtt_ms"}
    return {name: getattr(record, name) for name in names}


def _of_direction(direction: Literal["up", "down"], facts: DirectionFacts) -> dict[str, Any]:
    """In a report the direction stands before the unit."""
    return {
        f"lost_{direction}": facts.lost,
        f"loss_{direction}_pct": facts.loss_pct,
        f"window15_loss_{direction}_pct": facts.window15_loss_pct,
        f"rate_{direction}_kbps": facts.rate_kbps,
        f"delivered_{direction}_pct": facts.delivered_pct,
        f"jitter_{direction}_ms": facts.jitter_ms,
        f"variation_{direction}_p99_ms": facts.variation_p99_ms,
        f"late_{direction}": facts.late,
    }


def _of_voice(voice: VoiceQuality | None) -> dict[str, Any]:
    if voice is None:
        return {}
    return {
        "r_factor": round(voice.plc.r_factor, 2),
        "mos_no_plc": round(voice.no_plc.mos, 3),
        "r_factor_no_plc": round(voice.no_plc.r_factor, 2),
        "mos_inputs": voice.inputs_plc,
        "mos_no_plc_inputs": voice.inputs_no_plc,
    }


def _burst_ratio(stream: StreamFacts) -> float:
    if stream.up.lost is None:
        return stream.round_trip_burst_ratio
    return max(stream.up.burst_ratio, stream.down.burst_ratio)


def _dscp_survives(stream: StreamFacts) -> bool | None:
    """None where that is not known: we did not mark, or the far end does not say or may not mark its answers."""
    if stream.dscp_sent != EF or not stream.dscp_at_far_end:
        return None
    if set(stream.dscp_at_far_end) != {EF}:
        return False
    return None if stream.unmarked else set(stream.dscp_received) == {EF}
