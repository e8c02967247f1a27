"""How does the line do as far as a hop behind the edge? Echoes of voice size, then a load at the rate that is needed.

Nobody there has to cooperate. What is sent, and how much of it, stands in `politeness`; what it means, in `echo_rule`
(the load) and `echo_facts` (all else). Nothing of it reaches the provider's servers but a small echo now and then.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from msgspec import structs

from gosip_check.probes.media import politeness
from gosip_check.probes.media.dying import DyingStream
from gosip_check.probes.media.echo_child import Echoes, echoes_of
from gosip_check.probes.media.echo_hops import BESIDE_PPS, LOOK_S, REHEARSAL_S, Answering, look, rehearse
from gosip_check.probes.media.echo_rule import (
    CONTROL_S,
    SLOW_S,
    SMALL_OCTETS,
    Ask,
    Doubt,
    Finding,
    Load,
    Phase,
    Shape,
    Undecided,
    judge_load,
    uplink_suffers,
)
from gosip_check.probes.media.echoes import EchoPlan, EchoStream
from gosip_check.probes.media.politeness import Impolite
from gosip_check.probes.path.hops import Hop
from gosip_check.probes.probe import Context, side_by_side

VOICE_PPS = 50.0
VOICE_S = 12.0
LOAD_S, THOROUGH_LOAD_S = 6.0, 20.0
_MORE_VOICE_S = 25.0
_MOST_STRIKES = 2
_SMALLEST_LOAD, _LOAD_EVERY_S = 400, 0.01

_NO_HOP = "No router behind the edge shows itself, so nothing can be measured there."
_RESTING = "The router behind the edge was busy a while ago and is left alone for a quarter of an hour."
_SILENT_HOPS = "No router behind the edge answers echoes (ping), so nothing can be measured there."


@dataclass(frozen=True)
class Wanted:
    """need_kbps: at IP each way. hops: behind the edge, nearest first. gateway, servers: who else may answer a small
    echo now and then, beside them.
    """

    need_kbps: float
    with_load: bool
    thorough: bool
    hops: Sequence[Hop]
    gateway: str | None
    servers: Sequence[str]
    towards: tuple[str, int] | None = None
    "An address of the provider and a port: what dies on the way there shows a hop. None where that is not known."


@dataclass(frozen=True)
class Sent:
    """One phase, to whom, and what was asked for."""

    ask: Ask
    to: str
    phase: Phase


@dataclass
class Echoed:
    """What came of it. hop: None where there is none to measure by. witness: who was asked beside it.

    uplink_suffers: True where a load that only went up met the same; None proves nothing.
    trouble: why there is nothing, or no load; a sentence. beside: what the witness answered during the same ask, and a
    server of the trunk where that is another. at_edge: what the site's own router did.
    """

    hop: Answering | None = None
    witness: str | None = None
    load: Load | None = None
    finding: Finding | None = None
    uplink_suffers: bool | None = None
    trouble: str = ""
    sent: list[Sent] = field(default_factory=list)
    beside: list[Sent] = field(default_factory=list)
    at_edge: list[Sent] = field(default_factory=list)

    def own(self, *names: str) -> list[Sent]:
        """The asks of these names to the hop itself, as far as this machine did not spoil what came of them."""
        return _of(self.sent, names)

    def others(self, *names: str) -> list[Sent]:
        """The same of the hosts that were asked meanwhile: the witness, and a server where that is another."""
        return _of(self.beside, names)

    def witnessed(self, *names: str) -> list[Phase]:
        """What the witness answered meanwhile."""
        return [sent.phase for sent in self.others(*names) if sent.to == self.witness]

    def edge(self, *names: str) -> list[Phase]:
        """What the site's own router answered meanwhile."""
        return [sent.phase for sent in _of(self.at_edge, names)]


def measure(
    context: Context,
    wanted: Wanted,
    beside_voice: Callable[[], None],
    wants_more: Callable[[Echoed], bool],
    so_far: Callable[[Echoed], None] = lambda _: None,
) -> Echoed:
    """beside_voice: done while the stream of voice size is sent, or instead of it. wants_more: would more voice help?

    so_far: called once there is something to lose.

    Raises ProbeFailed: permission where this user may not send ICMP echoes, interrupted.
    """
    echoed = Echoed()
    resting = politeness.left_alone() if wanted.hops else {}
    hops = [hop for hop in wanted.hops if hop.address not in resting]
    if not hops:
        echoed.trouble = _RESTING if wanted.hops else _NO_HOP
        beside_voice()
        return echoed
    with echoes_of(context) as echoes:
        others = [address for address in (wanted.gateway, *wanted.servers[:1]) if address is not None]
        looked = look(echoes, hops, others)
        measuring = _Measuring(echoes, wanted, echoed, looked.beside, context.run)
        if measuring.choose(looked.hops):
            side_by_side(lambda do: do(), [measuring.voice, beside_voice])
            so_far(echoed)
            measuring.load()
            so_far(echoed)
            while wants_more(echoed) and measuring.may_send_more_voice:
                measuring.voice(_MORE_VOICE_S)
        else:
            beside_voice()
    return echoed


