"""Over which interface does this machine reach the provider? Wired, Wi-Fi or VPN, its speed, the default gateway.

Reads the system's own tables and sends nothing, but for a datagram to the gateway where `edge_mac` is asked to.
"""

import contextlib
import socket
import struct
import time
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Literal

import psutil

from gosip_check.probes import probe
from gosip_check.probes.net import interfaces, sockets
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.records import FailureKind, Link

Medium = Literal["wired", "wifi", "vpn", "cellular", "loopback"]

_SYS = Path("/sys/class/net")
_ARP = Path("/proc/net/arp")
_DISCARD = 9
"The port of a service that throws away what it gets (RFC 863)."
_LOOKS, _LOOK_S = 20, 0.05
_PPP = 512  # ARPHRD_PPP, <linux/if_arp.h>
_NONE = 65534  # ARPHRD_NONE: a tunnel without a link layer (tun, WireGuard)


class Options(probe.Options, frozen=True):
    """`networks`: the provider's; the route towards the first of them decides which interface is meant."""

    networks: list[str]


class Facts(probe.Facts, frozen=True):
    """`medium`, `speed_mbps`, `full_duplex`: None where the system does not tell, as for many virtual interfaces."""

    interface: str
    source: str
    gateway: str | None
    medium: Medium | None
    speed_mbps: int | None
    full_duplex: bool | None
    mtu: int | None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed(unsupported) when there is no route to the provider's networks."""
    towards = str(next(iter(ip_network(options.networks[0]).hosts())))
    source = sockets.source_address(context.link, towards)
    name = interfaces.interface_with(source)
    if name is None:
        raise ProbeFailed(FailureKind.UNSUPPORTED, f"No interface of this machine has the address {source}.")
    stats = psutil.net_if_stats().get(name)
    speed_mbps = stats.speed if stats and stats.speed > 0 else None
    full_duplex = None
    if stats and stats.duplex != psutil.NIC_DUPLEX_UNKNOWN:
        full_duplex = stats.duplex == psutil.NIC_DUPLEX_FULL
    kind = medium(name)
    return Facts(
        interface=name,
        source=source,
        gateway=default_gateway(name),
        medium=kind,
        speed_mbps=speed_mbps,
        full_duplex=full_duplex,
        mtu=stats.mtu if stats else None,
        evidence={"medium": _words(name, source, kind, speed_mbps, full_duplex)},
    )


def link_of(name: str, place: str) -> Link:
    """A link by the local address or the interface that it is bound to. Raises ValueError with a sentence."""
    addresses = {
        interface: [entry.address for entry in entries if entry.family == socket.AF_INET]
        for interface, entries in psutil.net_if_addrs().items()
    }
    if place in addresses:
        return Link(name=name, source=next(iter(addresses[place]), None), interface=place)
    try:
        place = str(ip_address(place))
    except ValueError:
        known = ", ".join(sorted(addresses))
        raise ValueError(f"there is no interface {place!r}; there are {known}.") from None
    interface = interfaces.interface_with(place)
    if interface is None:
        raise ValueError(f"{place} is no address of this machine.")
    return Link(name=name, source=place, interface=interface)


def medium(name: str, sys_class_net: Path = _SYS) -> Medium | None:
    """What carries an interface, as Linux's sysfs shows it; None for one whose carrier cannot be seen from here."""
    folder = sys_class_net / name
    if name == "lo":
        return "loopback"
    if (folder / "wireless").exists() or (folder / "phy80211").exists():
        return "wifi"
    uevent = _read(folder / "uevent")
    if "DEVTYPE=wwan" in uevent:
        return "cellular"
    if "DEVTYPE=wlan" in uevent:
        return "wifi"
    if "DEVTYPE=wireguard" in uevent or (folder / "tun_flags").exists() or _read(folder / "type").strip() == str(_NONE):
        return "vpn"
    lower = sorted(folder.glob("lower_*"))
    if lower:  # a VLAN, bridge or bond is what lies under it, if all of it is the same
        below = {medium(path.name.removeprefix("lower_"), sys_class_net) for path in lower}
        return below.pop() if len(below) == 1 else None
    if _read(folder / "type").strip() == str(_PPP):
        return None  # PPPoE over a cable and a 3G stick look alike
    return "wired" if (folder / "device").exists() else None


def default_gateway(name: str | None = None, route_table: Path = Path("/proc/net/route")) -> str | None:
    """The IPv4 default gateway (of one interface), lowest metric first; None where no such route is seen."""
    found: list[tuple[int, str]] = []
    for line in _read(route_table).splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8 or fields[1] != "00000000" or fields[7] != "00000000" or not int(fields[3], 16) & 0x2:
            continue
        if name is None or fields[0] == name:
            found.append((int(fields[6]), socket.inet_ntoa(struct.pack("=I", int(fields[2], 16)))))
    return min(found)[1] if found else None


def mac_of(address: str, name: str | None = None, table: Path = _ARP) -> str | None:
    """The MAC address of a neighbour (on one interface), as Linux's ARP table has it."""
    for line in _read(table).splitlines()[1:]:
        fields = line.split()
        if len(fields) < 6 or fields[0] != address or fields[3] == "00:00:00:00:00:00":
            continue
        if name is None or fields[5] == name:
            return fields[3]
    return None


def edge_mac(name: str, link: Link | None = None) -> str | None:
    """The MAC address of the default gateway of an interface; None where there is none, as on a loopback or over PPP.

    link: where the table does not have it, send one datagram to the gateway over this, so that the system asks.
    """
    gateway = default_gateway(name)
    if gateway is None:
        return None
    mac = mac_of(gateway, name)
    if mac is not None or link is None:
        return mac
    with contextlib.suppress(ProbeFailed), sockets.udp_socket(link, icmp_errors=False) as sock:
        sockets.send_to(sock, b"", gateway, _DISCARD)
        for _ in range(_LOOKS):
            time.sleep(_LOOK_S)
            if (mac := mac_of(gateway, name)) is not None:
                break
    return mac


def _words(name: str, source: str, kind: Medium | None, speed_mbps: int | None, full_duplex: bool | None) -> str:
    names = {"wifi": "Wi-Fi", "vpn": "a VPN or tunnel", "cellular": "a mobile network", "loopback": "the loopback"}
    if kind is None:
        return f"{name} ({source}) is virtual or does not tell what carries it; run this on a wired machine to be sure."
    speed = f", {speed_mbps} Mb/s" if speed_mbps else ""
    duplex = "" if full_duplex is None else ", full duplex" if full_duplex else ", half duplex"
    return f"{name} ({source}) is {names.get(kind, kind)}{speed}{duplex}."


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


PROBE = Probe("interface", Options, Facts, measure, subject=lambda options: f"route to {options.networks[0]}")
