"""A server on one address that answers datagrams and streams with whatever its handler says, right or wrong.

The sockets are bound before the thread starts, so whoever is told the port can send to it at once. Serves a handful of
clients for a test or a demo; it is no public server: nothing limits what it answers.
"""

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Self

Peer = tuple[str, int]
Answers = bytes | Iterable[bytes] | None
"""One message, several, or silence. The bytes go out as they are, so that a handler may answer nonsense."""

Handle = Callable[[bytes, Peer, str], Answers]
"""handle(message, peer, "UDP" or "TCP"). An OSError that it raises closes the stream: a server that breaks off."""

Split = Callable[[bytes], tuple[bytes | None, bytes]]
"""Cuts the first whole message off a stream: (message or None, rest). ValueError ends the connection."""


class Endpoint:
    """`with Endpoint(...) as endpoint`: serves UDP and TCP on the same address until the block ends.

    port 0 takes a free one, the same for both. split and frame: how messages are cut from a stream and put into one.
    """

    def __init__(
        self,
        address: str,
        handle: Handle,
        split: Split,
        frame: Callable[[bytes], bytes] = lambda message: message,
        port: int = 0,
    ) -> None:
        self._handle, self._split, self._frame = handle, split, frame
        self._udp, self._listener = _bound(address, port)
        self.address, self.port = address, int(self._udp.getsockname()[1])
        self._streams: dict[socket.socket, bytes] = {}
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name=f"endpoint {address}:{self.port}", daemon=True)

    def __enter__(self) -> Self:
        for sock in (self._udp, self._listener, self._woken):
            sock.setblocking(False)
            self._selector.register(sock, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.close()  # the other end becomes readable, which ends the thread
        self._thread.join()
        self.close()

    def close(self) -> None:
        """Give the port back, also where it was never served on."""
        self._wake.close()
        for sock in (self._udp, self._listener, self._woken, *self._streams):
            sock.close()
        self._selector.close()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    return
                with contextlib.suppress(OSError):  # a client that has gone away is no reason to stop
                    if key.fileobj is self._udp:
                        self._datagram()
                    elif key.fileobj is self._listener:
                        stream, _ = self._listener.accept()
                        stream.setblocking(False)
                        self._streams[stream] = b""
                        self._selector.register(stream, selectors.EVENT_READ)
                    elif isinstance(key.fileobj, socket.socket):
                        self._stream(key.fileobj)

    def _datagram(self) -> None:
        data, peer = self._udp.recvfrom(65535)
        for answer in _several(self._handle(data, (peer[0], peer[1]), "UDP")):
            self._udp.sendto(answer, peer)

    def _stream(self, stream: socket.socket) -> None:
        chunk = b""
        with contextlib.suppress(ConnectionError):
            chunk = stream.recv(65535)
        buffer = self._streams[stream] + chunk
        try:
            peer = stream.getpeername()
            message, buffer = self._split(buffer)
            while message is not None:
                for answer in _several(self._handle(message, (peer[0], peer[1]), "TCP")):
                    stream.sendall(self._frame(answer))
                message, buffer = self._split(buffer)
        except (ValueError, OSError):
            chunk = b""
        self._streams[stream] = buffer
        if not chunk:
            self._selector.unregister(stream)
            del self._streams[stream]
            stream.close()


def _bound(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """UDP and TCP on one port. A free UDP port may be taken for TCP, so several are tried."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for last_try in (False,) * 19 + (True,):
        udp = socket.socket(family, socket.SOCK_DGRAM)
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            udp.bind((address, port))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, udp.getsockname()[1]))
            listener.listen()
            return udp, listener
        except OSError:
            udp.close()
            listener.close()
            if last_try or port:
                raise
    raise AssertionError("unreachable")


def _several(answers: Answers) -> Iterable[bytes]:
    if answers is None:
        return []
    return [answers] if isinstance(answers, bytes) else answers
