"""How an emulated PBX registers: challenged, renewed in time, elsewhere when it must, stopped when it is refused."""

from typing import Literal

from gosip_check.heard import Place
from gosip_check.servers.emulated.agent import Agent
from gosip_check.servers.emulated.names import Resolver
from gosip_check.servers.emulated.setup import Setup
from gosip_check.servers.virtual import Script, Wait
from gosip_check.wire import digest
from gosip_check.wire.sip import Response

_RETRIES_AFTER_S = 60.0
_AFTER_ERROR_S = 5.0

Trouble = Literal["silent", "unavailable", "lost", "refused"]
"Why a registration did not succeed. After silence and 503 the next site is tried."


class Registration:
    """is_on: the trunk is switched on, and the password was not refused. at: the site where it is registered."""

    def __init__(self, agent: Agent, setup: Setup, resolver: Resolver) -> None:
        self._agent, self._setup, self._resolver = agent, setup, resolver
        self._challenge: digest.Challenge | None = None
        self._nonce_count = 0
        self._call_id, self._cseq = agent.token(), 0
        self._times_on = 0
        self.is_on = self.goes_to_and_fro = False
        self.at: Place | None = None

    def switch_on(self) -> None:
        """It registers from now on; where it does already, nothing changes."""
        if not self.is_on:
            self.is_on = True
            self._times_on += 1
            self._agent.scripts.begin(self._keep())

    def switch_off(self) -> None:
        """It registers no more, and takes its registration back."""
        self.is_on = False
        if self.at is not None and self._setup.behaviour.takes_registration_back:
            self._agent.scripts.begin(self._at(self.at, 0))

    def _keep(self) -> Script[None]:
        behaviour, since = self._setup.behaviour, self._times_on
        while self.is_on and self._times_on == since:
            granted_s = yield from self._anywhere()
            if isinstance(granted_s, int):
                yield Wait(granted_s * behaviour.refreshes_after)
            elif granted_s != "refused":
                yield Wait(_RETRIES_AFTER_S)
            elif behaviour.tries_refused_again_after_s is not None:
                yield Wait(behaviour.tries_refused_again_after_s)
            else:
                self.is_on = False

    def _anywhere(self) -> Script[int | Trouble]:
        """At the best site that answers: the seconds granted."""
        behaviour = self._setup.behaviour
        sites = yield from self._resolver.sites()
        granted_s: int | Trouble = "silent"
        if behaviour.tries_tcp and sites:
            self._agent.send_over_tcp(self._request(sites[0], behaviour.expires_s), sites[0])
        for site in sites if behaviour.moves else sites[:1]:
            granted_s = yield from self._at(site, behaviour.expires_s)
            for _ in range(behaviour.repeats_after_error):
                if granted_s == "unavailable":
                    yield Wait(_AFTER_ERROR_S)
                    granted_s = yield from self._at(site, behaviour.expires_s)
            if granted_s not in ("silent", "unavailable"):
                break
        if self.goes_to_and_fro and behaviour.changes_sites:
            for site in [*reversed(sites), *reversed(sites)]:
                yield from self._at(site, behaviour.expires_s)
        return granted_s

    def _at(self, site: Place, expires_s: int) -> Script[int | Trouble]:
        within_s = self._setup.behaviour.gives_up_after_s
        had_credentials = self._challenge is not None
        answer = yield from self._agent.ask(self._request(site, expires_s), site, within_s)
        if answer is not None and answer.status == 401:
            if had_credentials and not self._setup.behaviour.answers_new_challenge:
                self._challenge = None
                return "lost"
            self._challenge = digest.parse_challenge(answer.header("WWW-Authenticate") or "")
            self._nonce_count = 0
            answer = yield from self._agent.ask(self._request(site, expires_s), site, within_s)
        if answer is None:
            return "silent"
        if answer.status >= 500:
            return "unavailable"
        if answer.status != 200:
            self._challenge = None
            return "refused"
        self.at = site if expires_s else None
        return _granted_s(answer)

    def _request(self, site: Place, expires_s: int) -> bytes:
        self._cseq += 1
        setup, behaviour = self._setup, self._setup.behaviour
        uri = setup.filled(behaviour.register_uri, site)
        fields = [
            ("From", f"{setup.filled(behaviour.register_from, site)};tag=pbx"),
            ("To", setup.filled("<sip:{user}@{domain}>", site)),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._cseq} REGISTER"),
            ("Contact", setup.filled(behaviour.register_contact, site)),
            ("Expires", str(expires_s)),
        ]
        if self._challenge is not None:
            self._nonce_count += 1
            value = setup.authorization(self._challenge, "REGISTER", uri, site, self._nonce_count)
            fields.append(("Authorization", value))
        return self._agent.request("REGISTER", uri, fields)


def _granted_s(answer: Response) -> int:
    contact = next(iter(answer.contacts), None)
    text = (contact.params.get("expires") if contact else None) or answer.header("Expires") or "60"
    return int(text)
