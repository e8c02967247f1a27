"""Far ends on loopback that lie, or are no reflectors at all. Laid out by RFC 8762 4.3.1 with `struct`, not our codec.

An honest stateful reflector is made first, and a lie changes what it sends: another packet, any octets, or None for
silence.
"""

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_LAYOUT = struct.Struct("!IQHHQIQHHB3x")
_NTP_S = 2_208_988_800


@dataclass(frozen=True)
class Asked:
    """One packet that came: its octets, when, and how many of its flow came before."""

    data: bytes
    received_ns: int
    count: int


@dataclass
class Packet:
    """What the far end sends, field by field; `tail` follows the base packet."""

    sequence: int
    sent: int
    estimate: int
    ssid: int
    received: int
    sender_sequence: int
    sender_sent: int
    sender_estimate: int
    ttl: int = 64
    tail: bytes = b""

    def __bytes__(self) -> bytes:
        return _LAYOUT.pack(
            self.sequence & 0xFFFFFFFF, self.sent & (1 << 64) - 1, self.estimate, self.ssid,
            self.received & (1 << 64) - 1, self.sender_sequence & 0xFFFFFFFF, self.sender_sent,
            self.sender_estimate, 0, self.ttl,
        ) + self.tail  # fmt: skip


Lie = Callable[[Packet, Asked], Packet | bytes | None]


def ntp(unix_ns: float) -> int:
    seconds, ns = divmod(int(unix_ns), 10**9)
    return (seconds + _NTP_S) % 2**32 << 32 | (ns << 32) // 10**9


def ptp(unix_ns: float) -> int:
    seconds, ns = divmod(int(unix_ns), 10**9)
    return seconds << 32 | ns


def as_ntp(ms: float) -> int:
    """A span, in the units of an NTP time stamp."""
    return int(ms / 1000 * 2**32)


def honest(asked: Asked) -> Packet:
    """The TLVs go back as they came, flags and all: none is understood."""
    sequence, sent, estimate, ssid = struct.unpack_from("!IQHH", asked.data)
    received = ntp(asked.received_ns)
    return Packet(
        asked.count, ntp(time.time_ns()), 1, ssid, received, sequence, sent, estimate, tail=asked.data[_LAYOUT.size :]
    )


def answer(lie: Lie | None, asked: Asked) -> bytes | None:
    packet = honest(asked)
    said = packet if lie is None else lie(packet, asked)
    return None if said is None else bytes(said)


@contextmanager
def far_end(lie: Lie | None = None, address: str = "127.0.0.1") -> Iterator[int]:
    """The port that it answers on."""
    stop = threading.Event()

    def serve() -> None:
        counts: Counter[object] = Counter()
        while not stop.is_set():
            try:
                data, peer = sock.recvfrom(4096)
            except TimeoutError:
                continue
            said = answer(lie, Asked(data, time.time_ns(), counts[peer]))
            counts[peer] += 1
            if said is not None:
                sock.sendto(said, peer)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        sock.settimeout(0.05)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            stop.set()
            thread.join()
