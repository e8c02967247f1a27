"""A site as `firewall.rtp` sees it: an edge with rules, hops that ration by token buckets, a lossy line.

The probe and all below it but the sockets is the real thing. Time is virtual: it moves as far as somebody waits.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from gosip_check.probes.firewall import port_search, rtp
from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.path import asking, hops
from gosip_check.probes.path.asking import Desk
from gosip_check.probes.path.quotes import Reaction, Shot
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import STOPPED, FailureKind, Link
from tests.lab.firewalls import NETWORKS, Rule, is_blocked

LOCAL = ("192.168.1.10", 40000)
EDGE, CORE = "192.168.1.1", "192.88.99"
SERVERS = ("217.22.184.27", "217.22.185.27")
_GAP_S = 0.003
_GRACE_S = 0.25
_SILENCE_S = 0.9
_MOMENT_S = 0.0005
"No call returns at the very time that it was made."

Report = SimpleNamespace


@dataclass(frozen=True)
class Site:
    """loss: of a round trip. hops: that quote behind the edge. taken_per_s: of each hop's errors, by others.

    way_s: the round trip to the first of these hops.
    """

    rules: Sequence[Rule] = ()
    loss: float = 0.0
    hops: int = 1
    burst: float = 6.0
    per_s: float = 1.0
    way_s: float = 0.02
    taken_per_s: float = 0.0
    quotes_until_s: float = math.inf
    flaps_every_s: float = math.inf


@dataclass
class Bucket:
    burst: float
    per_s: float
    level: float
    at_s: float = 0.0

    def gives(self, now_s: float) -> bool:
        self.level = min(self.burst, self.level + (now_s - self.at_s) * self.per_s)
        self.at_s = now_s
        if self.level < 1:
            return False
        self.level -= 1
        return True


@dataclass
class World:
    """Stands in for quotes.volley and the clock. sent: datagrams so far."""

    site: Site
    seed: int
    now_s: float = 0.0
    sent: int = 0
    stops_at_s: float = math.inf
    buckets: dict[int, Bucket] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.edge = Bucket(6.0, 1.0, 6.0)
        self.buckets = {
            2 + number: Bucket(self.site.burst, self.site.per_s, max(0.0, self.site.burst - 1))
            for number in range(self.site.hops)
        }
        self.others_s = {ttl: self._others(0.0) for ttl in self.buckets}

    def volley(self, context: Context, shots: Sequence[Shot]) -> list[Reaction]:
        """As quotes.volley."""
        reactions = []
        for shot in shots:
            reactions.append(self.reaction(shot))
            self.wait(context, _GAP_S)
        answered = [reaction.icmp is not None for reaction in reactions]
        way_s = self.site.way_s
        self.wait(context, way_s if all(answered) else way_s + _GRACE_S if answered and answered[-1] else _SILENCE_S)
        return reactions

    def sweep(self, context: Context, rows: Sequence[Sequence[Shot]], step_s: float) -> list[list[Reaction]]:
        """As quotes.sweep: what was sent before the quote came was sent in vain."""
        came: list[list[Reaction]] = [[] for _ in rows]
        ends_s = [math.inf for _ in rows]
        for place in range(max(len(row) for row in rows)):
            step_ends_s = self.now_s + step_s
            for number, row in enumerate(rows):
                if place < len(row) and self.now_s < ends_s[number]:
                    came[number].append(self.reaction(row[place]))
                    if came[number][-1].died_on_the_way:
                        ends_s[number] = min(ends_s[number], self.now_s + self.site.way_s)
                    self.wait(context, _GAP_S)
            if all(place >= len(row) or self.now_s >= end_s for row, end_s in zip(rows, ends_s, strict=True)):
                break
            self.wait(context, step_ends_s - self.now_s)
        is_over = all(any(reaction.died_on_the_way for reaction in row) for row in came)
        self.wait(context, _GRACE_S if is_over else _SILENCE_S)
        return came

    def wait(self, context: Context, seconds: float) -> None:
        self.now_s += max(_MOMENT_S, seconds)
        if self.now_s >= self.stops_at_s:
            context.stop.set()
        if context.stop.is_set():
            raise ProbeFailed(FailureKind.INTERRUPTED, STOPPED)

    def reaction(self, shot: Shot) -> Reaction:
        self.sent += 1
        came = self._came(shot)
        if came is not None and self._loses():
            came = None
        return Reaction(shot, b"", LOCAL, icmp=came)

    def _came(self, shot: Shot) -> IcmpError | None:
        if shot.ttl == 1:
            return IcmpError(4, 11, 0, EDGE)
        rule = next((each for each in self.site.rules if is_blocked([each], shot.address, shot.port)), None)
        if rule is not None and rule.action == "drop":
            return None
        if rule is not None:
            code = 13 if "prohibited" in rule.action else 3
            return IcmpError(4, 3, code, EDGE) if self.edge.gives(self.now_s) else None
        if shot.ttl not in self.buckets or self._loses() or self.now_s > self.site.quotes_until_s:
            return None
        if self.now_s % self.site.flaps_every_s > 0.8 * self.site.flaps_every_s:
            return None
        bucket = self.buckets[shot.ttl]
        while self.others_s[shot.ttl] < self.now_s:
            bucket.gives(self.others_s[shot.ttl])
            self.others_s[shot.ttl] = self._others(self.others_s[shot.ttl])
        return IcmpError(4, 11, 0, f"{CORE}.{shot.ttl}") if bucket.gives(self.now_s) else None

    def _others(self, now_s: float) -> float:
        return now_s + self.draw.expovariate(self.site.taken_per_s) if self.site.taken_per_s else math.inf

    def _loses(self) -> bool:
        return self.draw.random() < 1 - math.sqrt(1 - self.site.loss)


def path(site: Site) -> hops.Facts:
    """What the probe `path` brought."""
    quoting = {1: EDGE} | {2 + number: f"{CORE}.{2 + number}" for number in range(site.hops)}
    return hops.Facts(
        destination=SERVERS[0],
        local_address=LOCAL[0],
        local_kind="private",
        control_port=33434,
        hops=[hops.Hop(ttl, address, 520, hops.kind_of(address)) for ttl, address in quoting.items()],
        reached_at=None,
        edge_ttl=1,
        evidence={},
    )


@dataclass(frozen=True)
class Visit:
    facts: rtp.Facts
    took_s: float
    sent: int


def visit(site: Site, seed: int, stops_at_s: float = math.inf) -> Visit:
    """What `firewall.rtp` says of this site."""
    world = World(site, seed, stops_at_s=stops_at_s)
    clock = SimpleNamespace(monotonic=lambda: world.now_s)
    context = Context(Link(name="l"), seen={"path": path(site)})
    for ttl in world.buckets:
        context.shared(Desk).plan.rations[ttl].spent(1, 0.0)
    with pytest.MonkeyPatch.context() as patch:
        for module in (asking, port_search, rtp):
            patch.setattr(module, "time", clock)
        patch.setattr(asking, "volley", world.volley)
        patch.setattr(asking, "sweep", world.sweep)
        patch.setattr(rtp, "servers_inside", lambda *_: [SimpleNamespace(address=each, port=5060) for each in SERVERS])
        patch.setattr(Context, "wait", lambda self, seconds: world.wait(self, seconds))
        patch.setattr(Context, "wait_until", lambda self, at_s: world.wait(self, at_s - world.now_s))
        facts = rtp.measure(rtp.Options(list(NETWORKS), (1024, 65535), seed=seed), context)
    return Visit(facts, world.now_s, world.sent)
