"""The SIP mirror on a thread of its own, so that whatever is sent to it never delays STAMP's times. Keeps no record.

Over UDP the reflector's thread hands over what looks like SIP (`hand_over`); over TCP it accepts and reads by itself.
An answer over UDP is never longer than its request. Over TCP, where the sender has proven its address, it is at most
three times as long. Reading costs what arrives: messages are bounded, and so is what one source, and all together, may
have mirrored in a second.
"""

import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence

from gosip_check.servers.arrivals import UdpEnd
from gosip_check.servers.limits import Limits, Prefix, Shares
from gosip_check.servers.mirror_streams import MirrorStreams
from gosip_check.servers.stamp_reflector import FIRST_USER_PORT, Answer, Arrival
from gosip_check.wire import sip_mirror
from gosip_check.wire.sip import WireError

MESSAGES_PER_S = 50
"For one source, and as many at once; the ALG probe sends 12 in 3 s."
OCTETS_PER_S = 131_072
"""For all sources together, and as many at once: over UDP, and as many over TCP, where made-up addresses take nothing.
Both are an eighth of a processor in the worst case.
"""
OCTETS_OF_ONE_PER_S = 32_768
"For one source, and as many at once."
_WAITING = 256
_EXPIRE_EVERY_S = 1.0

Request = tuple[UdpEnd, bytes, Arrival]


class Mirror:
    """`start` begins and `close` ends the thread. Counts what it mirrored and what not."""

    def __init__(self, listeners: Sequence[socket.socket], allow: Sequence[Prefix]) -> None:
        now_s = time.monotonic()
        self._octets = Shares(OCTETS_OF_ONE_PER_S, OCTETS_PER_S, now_s)
        self._sources = Limits(allow, MESSAGES_PER_S)
        proven = Shares(OCTETS_OF_ONE_PER_S, OCTETS_PER_S, now_s)
        self._streams = MirrorStreams(listeners, Limits(allow, MESSAGES_PER_S), proven)
        self._requests: deque[Request] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._epoll = select.epoll()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="SIP mirror", daemon=True)
        self._mirrored = 0
        self._not_mirrored = 0
        for number in [self._wake, *self._streams.numbers]:
            self._epoll.register(number, select.EPOLLIN)

    @property
    def mirrored(self) -> int:
        """Requests that were answered so far, over UDP and TCP."""
        return self._mirrored + self._streams.mirrored

    @property
    def not_mirrored(self) -> int:
        """Datagrams that were not."""
        return self._not_mirrored

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and close every socket. Does nothing the second time."""
        if self._epoll.closed:
            return
        self._stop.set()
        os.eventfd_write(self._wake, 1)
        if self._thread.is_alive():
            self._thread.join()
        self._streams.close()
        self._epoll.close()
        os.close(self._wake)

    def hand_over(self, end: UdpEnd, data: bytes, arrival: Arrival, now_s: float) -> None:
        """A datagram that looks like SIP, from the thread that read it. Costs that thread next to nothing."""
        source = self._sources.source(arrival.source[0], now_s)
        known_port = arrival.source[1] < FIRST_USER_PORT
        if not source.allowed or known_port or len(self._requests) >= _WAITING or not source.bucket.take(now_s):
            self._not_mirrored += 1
            return
        self._requests.append((end, data, arrival))
        os.eventfd_write(self._wake, 1)

    def _serve(self) -> None:
        expire_s = time.monotonic() + _EXPIRE_EVERY_S
        while not self._stop.is_set():
            for number, _ in self._epoll.poll(_EXPIRE_EVERY_S):
                if number == self._wake:
                    os.eventfd_read(self._wake)
                    self._answer_datagrams()
                else:
                    self._streams.ready(number, self._epoll, time.monotonic())
            now_s = time.monotonic()
            if now_s >= expire_s:
                self._streams.expire(self._epoll, now_s)
                expire_s = now_s + _EXPIRE_EVERY_S

    def _answer_datagrams(self) -> None:
        while self._requests:
            end, data, arrival = self._requests.popleft()
            octets = b""
            if self._octets.take(arrival.source[0], time.monotonic(), len(data)):
                octets = _answer(data, arrival.source)
            if octets and end.send_apart(Answer(octets, arrival.tos & 0xFC, arrival)):
                self._mirrored += 1
            else:
                self._not_mirrored += 1


def _answer(data: bytes, source: tuple[str, int]) -> bytes:
    """Empty for what is no request, and for what would be answered with more."""
    try:
        octets = sip_mirror.answer(data, source)
    except WireError:
        return b""
    return octets if len(octets) <= len(data) else b""
