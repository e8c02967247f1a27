"""SIP in TCP segments: in the order of their sequence numbers, cut into messages by Content-Length. Bounded."""

from dataclasses import dataclass, field

from gosip_check.trace.framing import starts_like_sip
from gosip_check.wire.sip import WireError
from gosip_check.wire.sip_stream import take_from_stream

_MOST_FLOWS = 256
_MOST_WAITING = 64
"Segments that wait for one before them. With more, that one is taken for lost."
_LONGEST_BUFFER = 131_072

_SYN = 2
_SIP_PORTS = frozenset(range(5060, 5100))
"A connection to one of these is followed from its SYN on, so that its first segments may come in any order."
_TLS_HANDSHAKE = b"\x16\x03"


@dataclass
class _Flow:
    """One direction of a connection. next: the sequence number to come; None until a message has begun."""

    next: int | None = None
    buffer: bytes = b""
    waiting: dict[int, bytes] = field(default_factory=dict)


class Segments:
    """Every flow that carries SIP. `encrypted` counts the flows that begin as TLS."""

    def __init__(self) -> None:
        self._flows: dict[tuple[bytes, bytes], _Flow] = {}
        self.encrypted: set[tuple[bytes, bytes]] = set()

    def messages(self, source: bytes, destination: bytes, segment: bytes) -> list[tuple[bytes, bool]]:
        """The messages that a segment completes: octets, and whether some are missing. segment: with its header.

        source, destination: address and port, packed.
        """
        if len(segment) < 20:
            return []
        sequence, header, flags = int.from_bytes(segment[4:8], "big"), (segment[12] >> 4) * 4, segment[13]
        content, key = segment[header:], (source, destination)
        if flags & _SYN:
            sequence = (sequence + 1) & 0xFFFFFFFF
        if content.startswith(_TLS_HANDSHAKE) and len(self.encrypted) < _MOST_FLOWS:
            self.encrypted.add(key)
        flow = self._flows.get(key)
        if flow is None:
            may_begin = starts_like_sip(content) or (
                flags & _SYN and _SIP_PORTS.intersection((_port(source), _port(destination)))
            )
            if not may_begin or len(self._flows) >= _MOST_FLOWS:
                return []
            flow = self._flows[key] = _Flow(next=sequence)
        elif flags & _SYN:
            flow.next, flow.buffer = sequence, b""
            flow.waiting.clear()
        return self._taken(flow, sequence, content)

    def _taken(self, flow: _Flow, sequence: int, content: bytes) -> list[tuple[bytes, bool]]:
        brought: list[tuple[bytes, bool]] = []
        if content:
            flow.waiting.setdefault(sequence, content)
        if len(flow.waiting) > _MOST_WAITING:  # one was lost: go on where a message begins again
            brought += [(flow.buffer, True)] if starts_like_sip(flow.buffer) else []
            flow.buffer = b""
            flow.next = next((s for s in sorted(flow.waiting) if starts_like_sip(flow.waiting[s])), None)
            if flow.next is None:
                flow.waiting.clear()
        while flow.next is not None and (piece := _next_piece(flow)):
            flow.next = (flow.next + len(piece)) & 0xFFFFFFFF
            flow.buffer += piece
            brought += self._cut(flow)
        return brought

    @staticmethod
    def _cut(flow: _Flow) -> list[tuple[bytes, bool]]:
        brought = []
        while flow.buffer:
            try:
                message, rest = take_from_stream(flow.buffer)
            except WireError:
                flow.buffer = b""
                break
            if message is None:
                flow.buffer = rest if len(rest) <= _LONGEST_BUFFER else b""
                break
            brought.append((message.raw, False))
            flow.buffer = rest
        return brought


def _port(place: bytes) -> int:
    return int.from_bytes(place[-2:], "big")


def _next_piece(flow: _Flow) -> bytes:
    """What of the waiting segments goes on where the flow stands; segments that are behind it are let go."""
    assert flow.next is not None
    for sequence, content in list(flow.waiting.items()):
        ahead = (sequence - flow.next) & 0xFFFFFFFF
        if ahead == 0:
            return flow.waiting.pop(sequence)
        if ahead > 0x7FFFFFFF:  # begins before: a retransmission, perhaps a longer one
            del flow.waiting[sequence]
            new = content[0x100000000 - ahead :]
            if new:
                return new
    return b""
