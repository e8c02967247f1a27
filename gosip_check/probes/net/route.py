"""What does the routing of this machine do with a link? Asked of Linux by rtnetlink(7), which needs no privilege.

Has it a route of its own? A socket that is bound to an interface does not show it: Linux then takes every destination
for a neighbour. Does what comes back on it get in? Sends nothing on the line.
"""

import errno
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from gosip_check.records import Link

_HEADER = struct.Struct("=IHHII")
_ROUTE_MESSAGE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_RTM_GETROUTE, _NLM_F_REQUEST, _NLMSG_ERROR = 26, 1, 2
_RTM_F_FIB_MATCH = 0x2000
_RTA_DST, _RTA_SRC, _RTA_OIF = 1, 2, 4
_TIMEOUT_S = 1.0
_SETTINGS = Path("/proc/sys/net/ipv4/conf")
_STRICT = 1
"A value of rp_filter (ip-sysctl): RFC 3704 2.2, what comes in must be what would go out there."

OpenNetlink = Callable[[], socket.socket]


def has_route(link: Link, towards: str, open_netlink: OpenNetlink) -> bool | None:
    """Does the routing of this machine lead from the link to an IPv4 address? None where the system does not say."""
    if link.interface is None or ":" in towards:
        return None
    try:
        answer = _look_up(link.source, towards, open_netlink, _index(link.interface), _RTM_F_FIB_MATCH)
    except OSError as error:
        return False if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH) else None
    return None if answer is None else True


def drops_answers(link: Link, towards: str, open_netlink: OpenNetlink, settings: Path = _SETTINGS) -> bool:
    """Does this machine drop what an IPv4 address sends back over the link, because it would not go out there itself?

    The address of the link may have a routing table of its own, by which it would.
    """
    if link.interface is None or ":" in towards or not _is_strict(link.interface, settings):
        return False
    try:
        leads_to = _look_up(link.source, towards, open_netlink)
        return leads_to is not None and leads_to != _index(link.interface)
    except OSError:
        return False


def _is_strict(interface: str, settings: Path) -> bool:
    """The larger one of the value for all interfaces and that of its own counts."""
    try:
        return max(int((settings / name / "rp_filter").read_text()) for name in ("all", interface)) == _STRICT
    except (OSError, ValueError):
        return False


def _look_up(
    source: str | None, towards: str, open_netlink: OpenNetlink, over: int | None = None, flags: int = 0
) -> int | None:
    """The index of the interface that a route leads to, 0 where it names none. None where no answer came in time.

    Raises OSError: what the kernel says instead of a route.
    """
    source = None if source is None or ":" in source else source
    attributes = _attribute(_RTA_DST, socket.inet_aton(towards))
    attributes += b"" if over is None else _attribute(_RTA_OIF, struct.pack("=I", over))
    attributes += b"" if source is None else _attribute(_RTA_SRC, socket.inet_aton(source))
    message = _ROUTE_MESSAGE.pack(socket.AF_INET, 32, 32 if source else 0, 0, 0, 0, 0, 0, flags)
    size = _HEADER.size + len(message) + len(attributes)
    with open_netlink() as sock:
        sock.settimeout(_TIMEOUT_S)
        sock.send(_HEADER.pack(size, _RTM_GETROUTE, _NLM_F_REQUEST, 1, 0) + message + attributes)
        answer = sock.recv(8192)
    if len(answer) < _HEADER.size + 4:
        return None
    if _HEADER.unpack_from(answer)[1] == _NLMSG_ERROR:
        raise OSError(-struct.unpack_from("=i", answer, _HEADER.size)[0], "no route")
    at = _HEADER.size + _ROUTE_MESSAGE.size
    while at + _ATTRIBUTE.size <= len(answer):
        length, kind = _ATTRIBUTE.unpack_from(answer, at)
        if kind == _RTA_OIF:
            return int(struct.unpack_from("=I", answer, at + _ATTRIBUTE.size)[0])
        at += max(_ATTRIBUTE.size, (length + 3) & ~3)
    return 0


def _index(interface: str) -> int:
    return socket.if_nametoindex(interface)


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value
