"""Digest access authentication as SIP uses it (RFC 3261 22.4, RFC 7616, RFC 8760). Pure: the cnonce is passed in.

Nothing here keeps a password, and no error tells one.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gosip_check.wire.sip import WireError, split_list

_HASHES: dict[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
}
if "sha512_256" in hashlib.algorithms_available:
    _HASHES["SHA-512-256"] = lambda data: hashlib.new("sha512_256", data).hexdigest()

_QOPS = ("auth", "auth-int")
"What we can answer, the preferred one first. auth-int covers the body as well (RFC 7616 3.4.3)."

_UNQUOTABLE = "\r\n\0"
_QUOTED_PAIR = frozenset('"\\' + "".join(map(chr, (*range(1, 32), 127)))) - frozenset(_UNQUOTABLE)
"What must follow a backslash in a quoted string (RFC 3261 25.1)."

_BEGINNING = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t\r\n]+([^ \t\r\n=][^=]*=.*)", re.DOTALL)
"The beginning of a challenge in a list: a scheme, and behind blanks its first parameter."


@dataclass(frozen=True)
class Challenge:
    """One WWW-Authenticate or Proxy-Authenticate field. qop: what the server offers; empty where it says nothing.

    algorithm: as written, `MD5` where the server names none. session: a `-sess` variant.
    """

    realm: str
    nonce: str
    algorithm: str
    qop: tuple[str, ...]
    opaque: str | None
    stale: bool

    @property
    def hash_name(self) -> str:
        """The algorithm without `-sess`, in capitals."""
        return self.algorithm.upper().removesuffix("-SESS")

    @property
    def is_session(self) -> bool:
        return self.algorithm.upper().endswith("-SESS")

    @property
    def chosen_qop(self) -> str | None:
        """The one that we answer with; None where the server offers none (RFC 2069), or none that we know."""
        return next((qop for qop in _QOPS if qop in self.qop), None)

    @property
    def is_usable(self) -> bool:
        """We know its algorithm and one of its qop values."""
        return self.hash_name in _HASHES and (not self.qop or self.chosen_qop is not None)


def parse_challenges(value: str) -> list[Challenge]:
    """Every digest challenge of one field, in order. Several may be joined by commas (RFC 7235 4.1), others among them.

    What cannot be read is left out.
    """
    grouped: list[tuple[str, list[str]]] = []
    for part in split_list(value, ","):
        beginning = _BEGINNING.fullmatch(part)
        if beginning is not None:
            grouped.append((beginning[1], [beginning[2]]))
        elif grouped:
            grouped[-1][1].append(part)
    challenges = []
    for scheme, parts in grouped:
        try:
            challenges.append(_challenge(scheme, parts))
        except WireError:
            continue
    return challenges


def parse_challenge(value: str) -> Challenge:
    """The value of a field that holds one challenge. Raises WireError for what is no digest challenge."""
    scheme, *rest = value.split(maxsplit=1) or [""]
    return _challenge(scheme, split_list("".join(rest), ","))


def _challenge(scheme: str, parts: Sequence[str]) -> Challenge:
    if scheme.lower() != "digest":
        raise WireError(f"{scheme!r} is no digest challenge")
    given: dict[str, str] = {}
    for part in parts:
        name, equals, text = part.partition("=")
        if not equals:
            continue
        given.setdefault(name.strip().lower(), _unquoted(text.strip()))
    for name in ("realm", "nonce"):
        if name not in given:
            raise WireError(f"a challenge without {name}")
    return Challenge(
        realm=given["realm"],
        nonce=given["nonce"],
        algorithm=given.get("algorithm", "MD5"),
        qop=tuple(word.strip().lower() for word in given.get("qop", "").split(",") if word.strip()),
        opaque=given.get("opaque"),
        stale=given.get("stale", "").lower() == "true",
    )


def choose(challenges: Sequence[Challenge]) -> Challenge | None:
    """The topmost that we can answer (RFC 8760 2.4: most preferred first); None where there is none."""
    return next((challenge for challenge in challenges if challenge.is_usable), None)


def response(
    challenge: Challenge, user: str, password: str, method: str, uri: str, cnonce: str, nonce_count: int = 1
) -> str:
    """The `response` value of a request without a body (RFC 7616 3.4.1). `uri`: the Request-URI as it is sent.

    Octets of the password that are no text are taken as they are. ValueError: the challenge is not usable.
    """
    if not challenge.is_usable:
        raise ValueError(f"algorithm {challenge.algorithm!r} with qop {challenge.qop} cannot be answered")
    digest, qop = _HASHES[challenge.hash_name], challenge.chosen_qop
    key = digest(f"{user}:{challenge.realm}:{password}".encode("utf-8", "surrogateescape"))
    if challenge.is_session:
        key = digest(f"{key}:{challenge.nonce}:{cnonce}".encode())
    request = digest((f"{method}:{uri}:{digest(b'')}" if qop == "auth-int" else f"{method}:{uri}").encode())
    if qop is None:
        return digest(f"{key}:{challenge.nonce}:{request}".encode())
    return digest(f"{key}:{challenge.nonce}:{nonce_count:08x}:{cnonce}:{qop}:{request}".encode())


def authorization(
    challenge: Challenge, user: str, password: str, method: str, uri: str, cnonce: str, nonce_count: int = 1
) -> str:
    """The value of an Authorization field that answers the challenge. ValueError where a value cannot be quoted."""
    answer = response(challenge, user, password, method, uri, cnonce, nonce_count)
    words = [
        f"username={_quoted(user)}",
        f"realm={_quoted(challenge.realm)}",
        f"nonce={_quoted(challenge.nonce)}",
        f"uri={_quoted(uri)}",
        f"response={_quoted(answer)}",
        f"algorithm={challenge.algorithm}",
    ]
    if challenge.qop:
        words += [f"cnonce={_quoted(cnonce)}", f"qop={challenge.chosen_qop}", f"nc={nonce_count:08x}"]
    elif challenge.is_session:
        words.append(f"cnonce={_quoted(cnonce)}")
    if challenge.opaque is not None:
        words.append(f"opaque={_quoted(challenge.opaque)}")
    return f"Digest {', '.join(words)}"


def can_be_quoted(text: str) -> bool:
    """May it stand in a quoted string? All but line breaks, NUL, and lone surrogates, which are no text."""
    return not any(letter in _UNQUOTABLE or "\ud800" <= letter <= "\udfff" for letter in text)


def _quoted(text: str) -> str:
    if not can_be_quoted(text):
        raise ValueError("a value with a line break, a NUL or what is no text cannot be quoted")
    return '"' + "".join(f"\\{letter}" if letter in _QUOTED_PAIR else letter for letter in text) + '"'


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return "".join(_unescaped(text[1:-1]))


def _unescaped(text: str) -> list[str]:
    letters, escaped = [], False
    for letter in text:
        if letter == "\\" and not escaped:
            escaped = True
            continue
        letters.append(letter)
        escaped = False
    return letters
