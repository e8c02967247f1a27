"""An emulated PBX, for the demo and the tests: it finds the trunk, registers, renews, moves and answers keep-alives.

It behaves as the guide wants, or with one fault (`emulated_behaviour`). It proves that the rehearsal's logic holds
together, never that its wire formats are right: for that the tests have PBXs that nobody here wrote.
"""

import itertools
from typing import Literal

import dns.exception
import dns.message
import dns.rdatatype

from gosip_check.heard import Place
from gosip_check.servers.emulated_agent import Agent
from gosip_check.servers.emulated_behaviour import Behaviour
from gosip_check.servers.rehearsal import Slip
from gosip_check.servers.rehearsal_phases import Phase
from gosip_check.servers.virtual import Script, VirtualWorld, Wait
from gosip_check.wire import digest
from gosip_check.wire.sip import Request, Response

_SIP_PORT = 5060
_DNS_WITHIN_S = 3.0
_STARTS_AFTER_S = 2.0
_RETRIES_AFTER_S = 60.0

_AFTER_ERROR_S = 5.0

Trouble = Literal["silent", "unavailable", "lost", "refused"]
"Why a registration did not succeed. After silence and 503 the next site is tried."


class EmulatedPbx:
    """It starts at once. sites: what is entered in place of the trunk's name, for a fault; best first."""

    def __init__(
        self,
        world: VirtualWorld,
        address: str,
        dns_place: Place,
        sites: tuple[Place, Place],
        slip: Slip,
        behaviour: Behaviour,
    ) -> None:
        self._slip, self._behaviour, self._sites = slip, behaviour, sites
        self._agent = Agent(world, (address, _SIP_PORT), self._heard, asks_rport=behaviour.asks_rport)
        self._dns_place = dns_place
        self._dns = world.bound((address, 0), lambda data, _: self._dns_answered(data))
        self._dns_ids = itertools.count(1)
        self._known: list[Place] = []
        self._challenge: digest.Challenge | None = None
        self._nonce_count = 0
        self._call_id, self._cseq = self._agent.token(), 0
        self._is_on = False
        self._phase = ""
        world.after(_STARTS_AFTER_S, self._switch_on)
        if behaviour.own_options_every_s is not None:
            self._agent.scripts.begin(self._keep_asking(behaviour.own_options_every_s))

    def close(self) -> None:
        """It is gone from the network."""
        self._agent.close()
        self._dns.close()

    def began(self, phase: Phase) -> None:
        """What the installer does when the rehearsal says that a phase begins."""
        self._phase = phase.name
        if phase.refuses is not None and not self._is_on:
            self._switch_on()

    def _switch_on(self) -> None:
        self._is_on = True
        self._agent.scripts.begin(self._keep_registered())

    def _filled(self, text: str, site: Place, uri: str = "") -> str:
        host, port = self._agent.place
        return text.format(
            domain=self._slip.domain,
            user=self._slip.user,
            national=self._slip.numbers[0],
            here=f"{host}:{port}",
            site=site[0],
            uri=uri,
        )

    # Registration.

    def _keep_registered(self) -> Script[None]:
        """Until its password is refused."""
        while True:
            granted_s = yield from self._register()
            if isinstance(granted_s, int):
                yield Wait(granted_s * self._behaviour.refreshes_after)
            elif granted_s == "refused":
                if self._behaviour.tries_refused_again_after_s is None:
                    self._is_on = False
                    return
                yield Wait(self._behaviour.tries_refused_again_after_s)
            else:
                yield Wait(_RETRIES_AFTER_S)

    def _register(self) -> Script[int | Trouble]:
        """At the best site that answers: the seconds granted."""
        sites = yield from self._targets()
        granted_s: int | Trouble = "silent"
        for site in sites if self._behaviour.moves else sites[:1]:
            granted_s = yield from self._register_at(site)
            for _ in range(self._behaviour.repeats_after_error):
                if granted_s == "unavailable":
                    yield Wait(_AFTER_ERROR_S)
                    granted_s = yield from self._register_at(site)
            if granted_s in ("silent", "unavailable"):
                continue
            if self._behaviour.changes_sites and self._phase == "a-back":
                for other in [*reversed(sites), *reversed(sites)]:
                    yield from self._register_at(other)
            return granted_s
        return granted_s

    def _register_at(self, site: Place) -> Script[int | Trouble]:
        within_s = self._behaviour.gives_up_after_s
        had_credentials = self._challenge is not None
        answer = yield from self._agent.ask(self._register_request(site), site, within_s)
        if answer is not None and answer.status == 401:
            if had_credentials and not self._behaviour.answers_new_challenge:
                self._challenge = None
                return "lost"
            self._challenge = digest.parse_challenge(answer.header("WWW-Authenticate") or "")
            self._nonce_count = 0
            answer = yield from self._agent.ask(self._register_request(site), site, within_s)
        if answer is None:
            return "silent"
        if answer.status >= 500:
            return "unavailable"
        if answer.status != 200:
            self._challenge = None
            return "refused"
        return _granted_s(answer)

    def _register_request(self, site: Place) -> bytes:
        self._cseq += 1
        behaviour = self._behaviour
        uri = self._filled(behaviour.register_uri, site)
        fields = [
            ("From", f"{self._filled(behaviour.register_from, site)};tag=pbx"),
            ("To", self._filled("<sip:{user}@{domain}>", site)),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._cseq} REGISTER"),
            ("Contact", self._filled(behaviour.register_contact, site)),
            ("Expires", str(behaviour.expires_s)),
        ]
        if self._challenge is not None:
            fields.append(("Authorization", self._authorization("REGISTER", uri, site)))
        return self._agent.request("REGISTER", uri, fields)

    def _authorization(self, method: str, uri: str, site: Place) -> str:
        assert self._challenge is not None
        self._nonce_count += 1
        password = self._slip.password if self._behaviour.knows_password else "of the provider"
        named_uri = self._filled(self._behaviour.digest_uri, site, uri)
        return digest.authorization(
            self._challenge, self._slip.user, password, method, named_uri, "c0ffee", self._nonce_count
        )

    # Where the trunk is.

    def _targets(self) -> Script[list[Place]]:
        """The sites, best first."""
        behaviour = self._behaviour
        if behaviour.asks == "nothing":
            return [self._sites[0]]
        if not self._known or not behaviour.asks_once:
            self._known = yield from self._looked_up() if behaviour.asks == "srv" else self._address_of_domain()
        return self._known

    def _address_of_domain(self) -> Script[list[Place]]:
        return [(address, _SIP_PORT) for address in (yield from self._look_up(self._slip.domain, "A"))]

    def _looked_up(self) -> Script[list[Place]]:
        """NAPTR is asked for first and not needed (RFC 3263 4.1)."""
        domain = self._slip.domain
        yield from self._look_up(domain, "NAPTR")
        records = [text.split() for text in (yield from self._look_up(f"_sip._udp.{domain}", "SRV"))]
        if not self._behaviour.takes_first_record:
            records.sort(key=lambda record: int(record[0]))
        places = []
        for _, _, port, target in records:
            places += [(address, int(port)) for address in (yield from self._look_up(target, "A"))]
        return places

    def _look_up(self, name: str, kind: str) -> Script[list[str]]:
        """The data of each record; empty where there is none, and where nothing was answered."""
        query = dns.message.make_query(name, kind, id=next(self._dns_ids) % 65536)
        self._dns.sendto(query.to_wire(), self._dns_place)
        reply = yield Wait(_DNS_WITHIN_S, query.id)
        wanted = dns.rdatatype.from_text(kind)
        found = reply.answer if isinstance(reply, dns.message.Message) else []
        return [record.to_text() for records in found if records.rdtype == wanted for record in records]

    def _dns_answered(self, data: bytes) -> None:
        try:
            reply = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return
        self._agent.scripts.tell(reply.id, reply)

    # What comes from the trunk, and keep-alives.

    def _heard(self, request: Request, peer: Place) -> None:
        if peer == self._sites[1] and not self._behaviour.trusts_site_b:
            self._agent.answer(request, peer, 403, "Forbidden")
        elif request.method == "OPTIONS":
            status = self._behaviour.answers_options
            if status is not None:
                self._agent.answer(request, peer, status, "OK" if status == 200 else "Not Found")
        elif request.method != "ACK":
            self._agent.answer(request, peer, 405, "Method Not Allowed", [("Allow", "OPTIONS")])

    def _keep_asking(self, every_s: float) -> Script[None]:
        """OPTIONS of its own."""
        while True:
            sites = yield from self._targets()
            for site in sites if self._behaviour.own_options_to == "every-site" else self._sites[:1]:
                uri = f"sip:{self._slip.domain}"
                fields = [
                    ("From", self._filled("<sip:{user}@{domain}>;tag=", site) + self._agent.token()),
                    ("To", f"<{uri}>"),
                    ("Call-ID", self._agent.token()),
                    ("CSeq", "1 OPTIONS"),
                ]
                self._agent.scripts.begin(self._agent.ask(self._agent.request("OPTIONS", uri, fields), site))
            yield Wait(every_s)


def _granted_s(answer: Response) -> int:
    contact = next(iter(answer.contacts), None)
    text = (contact.params.get("expires") if contact else None) or answer.header("Expires") or "60"
    return int(text)
