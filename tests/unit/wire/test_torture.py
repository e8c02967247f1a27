"""Tortuous messages of our own (torture.py): what is valid is read as it was meant, all else is read or refused.

What a lenient reader does with a message that the grammar forbids is decided here: a fault is not reported where calls
have none.
"""

from collections.abc import Callable

import pytest

from gosip_check.wire.sip import Address, CSeq, Message, Request, Response, Via, parse
from gosip_check.wire.sip_stream import take_from_stream
from tests.unit.wire.torture import BINARY, LONG, OTHERS, VALID, first_refusal

BRANCH: dict[str, str | None] = {"branch": "z9hG4bKplain"}


def start_of(message: Message) -> tuple[str | int, str]:
    """Method and URI, or status and reason."""
    if isinstance(message, Request):
        return message.method, message.uri
    assert isinstance(message, Response)
    return message.status, message.reason


# Each: what to look at, and what it must be.
MEANT: dict[str, list[tuple[Callable[[Message], object], object]]] = {
    "folded lines and odd case": [
        (lambda m: m.vias,
         [Via("UDP", "192.0.2.44", None, BRANCH), Via("TCP", "192.0.2.7", None, {"branch": "z9hG4bKv"})]),
        (lambda m: m.to, Address('Bar "\\ " 5', "sip:bar@example.org", {"tag": "t1"})),
        (lambda m: m.cseq, CSeq(17, "OPTIONS")),
    ],
    "every letter of a token": [
        (start_of, ("Az0-.!%*_+`'~", "sip:1+_-.!~*'()&=+$,;?/@example.org")),
        (lambda m: m.from_.display, "Žofia *~`'+_!.-%"),
        (lambda m: m.from_.params, {"par~!%*_+`'.-": "ñ", "tag": "f1"}),
        (lambda m: m.cseq.method, "Az0-.!%*_+`'~"),
    ],
    "escapes stay escapes": [
        (start_of, ("OPTIONS", "sip:%62ar@example.org")),
        (lambda m: m.from_, Address("", "sip:a%20%2fb%25@example.net;l%72=x%3B", {"tag": "f1"})),
    ],
    "escaped NUL": [(lambda m: m.to.uri, "sip:%00x%00@example.org")],
    "a method that only looks escaped": [(lambda m: (start_of(m)[0], m.cseq.method), ("OP%54IONS", "OP%54IONS"))],
    "no space before <": [(lambda m: (m.from_.display, m.to.display), ("Desk", "Bar"))],
    "long values": [
        (lambda m: m.to, Address(LONG, f"sip:{LONG}@example.org;{LONG}={LONG}", {LONG: None})),
        (lambda m: [via.host for via in m.vias[1:]], [f"host{n}.example.net" for n in range(40)]),
        (lambda m: m.call_id, f"{LONG}@192.0.2.44"),
    ],
    "octets behind the body": [(lambda m: m.body, b""), (start_of, ("OPTIONS", "sip:bar@example.org"))],
    "semicolons in a user": [
        (start_of, ("OPTIONS", "sip:bar;x=1@example.org")),
        (lambda m: m.to, Address("", "sip:bar;x=1;y@example.org", {})),
    ],
    "transports that nobody knows": [
        (lambda m: [(via.transport, via.host, via.port) for via in m.vias],
         [("SCTP", "192.0.2.1", None), ("PIGEON", "2001:db8::7", 99)]),
    ],
    "a body of several parts, one of them binary": [(lambda m: m.body, BINARY)],
    "an unusual reason": [(start_of, (200, '= Δο 2 * 100; <ok> "ja"'))],
    "an empty reason": [(start_of, (180, ""))],
}  # fmt: skip

REFUSED = {
    "separators too many": "vias: Via ';' is not SIP/2.0/transport and host",
    "less body than Content-Length says": "parse: Content-Length is 500 but only 90 octets follow (RFC 3261 18.3)",
    "negative Content-Length": "parse: Content-Length '-7' is not a number",
    "numbers too large in a request": "cseq: CSeq '4294967296' is larger than 4294967295",
    "numbers too large in a response": "cseq: CSeq '99999999999999999999' is larger than 4294967295",
    "another version of SIP": "parse: version 'SIP/3.0' is not SIP/2.0",
    "a status of many digits": "parse: status '4294967396' is not a number from 100 to 699",
    "a status below 100": "parse: status '099' is not a number from 100 to 699",
    "header fields that are missing": "from_: no From header field",
    "Content-Length twice":
        "parse: several Content-Length header fields that differ: the end of the message is unknown",
}  # fmt: skip

