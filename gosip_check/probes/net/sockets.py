"""Sockets: the only file that opens them. Sends and receives bytes, reads ICMP errors; never judges or parses payloads.

Every socket asks for extended errors (`IP_RECVERR`, ip(7)), which needs no privilege: an ICMP error then arrives with
its sender, type, code and the quoted part of our own packet.
"""

import contextlib
import errno
import select
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from gosip_check.probes.net import route
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind, Link

# From <linux/in.h>, <linux/in6.h> and <linux/errqueue.h>; the socket module does not name them all.
_IP_RECVERR = 11
_IPV6_RECVERR = 25
_IP_RECVERR_RFC4884 = 26
_IP_RECVTTL = 12
_IP_TTL = 2
_SO_EE_ORIGIN_ICMP = 2
_SO_EE_ORIGIN_ICMP6 = 3
_SOCK_EXTENDED_ERR = struct.Struct("=IBBBBIHBB")

# What a pending ICMP error makes the next call on its socket say; the call has then not been carried out.
ICMP_ERRNOS = {
    errno.ECONNREFUSED,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EACCES,
    errno.EPROTO,
    errno.ENOPROTOOPT,
    errno.EMSGSIZE,
    errno.EHOSTDOWN,
    errno.ENONET,
    errno.EOPNOTSUPP,
}

_LARGEST_DATAGRAM = 65535
_STOP_LATENCY_S = 0.1
_MOST_AT_ONCE = 256
"So many datagrams or errors are read before the clock is looked at again: whoever sends without end is not waited for."


@dataclass(frozen=True)
class Datagram:
    """A received UDP payload. `at_s`: time.monotonic() when it was read; `ttl`: None where the system is silent."""

    data: bytes
    address: str
    port: int
    at_s: float
    ttl: int | None = None

    def is_from(self, address: str, port: int) -> bool:
        """Compared as addresses. The kernel names a sender without its scope, a link-local peer is written with it."""
        return self.port == port and ip_address(self.address) == ip_address(address.partition("%")[0])


@dataclass(frozen=True)
class IcmpError:
    """An ICMP error about one of our packets.

    quoted: what the sender quoted of our payload, as it saw it; may be short or empty.
    quoted_length: RFC 4884 length of the original datagram field behind the IP and transport header, 0 where not given.
    mtu: what a "fragmentation needed" says of the next hop (RFC 1191 4), 0 for every other error.
    """

    kind: FailureKind
    version: int
    type: int
    code: int
    sender: str
    destination: tuple[str, int] | None
    quoted: bytes
    quoted_length: int
    at_s: float
    mtu: int = 0

    @property
    def name(self) -> str:
        """The error in words, e.g. `administratively prohibited`."""
        kinds = _ICMP if self.version == 4 else _ICMP6
        words, _ = kinds.get((self.type, self.code), ("", None))
        return words or f"ICMP type {self.type} code {self.code}"


# (type, code) -> words, and what it means for the packet. RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1.
_ICMP = {
    (3, 0): ("network unreachable", FailureKind.UNREACHABLE),
    (3, 1): ("host unreachable", FailureKind.UNREACHABLE),
    (3, 2): ("protocol unreachable", FailureKind.REFUSED),
    (3, 3): ("port unreachable", FailureKind.REFUSED),
    (3, 4): ("fragmentation needed", FailureKind.UNREACHABLE),
    (3, 9): ("network administratively prohibited", FailureKind.PROHIBITED),
    (3, 10): ("host administratively prohibited", FailureKind.PROHIBITED),
    (3, 13): ("administratively prohibited", FailureKind.PROHIBITED),
    (11, 0): ("time exceeded in transit", FailureKind.UNREACHABLE),
    (11, 1): ("fragment reassembly time exceeded", FailureKind.UNREACHABLE),
}
# RFC 4443 3.
_ICMP6 = {
    (1, 0): ("no route to destination", FailureKind.UNREACHABLE),
    (1, 1): ("administratively prohibited", FailureKind.PROHIBITED),
    (1, 3): ("address unreachable", FailureKind.UNREACHABLE),
    (1, 4): ("port unreachable", FailureKind.REFUSED),
    (1, 5): ("source address failed ingress/egress policy", FailureKind.PROHIBITED),
    (1, 6): ("reject route to destination", FailureKind.PROHIBITED),
    (2, 0): ("packet too big", FailureKind.UNREACHABLE),
    (3, 0): ("hop limit exceeded in transit", FailureKind.UNREACHABLE),
}


