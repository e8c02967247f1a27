"""Write a REGISTER request (RFC 3261 10.2), the way the provider's registration flow shows it. Pure.

Without a contact it only asks which bindings there are, and changes none (10.2.3).
"""

from gosip_check.wire.sip import refuse_unsafe, written


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
    contact_host: str | None = None,
    contact_port: int | None = None,
    expires_s: int | None = None,
    credentials: tuple[str, str] | None = None,
) -> bytes:
    """host, port: the socket's own, for the Via. credentials: field name and value that answer a challenge.

    ValueError where a value would break the message.
    """
    refuse_unsafe(user, domain, host, contact_host or "-", branch, call_id, from_tag)
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
    if contact_host is not None:
        fields.append(("Contact", contact(user, contact_host, contact_port or port, transport)))
    if expires_s is not None:
        fields.append(("Expires", str(expires_s)))
    if credentials is not None:
        fields.append(credentials)
    return written(f"REGISTER {request_uri(domain)} SIP/2.0", fields, b"")


def request_uri(domain: str) -> str:
    """What stands in the request line, and so in the digest: an ALG that changes one of them breaks the answer."""
    return f"sip:{domain}"


def contact(user: str, host: str, port: int, transport: str) -> str:
    """The binding that a registration makes."""
    return f"<sip:{user}@{_bracketed(host)}:{port};transport={transport.lower()}>"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
