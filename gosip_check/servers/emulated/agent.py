"""The SIP end of an emulated PBX: it sends requests until they are answered, and hands on what comes in.

Knows transactions (RFC 3261 17) and nothing of registrations or calls. Lives in a virtual world. Its tokens count up,
so that every run is the same.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterable

from gosip_check.heard import Place
from gosip_check.servers.virtual import Script, Scripts, VirtualWorld, Wait
from gosip_check.wire import sip
from gosip_check.wire.sip import Request, Response, WireError

T1_S, T2_S = 0.5, 4.0
TIMER_F_S = 32.0
_RINGS_S = 180.0
"So long an INVITE may ring (timer C)."

Fields = Iterable[tuple[str, str]]


class Agent:
    """One UDP socket at `place`. heard: called with each request and where it came from."""

    def __init__(
        self, world: VirtualWorld, place: Place, heard: Callable[[Request, Place], None], *, asks_rport: bool = True
    ) -> None:
        self.place, self.scripts = place, Scripts(world)
        self._world = world
        self._sock = world.bound(place, self._arrived)
        self._heard, self._rport = heard, ";rport" if asks_rport else ""
        self._tokens = itertools.count(1)
        self._answers: dict[tuple[object, ...], bytes] = {}

    def close(self) -> None:
        """Nothing is heard any more."""
        self._sock.close()

    def token(self) -> str:
        """A word that nothing else of this agent has."""
        return f"{next(self._tokens):08x}"

    def request(self, method: str, uri: str, fields: Fields, body: bytes = b"", branch: str = "") -> bytes:
        """With a Via of its own. fields: all others."""
        host, port = self.place
        via = f"SIP/2.0/UDP {host}:{port};branch={branch or f'z9hG4bK{self.token()}'}{self._rport}"
        return sip.written(
            f"{method} {uri} SIP/2.0",
            [("Via", via), ("Max-Forwards", "70"), *fields, ("User-Agent", "emulated PBX")],
            body,
        )

    def send(self, data: bytes, place: Place) -> None:
        """Once."""
        self._sock.sendto(data, place)

    def send_over_tcp(self, data: bytes, place: Place) -> None:
        """In a connection of its own; nobody waits for the answer."""
        self._world.carry(data.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP"), self.place, place, over_tcp=True)

    def ask(self, request: bytes, place: Place, within_s: float = TIMER_F_S) -> Script[Response | None]:
        """Again and again until it is answered: the final response, None where none came in time."""
        parsed = sip.parse(request)
        key = parsed.call_id, parsed.cseq.number, parsed.cseq.method
        interval_s, left_s, is_heard = T1_S, within_s, False
        self.send(request, place)
        while left_s > 0:
            wait_s = left_s if is_heard else min(interval_s, left_s)
            answer = yield Wait(wait_s, key)
            if isinstance(answer, Response):
                if answer.status >= 200:
                    return answer
                is_heard, left_s = True, _RINGS_S
                continue
            left_s -= wait_s
            interval_s = interval_s * 2 if parsed.cseq.method == "INVITE" else min(interval_s * 2, T2_S)
            if left_s > 0 and not is_heard:
                self.send(request, place)
        return None

    def answer(
        self,
        request: Request,
        peer: Place,
        status: int,
        reason: str,
        fields: Fields = (),
        body: bytes = b"",
        tag: str = "",
    ) -> None:
        """Sent now, and again for each retransmission once it is final."""
        data = sip.response(
            request, status, reason, to_tag=tag or self.token(), received=peer, headers=fields, body=body
        )
        if status >= 200:
            self._answers[_key(request)] = data
        self.send(data, peer)

    def _arrived(self, data: bytes, peer: Place) -> None:
        with contextlib.suppress(WireError):
            message = sip.parse(data)
            if isinstance(message, Response):
                self.scripts.tell((message.call_id, message.cseq.number, message.cseq.method), message)
            elif _key(message) in self._answers:
                self.send(self._answers[_key(message)], peer)
            else:
                self._heard(message, peer)


def _key(request: Request) -> tuple[object, ...]:
    return request.method, request.call_id, request.cseq.number, request.vias[0].branch
