"""Does voice go first while the office fills the uplink? Only with `--under-load`: everybody there notices it.

Small streams are sent beside a load of ten seconds that nothing marks: uploads to a URL that was named, packets to the
second line, or packets that die at a hop behind the edge (`qos_load`). What the streams show, says `qos_rule`. It says
nothing of the way down.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import replace

from gosip_check.probes import probe
from gosip_check.probes.dns.servers import servers_inside
from gosip_check.probes.far_link.pair import pair
from gosip_check.probes.media import facts as media_facts
from gosip_check.probes.media import politeness, qos_load, qos_sentences
from gosip_check.probes.media.dying import DyingStream
from gosip_check.probes.media.echo_child import Echoes, echoes_of
from gosip_check.probes.media.echo_hops import LOOK_S, VOICE_OCTETS, Answering, look
from gosip_check.probes.media.echo_rule import SMALL_OCTETS, Phase
from gosip_check.probes.media.echoes import EchoPlan, EchoStream
from gosip_check.probes.media.politeness import Impolite
from gosip_check.probes.media.qos_load import Load, Sent
from gosip_check.probes.media.qos_rule import (
    ECHOES,
    VOUCHED,
    Found,
    Limits,
    Share,
    Stream,
    Why,
    judge_streams,
    quotes_enough,
)
from gosip_check.probes.path import hops
from gosip_check.probes.probe import Context, Probe, ProbeFailed, side_by_side
from gosip_check.records import FailureKind, Record

STREAM_PPS = 20.0
IDLE_S, LOADED_S, AFTER_S = 3.0, 10.0, 1.0
OPENING_S = 3.0
"Of the NATs of both lines."
FILLS_S = 2.0
"Until then the queue fills, and nothing is judged."
_LOAD_PPS = politeness.FILL.pps - STREAM_PPS * (len(ECHOES) + len(VOUCHED))
_MOST_HOPS = 2
_FEWEST_SENT = 0.9
_MOST_LATE = 0.01
_BY_STALLS_TOO = (Why.BETWEEN, Why.LESS, Why.UNEVEN)
"If so many of all packets left late, this machine may be why nothing is proven: it held some up itself."


class Options(probe.Options, frozen=True):
    """upload: the URL that takes the load. far_end_link: the line that takes it where there is no URL, see media's.

    late_ms, most_held_up_pct: when a stream is held up, see `qos_rule`.
    """

    domain: str = ""
    transport: Literal["udp", "tcp"] = "udp"
    networks: list[str] = []
    "Of the provider: the load must not be addressed to what a router may give priority."
    upload: str | None = None
    far_end_link: str | None = None
    stun: list[str] = []
    thorough: bool = False
    late_ms: Annotated[float, Meta(ge=1, le=1000)] = 30.0
    most_held_up_pct: Annotated[float, Meta(ge=1, le=50)] = 5.0


class StreamFacts(Record, frozen=True):
    """A stream beside the load. held_up: of the packets sent, those lost or too late. Round trips are medians.

    left_late: those that this machine sent late itself.
    """

    name: str
    sent: int
    held_up: int
    lost: int
    idle_ms: float | None
    loaded_ms: float | None
    state: str
    left_late: int = 0


class Facts(probe.Facts, frozen=True):
    """sharing: of the uplink, once it was full. by: what gives priority, as far as that was seen.

    full: whether something unmarked was held up. load_kbps: what was sent, at IP. why: what keeps `sharing` open.
    """

    sharing: Literal["priority", "shared fairly", "held up"] | None = None
    by: list[Literal["mark", "addresses"]] = []
    full: bool = False
    hop: str | None = None
    hop_ttl: int | None = None
    load: Literal["upload", "second line", "packets"] | None = None
    load_kbps: float | None = None
    why: str | None = None
    streams: list[StreamFacts] = []


class _Trouble(Exception):
    """Nothing can be said. The text is a sentence."""


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed: permission where this user may not send ICMP echoes, interrupted."""
    try:
        return _measured(options, context)
    except (_Trouble, Impolite) as trouble:
        return Facts(evidence={"sharing": str(trouble)})


@dataclass(frozen=True)
class _Streams:
    """What came of all streams in one phase."""

    phases: Mapping[Stream, Phase]

    @property
    def left_late(self) -> float:
        """The share of all packets that this machine sent late."""
        slots = sum(phase.slots for phase in self.phases.values())
        return sum(phase.late for phase in self.phases.values()) / slots if slots else 0.0


