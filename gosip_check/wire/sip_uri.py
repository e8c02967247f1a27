"""SIP URIs, and when two of them are the same: RFC 3261 19.1.4. Text only; only WireError escapes."""

import re
from dataclasses import dataclass
from ipaddress import ip_address

from gosip_check.wire.sip_fields import WireError, number, shown

_RESERVED = frozenset(";/?:@&=+$,%")
"What means something else when it is escaped (RFC 3261 25.1), and the sign of an escape itself."

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_MUST_MATCH = ("user", "ttl", "method", "maddr", "transport")
"Parameters that count even where only one of the two URIs has them."


@dataclass(frozen=True)
class Uri:
    """As it is to be compared: what is equivalent is equal here. `user` holds a password, too; None where absent.

    host: in small letters, an address in its shortest form, without brackets. params, headers: name -> value.
    """

    scheme: str
    user: str | None
    host: str
    port: int | None
    params: dict[str, str]
    headers: dict[str, str]


def read_uri(text: str) -> Uri:
    """A sip or sips URI. Raises WireError for any other, and for what cannot be read."""
    scheme, colon, rest = text.strip().partition(":")
    if not colon or scheme.lower() not in ("sip", "sips"):
        raise WireError(f"{shown(text)} is no SIP URI")
    before, at, after = rest.rpartition("@")
    place, _, headers = after.partition("?")
    host_port, *params = place.split(";")
    host, port = _host_and_port(host_port)
    return Uri(
        scheme.lower(),
        _unescaped(before) if at else None,
        host,
        port,
        {name.lower(): value.lower() for name, value in map(_pair, params) if name},
        {name.lower(): value for name, value in map(_pair, headers.split("&")) if name},
    )


def equivalent(one: str, other: str) -> bool:
    """Are they the same by RFC 3261 19.1.4? Where one cannot be read, only the same text is."""
    try:
        return _equivalent(read_uri(one), read_uri(other))
    except WireError:
        return one == other


def _equivalent(one: Uri, other: Uri) -> bool:
    if (one.scheme, one.user, one.host, one.port) != (other.scheme, other.user, other.host, other.port):
        return False
    names = {*_MUST_MATCH, *(one.params.keys() & other.params.keys())}
    return all(one.params.get(name) == other.params.get(name) for name in names) and one.headers == other.headers


def same_host(one: str, other: str) -> bool:
    """Names by their letters, whatever their case; addresses by what they stand for."""
    return host_key(one) == host_key(other)


def host_key(text: str) -> str:
    """What to compare a host by."""
    plain = text.strip("[]").lower()
    try:
        return str(ip_address(plain))
    except ValueError:
        return plain.rstrip(".")


def _host_and_port(text: str) -> tuple[str, int | None]:
    host, colon, port = text.rpartition(":")
    if not colon or "]" in port or (host.count(":") and not host.startswith("[")):
        host, port = text, ""
    if not host:
        raise WireError(f"no host in {shown(text)}")
    return host_key(host), number(port, "port", 65535) if port else None


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return _unescaped(name), _unescaped(value)


def _unescaped(text: str) -> str:
    """Without the escapes that change nothing; those that stay are in capitals."""

    def character(match: re.Match[str]) -> str:
        plain = chr(int(match[1], 16))
        return plain if plain.isascii() and plain.isprintable() and plain not in _RESERVED else match[0].upper()

    return _ESCAPE.sub(character, text)
