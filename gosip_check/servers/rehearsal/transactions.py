"""Transactions of a rehearsal (RFC 3261 17): what is not answered goes again, what comes again gets the same answer.

No socket: `send` is given. Bounded: of what it remembers, the oldest is forgotten.
"""

import contextlib
import math
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gosip_check.heard import Place
from gosip_check.servers.rehearsal.world import World
from gosip_check.wire import sip
from gosip_check.wire.sip import Request, Response
from gosip_check.wire.transaction import T1_S, T2_S, ClientTransaction

Send = Callable[[int, bytes, Place], None]
"(site, octets, to whom)"

Headers = Iterable[tuple[str, str]]

_REMEMBERED = 500
_GIVEN_UP_S = 64 * T1_S


class Served:
    """One request of the PBX, and what was answered last."""

    def __init__(self, request: Request, site: int, peer: Place, send: Send, world: World) -> None:
        self.request, self.site, self.peer, self._send, self._world = request, site, peer, send, world
        self.to_tag = f"h7g4Esbg_{secrets.randbelow(10**9)}-{secrets.randbelow(10**13):013}"
        self.last: bytes | None = None
        self.status = 0
        self._interval_s = T1_S
        self._began_s = 0.0
        self.next_s = math.inf

    def respond(
        self, status: int, reason: str, headers: Headers = (), body: bytes = b"", *, again: bool = False
    ) -> None:
        """again: until `acknowledged`, as a 200 to INVITE (13.3.1.4) or a reliable 18x (RFC 3262 3).

        ValueError where the request cannot be repeated in an answer.
        """
        self.last = sip.response(
            self.request, status, reason, to_tag=self.to_tag, received=self.peer, headers=headers, body=body
        )
        self.status = status
        self._began_s, self._interval_s = self._world.monotonic(), T1_S
        self.next_s = self._began_s + T1_S if again else math.inf
        self.repeat()

    def repeat(self) -> None:
        if self.last is not None:
            self._send(self.site, self.last, self.peer)

    def acknowledged(self) -> None:
        self.next_s = math.inf

    def tick(self, now_s: float) -> None:
        if now_s < self.next_s:
            return
        if now_s - self._began_s > _GIVEN_UP_S:
            self.next_s = math.inf
            return
        self._interval_s = min(2 * self._interval_s, T2_S)
        self.next_s = now_s + self._interval_s
        self.repeat()


@dataclass
class _Asked:
    """One request of ours. answered: called with each response, and with None when none comes any more."""

    site: int
    peer: Place
    transaction: ClientTransaction
    answered: Callable[[Response | None], None]


class Transactions:
    """Both sides of all transactions. Call `tick` at `next_s`, by the clock of `world` that never goes back."""

    def __init__(self, send: Send, world: World) -> None:
        self._world = world
        self.send = send
        self._served: dict[tuple[object, ...], Served] = {}
        self._asked: list[_Asked] = []

    def ask(
        self, site: int, request: bytes, peer: Place, answered: Callable[[Response | None], None] = lambda _: None
    ) -> None:
        """Sends it now. Raises WireError where it could never be answered."""
        asked = _Asked(site, peer, ClientTransaction(request, self._world.monotonic()), answered)
        self._asked = [*self._asked, asked][-_REMEMBERED:]
        self._tick(asked, self._world.monotonic())

    def serve(self, request: Request, site: int, peer: Place) -> Served | None:
        """None for one that came again: it has got its answer again. Raises WireError."""
        key = (site, request.method, request.call_id, request.cseq.number, request.vias[0].branch)
        known = self._served.get(key)
        if known is not None:
            known.repeat()
            return None
        served = self._served[key] = Served(request, site, peer, self.send, self._world)
        if len(self._served) > _REMEMBERED:
            del self._served[next(iter(self._served))]
        return served

    def hear(self, response: Response) -> bool:
        """False where no request of ours waits for it. Raises WireError."""
        asked = next((each for each in self._asked if each.transaction.is_answered_by(response)), None)
        if asked is None:
            return False
        if asked.transaction.take(response) is not None:
            asked.answered(response)
        return True

    def tick(self, now_s: float) -> None:
        for asked in list(self._asked):
            self._tick(asked, now_s)
        for served in self._served.values():
            served.tick(now_s)
        self._asked = [each for each in self._asked if not each.transaction.is_over]

    def _tick(self, asked: _Asked, now_s: float) -> None:
        data = asked.transaction.due(now_s)
        if data is not None:
            with contextlib.suppress(OSError):  # the next time it may go
                self.send(asked.site, data, asked.peer)
        elif asked.transaction.timed_out:
            asked.answered(None)

    @property
    def next_s(self) -> float:
        asked = [each.transaction.next_at for each in self._asked]
        served = [each.next_s for each in self._served.values()]
        return min([math.inf, *served, *(each for each in asked if each is not None)])
