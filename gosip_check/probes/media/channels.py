"""Do calls work on this link? N channels both ways at once against a reflector; without one, what the line shows alone.

Measures 250-octet IP packets, 50 a second and channel: 100.0 kb/s at IP, which is more than G.711 needs (80 kb/s).
Where less than the options' criterion arrives, as many small packets show whether the line loses at any rate; if not, a
shorter pass with real 200-octet packets shows what calls would get.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from gosip_check.probes import far_end
from gosip_check.probes.far_end import FarEnd
from gosip_check.probes.media import alone, capacity, politeness, second_line, second_sentences, sentences
from gosip_check.probes.media.bounds import Ending, Range, bounds_of, own_trouble
from gosip_check.probes.media.capacity import Capacity, Criterion
from gosip_check.probes.media.facts import EF, Facts, facts_of_stream
from gosip_check.probes.media.idle_loss import Cause, but_for_idle_loss, cause_of_stream
from gosip_check.probes.media.options import Options
from gosip_check.probes.media.pacing import PACKETS_PER_S
from gosip_check.probes.media.stream import StreamPlan
from gosip_check.probes.media.stream_child import run_stream
from gosip_check.probes.media.stream_facts import StreamFacts
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.records import FailureKind
from gosip_check.wire.stamp_tlv import FarDrops

GUIDE_IP_OCTETS = 250
G711_IP_OCTETS = 200
SMALL_IP_OCTETS, SMALL_SIGNED_IP_OCTETS = 100, 168
"As small as a STAMP packet with our TLV can be, and a little more; authenticated mode takes more."
_SECOND_PASS_S = 5.0
_BACKWARDS = 1 << 31
"Counters wrap at 2^32. One that seems to have grown by more than half of that is lower than before."


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when the run was stopped. A far end that is not there, or not to be reached, is a fact.

    What was named and cannot be used takes nothing away: the next best way to measure is taken.
    """
    reason = sentences.NO_REFLECTOR
    if options.gentle:
        return alone.measure(options, context, reason)
    if options.reflector is not None:
        try:
            return _with_reflector(options, context, options.reflector)
        except _NotAFarEnd as not_one:
            reason = str(not_one)
        except ProbeFailed as failed:
            # Whatever keeps this machine from its own far end is no fault of the site.
            _check_it_says_nothing_of_the_tool(failed)
            reason = sentences.cannot_send_to_reflector(failed.failure.message)
    if options.far_end_link is not None:
        try:
            return second_line.measure(options, context, options.far_end_link, reason)
        except ProbeFailed as failed:
            _check_it_says_nothing_of_the_tool(failed)
            reason = second_sentences.cannot(failed.failure.message, reason)
    return alone.measure(options, context, reason)


def takes(options: Options) -> dict[str, float]:
    """Seconds on a line that is well, by what they are taken for."""
    if options.gentle or (options.reflector is None and options.far_end_link is None):
        return alone.takes(options)
    if options.reflector is None:
        return second_line.takes(options)
    return {"all channels at once": options.duration_s}


def may_begin(options: Options) -> bool:
    """Whether a load may be sent, where one is."""
    has_far_end = options.reflector is not None or options.far_end_link is not None
    return options.gentle or not options.load or has_far_end or politeness.may_begin_load()


class _NotAFarEnd(Exception):
    """What was named as a reflector cannot be used as one. The text is a sentence."""


def _check_it_says_nothing_of_the_tool(failed: ProbeFailed) -> None:
    if failed.failure.kind in (FailureKind.INTERRUPTED, FailureKind.BUG):
        raise failed


def _with_reflector(options: Options, context: Context, named: str) -> Facts:
    """Raises _NotAFarEnd, and ProbeFailed where this machine cannot send or was stopped."""
    reflector = far_end.reflector_of(context, named, options.reflector_key_file)
    context.say(f"media: asking the reflector at {reflector}")
    replies = far_end.ask_closely(context, reflector)
    before = replies.far_end
    if before is None:
        unusable = replies.unusable
        if reflector.key is not None and far_end.ask(context, replace(reflector, key=None)) is not None:
            unusable = "not signed with the key"
        raise _NotAFarEnd(sentences.cannot_use_reflector(reflector, unusable))
    target = _Target(reflector, before)
    seconds = max(1.0, options.duration_s)
    stream = _stream(context, target, options.channels, seconds, GUIDE_IP_OCTETS)
    after = _ask_again(context, reflector)
    end = ended(before, after)
    ranges = bounds_of(stream, *end)
    calls: Range | None = None
    cause: Cause | None = None
    most = ranges["delivered_pct"][1]
    if after is not None and most is not None and most < options.carried_delivered_pct:
        # Until a small stream has shown whether the line loses at any rate, it may be the loss and not the rate.
        may_be_loss = {**ranges, "delivered_pct": (ranges["delivered_pct"][0], 100.0)}
        context.so_far(facts_of_stream(str(reflector), before, stream, end, may_be_loss))
        small_octets = SMALL_IP_OCTETS if reflector.key is None else SMALL_SIGNED_IP_OCTETS
        small = _in_time(lambda: _stream(context, target, options.channels, min(seconds, _SECOND_PASS_S), small_octets))
        if small is not None:
            cause = cause_of_stream(stream, small)
            ranges["delivered_pct"] = but_for_idle_loss(ranges["delivered_pct"], stream, small)
        after = far_end.ask(context, reflector)
    if after is not None and cause is not None and cause != "lossy":
        second = _stream(context, target, options.channels, min(seconds, _SECOND_PASS_S), G711_IP_OCTETS)
        calls = bounds_of(second, *ended(after, _ask_again(context, reflector)))["delivered_pct"]
    criterion = options.criterion
    if options.find_capacity:
        context.so_far(facts_of_stream(str(reflector), before, stream, end, ranges, calls, None, cause))
    carried = (_capacity(context, target, stream, end, criterion), criterion) if options.find_capacity else None
    return facts_of_stream(str(reflector), before, stream, end, ranges, calls, carried, cause)


def _in_time(measure: Callable[[], StreamFacts]) -> StreamFacts | None:
    """What is sent late comes in a burst, and may be lost in a queue that is empty otherwise: once more, or None."""
    for _ in range(2):
        stream = measure()
        if not (stream.sending.sent_late or stream.own_drops):
            return stream
    return None


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


PROBE = Probe(
    "media",
    Options,
    Facts,
    measure,
    subject=lambda options: (
        f"{options.channels} channel(s), {options.reflector or options.far_end_link or 'no reflector'}"
    ),
    after=("srv", "path"),
    uses=("signalling",),
    alone=True,
    takes=takes,
    may_begin=may_begin,
    deadline_s=3600.0,
)
