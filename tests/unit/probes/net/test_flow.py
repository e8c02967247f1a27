"""A flow of media: what an ICMP error means for the next packet, and what this machine itself refuses."""

import errno
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from gosip_check.probes.net import flow
from gosip_check.probes.probe import ProbeFailed
from gosip_check.records import FailureKind, Link

HERE = Link("Internet-1")


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        opened.settimeout(5)
        yield opened


def test_an_icmp_error_about_packets_before_stops_none(peer: socket.socket) -> None:
    with flow.open_flow(HERE, "127.0.0.1", peer.getsockname()[1], 0) as sock:
        port = sock.getsockname()[1]
        peer.close()
        for _ in range(5):
            flow.send(sock, b"refused")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
            again.bind(sock.getpeername())
            again.settimeout(5)
            flow.send(sock, b"taken")
            assert again.recvfrom(100) == (b"taken", ("127.0.0.1", port))


def test_what_this_machine_refuses_is_told(peer: socket.socket) -> None:
    """EMSGSIZE is what an ICMP error may say as well; here none came."""
    with flow.open_flow(HERE, "127.0.0.1", peer.getsockname()[1], 0) as sock:
        with pytest.raises(OSError, match=os.strerror(errno.EMSGSIZE)):
            flow.send(sock, bytes(70_000))
        flow.send(sock, b"small")
        assert peer.recv(100) == b"small"


class _Down(socket.socket):
    """Every send fails, as while an interface is down."""

    def send(self, *args: Any) -> int:
        del args
        raise OSError(errno.ENETUNREACH, "Network is unreachable")


def test_an_error_that_waited_is_not_taken_for_the_reason_of_the_next(peer: socket.socket) -> None:
    """An ICMP error that was read with the answers explains nothing later."""
    with _Down(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IP, 11, 1)
        place = peer.getsockname()
        peer.close()
        sock.sendto(b"refused", place)
        while flow.receive(sock) is not None:
            pass
        with pytest.raises(OSError, match="Network is unreachable"):
            flow.send(sock, b"x")


def test_a_flow_that_cannot_be_opened_says_nothing_of_the_site() -> None:
    with pytest.raises(ProbeFailed) as caught:
        flow.open_flow(Link("Internet-1", source="127.0.0.1"), "192.0.2.1", 862, dscp=0)
    assert caught.value.failure.kind is FailureKind.UNSUPPORTED
