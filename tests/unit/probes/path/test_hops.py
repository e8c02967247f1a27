"""Which hops lie on the way, from what comes back for a walk. No packet is sent."""

from collections.abc import Callable, Sequence

import pytest

from gosip_check.probes.net import sockets
from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.path import hops, quotes
from gosip_check.probes.path.hops import Options
from gosip_check.probes.path.quotes import Reaction, Shot
from gosip_check.probes.probe import Context
from gosip_check.records import Link

TARGET = "198.51.100.254"
Answer = Callable[[Shot], tuple[str, int, int] | None]


def _walk(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> hops.Facts:
    def volley(_: Context, shots: Sequence[Shot]) -> list[Reaction]:
        reactions = []
        for shot in shots:
            error = answer(shot)
            sent = shot.payload("192.168.1.10", 5000)
            icmp = IcmpError(4, error[1], error[2], error[0], sent[:100]) if error else None
            reactions.append(Reaction(shot, sent, ("192.168.1.10", 5000), icmp))
        return reactions

    monkeypatch.setattr(hops, "volley", volley)
    monkeypatch.setattr(sockets, "source_address", lambda *_: "192.168.1.10")
    return hops.measure(Options(networks=["198.51.100.0/24"]), Context(Link(name="l")))


def _path(*hops: str | None) -> Answer:
    def answer(shot: Shot) -> tuple[str, int, int] | None:
        if shot.ttl > len(hops):
            return TARGET, 3, 3
        hop = hops[shot.ttl - 1]
        return None if hop is None else (hop, 11, 0)

    return answer


def test_the_hops_and_where_the_site_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = _walk(monkeypatch, _path("192.168.1.1", "203.0.113.1", "203.0.113.9"))
    assert [(hop.ttl, hop.address, hop.quoted_bytes) for hop in facts.hops] == [
        (1, "192.168.1.1", 100), (2, "203.0.113.1", 100), (3, "203.0.113.9", 100)
    ]  # fmt: skip
    assert (facts.edge_ttl, facts.reached_at, facts.edge_name()) == (1, 4, "192.168.1.1")
    assert [hop.ttl for hop in facts.beyond_the_edge()] == [2, 3]


def test_every_layer_of_translation_is_on_this_side_of_the_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = _walk(monkeypatch, _path("192.168.1.1", "10.0.0.1", "100.64.0.1", "203.0.113.1"))
    assert facts.edge_ttl == 3
    assert [hop.ttl for hop in facts.beyond_the_edge()] == [4]


def test_a_private_hop_further_on_is_the_carriers(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = _walk(monkeypatch, _path("192.168.1.1", "203.0.113.1", "10.9.9.9", "203.0.113.2"))
    assert facts.edge_ttl == 1
    assert [hop.ttl for hop in facts.beyond_the_edge()] == [2, 4]


def test_a_site_with_public_addresses_still_has_an_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = _walk(monkeypatch, _path("203.0.113.1", "203.0.113.2"))
    assert facts.edge_ttl == 1
    assert [hop.ttl for hop in facts.beyond_the_edge()] == [2]


def test_silent_hops_leave_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = _walk(monkeypatch, _path(None, "203.0.113.1", None, None, None, "203.0.113.9"))
    assert [hop.ttl for hop in facts.hops] == [2, 6]
    assert facts.edge_name() == "hop 1, which shows no address"


def test_nothing_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = _walk(monkeypatch, lambda _: None)
    assert (facts.hops, facts.control_port, facts.reached_at) == ([], None, None)


def test_a_control_port_that_the_edge_rejects_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    path = _path("192.168.1.1", "203.0.113.1")

    def answer(shot: Shot) -> tuple[str, int, int] | None:
        refused = shot.port == quotes.CONTROL_PORTS[0] and shot.ttl > 1
        return ("192.168.1.1", 3, 13) if refused else path(shot)

    facts = _walk(monkeypatch, answer)
    assert [hop.ttl for hop in facts.hops] == [1, 2]
    assert facts.control_port == quotes.CONTROL_PORTS[1]


def test_loopback_is_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hops, "volley", None)
    facts = hops.measure(Options(networks=["127.22.184.0/24"]), Context(Link(name="l")))
    assert facts.is_this_machine
    assert facts.hops == []
