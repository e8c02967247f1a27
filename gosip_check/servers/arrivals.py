"""UDP sockets that tell all about a packet: kernel arrival time, TTL, TOS, the port it was sent to, what was dropped.

Linux only. Reads and sends; knows nothing of what is inside.
"""

import contextlib
import socket
import struct
import time

from gosip_check.servers.stamp_reflector import Answer, Arrival

# <asm-generic/socket.h>, <linux/in.h> and <linux/in6.h>; the socket module does not name them all.
_SO_TIMESTAMPNS = 35
_SO_RCVBUFFORCE = 33
_SO_MEMINFO = 55
_SO_RCVMARK = 75
_SO_MARK = 36
_IP_TOS = 1
_IP_TTL = 2
_IP_PKTINFO = 8
_IP_RECVTTL = 12
_IP_RECVTOS = 13
_IPV6_RECVPKTINFO = 49
_IPV6_PKTINFO = 50
_IPV6_RECVHOPLIMIT = 51
_IPV6_HOPLIMIT = 52
_IPV6_RECVTCLASS = 66
_IPV6_TCLASS = 67

_TIMESPEC = struct.Struct("=qq")
_INT = struct.Struct("=i")
_PKTINFO = struct.Struct("=I4s4s")
_MEMINFO_OCTETS = 36
_MEMINFO_DROPS_AT = 32
_LARGEST_DATAGRAM = 2048
_ANCILLARY_OCTETS = 256
_RECEIVE_BUFFER = 8 << 20

SOCKET, IP, IPV6 = socket.SOL_SOCKET, socket.IPPROTO_IP, socket.IPPROTO_IPV6


def open_socket(address: str, port: int) -> socket.socket:
    """A bound, non-blocking UDP socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        with contextlib.suppress(OSError):  # above the system's limit only root may go
            sock.setsockopt(SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        with contextlib.suppress(OSError):  # root, Linux 5.19: the mark holds the port that a redirect has changed
            sock.setsockopt(SOCKET, _SO_RCVMARK, 1)
        sock.setsockopt(SOCKET, _SO_TIMESTAMPNS, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(IPV6, socket.IPV6_V6ONLY, 1)
            for option in (_IPV6_RECVPKTINFO, _IPV6_RECVHOPLIMIT, _IPV6_RECVTCLASS):
                sock.setsockopt(IPV6, option, 1)
        else:
            for option in (_IP_PKTINFO, _IP_RECVTTL, _IP_RECVTOS):
                sock.setsockopt(IP, option, 1)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def receive(sock: socket.socket, port: int) -> tuple[bytes, Arrival] | None:
    """One waiting packet, None when there is none. `port` is the socket's own, where nothing tells another."""
    while True:
        try:
            data, ancillary, _, sender = sock.recvmsg(_LARGEST_DATAGRAM, _ANCILLARY_OCTETS)
        except BlockingIOError:
            return None
        except OSError:  # an ICMP error about an earlier answer
            continue
        ttl = tos = received_ns = 0
        to = b""
        for level, kind, value in ancillary:
            if level == SOCKET and kind == _SO_TIMESTAMPNS:
                seconds, ns = _TIMESPEC.unpack_from(value)
                received_ns = seconds * 1_000_000_000 + ns
            elif level == SOCKET and kind == _SO_MARK:
                port = _INT.unpack_from(value)[0] & 0xFFFF or port
            elif (level, kind) in ((IP, _IP_TTL), (IPV6, _IPV6_HOPLIMIT)):
                ttl = _INT.unpack_from(value)[0]
            elif (level, kind) in ((IP, _IP_TOS), (IPV6, _IPV6_TCLASS)):
                tos = value[0]
            elif (level, kind) in ((IP, _IP_PKTINFO), (IPV6, _IPV6_PKTINFO)):
                to = value
        source = (str(sender[0]), int(sender[1]))
        return data, Arrival(source, port, ttl, tos, received_ns or time.time_ns(), to, sock.fileno())


def send(sock: socket.socket, answer: Answer) -> bool:
    """Send from the address that the request came to. False where this machine would not."""
    to = answer.arrival.to
    options: list[tuple[int, int, bytes]] = []
    if sock.family == socket.AF_INET6:
        options.append((IPV6, _IPV6_TCLASS, _INT.pack(answer.tos)))
        if to:
            options.append((IPV6, _IPV6_PKTINFO, to))
    else:
        options.append((IP, _IP_TOS, _INT.pack(answer.tos)))
        if to:
            _, local, _ = _PKTINFO.unpack_from(to)
            options.append((IP, _IP_PKTINFO, _PKTINFO.pack(0, local, bytes(4))))
    try:
        sock.sendmsg([answer.data], options, 0, answer.arrival.source)
    except OSError:
        return False
    return True


def drops(sock: socket.socket) -> int:
    """How many packets the kernel dropped because this socket's buffer was full, since it was opened."""
    info = sock.getsockopt(SOCKET, _SO_MEMINFO, _MEMINFO_OCTETS)
    return int.from_bytes(info[_MEMINFO_DROPS_AT : _MEMINFO_DROPS_AT + 4], "little")
