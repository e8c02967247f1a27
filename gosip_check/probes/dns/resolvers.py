"""Which DNS resolvers this machine uses, and over which line. Reads system configuration; asks nobody."""

import contextlib
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface
from pathlib import Path

import psutil

from gosip_check.probes.dns.query import Resolver
from gosip_check.records import Link

_RESOLV_CONF = "/etc/resolv.conf"
_SYSTEMD_STUBS = {"127.0.0.53", "127.0.0.54"}
_SYSTEMD_UPSTREAMS = "/run/systemd/resolve/resolv.conf"


def system_resolvers() -> list[Resolver]:
    """The configured resolvers in their order; behind systemd-resolved's stub also those that it asks."""
    found = _configured(_RESOLV_CONF)
    if any(resolver.address in _SYSTEMD_STUBS for resolver in found):
        found += _configured(_SYSTEMD_UPSTREAMS)
    return list(dict.fromkeys(found))


def parse_resolver(text: str) -> Resolver:
    """`ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`. Raises ValueError for anything else, names included."""
    host, port = text, "53"
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or ("53" if bracket else "")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError(f"{text!r}: the port must be a number from 1 to 65535.")
    try:
        return Resolver(address=str(ip_address(host)), port=int(port))
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address or ADDRESS:PORT.") from None


def line_to(resolver: Resolver, link: Link) -> Link | None:
    """The link to ask a resolver over; None for one next to another interface, which belongs to another line.

    What runs on this machine itself is asked without any binding, which would keep it from being reached.
    """
    if link.source is None and link.interface is None:
        return link
    address = ip_address(resolver.address)
    here = [(name, each) for name, addresses in _addresses().items() for each in addresses]
    if address.is_loopback or address in {each.ip for _, each in here}:
        return Link(name=link.name)
    scope = resolver.address.partition("%")[2]
    beside = {scope} if scope else {name for name, each in here if address in each.network}
    return link if not beside or link.interface in beside else None


def _addresses() -> dict[str, list[IPv4Interface | IPv6Interface]]:
    """Interface -> its addresses with their networks."""
    found: dict[str, list[IPv4Interface | IPv6Interface]] = {}
    for name, entries in psutil.net_if_addrs().items():
        for entry in entries:
            with contextlib.suppress(ValueError):  # a hardware address
                length = int(ip_address(entry.netmask)).bit_count() if entry.netmask else None
                address = entry.address.partition("%")[0]
                found.setdefault(name, []).append(ip_interface(address if length is None else (address, length)))
    return found


def _configured(path: str) -> list[Resolver]:
    """resolv.conf(5), line by line: one that cannot be read does not take the others with it."""
    found = []
    try:
        lines = Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
    for line in lines:
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            with contextlib.suppress(ValueError):
                found.append(Resolver(address=str(ip_address(words[1]))))
    return found
