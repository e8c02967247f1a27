"""Which DNS resolvers this machine uses. Reads system configuration; asks nobody."""

from ipaddress import ip_address

import dns.exception
import dns.resolver

from gosip_check.probes.dns_query import Resolver

_SYSTEMD_STUBS = {"127.0.0.53", "127.0.0.54"}
_SYSTEMD_UPSTREAMS = "/run/systemd/resolve/resolv.conf"


def system_resolvers() -> list[Resolver]:
    """The configured resolvers in their order; behind systemd-resolved's stub also those that it asks."""
    found = _configured(None)
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


def _configured(path: str | None) -> list[Resolver]:
    resolver = dns.resolver.Resolver(configure=False)
    try:
        if path is None:
            resolver = dns.resolver.Resolver(configure=True)
        else:
            resolver.read_resolv_conf(path)
    except (dns.exception.DNSException, OSError, ValueError):  # none configured, or a file that cannot be read
        return []
    return [Resolver(address=str(address), port=resolver.port) for address in resolver.nameservers]
