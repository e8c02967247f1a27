"""Where a rehearsal takes place: a clock and a network. Here those of this machine; `virtual` has others, in memory."""

import selectors
import socket
import time
from collections.abc import Callable

from gosip_check.heard import Place

_WAITING = 8
"Connections that were not taken yet."

Later = Callable[[Callable[[], object]], None]


class World:
    """This machine."""

    later: Later | None = None
    "Do it when a person has thought about it. None: he may think in a thread of his own, as long as he likes."

    def time(self) -> float:
        """Seconds since 1970: says when."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back: say how long."""
        return time.monotonic()

    def selector(self) -> selectors.BaseSelector:
        """Waits for what arrives, and for the time to pass."""
        return selectors.DefaultSelector()

    def bound(self, place: Place) -> socket.socket:
        """A UDP socket there that never blocks; port 0 takes a free one. OSError where it is taken or not allowed."""
        return _bound(socket.SOCK_DGRAM, place)

    def listening(self, place: Place) -> socket.socket:
        """A TCP socket there that never blocks. OSError as of `bound`."""
        sock = _bound(socket.SOCK_STREAM, place)
        sock.listen(_WAITING)
        return sock


def _bound(kind: socket.SocketKind, place: Place) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    try:
        if kind == socket.SOCK_STREAM:  # what closed connections have left is no reason not to listen
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(place)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


THIS_MACHINE = World()
