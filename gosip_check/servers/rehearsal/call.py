"""One call of a rehearsal, once it is a dialog (RFC 3261 12): hold, refresh, digits, transfer, end, from either side.

No call is ever relayed: the far end of each is a melody. Sound is counted in media.py.
"""

import abc
import contextlib
import math
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from gosip_check.heard import Place, Stream
from gosip_check.servers.rehearsal.media import Media
from gosip_check.servers.rehearsal.transactions import Headers, Served, Transactions
from gosip_check.servers.rehearsal.world import World
from gosip_check.wire import sdp, sip
from gosip_check.wire.register import seconds
from gosip_check.wire.sip import Request, Response, WireError, split_list

ALLOW = "ACK, BYE, CANCEL, INVITE, OPTIONS, PRACK, REFER, NOTIFY, UPDATE"
SESSION_S = 900
"The guide's session timer."
EVENT = 101
_LONGEST_S = 180.0
"A call that no phase ends is ended."
_STREAMS_KEPT = 2000

_EMERGENCY = re.compile(r"(?:[*#]+\d{1,3}[*#]+)?\d?(?:\+|00)?\d{0,3}(?:112|999)")
"With a digit for an outside line, a country code, or a code that hides the number before it."


@dataclass
class Line:
    """What all calls share. opened, closed: called with the sound of each. streams: of calls that are over."""

    domain: str
    sites: tuple[Place, Place]
    transactions: Transactions
    world: World
    opened: Callable[[Media], None]
    closed: Callable[[Media], None]
    streams: list[Stream] = field(default_factory=list)

    def site(self, number: int) -> str:
        """As the guide writes it: no port where it is SIP's own."""
        host, port = self.sites[number]
        return host if port == 5060 else f"{host}:{port}"

    def close(self, media: Media) -> None:
        """Its counts are kept."""
        self.closed(media)
        media.close()
        self.streams = [*self.streams, *media.streams()][-_STREAMS_KEPT:]


