"""What an answer to REGISTER says of the password, and whether a digest may follow it. Pure: no socket, no clock.

A 401 or 407 to a digest says that the password is wrong, and nothing else does: a 403, 404 or 5xx has many reasons.
A digest that was refused is never sent again (RFC 3261 22.1); one whose nonce was stale is, once (RFC 7616 3.3).
"""

from dataclasses import dataclass
from enum import Enum, auto

from gosip_check.wire import digest
from gosip_check.wire.register import seconds
from gosip_check.wire.sip import Response

_FIELDS = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}
"Status -> the field that challenges, and the one that answers it (RFC 3261 22.2, 22.3)."

_LONGEST = 200
"As much of a server's own words is quoted."


class Says(Enum):
    """What an answer comes to."""

    TAKEN = auto()
    "2xx: the request was carried out, and a digest in it was taken."
    TOO_BRIEF = auto()
    "423 to a digest: it was taken, because that is looked at first (RFC 3261 10.3); the time asked for is too short."
    CHALLENGE = auto()
    "A digest may be sent."
    REFUSED = auto()
    "The password is wrong, or the user name."
    UNDECIDED = auto()
    "Neither yes nor no."


@dataclass(frozen=True)
class Login:
    """How far a login has come when an answer arrives.

    answered: the challenge whose digest the request carried; None where it carried none.
    is_second: it was the second digest for the same request. accepted: this run's password was taken before.
    """

    answered: digest.Challenge | None = None
    is_second: bool = False
    accepted: bool = False


@dataclass(frozen=True)
class Reading:
    """What an answer says, and why: a sentence; where the password was taken before, the end of one.

    field: the header field that carries a digest for `challenge`. response: as it came; None where none came.
    """

    says: Says
    sentence: str = ""
    field: str = ""
    challenge: digest.Challenge | None = None
    response: Response | None = None


def read_answer(response: Response, login: Login) -> Reading:
    """What a final response says, and whether a digest may follow."""
    if response.status < 300:
        return Reading(Says.TAKEN, response=response)
    if response.status in _FIELDS:
        return _read_challenge(response, login)
    if login.answered is None:
        sentence = f"The server says {quoted(response)} before it asks for a password, so none was sent."
        return Reading(Says.UNDECIDED, sentence, response=response)
    if response.status == 423:
        least_s = seconds(response.header("Min-Expires"))
        least = f"no time below {least_s} s" if least_s is not None else "a longer time only (it does not say which)"
        return Reading(Says.TOO_BRIEF, f"It grants {least} ({quoted(response)}).", response=response)
    sentence = f"The server says {quoted(response)} to the password, which says neither yes nor no."
    if login.accepted:
        sentence = f"the answer was {quoted(response)}"
    return Reading(Says.UNDECIDED, sentence, response=response)


def may_have_bound(response: Response) -> bool:
    """May the contact of the request be bound now? A refusal binds nothing; one of a proxy that waited in vain may hide
    that it is.
    """
    return response.status < 300 or response.status == 408 or 500 <= response.status < 600


def _read_challenge(response: Response, login: Login) -> Reading:
    field, answer_field = _FIELDS[response.status]
    challenges = [each for value in response.headers(field) for each in digest.parse_challenges(value)]
    chosen = digest.choose(challenges)
    is_stale = any(challenge.stale for challenge in challenges)
    if login.answered is not None and not login.accepted and not is_stale:
        sentence = (
            f"The server does not take user name and password ({quoted(response)}). Three such failures in a row lock "
            "the account: do not try again before both are checked."
        )
        return Reading(Says.REFUSED, sentence, response=response)
    if login.answered is not None and (chosen is None or login.is_second or chosen.nonce == login.answered.nonce):
        sentence = f"The server asks for the password again ({quoted(response)}), which says neither yes nor no."
        if login.accepted:
            sentence = f"the server asks for the password again ({quoted(response)})"
        return Reading(Says.UNDECIDED, sentence, response=response)
    if chosen is None:
        offered = ", ".join(map(_shown, challenges)) or "nothing that can be read"
        sentence = f"No password was sent: the server's challenge offers {offered}."
        return Reading(Says.UNDECIDED, sentence, response=response)
    return Reading(Says.CHALLENGE, field=answer_field, challenge=chosen, response=response)


def quoted(response: Response) -> str:
    """Status, reason, and what the server adds in Warning fields (RFC 3261 20.43)."""
    warnings = [f"Warning: {value}" for value in response.headers("Warning")]
    texts = [f"{response.status} {response.reason}".strip(), *warnings]
    return ", ".join(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..." for text in texts)


def _shown(challenge: digest.Challenge) -> str:
    qop = f" with qop {', '.join(challenge.qop)}" if challenge.qop and not challenge.chosen_qop else ""
    return f"{challenge.algorithm}{qop}"
