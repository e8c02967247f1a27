"""A bad line on loopback: a UDP relay that delays, varies, drops and narrows, each way by itself, with a fixed seed.

For the demo and the tests. It is an honest line otherwise: it keeps what it was sent, and counts what it dropped.
"""

import contextlib
import heapq
import itertools
import random
import select
import socket
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from gosip_check.wire import linux

_DSCP_EF = 46 << 2
_OVERHEAD_OCTETS = 28
_ANCILLARY_OCTETS = 64
_LONGEST_SLEEP_S = 0.1
_QUEUE_S = 0.05
_SEED = 20261123


@dataclass(frozen=True)
class Impairment:
    """What happens to packets on one way. rate_kbps: at IP, with a queue of 50 ms; None for no limit.

    jitter_ms: each packet waits a random time up to this, on its own, so packets may overtake each other.
    """

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    rate_kbps: float | None = None


@dataclass
class _Way:
    """One direction: what it does, and what it did."""

    impairment: Impairment
    chance: random.Random
    free_s: float = 0.0
    passed: int = 0
    dropped: int = 0

    def leaves_s(self, octets: int, arrived_s: float) -> float | None:
        """When a packet that came then goes on; None when it is dropped."""
        line = self.impairment
        if self.chance.random() < line.loss:
            self.dropped += 1
            return None
        at_s = arrived_s
        if line.rate_kbps is not None:
            at_s = max(arrived_s, self.free_s)
            if at_s - arrived_s > _QUEUE_S:
                self.dropped += 1
                return None
            at_s = self.free_s = at_s + (octets + _OVERHEAD_OCTETS) * 8 / (line.rate_kbps * 1000)
        self.passed += 1
        return at_s + (line.delay_ms + self.chance.random() * line.jitter_ms) / 1000


@dataclass
class ImpairingRelay:
    """`with ImpairingRelay(("127.0.0.1", 862), up, down) as relay`: clients send to `relay.port` instead."""

    target: tuple[str, int]
    up: Impairment
    down: Impairment
    port: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        chance = random.Random(_SEED)
        self.way_up, self.way_down = _Way(self.up, chance), _Way(self.down, random.Random(_SEED + 1))
        self._front = self._socket()
        self._front.bind(("127.0.0.1", self.port))
        self.port = int(self._front.getsockname()[1])
        self._backs: dict[tuple[str, int], socket.socket] = {}
        self._clients: dict[int, tuple[str, int]] = {}
        self._waiting: list[tuple[float, int, socket.socket, bytes, tuple[str, int]]] = []
        self._tickets = itertools.count()
        self._epoll = select.epoll()
        self._epoll.register(self._front.fileno(), select.EPOLLIN)
        self._thread = threading.Thread(target=self._serve, name="impairing relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._epoll.close()
        for sock in [self._front, *self._backs.values()]:
            sock.close()

    def _serve(self) -> None:
        by_number = {}
        while not self._stop.is_set():
            now_s = time.monotonic()
            sleep_s = (
                min(_LONGEST_SLEEP_S, max(0.0, self._waiting[0][0] - now_s)) if self._waiting else _LONGEST_SLEEP_S
            )
            for number, _ in self._epoll.poll(sleep_s):
                if number == self._front.fileno():
                    self._take_from_clients()
                    by_number = {sock.fileno(): sock for sock in self._backs.values()}
                else:
                    self._take_from_target(by_number[number])
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                _, _, sock, data, place = heapq.heappop(self._waiting)
                with contextlib.suppress(OSError):
                    sock.sendto(data, place)

    def _take_from_clients(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                data, arrived_s, client = _receive(self._front)
                back = self._backs.get(client)
                if back is None:
                    back = self._backs[client] = self._socket()
                    back.bind(("127.0.0.1", 0))
                    self._clients[back.fileno()] = client
                    self._epoll.register(back.fileno(), select.EPOLLIN)
                self._pass_on(self.way_up, arrived_s, back, data, self.target)

    def _take_from_target(self, back: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, arrived_s, _ = _receive(back)
                self._pass_on(self.way_down, arrived_s, self._front, data, self._clients[back.fileno()])

    def _pass_on(self, way: _Way, arrived_s: float, sock: socket.socket, data: bytes, place: tuple[str, int]) -> None:
        at_s = way.leaves_s(len(data), arrived_s)
        if at_s is not None:
            heapq.heappush(self._waiting, (at_s, next(self._tickets), sock, data, place))

    @staticmethod
    def _socket() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.setsockopt(socket.SOL_SOCKET, linux.SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _DSCP_EF)
        return sock


def _receive(sock: socket.socket) -> tuple[bytes, float, tuple[str, int]]:
    """Data, when the kernel had it, and from where. A queue must not fill because this thread was late to look."""
    data, ancillary, _, sender = sock.recvmsg(2048, _ANCILLARY_OCTETS)
    waited_s = 0.0
    for _, kind, value in ancillary:
        if kind == linux.SO_TIMESTAMPNS:
            waited_s = (time.time_ns() - linux.arrival_ns(value)) / 1e9
    return data, time.monotonic() - max(0.0, waited_s), sender
