"""Does the provider take this account's password, and what does it grant? At most one authenticated REGISTER a run.

The provider locks an account after three failures in a row (see attempts.py), so safety comes before an answer: the
authenticated request is sent once and never repeated on silence, a 401 is retried only where it says that the nonce was
stale, a 403 never. By default it asks for bindings and changes none; `account_bind` registers, and takes back what it
registered. RFC 3261 10.2 and 22, RFC 3608 (Service-Route).
"""

import secrets
from dataclasses import dataclass
from typing import Literal

from gosip_check import __version__
from gosip_check.probes import probe
from gosip_check.probes.account.attempts import MOST, Attempts, attempts
from gosip_check.probes.account.register_line import Line, line
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.probes.sip import signalling
from gosip_check.records import THE_PROVIDER, FailureKind, Record
from gosip_check.wire import digest
from gosip_check.wire.register import register_request, request_uri
from gosip_check.wire.sip import Response, WireError

_AUTHORIZATION = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}


class Options(probe.Options, frozen=True):
    """account: the user name. account_bind: register and take it back, instead of only asking.

    account_again: try although the last attempt failed. provider: its name, for texts.
    """

    domain: str
    transport: Literal["udp", "tcp"]
    reregistration_s: int
    account: str | None = None
    account_bind: bool = False
    account_again: bool = False
    provider: str = THE_PROVIDER


class Binding(Record, frozen=True):
    """One contact that the provider holds for the account."""

    uri: str
    expires_s: int | None


