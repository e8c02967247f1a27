"""ICMP echo, RFC 792: the message that asks a host to send the same octets back, and the answer. Pure."""

import struct
from typing import NamedTuple

HEADERS_OCTETS = 28
"IPv4 header without options and ICMP header: what an echo is longer than its payload."
_HEADER = struct.Struct("!BBHHH")
_REQUEST, _REPLY = 8, 0


class Reply(NamedTuple):
    """An echo reply. identifier, sequence: as in the request that it answers."""

    identifier: int
    sequence: int
    payload: bytes


def request(identifier: int, sequence: int, payload: bytes) -> bytes:
    """The ICMP message, without IP header. identifier, sequence: 16 bits each."""
    message = _HEADER.pack(_REQUEST, 0, 0, identifier, sequence) + payload
    return _HEADER.pack(_REQUEST, 0, checksum(message), identifier, sequence) + payload


def parse_reply(message: bytes) -> Reply | None:
    """None for any other message, and for one that is damaged. message: from the ICMP header on, any octets at all."""
    if len(message) < _HEADER.size or checksum(message) != 0:
        return None
    kind, code, _, identifier, sequence = _HEADER.unpack_from(message)
    return Reply(identifier, sequence, message[_HEADER.size :]) if (kind, code) == (_REPLY, 0) else None


def without_ip_header(packet: bytes) -> bytes:
    """What follows an IPv4 header; nothing where there is none. A raw socket gives packets with it."""
    length = 4 * (packet[0] & 15) if packet else 0
    return packet[length:] if length >= 20 else b""


def checksum(message: bytes) -> int:
    """RFC 1071; 0 for a message that carries its own, right one."""
    padded = message + b"\0" * (len(message) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
