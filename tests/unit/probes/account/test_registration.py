"""One run against a registrar that may answer anything: what is said of the password, and what is sent and stays."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gosip_check.probes.account import registration
from gosip_check.probes.account.attempts import attempts
from gosip_check.probes.account.listening import Heard, KeepAlive
from gosip_check.probes.probe import ProbeFailed
from gosip_check.probes.sip import exchange, stream
from gosip_check.records import FailureKind
from gosip_check.wire import sip
from tests.unit.far_ends import reply

from .registrar import PASSWORD, USER, Registrar, names_contact, register

Peer = tuple[str, int]


@pytest.fixture(autouse=True)
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "UDP_TIMEOUT_S", 0.7)
    monkeypatch.setattr(stream, "ANSWER_TIMEOUT_S", 0.7)


def counted() -> int:
    with attempts(USER) as record:
        return record.failures


def words(facts: registration.Facts) -> str:
    return facts.evidence["registered"]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize("one_time", [False, True])
@pytest.mark.parametrize("bind", [False, True])
def test_the_right_password(transport: str, status: int, one_time: bool, bind: bool) -> None:
    """Whichever field it belongs in, and also where every nonce is good for one request."""
    registrar = Registrar(status=status, one_time=one_time, contacts={"sip:pbx@203.0.113.4": 100})
    facts = register(registrar, transport=transport, bind=bind)
    assert facts.registered is True, words(facts)
    assert registrar.contacts == {"sip:pbx@203.0.113.4": 100}
    assert (registrar.failed, counted()) == (0, 0)
    assert (facts.granted_s, facts.granted_as_asked, facts.removed) == ((295, True, True) if bind else (None,) * 3)
    assert registrar.digests == facts.attempts_used == ((5 if one_time else 3) if bind else 1)
    assert ("It was taken back." if bind else "sip:pbx@203.0.113.4 (100 s left)") in words(facts)


@pytest.mark.parametrize(
    ("keep_alives", "arrives", "held_s", "said"),
    [
        ([], None, None, "None came in 130 s, and the provider's interval is not published. 1 call(s)"),
        (
            [KeepAlive(address="192.0.2.1", after_s=60.0, silent_s=60.0)],
            True,
            60.0,
            "OPTIONS came from 192.0.2.1 once, after 60 s. The connection was still there after 60 s of silence.",
        ),
        (
            [
                KeepAlive(address="192.0.2.1", after_s=10.0, silent_s=10.0),
                KeepAlive(address="192.0.2.2", after_s=12.5, silent_s=2.5),
                KeepAlive(address="192.0.2.1", after_s=40.1, silent_s=27.6),
                KeepAlive(address="192.0.2.1", after_s=72.0, silent_s=31.9),
            ],
            True,
            31.9,
            "OPTIONS came from 192.0.2.1 every 30 to 32 s, 3 times. OPTIONS came from 192.0.2.2 once, after 12.5 s.",
        ),
    ],
)
def test_what_comes_while_registered(
    keep_alives: list[KeepAlive],
    arrives: bool | None,
    held_s: float | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registrar = Registrar()
    held: list[str] = []

    def listen(*_: object) -> Iterator[Heard]:
        held.extend(registrar.contacts)
        yield Heard(keep_alives=keep_alives, calls=1, listened_s=130.0)

    monkeypatch.setattr(registration, "listen", listen)
    facts = register(registrar, bind=True, listen=True)
    assert (len(held), registrar.contacts, facts.removed) == (1, {}, True)
    assert (facts.keepalive_arrives, facts.held_s, facts.calls_refused) == (arrives, held_s, 1)
    assert said in facts.evidence["keepalive_arrives"]
    assert register(registrar, bind=True).keepalive_arrives is None
    assert register(registrar, bind=True, listen=True, transport="tcp").calls_refused is None
    assert register(registrar, bind=True, listen=True, password="wrong").calls_refused is None


@pytest.mark.parametrize("came", [[], [KeepAlive(address="192.0.2.1", after_s=9.0, silent_s=9.0)]])
def test_a_stop_while_registered_takes_it_back_and_keeps_what_came(
    came: list[KeepAlive], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> Iterator[Heard]:
        yield Heard(keep_alives=came, calls=0, listened_s=12.0)
        raise ProbeFailed(FailureKind.INTERRUPTED, "stopped")

    monkeypatch.setattr(registration, "listen", stopped)
    registrar, remains = Registrar(), ["something"]
    brought: list[Any] = []
    with pytest.raises(ProbeFailed):
        register(registrar, bind=True, listen=True, remains=remains, brought=brought)
    assert (registrar.contacts, remains) == ({}, [])
    (facts,) = brought
    assert (facts.registered, facts.removed, facts.keep_alives) == (True, True, came)
    assert facts.keepalive_arrives == (True if came else None)
    assert came or "None came in 12 s" in facts.evidence["keepalive_arrives"]
    assert facts.evidence["registered"].endswith("It was taken back.")


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize("new", [False, True])
def test_a_wrong_password_is_sent_once(status: int, new: bool) -> None:
    registrar = Registrar(answer=lambda r, q, p: ... if r.is_right(q) else r.challenged(q, p, new=new), status=status)
    facts = register(registrar, password="wrong", bind=True)
    assert (facts.registered, facts.statuses, registrar.failed) == (False, [status, status], 1)
    assert "does not take user name and password" in words(facts)
    assert counted() == 1
    facts = register(registrar, password="wrong")
    assert (facts.registered, len(registrar.requests)) == (None, 2)
    assert "--i-know" in words(facts)
    assert register(registrar, password="wrong", again=True).registered is False
    facts = register(registrar, password="wrong", again=True)
    assert (facts.registered, registrar.failed, counted()) == (None, 2, 2)
    assert "A third failure in a row" in words(facts)


@pytest.mark.parametrize(("password", "registered"), [(PASSWORD, True), ("wrong", False)])
def test_a_nonce_that_is_said_to_be_stale(password: str, registered: bool) -> None:
    def once(registrar: Registrar, request: sip.Request, peer: Peer) -> object:
        stale = registrar.credentials(request) is not None and registrar.digests == 1
        return registrar.challenged(request, peer, stale=True) if stale else ...

    registrar = Registrar(answer=once)
    facts = register(registrar, password=password)
    assert (facts.registered, facts.attempts_used) == (registered, 2)
    assert counted() == (0 if registered else 2)


def test_a_nonce_that_is_always_stale_says_nothing() -> None:
    registrar = Registrar(answer=lambda r, q, p: r.challenged(q, p, stale=True))
    facts = register(registrar)
    assert (facts.registered, facts.attempts_used, counted()) == (None, 2, 2)
    assert "neither yes nor no" in words(facts)


@pytest.mark.parametrize("status", [403, 404, 480, 500, 503, 603])
def test_another_refusal_is_no_wrong_password(status: int) -> None:
    def refuse(registrar: Registrar, request: sip.Request, peer: Peer) -> object:
        if registrar.credentials(request) is None:
            return ...
        return reply(request, peer, status, "Not now", headers=[("Warning", '399 x "because"')])

    facts = register(Registrar(answer=refuse), bind=True)
    assert facts.registered is None
    assert f'says {status} Not now, Warning: 399 x "because" to the password' in words(facts)
    assert (facts.attempts_used, facts.failures_now, counted()) == (1, 1, 1)
    assert register(Registrar(answer=refuse)).attempts_used == 0
    assert register(Registrar(), again=True).registered is True
    assert counted() == 0


@pytest.mark.waits
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_silence_after_the_password(transport: str) -> None:
    registrar = Registrar(answer=lambda r, q, _: ... if r.credentials(q) is None else None)
    facts = register(registrar, transport=transport, bind=True)
    assert (facts.registered, registrar.digests, counted()) == (None, 1, 1)
    assert "no answer came" in words(facts)


def test_an_authentication_name_of_its_own() -> None:
    registrar = Registrar(user="auth name @ x")
    facts = register(registrar, auth_user="auth name @ x", bind=True)
    assert (facts.registered, registrar.failed) == (True, 0)
    assert registrar.requests[-1].from_.uri.startswith(f"sip:{USER}@")
    assert register(registrar).registered is False


@pytest.mark.parametrize(
    "challenge",
    [
        'Digest\trealm="{realm}",\tnonce="{nonce}"',
        'Digest realm="{realm}", nonce="x", algorithm=SHAKE256, Digest realm="{realm}", nonce="{nonce}"',
        'Digest realm="{realm}", nonce="{nonce}", qop="auth-int"',
        'Digest realm="{realm}", nonce="{nonce}", qop="auth-int,auth"',
        'Basic realm="{realm}", Digest realm="{realm}", nonce="{nonce}", algorithm=MD5',
    ],
)
def test_challenges_as_some_servers_write_them(challenge: str) -> None:
    assert register(Registrar(challenge=challenge)).registered is True


def test_a_challenge_that_we_cannot_answer() -> None:
    facts = register(Registrar(challenge='Digest realm="{realm}", nonce="{nonce}", qop="auth-conf"'))
    assert (facts.registered, facts.attempts_used, counted()) == (None, 0, 0)
    assert "offers MD5 with qop auth-conf" in words(facts)


# What is bound: after each of these nothing of ours stays, or the last line says so.


def bind(registrar: Registrar, **options: Any) -> tuple[registration.Facts, list[str]]:
    remains: list[str] = []
    return register(registrar, bind=True, remains=remains, **options), remains


def test_a_server_that_asks_for_no_password() -> None:
    registrar = Registrar(answer=lambda r, q, p: r.carried_out(q, p))
    facts, remains = bind(registrar)
    assert (facts.registered, facts.granted_s, facts.removed, facts.attempts_used) == (None, 295, True, 0)
    assert words(facts).count("asks for no password") == 1
    assert (registrar.contacts, remains) == ({}, [])


def test_a_server_that_asks_for_one_only_to_bind() -> None:
    open_to_ask = Registrar(answer=lambda r, q, p: ... if q.contacts else r.carried_out(q, p))
    facts, remains = bind(open_to_ask)
    assert (facts.registered, facts.granted_s, facts.removed) == (True, 295, True)
    assert "asks for no password" not in words(facts)
    assert (open_to_ask.contacts, remains, counted()) == ({}, [], 0)
    facts, remains = bind(open_to_ask, password="wrong")
    assert (facts.registered, facts.removed, open_to_ask.contacts, remains) == (False, None, {}, [])


@pytest.mark.waits
def test_a_password_that_was_not_taken_is_not_sent_again_to_take_a_binding_back() -> None:
    def swallow(registrar: Registrar, request: sip.Request, peer: Peer) -> object:
        if not request.contacts:
            return registrar.carried_out(request, peer)
        return None if registrar.credentials(request) is not None else ...

    registrar = Registrar(answer=swallow)
    facts, remains = bind(registrar)
    assert (facts.registered, facts.removed, registrar.digests, counted()) == (None, False, 1, 1)
    assert len(remains) == 1
    assert "may still be registered" in words(facts)


@pytest.mark.parametrize("status", [403, 500])
def test_a_contact_that_is_refused_is_no_word_on_the_password(status: int) -> None:
    """ "The only contact is taken", after the password was."""
    registrar = Registrar(
        answer=lambda _, q, p: reply(q, p, status, "Only one contact") if names_contact(q) else ...,
        contacts={"sip:pbx@203.0.113.4": 100},
    )
    facts, remains = bind(registrar)
    assert (facts.registered, facts.granted_s, facts.granted_as_asked) == (True, None, None)
    assert f"Registering failed: the answer was {status} Only one contact." in words(facts)
    assert (registrar.contacts, remains) == ({"sip:pbx@203.0.113.4": 100}, [])
    # what the provider counted is not known, unless a later digest was taken: a 500 may hide a binding
    assert (facts.removed, counted()) == ((None, 1) if status == 403 else (True, 0))


def test_a_time_that_is_too_brief() -> None:
    registrar = Registrar(
        answer=lambda r, q, p: reply(q, p, 423, "Interval Too Brief", headers=[("Min-Expires", "600")])
        if names_contact(q) and r.is_right(q)
        else ...
    )  # fmt: skip
    facts, remains = bind(registrar)
    assert (facts.registered, facts.granted_as_asked, facts.min_expires_s, facts.removed) == (True, False, 600, None)
    assert "It grants no time below 600 s (423 Interval Too Brief)." in words(facts)
    assert "600" in facts.evidence["granted_as_asked"]
    assert (remains, counted()) == ([], 0)


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_contact_whose_port_is_altered(is_stored: bool) -> None:
    """In what the server stores, each time, or only in what it answers."""
    altered = f"sip:{USER}@127.0.0.1:1234"

    def alter(registrar: Registrar, request: sip.Request, peer: Peer) -> object:
        if not registrar.is_right(request):
            return registrar.challenged(request, peer)
        place = request.contacts[0].uri.partition(";")[0] if request.contacts else altered
        if is_stored:
            request = sip.parse(request.raw.replace(f"<{place}".encode(), f"<{altered}".encode()))  # type: ignore[assignment]
        return registrar.carried_out(request, peer).replace(f"<{place}".encode(), f"<{altered}".encode())

    registrar = Registrar(answer=alter, contacts={f"sip:{USER}@203.0.113.4": 100})
    facts, remains = bind(registrar)
    assert (facts.granted_s, facts.granted_as_asked, facts.removed) == (295, True, True)
    assert f"as {altered}" in words(facts)
    assert (list(registrar.contacts), remains) == ([f"sip:{USER}@203.0.113.4"], [])


def test_an_answer_without_a_contact() -> None:
    registrar = Registrar(answer=lambda r, q, p: (r.carried_out(q, p), reply(q, p))[1] if r.is_right(q) else ...)
    facts, remains = bind(registrar)
    assert (facts.registered, facts.granted_s, facts.granted_as_asked, facts.removed) == (True, None, None, True)
    assert "None" not in words(facts)
    assert "does not say for how long" in words(facts)
    assert (registrar.contacts, remains) == ({}, [])


@pytest.mark.waits
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_binding_that_is_accepted_in_silence(transport: str) -> None:
    registrar = Registrar(
        answer=lambda r, q, p: (r.carried_out(q, p), None)[1] if names_contact(q) and r.is_right(q) else ...
    )
    facts, remains = bind(registrar, transport=transport)
    assert (facts.registered, facts.removed) == (True, True)
    assert "Registering failed: no answer came" in words(facts)
    assert (registrar.contacts, remains, counted()) == ({}, [], 0)


@pytest.mark.waits
@pytest.mark.parametrize("what", ["silence", "403", "still there"])
def test_a_binding_that_cannot_be_taken_back(what: str) -> None:
    def answer(registrar: Registrar, request: sip.Request, peer: Peer) -> object:
        if not request.contacts or names_contact(request):
            return ...
        if what == "still there":
            return reply(request, peer, headers=[("Contact", f"<{uri}>") for uri in registrar.contacts])
        return None if what == "silence" else reply(request, peer, 403, "No")

    registrar = Registrar(answer=answer)
    facts, remains = bind(registrar)
    assert (facts.registered, facts.granted_s, facts.removed) == (True, 295, False)
    (uri,) = registrar.contacts
    assert remains
    assert uri in remains[0]
    assert "Taking it back failed:" in words(facts)
    assert remains[0] in words(facts)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_run_that_is_stopped_takes_back_what_it_bound(transport: str) -> None:
    stop = threading.Event()

    def stopped(registrar: Registrar, request: sip.Request, peer: Peer) -> object:
        if names_contact(request) and registrar.is_right(request):
            registrar.carried_out(request, peer)
            stop.set()
            return None
        return ...

    registrar, remains = Registrar(answer=stopped), list[str]()
    with pytest.raises(ProbeFailed, match="stopped"):
        register(registrar, bind=True, stop=stop, remains=remains, transport=transport)
    assert registrar.changed.is_set()
    assert (registrar.contacts, remains, counted()) == ({}, [], 0)


def test_a_fault_of_ours_takes_back_what_was_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("gosip_check.wire.register.granted_s", crash)
    registrar, remains = Registrar(), list[str]()
    with pytest.raises(RuntimeError):
        register(registrar, bind=True, remains=remains)
    assert registrar.changed.is_set()
    assert (registrar.contacts, remains) == ({}, [])


def test_a_fault_of_ours_that_keeps_us_from_taking_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(registration._Registration, "_take_back", crash)
    registrar, remains = Registrar(), list[str]()
    with pytest.raises(RuntimeError):
        register(registrar, bind=True, remains=remains)
    assert len(registrar.contacts) == len(remains) == 1
