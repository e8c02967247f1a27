"""Cuts a stream (TCP, TLS) into SIP messages, however small the pieces are that it comes in. Bytes only.

    stream = MessageStream()
    stream.feed(chunk)
    while message := stream.take():
        ...

Framing is by Content-Length, which every message in a stream must carry (RFC 3261 18.3). Line breaks before a message
are dropped (7.5). Every octet is looked at once: who sends them one by one costs no more than who sends all at once.
"""

from gosip_check.wire import sip
from gosip_check.wire.sip import Request, Response, WireError

MAX_MESSAGE_OCTETS = 65535
"""Longest message taken from a stream: the size that every implementation must handle (RFC 3261 18.1.1)."""


class MessageStream:
    """largest: octets of one message, head and body; a longer one is refused."""

    def __init__(self, largest: int = MAX_MESSAGE_OCTETS) -> None:
        self._largest = largest
        self._buffer = bytearray()
        self._begin_message()

    @property
    def rest(self) -> bytes:
        """What has come and is in no message yet."""
        return bytes(self._buffer)

    def feed(self, octets: bytes) -> None:
        """The next octets of the stream."""
        self._buffer += octets

    def take(self) -> Request | Response | None:
        """The next whole message; None while there is none.

        WireError where the stream cannot be cut into messages any more: close it.
        """
        if self._end is None:
            self._read_head()
        if self._end is None or len(self._buffer) < self._end:
            self._limit(len(self._buffer))
            return None
        message = sip.parse(bytes(self._buffer[: self._end]))
        del self._buffer[: self._end]
        self._begin_message()
        return message

    def _begin_message(self) -> None:
        self._line_start = self._looked_at = 0
        self._end: int | None = None

    def _read_head(self) -> None:
        """Line by line to the empty one; then `_end` is known."""
        if self._line_start == 0 and self._buffer.startswith((b"\r", b"\n")):
            del self._buffer[: len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))]
        while (line_end := self._buffer.find(b"\n", self._looked_at)) >= 0:
            line = self._buffer[self._line_start : line_end].rstrip(b"\r")
            if self._line_start == 0:  # what is not SIP is refused at once, not when 64 KiB of it have come
                sip.check_start_line(bytes(line))
            self._line_start = self._looked_at = line_end + 1
            if not line:
                self._end = self._line_start + self._body_octets(bytes(self._buffer[: self._line_start]))
                self._limit(self._end)
                return
        self._looked_at = len(self._buffer)

    @staticmethod
    def _body_octets(head: bytes) -> int:
        length = sip.content_length(head)
        if length is None:
            raise WireError("no Content-Length: over TCP and TLS the end of the message is unknown (RFC 3261 18.3)")
        return length

    def _limit(self, size: int) -> None:
        if size > self._largest:
            raise WireError(f"a message of more than {self._largest} octets")


def take_from_stream(buffer: bytes) -> tuple[Request | Response | None, bytes]:
    """The first whole message of octets that have all come, and the octets behind it. Raises WireError."""
    stream = MessageStream()
    stream.feed(buffer)
    message = stream.take()
    return message, stream.rest
