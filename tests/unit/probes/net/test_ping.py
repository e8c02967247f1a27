"""An answer counts only from the host that was asked, to the very echo that was sent."""

import os
import socket
import struct

import pytest

from gosip_check.probes.net import sockets
from gosip_check.probes.net.ping import ping
from gosip_check.records import Link

pytestmark = pytest.mark.waits

NUMBER, SEQUENCE = 77, 5
IP_HEADER = bytes([0x45]) + bytes(19)


def reply(kind: int = 0, code: int = 0, number: int = NUMBER, sequence: int = SEQUENCE) -> bytes:
    """RFC 792, with an echo's payload behind it."""
    return struct.pack("!BBHHH", kind, code, 0, number, sequence) + bytes(56)


class RawLooking(socket.socket):
    """A UDP socket that says it is a raw one, so that a test can write what it reads."""

    @property
    def type(self) -> socket.SocketKind:
        return socket.SOCK_RAW


@pytest.mark.parametrize(
    ("data", "counts"),
    [
        (reply(), True),
        (reply(sequence=SEQUENCE - 1), False),
        (reply(number=NUMBER + 1), False),
        (reply(kind=8), False),  # our own echo, as a raw socket on loopback sees it
        (reply(kind=3, code=1), False),
        (reply(code=1), False),
        (b"\0\0", False),
        (b"", False),
    ],
)
@pytest.mark.parametrize("sender", ["127.0.0.2", "127.0.0.3"])
def test_what_counts_as_an_answer(data: bytes, counts: bool, sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda _: NUMBER - 1)
    with (
        RawLooking(socket.AF_INET, socket.SOCK_DGRAM) as near,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        near.bind(("127.0.0.1", 0))
        far.bind((sender, 0))
        monkeypatch.setattr("ping3.send_one_ping", lambda *_: far.sendto(IP_HEADER + data, near.getsockname()))
        rtt_ms = ping(near, "127.0.0.2", SEQUENCE, 0.2)
    assert (rtt_ms is not None) == (counts and sender == "127.0.0.2")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, or a group that may ping")
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1"])
def test_the_kernel_answers(address: str) -> None:
    sock = sockets.icmp_socket(Link(name="l"), address)
    assert sock is not None
    with sock:
        assert all(ping(sock, address, number, 2.0) is not None for number in (0, 1, 65_535, 65_536))
