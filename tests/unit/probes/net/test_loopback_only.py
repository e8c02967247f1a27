"""A link over the loopback, as every demo has: sockets refuse whatever lies beyond this machine."""

import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from gosip_check.cli.demo import emulated
from gosip_check.cli.exits import UsageProblem
from gosip_check.probes import far_end
from gosip_check.probes.edge import device
from gosip_check.probes.media import round_trips
from gosip_check.probes.net import flow, ping, sockets
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind, Link
from tests.unit.own_probes import plan

BEYOND, BEYOND_6 = "198.51.100.1", "2001:db8::1"
OVER_LO = Link(name="Internet-1", source="127.0.0.1", interface="lo")


@pytest.mark.parametrize(
    ("link", "is_loopback"),
    [
        (OVER_LO, True),
        (Link(name="x", source="127.0.0.2"), True),
        (Link(name="x", source="::1"), True),
        (Link(name="x", interface="lo"), True),
        (Link(name="x"), False),
        (Link(name="x", interface="eth0"), False),
        (Link(name="x", source="192.0.2.2", interface="eth0"), False),
        (Link(name="x", source="192.0.2.2", interface="lo"), False),  # an address of the site that lo holds
    ],
)
def test_which_links_are_the_loopback(link: Link, is_loopback: bool) -> None:
    assert link.is_loopback is is_loopback


def by_udp(address: str) -> None:
    with sockets.udp_socket(OVER_LO, sockets.family_of(address)) as sock:
        sockets.send_to(sock, b"x", address, 9)


def by_icmp(address: str) -> None:
    sock = sockets.icmp_socket(OVER_LO, address)
    if sock is None:
        pytest.skip("this user may not open a socket for ICMP echo")
    with sock:
        ping.ping(sock, address, 1, 0.1)


WAYS: dict[str, Callable[[str], object]] = {
    "UDP": by_udp,
    "TCP": lambda address: sockets.tcp_connect(Context(OVER_LO), address, 9, 0.1),
    "media": lambda address: flow.open_flow(OVER_LO, address, 9, 46),
    "a route": lambda address: sockets.source_address(Link(name="x", source="127.0.0.1"), address),
    "ICMP": by_icmp,
}


@pytest.mark.parametrize(
    ("way", "address"), [*((way, BEYOND) for way in WAYS), *((way, BEYOND_6) for way in WAYS if way != "ICMP")]
)
def test_nothing_beyond_this_machine_is_asked(way: str, address: str) -> None:
    with pytest.raises(ProbeFailed) as caught:
        WAYS[way](address)
    assert caught.value.failure.kind is FailureKind.UNSUPPORTED  # says nothing about a site, so it judges to unknown
    assert caught.value.failure.message == f"{address} was not asked: over the loopback only this machine is."


def test_this_machine_is_asked() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.1.2.3", 0))
        with sockets.udp_socket(OVER_LO) as sock:
            sockets.send_to(sock, b"x", "127.1.2.3", server.getsockname()[1])
        assert server.recv(9) == b"x"


def test_no_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked_up(*_: object) -> list[object]:
        raise AssertionError("somebody asked a resolver")

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    with pytest.raises(ProbeFailed, match=r"far\.example was not asked"):
        far_end.resolve(Context(OVER_LO), "far.example")
    assert far_end.resolve(Context(OVER_LO), "127.0.0.1") == "127.0.0.1"


def test_no_gateway_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    def gateway(name: str | None) -> str | None:
        asked.append(name)
        return None

    monkeypatch.setattr(round_trips, "default_gateway", gateway)
    round_trips.measure(Context(OVER_LO), "example", "udp", [], [], None, 0.1)
    assert asked == []
    round_trips.measure(Context(Link(name="x", interface="none")), "example", "udp", [], [], None, 0.1)
    assert asked == ["none"]


def test_no_edge_device_is_read(tmp_path: Path) -> None:
    pytest.importorskip("pysnmp")
    access = tmp_path / "access"
    access.write_text(f'host = "{BEYOND}"\nversion = "2c"\ncommunity = "public"\n')
    access.chmod(0o600)
    with pytest.raises(ProbeFailed, match="was not asked: over the loopback"):
        device.measure(device.Options(edge_snmp=str(access)), Context(OVER_LO))


@pytest.mark.parametrize(
    "link", [Link(name="A", source="192.0.2.2", interface="eth0"), Link(name="A", interface="eth0")]
)
def test_a_demo_takes_no_other_link(link: Link) -> None:
    with ExitStack() as stack, pytest.raises(UsageProblem, match=r"--link A: a demo stays on this machine; use A=127"):
        emulated(stack, plan(links=[link]), None)


def test_every_link_of_a_demo_is_the_loopback() -> None:
    links = [Link(name="A"), Link(name="B", source="127.0.0.2", interface="lo")]
    with ExitStack() as stack:
        led = emulated(stack, plan(links=links), None)
        assert [(link.name, link.source, link.is_loopback) for link in led.links] == [
            ("A", "127.0.0.1", True),
            ("B", "127.0.0.2", True),
        ]
        assert led.settings.system_resolvers is False
