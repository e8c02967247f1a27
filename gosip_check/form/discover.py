"""What at the site tells its own name: router, PBX, internet lines. For the form, to be confirmed by a person.

Asks the default gateway's subnet (UPnP) and the PBX that was named (one OPTIONS), and reads this machine's tables.
"""

import re
import socket
from collections.abc import Iterator
from ipaddress import IPv4Network, ip_address

import psutil

from gosip_check.form.form import Finding
from gosip_check.form.mac_vendors import maker_of
from gosip_check.probes.dns.servers import Server
from gosip_check.probes.host import interface
from gosip_check.probes.nat import upnp
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.probes.sip.exchange import ask_over_udp
from gosip_check.records import Link


def discover(links: list[Link], pbx: tuple[str, int] | None) -> list[Finding]:
    """Everything that was found, best source first. Takes a few seconds; finding nothing is no error."""
    found: list[Finding] = []
    for number, link in enumerate(links[:2], 1):
        found += _router(link) if number == 1 else []
        found += _line(link, number)
    if pbx is not None:
        found += _pbx(links[0], *pbx)
    return found


def _router(link: Link) -> Iterator[Finding]:
    gateway = interface.default_gateway(link.interface)
    if gateway is None:
        return
    beside = _beside(gateway)
    if beside is not None:
        for device in upnp.devices(Context(link), beside[2], gateway):
            if device.address == gateway:
                where = f"UPnP description of {gateway}"
                yield Finding("router.vendor", device.manufacturer, where)
                yield Finding("router.model", device.model, where)
                yield Finding("router.release", device.release, where)
    mac = interface.mac_of(gateway)
    maker = maker_of(mac) if mac else None
    if mac and maker:
        yield Finding("router.vendor", maker, f"MAC address {mac} of {gateway}")


def _line(link: Link, number: int) -> Iterator[Finding]:
    name, address = link.interface, link.source
    if name is None and address is None:  # the system chooses: what stands beside the default gateway
        gateway = interface.default_gateway()
        beside = _beside(gateway) if gateway is not None else None
        name, address = beside[:2] if beside is not None else (None, None)
    if name is not None:
        yield Finding(f"internet_{number}.interface", name, "this machine")
    if address is not None:
        yield Finding(f"internet_{number}.address", address, "this machine")


def _pbx(link: Link, address: str, port: int) -> Iterator[Finding]:
    try:
        exchange = ask_over_udp(Context(link), address, Server(address, address, port))
    except ProbeFailed:
        return
    vendor, release = product_of(exchange.server)
    where = f"its answer to OPTIONS, {exchange.server[:60]!r}"
    yield Finding("pbx.vendor", vendor, where)
    yield Finding("pbx.release", release, where)


def product_of(server: str) -> tuple[str, str]:
    """(name, release) of a Server or User-Agent header, such as `Asterisk PBX 18.10.0` or `kamailio (5.6.3 (x))`."""
    release = re.search(r"(?<![0-9A-Za-z])v?([0-9]+(?:\.[0-9A-Za-z]+){1,5})", server)
    name = server[: release.start()] if release else server
    return name.strip(" /-(,;:"), release[1] if release else ""


def _beside(gateway: str) -> tuple[str, str, IPv4Network] | None:
    """Interface, address and subnet of this machine that the gateway stands in."""
    for name, addresses in psutil.net_if_addrs().items():
        for entry in addresses:
            if entry.family == socket.AF_INET and entry.netmask:
                subnet = IPv4Network(f"{entry.address}/{entry.netmask}", strict=False)
                if ip_address(gateway) in subnet:
                    return name, entry.address, subnet
    return None
