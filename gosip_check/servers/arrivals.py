"""UDP sockets that tell all about a packet: kernel arrival time, TTL, TOS, the port it was sent to, what was dropped.

Reads and sends; knows nothing of what is inside.
"""

import contextlib
import socket
import sys
import time

from gosip_check.servers.stamp_reflector import Answer, Arrival
from gosip_check.wire import linux

_LARGEST_DATAGRAM = 2048
_ANCILLARY_OCTETS = 256
_RECEIVE_BUFFER = 32 << 20
_TOS_KINDS = (socket.IP_TOS, socket.IPV6_TCLASS)
_TTL_KINDS = (socket.IP_TTL, socket.IPV6_HOPLIMIT)
_PKTINFO_KINDS = (linux.IP_PKTINFO, socket.IPV6_PKTINFO)

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
        self.too_long = 0
        self._tos = -1

    def _set_up(self, address: str, port: int, marks: bool) -> None:
        sock = self.sock
        sock.setblocking(False)
        sock.setsockopt(SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        with contextlib.suppress(OSError):  # above the system's limit only root may go
            sock.setsockopt(SOCKET, linux.SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        sock.setsockopt(SOCKET, linux.SO_TIMESTAMPNS, 1)
        if marks:
            sock.setsockopt(SOCKET, linux.SO_RCVMARK, 1)
        # On a wildcard address an answer must be told which of the machine's addresses it is to come from.
        anywhere = address in ("0.0.0.0", "::")
        if sock.family == socket.AF_INET6:
            sock.setsockopt(IPV6, socket.IPV6_V6ONLY, 1)
            options = [
                socket.IPV6_RECVHOPLIMIT,
                socket.IPV6_RECVTCLASS,
                *([socket.IPV6_RECVPKTINFO] if anywhere else []),
            ]
        else:
            options = [linux.IP_RECVTTL, socket.IP_RECVTOS, *([linux.IP_PKTINFO] if anywhere else [])]
        for option in options:
            sock.setsockopt(IPV6 if sock.family == socket.AF_INET6 else IP, option, 1)
        sock.bind((address, port))

    def receive(self) -> tuple[bytes, Arrival] | None:
        """One waiting packet, None when there is none. One that is too large to be read whole is left out."""
        while True:
            try:
                data, ancillary, flags, sender = self.sock.recvmsg(_LARGEST_DATAGRAM, _ANCILLARY_OCTETS)
            except BlockingIOError:
                return None
            except OSError:  # an ICMP error about an earlier answer
                continue
            if flags & socket.MSG_TRUNC:
                self.too_long += 1
                continue
            port = self.port
            ttl = tos = received_ns = 0
            to = b""
            # The numbers do not overlap between the levels that were asked for.
            for _, kind, value in ancillary:
                if kind == linux.SO_TIMESTAMPNS:
                    received_ns = linux.arrival_ns(value)
                elif kind in _TOS_KINDS:
                    tos = value[0]
                elif kind in _TTL_KINDS:
                    ttl = value[0]
                elif kind in _PKTINFO_KINDS:
                    to = value
                elif kind == socket.SO_MARK and any(value):
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

    def send_apart(self, answer: Answer) -> bool:
        """As `send`, on another thread: what this packet is marked with is told with it, and not to the socket."""
        level, kind = (IPV6, socket.IPV6_TCLASS) if self.sock.family == socket.AF_INET6 else (IP, socket.IP_TOS)
        ancillary = [(level, kind, answer.tos.to_bytes(4, sys.byteorder))]
        if answer.arrival.to:
            ancillary.append(self._from(answer.arrival.to))
        try:
            self.sock.sendmsg([answer.data], ancillary, 0, answer.arrival.source)
        except OSError:
            return False
        return True

    def drops(self) -> int:
        """How many packets the kernel dropped because the socket's buffer was full, since it was opened."""
        return linux.drops(self.sock.getsockopt(SOCKET, linux.SO_MEMINFO, linux.MEMINFO_OCTETS))

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def _mark(self, tos: int) -> None:
        if self.sock.family == socket.AF_INET6:
            self.sock.setsockopt(IPV6, socket.IPV6_TCLASS, tos)
        else:
            self.sock.setsockopt(IP, socket.IP_TOS, tos)
        self._tos = tos

    def _from(self, to: bytes) -> tuple[int, int, bytes]:
        if self.sock.family == socket.AF_INET6:
            return IPV6, socket.IPV6_PKTINFO, to
        _, local, _ = linux.PKTINFO.unpack(to)
        return IP, linux.IP_PKTINFO, linux.PKTINFO.pack(0, local, bytes(4))