class Call(abc.ABC):
    """site: where it is, 0 or 1. target: the URI of the PBX in it; peer: where its packets come from.

    local, remote: what stands in From of our requests, and in To. What happened is in the fields; a script reads them.
    """

    def __init__(self, line: Line, site: int, peer: Place, call_id: str, local: str, remote: str, target: str) -> None:
        self.line, self.site, self.peer = line, site, peer
        self.call_id, self.local, self.remote, self.target = call_id, local, remote, target
        self.routes: list[str] = []
        self.media = Media(line.world, line.sites[site][0], peer[0])
        line.opened(self.media)
        self.cseq = secrets.randbelow(10**9)
        self.is_answered = self.is_over = False
        self.status: int | None = None
        "Of the final response to its INVITE."
        self.is_held = self.was_retrieved = self.was_refreshed = self.was_referred = False
        self.ended_by: Literal["pbx", "trunk"] | None = None
        self.allows = ""
        "The Allow of the PBX, in capitals."
        self.next_s = math.inf
        self._awaits_ack: Served | None = None
        self._ends_s = math.inf
        self._version = 1

    # What we do

    def request(
        self,
        method: str,
        headers: Headers = (),
        body: bytes = b"",
        answered: Callable[[Response | None], None] = lambda _: None,
    ) -> None:
        """One request within the dialog, sent until it is answered."""
        self.cseq += 1
        self.line.transactions.ask(self.site, self.written(method, self.cseq, headers, body), self.peer, answered)

    def written(
        self, method: str, cseq: int, headers: Headers = (), body: bytes = b"", branch: str | None = None
    ) -> bytes:
        sip.refuse_unsafe(self.target)
        fields = [
            ("Via", f"SIP/2.0/UDP {self._sent_by};branch={branch or new_branch()}"),
            *(("Route", route) for route in self.routes),
            ("To", self.remote),
            ("From", self.local),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Max-Forwards", "9"),
            ("Contact", self.contact),
            *headers,
        ]
        return sip.written(f"{method} {self.target} SIP/2.0", fields, body)

    @property
    def _sent_by(self) -> str:
        host, port = self.line.sites[self.site]
        return f"{host}:{port}"

    @property
    def contact(self) -> str:
        return f"<sip:sgc_c@{self.line.site(self.site)};transport=udp>"

    def send_ack(self, cseq: int, branch: str | None = None) -> None:
        """It is not answered, and goes again when the response comes again."""
        self.ack = self.written("ACK", cseq, branch=branch)
        self.repeat_ack()

    ack: bytes | None = None

    def repeat_ack(self) -> None:
        if self.ack is not None:
            self.line.transactions.send(self.site, self.ack, self.peer)

    def described(self, event: int | None, direction: str = "sendrecv") -> bytes:
        """Our SDP."""
        host, port = self.media.place
        self._version += 1
        return sdp.alaw(host, port, event, self._version, direction)

    def refresh(self, method: Literal["UPDATE", "INVITE"]) -> None:
        """The session, of which the trunk is the refresher (RFC 4028 9)."""
        headers = [
            ("Supported", "timer"),
            ("Session-Expires", f"{SESSION_S};refresher=uac"),
            ("Min-SE", str(SESSION_S)),
        ]
        if method == "UPDATE":
            self.request(method, headers)
            return
        host, port = self.media.place
        body = sdp.alaw(host, port, EVENT, self._version)
        self.request(method, [*headers, ("Allow", ALLOW), ("Content-Type", "application/sdp")], body, self._refreshed)

    def _refreshed(self, response: Response | None) -> None:
        if response is not None and response.status >= 200:
            branch = None if response.status < 300 else response.vias[0].branch
            self.send_ack(response.cseq.number, branch)
            if not self.is_over and response.status < 300 and (described := sdp.audio(response.body)) is not None:
                self.media.describe(described)

    def hang_up(self) -> None:
        """BYE; before the answer what else ends it."""
        if self.is_over:
            return
        self._end_early() if not self.is_answered else self.request("BYE")
        self.ends("trunk")

    @abc.abstractmethod
    def _end_early(self) -> None:
        """Before it is answered."""

    def answer(self) -> None:
        """It is answered now."""
        self.is_answered, self.status = True, 200
        self._ends_s = self.line.world.monotonic() + _LONGEST_S

    def ends(self, by: Literal["pbx", "trunk"] | None) -> None:
        """Its sound is over, its ports are closed."""
        if self.is_over:
            return
        self.is_over, self.ended_by = True, by
        self.next_s = math.inf
        self.line.close(self.media)

    def tick(self, now_s: float) -> None:
        self.media.send(now_s)
        if now_s > self._ends_s:
            self.hang_up()

    @property
    def due_s(self) -> float:
        return min(self.next_s, self.media.next_s)

    # What the PBX does

    def take(self, served: Served) -> None:
        """A request of the PBX within the call. Raises ValueError where it cannot be answered."""
        request = served.request
        match request.method:
            case "BYE":
                served.respond(200, "OK")
                self.ends("pbx")
            case "INVITE":
                self._offered(served, again=True)
            case "UPDATE":
                self._offered(served, again=False)
            case "REFER":
                self._referred(served)
            case "PRACK":
                served.respond(200, "OK")
                self.acknowledge(request)
            case "INFO" | "NOTIFY" | "OPTIONS" | "MESSAGE":
                served.respond(200, "OK", [("Allow", ALLOW)])
            case _:
                served.respond(405, "Method Not Allowed", [("Allow", ALLOW)])

    def acknowledge(self, request: Request) -> None:
        """ACK or PRACK. An ACK has the answer where the offer was ours (RFC 3261 13.2.1)."""
        if self._awaits_ack is not None:
            self._awaits_ack.acknowledged()
        if not self.is_over and (described := sdp.audio(request.body)) is not None:
            self.media.describe(described)

    def respond(self, served: Served, status: int, reason: str, headers: Headers, body: bytes, *, again: bool) -> None:
        """With our Contact; again: until it is acknowledged."""
        typed = [("Content-Type", "application/sdp")] if body else []
        served.respond(status, reason, [("Contact", self.contact), *headers, *typed], body, again=again)
        if again:
            self._awaits_ack = served

    def _offered(self, served: Served, *, again: bool) -> None:
        """A new offer of the PBX, or a refresh without one: hold is an offer that is not sendrecv (RFC 3264 8.4)."""
        self.was_refreshed = True
        described = sdp.audio(served.request.body)
        headers = [("Allow", ALLOW), *session_headers(served.request, None)]
        if described is None:
            body = self.described(EVENT) if again else b""
            self.respond(served, 200, "OK", headers, body, again=again)
            return
        if not takes_alaw(described):
            served.respond(488, "Not Acceptable Here")
            return
        if described.direction in ("sendonly", "inactive") or described.host == "0.0.0.0":
            self.is_held = True
        elif self.is_held:
            self.is_held, self.was_retrieved = False, True
        self.media.describe(described)
        body = self.described(sdp.event_payload(described), sdp.ANSWERED_BY[described.direction])
        self.respond(served, 200, "OK", headers, body, again=again)

    def _referred(self, served: Served) -> None:
        """RFC 3515: accepted, and reported as done. Nobody is called."""
        if is_emergency(served.request.header("Refer-To") or ""):
            served.respond(503, "Service Unavailable")
            return
        self.was_referred = True
        served.respond(202, "Accepted", [("Contact", self.contact)])
        for line, state in (("100 Trying", "active;expires=60"), ("200 OK", "terminated;reason=noresource")):
            headers = [
                ("Event", "refer"),
                ("Subscription-State", state),
                ("Content-Type", "message/sipfrag;version=2.0"),
            ]
            self.request("NOTIFY", headers, f"SIP/2.0 {line}\r\n".encode())