class _LoopbackSocket(socket.socket):
    """Refuses every destination but this machine, before the kernel is asked: nothing of a demo leaves it.

    The kernel would refuse most: not where it routes loopback addresses (`route_localnet`), nor another family.
    """

    def connect(self, address: Any, /) -> None:
        refuse_elsewhere(address[0])
        super().connect(address)

    def connect_ex(self, address: Any, /) -> int:
        refuse_elsewhere(address[0])
        return super().connect_ex(address)

    def sendto(self, *args: Any) -> int:
        refuse_elsewhere(args[-1][0])
        return super().sendto(*args)


class ConnectFailed(ProbeFailed):
    """A TCP connection did not come about. `icmp` is the error that ended it, None for a reset or silence."""

    def __init__(self, kind: FailureKind, message: str, icmp: IcmpError | None = None) -> None:
        super().__init__(kind, message, icmp.sender if icmp else None)
        self.icmp = icmp


def family_of(address: str) -> socket.AddressFamily:
    """AF_INET or AF_INET6. Raises ValueError for anything but an IP address literal."""
    return socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET


def refuse_elsewhere(host: str) -> None:
    """For what may use the loopback only. Raises ProbeFailed(unsupported) for an address beyond it, and for any name:
    looking one up would ask a resolver.
    """
    try:
        is_here = ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        is_here = False
    if not is_here:
        raise ProbeFailed(FailureKind.UNSUPPORTED, f"{host} was not asked: over the loopback only this machine is.")


def udp_socket(link: Link, family: socket.AddressFamily = socket.AF_INET, port: int = 0) -> socket.socket:
    """A non-blocking UDP socket, bound to the link's address and to `port` (0: a fresh one), not connected.

    Raises ProbeFailed: permission or unsupported for what this machine refuses, unreachable without an address.
    """
    sock = _open(link, family, socket.SOCK_DGRAM)
    try:
        sock.bind((_source(link, family), port))
    except OSError as error:
        sock.close()
        raise _local_trouble(error, f"binding UDP port {port} on {link.source or 'any address'}") from error
    return sock


def icmp_socket(link: Link, address: str) -> socket.socket | None:
    """A socket for ICMP echo to `address`, not connected; None where neither kind is allowed.

    icmp(7): the datagram kind needs no root where `net.ipv4.ping_group_range` has the user's group.
    """
    family = family_of(address)
    protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            sock = _class_for(link)(family, kind, protocol)
        except OSError:
            continue
        if link.source is not None and family_of(link.source) == family:
            with contextlib.suppress(OSError):
                sock.bind((link.source, 0))
        return sock
    return None


def tcp_connect(
    context: Context, address: str, port: int, timeout_s: float, *, ttl: int | None = None, segment: int | None = None
) -> socket.socket:
    """A connected, non-blocking TCP socket. `ttl` limits how far its packets travel, `segment` how large they are.

    Raises ConnectFailed: refused (a reset, or ICMP port unreachable), prohibited, unreachable, timeout.
    """
    sock = _open(context.link, family_of(address), socket.SOCK_STREAM)
    try:
        sock.bind((_source(context.link, sock.family), 0))
        if ttl is not None:
            limit_ttl(sock, ttl)
        if segment is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
        _connect(sock, context, address, port, timeout_s)
    except OSError as error:
        sock.close()
        raise _local_trouble(error, f"connecting to {address}:{port}/TCP") from error
    except ProbeFailed:
        sock.close()
        raise
    return sock


