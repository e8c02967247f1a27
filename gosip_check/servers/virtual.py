"""A world in memory: its clock jumps from one event to the next, and its network is a table of queues.

For an emulated PBX and the rehearsal beside it: one thread, always the same order, nothing leaves the program, and half
an hour passes in a moment. Who lives here acts at a time (`after`) or when something arrives (`bound` with `arrived`).
"""

import heapq
import itertools
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from gosip_check.heard import Place
from gosip_check.servers.rehearsal.world import World

_ON_THE_WAY_S = 0.001
_LOOK_S = 0.000_001
"A look at the clock takes so long, so that nothing has the same time as what was before."
_THINKS_S = 2.0
"A person, before he answers."
_FREE_PORTS = 40_000
_LARGEST = 65_535

Returned = TypeVar("Returned")
Arrived = Callable[[bytes, Place], None]


class VirtualSocket(socket.socket):
    """A UDP socket of the virtual network. Its file descriptor is a name only: nothing arrives there."""

    def __init__(self, world: "VirtualWorld", place: Place, arrived: Arrived | None) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._world, self._place, self._arrived = world, place, arrived
        self.waiting: deque[tuple[bytes, Place]] = deque()

    def take(self, data: bytes, source: Place) -> None:
        """A datagram has arrived."""
        if self._arrived is None:
            self.waiting.append((data, source))
        else:
            self._arrived(data, source)

    def getsockname(self) -> Place:
        return self._place

    def sendto(self, data: Any, *rest: Any) -> int:
        """As that of a socket; where nobody is, it is lost."""
        self._world.carry(bytes(data), self._place, rest[-1])
        return len(data)

    def recvfrom(self, size: int, flags: int = 0) -> tuple[bytes, Place]:
        """The first that waits. BlockingIOError where none does."""
        del flags
        if not self.waiting:
            raise BlockingIOError
        data, source = self.waiting.popleft()
        return data[:size], source

    def recv(self, size: int, flags: int = 0) -> bytes:
        return self.recvfrom(size, flags)[0]

    def accept(self) -> tuple[socket.socket, Place]:
        """Of one that listens: a connection with what was sent in it, and from where."""
        data, source = self.recvfrom(_LARGEST)
        connection = VirtualSocket(self._world, self._place, None)
        connection.take(data, source)
        return connection, source

    def close(self) -> None:
        self._world.leave(self)
        super().close()


class VirtualSelector(selectors.DefaultSelector):
    """While somebody waits here, the world goes on. Descriptors of the machine are looked at beside it."""

    def __init__(self, world: "VirtualWorld") -> None:
        super().__init__()
        self._world = world

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """The keys of all sockets that can be read, after `timeout` at the latest."""
        keys = [key for key in self.get_map().values() if isinstance(key.fileobj, VirtualSocket)]
        select = super().select

        def ready() -> list[tuple[selectors.SelectorKey, int]]:
            waiting = [key for key in keys if isinstance(key.fileobj, VirtualSocket) and key.fileobj.waiting]
            return [*((key, selectors.EVENT_READ) for key in waiting), *select(0)]

        self._world.go_on(timeout or 0.0, lambda: bool(ready()))
        return ready()


class VirtualWorld(World):
    """It begins now."""

    def __init__(self) -> None:
        self._began_s, self._elapsed_s = time.time(), 0.0
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._ports = itertools.count(_FREE_PORTS, 2)
        self._sockets: dict[Place, VirtualSocket] = {}
        self._listeners: dict[Place, VirtualSocket] = {}

    def time(self) -> float:
        return self._began_s + self.monotonic()

    def monotonic(self) -> float:
        self._elapsed_s += _LOOK_S
        return self._elapsed_s

    def later(self, act: Callable[[], object]) -> None:
        self.after(_THINKS_S, act)

    def selector(self) -> selectors.BaseSelector:
        return VirtualSelector(self)

    def bound(self, place: Place, arrived: Arrived | None = None) -> VirtualSocket:
        """arrived: called with each datagram and where it comes from, in place of `recvfrom`."""
        place = (place[0], place[1] or next(self._ports))
        if place in self._sockets:
            raise OSError(f"{place} is taken")
        self._sockets[place] = VirtualSocket(self, place, arrived)
        return self._sockets[place]

    def listening(self, place: Place) -> socket.socket:
        self._listeners[place] = VirtualSocket(self, place, None)
        return self._listeners[place]

    def leave(self, sock: VirtualSocket) -> None:
        """Nobody is there any more."""
        for sockets in (self._sockets, self._listeners):
            for place in [place for place, other in sockets.items() if other is sock]:
                del sockets[place]

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        """Do it then."""
        heapq.heappush(self._events, (self._elapsed_s + seconds, next(self._order), act))

    def carry(self, data: bytes, source: Place, destination: Place, *, over_tcp: bool = False) -> None:
        """A datagram is on its way; over_tcp: a connection with nothing else in it."""
        sockets = self._listeners if over_tcp else self._sockets

        def arrive() -> None:
            if destination in sockets:
                sockets[destination].take(data, source)

        self.after(_ON_THE_WAY_S, arrive)

    def go_on(self, seconds: float, is_enough: Callable[[], bool]) -> None:
        """Let events happen until it is enough, for so long at most."""
        ends_s = self.monotonic() + seconds
        while not is_enough():
            if not self._events or self._events[0][0] > ends_s:
                self._elapsed_s = ends_s
                return
            at_s, _, act = heapq.heappop(self._events)
            self._elapsed_s = max(self._elapsed_s, at_s)
            act()


@dataclass(frozen=True)
class Wait:
    """What a script waits for: a message under this key, for so long at most."""

    seconds: float
    key: object = None


Script = Generator[Wait, Any, Returned]
"A course of action as a straight line: it yields a Wait, and gets the message, or None where the time was over."


class Scripts:
    """What one party does side by side."""

    def __init__(self, world: VirtualWorld) -> None:
        self._world = world
        self._waiting: dict[object, _Going] = {}

    def begin(self, script: Script[Any]) -> None:
        """It goes on by itself from here."""
        self._go_on(script, None)

    def tell(self, key: object, message: object) -> bool:
        """A message for whoever waits under this key; False where nobody does."""
        going = self._waiting.pop(key, None)
        if going is None:
            return False
        going.is_over = True
        self._go_on(going.script, message)
        return True

    def _go_on(self, script: Script[Any], message: object) -> None:
        try:
            wait = script.send(message)
        except StopIteration:
            return
        going = _Going(script)
        if wait.key is not None:
            self._waiting[wait.key] = going
        self._world.after(wait.seconds, lambda: self._time_out(going, wait.key))

    def _time_out(self, going: "_Going", key: object) -> None:
        if going.is_over:
            return
        going.is_over = True
        if self._waiting.get(key) is going:
            del self._waiting[key]
        self._go_on(going.script, None)


@dataclass(eq=False)
class _Going:
    script: Script[Any]
    is_over: bool = False
