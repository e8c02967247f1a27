"""What carries an interface, from sysfs trees as the kernel builds them; gateways, links and the live loopback."""

import socket
from collections import namedtuple
from pathlib import Path
from typing import Any

import psutil
import pytest

from gosip_check.probes.host import interface
from gosip_check.probes.host.interface import Medium, Options, default_gateway, link_of, measure, medium
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind, Link

ETHERNET = "1\n"


def add(root: Path, name: str, kind: str = ETHERNET, uevent: str = "", *, holds: str = "", lower: str = "") -> None:
    """An interface: its ARPHRD type, its uevent, folders in it, and the interfaces that lie under it."""
    folder = root / name
    folder.mkdir()
    (folder / "type").write_text(kind)
    (folder / "uevent").write_text(f"{uevent}\nINTERFACE={name}\nIFINDEX=2\n")
    for child in holds.split():
        (folder / child).mkdir()
    for below in lower.split():
        (folder / f"lower_{below}").symlink_to(root / below)


def wired(root: Path, name: str = "eth0") -> None:
    add(root, name, holds="device")


def wifi(root: Path, name: str = "wlan0") -> None:
    add(root, name, uevent="DEVTYPE=wlan", holds="device wireless phy80211")


def tun(root: Path, name: str = "tun0") -> None:
    add(root, name, "65534\n")
    (root / name / "tun_flags").write_text("0x1001\n")


def tap(root: Path, name: str = "tap0") -> None:
    add(root, name)
    (root / name / "tun_flags").write_text("0x1002\n")


def test_media(tmp_path: Path) -> None:
    wired(tmp_path)
    wired(tmp_path, "eth1")
    wifi(tmp_path)
    tun(tmp_path)
    tap(tmp_path)
    add(tmp_path, "wlan1", holds="device phy80211")
    add(tmp_path, "wlan2", uevent="DEVTYPE=wlan", holds="device")
    add(tmp_path, "wwan0", "65534\n", "DEVTYPE=wwan", holds="device")
    add(tmp_path, "wg0", "65534\n", "DEVTYPE=wireguard")
    add(tmp_path, "ppp0", "512\n", "DEVTYPE=ppp")
    add(tmp_path, "veth0")
    add(tmp_path, "eth0.5", uevent="DEVTYPE=vlan", lower="eth0")
    add(tmp_path, "wlan0.5", uevent="DEVTYPE=vlan", lower="wlan0")
    add(tmp_path, "bond0", uevent="DEVTYPE=bond", lower="eth0 eth1")
    add(tmp_path, "br0", uevent="DEVTYPE=bridge", lower="eth0")
    add(tmp_path, "br1", uevent="DEVTYPE=bridge", lower="eth0 wlan0")
    add(tmp_path, "br2", uevent="DEVTYPE=bridge", lower="bond0")
    add(tmp_path, "br3", uevent="DEVTYPE=bridge", lower="veth0")
    add(tmp_path, "br4", uevent="DEVTYPE=bridge")
    expected: dict[str, Medium | None] = {
        "lo": "loopback",
        "eth0": "wired",
        "wlan0": "wifi",
        "wlan1": "wifi",
        "wlan2": "wifi",
        "tun0": "vpn",
        "tap0": "vpn",
        "wg0": "vpn",
        "wwan0": "cellular",
        "ppp0": None,  # a cable and a 3G stick look alike
        "veth0": None,
        "eth0.5": "wired",
        "wlan0.5": "wifi",
        "bond0": "wired",
        "br0": "wired",
        "br1": None,
        "br2": "wired",
        "br3": None,
        "br4": None,
        "gone0": None,
    }
    assert {name: medium(name, tmp_path) for name in expected} == expected


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    wired(tmp_path)
    (tmp_path / "eth0" / "uevent").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "eth0" / "type").unlink()
    assert medium("eth0", tmp_path) == "wired"


HEADER = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
ROUTES = HEADER + (
    "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
    "eth0\t00000000\tFE01A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
    "eth0\t00000000\t0A01A8C0\t0003\t0\t0\t1000\t00000000\t0\t0\t0\n"
    "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
    "ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n"
    "tun0\t00000000\t0100080A\t0003\t0\t0\t0\t00000080\t0\t0\t0\n"
    "short\t00000000\n"
)


@pytest.mark.parametrize(
    ("name", "gateway"),
    [
        (None, "192.168.1.254"),
        ("eth0", "192.168.1.254"),
        ("wlan0", "192.168.1.1"),
        ("ppp0", None),  # on a point-to-point line there is no address to name
        ("tun0", None),  # half of everything is not the default
        ("eth1", None),
    ],
)
def test_default_gateway(tmp_path: Path, name: str | None, gateway: str | None) -> None:
    table = tmp_path / "route"
    table.write_text(ROUTES)
    if socket.htons(1) == 1:
        pytest.skip("the table is written for a little-endian machine")
    assert default_gateway(name, table) == gateway