def local_address(sock: socket.socket) -> tuple[str, int]:
    """The address and port that a socket is bound to."""
    name = sock.getsockname()
    return str(name[0]), int(name[1])


def source_address(link: Link, towards: str) -> str:
    """The local address that packets to `towards` leave from. Sends nothing.

    Raises ProbeFailed: unreachable when there is no route, or when the link's address is not (any more) this machine's.
    """
    if route.has_route(link, towards, _netlink) is False:
        raise ProbeFailed(FailureKind.UNREACHABLE, f"There is no route to {towards} over {link.interface}.")
    with _open(link, family_of(towards), socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((_source(link, sock.family), 0))
            sock.connect(_place(towards, 9))
        except OSError as error:
            raise _local_trouble(error, f"looking for a route to {towards}") from error
        return local_address(sock)[0]


def limit_ttl(sock: socket.socket, ttl: int) -> None:
    """Let what the socket sends from now on die after `ttl` hops."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_TTL, ttl)


def send_to(sock: socket.socket, data: bytes, address: str, port: int, *, ttl: int | None = None) -> None:
    """Send one datagram. An ICMP error that is pending on the socket does not stop it. `ttl` limits how far it travels.

    Raises ProbeFailed when this machine itself cannot send: no route, or forbidden by a local firewall.
    """
    if ttl is not None:
        limit_ttl(sock, ttl)
    for _ in range(2):  # the first call may only deliver an error left over from an earlier packet
        try:
            sock.sendto(data, _place(address, port))
            return
        except OSError as error:
            trouble = error
    raise _local_trouble(trouble, f"sending to {address}:{port}/UDP")


def wait_readable(context: Context, socks: Sequence[socket.socket], until_s: float) -> list[socket.socket]:
    """The sockets that have data or an ICMP error, as soon as one has; empty once time.monotonic() reaches `until_s`.

    Raises ProbeFailed(interrupted) when the run is stopped.
    """
    poll = select.poll()
    by_number = {sock.fileno(): sock for sock in socks}
    for number in by_number:
        poll.register(number, select.POLLIN)  # POLLERR, the error queue, is always reported
    while True:
        context.check()
        left_s = until_s - time.monotonic()
        ready = poll.poll(max(0, min(left_s, _STOP_LATENCY_S)) * 1000)
        if ready or left_s <= 0:
            return [by_number[number] for number, _ in ready]


def read_datagrams(sock: socket.socket) -> list[Datagram]:
    """The datagrams that wait on the socket, some of them where there are very many."""
    found: list[Datagram] = []
    for _ in range(_MOST_AT_ONCE):
        try:
            data, ancillary, _, sender = sock.recvmsg(_LARGEST_DATAGRAM, 64)
        except BlockingIOError:
            return found
        except OSError as error:
            if error.errno not in ICMP_ERRNOS:
                raise
            continue  # an ICMP error, which `read_icmp_errors` tells in full; reading it here has cleared it
        found.append(Datagram(data, str(sender[0]), int(sender[1]), time.monotonic(), _ttl(ancillary)))
    return found


def read_icmp_errors(sock: socket.socket) -> list[IcmpError]:
    """The ICMP errors that wait in the socket's error queue."""
    found: list[IcmpError] = []
    for _ in range(_MOST_AT_ONCE):
        try:
            data, ancillary, _, destination = sock.recvmsg(_LARGEST_DATAGRAM, 512, socket.MSG_ERRQUEUE)
        except OSError:
            return found
        for level, kind, value in ancillary:
            if (level, kind) in ((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)):
                error = _icmp_error(data, value, destination)
                if error is not None:
                    found.append(error)
    return found


def _netlink() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)


def _open(link: Link, family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
    """Where the link names an interface, nothing leaves through another one (unprivileged since Linux 5.7)."""
    try:
        sock = _class_for(link)(family, kind)
        if link.interface is not None and not link.is_loopback:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.interface.encode())
    except OSError as error:
        raise _local_trouble(error, f"opening a socket{f' on {link.interface}' if link.interface else ''}") from error
    sock.setblocking(False)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        with contextlib.suppress(OSError):  # kernels before 5.9 do not know it: quotes then come without a length
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR_RFC4884, 1)
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
    return sock


