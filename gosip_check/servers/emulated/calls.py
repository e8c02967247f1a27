"""The calls of an emulated PBX: it takes those of the trunk, makes its own, and does in them what the installer does.

A call is a script: it rings, is answered, and then goes through `Talk`. What the trunk asks within a call is answered
beside it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from gosip_check.heard import Place
from gosip_check.servers.emulated.agent import TIMER_F_S, Agent
from gosip_check.servers.emulated.registration import Registration
from gosip_check.servers.emulated.setup import Setup
from gosip_check.servers.emulated.sound import Sound
from gosip_check.servers.virtual import Script, VirtualWorld, Wait
from gosip_check.wire import digest, sdp
from gosip_check.wire.sip import Request, Response
from gosip_check.wire.sip_fields import split_list

_RINGS_S, _STEP_S = 1.0, 1.0
_ODD = ("Recv-Info", "P-Early-Media", "X-Broadworks-Correlation-Info")
_ALLOW = ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, PRACK, REFER, NOTIFY")
_SDP = ("Content-Type", "application/sdp")
_LONG_HEADER = ("X-Long", "x" * 1400)


@dataclass(frozen=True)
class Talk:
    """What the installer does in a call, in this order. ends_after_s: then he hangs up; None: the other side does.

    answers: an incoming one; else it rings until nobody calls any more.
    """

    answers: bool = True
    presses: str = ""
    holds: bool = False
    transfers_to: str = ""
    ends_after_s: float | None = None


@dataclass
class Call:
    """One dialog. local, remote: values of From or To, with their tags. target: the other side's Contact."""

    call_id: str
    site: Place
    sound: Sound
    local: str = ""
    remote: str = ""
    target: str = ""
    routes: list[str] = field(default_factory=list)
    cseq: int = 1
    version: int = 1
    is_over: bool = False


