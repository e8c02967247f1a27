"""SNTP: one question to a time server and its answer (RFC 5905 7.3 and 14). No socket, no clock: times are passed in.

A float of seconds since 1970 would lose too much, so times stay 64-bit NTP timestamps: 32 bits of seconds since 1900,
32 of fraction, modulo 2^64. Differences are taken modulo 2^64 too, so the turn of the era in 2036 does no harm.
"""

import struct
from dataclasses import dataclass

PORT = 123

_PACKET = struct.Struct("!BBbbIII4Q")
_VERSION = 4
_CLIENT, _SERVER = 3, 4
_UNSYNCHRONISED = 3
LARGEST_ERROR_MS = 1500.0
"A server that may be further off is not fit to tell the time (RFC 5905 11.2.1, MAXDIST)."
_SECONDS_1900_TO_1970 = 2_208_988_800
_ERA = 1 << 64
_FRACTION = 1 << 32


class SntpError(ValueError):
    """Not a usable answer to our question; the text says why."""


@dataclass(frozen=True)
class Reply:
    """What a server said. stratum: 1 to 15, 0 or 16 where it does not know the time. kiss: a code such as RATE, or "".

    receive, transmit: NTP timestamps of the server's clock.
    """

    stratum: int
    unsynchronised: bool
    kiss: str
    receive: int
    transmit: int
    root_delay_ms: float
    root_dispersion_ms: float

    def offset_ms(self, sent: int, received: int) -> float:
        """By how much our clock is behind the server's (RFC 5905 8); `sent` and `received` are our timestamps."""
        return (_difference_ms(self.receive, sent) + _difference_ms(self.transmit, received)) / 2

    def delay_ms(self, sent: int, received: int) -> float:
        """The round trip without the server's own time (RFC 5905 8)."""
        return _difference_ms(received, sent) - self._kept_ms

    def impossible(self, sent: int, received: int) -> str | None:
        """Why its times cannot be true, held against ours; None where they can."""
        if self._kept_ms < 0:
            return "times by which it answered before it was asked"
        if self.delay_ms(sent, received) < 0:
            return "times by which it kept the question for longer than the answer took"
        return None

    @property
    def own_error_ms(self) -> float:
        """By how much the server itself may be off (RFC 5905 11.2: the root distance, without the way from us)."""
        return self.root_delay_ms / 2 + self.root_dispersion_ms

    @property
    def _kept_ms(self) -> float:
        return _difference_ms(self.transmit, self.receive)


def timestamp(unix_ns: int) -> int:
    """An NTP timestamp of a time in nanoseconds since 1970."""
    seconds, nanoseconds = divmod(unix_ns, 1_000_000_000)
    fraction = nanoseconds * _FRACTION // 1_000_000_000
    return ((seconds + _SECONDS_1900_TO_1970) * _FRACTION + fraction) % _ERA


def request(nonce: int) -> bytes:
    """A question. `nonce` stands where our clock might: the server sends it back, and learns nothing from it."""
    return _PACKET.pack(_VERSION << 3 | _CLIENT, 0, 0, 0, 0, 0, 0, 0, 0, 0, nonce)


def answer(question: bytes, stratum: int, received: int, transmit: int) -> bytes:
    """What a server answers to a question. Raises SntpError for what is none."""
    if len(question) < _PACKET.size or question[0] & 7 != _CLIENT:
        raise SntpError("not a client's question")
    nonce = _PACKET.unpack_from(question)[-1]
    return _PACKET.pack(_VERSION << 3 | _SERVER, stratum, 6, -20, 0, 0, 0, received, nonce, received, transmit)


def parse_reply(data: bytes, nonce: int) -> Reply:
    """Raises SntpError for what is not an answer to the question with this nonce."""
    if len(data) < _PACKET.size:
        raise SntpError(f"{len(data)} octets are too few for NTP")
    head, stratum, _, _, delay, dispersion, reference, _, origin, receive, transmit = _PACKET.unpack_from(data)
    if head & 7 != _SERVER or not 1 <= head >> 3 & 7 <= _VERSION:
        raise SntpError(f"mode {head & 7}, version {head >> 3 & 7} is no server's answer")
    if origin != nonce:
        raise SntpError("an answer to another question than ours")
    if stratum > 16:
        raise SntpError(f"stratum {stratum} does not exist")
    kiss = ""
    if stratum == 0:
        kiss = "".join(chr(octet) for octet in struct.pack("!I", reference) if 0x20 < octet < 0x7F)
    elif transmit == 0:
        raise SntpError("it does not tell its time")
    return Reply(
        stratum=stratum,
        unsynchronised=head >> 6 == _UNSYNCHRONISED or stratum in (0, 16),
        kiss=kiss,
        receive=receive,
        transmit=transmit,
        root_delay_ms=delay / 65.536,
        root_dispersion_ms=dispersion / 65.536,
    )


def _difference_ms(later: int, earlier: int) -> float:
    """Signed, of the two readings of it modulo 2^64 the smaller one."""
    difference = (later - earlier) % _ERA
    return (difference - _ERA if difference >= _ERA // 2 else difference) * 1000 / _FRACTION
