"""All calls of a rehearsal: which message belongs to which, and who may call whom. Emergency calls get 503 at once."""

import contextlib
import math

from gosip_check.heard import Place, Stream
from gosip_check.servers.rehearsal.call import Call, Line, is_emergency
from gosip_check.servers.rehearsal.from_pbx import FromPbx, Plan
from gosip_check.servers.rehearsal.registrar import Registrar
from gosip_check.servers.rehearsal.to_pbx import ToPbx
from gosip_check.servers.rehearsal.transactions import Served
from gosip_check.wire.sip import Request, Response, WireError

_AT_ONCE = 8
_KEPT = 500


class Calls:
    """plan: how the next call of the PBX is answered; a phase sets it. made: every call, in order."""

    def __init__(self, line: Line, registrar: Registrar) -> None:
        self._line, self._registrar = line, registrar
        self.plan = Plan()
        self.made: list[Call] = []

    @property
    def running(self) -> list[Call]:
        return [call for call in self.made if not call.is_over]

    def to_pbx(self, site: int, peer: Place, target: str, caller: str, number: str, *, is_plain: bool) -> ToPbx | None:
        """It rings from now on. None where that cannot be: no port is free, or the contact breaks a message."""
        with contextlib.suppress(OSError, ValueError):
            call = ToPbx(self._line, site, peer, target, caller, number, is_plain=is_plain)
            self._add(call)
            call.begin()
            return call
        return None

    def take(self, served: Served) -> None:
        """INVITE, and what belongs to a call. Raises ValueError where it cannot be answered."""
        request = served.request
        if request.method == "INVITE" and request.to.tag is None:
            self._invited(served)
            return
        call = self._call_of(request)
        if request.method == "CANCEL":
            if isinstance(call, FromPbx) and call.is_of(request):
                call.cancelled(served)
            else:
                served.respond(481, "Call/Transaction Does Not Exist")
        elif call is None or (call.is_over and request.method != "BYE"):
            served.respond(481, "Call/Transaction Does Not Exist")
        else:
            call.take(served)

    def acknowledge(self, request: Request) -> None:
        """An ACK, which no transaction holds."""
        call = self._call_of(request)
        if call is not None:
            call.acknowledge(request)

    def heard_again(self, response: Response) -> None:
        """A final response to INVITE that came again: its ACK was lost."""
        with contextlib.suppress(WireError):
            call = next((one for one in self.made if one.call_id == response.call_id), None)
            if call is not None and response.cseq.method == "INVITE" and response.status >= 200:
                call.repeat_ack()

    def _invited(self, served: Served) -> None:
        request = served.request
        if is_emergency(request.uri) or is_emergency(request.header("To") or ""):
            served.respond(503, "Service Unavailable")
            return
        if self.plan.is_challenged:
            challenge = self._registrar.admits(request)
            if challenge is not None:
                served.respond(*challenge)
                return
        if len(self.running) >= _AT_ONCE:
            served.respond(486, "Busy Here")
            return
        try:
            self._add(FromPbx(self._line, served, self.plan))
        except OSError:  # no port is free
            served.respond(503, "Service Unavailable")

    def _call_of(self, request: Request) -> Call | None:
        """By Call-ID; the tags of a dialog that we began are ours alone to know, so they need not be compared."""
        return next((call for call in reversed(self.made) if call.call_id == request.call_id), None)

    def _add(self, call: Call) -> None:
        self.made = [*self.made, call][-_KEPT:]

    def tick(self, now_s: float) -> None:
        for call in self.running:
            with contextlib.suppress(ValueError):  # what the PBX sent cannot be repeated in a message
                call.tick(now_s)

    @property
    def next_s(self) -> float:
        return min((call.due_s for call in self.running), default=math.inf)

    def streams(self) -> list[Stream]:
        return [*self._line.streams, *(stream for call in self.running for stream in call.media.streams())]

    def end(self) -> None:
        """Every call that still runs: BYE, and its ports are closed."""
        for call in self.running:
            with contextlib.suppress(ValueError, OSError):
                call.hang_up()
            call.ends("trunk")
