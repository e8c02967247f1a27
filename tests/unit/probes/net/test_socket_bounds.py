"""Senders as the kernel names them, and senders that never stop."""

import socket

import pytest

from gosip_check.probes.net import sockets
from gosip_check.probes.net.sockets import Datagram
from gosip_check.records import Link


@pytest.mark.parametrize(
    ("seen", "written", "same"),
    [
        ("fe80::1", "fe80::1%eth0", True),
        ("fe80::2", "fe80::1%eth0", False),
        ("::ffff:192.0.2.1", "::ffff:c000:201", True),
        ("192.0.2.1", "192.0.2.1", True),
    ],
)
def test_a_sender_is_compared_as_an_address(seen: str, written: str, same: bool) -> None:
    assert Datagram(b"", seen, 53, 0.0).is_from(written, 53) is same
    assert not Datagram(b"", seen, 54, 0.0).is_from(written, 53)


def test_a_scope_is_sent_as_a_number() -> None:
    number, name = socket.if_nameindex()[0]
    assert sockets._sockaddr(f"fe80::1%{name}", 53) == ("fe80::1", 53, 0, number)
    assert sockets._sockaddr("fe80::1%7", 53) == ("fe80::1", 53, 0, 7)
    assert sockets._sockaddr("192.0.2.1", 53) == ("192.0.2.1", 53)


def test_a_flood_is_read_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_MOST_AT_ONCE", 3)
    with sockets.udp_socket(Link("Internet-1")) as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        for number in range(4):
            flood.sendto(b"%d" % number, ("127.0.0.1", sockets.local_address(sock)[1]))
        assert [datagram.data for datagram in sockets.read_datagrams(sock)] == [b"0", b"1", b"2"]
        assert [datagram.data for datagram in sockets.read_datagrams(sock)] == [b"3"]
