"""The SIP mirror's TCP connections: accepts, reads messages, answers each, closes what is idle. All of it is bounded.

One source has few connections, and the mirror has room for many sources. Where it is full, whoever has been silent for
longest makes room. A connection lives from whole message to whole message: octets that trickle do not prolong it.
"""

import contextlib
import select
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from gosip_check.servers.limits import Limits, Shares, Source, network_of
from gosip_check.wire import sip_mirror
from gosip_check.wire.sip import WireError
from gosip_check.wire.sip_stream import MessageStream

CONNECTIONS = 512
PER_SOURCE = 8
IDLE_S = 10.0
LARGEST_MESSAGE = 8_192
LARGEST_RATIO = 3
"An answer is at most so many times as long as its request."
_BACKLOG = 128
_CHUNK = 4_096


def open_listener(address: str, port: int) -> socket.socket:
    """A listening, non-blocking TCP socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


@dataclass(slots=True)
class _Connection:
    sock: socket.socket
    peer: tuple[str, int]
    network: str
    source: Source
    heard_s: float
    "When it was accepted, or its last whole message came."
    stream: MessageStream


class MirrorStreams:
    """Listeners and the connections they brought. octets: what they may have mirrored."""

    def __init__(self, listeners: Sequence[socket.socket], limits: Limits, octets: Shares) -> None:
        self._listeners = {sock.fileno(): sock for sock in listeners}
        self._connections: dict[int, _Connection] = {}
        self._limits = limits
        self._octets = octets
        self.mirrored = 0

    @property
    def numbers(self) -> list[int]:
        """File numbers of the listeners."""
        return list(self._listeners)

    def ready(self, number: int, epoll: select.epoll, now_s: float) -> None:
        """A socket has something to say."""
        if number in self._listeners:
            self._accept(self._listeners[number], epoll, now_s)
        elif number in self._connections and not self._read(self._connections[number], now_s):
            self._drop(number, epoll)

    def expire(self, epoll: select.epoll, now_s: float) -> None:
        """Close connections on which no whole message has come for a while."""
        for number in [number for number, known in self._connections.items() if now_s - known.heard_s > IDLE_S]:
            self._drop(number, epoll)

    def close(self) -> None:
        """Close everything."""
        for sock in [*self._listeners.values(), *(known.sock for known in self._connections.values())]:
            sock.close()

    def _accept(self, listener: socket.socket, epoll: select.epoll, now_s: float) -> None:
        try:
            sock, sender = listener.accept()
        except BlockingIOError:  # gone again
            return
        except OSError:  # no descriptor is left
            self._make_room(epoll)
            return
        host, port = str(sender[0]), int(sender[1])
        source, network = self._limits.source(host, now_s), network_of(host)
        of_source = sum(known.network == network for known in self._connections.values())
        if of_source >= PER_SOURCE or not source.allowed or not source.bucket.take(now_s):
            sock.close()
            return
        if len(self._connections) >= CONNECTIONS:
            self._make_room(epoll)
        sock.setblocking(False)
        stream = MessageStream(LARGEST_MESSAGE)
        self._connections[sock.fileno()] = _Connection(sock, (host, port), network, source, now_s, stream)
        epoll.register(sock.fileno(), select.EPOLLIN)

    def _read(self, known: _Connection, now_s: float) -> bool:
        """False when the connection is to be closed."""
        try:
            chunk = known.sock.recv(_CHUNK)
            known.stream.feed(chunk)
            while message := known.stream.take():
                octets = len(message.raw)
                if not (known.source.bucket.take(now_s) and self._octets.take(known.peer[0], now_s, octets)):
                    return False
                answer = sip_mirror.answer(message.raw, known.peer)
                # An answer that the connection will not take at once is lost: nobody who reads sends that much.
                if len(answer) > LARGEST_RATIO * octets or known.sock.send(answer) != len(answer):
                    return False
                known.heard_s = now_s
                self.mirrored += 1
        except BlockingIOError:
            return True
        except (WireError, OSError):
            return False
        return bool(chunk)

    def _make_room(self, epoll: select.epoll) -> None:
        """By the connection that has been silent for longest."""
        if self._connections:
            self._drop(min(self._connections, key=lambda number: self._connections[number].heard_s), epoll)

    def _drop(self, number: int, epoll: select.epoll) -> None:
        known = self._connections.pop(number)
        with contextlib.suppress(OSError):
            epoll.unregister(number)
        known.sock.close()
