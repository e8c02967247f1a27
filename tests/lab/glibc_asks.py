"""Runs in a room: lets glibc look up names while resolvers on this machine's own addresses write down who was asked.

argv: names. What a resolver answers stands in the name itself: `sa-n.example` has 127.0.0.1 fail (s) and then answer
(a), and 127.0.0.2 say that there is no such name (n). The last letter counts for all later questions as well; a
resolver without letters fails. One line of JSON a name: whether records were found, and who was asked in which order.
"""

import ctypes
import json
import socket
import struct
import sys
import threading

ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "::1")
SRV, IN = 33, 1
SERVFAIL, NXDOMAIN = 2, 3
RESPONSE_AND_RECURSION = 0x8180


def listener(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    if ":" in address:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((address, 53))
    return sock


def serve(sock: socket.socket, place: int, asked: list[tuple[str, int]]) -> None:
    counts: dict[bytes, int] = {}
    while True:
        query, peer = sock.recvfrom(4096)
        end = query.index(b"\0", 12) + 5
        label = query[13 : 13 + query[12]].decode()
        number = counts[query[12:end]] = counts.get(query[12:end], -1) + 1
        letters = (label.split("-") + [""] * place)[place] or "s"
        has_edns = query[11] > 0
        asked.append((ADDRESSES[place], struct.unpack_from("!H", query, end + 3)[0] if has_edns else 0))
        sock.sendto(answer(query, query[12:end], letters[min(number, len(letters) - 1)]), peer)


def answer(query: bytes, question: bytes, letter: str) -> bytes:
    rcode = {"s": SERVFAIL, "n": NXDOMAIN, "a": 0}[letter]
    record = b""
    if letter == "a":
        record = b"\xc0\x0c" + struct.pack("!HHIHHHH", SRV, IN, 60, 7, 0, 0, 5060) + b"\0"
    return query[:2] + struct.pack("!HHHHH", RESPONSE_AND_RECURSION | rcode, 1, bool(record), 0, 0) + question + record


def main() -> None:
    asked: list[tuple[str, int]] = []
    for place, address in enumerate(ADDRESSES):
        threading.Thread(target=serve, args=(listener(address), place, asked), daemon=True).start()
    libresolv = ctypes.CDLL("libresolv.so.2")
    res_query = getattr(libresolv, "res_query", None) or libresolv.__res_query
    room = ctypes.create_string_buffer(4096)
    for name in sys.argv[1:]:
        asked.clear()
        found = res_query(name.encode(), IN, SRV, room, len(room)) > 0
        print(json.dumps([found, asked]))


main()