class Facts(probe.Facts, frozen=True):
    """registered: the provider took the password. None: not tried, or no answer that says so.

    granted_s: for how long; None where nothing was bound. attempts_used: authenticated requests of this run.
    failures_before: in a row, before this run; failures_now: after it. removed: what was bound was taken back.
    """

    server: str
    registered: bool | None
    statuses: list[int]
    realm: str | None
    algorithm: str | None
    granted_s: int | None
    granted_as_asked: bool | None
    service_route: list[str]
    bindings: list[Binding]
    received: str | None
    attempts_used: int
    failures_before: int
    failures_now: int
    no_failure_stands: bool
    removed: bool | None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed: permission where no attempt is safe, and whatever keeps the first request from an answer."""
    if options.account is None or context.password is None:
        raise ProbeFailed(FailureKind.UNSUPPORTED, "No account was given, so none was tried.")
    context.say(f"REGISTER for {options.account}")
    with attempts(options.account, options.domain) as record, line(context, _server(context), options.transport) as way:
        return _Registration(options, context, record, way).facts()


def _server(context: Context) -> signalling.Server:
    """The first server, in the order of the SRV records, that answered OPTIONS."""
    known = context.seen.get("signalling")
    servers = known.servers if isinstance(known, signalling.Facts) else []
    for server in servers:
        if server.first.result == "answered":
            return server
    raise ProbeFailed(FailureKind.UNREACHABLE, "No server answered, so no password was sent.")


@dataclass(frozen=True)
class _Refused:
    """The end of a registration that did not come about. registered: False where the provider said no."""

    words: str
    registered: bool | None


class _Registration:
    """One run's exchange with one server: straight from the first REGISTER to the last."""

    def __init__(self, options: Options, context: Context, record: Attempts, way: Line) -> None:
        self.options, self.context, self.record, self.way = options, context, record, way
        self.failures_before = record.failures
        self.call_id = f"{secrets.token_hex(8)}@{way.host}"
        self.from_tag = secrets.token_hex(4)
        self.cseq = 0
        self.statuses: list[int] = []
        self.challenge: digest.Challenge | None = None
        self.used = 0
        self._password = ""

    def facts(self) -> Facts:
        granted: Response | None = None
        removed: bool | None = None
        registered: bool | None = True
        outcome = self._may_try() or self._register()
        if isinstance(outcome, Response):
            granted = outcome
            words = self._granted_words(granted)
            if self.options.account_bind:
                removed, told = self._remove()
                words += told
        else:
            words, registered = outcome.words, outcome.registered
        return self._facts(granted, registered, words, removed)

    def _may_try(self) -> _Refused | None:
        before = self.failures_before
        if before >= MOST:
            return _Refused(
                f"Not tried: the last {before} attempts failed, and a third failure in a row locks the account. Have "
                f"the PBX register with it; when that works, delete {self.record.path} and try again.",
                None,
            )
        if before and not self.options.account_again:
            return _Refused(
                "Not tried: the last attempt failed. Check user name and password, "
                f"ask {self.options.provider} whether the account is locked, and then allow one more with --i-know.",
                None,
            )
        return None

    def _register(self) -> Response | _Refused:
        asked = self._send(None)
        if isinstance(asked, str):
            return _Refused(f"No password was sent: {asked}.", None)
        if asked.status not in _AUTHORIZATION:
            if asked.status < 300:
                return _Refused("The server asks for no password, so nothing is known of this one.", None)
            says = f"{asked.status} {asked.reason}".strip()
            words = f"The server says {says} before it asks for a password, so none was sent."
            if asked.status in (403, 404):
                words += " The account is unknown or locked, or not allowed from this address: "
                words += f"ask {self.options.provider}."
            return _Refused(words, None)
        password = self.context.password.take() if self.context.password else None
        if password is None:
            return _Refused("This run has made its one attempt already.", None)
        answered = self._answer(asked, password)
        if isinstance(answered, Response) and answered.status in _AUTHORIZATION and self._stale(answered):
            if self.record.failures >= MOST:
                return _Refused("The server called its nonce stale, and one more attempt is not safe.", None)
            answered = self._answer(answered, password)
        if isinstance(answered, _Refused):
            return answered
        if answered.status < 300:
            self.record.succeeded()
            self._password = password
            return answered
        says = f"{answered.status} {answered.reason}".strip()
        if answered.status in (401, 403, 407):
            return _Refused(
                f"The server does not take user name and password ({says}). Three such failures in a row lock the "
                "account: do not try again before both are checked.",
                False,
            )
        return _Refused(f"The server says {says} to the password, which tells neither yes nor no.", None)

    def _answer(self, challenged: Response, password: str) -> Response | _Refused:
        """The one authenticated request. Written down as a failure before it is sent."""
        field, own = _AUTHORIZATION[challenged.status]
        challenges = []
        for value in challenged.headers(field):
            try:
                challenges.append(digest.parse_challenge(value))
            except WireError:
                continue
        chosen = digest.choose(challenges)
        if chosen is None:
            offered = ", ".join(challenge.algorithm for challenge in challenges) or "nothing that can be read"
            return _Refused(f"No password was sent: the server's challenge offers {offered}.", None)
        self.challenge = chosen
        try:
            credentials = (own, self._credentials(chosen, password))
        except ValueError:
            return _Refused("No password was sent: the challenge cannot be answered in a SIP message.", None)
        self.record.begin()
        self.used += 1
        answered = self._send(credentials)
        if isinstance(answered, str):
            return _Refused(
                f"The password was sent and no answer came: {answered}. That counts as a failed attempt, because the "
                "provider may have counted it.",
                None,
            )
        return answered

    def _credentials(self, challenge: digest.Challenge, password: str, count: int = 1) -> str:
        uri = request_uri(self.options.domain)
        assert self.options.account is not None
        return digest.authorization(
            challenge, self.options.account, password, "REGISTER", uri, secrets.token_hex(8), count
        )

    def _stale(self, response: Response) -> bool:
        """The server says that only the nonce was too old, and gives another (RFC 7616 3.3)."""
        for value in response.headers(_AUTHORIZATION[response.status][0]):
            try:
                challenge = digest.parse_challenge(value)
            except WireError:
                continue
            if challenge.stale and self.challenge is not None and challenge.nonce != self.challenge.nonce:
                return True
        return False

    def _send(self, credentials: tuple[str, str] | None, expires_s: int | None = None) -> Response | str:
        """The final response, or in words what came instead. Sent once when it carries credentials."""
        self.cseq += 1
        assert self.options.account is not None
        binds = self.options.account_bind
        request = register_request(
            user=self.options.account,
            domain=self.options.domain,
            transport=self.way.transport,
            host=self.way.host,
            port=self.way.port,
            branch=f"z9hG4bK{secrets.token_hex(8)}",
            call_id=self.call_id,
            from_tag=self.from_tag,
            cseq=self.cseq,
            user_agent=f"gosip-check/{__version__}",
            contact_host=self.way.contact_host if binds else None,
            contact_port=self.way.contact_port if binds else None,
            expires_s=(self.options.reregistration_s if expires_s is None else expires_s) if binds else None,
            credentials=credentials,
        )
        came = self.way.ask(request, once=credentials is not None)
        if isinstance(came, Response):
            self.statuses.append(came.status)
        return came

    def _remove(self) -> tuple[bool, str]:
        """Take back the binding that was made, with the same nonce, and with a new one where that is stale."""
        assert self.challenge is not None
        came: Response | str = "not sent"
        for count in (2, 1):
            credentials = self._credentials(self.challenge, self._password, count)
            self.record.begin()
            self.used += 1
            came = self._send(("Authorization", credentials), expires_s=0)
            if isinstance(came, str) or came.status not in _AUTHORIZATION or not self._stale(came):
                break
            fresh = [digest.parse_challenge(value) for value in came.headers(_AUTHORIZATION[came.status][0])]
            self.challenge = digest.choose(fresh) or self.challenge
        if isinstance(came, Response) and came.status < 300:
            self.record.succeeded()
            return True, " It was taken back."
        says = came if isinstance(came, str) else f"{came.status} {came.reason}"
        return False, f" Taking it back failed ({says}): it ends by itself when its time is over."

    def _granted_words(self, granted: Response) -> str:
        held = _bindings(granted)
        where = f"{self.way.address}:{self.way.server_port}"
        words = (
            f"{where} takes user name and password ({self.challenge.algorithm if self.challenge else 'no challenge'})."
        )
        if self.options.account_bind:
            seconds = _granted(granted, self._contact())
            return f"{words} It grants {seconds} s of the {self.options.reregistration_s} s that were asked for."
        if held:
            told = ", ".join(f"{binding.uri} ({binding.expires_s} s left)" for binding in held)
            return f"{words} Registered with it now: {told}."
        return f"{words} Nothing is registered with it now."

    def _contact(self) -> str:
        return f"sip:{self.options.account}@{self.way.contact_host}:{self.way.contact_port}"

    def _facts(self, granted: Response | None, registered: bool | None, words: str, removed: bool | None) -> Facts:
        bound = self.options.account_bind and granted is not None
        granted_s = _granted(granted, self._contact()) if bound and granted else None
        failures = self.record.failures
        stand = (
            "No failed attempt stands against the account, as far as this machine knows."
            if not failures
            else f"{failures} failed attempt(s) in a row stand against the account, and the third locks it. What PBXs "
            "tried is not counted here."
        )
        if granted_s is not None:
            expiry = f"The server grants {granted_s} s; {self.options.reregistration_s} s were asked for."
        else:
            expiry = "Nothing was bound, so nothing was granted; --bind registers for a moment and shows it."
        return Facts(
            server=f"{self.way.address}:{self.way.server_port}",
            registered=registered,
            statuses=self.statuses,
            realm=self.challenge.realm if self.challenge else None,
            algorithm=self.challenge.algorithm if self.challenge else None,
            granted_s=granted_s,
            granted_as_asked=None if granted_s is None else granted_s == self.options.reregistration_s,
            service_route=granted.headers("Service-Route") if granted else [],
            bindings=_bindings(granted) if granted else [],
            received=self.way.received,
            attempts_used=self.used,
            failures_before=self.failures_before,
            failures_now=failures,
            no_failure_stands=failures == 0,
            removed=removed,
            evidence={"registered": words, "granted_as_asked": expiry, "no_failure_stands": stand},
        )


def _bindings(response: Response) -> list[Binding]:
    try:
        contacts = response.contacts
    except WireError:
        return []
    return [Binding(uri=contact.uri, expires_s=_seconds(contact.params.get("expires"))) for contact in contacts]


def _granted(response: Response, contact: str) -> int | None:
    """What the server says of our own binding: its `expires`, else the Expires of the response (RFC 3261 10.2.4)."""
    for binding in _bindings(response):
        if binding.uri.startswith(contact) and binding.expires_s is not None:
            return binding.expires_s
    return _seconds(response.header("Expires"))


def _seconds(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


PROBE = Probe(
    "registration",
    Options,
    Facts,
    measure,
    subject=lambda options: f"registration of {options.account} at {options.domain}",
    after=("signalling",),
    account=True,
)
