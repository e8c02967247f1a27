"""What strangers do to the SIP mirror: trickle, idle, pipeline, flood; who is honest is answered beside them."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from gosip_check.servers import mirror_streams
from gosip_check.servers.limits import Shares
from gosip_check.servers.reflector import Reflector
from gosip_check.wire import sip_mirror
from tests.unit.servers.test_reflector import OPTIONS, reflecting

pytestmark = pytest.mark.waits

MESSAGE = OPTIONS.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")


@pytest.fixture
def reflector() -> Iterator[Reflector]:
    with reflecting(sip_ports=(0,)) as opened:
        yield opened


@pytest.fixture
def attack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connected(reflector: Reflector, source: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", reflector.sip_ports[0]), 5, source_address=(source, 0))


def mirrored(reflector: Reflector, source: str) -> bytes:
    """What the mirror answers somebody over TCP; empty where it closes."""
    with connected(reflector, source) as sock:
        return answered(sock, MESSAGE)


def answered(sock: socket.socket, message: bytes) -> bytes:
    sock.sendall(message)
    try:
        return sock.recv(65535)
    except ConnectionResetError:
        return b""


def test_one_source_has_few_connections_and_others_have_theirs(reflector: Reflector, attack: ExitStack) -> None:
    idle = [attack.enter_context(connected(reflector, "127.0.0.2")) for _ in range(40)]
    assert sip_mirror.read(mirrored(reflector, "127.0.0.3")).received == MESSAGE
    closed = [sock for sock in idle if answered(sock, MESSAGE) == b""]
    assert len(closed) == len(idle) - mirror_streams.PER_SOURCE


def test_where_it_is_full_the_one_that_was_silent_for_longest_makes_room(
    reflector: Reflector, attack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror_streams, "CONNECTIONS", 4)
    first, second, *_ = [attack.enter_context(connected(reflector, f"127.0.1.{number}")) for number in range(1, 5)]
    assert answered(first, MESSAGE)
    assert mirrored(reflector, "127.0.0.3")
    assert answered(first, MESSAGE)
    assert answered(second, MESSAGE) == b""


def test_octets_that_trickle_do_not_prolong_a_connection(
    reflector: Reflector, attack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror_streams, "IDLE_S", 0.5)
    sock = attack.enter_context(connected(reflector, "127.0.0.2"))
    sock.settimeout(0.05)
    for octet in MESSAGE[:200]:
        try:
            sock.sendall(bytes([octet]))
            assert sock.recv(100) == b""
        except TimeoutError:
            continue
        except OSError:
            pass
        return
    pytest.fail("it was never closed")


def test_a_head_that_never_ends_is_cut_off(reflector: Reflector) -> None:
    with connected(reflector, "127.0.0.2") as sock:
        assert answered(sock, b"OPTIONS sip:a SIP/2.0\r\n" + b"a: b\r\n" * 2000) == b""


def test_one_source_gets_so_many_messages_mirrored_and_another_is_answered(reflector: Reflector) -> None:
    with connected(reflector, "127.0.0.2") as sock:
        sock.sendall(MESSAGE * 200)
        octets = 0
        try:
            while chunk := sock.recv(65535):
                octets += len(chunk)
        except ConnectionResetError:
            pass
        assert octets < 100 * len(MESSAGE)
    assert mirrored(reflector, "127.0.0.3")


def test_what_one_source_may_not_have_is_not_taken_from_the_others() -> None:
    shares = Shares(of_one=10, of_all=25, now_s=0.0)
    assert [shares.take("192.0.2.1", 0.0, 8) for _ in range(50)] == [True, *[False] * 49]
    assert [shares.take(f"192.0.2.{number}", 0.0, 8) for number in (2, 3, 4)] == [True, True, False]
    assert shares.take("192.0.2.1", 1.0, 8)


def test_an_answer_over_tcp_is_at_most_three_times_as_long(reflector: Reflector) -> None:
    shortest = b"A a SIP/2.0\r\nl:0\r\n\r\n"
    assert len(sip_mirror.answer(shortest, ("127.0.0.2", 5060))) > 6 * len(shortest)
    with connected(reflector, "127.0.0.2") as sock:
        assert answered(sock, shortest) == b""


def test_a_datagram_that_is_cut_short_is_not_mirrored_as_if_it_were_whole(reflector: Reflector) -> None:
    long = OPTIONS.replace(b"X-Padding: ", b"X-Padding: " + b"a" * 3000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.bind(("127.0.0.2", 0))
        for message in (long, OPTIONS):
            sock.sendto(message, ("127.0.0.1", reflector.sip_ports[0]))
        assert sip_mirror.read(sock.recv(65535)).received == OPTIONS
    assert reflector.not_mirrored == 1


def test_a_flood_of_datagrams_from_one_source_leaves_the_others_theirs(reflector: Reflector) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood, socket.socket(type=socket.SOCK_DGRAM) as sock:
        flood.bind(("127.0.0.2", 0))
        sock.bind(("127.0.0.3", 0))
        sock.settimeout(5)
        for _ in range(2000):
            flood.sendto(OPTIONS, ("127.0.0.1", reflector.sip_ports[0]))
        sock.sendto(OPTIONS, ("127.0.0.1", reflector.sip_ports[0]))
        assert sip_mirror.read(sock.recv(65535)).source == sock.getsockname()
    assert reflector.not_mirrored > 1000
