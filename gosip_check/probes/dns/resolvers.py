"""Which DNS resolvers this machine uses, and over which line. Reads system configuration; asks nobody."""

import contextlib
import re
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from msgspec.structs import replace

from gosip_check.probes.dns.query import USUAL_OPTIONS, Resolver, StubOptions
from gosip_check.probes.net import interfaces
from gosip_check.probes.probe import ProbeFailed
from gosip_check.records import FailureKind, Link, Record

_RESOLV_CONF = "/etc/resolv.conf"
_MOST_ASKED = 3
"MAXNS of resolv.conf(5): libc asks no resolver of a later line."

_ASSUMED = "127.0.0.1"
"What glibc asks where no line names a resolver."

_SYSTEMD_STUBS = {"127.0.0.53", "127.0.0.54"}
_SYSTEMD_UPSTREAMS = "/run/systemd/resolve/resolv.conf"

_LONGEST_TIMEOUT_S, _MOST_ATTEMPTS = 30, 5
"RES_MAXRETRANS and RES_MAXRETRY of glibc."


class Stub(Record, frozen=True):
    """The stub resolver of this machine, as libc is one: `own` are those that it asks, in their order.

    upstream: those that a stub on this machine, systemd-resolved's, asks in turn, all of them for some names or for
    every name. beyond: of lines behind those that libc reads. Both are for comparison. is_assumed: no line names one.
    """

    own: list[Resolver] = []
    upstream: list[Resolver] = []
    beyond: list[Resolver] = []
    options: StubOptions = USUAL_OPTIONS
    is_assumed: bool = False


def system_stub(resolv_conf: str = _RESOLV_CONF) -> Stub:
    """resolv.conf(5) as glibc reads it; a file that cannot be read is an empty one."""
    listed, options = _read(resolv_conf)
    own = list(dict.fromkeys(listed[:_MOST_ASKED])) or [Resolver(_ASSUMED)]
    has_stub = any(resolver.address in _SYSTEMD_STUBS for resolver in own)
    upstream = _read(_SYSTEMD_UPSTREAMS)[0] if has_stub else []
    return Stub(
        own=own,
        upstream=[resolver for resolver in dict.fromkeys(upstream) if resolver not in own],
        beyond=[resolver for resolver in dict.fromkeys(listed[_MOST_ASKED:]) if resolver not in own + upstream],
        options=options,
        is_assumed=not listed,
    )


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
        return Resolver(address=_reached_at(ip_address(host)), port=int(port))
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address or ADDRESS:PORT.") from None


def named_resolvers(texts: Iterable[str]) -> list[Resolver]:
    """Those that a person named. Raises ProbeFailed(unsupported) for one that cannot be: no fault of the site."""
    try:
        return [parse_resolver(text) for text in texts]
    except ValueError as error:
        raise ProbeFailed(FailureKind.UNSUPPORTED, f"The resolver to ask: {error}") from error


def line_to(resolver: Resolver, link: Link) -> Link | None:
    """The link to ask a resolver over; None for one next to another interface, which belongs to another line."""
    return interfaces.way_to(resolver.address, link)


def _read(path: str) -> tuple[list[Resolver], StubOptions]:
    """The resolvers and the options. glibc knows a keyword at the very start of a line and before a blank only."""
    try:
        lines = Path(path).read_bytes().decode("latin-1").split("\n")
    except OSError:
        return [], USUAL_OPTIONS
    resolvers: list[Resolver] = []
    options = USUAL_OPTIONS
    for line in lines:
        keyword, *values = re.split(r"[ \t]+", line.partition("\0")[0])
        if keyword == "nameserver" and values and (address := _address(values[0])):
            resolvers.append(Resolver(address))
        elif keyword == "options":
            options = _with_options(options, " ".join(values))
    return resolvers, options


def _address(text: str) -> str | None:
    """The address that a `nameserver` line means; None for what glibc passes over, such as one with a port."""
    if re.search(r"\s", text):
        return None  # inet_aton(3) would stop there
    with contextlib.suppress(OSError):  # 127.1, 0x7f.1 and 010.0.0.1 are addresses as well
        return _reached_at(ip_address(socket.inet_aton(text)))
    host, _, scope = text.partition("%")
    try:
        address = ip_address(socket.inet_pton(socket.AF_INET6, host))
    except OSError:
        return None
    is_scoped = scope and "%" not in scope and address.is_link_local
    return f"{address}%{scope}" if is_scoped else _reached_at(address)


def _reached_at(address: IPv4Address | IPv6Address) -> str:
    """What is sent to the unspecified address goes to this machine itself; an IPv4 address in IPv6 is one (ip(7))."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    if address.is_unspecified:
        return "::1" if address.version == 6 else "127.0.0.1"
    return str(address) if mapped is None else _reached_at(mapped)


def _with_options(options: StubOptions, line: str) -> StubOptions:
    """An `options` line; what is not known here is passed over, and the last one of a kind counts."""
    for name, number in re.findall(r"(?<![^ \t])(timeout|attempts):[ \t]*([+-]?[0-9]{1,9})", line):
        if name == "timeout":
            options = replace(options, timeout_s=float(min(max(int(number), 1), _LONGEST_TIMEOUT_S)))
        else:
            options = replace(options, attempts=min(max(int(number), 1), _MOST_ATTEMPTS))
    rotate, edns0, use_vc = (re.search(rf"(?<![^ \t]){word}", line) for word in ("rotate", "edns0", "use-vc"))
    return replace(
        options,
        rotate=options.rotate or bool(rotate),
        edns0=options.edns0 or bool(edns0),
        use_vc=options.use_vc or bool(use_vc),
    )