def _of(sent: Sequence[Sent], names: Sequence[str]) -> list[Sent]:
    return [one for one in sent if one.ask.name in names and not one.ask.to_witness and not one.phase.spoilt]


def takes(with_load: bool, thorough: bool) -> dict[str, float]:
    """Seconds on a line that is well, by what they are taken for."""
    voice = {"a stream of voice": VOICE_S}
    if not with_load:
        return voice
    load_s = THOROUGH_LOAD_S if thorough else LOAD_S
    return {**voice, "the load": LOOK_S + REHEARSAL_S + SLOW_S + 2 * CONTROL_S + load_s}


def load_for(need_kbps: float, most_octets: int, seconds: float) -> Load:
    """As few packets as the largest echo allows, some ten milliseconds apart; no more than is polite to a hop."""
    octets = round(min(max(need_kbps * 1000 / 8 * _LOAD_EVERY_S, _SMALLEST_LOAD), most_octets))
    kbps = min(need_kbps, politeness.LOAD.pps * octets * 8 / 1000, politeness.LOAD.kbps)
    return Load(kbps, octets, seconds)


class _Measuring:
    """One measurement while it goes on. `echoed` is what it has brought so far."""

    def __init__(self, echoes: Echoes, wanted: Wanted, echoed: Echoed, answering: Sequence[str], run: str) -> None:
        self.echoes, self.wanted, self.echoed, self.run = echoes, wanted, echoed, run
        self.gateway = wanted.gateway if wanted.gateway in answering else None
        self.server = next((server for server in wanted.servers if server in answering), None)
        self.second: Answering | None = None
        self.strikes = 0
        self.load_seconds = self.voice_seconds = 0.0

    def choose(self, hops: Sequence[Answering]) -> bool:
        """The hop, the witness, and how much the hop may get. False where none is of use."""
        if not hops:
            self.echoed.trouble = _SILENT_HOPS
            return False
        # One that answers small echoes only is of use for a call's, where there is no better one.
        hops = [hop for hop in hops if hop.octets >= _SMALLEST_LOAD] or hops
        seconds = THOROUGH_LOAD_S if self.wanted.thorough else LOAD_S
        load = load_for(self.wanted.need_kbps, hops[0].octets, seconds)
        for share in (1.0, 0.5):
            pps = max(load.pps if self.wanted.with_load else 0.0, VOICE_PPS) * share
            rehearsed = rehearse(self.echoes, hops[:2], pps)
            if rehearsed:
                break
            self.strikes += 1
        else:
            politeness.leave_alone(hops[0].hop.address)
            self.echoed.trouble = _rations(hops[0].hop.address, pps)
            return False
        (hop, rehearsal), *more = rehearsed
        self.echoed.hop = hop
        self.echoed.sent.append(Sent(Ask("rehearsal", 1.0, pps, SMALL_OCTETS), hop.hop.address, rehearsal))
        self.second = more[0][0] if more else None
        self.echoed.witness = self.second.hop.address if self.second else self.server
        if hop.octets >= _SMALLEST_LOAD:
            self.echoed.load = load_for(self.wanted.need_kbps, hop.octets, seconds)
        return True

    @property
    def may_send_more_voice(self) -> bool:
        if self.strikes >= _MOST_STRIKES or any(sent.phase.stopped == "loses" for sent in self.echoed.own("voice")):
            return False
        return self.voice_seconds + _MORE_VOICE_S <= politeness.VOICE.seconds

    def voice(self, seconds: float = VOICE_S) -> None:
        """Echoes of voice size at voice's pace; once more where this machine spoilt them."""
        assert self.echoed.hop is not None
        ask = Ask("voice", seconds, VOICE_PPS, self.echoed.hop.voice_octets)
        for _ in range(2):
            self.voice_seconds += seconds
            if not self._send(ask).spoilt or self.voice_seconds + seconds > politeness.VOICE.seconds:
                return

    def load(self) -> None:
        """The load at the rate that is needed; once more at half of it where the hop showed that it is busy."""
        whole = self.echoed.load
        if not self.wanted.with_load or whole is None:
            return
        try:
            politeness.begin_load(self.run)
        except Impolite as error:
            self.echoed.trouble = str(error)
            return
        strikes = self.strikes
        load, finding = self._judged(whole)
        if strikes < self.strikes < _MOST_STRIKES:
            load, finding = self._judged(whole)
        self.echoed.load, self.echoed.finding = load, finding
        if finding.shape is Shape.POLICED:  # or it would not be called so
            self.echoed.uplink_suffers = True
        elif finding.shape is Shape.NARROW and self.wanted.towards is not None:
            self.echoed.uplink_suffers = uplink_suffers(replace(load, seconds=LOAD_S), self._send_load)

    def _ease(self) -> None:
        """The hop lost too many small echoes: half the rate from now on, and nothing more after the second time."""
        self.strikes += 1
        if self.strikes >= _MOST_STRIKES and self.echoed.hop is not None:
            politeness.leave_alone(self.echoed.hop.hop.address)

    def _judged(self, whole: Load) -> tuple[Load, Finding]:
        """What came of a load, as large as the hop may get it."""
        load = replace(whole, kbps=whole.kbps / 2**self.strikes)
        has_witness = self.second is not None and self.second.octets >= load.octets
        may_die = self.wanted.towards is not None
        return load, judge_load(load, self._send_load, has_witness=has_witness, may_die=may_die)

    def _send_load(self, ask: Ask) -> Phase:
        """Raises Undecided where the hop is too busy for it, or more may not be sent."""
        limit = politeness.LOAD
        if self.load_seconds + ask.seconds > (limit.thorough_s if self.wanted.thorough else limit.seconds):
            was_late = any(sent.ask.is_load and not sent.phase.on_time for sent in self.echoed.sent)
            raise Undecided(Doubt.LATE if was_late else Doubt.LIMIT)
        self.load_seconds += ask.seconds
        phase = self._send(ask)
        if phase.stopped == "loses":
            self._ease()
            raise Undecided(Doubt.RATIONS)
        return phase

    def _send(self, ask: Ask) -> Phase:
        hop = self.echoed.hop
        assert hop is not None
        to, witness = hop.hop.address, self.echoed.witness
        if ask.to_witness and self.second is not None:
            to, witness = self.second.hop.address, to
        server = None if self.server == self.echoed.witness else self.server
        beside = [
            EchoStream(address, BESIDE_PPS, SMALL_OCTETS, may_end=address == server)
            for address in (witness, server, self.gateway)
            if address is not None
        ]
        plan = EchoPlan(
            [EchoStream(to, ask.pps, ask.octets), *beside],
            ask.seconds,
            most_lost=None if ask.is_load else politeness.MOST_LOST + hop.calm.loss,
            silence_s=politeness.SILENCE_S,
            dying=self._dying(ask, hop),
        )
        phases = self.echoes.send(plan, _label(ask, hop))
        if plan.dying is not None and not phases.pop().on_time:
            phases[0] = structs.replace(phases[0], spoilt=True)
        self.echoed.sent.append(Sent(ask, to, phases[0]))
        gateway = self.gateway
        if gateway is not None and phases[-1].loss > politeness.MOST_LOST and not ask.is_load:
            self.gateway = None  # it rations its answers, so that it is silent would mean nothing
        if not ask.to_witness:
            for stream, phase in zip(beside, phases[1:], strict=True):
                kept = self.echoed.at_edge if stream.address == gateway else self.echoed.beside
                kept.append(Sent(ask, stream.address, phase))
        return phases[0]

    def _dying(self, ask: Ask, hop: Answering) -> DyingStream | None:
        if ask.dying_octets is None or self.wanted.towards is None:
            return None
        pps = min(ask.dying_pps, politeness.LOAD.pps - ask.pps)
        return DyingStream(*self.wanted.towards, hop.hop.ttl, hop.hop.address, pps, ask.dying_octets)


def _label(ask: Ask, hop: Answering) -> str:
    rate = f"{ask.pps * ask.octets * 8 / 1000:.0f} kb/s both ways" if ask.is_load else f"{ask.pps:.0f} echoes a second"
    return f"{ask.name}, {rate} as far as hop {hop.hop.ttl}"


def _rations(address: str, pps: float) -> str:
    return (
        f"The router {address} answers echoes, but not {pps:.0f} a second. It is left alone for "
        f"{politeness.BACK_OFF_S / 60:.0f} minutes."
    )
