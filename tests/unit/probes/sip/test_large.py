"""Padded requests, and what it means which of them were answered."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.probe import Context
from gosip_check.probes.sip import large
from gosip_check.probes.sip.large import SIZES, Options, Size, _ask, _facts, _padded
from gosip_check.records import Link
from gosip_check.wire import sip


@pytest.mark.parametrize("size", [*SIZES, 700, 701, 931])
def test_padded_requests_are_sip_of_exactly_the_size(size: int) -> None:
    message = _padded(Context(Link(name="l")), "trunk.example", "127.0.0.1", 5062, size)
    assert len(message) == size
    assert max(len(line) for line in message.split(b"\r\n")) < 300
    assert isinstance(sip.parse(message), sip.Request)


def _sizes(*answered: int) -> list[Size]:
    return [Size(octets=size, answered=size in answered, sent=3, icmp=None) for size in SIZES]


def test_lost_fragments_are_kept_apart_from_lost_messages() -> None:
    assert _facts("a", _sizes(*SIZES)).all_sizes_answered is True
    fragments = _facts("a", _sizes(500, 1200, 1400))
    assert (fragments.all_sizes_answered, fragments.largest_answered) == (False, 1400)
    assert "fragments" in fragments.evidence["all_sizes_answered"]
    assert "fragments" not in _facts("a", _sizes(500)).evidence["all_sizes_answered"]
    assert _facts("a", _sizes()[:1]).all_sizes_answered is None


@contextmanager
def _answering(answers: Callable[[int, int], bool]) -> Iterator[int]:
    """A server that answers a request where `answers` says so: its octets, and how many came before it."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))

    def serve() -> None:
        count = 0
        while True:
            data, source = sock.recvfrom(9000)
            if data == b"end":
                return
            if answers(len(data), count):
                kept = (b"Via:", b"From:", b"To:", b"Call-ID:", b"CSeq:")
                fields = [line for line in data.split(b"\r\n") if line.startswith(kept)]
                sock.sendto(b"\r\n".join([b"SIP/2.0 200 OK", *fields, b"Content-Length: 0", b"", b""]), source)
            count += 1

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield sock.getsockname()[1]
    finally:
        sock.sendto(b"end", sock.getsockname())
        thread.join()
        sock.close()


@pytest.mark.waits
@pytest.mark.parametrize(
    ("answers", "is_answered", "says"),
    [
        (lambda octets, _: octets < 1500, False, "fragments"),
        (lambda octets, _: octets < 1300, False, "lost on the way"),
        (lambda _, count: count == 0, None, "not even a small one"),
        (lambda octets, count: count == 0 or count > 8, True, "1200, 1400, 1600, 2800"),
    ],
    ids=["no fragments", "nothing large", "an outage that lasts", "an outage that ends"],
)
def test_a_silence_of_large_ones_counts_only_between_two_plain_ones_that_are_answered(
    answers: Callable[[int, int], bool], is_answered: bool | None, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large, "_TIMEOUT_S", 1.0)
    monkeypatch.setattr(large, "_PAUSE_S", 0.2)
    options = Options(domain="trunk.example", transport="udp", networks=["127.0.0.0/8"])
    with _answering(answers) as port:
        server = Server("a.trunk.example", "127.0.0.1", port)
        facts = _facts("127.0.0.1", _ask(options, Context(Link(name="l", source="127.0.0.1")), server))
    assert facts.all_sizes_answered is is_answered
    assert says in facts.evidence["all_sizes_answered"]
