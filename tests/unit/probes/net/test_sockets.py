"""Sockets against the kernel of this machine, on loopback; ancillary data also as hostile bytes."""

import errno
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gosip_check.probes.net import segments, sockets
from gosip_check.probes.net.icmp import parse_error
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import STOPPED, FailureKind, Link
from gosip_check.wire import linux

HERE = Link("Internet-1")
CONTEXT = Context(HERE)
ADMIN_PROHIBITED = (3, 13)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with sockets.udp_socket(HERE) as opened:
        yield opened


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        yield opened


def closed_port(family: socket.AddressFamily, kind: socket.SocketKind, address: str) -> int:
    with socket.socket(family, kind) as opened:
        opened.bind((address, 0))
        return int(opened.getsockname()[1])


def soon() -> float:
    return time.monotonic() + 5


def test_refused_udp_port_tells_who_said_so_and_quotes_our_payload(sock: socket.socket) -> None:
    port = closed_port(socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1")
    sockets.send_to(sock, b"what we sent", "127.0.0.1", port)
    assert sockets.wait_readable(CONTEXT, [sock], soon()) == [sock]
    (error,) = sockets.read_icmp_errors(sock)
    assert error.kind is FailureKind.REFUSED
    assert (error.version, error.type, error.code, error.name) == (4, 3, 3, "port unreachable")
    assert error.sender == "127.0.0.1"
    assert error.quoted == b"what we sent"
    assert sockets.read_icmp_errors(sock) == []


@needs_ipv6
def test_refused_udp_port_over_ipv6() -> None:
    port = closed_port(socket.AF_INET6, socket.SOCK_DGRAM, "::1")
    with sockets.udp_socket(HERE, socket.AF_INET6) as sock:
        sockets.send_to(sock, b"what we sent", "::1", port)
        assert sockets.wait_readable(CONTEXT, [sock], soon()) == [sock]
        (error,) = sockets.read_icmp_errors(sock)
    assert error.kind is FailureKind.REFUSED
    assert (error.version, error.type, error.code, error.name) == (6, 1, 4, "port unreachable")
    assert (error.sender, error.quoted) == ("::1", b"what we sent")


def test_a_pending_error_neither_loses_a_datagram_nor_escapes(sock: socket.socket, peer: socket.socket) -> None:
    port = closed_port(socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1")
    _, own_port = sockets.local_address(sock)
    sockets.send_to(sock, b"refused", "127.0.0.1", port)
    peer.sendto(b"first", ("127.0.0.1", own_port))
    peer.sendto(b"second", ("127.0.0.1", own_port))
    assert sockets.wait_readable(CONTEXT, [sock], soon()) == [sock]
    assert [datagram.data for datagram in sockets.read_datagrams(sock)] == [b"first", b"second"]
    assert [error.quoted for error in sockets.read_icmp_errors(sock)] == [b"refused"]
    assert sockets.read_datagrams(sock) == []


def test_a_pending_error_does_not_stop_the_next_packet(sock: socket.socket, peer: socket.socket) -> None:
    port = closed_port(socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1")
    for number in range(3):
        sockets.send_to(sock, b"%d" % number, "127.0.0.1", port)  # each finds the error of the one before
    sockets.send_to(sock, b"answer me", *peer.getsockname())
    assert peer.recv(100) == b"answer me"
    assert [error.quoted for error in sockets.read_icmp_errors(sock)] == [b"0", b"1", b"2"]


def test_an_error_read_first_leaves_the_datagrams(sock: socket.socket, peer: socket.socket) -> None:
    port = closed_port(socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1")
    for _ in range(2):
        sockets.send_to(sock, b"refused", "127.0.0.1", port)
    peer.sendto(b"kept", ("127.0.0.1", sockets.local_address(sock)[1]))
    assert len(sockets.read_icmp_errors(sock)) == 2
    assert [datagram.data for datagram in sockets.read_datagrams(sock)] == [b"kept"]


def test_a_datagram_carries_sender_and_time(sock: socket.socket, peer: socket.socket) -> None:
    before_s = time.monotonic()
    peer.sendto(b"", ("127.0.0.1", sockets.local_address(sock)[1]))
    peer.sendto(b"x" * 65507, ("127.0.0.1", sockets.local_address(sock)[1]))
    sockets.wait_readable(CONTEXT, [sock], soon())
    empty, largest = sockets.read_datagrams(sock)
    assert (empty.address, empty.port) == peer.getsockname()
    assert (empty.data, len(largest.data)) == (b"", 65507)
    assert before_s <= empty.at_s <= time.monotonic()


def test_tcp_reset_is_refused_and_has_no_icmp() -> None:
    with socket.socket() as bound_only:
        bound_only.bind(("127.0.0.1", 0))
        with pytest.raises(sockets.ConnectFailed) as caught:
            sockets.tcp_connect(CONTEXT, *sockets.local_address(bound_only), 5)
    assert caught.value.failure.kind is FailureKind.REFUSED
    assert "answered with a reset" in caught.value.failure.message
    assert caught.value.icmp is None


def test_tcp_silence_is_a_timeout() -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):  # once its backlog is full, Linux drops what comes and says nothing
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        started_s = time.monotonic()
        with pytest.raises(sockets.ConnectFailed) as caught:
            sockets.tcp_connect(CONTEXT, *sockets.local_address(listener), 0.2)
    assert caught.value.failure.kind is FailureKind.TIMEOUT
    assert time.monotonic() - started_s >= 0.2


@pytest.mark.waits
def test_what_is_sent_again_and_not_answered_has_left_this_machine() -> None:
    """A second copy goes out after a second; that a firewall here drops it is tried in the lab."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        time.sleep(1.3)
        info = waiting.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, linux.TCP_INFO.size)
        assert linux.TCP_INFO.unpack(info)[1:3] == (1, 1)
        assert not segments.kept_back(waiting)


def test_tcp_connects_from_the_links_address_with_the_ttl_asked_for() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        here = Context(Link("Internet-1", source="127.0.0.1"))
        with sockets.tcp_connect(here, *sockets.local_address(listener), 5, ttl=3) as sock:
            accepted, seen_from = listener.accept()
            accepted.close()
            assert sockets.local_address(sock) == seen_from
            assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 3
            assert not sock.getblocking()


@needs_ipv6
def test_tcp_over_ipv6_limits_its_hops() -> None:
    with socket.socket(socket.AF_INET6) as listener:
        listener.bind(("::1", 0))
        listener.listen()
        with sockets.tcp_connect(CONTEXT, "::1", listener.getsockname()[1], 5, ttl=3) as sock:
            assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) == 3


def test_stop_wakes_a_wait_for_packets(sock: socket.socket) -> None:
    stop = threading.Event()
    context = Context(HERE, stop)
    raised: list[ProbeFailed] = []

    def wait() -> None:
        try:
            sockets.wait_readable(context, [sock], time.monotonic() + 600)
        except ProbeFailed as failed:
            raised.append(failed)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    stop.set()
    waiting.join(timeout=10)
    assert not waiting.is_alive()
    assert [(failed.failure.kind, failed.failure.message) for failed in raised] == [(FailureKind.INTERRUPTED, STOPPED)]


def test_stop_wakes_every_other_wait() -> None:
    stop = threading.Event()
    stop.set()
    context = Context(HERE, stop)
    for wait in (context.check, lambda: context.wait(600), lambda: context.wait_until(time.monotonic() + 600)):
        with pytest.raises(ProbeFailed) as caught:
            wait()
        assert caught.value.failure.kind is FailureKind.INTERRUPTED


def test_stop_ends_a_connection_attempt() -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        stop = threading.Event()
        stop.set()
        with pytest.raises(ProbeFailed) as caught:
            sockets.tcp_connect(Context(HERE, stop), *sockets.local_address(listener), 600)
    assert caught.value.failure.kind is FailureKind.INTERRUPTED


def test_waiting_ends_at_its_time_and_finds_what_is_there_even_when_late(
    sock: socket.socket, peer: socket.socket
) -> None:
    until_s = time.monotonic() + 0.01
    assert sockets.wait_readable(CONTEXT, [sock], until_s) == []
    assert time.monotonic() >= until_s
    peer.sendto(b"there", ("127.0.0.1", sockets.local_address(sock)[1]))
    assert sockets.wait_readable(CONTEXT, [sock], until_s) == [sock]


def test_only_the_sockets_with_something_to_read_are_named(sock: socket.socket, peer: socket.socket) -> None:
    with sockets.udp_socket(HERE) as quiet:
        peer.sendto(b"there", ("127.0.0.1", sockets.local_address(sock)[1]))
        assert sockets.wait_readable(CONTEXT, [quiet, sock], soon()) == [sock]


@pytest.mark.parametrize(
    ("data", "port", "kind"),
    [
        pytest.param(b"x" * 65508, 9, FailureKind.UNSUPPORTED, id="too long for a datagram"),
        pytest.param(b"x", 0, FailureKind.UNSUPPORTED, id="port 0"),
    ],
)
def test_what_this_machine_cannot_send_is_typed(sock: socket.socket, data: bytes, port: int, kind: FailureKind) -> None:
    with pytest.raises(ProbeFailed) as caught:
        sockets.send_to(sock, data, "127.0.0.1", port)
    assert caught.value.failure.kind is kind
    assert caught.value.failure.message.startswith(f"This machine refused sending to 127.0.0.1:{port}/UDP: ")


class _Refusing(socket.socket):
    """A socket whose every sendto fails with one errno, as behind a local firewall or without a route."""

    code = 0

    def sendto(self, *args: object) -> int:
        del args
        raise OSError(self.code, "no")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.EPERM, FailureKind.PERMISSION),
        (errno.EACCES, FailureKind.PERMISSION),
        *((code, FailureKind.UNSUPPORTED) for code in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)),
        *((code, FailureKind.UNSUPPORTED) for code in (errno.EADDRNOTAVAIL, errno.ENODEV, errno.ENXIO)),
        *((code, FailureKind.UNSUPPORTED) for code in (errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN, errno.EINVAL)),
    ],
)
def test_what_this_machine_refuses_to_send_says_nothing_of_the_site(code: int, kind: FailureKind) -> None:
    with _Refusing(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.code = code
        with pytest.raises(ProbeFailed) as caught:
            sockets.send_to(sock, b"x", "127.0.0.1", 9)
    assert caught.value.failure.kind is kind
    assert caught.value.failure.kind.says_nothing_about_the_site


def test_an_address_that_is_not_ours_and_an_interface_that_is_not_there_are_this_machines_matter() -> None:
    gone = Link("Internet-1", source="192.0.2.77")
    for attempt in (lambda: sockets.udp_socket(gone), lambda: sockets.source_address(gone, "127.0.0.1")):
        with pytest.raises(ProbeFailed) as caught:
            attempt()
        assert caught.value.failure.kind is FailureKind.UNSUPPORTED
    with pytest.raises(ProbeFailed) as caught:
        sockets.udp_socket(Link("Internet-1", interface="nosuch0"))
    assert caught.value.failure.kind in (FailureKind.UNSUPPORTED, FailureKind.PERMISSION)
    assert "nosuch0" in caught.value.failure.message


def test_a_port_in_use_is_typed(peer: socket.socket) -> None:
    with pytest.raises(ProbeFailed) as caught:
        sockets.udp_socket(Link("Internet-1", source="127.0.0.1"), port=peer.getsockname()[1])
    assert caught.value.failure.kind is FailureKind.UNSUPPORTED


def test_source_address_is_the_links_or_the_routes() -> None:
    assert sockets.source_address(HERE, "127.0.0.1") == "127.0.0.1"
    assert sockets.source_address(Link("Internet-1", source="127.0.0.9"), "127.0.0.1") == "127.0.0.9"


@needs_ipv6
def test_an_ipv4_link_address_is_not_given_for_an_ipv6_destination() -> None:
    assert sockets.source_address(Link("Internet-1", source="127.0.0.9"), "::1") == "::1"


# struct sock_extended_err: ee_errno, ee_origin, ee_type, ee_code, ee_pad, ee_info, and in ee_data the RFC 4884 part.
def extended(origin: int, kind: int, code: int, offender: bytes, length: int = 0) -> bytes:
    return struct.pack("=IBBBBIHBB", 113, origin, kind, code, 0, 0, length, 0, 0) + offender


V4_OFFENDER = struct.pack("=HH4s8x", socket.AF_INET, 0, bytes((192, 0, 2, 1)))
V6_OFFENDER = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, socket.inet_pton(socket.AF_INET6, "2001:db8::1"), 0)


@pytest.mark.parametrize(
    ("kind", "code", "failure", "name"),
    [
        (3, 0, FailureKind.UNREACHABLE, "network unreachable"),
        (3, 1, FailureKind.UNREACHABLE, "host unreachable"),
        (3, 2, FailureKind.REFUSED, "protocol unreachable"),
        (3, 3, FailureKind.REFUSED, "port unreachable"),
        (3, 9, FailureKind.PROHIBITED, "network administratively prohibited"),
        (3, 10, FailureKind.PROHIBITED, "host administratively prohibited"),
        (*ADMIN_PROHIBITED, FailureKind.PROHIBITED, "administratively prohibited"),
        (11, 0, FailureKind.UNREACHABLE, "time exceeded in transit"),
        (12, 7, FailureKind.UNREACHABLE, "ICMP type 12 code 7"),
    ],
)
def test_icmp_meanings(kind: int, code: int, failure: FailureKind, name: str) -> None:
    error = parse_error(extended(2, kind, code, V4_OFFENDER, 128), b"quote")
    assert error is not None
    assert (error.version, error.kind, error.name, error.sender) == (4, failure, name, "192.0.2.1")
    assert (error.quoted, error.quoted_length) == (b"quote", 128)
    assert error.is_time_exceeded == (kind == 11)


@pytest.mark.parametrize(
    ("kind", "code", "failure", "name"),
    [
        (1, 0, FailureKind.UNREACHABLE, "no route to destination"),
        (1, 1, FailureKind.PROHIBITED, "administratively prohibited"),
        (1, 3, FailureKind.UNREACHABLE, "address unreachable"),
        (1, 4, FailureKind.REFUSED, "port unreachable"),
        (1, 5, FailureKind.PROHIBITED, "source address failed ingress/egress policy"),
        (1, 6, FailureKind.PROHIBITED, "reject route to destination"),
        (3, 0, FailureKind.UNREACHABLE, "hop limit exceeded in transit"),
        (3, 3, FailureKind.UNREACHABLE, "ICMP type 3 code 3"),  # not what it means in ICMP for IPv4
    ],
)
def test_icmpv6_meanings(kind: int, code: int, failure: FailureKind, name: str) -> None:
    error = parse_error(extended(3, kind, code, V6_OFFENDER), b"")
    assert error is not None
    assert (error.version, error.kind, error.name, error.sender) == (6, failure, name, "2001:db8::1")
    assert error.is_time_exceeded == ((kind, code) == (3, 0))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        extended(2, 3, 3, b"")[:15],
        pytest.param(extended(2, 3, 3, b""), id="no sender"),
        pytest.param(extended(2, 3, 3, V4_OFFENDER[:7]), id="half a sender"),
        pytest.param(extended(3, 1, 4, V6_OFFENDER[:23]), id="half an IPv6 sender"),
        pytest.param(extended(1, 0, 0, V4_OFFENDER), id="of this machine itself, SO_EE_ORIGIN_LOCAL"),
        pytest.param(extended(4, 0, 0, V4_OFFENDER), id="a transmit timestamp"),
    ],
)
def test_what_is_no_icmp_error_is_none(value: bytes) -> None:
    assert parse_error(value, b"") is None


class _Queue(socket.socket):
    """A socket with one ICMP error in its queue: about a packet to `towards`."""

    waiting: tuple[bytes, str] | None = None

    def recvmsg(self, *args: Any) -> Any:
        del args
        if self.waiting is None:
            raise BlockingIOError
        (value, towards), self.waiting = self.waiting, None
        return b"", [(socket.IPPROTO_IP, 11, value)], 0, (towards, 9)


LOCALHOST = struct.pack("=HH4s8x", socket.AF_INET, 0, bytes((127, 0, 0, 1)))


@pytest.mark.parametrize(
    ("sender", "towards", "kind", "code", "is_told"),
    [
        pytest.param(V4_OFFENDER, "192.0.2.9", 3, 1, True, id="a router"),
        pytest.param(LOCALHOST, "127.0.0.1", 3, 3, True, id="this machine, of a port of its own"),
        pytest.param(LOCALHOST, "192.0.2.9", 3, 1, False, id="no neighbour answers ARP"),
        pytest.param(LOCALHOST, "192.0.2.9", 3, 3, False, id="the own firewall"),
    ],
)
def test_an_icmp_error_of_this_machine_is_no_word_of_the_way(
    sender: bytes, towards: str, kind: int, code: int, is_told: bool
) -> None:
    with _Queue(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.waiting = extended(2, kind, code, sender), towards
        assert bool(sockets.read_icmp_errors(sock)) == is_told


@given(st.binary(max_size=64))
def test_no_ancillary_data_escapes(value: bytes) -> None:
    error = parse_error(value, b"")
    assert error is None or error.version in (4, 6)
