"""Does the provider take this account's password, and what does it grant? At most one try of a password a run.

The provider locks an account after three failures in a row (see attempts.py), so safety comes before an answer. By
default it asks for bindings and changes none; `account_bind` then registers, too, and takes back what it registered,
whatever ends it. RFC 3261 10.2 and 22, RFC 3608 (Service-Route). What an answer means is decided in answers.py.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from gosip_check.probes import probe
from gosip_check.probes.account.answers import Reading, Says
from gosip_check.probes.account.attempts import LOCKS, Attempts, attempts
from gosip_check.probes.account.conversation import Conversation
from gosip_check.probes.account.flow import Flow, open_flow
from gosip_check.probes.account.listening import Heard, KeepAlive, listen
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.probes.sip import signalling
from gosip_check.records import THE_PROVIDER, FailureKind, Record
from gosip_check.wire import register
from gosip_check.wire.sip import Response

_MOST_SITES = 4
"So many are named in a sentence."


class Options(probe.Options, frozen=True):
    """account: the user name. auth_user: the name that the password belongs to, where it is another.

    account_bind: also register, and take that back. account_again: try although the last attempt did not succeed.
    account_listen: stay registered for `listen_s` and see what comes in. provider: its name, for texts.
    """

    domain: str
    transport: Literal["udp", "tcp"]
    reregistration_s: int
    account: str | None = None
    auth_user: str | None = None
    account_bind: bool = False
    account_again: bool = False
    account_listen: bool = False
    listen_s: float = 130.0
    networks: list[str] = []
    provider: str = THE_PROVIDER


class Binding(Record, frozen=True):
    """One contact that the provider holds for the account."""

    uri: str
    expires_s: int | None


class Facts(probe.Facts, frozen=True):
    """registered: the provider took the password. None: not tried, or no answer that says so.

    granted_s: for how long; None where nothing was bound, or the server does not say. min_expires_s: the shortest time
    that it grants, where it said so. attempts_used: authenticated requests of this run.
    failures_before: in a row, before this run; failures_now: after it. removed: what was bound was taken back.
    tries_left: failures in a row until the provider locks the account. keep_alives: OPTIONS that came while registered.
    keepalive_arrives: one came; None where none did, or nobody listened. held_s: the longest silence before one.
    calls_refused: calls that came meanwhile.
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
    min_expires_s: int | None = None
    tries_left: int | None = None
    keep_alives: list[KeepAlive] = []
    keepalive_arrives: bool | None = None
    held_s: float | None = None
    calls_refused: int | None = None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed: permission where no attempt is safe, and whatever keeps the first request from an answer."""
    if options.account is None or context.password is None:
        raise ProbeFailed(FailureKind.UNSUPPORTED, "No account was given, so none was tried.")
    auth_user = options.auth_user or options.account
    context.say(f"REGISTER for {options.account}")
    with (
        attempts(options.account, auth_user) as record,
        open_flow(context, _server(context), options.transport) as flow,
    ):
        talk = Conversation(options.account, auth_user, options.domain, flow, record, context.password)
        return _Registration(options, context, record, flow, talk).facts()


def _server(context: Context) -> signalling.ServerFacts:
    """The first server, in the order of the SRV records, that answered OPTIONS."""
    asked = context.facts_of(signalling.Facts)
    for server in asked.servers if asked else []:
        if server.first.result == "answered":
            return server
    raise ProbeFailed(FailureKind.UNREACHABLE, "No server answered, so no password was sent.")


class _Registration:
    """One run's exchange with one server: straight from the first REGISTER to the last."""

    def __init__(self, options: Options, context: Context, record: Attempts, flow: Flow, talk: Conversation) -> None:
        self.options, self.context, self.record, self.flow, self.talk = options, context, record, flow, talk
        self.failures_before = record.failures
        self.registered: bool | None = None
        self.granted_s: int | None = None
        self.granted_as_asked: bool | None = None
        self.min_expires_s: int | None = None
        self.removed: bool | None = None
        self.service_route: list[str] = []
        self.bindings: list[Binding] = []
        self.heard: Heard | None = None
        self.expiry_sentence = "Nothing was bound, so nothing was granted; --bind registers for a moment and shows it."

    def facts(self) -> Facts:
        return self._facts(
            self.record.why_not(self.options.provider, again=self.options.account_again) or self._register()
        )

    def _facts(self, sentence: str) -> Facts:
        """sentence: what is said of the password, and of what was bound."""
        failures = self.record.failures
        stand = "No failed attempt stands against the account, as far as this machine knows."
        if failures:
            last = "attempt" if failures == 1 else f"{failures} attempts"
            stand = f"The last {last} did not succeed; a third failure in a row locks the account. "
            stand += "What PBXs and other machines tried is not counted here."
        challenge = self.talk.challenge
        return Facts(
            server=self.flow.server_name,
            registered=self.registered,
            statuses=self.talk.statuses,
            realm=challenge.realm if challenge else None,
            algorithm=challenge.algorithm if challenge else None,
            granted_s=self.granted_s,
            granted_as_asked=self.granted_as_asked,
            service_route=self.service_route,
            bindings=self.bindings,
            received=self.flow.received,
            attempts_used=self.talk.digests,
            failures_before=self.failures_before,
            failures_now=failures,
            no_failure_stands=failures == 0,
            removed=self.removed,
            min_expires_s=self.min_expires_s,
            tries_left=max(0, LOCKS - failures),
            keep_alives=self.heard.keep_alives if self.heard else [],
            keepalive_arrives=True if self.heard and self.heard.keep_alives else None,
            held_s=max((each.silent_s for each in self.heard.keep_alives), default=None) if self.heard else None,
            calls_refused=self.heard.calls if self.heard else None,
            evidence={
                "registered": sentence,
                "granted_as_asked": self.expiry_sentence,
                "no_failure_stands": stand,
                "keepalive_arrives": self._about_keep_alives(),
            },
        )

    def _register(self) -> str:
        """Ask what is bound, and bind where that is wanted. The contact comes second, so that what is said of it (the
        only place is taken, say) is never mistaken for a word on the password.
        """
        asked = self.talk.ask()
        sentence = self._about_the_password(asked)
        if asked.says is Says.TOO_BRIEF:
            self._not_granted(asked)
        if asked.says is not Says.TAKEN or asked.response is None:
            return sentence
        self._keep(asked.response)
        held = register.bound(asked.response)
        if self.options.account_bind:
            return self._bind(held, sentence if self.registered else "")
        if not self.registered:
            return sentence
        contacts = ", ".join(f"{contact.uri} ({contact.expires_s} s left)" for contact in held)
        return f"{sentence} Registered with it now: {contacts or 'nothing'}."

    def _about_the_password(self, answer: Reading) -> str:
        """What an answer says of the password, as a fact and in words."""
        if answer.says is Says.REFUSED:
            self.registered = False
        if answer.says in (Says.REFUSED, Says.UNDECIDED):
            return answer.sentence + self._advice(answer)
        if self.talk.challenge is None or not self.talk.accepted:
            return "The server asks for no password, so nothing is known of this one."
        self.registered = True
        where = self.flow.server_name
        return f"{where} takes user name and password ({self.talk.challenge.algorithm}). {answer.sentence}".rstrip()

    def _advice(self, answer: Reading) -> str:
        if self.talk.digests or answer.response is None or answer.response.status not in (403, 404):
            return ""
        provider = self.options.provider
        return f" The account is unknown or locked, or not allowed from this address: ask {provider}."

    def _bind(self, before: Sequence[register.Bound], said: str) -> str:
        """Register for a moment. However it ends, what may be bound is taken back, or stands in `context.remains`.

        said: of the password.
        """
        asked_s = self.options.reregistration_s
        self._may_remain(asked_s)
        own, sentences = None, [said]
        try:
            answer = self.talk.ask(asked_s)
            sentences.append(self._about_binding(answer))
            if answer.says is Says.TAKEN and answer.response is not None:
                own = register.ours(register.bound(answer.response), self.talk.contact, before)
                sentences.append(self._granted(answer.response, own))
                self._listen()
        finally:
            self._so_far(sentences)  # taking it back may last longer than a stopped run waits for
            if self.talk.may_be_bound:
                sentences.append(self._take_back(own))
            else:
                self._may_remain(None)
            sentences += self.context.remains
            self._so_far(sentences)
        return " ".join(filter(None, sentences))

    def _so_far(self, sentences: Sequence[str]) -> None:
        if self.heard is not None:
            self.context.so_far(self._facts(" ".join(filter(None, sentences))))

    def _listen(self) -> None:
        """Over UDP only: a TCP connection is no binding that silence could end."""
        if self.options.account_listen and self.registered and self.flow.transport == "UDP":
            listen_s = min(self.options.listen_s, self.granted_s or self.options.listen_s)
            for heard in listen(self.context, self.flow.sock, self.options.networks, listen_s):
                self.heard = heard

    def _about_keep_alives(self) -> str:
        """What came while registered, of each site with its interval."""
        if self.heard is None:
            return "Nobody stayed registered to wait for it; run --account FILE --bind does."
        came, calls = self.heard.keep_alives, self.heard.calls
        refused = f" {calls} call(s) came meanwhile and were refused." if calls else ""
        if not came:
            waited = f"None came in {self.heard.listened_s:g} s"
            return f"{waited}, and the provider's interval is not published.{refused}"
        sites = list(dict.fromkeys(each.address for each in came))[:_MOST_SITES]
        listed = " ".join(_rhythm(site, [each.after_s for each in came if each.address == site]) for site in sites)
        held_s = max(each.silent_s for each in came)
        return f"{listed} The connection was still there after {held_s:g} s of silence.{refused}"

    def _about_binding(self, answer: Reading) -> str:
        if answer.says is not Says.TAKEN:
            self._not_granted(answer)
        if self.registered is None:
            return self._about_the_password(answer)
        return f"Registering failed: {answer.sentence}." if answer.says is Says.UNDECIDED else answer.sentence

    def _granted(self, response: Response, own: register.Bound | None) -> str:
        """Keep for how long our contact is bound; in words."""
        asked_s = self.options.reregistration_s
        self._keep(response)
        self.granted_s = register.granted_s(response, own)
        if self.granted_s is None:
            sentence = "It does not say for how long it registers: its answer shows no Contact of ours and no Expires."
            self.expiry_sentence = sentence
            return sentence
        self._may_remain(self.granted_s)
        self.granted_as_asked = self.granted_s == asked_s
        self.expiry_sentence = f"The server grants {self.granted_s} s; {asked_s} s were asked for."
        sentence = f"It grants {self.granted_s} s of the {asked_s} s that were asked for."
        if own is not None and not register.same_place(own.uri, self.talk.contact):
            sentence += f" It holds {self.talk.contact} as {own.uri}."
        return sentence

    def _not_granted(self, answer: Reading) -> None:
        self.expiry_sentence = "Nothing was bound, so it is not known how long the server grants."
        if answer.says is Says.TOO_BRIEF and answer.response is not None:
            self.granted_as_asked = False
            self.min_expires_s = register.seconds(answer.response.header("Min-Expires"))
            self.expiry_sentence = f"{self.options.reregistration_s} s were asked for. {answer.sentence}"

    def _take_back(self, own: register.Bound | None) -> str:
        """What came of it. Also in a run that was stopped; never with a password that was not taken."""
        self.removed = False
        if self.talk.challenge is not None and not self.talk.accepted:
            return "It was not taken back: that needs the password again."
        self.talk.go_on_though_stopped()
        answer = self.talk.ask(0)
        if answer.says is Says.TAKEN and answer.response is not None:
            uris = [self.talk.contact, own.uri if own is not None else self.talk.contact]
            held = register.bound(answer.response)
            self.removed = not any(register.same_place(contact.uri, uri) for contact in held for uri in uris)
        if self.removed:
            self._may_remain(None)
            return "It was taken back."
        sentence = "the answer still shows it" if answer.says is Says.TAKEN else answer.sentence
        return f"Taking it back failed: {sentence.rstrip('.')}."

    def _may_remain(self, longest_s: int | None) -> None:
        """Note for how long from now our contact may be bound; None: it is not."""
        self.context.remains.clear()
        if longest_s is not None:
            until = datetime.now().astimezone() + timedelta(seconds=longest_s)
            self.context.remains.append(
                f"This computer may still be registered as {self.talk.contact} until {until:%Y-%m-%d %H:%M:%S}, and "
                "calls may come here and not to the PBX."
            )

    def _keep(self, response: Response) -> None:
        self.service_route = response.headers("Service-Route")
        self.bindings = _bindings(response)


def _rhythm(site: str, after_s: Sequence[float]) -> str:
    """How many keep-alives of a site came, and how long after each other."""
    if len(after_s) == 1:
        return f"OPTIONS came from {site} once, after {after_s[0]:g} s."
    intervals_s = [round(later - earlier) for earlier, later in pairwise(after_s)]
    low_s, high_s = min(intervals_s), max(intervals_s)
    return f"OPTIONS came from {site} every {low_s}{f' to {high_s}' if high_s > low_s else ''} s, {len(after_s)} times."


def _bindings(response: Response) -> list[Binding]:
    return [Binding(uri=contact.uri, expires_s=contact.expires_s) for contact in register.bound(response)]


PROBE = Probe(
    "registration",
    Options,
    Facts,
    measure,
    subject=lambda options: f"registration of {options.account} at {options.domain}",
    after=("signalling",),
    account=True,
    deadline_s=300.0,
    takes=lambda options: {"waiting for keep-alives": options.listen_s} if options.account_listen else {},
)