@dataclass(frozen=True)
class _Plan:
    """Who gets what. provider, elsewhere: where what dies at the hop is addressed to."""

    hop: Answering
    provider: tuple[str, int]
    elsewhere: str
    port: int

    def of(self, seconds: float, load_octets: int | None) -> EchoPlan:
        """load_octets: of each packet of the load that dies at the hop; None: there are no such packets."""
        octets = self.hop.voice_octets
        echoes = [EchoStream(self.hop.hop.address, STREAM_PPS, octets, dscp) for dscp in (media_facts.EF, 0)]
        elsewhere = self.elsewhere, self.port
        dying = [
            self._dying(self.provider, STREAM_PPS, VOICE_OCTETS, media_facts.EF),
            self._dying(self.provider, STREAM_PPS, VOICE_OCTETS),
            self._dying(elsewhere, STREAM_PPS, VOICE_OCTETS, flows=2),
        ]
        if load_octets is not None:
            dying.append(self._dying(elsewhere, _LOAD_PPS, load_octets))
        is_load = load_octets != SMALL_OCTETS
        most_lost = None if is_load else politeness.MOST_LOST + self.hop.calm.loss
        silence_s = politeness.SILENCE_S if is_load else None
        return EchoPlan(echoes, seconds, most_lost, silence_s, quoted=dying, at_random=True)

    def _dying(self, to: tuple[str, int], pps: float, octets: int, dscp: int = 0, flows: int = 1) -> DyingStream:
        return DyingStream(*to, self.hop.hop.ttl, self.hop.hop.address, pps, octets, dscp, flows)


def _measured(options: Options, context: Context) -> Facts:
    way = context.facts_of(hops.Facts)
    behind = [] if way is None or way.is_this_machine else way.beyond_the_edge()
    behind = [hop for hop in behind if hop.address not in politeness.left_alone()]
    if way is None or way.control_port is None or not behind:
        raise _Trouble(qos_sentences.NO_HOP)
    _check_loads(context.facts_of(media_facts.Facts), thorough=options.thorough)
    with echoes_of(context) as echoes:
        answering = look(echoes, behind, []).hops
        if not answering:
            raise _Trouble(qos_sentences.NO_ECHOES)
        politeness.begin_load(context.run)
        plans = [_plan(hop, way, (way.destination, way.control_port), options) for hop in answering[:_MOST_HOPS]]
        plan, idle = _idle_line(echoes, plans)
        hop = plan.hop
        with _load(options, context, hop) as load:
            loaded, sent = _send_beside(load, echoes, plan)
        after = _send(echoes, plan.of(AFTER_S, SMALL_OCTETS), "the idle line once more")
    if any(not _is_usable(phase) for phase in (*idle.phases.values(), *loaded.phases.values())):
        raise _Trouble(qos_sentences.LATE)
    limits = Limits(options.late_ms, options.most_held_up_pct)
    found = judge_streams(idle.phases, _when_full(loaded.phases), after.phases, limits)
    if found.why in _BY_STALLS_TOO and max(idle.left_late, loaded.left_late) > _MOST_LATE:
        raise _Trouble(qos_sentences.LATE)
    return _facts(found, hop, loaded, load, sent)


@contextmanager
def _load(options: Options, context: Context, hop: Answering) -> Iterator[Load]:
    """The best that can be had. Raises ProbeFailed: interrupted, bug."""
    if options.upload is not None:
        yield qos_load.uploads(context, options.upload)
    elif options.far_end_link is None:
        yield qos_load.PACKETS
    else:
        servers = servers_inside(context, options.networks) if options.transport == "udp" else []
        with ExitStack() as opened:
            try:
                both = pair(context, options.far_end_link, options.stun, options.domain, servers)
                load = opened.enter_context(qos_load.to_second_line(context, opened.enter_context(both), hop))
            except ProbeFailed as failed:
                if failed.failure.kind is not FailureKind.UNSUPPORTED:
                    raise
                load = Load("packets", trouble=failed.failure.message)
            yield load


def _plan(hop: Answering, way: hops.Facts, provider: tuple[str, int], options: Options) -> _Plan:
    behind = [each for each in way.beyond_the_edge() if each.ttl > hop.hop.ttl]
    further = [each.address for each in behind if not _is_in(each, options.networks)]
    return _Plan(hop, provider, (further or [hop.hop.address])[0], provider[1])


def _idle_line(echoes: Echoes, plans: Sequence[_Plan]) -> tuple[_Plan, _Streams]:
    """By the nearest hop; by the next one where only that quotes what dies there."""
    nearest = plans[0], _send(echoes, plans[0].of(IDLE_S, SMALL_OCTETS), "the idle line")
    if quotes_enough(nearest[1].phases):
        return nearest
    for plan in plans[1:]:
        with suppress(_Trouble):
            idle = _send(echoes, plan.of(IDLE_S, SMALL_OCTETS), "the idle line, by the next router")
            if quotes_enough(idle.phases):
                return plan, idle
    return nearest


