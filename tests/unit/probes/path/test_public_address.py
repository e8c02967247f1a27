"""Where the site ends when all hops are private: at the device that has the address which the servers see.

The network is a model here; tests/lab/test_nat.py has the kernel's.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest

from gosip_check.probes.net import sockets
from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.net.sockets import Datagram
from gosip_check.probes.path import hops, public_address
from gosip_check.probes.path.quotes import Reaction, Shot
from gosip_check.probes.probe import Context
from gosip_check.wire import sip
from tests.unit.probes.sip.test_signalling import context_with, target

OUTSIDE = "198.51.100.7"
LOCAL = ("192.168.1.10", 40000)
CHAIN = ("192.168.1.1", "10.0.0.1", "10.0.0.2", "10.0.0.3")
NETWORK = "203.0.113.0/24"
SERVERS = ("203.0.113.27", "203.0.113.28")


@dataclass
class Chain:
    """Routers in order. holder: which of them (from 1) has OUTSIDE; refuser: which refuses all that goes there.

    answers_udp, answers_echo: the holder does. echoes_for_all: the first router answers every echo. seen: what each
    server sees. lost: TTL -> so many packets to OUTSIDE are lost first.
    """

    holder: int | None = 1
    refuser: int | None = None
    answers_udp: bool = True
    answers_echo: bool = True
    echoes_for_all: bool = False
    seen: Sequence[str | None] = (OUTSIDE, OUTSIDE)
    lost: Counter[int] = field(default_factory=Counter)
    ttl: int = 0

    def volley(self, _: Context, shots: Sequence[Shot]) -> list[Reaction]:
        return [self._reaction(shot) for shot in shots]

    def _reaction(self, shot: Shot) -> Reaction:
        sent = shot.payload(*LOCAL)
        if shot.is_sip:
            reply = self._answer(shot, sent)
            return Reaction(shot, sent, LOCAL, reply=Datagram(reply, shot.address, shot.port, 0.0) if reply else None)
        error = self._to_outside(shot.ttl) if shot.address == OUTSIDE else self._died(shot.ttl)
        return Reaction(shot, sent, LOCAL, IcmpError(4, error[1], error[2], error[0], sent[:100]) if error else None)

    def _answer(self, shot: Shot, sent: bytes) -> bytes | None:
        request = sip.parse(sent)
        assert isinstance(request, sip.Request)
        seen = self.seen[SERVERS.index(shot.address)]
        return sip.response(request, 200, "OK", to_tag="t", received=(seen, 4000)) if seen else None

    def _died(self, ttl: int) -> tuple[str, int, int] | None:
        return (CHAIN[ttl - 1], 11, 0) if ttl <= len(CHAIN) else None

    def _to_outside(self, ttl: int) -> tuple[str, int, int] | None:
        self.lost[ttl] -= 1
        if self.lost[ttl] >= 0:
            return None
        if self.refuser is not None and ttl > self.refuser:
            return CHAIN[self.refuser - 1], 3, 3
        if self.holder is not None and ttl >= self.holder:
            return (OUTSIDE, 3, 3) if self.answers_udp else None
        return self._died(ttl)

    def ping(self, _: Any, address: str, *__: Any) -> float | None:
        is_there = address == OUTSIDE and self.holder is not None and self.ttl >= self.holder and self.answers_echo
        return 1.0 if is_there or self.echoes_for_all else None


def walked(monkeypatch: pytest.MonkeyPatch, chain: Chain) -> hops.Facts:
    for module in (hops, public_address):
        monkeypatch.setattr(module, "volley", chain.volley)
    monkeypatch.setattr(public_address, "ping", chain.ping)
    monkeypatch.setattr(sockets, "icmp_socket", lambda *_: nullcontext())
    monkeypatch.setattr(sockets, "limit_ttl", lambda _, ttl: setattr(chain, "ttl", ttl))
    context = context_with(*(target(address, 5060, f"{address}.example") for address in SERVERS))
    return hops.measure(hops.Options(networks=[NETWORK]), context)


@pytest.mark.parametrize(
    ("chain", "holder", "beyond"),
    [
        (Chain(), 1, [3, 4]),
        (Chain(holder=2), 2, [4]),
        (Chain(seen=(None, OUTSIDE)), 1, [3, 4]),
        (Chain(holder=2, lost=Counter({1: 1, 2: 2})), 2, [4]),
        (Chain(holder=2, answers_udp=False), 2, [4]),
    ],
    ids=["at the edge", "behind a second router", "one server silent", "some are lost", "only echoes are answered"],
)
def test_where_the_site_ends(monkeypatch: pytest.MonkeyPatch, chain: Chain, holder: int, beyond: Sequence[int]) -> None:
    facts = walked(monkeypatch, chain)
    assert (facts.public_address_at, facts.edge_ttl) == (holder, holder)
    assert [hop.ttl for hop in facts.beyond_the_edge()] == beyond


@pytest.mark.parametrize(
    "chain",
    [
        Chain(seen=(None, None)),
        Chain(seen=(OUTSIDE, "198.51.100.8")),
        Chain(seen=("10.0.0.9", "10.0.0.9")),
        Chain(seen=LOCAL[:1] * 2),
        Chain(holder=None),
        Chain(holder=3, refuser=1, answers_udp=False, answers_echo=False),
        Chain(holder=None, echoes_for_all=True),
        Chain(answers_udp=False, answers_echo=False),
    ],
    ids=[
        "no server answers",
        "servers see two addresses",
        "a tunnel",
        "no translation",
        "nobody has it",
        "a firewall before it refuses",
        "a router answers every echo",
        "it is silent",
    ],
)
def test_nobody_knows_where_it_ends(monkeypatch: pytest.MonkeyPatch, chain: Chain) -> None:
    facts = walked(monkeypatch, chain)
    assert facts.public_address_at is None
    assert facts.beyond_the_edge() == []


def test_what_is_lost_makes_the_site_larger_never_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = walked(monkeypatch, Chain(holder=1, lost=Counter({1: 9})))
    assert facts.public_address_at == 2
