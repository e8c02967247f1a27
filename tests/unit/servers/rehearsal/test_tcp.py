"""SIP over TCP at a rehearsal, with real sockets: it is written down, never answered, and the connection is closed."""

import socket
import threading
from collections.abc import Iterator

import pytest

from gosip_check.heard import Message
from gosip_check.servers.rehearsal.phases import Phase
from gosip_check.servers.rehearsal.rehearsal import Rehearsal, RehearsalStop, Slip

pytestmark = pytest.mark.waits

PBX, USER = "127.0.0.50", "35621669015"
REGISTER = (
    "REGISTER sip:trunk.example SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.50;branch=z9hG4bK1\r\n"
    "From: <sip:{0}@trunk.example>;tag=1\r\nTo: <sip:{0}@trunk.example>\r\n"
    "Call-ID: 1\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
)


@pytest.fixture
def rehearsal() -> Iterator[Rehearsal]:
    sites = (("127.22.184.27", 0), ("127.22.185.27", 0))
    with Rehearsal(Slip("trunk.example", USER, "x"), PBX, None, sites) as rehearsal:
        yield rehearsal


def answered(rehearsal: Rehearsal, source: str, text: str) -> bytes:
    """All that comes back until the connection is closed."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind((source, 0))
        sock.settimeout(20)
        sock.connect(rehearsal.sites[1])
        sock.sendall(text.encode())
        try:
            return sock.recv(100)
        except ConnectionResetError:
            return b""


def played(rehearsal: Rehearsal, source: str, text: str) -> tuple[list[Message], str]:
    """What was written down while somebody sent this; why it stopped, where it did."""
    stopped: list[str] = []

    def play() -> None:
        try:
            rehearsal.run([Phase("register", "registered", 60)])
        except RehearsalStop as stop:
            stopped.append(str(stop))

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    assert answered(rehearsal, source, text) == b""
    rehearsal.stop()
    thread.join(20)
    assert not thread.is_alive()
    return list(rehearsal.heard().messages), "".join(stopped)


def test_it_is_written_down_and_not_answered(rehearsal: Rehearsal) -> None:
    messages, stopped = played(rehearsal, PBX, REGISTER.format(USER))
    assert [(each.transport, each.direction, each.destination) for each in messages] == [
        ("TCP", "up", rehearsal.sites[1])
    ]
    assert stopped == ""


@pytest.mark.parametrize(
    ("source", "text"), [("127.0.0.51", REGISTER.format(USER)), (PBX, "\r\n\r\n"), (PBX, "GET / HTTP/1.1\r\n\r\n")]
)
def test_a_stranger_and_garbage_are_not(rehearsal: Rehearsal, source: str, text: str) -> None:
    assert played(rehearsal, source, text) == ([], "")


def test_another_user_stops_it(rehearsal: Rehearsal) -> None:
    messages, stopped = played(rehearsal, PBX, REGISTER.format("35699999999"))
    assert messages == []
    assert "another user" in stopped


def test_its_ports_are_free_after_its_end() -> None:
    sites = (("127.22.184.27", 0), ("127.22.185.27", 0))
    with Rehearsal(Slip("trunk.example", USER, "x"), PBX, None, sites) as rehearsal:
        places = rehearsal.sites
    for place in places:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            assert sock.connect_ex(place) != 0
