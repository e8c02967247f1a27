"""Do calls work on this link? N channels both ways at once against a reflector; without one, round trips only.

Measures 250-octet IP packets, 50 a second and channel: 100.0 kb/s at IP, which is more than G.711 needs (80 kb/s).
Where less than the options' criterion arrives, a shorter pass with real 200-octet packets shows what calls would get.
"""

import secrets
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from msgspec import Meta

from gosip_check.probes import far_end, probe
from gosip_check.probes.dns import srv
from gosip_check.probes.dns.servers import servers_offered
from gosip_check.probes.far_end import FarEnd
from gosip_check.probes.media import capacity, round_trips, sentences
from gosip_check.probes.media.bounds import Ending, Range, bounds_of, bounds_of_round_trips, own_trouble
from gosip_check.probes.media.capacity import Capacity, Criterion
from gosip_check.probes.media.facts import EF, Facts, facts_of_stream
from gosip_check.probes.media.stream import PACKETS_PER_S, StreamPlan
from gosip_check.probes.media.stream_child import run_stream
from gosip_check.probes.media.stream_facts import StreamFacts
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.probes.sip import signalling
from gosip_check.records import FailureKind
from gosip_check.wire.stamp_tlv import FarDrops

GUIDE_IP_OCTETS = 250
G711_IP_OCTETS = 200
_SECOND_PASS_S = 5.0
_BACKWARDS = 1 << 31
"Counters wrap at 2^32. One that seems to have grown by more than half of that is lower than before."


_Percent = Annotated[float, Meta(ge=0, le=100)]


