"""Facts of one measurement that contradict each other: what sums up a record, beside the record itself. Pure.

Only what holds in every honest report, whatever was seen. Who edits the record as well is caught by a signature only.
"""

from collections.abc import Iterator
from itertools import pairwise
from math import isclose
from typing import Any

import msgspec

from gosip_check.probes.media import e_model
from gosip_check.records import Measurement

Doubts = Iterator[tuple[str, bool]]
"The name of a fact, and whether it does not follow from the others."

_ROUNDED = 0.01
_PACKET_S = 0.02


def disagreements(measurement: Measurement) -> Iterator[str]:
    """A sentence for each fact that the others contradict. Nothing is said of facts of another shape."""
    views: tuple[type[_View], ...] = (_Bounds, *_VIEWS.get(measurement.probe, ()))
    doubted = [fact for view in views for fact in _doubted(measurement, view)]
    what = f"Measurement {measurement.id} ({measurement.probe})"
    for fact in dict.fromkeys(doubted):
        yield f"{what} contradicts itself: {fact} does not fit its other facts."


def _doubted(measurement: Measurement, view: "type[_View]") -> list[str]:
    try:
        seen = msgspec.convert(measurement.facts, view)
        asked = msgspec.convert(measurement.options or {}, _Asked)
        return [fact for fact, is_wrong in seen.doubts(asked) if is_wrong]
    except (msgspec.ValidationError, ArithmeticError):  # figures beyond any measurement, too
        return []


class _Asked(msgspec.Struct, frozen=True):
    """Options that facts are held against."""

    port: int | None = None
    channels: int | None = None
    duration_s: float = 0.0
    find_capacity: bool = False
    reregistration_s: int = 0


class _View(msgspec.Struct, frozen=True):
    """The facts of a probe, as far as they are held against each other; with their names."""

    def doubts(self, asked: _Asked) -> Doubts:
        """Each fact, and whether it does not fit the others."""
        return iter(())


class _Bounds(_View, frozen=True):
    """Of any probe."""

    between: dict[str, tuple[float | None, float | None]] = {}

    def doubts(self, asked: _Asked) -> Doubts:
        for fact, (low, high) in self.between.items():
            yield fact, low is not None and high is not None and low > high


class _Exchange(msgspec.Struct, frozen=True):
    result: str


class _Server(msgspec.Struct, frozen=True):
    first: _Exchange
    rtts_ms: list[float]


class _Signalling(_View, frozen=True):
    servers: list[_Server]
    any_server_answers: bool | None
    every_server_answers: bool | None
    servers_asked: int | None = None
    servers_answering: int | None = None
    waits_for_provider: bool = False
    slowest_server_rtt_ms: float | None = None

    def doubts(self, asked: _Asked) -> Doubts:
        answering = [server for server in self.servers if server.first.result == "answered"]
        fastest_ms = [min(server.rtts_ms) for server in answering if server.rtts_ms]
        yield "any_server_answers", self.any_server_answers is not None and self.any_server_answers != bool(answering)
        yield "every_server_answers", bool(self.every_server_answers) and len(answering) < max(1, len(self.servers))
        yield "servers_asked", self.servers_asked not in (None, len(self.servers))
        yield "servers_answering", self.servers_answering not in (None, len(answering))
        yield "waits_for_provider", self.waits_for_provider and bool(answering)
        yield "slowest_server_rtt_ms", self.slowest_server_rtt_ms not in (None, max(fastest_ms, default=None))


class _Record(msgspec.Struct, frozen=True):
    priority: int
    weight: int
    port: int
    target: str
    ttl_s: int


class _Target(msgspec.Struct, frozen=True):
    target: str
    port: int
    addresses: list[str]
    aliases: list[str]


class _Answer(msgspec.Struct, frozen=True):
    is_own: bool
    records: list[_Record]
    targets: list[_Target] = []
    is_behind_stub: bool = False


class _Srv(_View, frozen=True):
    answers: list[_Answer]
    targets: list[_Target]
    srv_found: bool | None
    targets_resolve: bool | None
    ports_expected: bool | None
    aliases_found: bool | None
    resolvers_agree: bool | None
    ttl_max_s: int | None

    def doubts(self, asked: _Asked) -> Doubts:
        own = [answer for answer in self.answers if answer.is_own]
        offered = [record for answer in own for record in answer.records if record.target != "."]
        compared = [answer for answer in self.answers if answer.records or not answer.is_behind_stub]
        said = {frozenset((r.priority, r.weight, r.port, r.target) for r in answer.records) for answer in compared}
        led = {frozenset((t.target, *sorted(t.addresses)) for t in answer.targets) for answer in compared}
        yield "targets", bool(self.targets) and all(answer.targets != self.targets for answer in own)
        yield "srv_found", bool(self.srv_found) and not offered
        yield "targets_resolve", bool(self.targets_resolve) and not all(t.addresses for t in self.targets)
        yield "targets_resolve", bool(self.targets_resolve) and not self.targets
        yield "ports_expected", bool(self.ports_expected) and any(t.port != asked.port for t in self.targets)
        yield "aliases_found", self.aliases_found is False and any(t.aliases for t in self.targets)
        yield "resolvers_agree", bool(self.resolvers_agree) and (len(said) > 1 or len(led) > 1)
        longest_s = max((record.ttl_s for record in offered), default=None)
        yield "ttl_max_s", self.ttl_max_s != longest_s


