"""A router that quotes otherwise than Linux: `hop_program.py INTERFACE STYLE`, as root, where the kernel is silent.

Watches what arrives with its last hop used up, and sends the ICMP Time Exceeded itself, rationed as the kernel of its
room is set to (icmp_ratelimit, six at once):

28        the IP header and eight octets, as RFC 792 has it, so nothing of a UDP payload
128       RFC 4884: 128 octets, padded with zeros, a length field and an extension object behind
128-old   the same without the length field, as routers did before RFC 4884
garbled   as much as Linux, with every seventh octet of the payload damaged
"""

import socket
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from packets import checksum  # type: ignore[import-not-found]

_RATELIMIT = Path("/proc/sys/net/ipv4/icmp_ratelimit")
_BURST = 6
_EXTENSION = struct.pack("!HBB", 8, 1, 1) + b"\0\0\1\1"
_MARK = 7


def _quote(packet: bytes, style: str) -> tuple[bytes, int]:
    """The original datagram field with what follows, and the length attribute in 32-bit words."""
    if style == "28":
        return packet[:28], 0
    if style == "garbled":
        shown = bytearray(packet[:548])
        shown[28::7] = bytes(octet ^ 0x80 for octet in shown[28::7])
        return bytes(shown), 0
    head = struct.pack("!BBH", 0x20, 0, 0)
    extension = head[:2] + struct.pack("!H", checksum(head + _EXTENSION)) + _EXTENSION
    return packet[:128].ljust(128, b"\0") + extension, 32 if style == "128" else 0


class _Ration:
    """A bucket for each destination, as inet_peer_xrlim_allow() of Linux has it."""

    def __init__(self) -> None:
        self._buckets: dict[bytes, tuple[float, float]] = {}

    def allows(self, destination: bytes) -> bool:
        each_s, now_s = int(_RATELIMIT.read_text()) / 1000, time.monotonic()
        saved_s, at_s = self._buckets.get(destination, (_BURST * each_s, now_s))
        saved_s = min(_BURST * each_s, saved_s + now_s - at_s)
        allowed = saved_s >= each_s
        self._buckets[destination] = (saved_s - each_s if allowed else saved_s, now_s)
        return allowed


def main(interface: str, style: str) -> None:
    watching = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    watching.bind((interface, 0x0800))
    sending = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    sending.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, _MARK)
    ration = _Ration()
    print("ready", flush=True)
    while True:
        packet, (_, _, kind, _, _) = watching.recvfrom(65535)
        if kind != socket.PACKET_HOST or len(packet) < 28 or packet[8] != 1 or packet[9] not in (6, 17):
            continue
        if not ration.allows(packet[12:16]):
            continue
        quote, words = _quote(packet[: struct.unpack_from("!H", packet, 2)[0]], style)
        message = struct.pack("!BBHBBH", 11, 0, 0, 0, words, 0) + quote
        message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
        sending.sendto(message, (socket.inet_ntoa(packet[12:16]), 0))


if __name__ == "__main__":
    main(*sys.argv[1:])
