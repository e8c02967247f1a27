"""The registrar of a rehearsal: it challenges as BroadWorks does, and checks the answer with a made-up password.

Pure: no socket, no clock. It never knows a password of the provider.
"""

import re
import secrets
from typing import Literal

from gosip_check.wire import digest
from gosip_check.wire.register import seconds
from gosip_check.wire.sip import Request, WireError

Refusal = Literal["401-new", "401-same", "403"]

Answer = tuple[int, str, list[tuple[str, str]]]
"Status, reason phrase, header fields."

_CREDENTIAL = re.compile(r'([a-z]+)\s*=\s*(?:"([^"]*)"|([^\s",]+))', re.IGNORECASE)
_NONCES = 1000
"So many challenges are remembered, the oldest is forgotten."


class Registrar:
    """user and password: the slip's. Call `answer` once for each REGISTER, not for its retransmissions."""

    def __init__(self, domain: str, user: str, password: str) -> None:
        self._domain, self._user, self._password = domain, user, password
        self._nonces: list[str] = []

    def is_user(self, request: Request) -> bool:
        """The REGISTER is for the slip's user (RFC 3261 10.2: To names the address of record). Raises WireError."""
        return request.to.uri.partition(":")[2].partition("@")[0] == self._user

    def answer(self, request: Request, grants_s: int, refuses: Refusal | None) -> Answer:
        """200 only for right credentials on a nonce of ours. Raises WireError where the Contact cannot be read."""
        given = self._credentials(request)
        if given is None or given.get("nonce") not in self._nonces:
            return 401, "Unauthorized", [self._challenge()]
        if refuses == "403":
            return 403, "Forbidden", []
        if refuses == "401-same":
            return 401, "Unauthorized", [self._challenge(given["nonce"])]
        if refuses == "401-new" or not self._is_right(given, request.method):
            return 401, "Unauthorized", [self._challenge()]
        return 200, "OK", self._bound(request, grants_s)

    def admits(self, request: Request) -> Answer | None:
        """A call. None: it has the right credentials; else how it is challenged (RFC 3261 22.2)."""
        given = self._credentials(request)
        if given is not None and given.get("nonce") in self._nonces and self._is_right(given, request.method):
            return None
        return 401, "Unauthorized", [self._challenge()]

    def forget(self) -> None:
        """What is answered from now on must answer a new challenge."""
        self._nonces = []

    def has_credentials(self, request: Request) -> bool:
        """It answers a challenge of ours, rightly or not."""
        given = self._credentials(request)
        return given is not None and given.get("nonce") in self._nonces

    def _credentials(self, request: Request) -> dict[str, str] | None:
        value = request.header("Authorization")
        if value is None:
            return None
        return {name.lower(): quoted or plain for name, quoted, plain in _CREDENTIAL.findall(value)}

    def _challenge(self, nonce: str | None = None) -> tuple[str, str]:
        if nonce is None:
            nonce = f"BroadWorksX{secrets.token_hex(8)}BW"
            self._nonces = [*self._nonces, nonce][-_NONCES:]
        return "WWW-Authenticate", f'Digest realm="{self._domain}",nonce="{nonce}",algorithm=MD5,qop="auth"'

    def _is_right(self, given: dict[str, str], method: str) -> bool:
        challenge = digest.Challenge(self._domain, given["nonce"], "MD5", ("auth",), None, False)
        try:
            count = int(given.get("nc", ""), 16)
            expected = digest.response(
                challenge, self._user, self._password, method, given.get("uri", ""), given.get("cnonce", ""), count
            )
        except ValueError:
            return False
        return given.get("username") == self._user and given.get("response", "").lower() == expected

    def _bound(self, request: Request, grants_s: int) -> list[tuple[str, str]]:
        """The binding as it was asked for, every parameter of its URI included: some PBXs look for theirs."""
        bound = []
        for contact in request.contacts:
            if contact.uri == "*":
                continue
            asked_s = seconds(contact.params.get("expires") or request.header("Expires"))
            granted_s = grants_s if asked_s is None else min(asked_s, grants_s)
            if granted_s:
                bound.append(("Contact", f"<{contact.uri}>;expires={granted_s}"))
        return bound


def contact_of(request: Request) -> str | None:
    """The URI that requests to the PBX go to; None where it takes its binding away (RFC 3261 10.2.2)."""
    try:
        contact = next(iter(request.contacts), None)
    except WireError:
        return None
    if contact is None or contact.uri == "*":
        return None
    return None if seconds(contact.params.get("expires") or request.header("Expires")) == 0 else contact.uri
