"""Which IPv6 addresses did a resolver make out of IPv4 ones for a NAT64 (DNS64, RFC 6147)? Pure; asks nobody.

The prefix is the well-known one, or the one that shows itself in the AAAA records of ipv4only.arpa (RFC 7050), a name
that has two A records, known to everybody, and no others.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

KNOWN_NAME = "ipv4only.arpa"
"""RFC 7050 8.2."""

_KNOWN_ADDRESSES = (IPv4Address("192.0.0.170"), IPv4Address("192.0.0.171"))
_WELL_KNOWN = IPv6Network("64:ff9b::/96")
_LENGTHS = (32, 40, 48, 56, 64, 96)
_RESERVED_OCTET = 8


def prefixes(addresses_of_known_name: Iterable[str]) -> list[IPv6Network]:
    """The prefixes that addresses are made with, the well-known one first (RFC 7050 3, RFC 6052 2.1)."""
    shown = [
        IPv6Network((address, length), strict=False)
        for address in addresses_of_known_name
        for length in _LENGTHS
        if _embedded(IPv6Address(address), length) in _KNOWN_ADDRESSES
    ]
    return list(dict.fromkeys([_WELL_KNOWN, *shown]))


def original(address: str, made_with: Sequence[IPv6Network]) -> str | None:
    """The IPv4 address that this one was made of; None for one that was not made with any of the prefixes."""
    ip = ip_address(address)
    if not isinstance(ip, IPv6Address):
        return None
    return next((str(_embedded(ip, prefix.prefixlen)) for prefix in made_with if ip in prefix), None)


def _embedded(address: IPv6Address, length: int) -> IPv4Address:
    """RFC 6052 2.2: the four octets behind the prefix, past the reserved one."""
    places = [place for place in range(length // 8, 16) if place != _RESERVED_OCTET]
    return IPv4Address(bytes(address.packed[place] for place in places[:4]))
