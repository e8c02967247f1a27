"""Simulated sites: a firewall with some ports blocked, a lossy line, hops that ration by a token bucket."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from gosip_check.probes.path.plan import Plan, Question

PORTS = 28
RTT_S = 0.03
SILENCE_S = 0.5
_GAP_S = 0.003
_OUTAGE_S = 0.3


@dataclass(frozen=True)
class Site:
    """loss: of a round trip. every_s: between two outages of 0.3 s. is_shared: all hops take from one bucket."""

    blocked: int = 0
    loss: float = 0.0
    hops: int = 1
    burst: float = 6.0
    per_s: float = 1.0
    every_s: float = math.inf
    is_shared: bool = False


@dataclass(frozen=True)
class Outcome:
    """false: open ports that were called dropped."""

    took_s: float
    false: int
    undecided: int
    sent: int


class _World:
    def __init__(self, site: Site, draw: random.Random, blocked: set[Question]) -> None:
        self.site, self.draw, self.blocked = site, draw, blocked
        self.buckets = {hop: [site.burst, 0.0] for hop in range(site.hops)}
        self.outage_s = self._next_outage_s()

    def quotes(self, question: Question | None, hop: int, at_s: float) -> bool:
        """None: a control."""
        if question in self.blocked or self._loses(at_s):
            return False
        bucket = self.buckets[0 if self.site.is_shared else hop]
        bucket[0] = min(self.site.burst, bucket[0] + (at_s - bucket[1]) * self.site.per_s)
        bucket[1] = at_s
        if bucket[0] < 1:
            return False
        bucket[0] -= 1
        return not self._loses(at_s)

    def _next_outage_s(self) -> float:
        return math.inf if math.isinf(self.site.every_s) else self.draw.expovariate(1 / self.site.every_s)

    def _loses(self, at_s: float) -> bool:
        while at_s > self.outage_s + _OUTAGE_S:
            self.outage_s += _OUTAGE_S + self._next_outage_s()
        return at_s >= self.outage_s or self.draw.random() < 1 - math.sqrt(1 - self.site.loss)


def visit(site: Site, seed: int, lasts_s: float = 300.0) -> Outcome:
    """Ask about 28 ports until all is decided, nothing more can be, or the time is over."""
    draw = random.Random(seed)
    plan = Plan()
    questions = [Question("there", tuple(range(site.hops))) for _ in range(PORTS)]
    blocked = set(draw.sample(questions, site.blocked))
    world = _World(site, draw, blocked)
    now_s, sent = 0.0, 0
    while now_s < lasts_s and any(not each.is_answered and not each.is_dropped for each in questions):
        volleys, wake_s = plan.next_volleys(questions, now_s)
        if not volleys:
            if wake_s == math.inf:
                break
            now_s = max(now_s + 0.001, wake_s)
            continue
        at_s, all_quoted = now_s, True
        for volley in volleys:
            asked: Sequence[Question | None] = [*volley.questions, *([None, None] if volley.circle else [])]
            came = []
            for question in asked:
                came.append(world.quotes(question, volley.ttl, at_s))
                at_s += _GAP_S
            if any(came):
                plan.senders[volley.ttl, "there"] = f"hop {volley.ttl}"
            plan.take(volley, came[: len(volley.questions)], came[len(volley.questions) :], now_s)
            all_quoted, sent = all_quoted and all(came), sent + len(asked)
        now_s = at_s + (RTT_S if all_quoted else SILENCE_S)
    return Outcome(
        now_s,
        sum(each.is_dropped and each not in blocked for each in questions),
        sum(not each.is_answered and not each.is_dropped for each in questions),
        sent,
    )
