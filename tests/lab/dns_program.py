"""Runs in a room: a forwarder that fails. argv: its address, that of the resolver behind it, how often it fails first.

Every question gets SERVFAIL that many times, and then what the resolver behind it says. UDP only.
"""

import collections
import socket
import sys

SERVFAIL = bytes((0x81, 0x82))


def main(address: str, behind: str, failures: int) -> None:
    asked: collections.Counter[bytes] = collections.Counter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as front:
        front.bind((address, 53))
        while True:
            query, peer = front.recvfrom(4096)
            asked[query[12:]] += 1
            if asked[query[12:]] <= failures:
                front.sendto(query[:2] + SERVFAIL + query[4:6] + bytes(6) + query[12:], peer)
                continue
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back:
                back.connect((behind, 53))
                back.send(query)
                front.sendto(back.recv(4096), peer)


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