def _class_for(link: Link) -> type[socket.socket]:
    return _LoopbackSocket if link.is_loopback else socket.socket


def _source(link: Link, family: socket.AddressFamily) -> str:
    if link.source is not None and family_of(link.source) == family:
        return link.source
    return "::" if family == socket.AF_INET6 else "0.0.0.0"


def _place(address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """The sockaddr. Python drops the scope of `fe80::1%eth0` unless it stands there as a number."""
    host, _, scope = address.partition("%")
    if not scope:
        return address, port
    return host, port, 0, int(scope) if scope.isdigit() else socket.if_nametoindex(scope)


def _connect(sock: socket.socket, context: Context, address: str, port: int, timeout_s: float) -> None:
    until_s = time.monotonic() + timeout_s
    place = f"{address}:{port}/TCP"
    code = sock.connect_ex(_place(address, port))
    if code not in (0, errno.EINPROGRESS):
        raise OSError(code, "connect")
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    while not poll.poll(_STOP_LATENCY_S * 1000):
        context.check()
        if time.monotonic() > until_s:
            raise ConnectFailed(FailureKind.TIMEOUT, f"{place} did not answer within {timeout_s:g} s.")
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    errors = read_icmp_errors(sock)
    if errors:
        icmp = errors[-1]
        raise ConnectFailed(icmp.kind, f"{icmp.sender} answered the connection to {place}: {icmp.name}.", icmp)
    if code in (errno.ECONNREFUSED, errno.ECONNRESET):
        raise ConnectFailed(FailureKind.REFUSED, f"{place} answered with a reset.")
    if code == errno.ETIMEDOUT:
        raise ConnectFailed(FailureKind.TIMEOUT, f"{place} did not answer.")
    if code:
        raise OSError(code, "connect")


def _ttl(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    for level, kind, value in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, _IP_TTL) and len(value) >= 4:
            return int(struct.unpack_from("=i", value)[0])
    return None


def _icmp_error(data: bytes, value: bytes, destination: object) -> IcmpError | None:
    """ip(7): struct sock_extended_err, followed by the sockaddr of the host that sent the error."""
    if len(value) < _SOCK_EXTENDED_ERR.size:
        return None
    _, origin, kind, code, _, info, length, _, _ = _SOCK_EXTENDED_ERR.unpack_from(value)
    offender = value[_SOCK_EXTENDED_ERR.size :]
    if origin == _SO_EE_ORIGIN_ICMP and len(offender) >= 8:
        version, meanings, sender = 4, _ICMP, socket.inet_ntop(socket.AF_INET, offender[4:8])
    elif origin == _SO_EE_ORIGIN_ICMP6 and len(offender) >= 24:
        version, meanings, sender = 6, _ICMP6, socket.inet_ntop(socket.AF_INET6, offender[8:24])
    else:
        return None
    _, failure = meanings.get((kind, code), ("", FailureKind.UNREACHABLE))
    mtu = info if (version, kind, code) in ((4, 3, 4), (6, 2, 0)) else 0
    place = (str(destination[0]), int(destination[1])) if isinstance(destination, tuple) else None
    return IcmpError(failure, version, kind, code, sender, place, data, length, time.monotonic(), mtu)


def _local_trouble(error: OSError, doing: str) -> ProbeFailed:
    """What this machine itself refused. EPERM on sending is what Linux says when its own firewall drops the packet."""
    words = f"This machine refused {doing}: {error.strerror or error}."
    if error.errno in (errno.EACCES, errno.EPERM):
        return ProbeFailed(FailureKind.PERMISSION, words)
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL):
        return ProbeFailed(FailureKind.UNREACHABLE, words)
    return ProbeFailed(FailureKind.UNSUPPORTED, words)
