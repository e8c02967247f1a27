"""UDP sockets that tell all about a packet: kernel arrival time, TTL, TOS, the port it was sent to, what was dropped.

Reads and sends; knows nothing of what is inside.
"""

import contextlib
import socket
import struct
import sys
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
_RECEIVE_BUFFER = 32 << 20
_TOS_KINDS = (_IP_TOS, _IPV6_TCLASS)
_TTL_KINDS = (_IP_TTL, _IPV6_HOPLIMIT)
_PKTINFO_KINDS = (_IP_PKTINFO, _IPV6_PKTINFO)

SOCKET, IP, IPV6 = socket.SOL_SOCKET, socket.IPPROTO_IP, socket.IPPROTO_IPV6


class UdpEnd:
    """A bound, non-blocking UDP socket. `port` is its own; port 0 takes a free one.

    marks: packets carry the port they were sent to in their mark, because a redirect changed it (see `all_ports`).
    """

    def __init__(self, address: str, port: int, marks: bool = False) -> None:
        """Raises OSError."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._set_up(address, port, marks)
        except OSError:
            self.sock.close()
            raise
        self.port = int(self.sock.getsockname()[1])
        self.number = self.sock.fileno()
        self._tos = -1

    def _set_up(self, address: str, port: int, marks: bool) -> None:
        sock = self.sock
        sock.setblocking(False)
        sock.setsockopt(SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        with contextlib.suppress(OSError):  # above the system's limit only root may go
            sock.setsockopt(SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        sock.setsockopt(SOCKET, _SO_TIMESTAMPNS, 1)
        if marks:
            sock.setsockopt(SOCKET, _SO_RCVMARK, 1)
        # On a wildcard address an answer must be told which of the machine's addresses it is to come from.
        anywhere = address in ("0.0.0.0", "::")
        if sock.family == socket.AF_INET6:
            sock.setsockopt(IPV6, socket.IPV6_V6ONLY, 1)
            options = [_IPV6_RECVHOPLIMIT, _IPV6_RECVTCLASS, *([_IPV6_RECVPKTINFO] if anywhere else [])]
        else:
            options = [_IP_RECVTTL, _IP_RECVTOS, *([_IP_PKTINFO] if anywhere else [])]
        for option in options:
            sock.setsockopt(IPV6 if sock.family == socket.AF_INET6 else IP, option, 1)
        sock.bind((address, port))

    def receive(self) -> tuple[bytes, Arrival] | None:
        """One waiting packet, None when there is none."""
        while True:
            try:
                data, ancillary, _, sender = self.sock.recvmsg(_LARGEST_DATAGRAM, _ANCILLARY_OCTETS)
            except BlockingIOError:
                return None
            except OSError:  # an ICMP error about an earlier answer
                continue
            port = self.port
            ttl = tos = received_ns = 0
            to = b""
            # The numbers do not overlap between the levels that were asked for.
            for _, kind, value in ancillary:
                if kind == _SO_TIMESTAMPNS:
                    seconds, ns = _TIMESPEC.unpack(value)
                    received_ns = seconds * 1_000_000_000 + ns
                elif kind in _TOS_KINDS:
                    tos = value[0]
                elif kind in _TTL_KINDS:
                    ttl = value[0]
                elif kind in _PKTINFO_KINDS:
                    to = value
                elif kind == _SO_MARK and any(value):
                    port = int.from_bytes(value[2:4], "big")  # see `all_ports`
            return data, Arrival(sender[:2], port, ttl, tos, received_ns or time.time_ns(), to, self.number)

    def send(self, answer: Answer) -> bool:
        """Send from the address that the request came to. False where this machine would not."""
        try:
            if answer.tos != self._tos:
                self._mark(answer.tos)
            if not answer.arrival.to:
                self.sock.sendto(answer.data, answer.arrival.source)
                return True
            self.sock.sendmsg([answer.data], [self._from(answer.arrival.to)], 0, answer.arrival.source)
        except OSError:
            return False
        return True

    def drops(self) -> int:
        """How many packets the kernel dropped because the socket's buffer was full, since it was opened."""
        info = self.sock.getsockopt(SOCKET, _SO_MEMINFO, _MEMINFO_OCTETS)
        return int.from_bytes(info[_MEMINFO_DROPS_AT : _MEMINFO_DROPS_AT + 4], sys.byteorder)

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def _mark(self, tos: int) -> None:
        if self.sock.family == socket.AF_INET6:
            self.sock.setsockopt(IPV6, _IPV6_TCLASS, tos)
        else:
            self.sock.setsockopt(IP, _IP_TOS, tos)
        self._tos = tos

    def _from(self, to: bytes) -> tuple[int, int, bytes]:
        if self.sock.family == socket.AF_INET6:
            return IPV6, _IPV6_PKTINFO, to
        _, local, _ = _PKTINFO.unpack(to)
        return IP, _IP_PKTINFO, _PKTINFO.pack(0, local, bytes(4))