FORGIVEN: dict[str, list[tuple[Callable[[Message], object], object]]] = {
    "a quote that does not end": [(lambda m: m.to.uri, "sip:bar@example.org")],
    "< > around the URI of a request": [(start_of, ("OPTIONS", "<sip:bar@example.org>"))],
    "a space in the URI of a request": [(start_of, ("OPTIONS", "sip:bar@example.org; lr"))],
    "several spaces in the first line": [(start_of, ("OPTIONS", "sip:bar@example.org"))],
    "spaces behind the first line": [(start_of, ("OPTIONS", "sip:bar@example.org"))],
    "a header field escaped in the URI of a request": [(start_of, ("OPTIONS", "sip:bar@example.org?To=%22x%22"))],
    "a date in a time zone": [(lambda m: m.header("date"), "Sat, 28 Nov 2026 10:00:00 CET")],
    "a URI with a question mark and no < >": [(lambda m: m.contacts[0].uri, "sip:bar@example.org?Route=%3Csip:x%3E")],
    "spaces within < >": [(lambda m: m.to, Address("Bar", "sip:bar@example.org", {}))],
    "a display name that is no token": [(lambda m: m.to, Address("Bar, jun. at home", "sip:bar@example.org", {}))],
    "the method of a request and of its CSeq differ": [
        (lambda m: (start_of(m)[0], m.cseq.method), ("OPTIONS", "INVITE")),
    ],
    "so do those of an unknown method": [(lambda m: (start_of(m)[0], m.cseq.method), ("DANCE", "INVITE"))],
    "a branch that is only the cookie": [(lambda m: m.vias[0].branch, "z9hG4bK")],
    "an unknown scheme": [(start_of, ("OPTIONS", "name:bar"))],
    "a common scheme": [(start_of, ("OPTIONS", "https://example.org/bar"))],
    "an unknown scheme in From and To": [
        (lambda m: (m.from_.uri, m.to.uri), ("tel:+35621000000", "mailto:a@example.org")),
    ],
    "an extension that nobody knows": [(lambda m: m.header("proxy-require"), "of, it")],
    "an unknown content type": [(lambda m: m.body, b"???")],
    "an unknown scheme of authorization": [(lambda m: m.header("authorization"), 'Handshake grip=firm, smile="yes"')],
    "what may stand once stands twice": [
        (lambda m: (m.from_.tag, m.cseq.number, m.to.uri), ("f1", 17, "sip:bar@example.org")),
    ],
    "a response to a broadcast": [(lambda m: m.vias[0].host, "255.255.255.255")],
    "no forwards left": [(lambda m: m.header("max-forwards"), "0")],
    "a Contact with a parameter": [(lambda m: m.contacts, [Address("", "sip:bar@192.0.2.44", {"flag": None})])],
    "a Contact whose URI has a parameter": [(lambda m: m.contacts, [Address("", "sip:bar@192.0.2.44;flag", {})])],
    "a Contact with a header field in its URI": [
        (lambda m: m.contacts, [Address("", "sip:bar@192.0.2.44?Route=%3Csip:x%3E", {})]),
    ],
    "nothing that would be accepted": [(lambda m: m.header("accept"), "text/x-nobody")],
    "as RFC 2543 had it": [(lambda m: (m.vias[0].branch, m.from_.tag), (None, None))],
}  # fmt: skip


def test_every_message_is_looked_at() -> None:
    assert MEANT.keys() == VALID.keys()
    assert REFUSED.keys() | FORGIVEN.keys() == OTHERS.keys()
    assert not REFUSED.keys() & FORGIVEN.keys()


@pytest.mark.parametrize("name", [*MEANT, *FORGIVEN])
def test_what_can_be_read_is_read_as_it_was_meant(name: str) -> None:
    octets = {**VALID, **OTHERS}[name]
    message = parse(octets)
    assert first_refusal(octets) is None
    for look, meant in {**MEANT, **FORGIVEN}[name]:
        assert look(message) == meant
    assert message.raw == octets


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_decided_is_refused_with_a_reason(name: str) -> None:
    assert first_refusal(OTHERS[name]) == REFUSED[name]


def test_a_response_and_a_request_are_kept_apart() -> None:
    assert isinstance(parse(VALID["an empty reason"]), Response)
    assert isinstance(parse(VALID["long values"]), Request)


def test_octets_behind_the_body_are_the_next_message_of_a_stream() -> None:
    first, rest = take_from_stream(VALID["octets behind the body"])
    assert first is not None
    assert (first.body, rest) == (b"", b"REGISTER sip:example.org SIP/2.0\r\n\r\n")
