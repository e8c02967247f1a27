"""A registrar of a few lines on loopback: it checks digests by itself, counts, and answers as a test wants.

Kamailio judges what goes over the wire (tests/lab/test_register.py); here stand the answers that it never gives.
"""

import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from gosip_check.probes import probe
from gosip_check.probes.account.registration import Facts, Options, measure
from gosip_check.probes.probe import Context
from gosip_check.probes.secret import Secret
from gosip_check.probes.sip import signalling
from gosip_check.probes.sip.exchange import Exchange
from gosip_check.records import Link
from gosip_check.servers.endpoint import Answers, Peer
from gosip_check.wire import sip
from tests.unit.far_ends import reply, sip_server

USER, PASSWORD, REALM, DOMAIN = "35621000000", "right", "trunk.example", "trunk.example"


@dataclass
class Registrar:
    """answer: called before all else; bytes or None instead of going on, `...` to go on.

    one_time: a nonce is good for one request. contacts: URI -> seconds, without parameters.
    """

    answer: Callable[["Registrar", sip.Request, Peer], object] = lambda *_: ...
    status: int = 401
    one_time: bool = False
    challenge: str = 'Digest realm="{realm}", nonce="{nonce}"'
    user: str = USER
    contacts: dict[str, int] = field(default_factory=dict)
    requests: list[sip.Request] = field(default_factory=list)
    failed: int = 0
    nonce: int = 0
    changed: threading.Event = field(default_factory=threading.Event)

    def __call__(self, request: sip.Request, peer: Peer) -> Answers:
        self.requests.append(request)
        given = self.answer(self, request, peer)
        if given is not ...:
            assert given is None or isinstance(given, bytes)
            return given
        if not self.is_right(request):
            return self.challenged(request, peer)
        return self.carried_out(request, peer)

    def is_right(self, request: sip.Request) -> bool:
        """Carries a digest of the right password for the nonce of now; a wrong one is counted."""
        value = self.credentials(request)
        if value is None:
            return False
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', value))
        if given["nonce"] != f"n{self.nonce}":
            return False
        key = _md5(f"{self.user}:{REALM}:{PASSWORD}")
        request_key = f"REGISTER:sip:{DOMAIN}" + (f":{_md5('')}" if given.get("qop") == "auth-int" else "")
        parts = [key, given["nonce"], *(given[name] for name in ("nc", "cnonce", "qop") if "qop" in given)]
        right: bool = given["response"] == _md5(":".join([*parts, _md5(request_key)]))
        self.failed += not right
        self.nonce += self.one_time
        return right

    def credentials(self, request: sip.Request) -> str | None:
        return request.header({401: "Authorization", 407: "Proxy-Authorization"}[self.status])

    def challenged(self, request: sip.Request, peer: Peer, *, stale: bool = False, new: bool = True) -> bytes:
        self.nonce += new
        value = self.challenge.format(realm=REALM, nonce=f"n{self.nonce}") + (", stale=true" if stale else "")
        name = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}[self.status]
        return reply(request, peer, self.status, "Prove it", headers=[(name, value)])

    def carried_out(self, request: sip.Request, peer: Peer) -> bytes:
        for contact in request.contacts:
            expires_s = int(request.header("Expires") or 0)
            place = contact.uri.partition(";")[0]
            self.contacts.pop(place, None)
            if expires_s:
                self.contacts[place] = expires_s
            self.changed.set()
        held = [("Contact", f"<{uri}>;expires={expires_s}") for uri, expires_s in self.contacts.items()]
        return reply(request, peer, headers=held)

    @property
    def digests(self) -> int:
        """Requests that carried one, repetitions included."""
        return sum(r.header("Authorization") is not None or r.header("Proxy-Authorization") is not None
                   for r in self.requests)  # fmt: skip


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def names_contact(request: sip.Request) -> bool:
    """It is to bind one, not to take one back."""
    return bool(request.contacts) and request.header("Expires") != "0"


def register(
    registrar: Registrar,
    *,
    password: str = PASSWORD,
    bind: bool = False,
    listen: bool = False,
    again: bool = False,
    auth_user: str | None = None,
    transport: str = "udp",
    stop: threading.Event | None = None,
    remains: list[str] | None = None,
    brought: list[probe.Facts] | None = None,
) -> Facts:
    """One run against it. `remains`: gets what the last line would say; `brought`: what counts where it was stopped."""
    with sip_server(registrar) as server:
        first = Exchange("answered", "", speaks="sip")
        known = signalling.ServerFacts(["a"], server.address, server.port, first, [], 0)
        seen = signalling.Facts({}, transport, [known], True, True, None)  # type: ignore[arg-type]
        context = Context(
            Link(name="Internet-1"),
            stop=stop or threading.Event(),
            seen={"signalling": seen},
            password=Secret(password),
            remains=[] if remains is None else remains,
            brought=[] if brought is None else brought,
        )
        options = Options(DOMAIN, transport, 295, USER, auth_user, bind, again, listen)  # type: ignore[arg-type]
        return measure(options, context)
