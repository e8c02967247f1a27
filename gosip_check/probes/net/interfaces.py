"""The interfaces of this machine: their addresses, who is beside them, whether they carry. Reads the system's tables.

Sends nothing.
"""

import contextlib
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface
from pathlib import Path

import psutil

from gosip_check.records import Link

_SYS = Path("/sys/class/net")


def addresses() -> dict[str, list[IPv4Interface | IPv6Interface]]:
    """Interface -> its addresses with their networks."""
    found: dict[str, list[IPv4Interface | IPv6Interface]] = {}
    for name, entries in psutil.net_if_addrs().items():
        for entry in entries:
            with contextlib.suppress(ValueError):  # a hardware address
                length = int(ip_address(entry.netmask)).bit_count() if entry.netmask else None
                address = entry.address.partition("%")[0]
                found.setdefault(name, []).append(ip_interface(address if length is None else (address, length)))
    return found


def is_this_machine(address: str) -> bool:
    """What is sent there does not leave this machine."""
    ip = ip_address(address.partition("%")[0])
    return ip.is_loopback or any(ip == each.ip for here in addresses().values() for each in here)


def way_to(address: str, link: Link) -> Link | None:
    """The link to reach somebody over; None for one next to another interface, who belongs to another line.

    What runs on this machine itself is reached without any binding, which would keep it from being reached.
    """
    if link.source is None and link.interface is None:
        return link
    if is_this_machine(address):
        return Link(name=link.name)
    host, _, scope = address.partition("%")
    beside = {scope} if scope else {name for name, here in addresses().items() if _is_beside(host, here)}
    return link if not beside or link.interface in beside else None


def interface_with(address: str) -> str | None:
    """The interface that has the address."""
    ip = ip_address(address.partition("%")[0])
    if ip.is_loopback:  # Linux answers on all of 127.0.0.0/8, and lists only the first
        return "lo"
    return next((name for name, here in addresses().items() if any(ip == each.ip for each in here)), None)


class Carrier:
    """The carrier of an interface from now on. What is lost together with it is not the line's doing."""

    def __init__(self, interface: str | None, sys_class_net: Path = _SYS) -> None:
        self._interface = interface
        self._file = sys_class_net / (interface or "") / "carrier_changes"
        self._changes = self._read()

    def disturbance(self) -> str | None:
        """What there is to say when the interface went down or came up since then."""
        if self._read() == self._changes:
            return None
        return (
            f"Meanwhile the interface {self._interface} of this machine went down or came up. So this may be the cable "
            "or the switch beside it, and not the line: run this again."
        )

    def _read(self) -> str | None:
        """How often it changed since the interface is there; None where it is not, or where nobody counts."""
        try:
            return self._file.read_text()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:  # no descriptor is left, say: nothing is known, so nothing has changed
            return getattr(self, "_changes", None)


def _is_beside(address: str, here: list[IPv4Interface | IPv6Interface]) -> bool:
    return any(ip_address(address) in each.network for each in here)