class _Size(msgspec.Struct, frozen=True):
    octets: int
    answered: bool


class _LargeSip(_View, frozen=True):
    sizes: list[_Size]
    all_sizes_answered: bool | None
    largest_answered: int | None

    def doubts(self, asked: _Asked) -> Doubts:
        all_are = all(size.answered for size in self.sizes)
        yield "all_sizes_answered", self.all_sizes_answered not in (None, all_are)
        largest = max((size.octets for size in self.sizes if size.answered), default=None)
        yield "largest_answered", self.largest_answered != largest


class _Seen(msgspec.Struct, frozen=True):
    address: str
    port: int


class _Nat(_View, frozen=True):
    local_address: str
    local_port: int
    seen_by: list[_Seen]
    public_address: str | None
    translated: bool | None
    port_kept: bool | None
    one_mapping: bool | None

    def doubts(self, asked: _Asked) -> Doubts:
        places = {(seen.address, seen.port) for seen in self.seen_by}
        addresses = {address for address, _ in places}
        yield "one_mapping", self.one_mapping is not None and self.one_mapping != (len(places) == 1)
        yield "one_mapping", self.one_mapping is not None and len(self.seen_by) < 2
        yield "public_address", self.public_address is not None and addresses != {self.public_address}
        yield "translated", self.translated is not None and self.translated == (addresses == {self.local_address})
        first_port = self.seen_by[0].port if self.seen_by else None
        yield "port_kept", self.port_kept is not None and self.port_kept != (first_port == self.local_port)


class _Look(msgspec.Struct, frozen=True):
    method: str
    found: bool | None


class _SipRewriting(_View, frozen=True):
    looks: list[_Look]
    changes: list[Any]
    asked: int
    answered: int
    alg_found: bool | None = None
    rewriting_seen: bool | None = None

    def doubts(self, asked: _Asked) -> Doubts:
        is_seen = any(look.found for look in self.looks)
        yield "alg_found", self.alg_found is not None and self.alg_found != is_seen
        yield "alg_found", self.alg_found is False and bool(self.changes)
        yield "rewriting_seen", bool(self.rewriting_seen) and not is_seen
        yield "answered", self.answered > self.asked


class _FirewallRtp(_View, frozen=True):
    rtp_leaves: bool | None
    blocked: list[Any]
    blocked_ports: str | None
    undecided_ports: list[int]
    proven_at_reflector: int | None = None

    def doubts(self, asked: _Asked) -> Doubts:
        is_open = self.proven_at_reflector is None and bool(self.undecided_ports)
        yield "rtp_leaves", bool(self.rtp_leaves) and (bool(self.blocked) or bool(self.blocked_ports) or is_open)


class _PortRange(_View, frozen=True):
    asked: int
    proven: int
    undecided: int
    blocked: list[Any]
    elsewhere: list[Any]
    every_port_answers: bool | None

    def doubts(self, asked: _Asked) -> Doubts:
        missing = bool(self.blocked or self.elsewhere or self.undecided)
        yield "every_port_answers", bool(self.every_port_answers) and (missing or self.proven != self.asked)
        yield "proven", self.proven + self.undecided > self.asked


class _Percentiles(msgspec.Struct, frozen=True):
    p99: float
    max: float
    p50: float
    min: float = 0.0
    p95: float | None = None

    @property
    def is_in_order(self) -> bool:
        values = [self.min, self.p50, *([] if self.p95 is None else [self.p95]), self.p99, self.max]
        return all(less <= more + _ROUNDED for less, more in pairwise(values))


class _Channel(msgspec.Struct, frozen=True):
    sent: int
    received: int
    lost_up: int
    lost_down: int
    lost_undecided: int


