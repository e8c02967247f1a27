"""The SIP mirror over TCP: accepts, reads messages, answers each, closes what is idle. Their number is bounded."""

import contextlib
import select
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from gosip_check.servers.limits import Limits
from gosip_check.wire import sip_mirror
from gosip_check.wire.sip import WireError, take_from_stream

_CONNECTIONS = 256
_IDLE_S = 30.0
_BACKLOG = 64
_CHUNK = 16_384


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
class _Stream:
    sock: socket.socket
    source: tuple[str, int]
    heard_s: float
    buffer: bytes = b""


class MirrorStreams:
    """Listeners and the connections they brought."""

    def __init__(self, listeners: Sequence[socket.socket], limits: Limits) -> None:
        self._listeners = {sock.fileno(): sock for sock in listeners}
        self._streams: dict[int, _Stream] = {}
        self._limits = limits
        self.mirrored = 0

    @property
    def numbers(self) -> list[int]:
        """File numbers of the listeners."""
        return list(self._listeners)

    def ready(self, number: int, event: int, epoll: select.epoll, now_s: float) -> None:
        """A socket has something to say."""
        if number in self._listeners:
            self._accept(self._listeners[number], epoll, now_s)
        elif number in self._streams and not self._read(self._streams[number], now_s):
            self._drop(number, epoll)

    def expire(self, epoll: select.epoll, now_s: float) -> None:
        """Close connections that have been silent for half a minute."""
        for number in [number for number, stream in self._streams.items() if now_s - stream.heard_s > _IDLE_S]:
            self._drop(number, epoll)

    def close(self) -> None:
        """Close everything."""
        for sock in [*self._listeners.values(), *(stream.sock for stream in self._streams.values())]:
            sock.close()

    def _accept(self, listener: socket.socket, epoll: select.epoll, now_s: float) -> None:
        try:
            sock, sender = listener.accept()
        except OSError:  # gone again, or no descriptor is left
            return
        source = self._limits.source(str(sender[0]), now_s)
        if len(self._streams) >= _CONNECTIONS or not source.allowed or not source.bucket.take(now_s):
            sock.close()
            return
        sock.setblocking(False)
        self._streams[sock.fileno()] = _Stream(sock, (str(sender[0]), int(sender[1])), now_s)
        epoll.register(sock.fileno(), select.EPOLLIN)

    def _read(self, stream: _Stream, now_s: float) -> bool:
        """False when the connection is to be closed."""
        try:
            chunk = stream.sock.recv(_CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        stream.heard_s = now_s
        stream.buffer += chunk
        try:
            while True:
                message, stream.buffer = take_from_stream(stream.buffer)
                if message is None:
                    return bool(chunk)
                # An answer that the connection will not take at once is lost: nobody who reads sends that much.
                octets = sip_mirror.answer(message.raw, stream.source)
                if stream.sock.send(octets) != len(octets):
                    return False
                self.mirrored += 1
        except (WireError, OSError):
            return False

    def _drop(self, number: int, epoll: select.epoll) -> None:
        stream = self._streams.pop(number)
        with contextlib.suppress(OSError):
            epoll.unregister(number)
        stream.sock.close()
