"""Does voice go first while the office fills the uplink? Only with `--under-load`: everybody there notices it.

Small streams are sent beside a load of ten seconds that nothing marks: an upload to a URL that was named, or packets
that die at a hop behind the edge. What the streams show, says `qos_rule`. It says nothing of the way down.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import replace

from gosip_check.probes import probe
from gosip_check.probes.media import facts as media_facts
from gosip_check.probes.media import politeness, qos_sentences
from gosip_check.probes.media.dying import DyingStream
from gosip_check.probes.media.echo_child import Echoes, echoes_of
from gosip_check.probes.media.echo_hops import LOOK_S, VOICE_OCTETS, Answering, look
from gosip_check.probes.media.echo_rule import SMALL_OCTETS, Phase
from gosip_check.probes.media.echoes import EchoPlan, EchoStream
from gosip_check.probes.media.politeness import Impolite
from gosip_check.probes.media.qos_rule import ECHOES, VOUCHED, Found, Limits, Share, Stream, judge_streams
from gosip_check.probes.media.transfer import START_S, Transfer, transfer
from gosip_check.probes.path import hops
from gosip_check.probes.probe import Context, Probe, side_by_side
from gosip_check.records import Record

STREAM_PPS = 15.0
LOAD_OCTETS = 1400
IDLE_S, LOADED_S, AFTER_S = 3.0, 10.0, 1.0
FILLS_S = 2.0
"Until then the queue fills, and nothing is judged."
_LOAD_PPS = politeness.FILL.pps - STREAM_PPS * (len(ECHOES) + len(VOUCHED))
_UPLOADS = 4
"One alone may end its fast start at the first sign of a queue, and then takes longer to fill it than there is time."
_UPLOAD_KBPS = politeness.FILLING_UPLOAD.kbps / 1.1 / _UPLOADS
"They are written a little faster than asked for."
_LONGEST_UPLOAD = 1.5
"An upload that does not reach its rate takes so much longer."
_FEWEST_SENT = 0.9


class Options(probe.Options, frozen=True):
    """upload: the URL that takes the load. late_ms, most_held_up_pct: when a stream is held up, see `qos_rule`."""

    networks: list[str] = []
    "Of the provider: the load must not be addressed to what a router may give priority."
    upload: str | None = None
    thorough: bool = False
    late_ms: Annotated[float, Meta(ge=1, le=1000)] = 30.0
    most_held_up_pct: Annotated[float, Meta(ge=1, le=50)] = 5.0


class StreamFacts(Record, frozen=True):
    """A stream beside the load. held_up: of the packets sent, those lost or too late. Round trips are medians."""

    name: str
    sent: int
    held_up: int
    lost: int
    idle_ms: float | None
    loaded_ms: float | None
    state: str


class Facts(probe.Facts, frozen=True):
    """sharing: of the uplink, once it was full. by: what gives priority, as far as that was seen.

    full: whether something unmarked was held up. load_kbps: what was sent, at IP. why: what keeps `sharing` open.
    """

    sharing: Literal["priority", "shared fairly", "held up"] | None = None
    by: list[Literal["mark", "addresses"]] = []
    full: bool = False
    hop: str | None = None
    hop_ttl: int | None = None
    load: Literal["upload", "packets"] | None = None
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
class _Sent:
    """What came of all streams in one phase. upload: None without one."""

    phases: Mapping[Stream, Phase]
    stopped: str
    upload: Transfer | None = None


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
        hop = answering[0]
        further = [each.address for each in behind if each.ttl > hop.hop.ttl and not _is_in(each, options.networks)]
        plan = _Plan(hop, (way.destination, way.control_port), (further or [hop.hop.address])[0], way.control_port)
        politeness.begin_load(context.run)
        idle = _send(echoes, plan.of(IDLE_S, SMALL_OCTETS), "the idle line")
        if idle.stopped:
            raise _Trouble(qos_sentences.stopped(hop.hop.address, idle.stopped))
        loaded = _send_beside_load(echoes, plan, context, options.upload)
        if loaded.stopped:
            raise _Trouble(qos_sentences.stopped(hop.hop.address, loaded.stopped))
        after = _send(echoes, plan.of(AFTER_S, SMALL_OCTETS), "the idle line once more")
    if any(not _is_usable(phase) for phase in (*idle.phases.values(), *loaded.phases.values())):
        raise _Trouble(qos_sentences.LATE)
    limits = Limits(options.late_ms, options.most_held_up_pct)
    found = judge_streams(idle.phases, _when_full(loaded.phases), after.phases, limits)
    return _facts(found, hop, loaded, options)


def _is_in(hop: hops.Hop, networks: Sequence[str]) -> bool:
    return any(ip_address(hop.address) in ip_network(network) for network in networks)


def _check_loads(facts: media_facts.Facts | None, *, thorough: bool) -> None:
    """Raises _Trouble where the loads of this run would last longer than is polite."""
    phases = facts.echoes.phases if facts and facts.echoes else []
    loads_s = sum(phase.sent / phase.pps for phase in phases if phase.name not in ("voice", "rehearsal"))
    most_s = politeness.LOAD.thorough_s if thorough else politeness.LOAD.seconds
    if loads_s + politeness.FILL.seconds > most_s:
        raise _Trouble(qos_sentences.too_many_loads(most_s))


@dataclass(frozen=True)
class _Plan:
    """Who gets what. provider, elsewhere: where what dies at the hop is addressed to."""

    hop: Answering
    provider: tuple[str, int]
    elsewhere: str
    port: int

    def of(self, seconds: float, load_octets: int | None) -> EchoPlan:
        """load_octets: of each packet of the load; None: it is an upload."""
        octets = self.hop.voice_octets
        echoes = [EchoStream(self.hop.hop.address, STREAM_PPS, octets, dscp) for dscp in (media_facts.EF, 0)]
        elsewhere = self.elsewhere, self.port
        dying = [
            self._dying(self.provider, STREAM_PPS, VOICE_OCTETS, media_facts.EF),
            self._dying(self.provider, STREAM_PPS, VOICE_OCTETS),
            self._dying(elsewhere, STREAM_PPS, VOICE_OCTETS),
        ]
        if load_octets is not None:
            dying.append(self._dying(elsewhere, _LOAD_PPS, load_octets))
        is_load = load_octets == LOAD_OCTETS or load_octets is None
        most_lost = None if is_load else politeness.MOST_LOST + self.hop.calm.loss
        silence_s = politeness.SILENCE_S if is_load else None
        return EchoPlan(echoes, seconds, most_lost, silence_s, quoted=dying, at_random=True)

    def _dying(self, to: tuple[str, int], pps: float, octets: int, dscp: int = 0) -> DyingStream:
        return DyingStream(*to, self.hop.hop.ttl, self.hop.hop.address, pps, octets, dscp)


def _send(echoes: Echoes, plan: EchoPlan, label: str, upload: Transfer | None = None) -> _Sent:
    phases = echoes.send(plan, f"--under-load, {label}")
    streams = [*ECHOES, *VOUCHED, Stream.LOAD][: len(phases)]
    return _Sent(dict(zip(streams, phases, strict=True)), phases[0].stopped, upload)


def _send_beside_load(echoes: Echoes, plan: _Plan, context: Context, url: str | None) -> _Sent:
    """Ten seconds in which the office notices it."""
    label = "a full line"
    if url is None:
        return _send(echoes, plan.of(LOADED_S, LOAD_OCTETS), label)
    seconds = (LOADED_S - START_S) / _LONGEST_UPLOAD
    uploads: list[Transfer] = []
    sent: list[_Sent] = []
    both: list[Callable[[], None]] = [
        *[lambda: uploads.append(transfer(context, "up", url, _UPLOAD_KBPS, seconds))] * _UPLOADS,
        lambda: sent.append(_send(echoes, plan.of(LOADED_S, None), label)),
    ]
    side_by_side(lambda do: do(), both)
    trouble = next((upload.trouble for upload in uploads if upload.trouble), "")
    together = replace(uploads[0], kbps=sum(upload.kbps for upload in uploads), trouble=trouble)
    return _Sent(sent[0].phases, sent[0].stopped, together)


def _is_usable(phase: Phase) -> bool:
    """Whether as many left as should. When each left is known, so that some were late does no harm."""
    return not phase.spoilt and phase.sent >= _FEWEST_SENT * phase.slots


def _when_full(phases: Mapping[Stream, Phase]) -> dict[Stream, Phase]:
    filled = FILLS_S / LOADED_S
    return {
        stream: replace(phase, rtts_ms=phase.rtts_ms[round(filled * phase.sent) :]) for stream, phase in phases.items()
    }


def _facts(found: Found, hop: Answering, sent: _Sent, options: Options) -> Facts:
    load_kbps = sent.upload.kbps if sent.upload else _LOAD_PPS * LOAD_OCTETS * 8 / 1000
    far = f"as far as hop {hop.hop.ttl}, {hop.hop.address}"
    return Facts(
        sharing=found.sharing,
        by=list(found.by),
        full=found.full,
        hop=hop.hop.address,
        hop_ttl=hop.hop.ttl,
        load="upload" if sent.upload else "packets",
        load_kbps=load_kbps,
        why=found.why.value if found.why else None,
        streams=[_stream_facts(stream, share) for stream, share in found.shares.items()],
        evidence={"sharing": qos_sentences.sharing(found, far, load_kbps, sent.upload)},
    )


def _stream_facts(stream: Stream, share: Share) -> StreamFacts:
    return StreamFacts(
        name=stream.value,
        sent=share.sent,
        held_up=share.held_up,
        lost=share.lost,
        idle_ms=share.idle_ms,
        loaded_ms=share.loaded_ms,
        state=share.state,
    )


def takes(_: Options) -> Mapping[str, float]:
    """Seconds, by what they are taken for."""
    return {"voice beside a load": LOOK_S + IDLE_S + LOADED_S + AFTER_S}


PROBE = Probe(
    "qos",
    Options,
    Facts,
    measure,
    subject=lambda options: f"small streams beside {options.upload or 'packets that die behind the edge'}",
    after=("srv", "path"),
    uses=("media",),
    alone=True,
    takes=takes,
    only_with="under_load",
    may_begin=lambda _: politeness.may_begin_load(),
    deadline_s=120.0,
)
