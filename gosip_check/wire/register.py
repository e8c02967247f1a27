"""REGISTER (RFC 3261 10): write a request as the provider's registration flow shows it, and read what is bound. Pure.

Without a contact a request only asks which bindings there are, and changes none (10.2.3).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from gosip_check.wire.sip import Response, WireError, refuse_unsafe, written
from gosip_check.wire.sip_fields import contact_items, read_address

_URI = re.compile(r"sips?:(?:([^@]*)@)?(\[[^\]]*\]|[^:;?]*)(?::([0-9]{1,5}))?(?:[;?].*)?", re.IGNORECASE | re.DOTALL)


def register_request(
    *,
    user: str,
    domain: str,
    transport: str,
    host: str,
    port: int,
    branch: str,
    call_id: str,
    from_tag: str,
    cseq: int,
    user_agent: str,
    contact: str | None = None,
    expires_s: int | None = None,
    credentials: tuple[str, str] | None = None,
) -> bytes:
    """host, port: the socket's own, for the Via. contact: a URI. credentials: the field that answers a challenge.

    ValueError where a value would break the message.
    """
    refuse_unsafe(user, domain, host, contact or "-", branch, call_id, from_tag)
    if any(letter in user for letter in "@:;?&/"):
        raise ValueError(f"{user!r} is no SIP user name")
    account = f"<sip:{user}@{domain}>"
    fields = [
        ("Via", f"SIP/2.0/{transport} {_bracketed(host)}:{port};branch={branch};rport"),
        ("From", f"{account};tag={from_tag}"),
        ("To", account),
        ("Call-ID", call_id),
        ("CSeq", f"{cseq} REGISTER"),
        ("Max-Forwards", "70"),
        ("User-Agent", user_agent),
    ]
    if contact is not None:
        fields.append(("Contact", f"<{contact}>"))
    if expires_s is not None:
        fields.append(("Expires", str(expires_s)))
    if credentials is not None:
        fields.append(credentials)
    return written(f"REGISTER {request_uri(domain)} SIP/2.0", fields, b"")


def request_uri(domain: str) -> str:
    """What stands in the request line, and so in the digest: an ALG that changes one of them breaks the answer."""
    return f"sip:{domain}"


def contact_uri(user: str, host: str, port: int, transport: str) -> str:
    """What a registration binds the account to."""
    return f"sip:{user}@{_bracketed(host)}:{port};transport={transport.lower()}"


@dataclass(frozen=True)
class Bound:
    """One contact that a server holds for an account. expires_s: None where it does not say for how long."""

    uri: str
    expires_s: int | None


def bound(response: Response) -> list[Bound]:
    """The contacts in a response to REGISTER; those that cannot be read, and those that just ended, are left out."""
    contacts = []
    for item in [item for value in response.headers("Contact") for item in contact_items(value)]:
        try:
            address = read_address(item)
        except WireError:
            continue
        expires_s = seconds(address.params.get("expires"))
        if address.uri != "*" and expires_s != 0:
            contacts.append(Bound(address.uri, expires_s))
    return contacts


def ours(contacts: Sequence[Bound], contact: str, before: Sequence[Bound]) -> Bound | None:
    """The binding that a request with `contact` made. `before`: what was bound before it.

    A server on the way may have altered host or port: it is then the one new contact of our user.
    """
    own = next((held for held in contacts if same_place(held.uri, contact)), None)
    if own is not None:
        return own
    user = _parts(contact)[0]
    new = [held for held in contacts if not any(same_place(held.uri, old.uri) for old in before)]
    altered = [held for held in new if _parts(held.uri)[0] == user]
    return altered[0] if len(altered) == 1 else None


def granted_s(response: Response, own: Bound | None) -> int | None:
    """For how long: the `expires` of our own binding, else the Expires of the response (RFC 3261 10.2.4)."""
    return own.expires_s if own is not None and own.expires_s is not None else seconds(response.header("Expires"))


def seconds(text: str | None) -> int | None:
    """The value of Expires or Min-Expires; None for what is no number."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def same_place(one: str, other: str) -> bool:
    """Do two URIs name the same user, host and port? Parameters do not count here (compare RFC 3261 19.1.4)."""
    return _parts(one) == _parts(other)


def _parts(uri: str) -> tuple[str, str, int]:
    """User, host and port; the whole text as host where it is no SIP URI."""
    match = _URI.fullmatch(uri)
    if match is None:
        return "", uri, 0
    user, host, port = match.groups()
    return unquote(user or ""), host.lower(), int(port or 5060)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
