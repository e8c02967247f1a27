"""RTP: packets and events written (RFC 3550, RFC 4733), and streams counted: codec, loss by sequence, jitter, digits.

Keeps no content. What is RTP is known from its first octets only; whether it belongs to a call, by the addresses in
SDP, is said later.
"""

import struct
from dataclasses import dataclass, field
from statistics import median_low

MOST_STREAMS = 2000
"Streams at the same time that are counted; a trunk has a few hundred calls."

_RTCP = range(200, 205)
_CLOCK_PER_MS = 8
"Of every audio payload type up to 18 but G.722's label, which says 8000 as well (RFC 3551 6)."

_DIGITS = "0123456789*#ABCD"
_MOST_DIGITS = 200
_MOST_STEPS = 200
_DROPOUT = 3000
"RFC 3550 A.1: a larger jump is a new beginning, not a loss."

_HEADER = struct.Struct("!BBHII")
_header = _HEADER.unpack_from
_EVENT = struct.Struct("!BBH")
_VOLUME = 10
"Power of an event in dBm0, without its sign."


def packet(payload: int, sequence: int, timestamp: int, ssrc: int, content: bytes, *, marker: bool = False) -> bytes:
    """One packet (RFC 3550 5.1). sequence and timestamp may have grown beyond their fields."""
    second = payload | marker << 7
    return _HEADER.pack(0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + content


def event(digit: str, duration: int, *, ends: bool) -> bytes:
    """The content of an event packet (RFC 4733 2.3). duration: until now, in units of the timestamp."""
    return _EVENT.pack(_DIGITS.index(digit), ends << 7 | _VOLUME, duration)


@dataclass
class Counted:
    """One stream while it is read. expected: packets before the last new beginning, by sequence number."""

    first_s: float
    base: int
    highest: int
    last_s: float = 0.0
    ends_with_sound: bool = True
    packets: int = 0
    expected: int = 0
    timestamp: int = 0
    jitter: float = 0.0
    jitter_sum: float = 0.0
    jitter_max: float = 0.0
    jittered: int = 0
    payloads: dict[int, int] = field(default_factory=dict)
    steps: list[int] = field(default_factory=list)
    events: dict[tuple[int, int], list[int]] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """Never below zero: a packet that came twice makes up for none."""
        return max(0, self.expected + self.highest - self.base + 1 - self.packets)

    @property
    def packet_ms(self) -> float | None:
        """How much sound most packets hold, by their timestamps."""
        return median_low(self.steps) / _CLOCK_PER_MS if self.steps else None

    @property
    def jitter_mean_ms(self) -> float | None:
        return round(self.jitter_sum / self.jittered * 1000, 3) if self.jittered else None

    @property
    def jitter_max_ms(self) -> float | None:
        return round(self.jitter_max * 1000, 3) if self.jittered else None

    def digits(self) -> list[tuple[str, int, int]]:
        """(digit, payload type, packets that said it is over), in the order of their beginnings."""
        return [(_DIGITS[event], payload, ends) for (_, payload), (event, ends) in self.events.items()]


class Streams:
    """Every RTP stream of a capture, by flow and SSRC."""

    def __init__(self) -> None:
        self.counted: dict[tuple[bytes, int], Counted] = {}
        self.is_full = False

    def add(self, time_s: float, flow: bytes, data: bytes, at: int, end: int) -> None:
        """A datagram whose UDP payload is data[at:end], at least 12 octets, and begins with version 2."""
        _, second, sequence, timestamp, ssrc = _header(data, at)
        if second in _RTCP:
            return
        stream = self.counted.get((flow, ssrc))
        payload = second & 127
        if stream is None:
            if len(self.counted) >= MOST_STREAMS:
                self.is_full = True
                return
            stream = self.counted[flow, ssrc] = Counted(time_s, sequence, sequence)
            stream.payloads[payload] = 0
        else:
            step = (sequence - stream.highest) & 0xFFFF
            if step == 0:
                return  # the same packet, seen at a second place
            if step < _DROPOUT:
                stream.highest += step
            elif step < 0x10000 - 100:
                stream.expected += stream.highest - stream.base + 1
                stream.base = stream.highest = sequence
                step = 0
            if step == 1 and payload < 96 and not second & 128 and stream.ends_with_sound:
                self._jitter(stream, time_s, timestamp)
        stream.packets += 1
        stream.payloads[payload] = stream.payloads.get(payload, 0) + 1
        stream.last_s, stream.ends_with_sound = time_s, payload < 96
        if payload < 96:
            stream.timestamp = timestamp
        elif end - at == 16 and data[at + 12] < 16:
            self._event(stream, payload, timestamp, data[at + 12], data[at + 13])

    @staticmethod
    def _jitter(stream: Counted, time_s: float, timestamp: int) -> None:
        """RFC 3550 A.8, between neighbours that both hold sound: an event keeps the timestamp of its beginning."""
        ticks = (timestamp - stream.timestamp) & 0xFFFFFFFF
        if not 0 < ticks < 80_000:
            return
        if len(stream.steps) < _MOST_STEPS:
            stream.steps.append(ticks)
        apart = abs(time_s - stream.last_s - ticks / 8000)
        stream.jitter += (apart - stream.jitter) / 16
        stream.jitter_sum += stream.jitter
        stream.jittered += 1
        if stream.jitter > stream.jitter_max:
            stream.jitter_max = stream.jitter

    @staticmethod
    def _event(stream: Counted, payload: int, timestamp: int, event: int, flags: int) -> None:
        key = (timestamp, payload)
        if key not in stream.events:
            if len(stream.events) >= _MOST_DIGITS:
                return
            stream.events[key] = [event, 0]
        stream.events[key][1] += flags >> 7
