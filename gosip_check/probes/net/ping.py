"""One ICMP echo, sent through ping3 with our own socket, id and clock; what came back is never a bool.

ping3's own time is the wall clock minus what stands in the echoed payload, and its id is the same for every ping of a
thread, so a late answer counts for the next ping. Nor does it look at who answers. So here every ping has an id of its
own, its answer is read here, and it counts only from the host that was asked.
"""

import secrets
import select
import socket
import struct
import time
from ipaddress import ip_address

import ping3
import ping3.errors

_OCTETS = 56
_LARGEST = 2048
_HEADER = struct.Struct("!BBHHH")
"Type, code, checksum, identifier, sequence number (RFC 792, RFC 4443 4.2)."
_ECHO_REPLY, _ECHO_REPLY_6 = 0, 129
ping3.EXCEPTIONS = True


def ping(sock: socket.socket, address: str, sequence: int, timeout_s: float) -> float | None:
    """Milliseconds until the answer; None when none came."""
    number, sequence = secrets.randbelow(65535) + 1, sequence & 0xFFFF
    started_ns = time.perf_counter_ns()
    until_s = time.monotonic() + timeout_s
    try:
        ping3.send_one_ping(sock, address, number, sequence, _OCTETS)
        while select.select([sock], [], [], max(0.0, until_s - time.monotonic()))[0]:
            data, sender = sock.recvfrom(_LARGEST)
            if _same_host(sender[0], address) and _is_answer(sock, data, number, sequence):
                return (time.perf_counter_ns() - started_ns) / 1e6
    except (ping3.errors.PingError, OSError, struct.error, ValueError):
        return None
    return None


def _is_answer(sock: socket.socket, data: bytes, number: int, sequence: int) -> bool:
    """To the echo with this id and number. icmp(7): the datagram kind has an id of its own, and sees no other."""
    is_raw = sock.type == socket.SOCK_RAW
    if is_raw and sock.family == socket.AF_INET and data:
        data = data[(data[0] & 0xF) * 4 :]  # behind the IP header
    if len(data) < _HEADER.size:
        return False
    kind, code, _, own, count = _HEADER.unpack_from(data)
    expected = _ECHO_REPLY_6 if sock.family == socket.AF_INET6 else _ECHO_REPLY
    return (kind, code, count) == (expected, 0, sequence) and (own == number or not is_raw)


def _same_host(sender: str, address: str) -> bool:
    """The kernel may name a sender without the scope that we wrote."""
    return ip_address(sender.partition("%")[0]) == ip_address(address.partition("%")[0])
