"""SIP requests that are made to be looked at by a SIP ALG, and to die before any server sees them. Bytes only.

Each is complete and correct SIP (but for TRAP), at most 520 octets, so that an ICMP error can quote all of it, and has
the socket's own address wherever an ALG may like to write another one. Never send them with a TTL that reaches a
server: a REGISTER without credentials counts as a failed one, and an INVITE rings.
"""

from dataclasses import dataclass

OPTIONS = "OPTIONS"
INVITE = "INVITE"
REGISTER = "REGISTER"
SHORT = "short OPTIONS"
"Contact and Via lie within its first 100 octets: all that a quote of 128 octets shows (RFC 4884)."
TRAP = "INVITE without CSeq"
"""Not SIP: RFC 3261 8.1.1 demands a CSeq. What forwards datagrams does not care; what reads SIP drops it, as Linux's
nf_conntrack_sip does (process_sip_request), even where there is no address to translate."""

KINDS = (OPTIONS, INVITE, REGISTER, SHORT, TRAP)


@dataclass(frozen=True)
class Ids:
    """What makes one request differ from every other; random, from the caller. The host is added to `call_id`."""

    branch: str
    call_id: str
    tag: str


def bait(kind: str, domain: str, host: str, port: int, ids: Ids) -> bytes:
    """One of KINDS, from the socket `host`:`port`. Via comes first and Contact second, in SHORT the other way round."""
    here = f"sip:probe@{host}:{port}"
    if kind == SHORT:
        lines = [
            "OPTIONS sip:x SIP/2.0",
            f"m: <sip:{host}:{port}>",
            f"v: SIP/2.0/UDP {host}:{port};branch={ids.branch};rport",
            f"f: <{here}>;tag={ids.tag}",
            "t: <sip:x>",
            f"i: {ids.call_id}@{host}",
            "CSeq: 1 OPTIONS",
            "Max-Forwards: 70",
            "l: 0",
        ]
        return _joined(lines, "")
    method = INVITE if kind == TRAP else kind
    to = f"<{here}>" if kind == REGISTER else f"<sip:{domain}>"
    lines = [
        f"{method} sip:{domain} SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:{port};branch={ids.branch};rport",
        f"Contact: <{here}>",
        f"From: <{here}>;tag={ids.tag}",
        f"To: {to}",
        f"Call-ID: {ids.call_id}@{host}",
        *([] if kind == TRAP else [f"CSeq: 1 {method}"]),
        "Max-Forwards: 70",
    ]
    body = _offer(host, port) if kind == INVITE else ""
    if body:
        lines.append("Content-Type: application/sdp")
    return _joined([*lines, f"Content-Length: {len(body)}"], body)


def _offer(host: str, port: int) -> str:
    """One audio stream (RFC 4566). The media port is even and beside the socket's own, as a phone's would be."""
    media_port = max(1024, port & ~1) - 2 if port > 1026 else 1026
    lines = ["v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0", f"m=audio {media_port} RTP/AVP 8"]
    return "\r\n".join(lines) + "\r\n"


def _joined(lines: list[str], body: str) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
