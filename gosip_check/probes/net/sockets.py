"""Sockets: the only file that opens them. Sends and receives bytes, reads ICMP errors; never judges or parses payloads.

Every socket is bound to its link. Where the link names an interface, that takes SO_BINDTODEVICE: the address alone
leaves the way to the routing table, and IP_UNICAST_IF does so for TCP. No privilege is needed since Linux 5.7.

Every socket asks for extended errors (`IP_RECVERR`, ip(7)), which needs no privilege: an ICMP error then arrives with
its sender, type, code and the quoted part of our own packet. An error without one is of this machine itself, and says
nothing of the site. One that quotes a datagram to somebody to whom this socket sent none is not believed.
"""

import contextlib
import dataclasses
import errno
import functools
import os
import select
import socket
import ssl
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from gosip_check.probes.net import icmp, interfaces, route, segments
from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.net.peers import LinkSocket, LoopbackSocket
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind, Link
from gosip_check.wire import linux

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

_DROPS_ANSWERS = (
    "This machine drops what comes back over {0}, because its own way out leads over another interface (reverse path "
    "filter). Run `sysctl -w net.ipv4.conf.{0}.rp_filter=2` for the time of this test."
)
_LARGEST_DATAGRAM = 65535
_STOP_LATENCY_S = 0.1
_MOST_AT_ONCE = 64
"So many datagrams or errors are read before the clock is looked at again: whoever sends without end is not waited for."


@dataclass(frozen=True)
class Datagram:
    """A received UDP payload. `at_s`: time.monotonic() when it was read."""

    data: bytes
    address: str
    port: int
    at_s: float

    def is_from(self, address: str, port: int) -> bool:
        """Compared as addresses. The kernel names a sender without its scope, a link-local peer is written with it."""
        return self.port == port and ip_address(self.address) == ip_address(address.partition("%")[0])


Arrivals = tuple[socket.socket, list[Datagram], list[IcmpError]]
"A socket, the datagrams that came on it and the ICMP errors about what it sent."


class ConnectFailed(ProbeFailed):
    """A TCP connection did not come about. `icmp` is the error that ended it, None for a reset or silence."""

    def __init__(self, kind: FailureKind, message: str, icmp: IcmpError | None = None) -> None:
        super().__init__(kind, message, icmp.sender if icmp else None)
        self.icmp = icmp


def family_of(address: str) -> socket.AddressFamily:
    """AF_INET or AF_INET6. Raises ValueError for anything but an IP address literal."""
    return socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET


def udp_socket(
    link: Link, family: socket.AddressFamily = socket.AF_INET, port: int = 0, *, icmp_errors: bool = True
) -> socket.socket:
    """A non-blocking UDP socket, bound to the link and to `port` (0: a fresh one), not connected.

    icmp_errors: False for whoever would not read them. Raises ProbeFailed: permission or unsupported, for what this
    machine refuses.
    """
    sock = _open(link, family, socket.SOCK_DGRAM, icmp_errors=icmp_errors)
    try:
        sock.bind((_source(link, family), port))
    except OSError as error:
        sock.close()
        raise local_trouble(error, f"binding UDP port {port} on {link.source or 'any address'}") from error
    return sock


def adopt(link: Link, descriptor: int) -> socket.socket:
    """A socket that another process of ours has opened with this module, and left to this one."""
    sock = _class_for(link)(fileno=descriptor)
    sock.setblocking(False)
    return sock


def icmp_socket(link: Link, address: str) -> socket.socket | None:
    """A socket for ICMP echo to `address`, bound to the link, not connected; None where neither kind is allowed.

    icmp(7): the datagram kind needs no root where `net.ipv4.ping_group_range` has the user's group.
    """
    family = family_of(address)
    protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        with contextlib.suppress(ProbeFailed, OSError), contextlib.ExitStack() as opened:
            sock = opened.enter_context(_open(link, family, kind, protocol, icmp_errors=False))
            sock.bind((_source(link, family), 0))
            opened.pop_all()
            return sock
    return None


