"""The SIP of a rehearsal's two sites: who is registered, keep-alive, and what is answered to what. Opens no socket."""

import contextlib
import secrets

from gosip_check.heard import Place
from gosip_check.servers.rehearsal.call import ALLOW, Line, is_emergency
from gosip_check.servers.rehearsal.calls import Calls
from gosip_check.servers.rehearsal.phases import Phase
from gosip_check.servers.rehearsal.registrar import Registrar, contact_of
from gosip_check.servers.rehearsal.stage import Bound, Registered
from gosip_check.servers.rehearsal.transactions import Served
from gosip_check.wire import sip
from gosip_check.wire.sip import Request, Response

_SITE_A = 0
_RENEWED_AFTER = 0.3
"Of the time that was granted: sooner it is another try of the same registration."
_KEPT = 1000


class Sites:
    """is_over: nobody is registered any more, and everything gets 503."""

    def __init__(self, line: Line, registrar: Registrar, keepalive_s: float) -> None:
        self._line, self._registrar, self._keepalive_s = line, registrar, keepalive_s
        self.calls = Calls(line, registrar)
        self.registered = Registered()
        self.is_over = False
        self._keepalive_at_s = 0.0

    def hear(self, message: Request | Response, site: int, peer: Place, phase: Phase) -> None:
        """Raises ValueError where it cannot be read so far that it could be answered."""
        is_silent = site == _SITE_A and phase.site_a == "silent"
        if isinstance(message, Response):
            if not is_silent and not self._line.transactions.hear(message):
                self.calls.heard_again(message)
        elif message.method == "ACK":
            self.calls.acknowledge(message)
        elif is_silent and not (message.method == "INVITE" and is_emergency(message.uri)):
            if message.method == "REGISTER":
                ignored_s = [*self.registered.ignored_s, self._line.world.monotonic()]
                self.registered.ignored_s = ignored_s[-_KEPT:]
        else:
            served = self._line.transactions.serve(message, site, peer)
            if served is not None:
                self._answer(served, phase)

    def _answer(self, served: Served, phase: Phase) -> None:
        request = served.request
        is_within = request.method == "CANCEL" or request.to.tag is not None
        if self.is_over:
            served.respond(503, "Service Unavailable")
        elif served.site == _SITE_A and phase.site_a == "503":
            served.respond(503, "Service Unavailable", [("Retry-After", "30")])
        elif request.method == "REGISTER":
            self._register(served, phase)
        elif request.method == "INVITE" or is_within:
            self.calls.take(served)
        elif request.method == "OPTIONS":
            served.respond(200, "OK", [("Allow", ALLOW)])
        else:
            served.respond(405, "Method Not Allowed", [("Allow", ALLOW)])

    def _register(self, served: Served, phase: Phase) -> None:
        request, registered, now_s = served.request, self.registered, self._line.world.monotonic()
        status, reason, headers = self._registrar.answer(request, phase.grants_s, phase.refuses)
        if status != 200:
            if self._registrar.has_credentials(request):
                registered.refused_s = [*registered.refused_s, now_s][-_KEPT:]
            served.respond(status, reason, headers)
            return
        contact = contact_of(request)
        if contact is None:
            registered.bound, registered.taken_back_s = None, now_s
        else:
            before_s = registered.successes[-1][0] if registered.successes else now_s
            if _RENEWED_AFTER * registered.granted_s < now_s - before_s <= registered.granted_s + 1:
                registered.renewed.add(registered.granted_s)
            registered.bound = Bound(contact, served.peer, served.site)
            registered.granted_s = phase.grants_s
            registered.successes = [*registered.successes, (now_s, served.site)][-_KEPT:]
        served.respond(status, reason, headers)

    def tick(self, phase: Phase) -> None:
        """What is due now: sound, what is sent again, keep-alive."""
        now_s = self._line.world.monotonic()
        self.calls.tick(now_s)
        self._line.transactions.tick(now_s)
        if self.registered.bound is not None and now_s >= self._keepalive_at_s:
            self._keepalive_at_s = now_s + self._keepalive_s
            self._keep_alive(self.registered.bound, phase)

    @property
    def next_s(self) -> float:
        """When to call `tick` again."""
        is_bound = self.registered.bound is not None
        keepalive_s = self._keepalive_at_s if is_bound else float("inf")
        return min(keepalive_s, self.calls.next_s, self._line.transactions.next_s)

    def _keep_alive(self, bound: Bound, phase: Phase) -> None:
        """OPTIONS from both sites to where the PBX is; a silent site sends none."""
        for site in (1,) if phase.site_a == "silent" else (0, 1):
            host, port = self._line.sites[site]
            with contextlib.suppress(ValueError, OSError):  # a contact that breaks a message cannot be asked
                request = sip.options_request(
                    uri=bound.contact,
                    transport="UDP",
                    host=host,
                    port=port,
                    branch=f"z9hG4bK{secrets.token_hex(8)}",
                    call_id=secrets.token_hex(8),
                    from_tag=secrets.token_hex(4),
                    user_agent="gosip-check rehearsal",
                )
                self._line.transactions.send(site, request, bound.peer)
