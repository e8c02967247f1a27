"""Packets to datagrams: Ethernet with VLAN and PPPoE, Linux cooked, raw IP; IPv4, IPv6, their fragments. Pure.

Limits bound what a hostile capture can make this remember.
"""

import socket
import struct
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

_ETHERNET, _NULL, _SLL, _LOOP, _SLL2 = 1, 0, 113, 108, 276
_RAW = (101, 12, 14, 228, 229)
"https://www.tcpdump.org/linktypes.html"

LINK_TYPES = (_ETHERNET, _NULL, _SLL, _LOOP, _SLL2, *_RAW)

_VLAN = (0x8100, 0x88A8, 0x9100)
_PPPOE, _IPV4, _IPV6 = 0x8864, 0x0800, 0x86DD
_PPP = {0x0021: _IPV4, 0x0057: _IPV6}
_SKIPPED_BEFORE_IPV6_PAYLOAD = (0, 43, 60)

TCP, UDP = 6, 17

_MOST_FRAGMENTED = 256
"Datagrams in pieces at the same time. The oldest is given up for a new one."
_LONGEST_WAIT_S = 30.0
"RFC 791 3.2 and RFC 8200 4.5 let go of fragments after 15 s to 60 s."


@dataclass(frozen=True)
class Datagram:
    """What one IP packet carried, or several fragments together. payload: from the UDP or TCP header on.

    cut: less of it is there than was sent: a snaplen, or a fragment that never came.
    """

    time_s: float
    protocol: int
    source: bytes
    destination: bytes
    payload: bytes
    cut: bool


def address(packed: bytes) -> str:
    """Four or sixteen octets as text."""
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def ip_at(link_type: int, data: bytes) -> int | None:
    """Where the IP header starts; None where the packet holds none."""
    if link_type == _ETHERNET:
        return _behind(data, 12)
    if link_type == _SLL:
        return _behind(data, 14)
    if link_type == _SLL2:
        kind = int.from_bytes(data[:2], "big")
        return 20 if kind in (_IPV4, _IPV6) else _behind(data, 16) if kind in _VLAN and len(data) > 20 else None
    if link_type in _RAW:
        return 0
    return 4 if link_type in (_NULL, _LOOP) else None


def _behind(data: bytes, at: int) -> int | None:
    """Behind an EtherType at `at`, and the VLAN tags and PPPoE that follow."""
    while at + 2 <= len(data):
        kind = data[at] << 8 | data[at + 1]
        at += 2
        if kind in (_IPV4, _IPV6):
            return at
        if kind in _VLAN:
            at += 2
        elif kind == _PPPOE and at + 8 <= len(data):
            return at + 8 if int.from_bytes(data[at + 6 : at + 8], "big") in _PPP else None
        else:
            return None
    return None


@dataclass
class _Pieces:
    """A datagram in fragments. total: its length, once the last one is there."""

    time_s: float
    parts: dict[int, bytes]
    total: int | None = None
    is_cut: bool = False


