"""Digest access authentication as SIP uses it (RFC 3261 22.4, RFC 7616, RFC 8760). Pure: the cnonce is passed in.

Nothing here keeps a password, and no error tells one.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gosip_check.wire.sip import WireError, split_list

_HASHES: dict[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
}
if "sha512_256" in hashlib.algorithms_available:
    _HASHES["SHA-512-256"] = lambda data: hashlib.new("sha512_256", data).hexdigest()

_UNSAFE = '"\\'


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
    def is_usable(self) -> bool:
        """We know its algorithm and one of its qop values."""
        return self.hash_name in _HASHES and (not self.qop or "auth" in self.qop)


def parse_challenge(value: str) -> Challenge:
    """The value of one challenge field. Raises WireError for what is no digest challenge."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        raise WireError(f"{scheme!r} is no digest challenge")
    given: dict[str, str] = {}
    for part in split_list(rest, ","):
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
    """The `response` value (RFC 7616 3.4.1). `uri`: the Request-URI as it is sent. ValueError: not usable."""
    if not challenge.is_usable:
        raise ValueError(f"algorithm {challenge.algorithm!r} with qop {challenge.qop} cannot be answered")
    digest = _HASHES[challenge.hash_name]
    key = digest(f"{user}:{challenge.realm}:{password}".encode())
    if challenge.is_session:
        key = digest(f"{key}:{challenge.nonce}:{cnonce}".encode())
    request = digest(f"{method}:{uri}".encode())
    if not challenge.qop:
        return digest(f"{key}:{challenge.nonce}:{request}".encode())
    return digest(f"{key}:{challenge.nonce}:{nonce_count:08x}:{cnonce}:auth:{request}".encode())


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
        words += [f"cnonce={_quoted(cnonce)}", "qop=auth", f"nc={nonce_count:08x}"]
    elif challenge.is_session:
        words.append(f"cnonce={_quoted(cnonce)}")
    if challenge.opaque is not None:
        words.append(f"opaque={_quoted(challenge.opaque)}")
    return f"Digest {', '.join(words)}"


def _quoted(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a value that is not printable cannot be quoted")
    return '"' + "".join(f"\\{letter}" if letter in _UNSAFE else letter for letter in text) + '"'


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