def tcp_connect(
    context: Context, address: str, port: int, timeout_s: float, *, ttl: int | None = None, segment: int | None = None
) -> socket.socket:
    """A connected, non-blocking TCP socket. `ttl` limits how far its packets travel, `segment` how large they are.

    Raises ConnectFailed: refused (a reset, or ICMP port unreachable), prohibited, unreachable, timeout.
    """
    sock = begin_connecting(context.link, address, port, ttl=ttl, segment=segment)
    try:
        if not wait_ready(context, {sock: select.POLLOUT}, time.monotonic() + timeout_s):
            peer = f"{address}:{port}/TCP"
            if segments.kept_back(sock):
                own = OSError(errno.EPERM, "nothing left it, as where its own firewall drops what it sends")
                raise local_trouble(own, f"connecting to {peer}")
            raise ConnectFailed(FailureKind.TIMEOUT, f"{peer} did not answer within {timeout_s:g} s.")
        check_connected(sock, address, port)
    except ProbeFailed:
        sock.close()
        raise
    return sock


def begin_connecting(
    link: Link, address: str, port: int, *, ttl: int | None = None, segment: int | None = None
) -> socket.socket:
    """A non-blocking TCP socket whose SYN has left; it is over when `wait_ready` with POLLOUT names it.

    Raises ProbeFailed when this machine cannot send.
    """
    sock = _open(link, family_of(address), socket.SOCK_STREAM)
    try:
        sock.bind((_source(link, sock.family), 0))
        if ttl is not None:
            limit_ttl(sock, ttl)
        if segment is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
        code = sock.connect_ex(_sockaddr(address, port))
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
    except OSError as error:
        sock.close()
        raise local_trouble(error, f"connecting to {address}:{port}/TCP") from error
    except ProbeFailed:
        sock.close()
        raise
    return sock


def check_connected(sock: socket.socket, address: str, port: int) -> None:
    """Raises ConnectFailed where the connection came to nothing, ProbeFailed where this machine is why."""
    peer = f"{address}:{port}/TCP"
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    for error, is_own in reversed(_errors(sock)):
        if not is_own:
            raise ConnectFailed(error.kind, f"{error.sender} answered the connection to {peer}: {error.name}.", error)
        # its neighbour does not answer ARP, or its own firewall rejects
        code = errno.EHOSTUNREACH if error.kind is FailureKind.UNREACHABLE else errno.EPERM
        raise local_trouble(OSError(code, error.name), f"connecting to {peer}")
    if code in (errno.ECONNREFUSED, errno.ECONNRESET):
        raise ConnectFailed(FailureKind.REFUSED, f"{peer} answered with a reset.")
    if code == errno.ETIMEDOUT:
        raise ConnectFailed(FailureKind.TIMEOUT, f"{peer} did not answer.")
    if code:
        raise local_trouble(OSError(code, os.strerror(code)), f"connecting to {peer}")


def local_address(sock: socket.socket) -> tuple[str, int]:
    """The address and port that a socket is bound to."""
    name = sock.getsockname()
    return str(name[0]), int(name[1])


