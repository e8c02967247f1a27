"""Who answers in a server's name: proven only where packets to other ports are seen to die, and followed to its hop.

The network is a model here; tests/lab/test_in_the_name_of.py has the kernel's.
"""

from collections.abc import Mapping
from typing import Any, Literal

import pytest

from gosip_check.probes.path import stand_in, syns
from gosip_check.probes.path.stand_in import Options, StandIn, measure
from gosip_check.probes.probe import Context
from tests.unit.probes.path.way import SERVER, Way, path
from tests.unit.probes.sip.test_signalling import context_with, target

HOPS = {1: "192.168.7.1", 2: "100.64.0.9", 3: "198.51.100.1", 4: "203.0.113.1"}
PROVIDER = "203.0.113.0/24"
Transport = Literal["udp", "tcp"]
both = pytest.mark.parametrize("transport", ["udp", "tcp"])


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Context, "wait", lambda self, seconds: None)


def looked(
    monkeypatch: pytest.MonkeyPatch, way: Way, transport: Transport, quoting: Mapping[int, str] = HOPS, **more: Any
) -> list[StandIn]:
    monkeypatch.setattr(syns, "syn", way.syn)
    monkeypatch.setattr(stand_in, "volley", way.volley)
    port = 5060 if transport == "udp" else 5061
    context = context_with(*more.get("targets", [target(SERVER, port)]))
    context = Context(context.link, context.stop, {**context.seen, "path": path(quoting)})
    return measure(Options(domain="trunk.example", transport=transport, networks=[PROVIDER]), context).stand_ins


def taking(ttl: int, transport: Transport, **more: Any) -> Way:
    """A device at this hop takes the signalling port."""
    return Way(HOPS, 5, taken={5060 if transport == "udp" else 5061: ttl}, **more)


@both
def test_nobody_stands_in_where_signalling_dies_as_all_else_does(
    monkeypatch: pytest.MonkeyPatch, transport: Transport
) -> None:
    way = Way(HOPS, 5)
    assert looked(monkeypatch, way, transport) == []
    assert sum(way.sent.values()) == 1  # one packet is enough where it is seen to die


@both
@pytest.mark.parametrize(("ttl", "place"), [(1, "192.168.7.1"), (2, "100.64.0.9"), (3, "198.51.100.1")])
def test_it_is_followed_to_its_hop(monkeypatch: pytest.MonkeyPatch, transport: Transport, ttl: int, place: str) -> None:
    (who,) = looked(monkeypatch, taking(ttl, transport), transport)
    assert (who.address, who.port, who.ttl, who.hop) == (SERVER, 5060 if transport == "udp" else 5061, ttl, place)


@both
def test_the_providers_own_devices_may_answer_for_its_servers(
    monkeypatch: pytest.MonkeyPatch, transport: Transport
) -> None:
    assert looked(monkeypatch, taking(4, transport), transport) == []


@both
def test_a_way_that_is_shorter_to_this_server_proves_nothing(
    monkeypatch: pytest.MonkeyPatch, transport: Transport
) -> None:
    """Hops were found on the way to another one: here their TTLs reach the server, which refuses other ports."""
    assert looked(monkeypatch, Way(HOPS, 3, closed="reset"), transport) == []


@both
def test_what_takes_every_port_alike_is_not_called_one(monkeypatch: pytest.MonkeyPatch, transport: Transport) -> None:
    taken = dict.fromkeys((5060, 5061, *syns.CONTROL_PORTS, 33434, 16402, 53, 123), 2)
    assert looked(monkeypatch, Way(HOPS, 5, taken=taken), transport) == []


@both
def test_hops_that_say_nothing_prove_nothing(monkeypatch: pytest.MonkeyPatch, transport: Transport) -> None:
    monkeypatch.setattr(stand_in, "_BUDGET_S", 0.0)
    way = taking(1, transport, silent_for=10_000)
    assert looked(monkeypatch, way, transport) == []
    assert looked(monkeypatch, taking(1, transport), transport, {}) == []  # nor where none is known


@both
def test_a_hop_that_rations_is_waited_for(monkeypatch: pytest.MonkeyPatch, transport: Transport) -> None:
    (who,) = looked(monkeypatch, taking(2, transport, silent_for=9), transport)
    assert who.hop == "100.64.0.9"


@both
def test_a_packet_that_is_lost_hides_nobody(monkeypatch: pytest.MonkeyPatch, transport: Transport) -> None:
    lost = {(5060 if transport == "udp" else 5061, 3): 1}
    (who,) = looked(monkeypatch, taking(1, transport, lost=lost), transport)
    assert who.hop == "192.168.7.1"


def test_flows_that_take_ways_of_different_length_are_not_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two SYNs reach the server a hop earlier; a later one beside the controls is seen to die."""

    class Balanced(Way):
        def syn(self, context: Context, address: str, port: int, ttl: int) -> Any:
            self.reached_at = 5 if self.sent[5061, 3] >= 2 else 3
            came = super().syn(context, address, port, ttl)
            return came if port == 5061 or ttl < 3 else ("time exceeded", HOPS[3])

    assert looked(monkeypatch, Balanced(HOPS, 5), "tcp", {3: HOPS[3]}) == []


def test_over_udp_only_sip_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looked(monkeypatch, taking(1, "udp", answer=b"HTTP/1.0 400 Bad\r\n\r\n"), "udp") == []


def test_each_server_is_looked_at_once_and_no_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = [target(SERVER, 5061), target(SERVER, 5061, "other.example"), target("2001:db8::5", 5061)]
    way = Way(HOPS, 5)
    assert looked(monkeypatch, way, "tcp", targets=targets) == []
    assert sum(way.sent.values()) == 1


def test_what_it_says() -> None:
    assert StandIn(address=SERVER, port=5060, ttl=1, hop="192.168.7.1").place == "at or before 192.168.7.1"