class Calls:
    """All of one PBX."""

    def __init__(self, world: VirtualWorld, agent: Agent, setup: Setup, registration: Registration) -> None:
        self._world, self._agent, self._setup, self._registration = world, agent, setup, registration
        self._calls: dict[str, Call] = {}
        self._invites: dict[str, tuple[Request, Place]] = {}
        self.talk = Talk()
        "Of the calls that begin from now on."
        self.forwards_to = ""
        "Incoming calls go out again to this number."

    # Calls of the trunk.

    def take(self, request: Request, peer: Place) -> None:
        """An INVITE outside a call."""
        behaviour = self._setup.behaviour
        called = request.to.uri.partition(":")[2].partition("@")[0]
        refusal = behaviour.refuses_calls
        if any(request.header(name) for name in _ODD) and behaviour.refuses_headers:
            refusal = 420
        if called in self._setup.slip.numbers[1:] and not behaviour.knows_every_number:
            refusal = 404
        if refusal is not None:
            self._agent.answer(request, peer, refusal, "Refused")
        elif not behaviour.ignores_calls:
            self._agent.scripts.begin(self._taken(request, peer))

    def _taken(self, request: Request, peer: Place) -> Script[None]:
        behaviour = self._setup.behaviour
        self._agent.answer(request, peer, 100, "Trying")
        tag = self._agent.token()
        call = Call(request.call_id, peer, Sound(self._world, self._setup.here[0], behaviour))
        answer = call.sound.answer(request.body)
        if answer is None:
            self._agent.answer(request, peer, 488, "Not Acceptable Here")
            return
        call.local, call.remote = f"{request.header('To')};tag={tag}", request.header("From") or ""
        call.target, call.routes = request.contacts[0].uri, request.headers("Record-Route")
        self._calls[call.call_id] = call
        self._invites[call.call_id] = request, peer
        fields = [("Contact", self._contact(peer)), _ALLOW, *(("Record-Route", route) for route in call.routes)]
        reliable = [("Require", "100rel"), ("RSeq", "1")] if behaviour.rings_reliably else []
        self._ring(request, peer, [*fields, *reliable], tag)
        if self.forwards_to:
            self.dial(self.forwards_to, diverts=request)
        yield Wait(_RINGS_S)
        if call.is_over or not self.talk.answers:
            return
        timer = request.header("Session-Expires")
        if timer is not None and behaviour.session_expires:
            fields += [("Require", "timer"), ("Session-Expires", timer)]
        self._agent.answer(request, peer, 200, "OK", [*fields, _SDP], answer, tag)
        call.sound.begin(request.body)
        del self._invites[call.call_id]
        yield from self._talked(call)

    def _ring(self, request: Request, peer: Place, fields: list[tuple[str, str]], tag: str) -> None:
        """With To as it came, unless that is the fault."""
        changed = request
        if self._setup.behaviour.changes_to:
            raw = re.sub(rb"(?mi)^(To:.*<sip:[^;>]+)[^>]*>", rb"\1>", request.raw)
            changed = Request(request.fields, request.body, raw, request.method, request.uri)
        self._agent.answer(changed, peer, 180, "Ringing", fields, tag=tag)

    # What the trunk asks within a call.

    def within(self, request: Request, peer: Place) -> None:
        """Any other request but REGISTER and OPTIONS."""
        behaviour = self._setup.behaviour
        call = self._calls.get(request.call_id)
        if request.method == "ACK":
            return
        if request.method == "CANCEL":
            self._cancelled(request, peer)
        elif call is None:
            self._agent.answer(request, peer, 481, "Call Does Not Exist")
        elif request.method == "BYE":
            self._end(call)
            status, reason = (481, "Call Does Not Exist") if behaviour.loses_calls else (200, "OK")
            self._agent.answer(request, peer, status, reason)
        elif request.method == "PRACK" and behaviour.refuses_prack:
            self._agent.answer(request, peer, 405, "Method Not Allowed", [_ALLOW])
        elif request.method in ("UPDATE", "INVITE"):
            self._refreshed(call, request, peer)
        else:
            self._agent.answer(request, peer, 200, "OK")

    def _cancelled(self, request: Request, peer: Place) -> None:
        self._agent.answer(request, peer, 200, "OK")
        invite = self._invites.pop(request.call_id, None)
        if invite is not None:
            self._end(self._calls[request.call_id])
            self._agent.answer(*invite, 487, "Request Terminated")

    def _refreshed(self, call: Call, request: Request, peer: Place) -> None:
        if not self._setup.behaviour.accepts_refresh:
            self._agent.answer(request, peer, 488, "Not Acceptable Here")
            return
        fields = [("Contact", self._contact(peer)), _ALLOW]
        timer = request.header("Session-Expires")
        if timer is not None:
            fields += [("Require", "timer"), ("Session-Expires", timer)]
        audio = sdp.audio(request.body)
        direction = {"sendonly": "recvonly", "inactive": "inactive"}.get(audio.direction if audio else "", "sendrecv")
        body = call.sound.answer(request.body, direction) if request.body else None
        self._agent.answer(request, peer, 200, "OK", [*fields, *[_SDP] * (body is not None)], body or b"")

    # Calls of its own.

    def dial(self, number: str, *, withheld: bool = False, diverts: Request | None = None) -> None:
        """Beside all else."""
        self._agent.scripts.begin(self._dialled(number, withheld, diverts))

    def _dialled(self, number: str, withheld: bool, diverts: Request | None) -> Script[None]:
        behaviour = self._setup.behaviour
        is_national = len(number) == len(self._setup.slip.numbers[0])
        digits = behaviour.dials.format(
            number=behaviour.dials_national.format(number=number) if is_national else number
        )
        if behaviour.sends_digits_one_by_one:
            self._agent.scripts.begin(self._given_up(digits[:5], withheld, diverts))
            yield Wait(_STEP_S)
        call = yield from self._invited(digits, withheld, diverts)
        if call is not None:
            yield from self._talked(call)

    def _given_up(self, number: str, withheld: bool, diverts: Request | None) -> Script[None]:
        """A part of a number: it is not waited for."""
        call = yield from self._invited(number, withheld, diverts)
        if call is not None:
            self._end(call)
            yield from self._asked(call, "BYE", [])

    def _sites(self) -> list[Place]:
        """Where to call: where it is registered, then the other."""
        behaviour, sites = self._setup.behaviour, list(self._setup.sites)
        at = self._registration.at or sites[0]
        others = [site for site in sites if site != at]
        if behaviour.calls_other_site:
            return [*others, at]
        return [at, *others] if behaviour.calls_move else [at]

    def _invited(self, number: str, withheld: bool, diverts: Request | None) -> Script[Call | None]:
        for site in self._sites():
            call = Call(self._agent.token(), site, Sound(self._world, self._setup.here[0], self._setup.behaviour))
            self._calls[call.call_id] = call
            answer = yield from self._answered(call, number, withheld, diverts)
            if answer is not None and answer.status == 200:
                return call
            self._end(call)
            if answer is not None and answer.status != 503:
                return None
        return None

    def _answered(self, call: Call, number: str, withheld: bool, diverts: Request | None) -> Script[Response | None]:
        """With the password, where that is wanted."""
        behaviour, setup = self._setup.behaviour, self._setup
        uri = setup.filled(behaviour.invite_uri, call.site, number=number)
        from_ = setup.filled(behaviour.invite_from, call.site)
        if withheld and behaviour.withholds:
            from_ = '"Anonymous" <sip:anonymous@anonymous.invalid>'
        if diverts is not None and behaviour.forwards_as_caller:
            from_ = f"<{diverts.from_.uri}>"
        call.local = f"{from_};tag={self._agent.token()}"
        to = setup.filled("<sip:{number}@{domain}>", call.site, number=number)
        fields = self._invite_fields(call.site, withheld, diverts)
        credentials: list[tuple[str, str]] = []
        while True:
            head = [("From", call.local), ("To", to), ("Call-ID", call.call_id), ("CSeq", f"{call.cseq} INVITE")]
            branch = f"z9hG4bK{self._agent.token()}"
            body = call.sound.offer()
            request = self._agent.request("INVITE", uri, [*head, *fields, *credentials], body, branch)
            answer = yield from self._agent.ask(request, call.site, behaviour.call_gives_up_after_s)
            if answer is None:
                return None
            call.remote = answer.header("To") or to
            if answer.status == 200:
                call.target = answer.contacts[0].uri if answer.contacts else uri
                routes = [route for value in answer.headers("Record-Route") for route in split_list(value, ",")]
                call.routes = routes[::-1]
                call.sound.begin(answer.body)
                self._acknowledge(call, call.target, f"z9hG4bK{self._agent.token()}")
                self._keep_refreshed(call, answer)
                return answer
            self._acknowledge(call, uri, branch)
            if answer.status not in (401, 407) or credentials or not behaviour.answers_invite_challenge:
                return answer
            credentials = [self._credentials(answer, uri, call.site)]
            call.cseq += 1

    def _credentials(self, answer: Response, uri: str, site: Place) -> tuple[str, str]:
        asked, answers = (
            ("WWW-Authenticate", "Authorization")
            if answer.status == 401
            else ("Proxy-Authenticate", "Proxy-Authorization")
        )
        challenge = digest.parse_challenge(answer.header(asked) or "")
        return answers, self._setup.authorization(challenge, "INVITE", uri, site, 1)

    def _invite_fields(self, site: Place, withheld: bool, diverts: Request | None) -> list[tuple[str, str]]:
        behaviour = self._setup.behaviour
        fields = [("Contact", self._contact(site)), _ALLOW, _SDP, *self._identity(site)]
        if behaviour.session_expires:
            fields += [("Supported", "timer"), ("Session-Expires", behaviour.session_expires), ("Min-SE", "90")]
        if withheld and behaviour.withholds:
            fields.append(("Privacy", "id"))
        if diverts is not None:
            fields.append(("Diversion", f"<{diverts.to.uri.partition(';')[0]}>;reason=unconditional"))
        return [*fields, _LONG_HEADER] if behaviour.sends_long_messages else fields

    def _identity(self, site: Place) -> list[tuple[str, str]]:
        name, _, value = self._setup.filled(self._setup.behaviour.identity, site).partition(": ")
        return [(name, value)] if name else []

    def _acknowledge(self, call: Call, uri: str, branch: str) -> None:
        fields = [("From", call.local), ("To", call.remote), ("Call-ID", call.call_id), ("CSeq", f"{call.cseq} ACK")]
        routes = [("Route", route) for route in call.routes]
        self._agent.send(self._agent.request("ACK", uri, [*fields, *routes], branch=branch), call.site)

    def _contact(self, site: Place) -> str:
        return self._setup.filled(self._setup.behaviour.invite_contact, site)

    # Within a call.

    def _talked(self, call: Call) -> Script[None]:
        talk = self.talk
        yield Wait(_STEP_S)
        for digit in talk.presses:
            if self._setup.behaviour.digits_as_info:
                body = f"Signal={digit}\r\nDuration=160\r\n".encode()
                yield from self._asked(call, "INFO", [("Content-Type", "application/dtmf-relay")], body)
            else:
                call.sound.press(digit)
                yield Wait(0.4)
        if talk.holds and not call.is_over:
            yield from self._held(call)
        if talk.transfers_to and not call.is_over:
            yield Wait(_STEP_S)
            refer_to = self._setup.filled("<sip:{number}@{domain}>", call.site, number=talk.transfers_to)
            fields = [("Refer-To", refer_to), ("Contact", self._contact(call.site)), *self._identity(call.site)]
            yield from self._asked(call, "REFER", fields)
        if talk.ends_after_s is not None:
            yield Wait(talk.ends_after_s)
            if not call.is_over:
                self._end(call)
                yield from self._asked(call, "BYE", [])

    def _held(self, call: Call) -> Script[None]:
        for direction in ("sendonly", "sendrecv"):
            yield Wait(_STEP_S)
            if direction == "sendonly" and self._setup.behaviour.drops_when_holding:
                yield from self._reinvited(call, direction)
                self._end(call)
                yield from self._asked(call, "BYE", [])
                return
            yield from self._reinvited(call, direction)

    def _reinvited(self, call: Call, direction: str) -> Script[None]:
        call.version += 1
        fields = [("Contact", self._contact(call.site)), _SDP]
        answer = yield from self._asked(call, "INVITE", fields, call.sound.offer(direction, call.version))
        if answer is not None:
            self._acknowledge(call, call.target, f"z9hG4bK{self._agent.token()}")

    def _asked(
        self, call: Call, method: str, fields: Iterable[tuple[str, str]], body: bytes = b""
    ) -> Script[Response | None]:
        call.cseq += 1
        routes = [("Route", route) for route in call.routes] if self._setup.behaviour.follows_record_route else []
        head = [("From", call.local), ("To", call.remote), ("Call-ID", call.call_id), ("CSeq", f"{call.cseq} {method}")]
        request = self._agent.request(method, call.target, [*head, *routes, *fields], body)
        return (yield from self._agent.ask(request, call.site, TIMER_F_S))

    def _keep_refreshed(self, call: Call, answer: Response) -> None:
        """Where it is its turn (RFC 4028 7.2)."""
        value = answer.header("Session-Expires") or ""
        if "refresher=uac" in value.replace(" ", "") and self._setup.behaviour.refreshes_sessions:
            self._agent.scripts.begin(self._refreshing(call, int(value.partition(";")[0])))

    def _refreshing(self, call: Call, timer_s: int) -> Script[None]:
        while True:
            yield Wait(timer_s / 2)
            if call.is_over:
                return
            timer = [("Supported", "timer"), ("Session-Expires", f"{timer_s};refresher=uac")]
            yield from self._asked(call, "UPDATE", [("Contact", self._contact(call.site)), *timer])

    def _end(self, call: Call) -> None:
        call.is_over = True
        call.sound.close()