class Options(probe.Options, frozen=True):
    """What to send, and where to. The criterion judges nothing of the site: it says where the search has its end."""

    domain: str
    transport: Literal["udp", "tcp"]
    channels: int = 10
    duration_s: float = 20.0
    reflector: str | None = None
    "HOST[:PORT] of a STAMP or TWAMP Light reflector."
    reflector_key_file: str | None = None
    find_capacity: bool = False
    "Try how many channels meet the criterion."
    carried_delivered_pct: _Percent = 99.0
    "A load is carried where at least so much of it is delivered; below that real G.711 packets are tried, too."
    carried_loss_pct: _Percent = 1.0
    "And where at most so much is lost in any 15 s."

    @property
    def criterion(self) -> Criterion:
        """When a load counts as carried."""
        return Criterion(self.carried_delivered_pct, self.carried_loss_pct)


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when the run was stopped. A far end that is not there, or not to be reached, is a fact."""
    if options.reflector is None:
        return _without_reflector(options, context, sentences.NO_REFLECTOR)
    try:
        return _with_reflector(options, context, options.reflector)
    except ProbeFailed as failed:
        # Whatever keeps this machine from its own far end is no fault of the site.
        if failed.failure.kind in (FailureKind.INTERRUPTED, FailureKind.BUG):
            raise
        return _without_reflector(options, context, sentences.cannot_send_to_reflector(failed.failure.message))


def _with_reflector(options: Options, context: Context, named: str) -> Facts:
    reflector = far_end.reflector_of(context, named, options.reflector_key_file)
    context.say(f"media: asking the reflector at {reflector}")
    replies = far_end.ask_closely(context, reflector)
    before = replies.far_end
    if before is None:
        unusable = replies.unusable
        if reflector.key is not None and far_end.ask(context, replace(reflector, key=None)) is not None:
            unusable = "not signed with the key"
        reason = sentences.cannot_use_reflector(reflector, unusable)
        return _without_reflector(options, context, reason)
    target = _Target(reflector, before)
    seconds = max(1.0, options.duration_s)
    stream = _stream(context, target, options.channels, seconds, GUIDE_IP_OCTETS)
    after = _ask_again(context, reflector)
    end = ended(before, after)
    ranges = bounds_of(stream, *end)
    calls: Range | None = None
    most = ranges["delivered_pct"][1]
    if after is not None and most is not None and most < options.carried_delivered_pct:
        second = _stream(context, target, options.channels, min(seconds, _SECOND_PASS_S), G711_IP_OCTETS)
        calls = bounds_of(second, *ended(after, _ask_again(context, reflector)))["delivered_pct"]
    criterion = options.criterion
    carried = (_capacity(context, target, stream, end, criterion), criterion) if options.find_capacity else None
    return facts_of_stream(str(reflector), before, stream, end, ranges, calls, carried)


def _ask_again(context: Context, reflector: far_end.Reflector) -> FarEnd | None:
    """None also where this machine could not send just then: what was measured before is not lost."""
    try:
        return far_end.ask(context, reflector)
    except ProbeFailed:
        context.check()
        return None


@dataclass(frozen=True)
class _Target:
    reflector: far_end.Reflector
    far_end: FarEnd


def _stream(context: Context, target: _Target, channels: int, seconds: float, ip_octets: int) -> StreamFacts:
    reflector = target.reflector
    plan = StreamPlan(
        address=reflector.address,
        port=reflector.port,
        channels=channels,
        packets=round(seconds * PACKETS_PER_S),
        ip_octets=ip_octets,
        ssid=secrets.randbelow(65535) + 1,
        stateful=target.far_end.stateful is True,
        believes_tlvs=target.far_end.tells_tlvs,
        link=context.link,
        dscp=EF,
        key=None if reflector.key is None else reflector.key.hex(),
    )
    return run_stream(context, plan)


def _capacity(
    context: Context,
    target: _Target,
    stream: StreamFacts,
    end: tuple[FarDrops | None, Ending],
    criterion: Criterion,
) -> Capacity:
    """How many channels the link carries, beginning with what the measurement itself has shown."""

    def carried(stream: StreamFacts, end: tuple[FarDrops | None, Ending]) -> bool | None:
        ranges = bounds_of(stream, *end)
        is_ours = bool(own_trouble(stream, *end))
        return capacity.carries(ranges["delivered_pct"], ranges["window15_loss_pct"], criterion, is_ours=is_ours)

    def attempt(channels: int) -> bool | None:
        context.say(f"media: does the line carry {channels} channels?")
        before = _ask_again(context, target.reflector)
        try:
            stream = _stream(context, target, channels, capacity.STEP_S, GUIDE_IP_OCTETS)
        except ProbeFailed as failed:  # this machine has no room for so many; what was measured before is not lost
            if failed.failure.kind is FailureKind.INTERRUPTED:
                raise
            return None
        after = _ask_again(context, target.reflector)
        if before is None or after is None:
            return None
        return carried(stream, ended(before, after))

    return capacity.search(stream.channels, carried(stream, end), attempt)


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


def _without_reflector(options: Options, context: Context, reason: str) -> Facts:
    """Round trips to whoever answers, and what they can prove: bounds of the delay and of its variation."""
    asked, resolved = context.facts_of(signalling.Facts), context.facts_of(srv.Facts)
    # Where the names lead elsewhere, whoever answers there says nothing of calls over the trunk.
    to_ask = [] if resolved and resolved.targets_in_networks is False else servers_offered(context)
    mute = {server.address for server in asked.servers if server.first.result != "answered"} if asked else set()
    responders = round_trips.measure(context, options.domain, options.transport, to_ask, mute, options.duration_s)
    ranges = bounds_of_round_trips(responders)
    return Facts(
        channels=options.channels,
        round_trips=responders,
        between=ranges,
        evidence=sentences.evidence_without_reflector(responders, ranges, reason),
    )


PROBE = Probe(
    "media",
    Options,
    Facts,
    measure,
    subject=lambda options: f"{options.channels} channel(s), {options.reflector or 'no reflector'}",
    uses=("srv", "signalling"),
    alone=True,
    takes_s=lambda options: options.duration_s + 1.5,
    deadline_s=3600.0,
)