class Fragments:
    """Puts fragments together (RFC 791, RFC 8200 4.5). `given_up` brings those that never became whole."""

    def __init__(self) -> None:
        self._begun: OrderedDict[tuple[bytes, bytes, int, bytes], _Pieces] = OrderedDict()
        self._given_up: list[Datagram] = []

    def datagram(self, time_s: float, data: bytes, at: int, original: int) -> Datagram | None:
        """Of a packet whose IP header starts at `at`; None where it carries none, or is a part of one."""
        version = data[at] >> 4 if at < len(data) else 0
        if version == 4:
            return self._of_ipv4(time_s, data, at)
        return self._of_ipv6(time_s, data, at, original) if version == 6 else None

    def given_up(self) -> list[Datagram]:
        """What was begun and is not whole: its first fragments, marked as cut."""
        for key in list(self._begun):
            self._give_up(key)
        given_up, self._given_up = self._given_up, []
        return given_up

    def _of_ipv4(self, time_s: float, data: bytes, at: int) -> Datagram | None:
        if at + 20 > len(data):
            return None
        header, length = (data[at] & 15) * 4, data[at + 2] << 8 | data[at + 3]
        if header < 20:
            return None
        protocol, source, destination = data[at + 9], data[at + 12 : at + 16], data[at + 16 : at + 20]
        end = at + length if length else len(data)  # 0: the network card was to cut it into segments
        payload, is_cut = data[at + header : end], end > len(data)
        flags = data[at + 6] << 8 | data[at + 7]
        if not flags & 0x3FFF:
            return Datagram(time_s, protocol, source, destination, payload, is_cut)
        key = (source, destination, protocol, data[at + 4 : at + 6])
        return self._piece(time_s, key, (flags & 0x1FFF) * 8, payload, more=bool(flags & 0x2000), is_cut=is_cut)

    def _of_ipv6(self, time_s: float, data: bytes, at: int, original: int) -> Datagram | None:
        if at + 40 > len(data):
            return None
        length = data[at + 4] << 8 | data[at + 5]
        protocol, source, destination = data[at + 6], data[at + 8 : at + 24], data[at + 24 : at + 40]
        end, at = at + 40 + length if length else original, at + 40
        for _ in range(8):
            if protocol in _SKIPPED_BEFORE_IPV6_PAYLOAD and at + 8 <= len(data):
                protocol, at = data[at], at + 8 + data[at + 1] * 8
            elif protocol == 44 and at + 8 <= len(data):
                place = data[at + 2] << 8 | data[at + 3]
                key = (source, destination, data[at], data[at + 4 : at + 8])
                payload = data[at + 8 : end]
                return self._piece(time_s, key, place & 0xFFF8, payload, more=bool(place & 1), is_cut=end > len(data))
            else:
                break
        return Datagram(time_s, protocol, source, destination, data[at:end], end > len(data))

    def _piece(
        self,
        time_s: float,
        key: tuple[bytes, bytes, int, bytes],
        place: int,
        content: bytes,
        *,
        more: bool,
        is_cut: bool,
    ) -> Datagram | None:
        pieces = self._begun.get(key)
        if pieces is not None and not 0 <= time_s - pieces.time_s < _LONGEST_WAIT_S:  # the number is used again
            self._give_up(key)
            pieces = None
        if pieces is None:
            if len(self._begun) >= _MOST_FRAGMENTED:
                self._give_up(next(iter(self._begun)))
            pieces = self._begun[key] = _Pieces(time_s, {})
        pieces.parts.setdefault(place, content)
        pieces.is_cut |= is_cut
        if not more:
            pieces.total = place + len(content)
        if pieces.is_cut or pieces.total is None or sum(map(len, pieces.parts.values())) < pieces.total:
            return None
        whole = b"".join(_joined(pieces))
        if len(whole) < pieces.total:
            return None
        del self._begun[key]
        return Datagram(pieces.time_s, key[2], key[0], key[1], whole[: pieces.total], cut=False)

    def _give_up(self, key: tuple[bytes, bytes, int, bytes]) -> None:
        pieces = self._begun.pop(key)
        start = b"".join(_joined(pieces))
        if start:
            self._given_up.append(Datagram(pieces.time_s, key[2], key[0], key[1], start, cut=True))


def _joined(pieces: _Pieces) -> Iterator[bytes]:
    """From the beginning to the first gap."""
    end = 0
    for place in sorted(pieces.parts):
        content = pieces.parts[place]
        if place > end:
            return
        yield content[end - place :]
        end = max(end, place + len(content))


def ports(payload: bytes) -> tuple[int, int] | None:
    """Source and destination port of UDP or TCP."""
    return struct.unpack_from("!HH", payload) if len(payload) >= 4 else None


def udp_payload(datagram: Datagram) -> tuple[bytes, bool]:
    """What a UDP datagram carries, and whether its end is missing."""
    length = int.from_bytes(datagram.payload[4:6], "big")
    content = datagram.payload[8 : length or None]
    return content, datagram.cut or len(content) < length - 8