def session_headers(request: Request, interval_s: int | None) -> list[tuple[str, str]]:
    """Of a 200 (RFC 4028 9): the PBX refreshes after interval_s; None: as it asks, and by whom it asks."""
    if "timer" not in tokens(request, "Supported"):
        return []
    asked = request.header("Session-Expires") or ""
    asked_s = seconds(asked.partition(";")[0])
    least_s = seconds((request.header("Min-SE") or "").partition(";")[0]) or 90
    if interval_s is not None and interval_s >= least_s:
        return [("Session-Expires", f"{interval_s};refresher=uac"), ("Require", "timer")]
    if asked_s is None:
        return []
    refresher = "uac" if "refresher=uac" in asked.lower().replace(" ", "") else "uas"
    return [("Session-Expires", f"{asked_s};refresher={refresher}"), ("Require", "timer")]


def tokens(message: Request | Response, name: str) -> set[str]:
    """The words of a list header field, in small letters."""
    return {word.lower() for value in message.headers(name) for word in split_list(value, ",")}


def takes_alaw(described: sdp.Media) -> bool:
    """Plain RTP with the trunk's only codec."""
    codecs = [described.codec_of(payload) for payload in described.payloads]
    return ("PCMA", 8000) in codecs and described.protocol in ("RTP/AVP", "RTP/AVPF")


def is_emergency(uri: str) -> bool:
    """A call that must not end here. Also what is no number of a person, such as urn:service:sos."""
    if "urn:" in uri.lower():
        return True
    user = re.search(r"(?:sips?|tel):([^@;>]*)", uri, re.IGNORECASE)
    digits = re.sub(r"[-. ()]|%20", "", (user[1] if user else "").replace("%23", "#").replace("%2A", "*"))
    return _EMERGENCY.fullmatch(digits.replace("%2a", "*").replace("%2B", "+").replace("%2b", "+")) is not None


def contact_uri(message: Request | Response, otherwise: str) -> str:
    """Where the dialog's requests go (RFC 3261 12.1)."""
    with contextlib.suppress(WireError):
        for contact in message.contacts:
            return contact.uri
    return otherwise


def new_branch() -> str:
    return f"z9hG4bKg3Zqkv7iw3m7u3{secrets.token_hex(8)}"


def new_tag() -> str:
    return f"h7g4Esbg_{secrets.randbelow(10**9)}-{secrets.randbelow(10**13):013}-"
