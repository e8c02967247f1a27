"""What another line of this machine shows as the far end: all channels both ways, timed by one clock.

Its figures are of both lines together, so they can only be worse than those of the line under test. What they pass is
proven for both. By themselves they never fail it: that takes what echoes of a hop behind its own edge show as well.
"""

import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import structs

from gosip_check.probes import far_end
from gosip_check.probes.dns.servers import servers_inside
from gosip_check.probes.far_end import FarEnd
from gosip_check.probes.far_link.pair import Pair, pair
from gosip_check.probes.media import alone
from gosip_check.probes.media import second_sentences as texts
from gosip_check.probes.media.both_ways import facts_of_both
from gosip_check.probes.media.bounds import Ending, Range, bounds_of
from gosip_check.probes.media.child import child
from gosip_check.probes.media.facts import EF, Facts, facts_of_stream
from gosip_check.probes.media.one_side import Noted, SidePlan, Start
from gosip_check.probes.media.options import Options
from gosip_check.probes.media.pacing import PACKETS_PER_S
from gosip_check.probes.media.proportions import highest_share
from gosip_check.probes.media.stream_facts import StreamFacts
from gosip_check.probes.probe import Context
from gosip_check.records import Record

IP_OCTETS = 250
_SIDE = "gosip_check.probes.media.one_side"
_READY_WITHIN_S = 10.0
_SOON_S = 0.2
"Both sides have read when to start by then."
_LONGEST_EXTRA_S = 60.0
"Waiting for the last packets, and telling what was noted, fit in this."
_SSIDS = 65535
_DOUBT = 0.05
_WORSE_WHEN_HIGH = ("window15_loss_pct", "burst200_loss_pct", "worst_jitter_ms")
_WORSE_WHEN_LOW = ("delivered_pct", "mos")


class _Message(Record, frozen=True):
    at_s: int | None = None
    noted: Noted | None = None


def measure(options: Options, context: Context, named: str, reason: str) -> Facts:
    """named: the other line. reason: why there is no reflector, a sentence.

    Raises ProbeFailed: unsupported, with a sentence, where the two lines cannot be brought together; or interrupted.
    """
    servers = servers_inside(context, options.networks) if options.transport == "udp" else []
    with pair(context, named, options.stun, options.domain, servers) as both:
        stream = stream_over(both, options, context)
    ranges = path_bounds(stream)
    low = ranges["delivered_pct"][0]
    carried = low is not None and low >= options.carried_delivered_pct
    context.so_far(together(both, stream, ranges, alone.nothing(options, reason), carried=carried))
    beside = replace(context, brought=[])  # what echoes alone have brought so far is less
    echoes = alone.measure(structs.replace(options, load=options.load and not carried), beside, reason)
    return together(both, stream, ranges, echoes, carried=carried)


def takes(options: Options) -> dict[str, float]:
    """Seconds on a line that is well, by what they are taken for."""
    return {"the second line": options.duration_s, **alone.takes(structs.replace(options, load=False))}


def path_bounds(stream: StreamFacts) -> dict[str, Range]:
    """Bounds for the line under test alone: it may be as good as can be, and is no worse than both lines together."""
    path = bounds_of(stream, None, Ending.ANSWERED)
    ranges: dict[str, Range] = {name: (0.0, path[name][1]) for name in _WORSE_WHEN_HIGH}
    ranges["delivered_pct"] = (path["delivered_pct"][0], 100.0)
    ranges["mos"] = (path["mos"][0], None)
    _, worst = ranges["window15_loss_pct"]
    if worst is not None:  # so many packets prove no less loss than that, however few were lost
        proven = max(100 * highest_share(*count, _DOUBT) for count in _lost(stream))
        ranges["window15_loss_pct"] = (0.0, max(worst, proven))
    return ranges


