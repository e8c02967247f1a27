"""Cutting a stream into SIP messages: by Content-Length, however the bytes arrive."""

import pytest

from gosip_check.wire import sip
from gosip_check.wire.sip import WireError
from gosip_check.wire.sip_stream import MAX_MESSAGE_OCTETS, MessageStream, take_from_stream

RESPONSE = (
    b"SIP/2.0 401 Unauthorized\r\n"
    b"Via: SIP/2.0/TCP 192.168.1.10:5070;branch=z9hG4bKa1\r\n"
    b"CSeq: 2 REGISTER\r\n"
    b"Content-Length: 0\r\n"
    b"\r\n"
)
STREAM = RESPONSE + b"\r\n\r\n" + b"OPTIONS sip:a SIP/2.0\nl: 6\n\nbody\r\n" + b"SIP/2.0 100\r\nl: 0\r\n\r\n"
STREAM_MESSAGES = [RESPONSE, b"OPTIONS sip:a SIP/2.0\nl: 6\n\nbody\r\n", b"SIP/2.0 100\r\nl: 0\r\n\r\n"]


@pytest.mark.parametrize("step", [1, 7, 100, len(STREAM)])
def test_a_stream_is_cut_into_messages_however_it_arrives(step: int) -> None:
    stream = MessageStream()
    taken = []
    for start in range(0, len(STREAM), step):
        stream.feed(STREAM[start : start + step])
        while message := stream.take():
            taken.append(message)
    assert [message.raw for message in taken] == STREAM_MESSAGES
    assert [message.body for message in taken] == [b"", b"body\r\n", b""]
    assert stream.rest == b""


def test_a_message_may_be_bounded_more_closely() -> None:
    stream = MessageStream(largest=100)
    stream.feed(b"SIP/2.0 200 OK\r\nl: 80\r\n\r\n")
    with pytest.raises(WireError, match="more than 100 octets"):
        stream.take()


@pytest.mark.parametrize(
    "message",
    [
        b"OPTIONS sip:a SIP/2.0\r\n" + b"a:\r\n" * 16_000,
        b"OPTIONS sip:a SIP/2.0\r\n" + b"a:\r\n" * 8_000 + b"l:30000\r\n\r\n" + bytes(29_000),
        b"OPTIONS sip:" + b"a" * 64_000,
        b"\r\n" * 32_000,
    ],
    ids=["head", "body", "first line", "line breaks"],
)
def test_a_head_is_read_once_though_its_octets_trickle(message: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def content_length(head: bytes) -> int:
        read.append(len(head))
        return 30_000

    monkeypatch.setattr(sip, "check_start_line", lambda line: read.append(len(line)))
    monkeypatch.setattr(sip, "content_length", content_length)
    stream = MessageStream()
    for number in range(len(message)):
        stream.feed(message[number : number + 1])
        assert stream.take() is None
    assert sum(read) <= len(message) + 100


@pytest.mark.parametrize(
    ("buffer", "error"),
    [
        (
            b"SIP/2.0 200 OK\r\n\r\n",
            "no Content-Length: over TCP and TLS the end of the message is unknown (RFC 3261 18.3)",
        ),
        (b"SIP/2.0 200 OK\r\nl: x\r\n\r\n", "Content-Length 'x' is not a number"),
        (b"SIP/2.0 200 OK\r\nl: 65535\r\n\r\n", "a message of more than 65535 octets"),
        (b"SIP/2.0 200 OK\r\nX: " + MAX_MESSAGE_OCTETS * b"x", "a message of more than 65535 octets"),
        (
            b"HTTP/1.1 400 Bad Request\r\nServer: x",
            "the first line 'HTTP/1.1 400 Bad Request' is neither a SIP request nor a response",
        ),
    ],
)
def test_streams_that_cannot_be_cut(buffer: bytes, error: str) -> None:
    with pytest.raises(WireError) as raised:
        take_from_stream(buffer)
    assert str(raised.value) == error


def test_an_unfinished_message_waits() -> None:
    assert take_from_stream(b"\r\n\r\n") == (None, b"")
    assert take_from_stream(b"\r\nSIP/2.0 2") == (None, b"SIP/2.0 2")
    assert take_from_stream(b"SIP/2.0 200 OK\r\nl: 2\r\n\r\n1") == (None, b"SIP/2.0 200 OK\r\nl: 2\r\n\r\n1")
