"""The way out to the management: a connection counts only where nobody on the way is seen to accept it."""

import socket
from collections.abc import Mapping
from typing import Any

import pytest

from gosip_check.probes.firewall import management
from gosip_check.probes.firewall.management import Facts, Options, measure
from gosip_check.probes.net import sockets
from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.path import stand_in, syns
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind, Link
from tests.unit.probes.path.way import Way, path

HOPS = {1: "192.168.7.1", 2: "198.51.100.1"}
PLACES = ["192.0.2.217", "192.0.2.218"]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Context, "wait", lambda self, seconds: None)
    monkeypatch.setattr(stand_in, "_BUDGET_S", 0.0)


def asked(
    monkeypatch: pytest.MonkeyPatch,
    way: Way,
    quoting: Mapping[int, str] = HOPS,
    refuses: Mapping[int, sockets.ConnectFailed] = {},
    places: list[str] = PLACES,
) -> Facts:
    """refuses: port -> what a connection to it comes to."""

    def connect(context: Context, address: str, port: int, timeout_s: float) -> socket.socket:
        if port in refuses:
            raise refuses[port]
        return socket.socket()

    monkeypatch.setattr(sockets, "tcp_connect", connect)
    monkeypatch.setattr(syns, "syn", way.syn)
    context = Context(Link("Internet-1"), seen={"path": path(quoting)})
    return measure(Options(management_addresses=places, management_ports=[22, 443]), context)


OPEN = frozenset({22, 443})


def test_connections_that_no_device_accepts_on_the_way_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = asked(monkeypatch, Way(HOPS, 4, open_ports=OPEN))
    assert facts.outbound_open is True
    assert facts.evidence["outbound_open"].startswith("4 of 4 connections opened. That the provider can come in")


@pytest.mark.parametrize(("ttl", "place"), [(1, "192.168.7.1"), (2, "198.51.100.1")])
def test_a_device_that_accepts_in_their_name_is_named(monkeypatch: pytest.MonkeyPatch, ttl: int, place: str) -> None:
    facts = asked(monkeypatch, Way(HOPS, 4, taken={443: ttl}, open_ports=OPEN))
    assert facts.outbound_open is None
    assert [(each.port, each.result, each.culprit) for each in facts.places] == [
        (22, "open", None),
        (443, "stand-in", place),
    ] * 2
    assert f"192.0.2.218:443 was accepted by something at or before {place}" in facts.evidence["outbound_open"]
    assert "Take the redirection of these ports" in facts.evidence["outbound_open"]


@pytest.mark.parametrize("way", [Way({}, 4), Way(HOPS, 4, taken={22: 1, 443: 1, 80: 1, 5065: 1, 33434: 1})])
def test_where_nobody_can_say_who_accepted_nothing_is_proven(monkeypatch: pytest.MonkeyPatch, way: Way) -> None:
    facts = asked(monkeypatch, way, way.hops)
    assert facts.outbound_open is None
    assert {each.result for each in facts.places} == {"unproven"}
    assert "a device in between may have" in facts.evidence["outbound_open"]


def test_a_rejection_on_the_way_decides_whoever_accepts_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    prohibited = IcmpError(4, 3, 13, "192.168.7.1")
    failed = sockets.ConnectFailed(FailureKind.PROHIBITED, "no", prohibited)
    facts = asked(monkeypatch, Way(HOPS, 4, taken={22: 1}, open_ports=OPEN), refuses={443: failed})
    assert facts.outbound_open is False
    assert facts.places[1].culprit == "192.168.7.1"
    assert "192.168.7.1 says administratively prohibited" in facts.evidence["outbound_open"]


def test_silence_and_a_reset_decide_nothing_and_are_explained_once(monkeypatch: pytest.MonkeyPatch) -> None:
    refuses = {
        22: sockets.ConnectFailed(FailureKind.TIMEOUT, "no answer"),
        443: sockets.ConnectFailed(FailureKind.REFUSED, "reset"),
    }
    facts = asked(monkeypatch, Way(HOPS, 4), refuses=refuses)
    assert facts.outbound_open is None
    assert facts.evidence["outbound_open"].startswith("0 of 4 connections opened: ")
    assert facts.evidence["outbound_open"].count("proves no block") == 1


def test_what_this_machine_keeps_back_says_nothing_of_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> socket.socket:
        raise ProbeFailed(FailureKind.PERMISSION, "This machine refused it.")

    monkeypatch.setattr(sockets, "tcp_connect", refuse)
    with pytest.raises(ProbeFailed) as caught:
        measure(Options(management_addresses=PLACES, management_ports=[22]), Context(Link("Internet-1")))
    assert caught.value.failure.kind.says_nothing_about_the_site


def test_on_this_machine_itself_nothing_lies_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = asked(monkeypatch, Way({}, 1), {}, places=["127.0.0.1"])
    assert facts.outbound_open is True


def test_nothing_to_ask() -> None:
    with pytest.raises(ProbeFailed, match="names no management addresses"):
        measure(Options(), Context(Link("Internet-1")))
    assert management.PROBE.after == ("path",)
