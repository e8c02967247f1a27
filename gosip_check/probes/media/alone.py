"""What a line shows without a far end: echoes of a hop behind the edge, and round trips to whoever answers.

The best that worked is taken for each fact, and its sentence says by what, how far, and what is left open.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from msgspec import structs

from gosip_check.probes.dns import srv
from gosip_check.probes.dns.servers import servers_offered
from gosip_check.probes.host.interface import default_gateway
from gosip_check.probes.media import echo_facts, echo_load, round_trips, summary
from gosip_check.probes.media import echo_sentences as texts
from gosip_check.probes.media.bounds import Range, bounds_of_round_trips
from gosip_check.probes.media.echo_load import Echoed, Sent, Wanted
from gosip_check.probes.media.facts import EchoFacts, EchoPhase, Facts
from gosip_check.probes.media.options import Options
from gosip_check.probes.media.round_trips import Responder
from gosip_check.probes.media.sentences import evidence_without_reflector
from gosip_check.probes.media.transfer import START_S, Way, transfer
from gosip_check.probes.path import hops
from gosip_check.probes.probe import Context, ProbeFailed, side_by_side
from gosip_check.probes.sip import signalling
from gosip_check.records import FailureKind

_KBPS_PER_CHANNEL = 100.0
"At IP, each way; see `channels`."


def measure(options: Options, context: Context, reason: str) -> Facts:
    """reason: why there is no far end, a sentence. Raises ProbeFailed when the run was stopped."""
    asked, resolved = context.facts_of(signalling.Facts), context.facts_of(srv.Facts)
    # Where the names lead elsewhere, whoever answers there says nothing of calls over the trunk.
    servers = [] if resolved and resolved.targets_in_networks is False else servers_offered(context)
    mute = {server.address for server in asked.servers if server.first.result != "answered"} if asked else set()
    way = context.facts_of(hops.Facts)
    behind = [] if way is None or way.is_this_machine else way.beyond_the_edge()
    nearest = behind[0].address if behind else None
    need_kbps = options.channels * _KBPS_PER_CHANNEL
    responders: list[Responder] = []

    def time_round_trips(nearest: str | None = None) -> None:
        responders.extend(
            round_trips.measure(context, options.domain, options.transport, servers, mute, nearest, options.duration_s)
        )

    def facts_of(echoed: Echoed) -> Facts:
        return _facts(options.channels, need_kbps, echoed, way.reached_at if way else None, responders, reason)

    wanted = Wanted(
        need_kbps=need_kbps,
        with_load=options.load,
        thorough=options.thorough,
        hops=behind,
        gateway=None if context.link.is_loopback else default_gateway(context.link.interface),
        servers=[server.address for server in servers if server.is_ipv4],
        towards=(way.destination, way.control_port) if way and way.control_port else None,
    )
    echoed = Echoed()
    if options.gentle:
        echoed.trouble = texts.GENTLE
        time_round_trips(nearest)
    else:
        try:
            limit_pct = options.criterion.loss_pct
            echoed = echo_load.measure(
                context,
                wanted,
                time_round_trips,
                lambda so_far: echo_facts.more_would_help(so_far, _targets(responders), limit_pct),
                lambda so_far: context.so_far(facts_of(so_far)),
            )
        except ProbeFailed as failed:
            if failed.failure.kind is not FailureKind.PERMISSION:
                raise
            echoed.trouble = texts.NOT_ALLOWED
            time_round_trips(nearest)
    facts = facts_of(echoed)
    context.so_far(facts)
    return with_transfers(facts, options, context)


def nothing(options: Options, reason: str) -> Facts:
    """What is known before anything was measured. reason: see `measure`."""
    return _facts(options.channels, options.channels * _KBPS_PER_CHANNEL, Echoed(), None, [], reason)


def with_transfers(facts: Facts, options: Options, context: Context) -> Facts:
    """The same, and what a download and an upload carried: only where the rate is still open, and a URL was named."""
    urls: dict[Way, str | None] = {"down": options.download, "up": options.upload}
    low, high = facts.between.get("delivered_pct", (facts.delivered_pct, facts.delivered_pct))
    failed = high is not None and high < options.carried_delivered_pct
    carried = low is not None and low >= options.carried_delivered_pct
    if not options.load or options.gentle or failed or carried or not any(urls.values()):
        return facts
    need_kbps = options.channels * _KBPS_PER_CHANNEL
    seconds = echo_load.THOROUGH_LOAD_S if options.thorough else echo_load.LOAD_S
    context.say(f"media: {need_kbps:.0f} kb/s from and to the URLs that were named, {seconds + START_S:.0f} s")
    named = [(way, url) for way, url in urls.items() if url is not None]
    way_out = context.facts_of(hops.Facts)
    edge_ttl = None if context.link.is_loopback else way_out.edge_ttl if way_out else 1
    transfers = side_by_side(lambda each: transfer(context, *each, need_kbps, seconds, edge_ttl), named)
    carrying = {each.way for each in transfers if each.carries(need_kbps, seconds)}
    said = texts.transfers(transfers, carrying, need_kbps)
    evidence = {**facts.evidence, "delivered_pct": f"{said} {facts.evidence['delivered_pct']}"}
    if carrying != {"down", "up"}:
        return structs.replace(facts, transfers=transfers, evidence=evidence)
    between = {name: bounds for name, bounds in facts.between.items() if name != "delivered_pct"}
    return structs.replace(
        facts, transfers=transfers, delivered_pct=100.0, between=between, evidence={**evidence, "delivered_pct": said}
    )


def takes(options: Options) -> dict[str, float]:
    """Seconds on a line that is well, by what they are taken for."""
    if options.gentle:
        return {"round trips": min(options.duration_s, round_trips.LONGEST_S)}
    return echo_load.takes(options.load, options.thorough)


def _facts(
    channels: int,
    need_kbps: float,
    echoed: Echoed,
    ends_at: int | None,
    responders: Sequence[Responder],
    reason: str,
) -> Facts:
    by_trips = bounds_of_round_trips(responders)
    servers = _targets(responders)
    by_echoes = echo_facts.bounds_of_echoes(echoed, need_kbps, servers)
    ranges = {**by_trips, **{name: bounds for name, bounds in by_echoes.items() if bounds != (None, None)}}
    least_ms = echo_facts.least_round_trip_ms(echoed, responders)
    if least_ms:
        ranges["rtt_ms.p95"] = least_ms, by_trips.get("rtt_ms.p95", (0.0, None))[1]
    known: dict[str, Any] = {name: low for name, (low, high) in ranges.items() if low == high}
    why = f"{echoed.trouble} {reason}".strip() if echoed.hop is None else reason
    evidence = evidence_without_reflector(responders, by_trips, why)
    evidence["rtt_ms.p95"] += texts.far_away(least_ms)
    lost = echo_facts.losses(echoed, servers)
    if echoed.hop is not None:
        evidence |= _evidence(echoed, need_kbps, ends_at, ranges, lost)
    return Facts(
        channels=channels,
        round_trips=list(responders),
        round_trip_loss_pct=100 * lost.lost / lost.of if lost else None,
        **echo_facts.what_is_wrong(echoed, ranges),
        echoes=_echo_facts(echoed, ends_at),
        ping_not_allowed=True if echoed.trouble == texts.NOT_ALLOWED else None,
        lost_before_the_line=True if lost and lost.before_the_line else None,
        between={name: bounds for name, bounds in ranges.items() if name not in known},
        evidence=evidence,
        **known,
    )


def _targets(responders: Sequence[Responder]) -> list[Responder]:
    return [responder for responder in responders if responder.role == "target"]


def _evidence(
    echoed: Echoed,
    need_kbps: float,
    ends_at: int | None,
    ranges: Mapping[str, Range],
    lost: echo_facts.Losses | None,
) -> dict[str, str]:
    far = texts.scope(echoed, ends_at)
    stated = {"delivered_pct": texts.bandwidth(echoed, need_kbps, far)}
    if lost is not None and "mos" in ranges:
        stated["window15_loss_pct"] = texts.loss(lost, far)
        stated["burst200_loss_pct"] = texts.bursts(ranges["burst200_loss_pct"][1] or 0.0, far)
        stated["worst_jitter_ms"] = texts.jitter(*ranges["worst_jitter_ms"], far)
        stated["mos"] = texts.mos(*ranges["mos"], far)
    return stated


def _echo_facts(echoed: Echoed, ends_at: int | None) -> EchoFacts | None:
    if echoed.hop is None:
        return None
    finding, load = echoed.finding, echoed.load if echoed.finding else None
    return EchoFacts(
        hop=echoed.hop.hop.address,
        hop_ttl=echoed.hop.hop.ttl,
        way_ends_at=ends_at,
        witness=echoed.witness,
        load_kbps=load.kbps if load else None,
        load_s=load.seconds if load else None,
        shape=finding.shape.value if finding else None,
        doubt=finding.doubt.value if finding and finding.doubt else None,
        uplink_suffers=echoed.uplink_suffers,
        short_of_pct=[100 * share for share in finding.short_of] if finding else [],
        phases=[_echo_phase(sent) for sent in echoed.sent],
    )


def _echo_phase(sent: Sent) -> EchoPhase:
    phase, timed = sent.phase, sorted(sent.phase.timed_ms)
    return EchoPhase(
        name=sent.ask.name,
        to=sent.to,
        pps=sent.ask.pps,
        octets=sent.ask.octets,
        sent=phase.sent,
        left_out=phase.slots - phase.sent,
        late=phase.late,
        lost=phase.lost,
        rtt_p50_ms=median(timed) if timed else None,
        rtt_p90_ms=summary.percentile(timed, 90) if timed else None,
        stopped=phase.stopped,
    )
