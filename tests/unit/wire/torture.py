"""Tortuous SIP messages of our own, one for each kind that RFC 4475 has; the section stands beside each.

They are built from one plain request, of which each changes what it is about. The RFC's own messages are no part of
this repository; test_sip_torture.py reads them where GOSIP_RFC4475 names their folder.
"""

from collections.abc import Mapping

from gosip_check.wire.sip import WireError, parse

PLAIN = {
    "Via": "SIP/2.0/UDP 192.0.2.44;branch=z9hG4bKplain",
    "Max-Forwards": "70",
    "From": "<sip:desk@example.net>;tag=f1",
    "To": "<sip:bar@example.org>",
    "Call-ID": "0815@192.0.2.44",
    "CSeq": "17 OPTIONS",
}


def message(
    changes: Mapping[str, str | None] | None = None,
    start: str = "OPTIONS sip:bar@example.org SIP/2.0",
    body: bytes = b"",
    more: tuple[str, ...] = (),
) -> bytes:
    """The plain request with other header fields (None leaves one out), another first line, a body, or more lines."""
    fields = {**PLAIN, **(changes or {})}
    lines = [start, *(f"{name}: {value}" for name, value in fields.items() if value is not None), *more, "", ""]
    return "\r\n".join(lines).encode() + body


SDP = b"v=0\r\no=- 4 4 IN IP4 192.0.2.44\r\ns=-\r\nc=IN IP4 192.0.2.44\r\nt=0 0\r\nm=audio 20000 RTP/AVP 8\r\n"
BINARY = b"--x\r\nContent-Type: application/octet-stream\r\n\r\n\x00\xff\r\n\r\n\x1aSIP/2.0 200 OK\r\n\r\n--x--\r\n"
LONG = "very" * 300

VALID = {
    "folded lines and odd case": message(  # 3.1.1.1
        {"Via": None, "CSeq": "0000017\r\n  OPTIONS",
         "To": '"Bar \\"\\\\ \\" 5" \r\n\t<sip:bar@example.org>;\r\n ;tag=t1'},
        more=("vIa : SIP / 2.0 /  uDp\r\n 192.0.2.44 ;branch=z9hG4bKplain",
              "V:SIP/2.0/TCP 192.0.2.7 ; branch=z9hG4bKv,")),
    "every letter of a token": message(  # 3.1.1.2
        {"From": "Žofia *~`'+_!.-% <sip:1+_-.!~*'()&=+$,;?/@example.net>;par~!%*_+`'.-=ñ;tag=f1",
         "CSeq": "17 Az0-.!%*_+`'~"},
        start="Az0-.!%*_+`'~ sip:1+_-.!~*'()&=+$,;?/@example.org SIP/2.0"),
    "escapes stay escapes": message(  # 3.1.1.3
        {"From": "<sip:a%20%2fb%25@example.net;l%72=x%3B>;tag=f1"}, start="OPTIONS sip:%62ar@example.org SIP/2.0"),
    "escaped NUL": message({"To": "<sip:%00x%00@example.org>"}),  # 3.1.1.4
    "a method that only looks escaped": message(  # 3.1.1.5
        {"CSeq": "17 OP%54IONS"}, start="OP%54IONS sip:b@example.org SIP/2.0"),
    "no space before <": message(  # 3.1.1.6
        {"From": "Desk<sip:desk@example.net>;tag=f1", "To": '"Bar"<sip:bar@example.org>'}),
    "long values": message(  # 3.1.1.7
        {"To": f'"{LONG}"<sip:{LONG}@example.org;{LONG}={LONG}>;{LONG}', "Call-ID": f"{LONG}@192.0.2.44"},
        more=tuple(f"Via: SIP/2.0/TCP host{n}.example.net;branch=z9hG4bK{n}" for n in range(40))),
    "octets behind the body": message(  # 3.1.1.8
        {"Content-Length": "0"}, body=b"REGISTER sip:example.org SIP/2.0\r\n\r\n"),
    "semicolons in a user": message(  # 3.1.1.9
        {"To": "<sip:bar;x=1;y@example.org>"}, start="OPTIONS sip:bar;x=1@example.org SIP/2.0"),
    "transports that nobody knows": message(  # 3.1.1.10
        {"Via": "SIP/2.0/SCTP 192.0.2.1;branch=z9hG4bKa, SIP/2.0/PIGEON [2001:db8::7]:99;branch=z9hG4bKb"}),
    "a body of several parts, one of them binary": message(  # 3.1.1.11
        {"Content-Type": "multipart/mixed;boundary=x", "Content-Length": str(len(BINARY))}, body=BINARY),
    "an unusual reason": message(start="SIP/2.0 200 = \u0394\u03bf 2 * 100; <ok> \"ja\""),  # 3.1.1.12
    "an empty reason": message(start="SIP/2.0 180 "),  # 3.1.1.13
}  # fmt: skip

