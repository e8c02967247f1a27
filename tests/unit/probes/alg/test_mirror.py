"""The mirror's view of both directions, with something on the way that rewrites, on loopback."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from gosip_check.probes.alg import mirror
from gosip_check.probes.alg.findings import from_mirror
from gosip_check.probes.alg.mirror import MESSAGES, Mirrored, ask_mirror
from gosip_check.probes.alg.signature import AlgKind
from gosip_check.probes.probe import Context
from gosip_check.records import Link
from gosip_check.wire import sip_mirror

Change = Callable[[bytes], bytes]


def _same(octets: bytes) -> bytes:
    return octets


@contextmanager
def far_end(there: Change = _same, back: Change = _same) -> Iterator[int]:
    """A mirror behind something that changes what passes; its port, for UDP and TCP."""
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        udp.bind(tcp.getsockname())
        stop = threading.Event()

        def serve_udp() -> None:
            while not stop.is_set():
                data, sender = udp.recvfrom(65535)
                if data != b"stop":
                    answer = back(sip_mirror.answer(there(data), sender))
                    if len(answer) <= len(data):
                        udp.sendto(answer, sender)

        def serve_tcp() -> None:
            while not stop.is_set():
                connection, sender = tcp.accept()
                with connection:
                    data = connection.recv(65535)
                    if data:
                        connection.sendall(back(sip_mirror.answer(there(data), sender)))

        threads = [threading.Thread(target=serve) for serve in (serve_udp, serve_tcp)]
        for thread in threads:
            thread.start()
        try:
            yield udp.getsockname()[1]
        finally:
            stop.set()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"stop", udp.getsockname())
            socket.create_connection(tcp.getsockname()).close()
            for thread in threads:
                thread.join()


def _ask(port: int) -> list[Mirrored]:
    return ask_mirror(Context(Link(name="l")), "127.0.0.1:862", "trunk.example", [port])


def test_a_clean_way_is_clean_in_both_directions() -> None:
    with far_end() as port:
        seen = _ask(port)
    assert [(each.transport, each.message) for each in seen] == [*(("UDP", m) for m in MESSAGES), ("TCP", MESSAGES[1])]
    assert all(each.answered and not each.request_changes and not each.reply_changes for each in seen)
    for transport in ("udp", "tcp"):
        assert [finding.found for finding in from_mirror(seen, transport, port)] == [False]


def test_a_rewritten_request_is_named() -> None:
    with far_end(
        there=lambda octets: octets.replace(b"Contact: <sip:probe@127.0.0.1", b"Contact: <sip:probe@192.0.2.9")
    ) as port:
        finding = from_mirror(_ask(port), "udp", port)[0]
    assert (finding.found, finding.kind, [c.where for c in finding.changes]) == (
        True, AlgKind.REWRITES_REQUEST, ["Contact"]
    )  # fmt: skip


def test_a_rewritten_answer_is_named_even_in_what_no_server_echoes() -> None:
    with far_end(back=lambda octets: octets.replace(b"octet-stream", b"octet-stroam")) as port:
        finding = from_mirror(_ask(port), "udp", port)[0]
    assert (finding.found, finding.kind) == (True, AlgKind.REWRITES_REPLY)


@pytest.mark.waits
def test_junk_and_silence_decide_nothing() -> None:
    with far_end(back=lambda _: b"SIP/2.0 200 OK\r\n\r\n") as port:
        junk = _ask(port)
    assert not any(each.answered for each in junk)
    assert [finding.found for finding in from_mirror(junk, "udp", port)] == [None]
    assert from_mirror([], "udp", 5060) == []


@pytest.mark.parametrize("message", MESSAGES)
def test_requests_to_the_mirror_are_padded_so_that_it_may_answer(message: str) -> None:
    request = mirror.mirror_request("trunk.gotel.com.mt", message, ("192.168.100.100", 50600))
    assert len(sip_mirror.answer(request, ("203.0.113.255", 65535))) <= len(request)