def source_address(link: Link, towards: str) -> str:
    """The local address that packets to `towards` leave from. Sends nothing.

    Raises ProbeFailed(unsupported) when there is no route, when this machine would drop what comes back, or when the
    link's address is not (any more) this machine's.
    """
    if route.has_route(link, towards, _netlink) is False:
        raise ProbeFailed(FailureKind.UNSUPPORTED, f"There is no route to {towards} over {link.interface}.")
    if route.drops_answers(link, towards, _netlink):
        raise ProbeFailed(FailureKind.UNSUPPORTED, _DROPS_ANSWERS.format(link.interface))
    with _open(link, family_of(towards), socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((_source(link, sock.family), 0))
            sock.connect(_sockaddr(towards, 9))
        except OSError as error:
            raise local_trouble(error, f"looking for a route to {towards}") from error
        return local_address(sock)[0]


def limit_ttl(sock: socket.socket, ttl: int) -> None:
    """Let what the socket sends from now on die after `ttl` hops."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)


def send_to(sock: socket.socket, data: bytes, address: str, port: int, *, ttl: int | None = None) -> None:
    """Send one datagram. An ICMP error that is pending on the socket does not stop it. `ttl` limits how far it travels.

    Raises ProbeFailed when this machine itself cannot send: no route, or forbidden by a local firewall.
    """
    if ttl is not None:
        limit_ttl(sock, ttl)
    for _ in range(2):  # the first call may only deliver an error left over from an earlier packet
        try:
            sock.sendto(data, _sockaddr(address, port))
            return
        except OSError as error:
            trouble = error
            if error.errno not in ICMP_ERRNOS:
                break
    raise local_trouble(trouble, f"sending to {address}:{port}/UDP") from trouble


def arrivals(context: Context, socks: Collection[socket.socket], until_s: float) -> Iterator[Arrivals]:
    """What comes on UDP sockets until time.monotonic() is `until_s`: the socket, its datagrams, its ICMP errors.

    `socks` is looked at again each time, so the caller may take a socket out of it; it ends where none is left. The
    time is kept however fast a peer sends: sockets are read in portions, and once more only when the time is over.
    Raises ProbeFailed(interrupted) when the run is stopped.
    """
    is_last = False
    while socks and not is_last:
        is_last = time.monotonic() >= until_s
        for sock in wait_readable(context, socks, until_s):
            yield sock, read_datagrams(sock), read_icmp_errors(sock)


def receive(context: Context, sock: socket.socket, until_s: float) -> bytes | None:
    """The next bytes of a TCP or TLS connection, b"" at its end; None once time.monotonic() reaches `until_s`.

    Raises OSError for a connection that broke, ProbeFailed(interrupted) when the run is stopped.
    """
    while time.monotonic() < until_s:
        context.check()
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
            return sock.recv(_LARGEST_DATAGRAM)
        wait_readable(context, [sock], until_s)
    return None


def wait_readable(context: Context, socks: Iterable[socket.socket], until_s: float) -> list[socket.socket]:
    """The sockets that have data or an ICMP error, as soon as one has; empty once time.monotonic() reaches `until_s`.

    After that time it still names what waits at that moment: a loop around it needs an end of its own, or `arrivals`.
    Raises ProbeFailed(interrupted) when the run is stopped.
    """
    return wait_ready(context, dict.fromkeys(socks, select.POLLIN), until_s)


def wait_ready(context: Context, events: Mapping[socket.socket, int], until_s: float) -> list[socket.socket]:
    """The same for sockets of which each waits for POLLIN, or for POLLOUT: a connection that came about or did not."""
    poll = select.poll()
    by_number = {sock.fileno(): sock for sock in events}
    for sock, event in events.items():
        poll.register(sock.fileno(), event)  # POLLERR, the error queue, is always reported
    while True:
        context.check()
        left_s = until_s - time.monotonic()
        ready = poll.poll(max(0, min(left_s, _STOP_LATENCY_S)) * 1000)
        if ready or left_s <= 0:
            return [by_number[number] for number, _ in ready]


def read_datagrams(sock: socket.socket) -> list[Datagram]:
    """The datagrams that wait on the socket, some of them where there are very many.

    Raises ProbeFailed when this machine itself cannot receive.
    """
    datagrams: list[Datagram] = []
    for _ in range(_MOST_AT_ONCE):
        try:
            data, sender = sock.recvfrom(_LARGEST_DATAGRAM)
        except BlockingIOError:
            break
        except OSError as error:
            if error.errno not in ICMP_ERRNOS:
                raise local_trouble(error, "receiving over UDP") from error
            continue  # an ICMP error, of which `read_icmp_errors` gives everything; reading it here has cleared it
        datagrams.append(Datagram(data, str(sender[0]), int(sender[1]), time.monotonic()))
    return datagrams


def read_icmp_errors(sock: socket.socket) -> list[IcmpError]:
    """The ICMP errors that wait in the socket's error queue, some of them where there are very many.

    Not those that this machine itself sent: its neighbour does not answer ARP, or its own firewall rejects.
    """
    return [error for error, is_own in _errors(sock) if not is_own]


def local_trouble(error: OSError, doing: str) -> ProbeFailed:
    """What this machine itself refused, as no ICMP error tells. It says nothing of the site.

    EPERM on sending is what Linux says when its own firewall drops the packet.
    """
    sentence = f"This machine refused {doing}: {error.strerror or error}."
    is_forbidden = error.errno in (errno.EACCES, errno.EPERM)
    return ProbeFailed(FailureKind.PERMISSION if is_forbidden else FailureKind.UNSUPPORTED, sentence)


def _netlink() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)


def _errors(sock: socket.socket) -> list[tuple[IcmpError, bool]]:
    """The ICMP errors that wait, and of each whether this machine itself sent it about a packet to somebody else."""
    errors: list[tuple[IcmpError, bool]] = []
    is_here = functools.cache(interfaces.is_this_machine)
    is_ours = sock.may_have_sent if isinstance(sock, LinkSocket) else bool
    for _ in range(_MOST_AT_ONCE):
        try:
            quoted, ancillary, _, towards = sock.recvmsg(_LARGEST_DATAGRAM, 512, socket.MSG_ERRQUEUE)
        except OSError:
            break
        times = [value for *of, value in ancillary if of == [socket.SOL_SOCKET, linux.SO_TIMESTAMPNS]]
        for level, kind, value in ancillary:
            if (level, kind) in ((socket.IPPROTO_IP, linux.IP_RECVERR), (socket.IPPROTO_IPV6, linux.IPV6_RECVERR)):
                error = icmp.parse_error(value, quoted)
                if error is not None and is_ours(towards):
                    if times:
                        error = dataclasses.replace(error, arrived_ns=linux.arrival_ns(times[0]))
                    is_answer = error.is_time_exceeded or error.sender == towards[0]
                    errors.append((error, not is_answer and is_here(error.sender)))
    return errors


def _open(
    link: Link, family: socket.AddressFamily, kind: socket.SocketKind, protocol: int = 0, *, icmp_errors: bool = True
) -> socket.socket:
    """Where the link names an interface, nothing leaves through another one."""
    try:
        sock = _class_for(link)(family, kind, protocol)
    except OSError as error:
        raise local_trouble(error, "opening a socket") from error
    try:
        if link.interface is not None and not link.is_loopback:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.interface.encode())
    except OSError as error:
        sock.close()
        raise local_trouble(error, f"opening a socket on {link.interface}") from error
    sock.setblocking(False)
    if icmp_errors:
        _ask_for_icmp_errors(sock)
    return sock


def _ask_for_icmp_errors(sock: socket.socket) -> None:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, linux.IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, linux.IP_RECVERR, 1)
        with contextlib.suppress(OSError):  # kernels before 5.9 do not know it: quotes then come without a length
            sock.setsockopt(socket.IPPROTO_IP, linux.IP_RECVERR_RFC4884, 1)


def _class_for(link: Link) -> type[LinkSocket]:
    return LoopbackSocket if link.is_loopback else LinkSocket


def _source(link: Link, family: socket.AddressFamily) -> str:
    if link.source is not None and family_of(link.source) == family:
        return link.source
    return "::" if family == socket.AF_INET6 else "0.0.0.0"


def _sockaddr(address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """The sockaddr. Python drops the scope of `fe80::1%eth0` unless it stands there as a number."""
    host, _, scope = address.partition("%")
    if not scope:
        return address, port
    return host, port, 0, int(scope) if scope.isdecimal() else socket.if_nametoindex(scope)
