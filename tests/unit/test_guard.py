"""The guard of conftest.py itself: a suite that could send to strangers would, one day."""

import errno
import socket
from collections.abc import Callable

import pytest

from tests.own_network import OUTSIDE, interfaces

STRANGER = ("192.0.2.1", 5060)  # RFC 5737: belongs to nobody


def _connected_send() -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(STRANGER)
    sock.send(b"x")


ATTEMPTS: dict[str, Callable[[], object]] = {
    "udp sendto": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", STRANGER),
    "udp sendto with flags": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", 0, STRANGER),
    "udp sendmsg": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendmsg([b"x"], [], 0, STRANGER),
    "udp connect and send": _connected_send,
    "tcp connect": lambda: socket.socket().connect(STRANGER),
    "tcp connect_ex": lambda: socket.socket().connect_ex(STRANGER),
    "create_connection": lambda: socket.create_connection(STRANGER, timeout=1),
    "name": lambda: socket.getaddrinfo("example.net", 53),
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_nothing_leaves(attempt: Callable[[], object]) -> None:
    with pytest.raises(BaseException, match=r"a test wanted to send to|Network is unreachable") as caught:
        attempt()
    no_route = OUTSIDE not in interfaces() and getattr(caught.value, "errno", None) == errno.ENETUNREACH
    assert no_route or type(caught.value).__name__ == "LeftTheMachine"


def test_loopback_is_allowed() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        assert sock.sendto(b"x", sock.getsockname()) == 1
