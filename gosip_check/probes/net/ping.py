"""One ICMP echo through ping3, with our own socket, id and clock; what came back is never a bool.

ping3's own time is the wall clock minus what stands in the echoed payload, and its id is the same for every ping of a
thread, so a late answer counts for the next ping: here every ping has an id of its own, and only the pair of calls is
timed.
"""

import secrets
import socket
import struct
import time

import ping3
import ping3.errors

_OCTETS = 56
ping3.EXCEPTIONS = True


def ping(sock: socket.socket, address: str, sequence: int, timeout_s: float) -> float | None:
    """Milliseconds until the answer; None when none came, or a router said that none can come."""
    number = secrets.randbelow(65535) + 1
    started_ns = time.perf_counter_ns()
    try:
        ping3.send_one_ping(sock, address, number, sequence & 0xFFFF, _OCTETS)
        ping3.receive_one_ping(sock, number, sequence & 0xFFFF, timeout_s)
    except (ping3.errors.PingError, OSError, struct.error, ValueError):
        return None
    return (time.perf_counter_ns() - started_ns) / 1e6