OTHERS = {
    # 3.1.2: against the grammar
    "separators too many": message({"Via": "SIP/2.0/UDP 192.0.2.15;;,;,,", "Contact": '"Joe" <sip:joe@x.example>;;;'}),
    "less body than Content-Length says": message({"Content-Length": "500"}, body=SDP),
    "negative Content-Length": message({"Content-Length": "-7"}),
    "numbers too large in a request": message({"CSeq": "4294967296 OPTIONS", "Max-Forwards": "300"}),
    "numbers too large in a response": message({"CSeq": "99999999999999999999 OPTIONS"}, start="SIP/2.0 503 Busy"),
    "a quote that does not end": message({"To": '"Bar <sip:bar@example.org>'}),
    "< > around the URI of a request": message(start="OPTIONS <sip:bar@example.org> SIP/2.0"),
    "a space in the URI of a request": message(start="OPTIONS sip:bar@example.org; lr SIP/2.0"),
    "several spaces in the first line": message(start="OPTIONS  sip:bar@example.org  SIP/2.0"),
    "spaces behind the first line": message(start="OPTIONS sip:bar@example.org SIP/2.0  "),
    "a header field escaped in the URI of a request": message(start="OPTIONS sip:bar@example.org?To=%22x%22 SIP/2.0"),
    "a date in a time zone": message({"Date": "Sat, 28 Nov 2026 10:00:00 CET"}),
    "a URI with a question mark and no < >": message({"Contact": "sip:bar@example.org?Route=%3Csip:x%3E"}),
    "spaces within < >": message({"To": '"Bar" < sip:bar@example.org >'}),
    "a display name that is no token": message({"To": "Bar, jun. at home <sip:bar@example.org>"}),
    "another version of SIP": message(start="OPTIONS sip:bar@example.org SIP/3.0"),
    "the method of a request and of its CSeq differ": message({"CSeq": "17 INVITE"}),
    "so do those of an unknown method": message({"CSeq": "17 INVITE"}, start="DANCE sip:bar@example.org SIP/2.0"),
    "a status of many digits": message(start="SIP/2.0 4294967396 Much"),
    "a status below 100": message(start="SIP/2.0 099 Little"),
    # 3.2: transactions
    "a branch that is only the cookie": message({"Via": "SIP/2.0/UDP 192.0.2.44;branch=z9hG4bK"}),
    # 3.3: the layer above
    "header fields that are missing": message({"From": None, "To": None, "Call-ID": None, "CSeq": None}),
    "an unknown scheme": message(start="OPTIONS name:bar SIP/2.0"),
    "a common scheme": message(start="OPTIONS https://example.org/bar SIP/2.0"),
    "an unknown scheme in From and To": message({"From": "<tel:+35621000000>;tag=f1", "To": "<mailto:a@example.org>"}),
    "an extension that nobody knows": message({"Require": "never.heard", "Proxy-Require": "of, it"}),
    "an unknown content type": message({"Content-Type": "application/x-nobody", "Content-Length": "3"}, body=b"???"),
    "an unknown scheme of authorization": message({"Authorization": "Handshake grip=firm, smile=\"yes\""}),
    "what may stand once stands twice": message(
        more=("From: <sip:b@example.net>;tag=f2", "CSeq: 18 BYE", "To: <sip:c@c.example>")),
    "Content-Length twice": message(more=("Content-Length: 3", "l: 4"), body=b"1234"),
    "a response to a broadcast": message(
        {"Via": "SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKb"}, start="SIP/2.0 200 OK"),
    "no forwards left": message({"Max-Forwards": "0"}),
    "a Contact with a parameter": message({"Contact": "sip:bar@192.0.2.44;flag"}),
    "a Contact whose URI has a parameter": message({"Contact": "<sip:bar@192.0.2.44;flag>"}),
    "a Contact with a header field in its URI": message({"Contact": "<sip:bar@192.0.2.44?Route=%3Csip:x%3E>"}),
    "nothing that would be accepted": message({"Accept": "text/x-nobody"}),
    # 3.4: as it was before RFC 3261
    "as RFC 2543 had it": message(
        {"Via": "SIP/2.0/UDP 192.0.2.44", "From": "<sip:desk@example.net>", "Max-Forwards": None}),
}  # fmt: skip


def first_refusal(octets: bytes) -> str | None:
    """Which step of reading refuses a message, and how; None where every step succeeds."""
    try:
        read = parse(octets)
    except WireError as error:
        return f"parse: {error}"
    for accessor in ("vias", "from_", "to", "contacts", "cseq", "call_id"):
        try:
            getattr(read, accessor)
        except WireError as error:
            return f"{accessor}: {error}"
    return None
