"""Far ends that lie, or are no reflectors at all, on loopback or on a path made up by hand.

Packets are laid out by RFC 8762 4.2.1 and 4.3.1 with `struct`, not by our codec. An honest stateful reflector's answer
is made first, and a lie changes it: another packet, any octets, or None for silence.
"""

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gosip_check.probes.media import answer
from gosip_check.probes.media.answer import Arrival, ChannelLog
from gosip_check.wire.stamp_sent import Sent
from tests.unit.probes.media.streams import MS, PACKETS, START_NS

_ASKED = struct.Struct("!IQHH28x")
_ANSWER = struct.Struct("!IQHHQIQHHB3x")
_NTP_S = 2_208_988_800
_TAIL = 3
FAR_CLOCK_NS = 3_600 * 10**9
"The far end's clock is an hour ahead."
KEPT_NS = 50_000

Delay = Callable[[int], float | None]
"Milliseconds that a packet takes, None where it is lost."


@dataclass(frozen=True)
class Asked:
    """One packet that came: its octets, when it came, when its answer leaves, how many of its flow came before."""

    data: bytes
    received_ns: int
    leaves_ns: int
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
        return _ANSWER.pack(
            self.sequence & 0xFFFFFFFF, self.sent & (1 << 64) - 1, self.estimate & 0xFFFF, self.ssid & 0xFFFF,
            self.received & (1 << 64) - 1, self.sender_sequence & 0xFFFFFFFF, self.sender_sent & (1 << 64) - 1,
            self.sender_estimate & 0xFFFF, 0, self.ttl & 0xFF,
        ) + self.tail  # fmt: skip


Lie = Callable[[Packet, Asked], Packet | bytes | None]


def ntp(unix_ns: float) -> int:
    seconds, ns = divmod(int(unix_ns), 10**9)
    return (seconds + _NTP_S) % 2**32 << 32 | (ns << 32) // 10**9


def ptp(unix_ns: float) -> int:
    seconds, ns = divmod(int(unix_ns), 10**9)
    return seconds << 32 | ns


def truth(packet: Packet, _: Asked) -> Packet:
    return packet


def echo(_: Packet, asked: Asked) -> bytes:
    """A UDP echo service (RFC 862)."""
    return asked.data


def first_octets(octets: int) -> Lie:
    return lambda packet, _: bytes(packet)[:octets]


def by_clock(there: Callable[[int], int]) -> Lie:
    """T2 and T3 are what `there` makes of the true time in nanoseconds."""

    def lie(packet: Packet, asked: Asked) -> Packet:
        packet.received, packet.sent = ntp(there(asked.received_ns)), ntp(there(asked.leaves_ns))
        return packet

    return lie


def in_ptp(z_bit: bool) -> Lie:
    """PTP time (RFC 8186), and what the error estimate says of it."""

    def lie(packet: Packet, asked: Asked) -> Packet:
        packet.received, packet.sent = ptp(asked.received_ns), ptp(asked.leaves_ns)
        packet.estimate = 0x4001 if z_bit else 0x0001
        return packet

    return lie


def honest(asked: Asked) -> Packet:
    """The TLVs go back as they came, flags and all: none is understood."""
    number, sent, estimate, ssid = _ASKED.unpack_from(asked.data)
    tail = asked.data[_ASKED.size :]
    return Packet(asked.count, ntp(asked.leaves_ns), 1, ssid, ntp(asked.received_ns), number, sent, estimate, tail=tail)


def _said(lie: Lie, asked: Asked) -> bytes | None:
    packet = lie(honest(asked), asked)
    return None if packet is None else bytes(packet)


def channel(lie: Lie, up_ms: Delay, down_ms: Delay, packets: int = PACKETS) -> ChannelLog:
    """What one channel brings back through a path that takes so long for a packet; a tail follows that takes 10 ms."""
    sent = Sent()
    arrivals = []
    count = 0
    for number in range(packets + _TAIL):
        sent_ns = START_NS + number * 20 * MS
        sent.add(number, sent_ns)
        there = up_ms(number) if number < packets else 10.0
        back = down_ms(number) if number < packets else 10.0
        if there is None:
            continue
        received_ns = sent_ns + int(there * MS)
        data = _ASKED.pack(number, ntp(sent_ns), 0x12A4, 7)
        asked = Asked(data, received_ns + FAR_CLOCK_NS, received_ns + KEPT_NS + FAR_CLOCK_NS, count)
        octets = _said(lie, asked)
        count += 1
        if octets is not None and back is not None:
            arrivals.append(Arrival(octets[:44], octets[44:60], received_ns + KEPT_NS + int(back * MS), 46))
    arrivals.sort(key=lambda arrival: arrival.arrived_ns)
    return answer.read(arrivals, sent, packets + _TAIL, None, 46)


@contextmanager
def far_end(lie: Lie = truth) -> Iterator[int]:
    """On loopback; the port that it answers on."""
    stop = threading.Event()

    def serve() -> None:
        counts: Counter[object] = Counter()
        while not stop.is_set():
            try:
                data, peer = sock.recvfrom(4096)
            except TimeoutError:
                continue
            received_ns = time.time_ns()
            octets = _said(lie, Asked(data, received_ns, time.time_ns(), counts[peer]))
            counts[peer] += 1
            if octets is not None:
                sock.sendto(octets, peer)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.05)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            stop.set()
            thread.join()
