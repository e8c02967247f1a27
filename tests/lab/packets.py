"""IPv4 and UDP by hand, for the lab's small forwarding programs. Octets only."""

import struct


def checksum(data: bytes) -> int:
    """RFC 1071."""
    padded = data + b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(padded[index : index + 2], "big") for index in range(0, len(padded), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def with_payload(packet: bytes, payload: bytes, *, ttl: int, destination_port: int | None = None) -> bytes:
    """The same UDP packet with another payload and TTL, and perhaps another destination port."""
    size = (packet[0] & 15) * 4
    source, destination = packet[12:16], packet[16:20]
    source_port, port = struct.unpack_from("!HH", packet, size)
    port = destination_port or port
    length = 8 + len(payload)
    pseudo = source + destination + struct.pack("!BBH", 0, 17, length)
    udp = struct.pack("!HHHH", source_port, port, length, 0)
    udp = udp[:6] + struct.pack("!H", checksum(pseudo + udp + payload) or 0xFFFF)
    head = bytearray(packet[:size])
    struct.pack_into("!H", head, 2, size + length)
    head[8] = ttl
    head[10:12] = b"\0\0"
    struct.pack_into("!H", head, 10, checksum(bytes(head)))
    return bytes(head) + udp + payload
