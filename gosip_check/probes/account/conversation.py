"""REGISTER requests that follow each other on one flow to one server, and the digests that may go with them.

A digest is counted before it is sent and struck out when it was taken. Before the password is known to be right, a
request that carries one is sent once and never repeated on silence.
"""

import secrets
import threading
from dataclasses import dataclass, field, replace

from gosip_check import __version__
from gosip_check.probes.account.answers import Login, Reading, Says, may_have_bound, read_answer
from gosip_check.probes.account.attempts import MOST, Attempts
from gosip_check.probes.account.flow import Flow
from gosip_check.probes.secret import Secret
from gosip_check.wire import digest
from gosip_check.wire.register import contact_uri, register_request, request_uri
from gosip_check.wire.sip import Response


@dataclass
class Conversation:
    """One Call-ID, CSeq rising (RFC 3261 10.2). user: of the account; auth_user: the name that the password belongs to.

    challenge: the last one that was answered. accepted: the password was taken. digests: how many were sent.
    may_be_bound: our contact may be bound, as far as the last request that named it shows.
    """

    user: str
    auth_user: str
    domain: str
    flow: Flow
    record: Attempts
    secret: Secret
    challenge: digest.Challenge | None = None
    accepted: bool = False
    digests: int = 0
    may_be_bound: bool = False
    statuses: list[int] = field(default_factory=list)
    _field: str = ""
    _password: str | None = None
    _nonce_count: int = 0
    _cseq: int = 0
    _call_id: str = field(default_factory=lambda: secrets.token_hex(8))
    _from_tag: str = field(default_factory=lambda: secrets.token_hex(4))

    @property
    def contact(self) -> str:
        """The URI that a request with `expires_s` binds."""
        return contact_uri(self.user, self.flow.contact_host, self.flow.port, self.flow.transport)

    def ask(self, expires_s: int | None = None) -> Reading:
        """Bind our contact for so long (0: take it back); None: ask what is bound. A challenge is answered if it may.

        Raises ProbeFailed where the run is stopped, or the count of attempts cannot be written.
        """
        login = Login(self.challenge, accepted=self.accepted)
        while True:
            credentials = None
            if login.answered is not None:
                refused = self._may_answer()
                if refused is not None:
                    return refused
                try:
                    credentials = (self._field, self._authorization(login.answered))
                except ValueError:
                    return _undecided("No password was sent: the challenge cannot be answered in a SIP message.")
                self.record.begin()
                self.digests += 1
            came = self._send(expires_s, credentials)
            if isinstance(came, str):
                return _undecided(_silence(came, login))
            answer = read_answer(came, login)
            if answer.says is not Says.CHALLENGE:
                if login.answered is not None and answer.says in (Says.TAKEN, Says.TOO_BRIEF):
                    self.accepted = True
                    self.record.succeeded()
                return answer
            self.challenge, self._field, self._nonce_count = answer.challenge, answer.field, 0
            login = replace(login, answered=answer.challenge, is_second=login.answered is not None)

    def go_on_though_stopped(self) -> None:
        """From here on a stopped run does not keep us from asking: something is to be taken back."""
        self.flow.context = replace(self.flow.context, stop=threading.Event())

    def _may_answer(self) -> Reading | None:
        """Takes the password out of its secret the first time. The answer where no digest may be sent."""
        if self._password is None:
            self._password = self.secret.take()
        if not self._password:
            return _undecided("This run has made its one attempt already.")
        if self.record.failures >= MOST:
            if self.accepted:
                return _undecided("the server asks for the password again, and that is not safe")
            return _undecided("The server asks for the password again, and one more attempt is not safe.")
        return None

    def _authorization(self, challenge: digest.Challenge) -> str:
        assert self._password is not None
        self._nonce_count += 1
        uri, cnonce = request_uri(self.domain), secrets.token_hex(8)
        return digest.authorization(
            challenge, self.auth_user, self._password, "REGISTER", uri, cnonce, self._nonce_count
        )

    def _send(self, expires_s: int | None, credentials: tuple[str, str] | None) -> Response | str:
        """The final response, or in words what came instead."""
        self._cseq += 1
        request = register_request(
            user=self.user,
            domain=self.domain,
            transport=self.flow.transport,
            host=self.flow.host,
            port=self.flow.port,
            branch=f"z9hG4bK{secrets.token_hex(8)}",
            call_id=f"{self._call_id}@{self.flow.host}",
            from_tag=self._from_tag,
            cseq=self._cseq,
            user_agent=f"gosip-check/{__version__}",
            contact=None if expires_s is None else self.contact,
            expires_s=expires_s,
            credentials=credentials,
        )
        self.may_be_bound = self.may_be_bound or bool(expires_s)
        came = self.flow.ask(request, once=credentials is not None and not self.accepted)
        if isinstance(came, Response):
            self.statuses.append(came.status)
            if expires_s:
                self.may_be_bound = may_have_bound(came)
        return came


def _silence(came: str, login: Login) -> str:
    if login.accepted:
        return f"no answer came ({came})"
    if login.answered is None:
        return f"No password was sent: {came}."
    return (
        f"The password was sent and no answer came: {came}. That counts as a failed attempt, because the provider may "
        "have counted it."
    )


def _undecided(sentence: str) -> Reading:
    return Reading(Says.UNDECIDED, sentence)