@pytest.mark.parametrize("content", ["", HEADER])
def test_no_default_gateway(tmp_path: Path, content: str) -> None:
    table = tmp_path / "route"
    table.write_text(content)
    assert default_gateway(None, table) is None
    assert default_gateway(None, tmp_path / "missing") is None


Address = namedtuple("Address", "family address netmask", defaults=[None])


@pytest.fixture
def two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        psutil,
        "net_if_addrs",
        lambda: {
            "eth0": [
                Address(socket.AF_PACKET, "00:00:5e:00:53:01"),
                Address(socket.AF_INET, "192.0.2.10"),
                Address(socket.AF_INET, "192.0.2.11"),
                Address(socket.AF_INET6, "fe80::1%eth0"),
                Address(socket.AF_INET6, "2001:db8::10"),
            ],
            "wg0": [Address(socket.AF_INET6, "2001:db8:1::10")],
            "eth1": [],
        },
    )


@pytest.mark.usefixtures("two_lines")
@pytest.mark.parametrize(
    ("place", "source", "name"),
    [
        ("eth0", "192.0.2.10", "eth0"),
        ("192.0.2.11", "192.0.2.11", "eth0"),
        ("2001:db8::10", "2001:db8::10", "eth0"),
        ("2001:DB8:0::10", "2001:db8::10", "eth0"),
        ("wg0", None, "wg0"),
        ("eth1", None, "eth1"),
    ],
)
def test_link_of(place: str, source: str | None, name: str) -> None:
    assert link_of("Internet-1", place) == Link(name="Internet-1", source=source, interface=name)


@pytest.mark.usefixtures("two_lines")
@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("eth7", "there is no interface 'eth7'; there are eth0, eth1, wg0."),
        ("", "there is no interface ''; there are eth0, eth1, wg0."),
        ("192.0.2.12", "192.0.2.12 is no address of this machine."),
        ("2001:db8::11", "2001:db8::11 is no address of this machine."),
    ],
)
def test_link_of_nothing(place: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"\.$") as caught:
        link_of("Internet-1", place)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("network", ["127.22.184.0/24", "127.22.184.27/32"])
def test_the_loopback_of_this_machine(network: str) -> None:
    facts = measure(Options(networks=[network]), Context(Link("Internet-1")))
    assert (facts.interface, facts.medium, facts.gateway) == ("lo", "loopback", None)
    assert facts.source.startswith("127.")
    assert facts.evidence["medium"].startswith(f"lo ({facts.source}) is the loopback")


Stats = namedtuple("Stats", "speed duplex mtu")


@pytest.mark.usefixtures("two_lines")
@pytest.mark.parametrize(
    ("stats", "speed_mbps", "full_duplex", "words"),
    [
        (Stats(1000, psutil.NIC_DUPLEX_FULL, 1500), 1000, True, "eth0 (192.0.2.10) is wired, 1000 Mb/s, full duplex."),
        (Stats(10, psutil.NIC_DUPLEX_HALF, 1500), 10, False, "eth0 (192.0.2.10) is wired, 10 Mb/s, half duplex."),
        (Stats(0, psutil.NIC_DUPLEX_UNKNOWN, 1500), None, None, "eth0 (192.0.2.10) is wired."),
        (None, None, None, "eth0 (192.0.2.10) is wired."),
    ],
)
def test_speed_and_duplex(
    monkeypatch: pytest.MonkeyPatch, stats: Any, speed_mbps: int | None, full_duplex: bool | None, words: str
) -> None:
    monkeypatch.setattr(sockets, "source_address", lambda link, towards: "192.0.2.10")
    monkeypatch.setattr(psutil, "net_if_stats", lambda: {} if stats is None else {"eth0": stats})
    monkeypatch.setattr(interface, "medium", lambda name: "wired")
    facts = measure(Options(networks=["198.51.100.0/24"]), Context(Link("Internet-1")))
    assert (facts.speed_mbps, facts.full_duplex, facts.evidence["medium"]) == (speed_mbps, full_duplex, words)
    assert facts.mtu == (1500 if stats else None)


@pytest.mark.usefixtures("two_lines")
def test_an_address_that_no_interface_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "source_address", lambda link, towards: "192.0.2.99")
    with pytest.raises(ProbeFailed) as caught:
        measure(Options(networks=["198.51.100.0/24"]), Context(Link("Internet-1")))
    assert caught.value.failure.kind is FailureKind.UNSUPPORTED
    assert caught.value.failure.message == "No interface of this machine has the address 192.0.2.99."
