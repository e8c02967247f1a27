"""SIP over TCP at a site: this trunk takes UDP alone, so what comes is written down, and the connection is closed.

Without it a PBX that sends over TCP would not be heard at all, and nobody would know why.
"""

import contextlib
import selectors
import socket
from collections.abc import Callable

from gosip_check.heard import Place
from gosip_check.servers.rehearsal.world import World

_AT_ONCE = 8
_LARGEST = 65_535

Heard = Callable[[bytes, Place], None]
"(what came first, from whom)"


class OverTcp:
    """Listens at one site until it is closed. OSError where the port is taken."""

    def __init__(self, world: World, selector: selectors.BaseSelector, place: Place, heard: Heard) -> None:
        self._selector, self._heard = selector, heard
        self._listener = world.listening(place)
        self.open: set[Connection] = set()
        selector.register(self._listener, selectors.EVENT_READ, self)

    def close(self) -> None:
        """Nothing is heard any more."""
        self._listener.close()
        for connection in list(self.open):
            connection.end()

    def receive(self) -> None:
        """Somebody connects."""
        sock, peer = self._listener.accept()
        if len(self.open) >= _AT_ONCE:
            sock.close()
            return
        sock.setblocking(False)
        self.open.add(Connection(self, sock, (peer[0], peer[1])))

    def begin(self, connection: "Connection", sock: socket.socket) -> None:
        self._selector.register(sock, selectors.EVENT_READ, connection)

    def end(self, connection: "Connection", sock: socket.socket) -> None:
        self.open.discard(connection)
        with contextlib.suppress(KeyError, ValueError):  # the selector is closed already
            self._selector.unregister(sock)
        sock.close()

    def heard(self, data: bytes, peer: Place) -> None:
        if data.strip(b"\r\n\0"):
            self._heard(data, peer)


class Connection:
    """One that is open. It ends with what comes first."""

    def __init__(self, listener: OverTcp, sock: socket.socket, peer: Place) -> None:
        self._listener, self._socket, self._peer = listener, sock, peer
        listener.begin(self, sock)

    def receive(self) -> None:
        """The first octets, and it is over. OSError where it broke."""
        try:
            data = self._socket.recv(_LARGEST)
        finally:
            self.end()
        self._listener.heard(data, self._peer)

    def end(self) -> None:
        self._listener.end(self, self._socket)
