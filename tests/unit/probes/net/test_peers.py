"""ICMP errors about what was never sent, as the kernel brings them: a quote is believed only of a datagram of ours."""

import ipaddress
import socket
import struct
import time

import pytest

from gosip_check.probes.net import sockets
from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.probe import Context
from gosip_check.records import Link
from tests.unit.probes.net.test_sockets import closed_port, needs_ipv6

HERE = Link("Internet-1")
CONTEXT = Context(HERE)
ASKED, NEVER_ASKED = "127.0.0.6", "127.0.0.7"


def errors_on(sock: socket.socket, wanted: int) -> list[IcmpError]:
    """What comes until there are so many, or a tenth of a second is over."""
    until_s, errors = time.monotonic() + 0.1, list[IcmpError]()
    while len(errors) < wanted and sockets.wait_readable(CONTEXT, [sock], until_s):
        errors += sockets.read_icmp_errors(sock)
    return errors


@pytest.mark.parametrize("family", [socket.AF_INET, pytest.param(socket.AF_INET6, marks=needs_ipv6)])
def test_an_error_about_another_destination_is_not_believed(family: socket.AddressFamily) -> None:
    """What nobody listens to is refused by the kernel, which quotes where it was sent to."""
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    asked, never_asked = (closed_port(family, socket.SOCK_DGRAM, host) for _ in range(2))
    with sockets.udp_socket(HERE, family) as sock:
        sockets.send_to(sock, b"ours", host, asked)
        sockets.send_to(sock, b"not ours", host, never_asked)
        sock._sent_to.remove(sock._peer((host, never_asked)))  # type: ignore[attr-defined]
        assert [error.quoted for error in errors_on(sock, 2)] == [b"ours"]


def test_a_scope_does_not_matter() -> None:
    with sockets.udp_socket(HERE, socket.AF_INET6 if socket.has_ipv6 else socket.AF_INET) as sock:
        if sock.family != socket.AF_INET6:
            pytest.skip("this machine has no IPv6")
        sock._sent_to.add(sock._peer(("fe80::1%7", 53, 0, 7)))  # type: ignore[attr-defined]
        assert sock.may_have_sent(("fe80:0::1", 53, 0, 3))  # type: ignore[attr-defined]
        assert not sock.may_have_sent(("fe80::2", 53, 0, 7))  # type: ignore[attr-defined]


def quoting(source: tuple[str, int], destination: tuple[str, int]) -> bytes:
    """An ICMP Time Exceeded (RFC 792) about a UDP datagram."""
    udp = struct.pack("!HHHH", source[1], destination[1], 12, 0) + b"ours"
    ends = [ipaddress.ip_address(host).packed for host, _ in (source, destination)]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 7, 0, 1, socket.IPPROTO_UDP, 0, *ends)
    body = struct.pack("!I", 0) + ip + udp
    total = sum(struct.unpack(f"!{(len(body) + 4) // 2}H", b"\x0b\0\0\0" + body))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return b"\x0b\0" + struct.pack("!H", ~total & 0xFFFF) + body


@pytest.mark.parametrize(
    ("host", "port", "is_believed"), [(ASKED, 5060, True), (NEVER_ASKED, 5060, False), (ASKED, 5062, False)]
)
def test_a_forged_quote_with_our_port_in_it(host: str, port: int, is_believed: bool) -> None:
    """A hop that says a datagram died which was never on its way: the kernel brings it, its port being ours."""
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    except PermissionError:
        pytest.skip("only root may send ICMP errors")
    with raw, sockets.udp_socket(HERE) as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((ASKED, 0))
        sockets.send_to(sock, b"ours", *silent.getsockname())
        sockets.send_to(sock, b"ours", ASKED, 5060)  # the kernel itself refuses this one
        assert [error.is_time_exceeded for error in errors_on(sock, 1)] == [False]
        raw.sendto(quoting(("127.0.0.1", sockets.local_address(sock)[1]), (host, port)), ("127.0.0.1", 0))
        assert [error.is_time_exceeded for error in errors_on(sock, 1)] == [True] * is_believed