def _is_in(hop: hops.Hop, networks: Sequence[str]) -> bool:
    return any(ip_address(hop.address) in ip_network(network) for network in networks)


def _check_loads(facts: media_facts.Facts | None, *, thorough: bool) -> None:
    """Raises _Trouble where the loads of this run would last longer than is polite."""
    phases = facts.echoes.phases if facts and facts.echoes else []
    loads_s = sum(phase.sent / phase.pps for phase in phases if phase.name not in ("voice", "rehearsal"))
    most_s = politeness.LOAD.thorough_s if thorough else politeness.LOAD.seconds
    if loads_s + politeness.FILL.seconds > most_s:
        raise _Trouble(qos_sentences.too_many_loads(most_s))


def _send(echoes: Echoes, plan: EchoPlan, label: str) -> _Streams:
    """Raises _Trouble where it was ended early."""
    phases = echoes.send(plan, f"--under-load, {label}")
    if phases[0].stopped:
        raise _Trouble(qos_sentences.stopped(plan.streams[0].address, phases[0].stopped))
    streams = [*ECHOES, *VOUCHED, Stream.LOAD][: len(phases)]
    return _Streams(dict(zip(streams, phases, strict=True)))


def _send_beside(load: Load, echoes: Echoes, plan: _Plan) -> tuple[_Streams, Sent]:
    """Ten seconds in which the office notices it."""
    label = "a full line"
    packets = plan.of(LOADED_S, None if load.replaces_packets else qos_load.OCTETS)
    of_packets_kbps = 0.0 if load.replaces_packets else _LOAD_PPS * qos_load.OCTETS * 8 / 1000
    if load.beside is None:
        return _send(echoes, packets, label), Sent(of_packets_kbps, trouble=load.trouble)
    beside = load.beside
    streams: list[_Streams] = []
    sent: list[Sent] = []
    both: list[Callable[[], None]] = [
        lambda: sent.append(beside(LOADED_S)),
        lambda: streams.append(_send(echoes, packets, label)),
    ]
    side_by_side(lambda do: do(), both)
    phases = streams[0].phases
    if sent[0].dying is not None:
        phases = {**phases, Stream.LOAD: sent[0].dying}
    return _Streams(phases), sent[0]


def _is_usable(phase: Phase) -> bool:
    """Whether as many left as should. When each left is known, so that some were late does no harm."""
    return not phase.spoilt and phase.sent >= _FEWEST_SENT * phase.slots


def _when_full(phases: Mapping[Stream, Phase]) -> dict[Stream, Phase]:
    filled = FILLS_S / LOADED_S
    return {
        stream: replace(phase, rtts_ms=phase.rtts_ms[round(filled * phase.sent) :]) for stream, phase in phases.items()
    }


def _facts(found: Found, hop: Answering, loaded: _Streams, load: Load, sent: Sent) -> Facts:
    far = f"as far as hop {hop.hop.ttl}, {hop.hop.address}"
    return Facts(
        sharing=found.sharing,
        by=list(found.by),
        full=found.full,
        hop=hop.hop.address,
        hop_ttl=hop.hop.ttl,
        load=load.kind,
        load_kbps=sent.kbps,
        why=found.why.value if found.why else None,
        streams=[_stream_facts(stream, share, loaded.phases[stream]) for stream, share in found.shares.items()],
        evidence={"sharing": qos_sentences.sharing(found, far, load, sent)},
    )


def _stream_facts(stream: Stream, share: Share, phase: Phase) -> StreamFacts:
    return StreamFacts(
        name=stream.value,
        sent=share.sent,
        held_up=share.held_up,
        lost=share.lost,
        idle_ms=share.idle_ms,
        loaded_ms=share.loaded_ms,
        state=share.state,
        left_late=phase.late,
    )


def takes(options: Options) -> Mapping[str, float]:
    """Seconds, by what they are taken for."""
    opening_s = OPENING_S if options.far_end_link and not options.upload else 0.0
    return {"voice beside a load": LOOK_S + opening_s + IDLE_S + LOADED_S + AFTER_S}


PROBE = Probe(
    "qos",
    Options,
    Facts,
    measure,
    subject=lambda options: f"small streams beside {options.upload or options.far_end_link or 'packets that die'}",
    after=("srv", "path"),
    uses=("media",),
    alone=True,
    takes=takes,
    only_with="under_load",
    may_begin=lambda _: politeness.may_begin_load(),
    deadline_s=120.0,
)
