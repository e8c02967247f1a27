"""What an answer to REGISTER says: a table, status by how far the login has come."""

import pytest

from gosip_check.probes.account.answers import Login, Says, may_have_bound, quoted, read_answer
from gosip_check.wire import sip
from gosip_check.wire.digest import Challenge

FIRST = Challenge("r", "n1", "MD5", (), None, False)
BARE = Login()
DIGEST = Login(FIRST)
SECOND = Login(FIRST, is_second=True)
ACCEPTED = Login(FIRST, accepted=True)
ACCEPTED_SECOND = Login(FIRST, is_second=True, accepted=True)

OLD, NEW = 'Digest realm="r", nonce="n1"', 'Digest realm="r", nonce="n2"'


def response(status: int, *fields: str) -> sip.Response:
    reasons = {401: "Unauthorized", 407: "Proxy Authentication Required", 423: "Interval Too Brief"}
    message = sip.parse("\r\n".join([f"SIP/2.0 {status} {reasons.get(status, 'Whatever')}", *fields, "", ""]).encode())
    assert isinstance(message, sip.Response)
    return message


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize(
    ("login", "challenge", "says"),
    [
        (BARE, NEW, Says.CHALLENGE),
        (BARE, f"{NEW}, stale=true", Says.CHALLENGE),
        (BARE, "Basic realm=r", Says.UNDECIDED),
        (BARE, f"{NEW}, algorithm=SHAKE256", Says.UNDECIDED),
        # after the first digest: a refusal whatever the nonce, but for stale=true
        (DIGEST, OLD, Says.REFUSED),
        (DIGEST, NEW, Says.REFUSED),
        (DIGEST, f"{NEW}, stale=false", Says.REFUSED),
        (DIGEST, "Basic realm=r", Says.REFUSED),
        (DIGEST, "nonsense", Says.REFUSED),
        (DIGEST, f"{NEW}, stale=true", Says.CHALLENGE),
        (DIGEST, f'{NEW}, stale="TRUE"', Says.CHALLENGE),
        (DIGEST, f"{OLD}, stale=true", Says.UNDECIDED),
        (DIGEST, f"{NEW}, stale=true, algorithm=SHAKE256", Says.UNDECIDED),
        # stale once more: it may go on for ever
        (SECOND, NEW, Says.REFUSED),
        (SECOND, f"{NEW}, stale=true", Says.UNDECIDED),
        # the password is known to be right: a new nonce is a stale one
        (ACCEPTED, NEW, Says.CHALLENGE),
        (ACCEPTED, f"{NEW}, stale=true", Says.CHALLENGE),
        (ACCEPTED, OLD, Says.UNDECIDED),
        (ACCEPTED, "Basic realm=r", Says.UNDECIDED),
        (ACCEPTED_SECOND, 'Digest realm="r", nonce="n3"', Says.UNDECIDED),
    ],
)
def test_a_challenge(status: int, login: Login, challenge: str, says: Says) -> None:
    name, field = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}[
        status
    ]
    answer = read_answer(response(status, f"{name}: {challenge}"), login)
    assert answer.says is says
    assert (answer.field == field) == (says is Says.CHALLENGE)
    assert says is Says.CHALLENGE or str(status) in answer.sentence or "No password was sent" in answer.sentence
    assert read_answer(response(status), DIGEST).says is Says.REFUSED


@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize("login", [BARE, DIGEST, SECOND, ACCEPTED])
def test_what_was_carried_out(status: int, login: Login) -> None:
    assert read_answer(response(status), login).says is Says.TAKEN


@pytest.mark.parametrize("login", [DIGEST, SECOND, ACCEPTED])
def test_423_comes_after_the_password(login: Login) -> None:
    """RFC 3261 10.3."""
    answer = read_answer(response(423, "Min-Expires: 600"), login)
    assert (answer.says, answer.sentence) == (Says.TOO_BRIEF, "It grants no time below 600 s (423 Interval Too Brief).")
    assert "does not say which" in read_answer(response(423), login).sentence
    assert read_answer(response(423), BARE).says is Says.UNDECIDED


@pytest.mark.parametrize("status", [302, 400, 403, 404, 408, 486, 500, 503, 504, 603])
@pytest.mark.parametrize("login", [BARE, DIGEST, SECOND, ACCEPTED])
def test_what_tells_neither_yes_nor_no(status: int, login: Login) -> None:
    answer = read_answer(response(status, 'Warning: 399 ess "no \u00fcbung"', 'Warning: 370 x "y"'), login)
    assert answer.says is Says.UNDECIDED
    assert f'{status} Whatever, Warning: 399 ess "no \u00fcbung", Warning: 370 x "y"' in answer.sentence
    assert "does not take" not in answer.sentence


def test_a_long_warning_is_cut() -> None:
    assert len(quoted(response(500, f'Warning: 399 x "{"y" * 5000}"'))) < 300


@pytest.mark.parametrize(
    ("status", "may"),
    [(200, True), (202, True), (302, False), (401, False), (403, False), (407, False), (408, True), (423, False),
     (500, True), (503, True), (600, False)],
)  # fmt: skip
def test_what_may_have_bound_a_contact(status: int, may: bool) -> None:
    assert may_have_bound(response(status)) is may


def test_the_topmost_challenge_of_all_fields_is_answered() -> None:
    answer = read_answer(
        response(
            401,
            'WWW-Authenticate: Basic realm="r", Digest realm="r", nonce="a", algorithm=X',
            'WWW-Authenticate:\tDigest\trealm="r", nonce="b", algorithm=SHA-256, Digest realm="r", nonce="c"',
        ),
        BARE,
    )
    assert answer.challenge == Challenge("r", "b", "SHA-256", (), None, False)