class _Media(_View, frozen=True):
    """Of a reflector; other ways to measure have bounds, which are not held against each other."""

    channels: int
    duration_s: float
    sent: int
    received: int
    lost_up: int
    lost_down: int
    lost_undecided: int
    per_channel: list[_Channel]
    loss_up_pct: float | None
    loss_down_pct: float | None
    round_trip_loss_pct: float | None
    window15_loss_up_pct: float | None
    window15_loss_down_pct: float | None
    window15_loss_pct: float | None
    jitter_up_ms: _Percentiles | None
    jitter_down_ms: _Percentiles | None
    worst_jitter_ms: float | None
    rtt_ms: _Percentiles | None
    mos: float | None
    mos_inputs: e_model.Inputs | None

    def doubts(self, asked: _Asked) -> Doubts:
        if not asked.find_capacity:
            yield "channels", self.channels != asked.channels
            yield "duration_s", not isclose(self.duration_s, asked.duration_s, abs_tol=_PACKET_S)
        packets = self.duration_s / _PACKET_S
        yield "sent", not isclose(self.sent, self.channels * packets, abs_tol=self.channels)
        for name in _Channel.__struct_fields__:
            yield name, sum(getattr(each, name) for each in self.per_channel) != getattr(self, name)
        lost = self.lost_up + self.lost_down + self.lost_undecided
        yield "received", self.received + lost != self.sent
        arrived_there = self.sent - self.lost_undecided - self.lost_up
        yield "round_trip_loss_pct", _is_other_share(self.round_trip_loss_pct, lost, self.sent)
        yield "loss_up_pct", _is_other_share(self.loss_up_pct, self.lost_up, arrived_there + self.lost_up)
        yield "loss_down_pct", _is_other_share(self.loss_down_pct, self.lost_down, arrived_there)
        yield "window15_loss_up_pct", self.window15_loss_up_pct == 0 < self.lost_up
        yield "window15_loss_down_pct", self.window15_loss_down_pct == 0 < self.lost_down
        ways = (self.window15_loss_up_pct, self.window15_loss_down_pct)
        yield "window15_loss_pct", _is_below(self.window15_loss_pct, ways)
        spreads = {"jitter_up_ms": self.jitter_up_ms, "jitter_down_ms": self.jitter_down_ms, "rtt_ms": self.rtt_ms}
        for name, spread in spreads.items():
            yield name, spread is not None and not spread.is_in_order
        jitters = [None if each is None else each.p99 for each in (self.jitter_up_ms, self.jitter_down_ms)]
        yield "worst_jitter_ms", _is_below(self.worst_jitter_ms, jitters)
        rated = None if self.mos_inputs is None else e_model.quality(self.mos_inputs)
        yield "mos", self.mos is not None and rated is not None and not isclose(self.mos, rated.mos, abs_tol=_ROUNDED)


def _is_other_share(pct: float | None, part: int, whole: int) -> bool:
    return pct is not None and whole > 0 and not isclose(pct, 100 * part / whole, abs_tol=_ROUNDED)


def _is_below(worst: float | None, each: "list[float | None] | tuple[float | None, ...]") -> bool:
    return worst is not None and any(one is not None and worst < one - _ROUNDED for one in each)


class _Phase(msgspec.Struct, frozen=True):
    name: str
    to: str
    sent: int
    lost: int


class _Echoes(msgspec.Struct, frozen=True):
    hop: str
    phases: list[_Phase]


class _Echoed(_View, frozen=True):
    """Media, by the echoes of a hop. The worst that may be lost is never half of what was."""

    echoes: _Echoes
    between: dict[str, tuple[float | None, float | None]]

    def doubts(self, asked: _Asked) -> Doubts:
        yield "echoes", any(not 0 <= phase.lost <= phase.sent for phase in self.echoes.phases)
        worst_pct = self.between.get("window15_loss_pct", (None, None))[1]
        own = [each for each in self.echoes.phases if each.to == self.echoes.hop and each.name in ("voice", "slow")]
        least_pct = min((100 * each.lost / each.sent for each in own if each.sent), default=0.0)
        yield "window15_loss_pct", worst_pct is not None and worst_pct < least_pct / 2


class _BindingLifetime(_View, frozen=True):
    alive_s: list[float]
    gone_s: list[float]
    outlives_reregistration: bool | None

    def doubts(self, asked: _Asked) -> Doubts:
        waited = bool(self.alive_s or self.gone_s)
        is_proven = max(self.alive_s, default=0.0) >= asked.reregistration_s
        yield "outlives_reregistration", bool(self.outlives_reregistration) and waited and not is_proven
        yield "alive_s", not set(self.alive_s).isdisjoint(self.gone_s)


class _Registration(_View, frozen=True):
    statuses: list[int]
    registered: bool | None
    failures_now: int
    no_failure_stands: bool

    def doubts(self, asked: _Asked) -> Doubts:
        yield "registered", bool(self.registered) and set(self.statuses) <= {401, 403, 407}
        yield "no_failure_stands", self.no_failure_stands != (self.failures_now == 0)


class _Host(_View, frozen=True):
    memory_total_mb: float
    memory_available_mb: float
    memory_used_pct: float

    def doubts(self, asked: _Asked) -> Doubts:
        used_pct = 100 * (1 - self.memory_available_mb / self.memory_total_mb)
        yield "memory_used_pct", not isclose(self.memory_used_pct, used_pct, abs_tol=1.0)


_VIEWS: dict[str, tuple[type[_View], ...]] = {
    "signalling": (_Signalling,),
    "srv": (_Srv,),
    "large_sip": (_LargeSip,),
    "nat": (_Nat,),
    "binding_lifetime": (_BindingLifetime,),
    "sip_rewriting": (_SipRewriting,),
    "firewall_rtp": (_FirewallRtp,),
    "port_range": (_PortRange,),
    "media": (_Media, _Echoed),
    "registration": (_Registration,),
    "host": (_Host,),
}
