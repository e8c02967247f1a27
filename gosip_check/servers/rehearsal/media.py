"""The sound of one call of a rehearsal: a melody out, and what comes in counted. Keeps no sound.

Each call has a pair of ports of its own, so that no call's packets are taken for another's (RFC 3550 11).
"""

import contextlib
import functools
import ipaddress
import secrets
import socket
from collections import deque
from collections.abc import Iterator

from gosip_check.heard import Place, Stream, stream_of
from gosip_check.servers.rehearsal.world import World
from gosip_check.wire import g711, rtp, sdp
from gosip_check.wire.rtp import Streams

PORTS = range(40_000, 40_200)
"Of all calls, one pair after the other: what a firewall of the laptop must let in."

_ALAW, _PACKET_MS = 8, 20
_SAMPLES = _PACKET_MS * g711.SAMPLES_PER_S // 1000
_DIGIT_PACKETS, _ENDS, _PAUSE = 5, 3, 5
"An event of 100 ms, its three last packets (RFC 4733 2.5.1.4), and a pause, in packets."
_MELODY = ((523, 300), (659, 300), (784, 300), (1047, 500), (0, 600))
"(hertz, milliseconds)"
_TAKEN_AT_ONCE = 50
_FLOWS = 50
"So many pairs of ports are counted in one call."


class Media:
    """address: of the site. pbx: who may send. world: whose clock and network. OSError where no pair of ports is free.

    Until `describe` says where the PBX wants it, nothing is sent.
    """

    def __init__(self, world: World, address: str, pbx: str) -> None:
        self._world = world
        self._stack = contextlib.ExitStack()
        self.socket, self._rtcp = self._pair(address)
        self.place: Place = (address, self.socket.getsockname()[1])
        self._pbx, self._from = pbx, {pbx}
        self._to: Place | None = None
        self._event: int | None = None
        self.is_muted = False
        self._streams = Streams()
        self._places: dict[bytes, tuple[Place, Place]] = {}
        self._ssrc = secrets.randbits(32)
        self._sequence, self._timestamp = secrets.randbits(15), secrets.randbits(31)
        self._digits: deque[tuple[str, int, bool] | None] = deque()
        self._at = 0
        self.next_s = float("inf")
        "When `send` is due, by the clock that never goes back."

    def _pair(self, address: str) -> tuple[socket.socket, socket.socket]:
        """An even port and the next; where the search begins is left to chance, so that two rehearsals get along."""
        first = secrets.randbelow(len(PORTS) // 2) * 2
        for number in range(0, len(PORTS), 2):
            port = PORTS[(first + number) % len(PORTS)]
            with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
                pair = tuple(stack.enter_context(self._world.bound((address, port + odd))) for odd in (0, 1))
                self._stack = stack.pop_all()
                return pair[0], pair[1]
        raise OSError("no pair of ports is free for RTP")

    def close(self) -> None:
        self._stack.close()
        self.next_s = float("inf")

    def describe(self, described: sdp.Media) -> None:
        """Where the PBX wants its RTP. An address that is not of the site: then to the PBX itself."""
        host = described.host or self._pbx
        is_here = host == self._pbx or _is_private(host)
        if is_here and host != "0.0.0.0":
            self._from.add(host)
        self._to = (host if is_here else self._pbx, described.port)
        self._event = sdp.event_payload(described)
        self.is_muted = described.direction in ("sendonly", "inactive") or host == "0.0.0.0"
        if self.next_s == float("inf"):
            self.next_s = self._world.monotonic()

    def press(self, digits: str) -> bool:
        """Send these digits as events. False where the PBX takes none."""
        if self._event is None or self._to is None:
            return False
        for digit in digits:
            self._digits += [(digit, number, False) for number in range(1, _DIGIT_PACKETS + 1)]
            self._digits += [(digit, _DIGIT_PACKETS, True)] * _ENDS
            self._digits += [None] * _PAUSE
        return True

    @property
    def is_pressing(self) -> bool:
        return bool(self._digits)

    def send(self, now_s: float) -> None:
        """The packets that are due; after a pause of the machine one, not a burst."""
        if now_s < self.next_s or self._to is None:
            return
        self.next_s = max(self.next_s, now_s - 5 * _PACKET_MS / 1000) + _PACKET_MS / 1000
        self._timestamp += _SAMPLES
        if self.is_muted:
            return
        self._sequence += 1
        payload, timestamp, content, marker = self._content()
        data = rtp.packet(payload, self._sequence, timestamp, self._ssrc, content, marker=marker)
        with contextlib.suppress(OSError):  # an ICMP error for what was sent, or no way there
            self.socket.sendto(data, self._to)
            self._count(self.place, self._to, data)

    def _content(self) -> tuple[int, int, bytes, bool]:
        """Payload type, timestamp, content and marker of the next packet."""
        event = self._digits.popleft() if self._digits else None
        if event is None or self._event is None:
            melody = _melody()
            self._at = (self._at + _SAMPLES) % len(melody)
            return _ALAW, self._timestamp, melody[self._at : self._at + _SAMPLES], False
        digit, number, ends = event
        if number == 1:
            self._event_began = self._timestamp
        content = rtp.event(digit, number * _SAMPLES, ends=ends)
        return self._event, self._event_began, content, number == 1

    _event_began = 0

    def receive(self) -> None:
        """What has come: counted, and thrown away."""
        for _ in range(_TAKEN_AT_ONCE):
            try:
                data, peer = self.socket.recvfrom(2048)
            except OSError:  # nothing more, or an ICMP error for what was sent
                return
            if peer[0] in self._from and len(data) >= 12 and data[0] >> 6 == 2:
                self._count((peer[0], peer[1]), self.place, data)

    def _count(self, source: Place, destination: Place, data: bytes) -> None:
        flow = f"{source} {destination}".encode()
        if flow not in self._places and len(self._places) >= _FLOWS:
            return
        self._places[flow] = (source, destination)
        self._streams.add(self._world.time(), flow, data, 0, len(data))

    @property
    def digits(self) -> str:
        """Those that the PBX has sent as events."""
        return "".join(digit for stream in self.streams() if stream.direction == "up" for digit in _pressed(stream))

    @property
    def has_come(self) -> bool:
        return any(self._places[flow][0] != self.place for flow, _ in self._streams.counted)

    def streams(self) -> Iterator[Stream]:
        for (flow, ssrc), counted in self._streams.counted.items():
            source, destination = self._places[flow]
            yield stream_of("down" if source == self.place else "up", source, destination, ssrc, counted)


def _pressed(stream: Stream) -> list[str]:
    return [each.digit for each in stream.digits]


@functools.cache
def _melody() -> bytes:
    """A whole number of packets."""
    return b"".join(g711.tone(hertz, lasts_ms) for hertz, lasts_ms in _MELODY)


def _is_private(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
        return address.is_private and not (address.is_loopback or address.is_link_local or address.is_unspecified)
    except ValueError:
        return False