def together(both: Pair, stream: StreamFacts, ranges: Mapping[str, Range], echoes: Facts, *, carried: bool) -> Facts:
    """One record: the figures of both lines, and of each fact that is judged the bounds that both methods leave."""
    line = f"{both.far_line.name} ({both.far_outside[0]}:{both.far_outside[1]})"
    path = facts_of_stream(
        line, FarEnd(True, both.near_outside, None), stream, (None, Ending.ANSWERED), bounds_of(stream, None)
    )
    evidence = {**echoes.evidence}
    between: dict[str, Range] = {**echoes.between}
    known: dict[str, Any] = {}
    for name in (*_WORSE_WHEN_HIGH, *_WORSE_WHEN_LOW):
        own: float | None = getattr(echoes, name)
        by_echoes = (own, own) if own is not None else echoes.between.get(name, (None, None))
        bounds = both_bounds(ranges[name], by_echoes)
        between.pop(name, None)
        known[name] = bounds[0] if bounds[0] == bounds[1] else None
        if known[name] is None:
            between[name] = bounds
        counts = by_echoes != (None, None)
        evidence[name] = texts.evidence(line, path.evidence[name], echoes.evidence.get(name) if counts else None)
    evidence["delivered_pct"] = texts.bandwidth(
        line, path.evidence["delivered_pct"], echoes.evidence.get("delivered_pct"), carried=carried
    )
    known["dscp_survives"] = path.dscp_survives or None
    evidence["dscp_survives"] = texts.dscp(line, path.evidence["dscp_survives"], survives=path.dscp_survives)
    evidence["delay_up_ms"] = texts.delays(line, stream)
    return structs.replace(
        path,
        **known,
        reflector=None,
        far_end_link=line,
        mapped_address=str(far_end.Reflector(*both.near_outside)),
        rtt_ms=echoes.rtt_ms,
        too_narrow=echoes.too_narrow,
        policed=echoes.policed,
        lossy=echoes.lossy,
        round_trips=echoes.round_trips,
        transfers=echoes.transfers,
        echoes=echoes.echoes,
        between=between,
        evidence=evidence,
    )


def both_bounds(second: Range, by_echoes: Range) -> Range:
    """What both leave. Where they contradict each other, it is what real media proved all the way, and no better."""
    lows = [low for low, _ in (second, by_echoes) if low is not None]
    highs = [high for _, high in (second, by_echoes) if high is not None]
    low, high = max(lows, default=None), min(highs, default=None)
    if low is not None and high is not None and low > high:
        proven = low if low == second[0] else high
        return proven, proven
    return low, high


def _lost(stream: StreamFacts) -> list[tuple[int, int]]:
    """Of each direction, how many of how many."""
    return [(direction.lost or 0, stream.sent) for direction in (stream.up, stream.down)]


def stream_over(both: Pair, options: Options, context: Context) -> StreamFacts:
    """All channels both ways over the one flow, each side sending its own. Raises ProbeFailed: bug, or interrupted."""
    seconds = round(max(1.0, options.duration_s))
    near = SidePlan(
        link=context.link,
        descriptor=both.near.fileno(),
        channels=options.channels,
        packets=round(max(1.0, options.duration_s) * PACKETS_PER_S),
        ip_octets=IP_OCTETS,
        ssid=secrets.randbelow(_SSIDS - options.channels) + 1,
        dscp=EF,
    )
    far = structs.replace(near, link=both.far_line, descriptor=both.far.fileno())
    within_s = seconds + _LONGEST_EXTRA_S
    with child(context, _SIDE, [near.descriptor]) as here, child(context, _SIDE, [far.descriptor]) as there:
        for side, plan in ((here, near), (there, far)):
            side.give(plan)
        for side in (here, there):
            next(side.lines(_READY_WITHIN_S))
        start = Start(time.monotonic() + _SOON_S)
        for side in (here, there):
            side.give(start)
        noted = []
        for side in (here, there):
            for line in side.lines(within_s):
                message = msgspec.json.decode(line, type=_Message)
                if message.noted is not None:
                    noted.append(message.noted)
                    break
                context.say(f"media: {options.channels} channel(s) both ways, {message.at_s} of {seconds} s")
    return facts_of_both(near, *noted)
