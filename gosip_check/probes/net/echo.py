"""A socket for many ICMP echoes to several hosts: sends them, and takes the answers with the kernel's time of arrival.

icmp(7): needs no root where the user's group is in `net.ipv4.ping_group_range`; with CAP_NET_RAW a raw socket does as
well. IPv4 only.
"""

import contextlib
import secrets
import socket
from typing import NamedTuple

from gosip_check.probes.net import flow, sockets
from gosip_check.probes.probe import ProbeFailed
from gosip_check.records import FailureKind, Link
from gosip_check.wire import icmp_echo, linux

ALLOW_ALL = "sysctl -w net.ipv4.ping_group_range='0 2147483647'"
"What lets every user send echoes, until the next start."

_RECEIVE_BUFFER = 1 << 20
_LARGEST, _ANCILLARY = 2048, 64
_ANY = "0.0.0.0"


class Answer(NamedTuple):
    """An echo reply. arrived_ns: Unix time, by the kernel."""

    address: str
    sequence: int
    payload: bytes
    arrived_ns: int


class EchoSocket:
    """Made by `open_echo`. Never blocks."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._is_raw = sock.type == socket.SOCK_RAW
        # A datagram socket has one of its own from the kernel, which writes it over this.
        self._identifier = secrets.randbelow(65535) + 1

    def close(self) -> None:
        self._sock.close()

    @property
    def drops(self) -> int:
        """How many packets the kernel dropped because nobody read them in time."""
        return flow.drops(self._sock)

    def send(self, address: str, sequence: int, payload: bytes) -> bool:
        """False where this machine did not let it out. An ICMP error about a packet before does not stop it."""
        message = icmp_echo.request(self._identifier, sequence, payload)
        for _ in range(2):
            try:
                self._sock.sendto(message, (address, 0))
                return True
            except OSError as error:
                if error.errno not in sockets.ICMP_ERRNOS:
                    return False
        return False

    def receive(self) -> Answer | None:
        """One waiting answer to this socket's own echoes; None when none waits."""
        while True:
            try:
                data, ancillary, _, sender = self._sock.recvmsg(_LARGEST, _ANCILLARY)
            except BlockingIOError:
                return None
            except OSError as error:
                if error.errno not in sockets.ICMP_ERRNOS:
                    return None
                continue
            reply = icmp_echo.parse_reply(icmp_echo.without_ip_header(data) if self._is_raw else data)
            if reply is None or (self._is_raw and reply.identifier != self._identifier):
                continue
            arrived_ns = 0
            for level, kind, value in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, linux.SO_TIMESTAMPNS):
                    arrived_ns = linux.arrival_ns(value)
            return Answer(str(sender[0]), reply.sequence, reply.payload, arrived_ns)


def is_allowed(link: Link) -> bool:
    """May this user send ICMP echoes on this line?"""
    sock = sockets.icmp_socket(link, _ANY)
    if sock is None:
        return False
    sock.close()
    return True


def open_echo(link: Link, dscp: int = 0) -> EchoSocket:
    """Raises ProbeFailed(permission) where this user may not send ICMP echoes. dscp: what marks them."""
    sock = sockets.icmp_socket(link, _ANY)
    if sock is None:
        words = f"This user may not send ICMP echoes. Allow it with `{ALLOW_ALL}`, or run this with sudo."
        raise ProbeFailed(FailureKind.PERMISSION, words)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, linux.SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    # Large echoes may be fragmented on the way: a smaller MTU there is not what is asked.
    sock.setsockopt(socket.IPPROTO_IP, linux.IP_MTU_DISCOVER, linux.IP_PMTUDISC_DONT)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
    if sock.type == socket.SOCK_RAW:
        with contextlib.suppress(OSError):
            sock.setsockopt(linux.SOL_RAW, linux.ICMP_FILTER, linux.ALL_ICMP_BUT_ECHO_REPLIES)
    return EchoSocket(sock)
