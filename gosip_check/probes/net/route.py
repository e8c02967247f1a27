"""Has a line a route of its own? Asked of Linux by rtnetlink(7), which needs no privilege; sends nothing on the line.

A socket that is bound to an interface does not show it: Linux then takes every destination for a neighbour.
"""

import errno
import socket
import struct
from collections.abc import Callable

from gosip_check.records import Link

_HEADER = struct.Struct("=IHHII")
_ROUTE_MESSAGE = struct.Struct("=BBBBBBBBI")
_RTM_GETROUTE, _NLM_F_REQUEST, _NLMSG_ERROR = 26, 1, 2
_RTM_F_FIB_MATCH = 0x2000
_RTA_DST, _RTA_SRC, _RTA_OIF = 1, 2, 4
_TIMEOUT_S = 1.0


def has_route(link: Link, towards: str, open_netlink: Callable[[], socket.socket]) -> bool | None:
    """Does the routing of this machine lead from the link to an IPv4 address? None where the system does not say."""
    if link.interface is None or ":" in towards:
        return None
    attributes = _attribute(_RTA_DST, socket.inet_aton(towards))
    source = link.source if link.source is not None and ":" not in link.source else None
    try:
        attributes += _attribute(_RTA_OIF, struct.pack("=I", socket.if_nametoindex(link.interface)))
        if source is not None:
            attributes += _attribute(_RTA_SRC, socket.inet_aton(source))
        message = _ROUTE_MESSAGE.pack(socket.AF_INET, 32, 32 if source else 0, 0, 0, 0, 0, 0, _RTM_F_FIB_MATCH)
        size = _HEADER.size + len(message) + len(attributes)
        with open_netlink() as sock:
            sock.settimeout(_TIMEOUT_S)
            sock.send(_HEADER.pack(size, _RTM_GETROUTE, _NLM_F_REQUEST, 1, 0) + message + attributes)
            answer = sock.recv(8192)
    except OSError:
        return None
    if len(answer) < _HEADER.size + 4:
        return None
    if _HEADER.unpack_from(answer)[1] != _NLMSG_ERROR:
        return True
    code = -struct.unpack_from("=i", answer, _HEADER.size)[0]
    return False if code in (errno.ENETUNREACH, errno.EHOSTUNREACH) else None


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value
