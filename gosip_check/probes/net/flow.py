"""Sockets for media: a connected UDP flow whose packets the kernel stamps as they arrive. `net` opens it.

Sends and receives bytes and never parses them. Because the kernel keeps the arrival time, a flow need not be read at
once: its buffer holds some seconds of one channel.
"""

import contextlib
import socket

from gosip_check.probes.net import sockets
from gosip_check.records import Link
from gosip_check.wire import linux

_LARGEST_DATAGRAM = 2048
_ANCILLARY_OCTETS = 128
_RECEIVE_BUFFER = 1 << 19


def open_flow(link: Link, address: str, port: int, dscp: int) -> socket.socket:
    """A non-blocking UDP socket from a fresh port of the link to one far port, its packets marked with `dscp`.

    Raises ProbeFailed where the kernel has no way to the address, and whatever `udp_socket` raises.
    """
    sock = sockets.udp_socket(link, sockets.family_of(address))
    try:
        _prepare(sock, dscp)
        sock.connect((address, port))
    except OSError as error:
        sock.close()
        there = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        raise sockets.local_trouble(error, f"a media flow to {there}") from error
    return sock


def adopt(link: Link, descriptor: int, dscp: int) -> socket.socket:
    """A connected UDP socket that another process of ours has opened, made ready in the same way."""
    sock = sockets.adopt(link, descriptor)
    _prepare(sock, dscp)
    return sock


def _prepare(sock: socket.socket, dscp: int) -> None:
    sock.setsockopt(socket.SOL_SOCKET, linux.SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    with contextlib.suppress(OSError):  # a system that will not mark says so by what the far end sees
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)


def send(sock: socket.socket, data: bytes | bytearray) -> None:
    """Send one packet. Twice stopped by an ICMP error about packets before, it counts as lost: that is the path's word.

    Raises OSError for what this machine itself refused, as no ICMP error tells.
    """
    for _ in range(2):
        try:
            sock.send(data)
            return
        except OSError:
            if not sockets.read_icmp_errors(sock):
                raise


def receive(sock: socket.socket) -> tuple[bytes, int, int] | None:
    """One waiting packet: its bytes, when it arrived in Unix nanoseconds, its DSCP. None when none waits."""
    while True:
        try:
            data, ancillary, _, _ = sock.recvmsg(_LARGEST_DATAGRAM, _ANCILLARY_OCTETS)
        except BlockingIOError:
            return None
        except OSError:  # an ICMP error; packets that it is about show as lost
            sockets.read_icmp_errors(sock)  # so that `send` finds only its own
            continue
        arrived_ns = tos = 0
        for level, kind, value in ancillary:
            if kind == linux.SO_TIMESTAMPNS and level == socket.SOL_SOCKET:
                arrived_ns = linux.arrival_ns(value)
            elif kind in (socket.IP_TOS, socket.IPV6_TCLASS):
                tos = value[0]
        return data, arrived_ns, tos >> 2


def drops(sock: socket.socket) -> int:
    """How many packets the kernel dropped because nobody read them in time."""
    return linux.drops(sock.getsockopt(socket.SOL_SOCKET, linux.SO_MEMINFO, linux.MEMINFO_OCTETS))


def dscp(sock: socket.socket) -> int:
    """The marking that the system accepted for what this flow sends."""
    if sock.family == socket.AF_INET6:
        return sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) >> 2
    return sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) >> 2
