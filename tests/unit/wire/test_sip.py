"""Reading SIP messages: what trunks really send, what is refused and in which words."""

import pytest

from gosip_check.wire.sip import (
    Address,
    CSeq,
    Header,
    Message,
    Request,
    Response,
    Via,
    WireError,
    parse,
    split_list,
)


def message_with(*lines: str) -> Message:
    """A response with these header lines."""
    return parse("\r\n".join(["SIP/2.0 200 OK", *lines, "", ""]).encode())


def request_with(start_line: str) -> Request:
    message = parse(f"{start_line}\r\n\r\n".encode())
    assert isinstance(message, Request)
    return message


RESPONSE = (
    b"SIP/2.0 401 Unauthorized\r\n"
    b"Via: SIP/2.0/UDP 192.168.1.10:5070;branch=z9hG4bKa1;rport=40001;received=198.51.100.7\r\n"
    b"From: <sip:35621000000@trunk.example.net>;tag=f1\r\n"
    b"To: <sip:35621000000@trunk.example.net>;tag=t1\r\n"
    b"Call-ID: 1@192.168.1.10\r\n"
    b"CSeq: 2 REGISTER\r\n"
    b'WWW-Authenticate: Digest realm="trunk.example.net", nonce="n1", qop="auth", algorithm=SHA-256\r\n'
    b'WWW-Authenticate: Digest realm="trunk.example.net", nonce="n1", qop="auth,auth-int", algorithm=MD5\r\n'
    b"Content-Length: 0\r\n"
    b"\r\n"
)


def test_a_plain_response() -> None:
    message = parse(RESPONSE)
    assert isinstance(message, Response)
    assert (message.status, message.reason) == (401, "Unauthorized")
    assert message.vias == [
        Via(
            "UDP",
            "192.168.1.10",
            5070,
            {"branch": "z9hG4bKa1", "rport": "40001", "received": "198.51.100.7"},
        )
    ]
    via = message.vias[0]
    assert (via.branch, via.received, via.rport) == ("z9hG4bKa1", "198.51.100.7", 40001)
    assert message.from_ == Address("", "sip:35621000000@trunk.example.net", {"tag": "f1"})
    assert message.to.tag == "t1"
    assert message.contacts == []
    assert message.cseq == CSeq(2, "REGISTER")
    assert message.call_id == "1@192.168.1.10"
    assert message.body == b""
    assert message.raw == RESPONSE


def test_several_challenges_stay_apart_and_whole() -> None:
    challenges = parse(RESPONSE).headers("www-authenticate")
    assert [challenge[-7:] for challenge in challenges] == ["SHA-256", "thm=MD5"]
    assert split_list(challenges[1].removeprefix("Digest"), ",")[2] == 'qop="auth,auth-int"'


def test_header_fields_keep_order_and_names_as_written() -> None:
    message = message_with("v: SIP/2.0/UDP a", "x-ODD : 1", "CONTACT:<sip:a@b>", "x-odd:2")
    assert message.fields == (
        Header("v", "SIP/2.0/UDP a"),
        Header("x-ODD", "1"),
        Header("CONTACT", "<sip:a@b>"),
        Header("x-odd", "2"),
    )
    assert message.header("X-Odd") == "1"
    assert message.headers("X-Odd") == ["1", "2"]
    assert message.header("Supported") is None
    assert message.headers("Supported") == []


@pytest.mark.parametrize(
    ("compact", "name"),
    [
        ("v", "Via"),
        ("m", "Contact"),
        ("f", "From"),
        ("t", "To"),
        ("i", "Call-ID"),
        ("l", "Content-Length"),
        ("c", "Content-Type"),
        ("k", "Supported"),
        ("s", "Subject"),
        ("e", "Content-Encoding"),
        ("o", "Event"),
        ("r", "Refer-To"),
        ("x", "Session-Expires"),
    ],
)
def test_compact_forms(compact: str, name: str) -> None:
    assert message_with(f"{compact}: 0").header(name) == "0"
    assert message_with(f"{compact.upper()}: 0").header(name.upper()) == "0"
    assert message_with(f"{name}: 0").header(compact) == "0"


# What trunks, and boxes in front of them, were seen to send, where other readers refuse the whole message.
@pytest.mark.parametrize(
    ("line", "via"),
    [
        ("Via: SIP / 2.0 / UDP 192.0.2.1", Via("UDP", "192.0.2.1", None, {})),
        ("Via: sip/2.0/udp 192.0.2.1 : 5060 ; rport", Via("UDP", "192.0.2.1", 5060, {"rport": None})),
        ("Via: SIP/2.0/TCP sbc1;branch=1", Via("TCP", "sbc1", None, {"branch": "1"})),
        ("Via: SIP/2.0/TLS a_b.example.com:5061", Via("TLS", "a_b.example.com", 5061, {})),
        ("Via: SIP/2.0/UDP a;received=2001:db8::1", Via("UDP", "a", None, {"received": "2001:db8::1"})),
        ("Via: SIP/2.0/UDP a;received=[2001:db8::1]", Via("UDP", "a", None, {"received": "[2001:db8::1]"})),
        ("Via: SIP/2.0/UDP [2001:db8::9]:5070;a", Via("UDP", "2001:db8::9", 5070, {"a": None})),
        ("Via: SIP/2.0/UDP [2001:db8::9]", Via("UDP", "2001:db8::9", None, {})),
        ("Via: SIP/2.0/UDP 2001:db8::9", Via("UDP", "2001:db8::9", None, {})),
        ("Via: SIP/2.0/UDP a;self=1;maddr=b", Via("UDP", "a", None, {"self": "1", "maddr": "b"})),
        ("Via: SIP/2.0/UDP a;;branch = 1 ;", Via("UDP", "a", None, {"branch": "1"})),
        ('Via: SIP/2.0/UDP a;x="1;2,3";branch=1', Via("UDP", "a", None, {"x": "1;2,3", "branch": "1"})),
        ("Via: SIP/2.0/UDP\r\n\ta;\r\n branch=1", Via("UDP", "a", None, {"branch": "1"})),
        ("Via: SIP/2.0/WSS a.invalid", Via("WSS", "a.invalid", None, {})),
    ],
)
def test_vias_as_sent(line: str, via: Via) -> None:
    assert message_with(line).vias == [via]


def test_vias_are_read_from_lists_and_lines() -> None:
    message = message_with("Via: SIP/2.0/UDP a, SIP/2.0/TCP b:5061,", "v: SIP/2.0/TLS c")
    assert [(via.transport, via.host, via.port) for via in message.vias] == [
        ("UDP", "a", None),
        ("TCP", "b", 5061),
        ("TLS", "c", None),
    ]


@pytest.mark.parametrize("value", ["2001:db8::1", "[2001:db8::1]"])
def test_received_is_an_address_without_brackets(value: str) -> None:
    assert message_with(f"Via: SIP/2.0/UDP a;received={value}").vias[0].received == "2001:db8::1"


def test_an_unanswered_rport_is_none() -> None:
    assert message_with("Via: SIP/2.0/UDP a;rport").vias[0].rport is None
    assert message_with("Via: SIP/2.0/UDP a;rport=").vias[0].rport is None
    assert message_with("Via: SIP/2.0/UDP a").vias[0].received is None


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("<sip:a@b>;tag=1", Address("", "sip:a@b", {"tag": "1"})),
        ("sip:a@b;tag=1", Address("", "sip:a@b", {"tag": "1"})),
        ("< sip:a@b;lr >;tag=1", Address("", "sip:a@b;lr", {"tag": "1"})),
        ("Joe<sip:a@b>", Address("Joe", "sip:a@b", {})),
        ('"Bell, A." <sip:a@b>;tag=1', Address("Bell, A.", "sip:a@b", {"tag": "1"})),
        ("Bell, A. <sip:a@b>", Address("Bell, A.", "sip:a@b", {})),
        ('"<sip:x@y>" <sip:a@b>', Address("<sip:x@y>", "sip:a@b", {})),
        (r'"a \"b\" \\ c" <sip:a@b>', Address(r'a "b" \ c', "sip:a@b", {})),
        ('"Joe <sip:a@b>;tag=1', Address('"Joe', "sip:a@b", {"tag": "1"})),
        ('<sip:a@b> ; x = "1;2" ; TAG = 3;flag', Address("", "sip:a@b", {"x": "1;2", "tag": "3", "flag": None})),
        ("<sip:a@b>;tag=1;tag=2", Address("", "sip:a@b", {"tag": "1"})),
        ("<sip:35621@[2001:db8::1]:5060>", Address("", "sip:35621@[2001:db8::1]:5060", {})),
        ("tel:+35621000000;tag=1", Address("", "tel:+35621000000", {"tag": "1"})),
    ],
)
def test_addresses_as_sent(value: str, address: Address) -> None:
    assert message_with(f"From: {value}").from_ == address
    assert message_with(f"t: {value}").to == address


@pytest.mark.parametrize(
    ("value", "uris"),
    [
        ("*", ["*"]),
        ("<sip:a@b;x=1,2>;q=0.5, sip:c@d;expires=60", ["sip:a@b;x=1,2", "sip:c@d"]),
        ('"Bell, A." <sip:a@b>, "C" <sip:c@d>', ["sip:a@b", "sip:c@d"]),
        ("Bell, A. <sip:a@b>, <sip:c@d>", ["sip:a@b", "sip:c@d"]),
        (",, <sip:a@b> ,", ["sip:a@b"]),
    ],
)
def test_contacts_as_sent(value: str, uris: list[str]) -> None:
    assert [contact.uri for contact in message_with(f"Contact: {value}").contacts] == uris


def test_contacts_of_several_lines_and_their_parameters() -> None:
    contacts = message_with("m: <sip:a@b>;expires=60", "Contact: Bell, A. <sip:c@d>;expires=295").contacts
    assert contacts == [Address("", "sip:a@b", {"expires": "60"}), Address("Bell, A.", "sip:c@d", {"expires": "295"})]


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        (b"SIP/2.0 200", 200, ""),
        (b"SIP/2.0 200 ", 200, ""),
        (b"sip/2.0  200  OK then ", 200, "OK then"),
        (b"SIP/2.0\t200\tOK", 200, "OK"),
        ("SIP/2.0 404 Introuvable é".encode("latin-1"), 404, "Introuvable é"),
        ("SIP/2.0 404 Introuvable é".encode(), 404, "Introuvable é"),
        (b"\r\n\r\nSIP/2.0 699 Odd", 699, "Odd"),
    ],
)
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_status_lines_as_sent(line: bytes, status: int, reason: str, end: bytes) -> None:
    message = parse(line + end + end)
    assert isinstance(message, Response)
    assert (message.status, message.reason) == (status, reason)


@pytest.mark.parametrize(
    ("line", "method", "uri"),
    [
        ("OPTIONS sip:a SIP/2.0", "OPTIONS", "sip:a"),
        ("INVITE  sip:a@b  SIP/2.0  ", "INVITE", "sip:a@b"),
        ("INVITE sip:a@b; lr SIP/2.0", "INVITE", "sip:a@b; lr"),
        ("INVITE <sip:a@b> sip/2.0", "INVITE", "<sip:a@b>"),
        ("!odd-Method_*+`.%'~ urn:x SIP/2.0", "!odd-Method_*+`.%'~", "urn:x"),
    ],
)
def test_request_lines_as_sent(line: str, method: str, uri: str) -> None:
    request = request_with(line)
    assert (request.method, request.uri) == (method, uri)


def test_lines_may_end_in_lf_alone() -> None:
    message = parse(RESPONSE.replace(b"\r\n", b"\n"))
    assert message.fields == parse(RESPONSE).fields
    assert message.call_id == "1@192.168.1.10"


def test_bytes_that_are_not_utf8_stay_visible() -> None:
    message = parse(b'SIP/2.0 200 OK\r\nFrom: "Ren\xe9 \xff" <sip:a@b>\r\nServer: \x00\x1b[31m\xc3\xa9\r\n\r\n')
    assert message.from_.display == "René ÿ"
    assert message.header("Server") == "\x00\x1b[31mé"


def test_a_line_without_a_colon_is_kept_and_harms_nothing() -> None:
    message = message_with("garbage in between", " folded", "CSeq: 1 OPTIONS")
    assert message.fields[0] == Header("", "garbage in between folded")
    assert message.cseq.number == 1


def test_a_missing_empty_line_is_forgiven() -> None:
    assert parse(b"SIP/2.0 200 OK\r\nCSeq: 0009  INVITE").cseq == CSeq(9, "INVITE")


@pytest.mark.parametrize(
    ("datagram", "body"),
    [
        (b"SIP/2.0 200 OK\r\n\r\nv=0\r\n", b"v=0\r\n"),
        (b"SIP/2.0 200 OK\r\nl:3\r\n\r\nv=0\r\n", b"v=0"),
        (b"SIP/2.0 200 OK\r\nContent-Length : 0003\r\nl: 3\r\n\r\nv=0", b"v=0"),
        (b"SIP/2.0 200 OK\r\nl: 0\r\n\r\n\r\nINVITE sip:a SIP/2.0\r\n\r\n", b""),
        (b"SIP/2.0 200 OK\nl: 4\n\n\r\n\xff\x00", b"\r\n\xff\x00"),
    ],
)
def test_the_body_of_a_datagram(datagram: bytes, body: bytes) -> None:
    message = parse(datagram)
    assert message.body == body
    assert message.raw == datagram


@pytest.mark.parametrize(
    ("datagram", "error"),
    [
        (b"", "no message: empty, or only line breaks (a keep-alive)"),
        (b"\r\n\r\n", "no message: empty, or only line breaks (a keep-alive)"),
        (
            b"\x00\x01\x00\x00!\x12\xa4B",
            "the first line '\\x00\\x01\\x00\\x00!\\x12¤B' is neither a SIP request nor a response",
        ),
        (b"GET / HTTP/1.1\r\n\r\n", "the first line 'GET / HTTP/1.1' is neither a SIP request nor a response"),
        (b"OPTIONS SIP/2.0\r\n\r\n", "the first line 'OPTIONS SIP/2.0' is neither a SIP request nor a response"),
        (b"OPTIONS sip:a SIP/3.0\r\n\r\n", "version 'SIP/3.0' is not SIP/2.0"),
        (b"SIP/7.0 200 OK\r\n\r\n", "version 'SIP/7.0' is not SIP/2.0"),
        (b"SIP/2.0 OK\r\n\r\n", "status 'OK' is not a number from 100 to 699"),
        (b"SIP/2.0\r\n\r\n", "status '' is not a number from 100 to 699"),
        (b"SIP/2.0 099 Low\r\n\r\n", "status '099' is not a number from 100 to 699"),
        (b"SIP/2.0 700 High\r\n\r\n", "status '700' is not a number from 100 to 699"),
        ("SIP/2.0 ２００ OK\r\n\r\n".encode(), "status '２００' is not a number from 100 to 699"),
        (b"(OPTIONS) sip:a SIP/2.0\r\n\r\n", "method '(OPTIONS)' is not a token"),
        (b"SIP/2.0 200 OK\r\nl: 5\r\n\r\n1234", "Content-Length is 5 but only 4 octets follow (RFC 3261 18.3)"),
        (b"SIP/2.0 200 OK\r\nl: -5\r\n\r\n", "Content-Length '-5' is not a number"),
        (b"SIP/2.0 200 OK\r\nl:\r\n\r\n", "Content-Length '' is not a number"),
        (b"SIP/2.0 200 OK\r\nl: 4294967296\r\n\r\n", "Content-Length '4294967296' is larger than 2147483647"),
        (
            b"SIP/2.0 200 OK\r\nl: 1\r\nContent-Length: 2\r\n\r\nab",
            "several Content-Length header fields that differ: the end of the message is unknown",
        ),
    ],
)
def test_what_is_no_message(datagram: bytes, error: str) -> None:
    with pytest.raises(WireError) as raised:
        parse(datagram)
    assert str(raised.value) == error


@pytest.mark.parametrize(
    ("accessor", "line", "error"),
    [
        ("vias", "X: 1", "no Via header field, or an empty one"),
        ("vias", "Via:", "no Via header field, or an empty one"),
        ("vias", "Via: ,", "no Via header field, or an empty one"),
        ("vias", "Via: ;", "Via ';' is not SIP/2.0/transport and host"),
        ("vias", "Via: UDP 192.0.2.1", "Via 'UDP 192.0.2.1' is not SIP/2.0/transport and host"),
        ("vias", "Via: SIP/2.0/UDP", "Via 'SIP/2.0/UDP' is not SIP/2.0/transport and host"),
        ("vias", "Via: SIP/7.0/UDP a", "Via 'SIP/7.0/UDP a' is not SIP/2.0/transport and host"),
        ("vias", "Via: SIP/2.0/UDP a:b", "port 'b' is not a number"),
        ("vias", "Via: SIP/2.0/UDP a:65536", "port '65536' is larger than 65535"),
        ("vias", "Via: SIP/2.0/UDP :5060", "no host in ':5060'"),
        ("vias", "Via: SIP/2.0/UDP [::1", "host '[::1' has brackets that do not match"),
        ("vias", "Via: SIP/2.0/UDP [::1]x", "host '[::1]x' has brackets that do not match"),
        ("from_", "X: 1", "no From header field"),
        ("from_", "From: <sip:a@b", "address '<sip:a@b' has '<' without '>'"),
        ("to", "To: Joe", "address 'Joe' holds no URI"),
        ("to", "To: Joe <>", "address 'Joe <>' holds no URI"),
        ("to", "To: ;tag=1", "address ';tag=1' holds no URI"),
        ("contacts", "Contact: <a>", "address '<a>' holds no URI"),
        ("cseq", "X: 1", "no CSeq header field"),
        ("cseq", "CSeq: OPTIONS", "CSeq 'OPTIONS' is not a number and a method"),
        ("cseq", "CSeq: x OPTIONS", "CSeq 'x' is not a number"),
        ("cseq", "CSeq: 4294967296 OPTIONS", "CSeq '4294967296' is larger than 4294967295"),
        ("cseq", f"CSeq: {'9' * 9999} OPTIONS", f"CSeq '{'9' * 57}...' is larger than 4294967295"),
        ("call_id", "Call-ID:", "the Call-ID header field is empty"),
    ],
)
def test_what_a_header_field_does_not_hold(accessor: str, line: str, error: str) -> None:
    message = message_with(line)
    with pytest.raises(WireError) as raised:
        getattr(message, accessor)
    assert str(raised.value) == error


def test_an_rport_that_is_no_port() -> None:
    via = message_with("Via: SIP/2.0/UDP a;rport=x").vias[0]
    with pytest.raises(WireError, match="rport 'x' is not a number"):
        _ = via.rport


def test_the_largest_numbers() -> None:
    assert message_with("CSeq: 4294967295 OPTIONS").cseq.number == 4294967295
    assert message_with(f"CSeq: {'0' * 9999}7 OPTIONS").cseq.number == 7
    assert message_with("Via: SIP/2.0/UDP a:65535").vias[0].port == 65535


@pytest.mark.parametrize(
    ("text", "separator", "items"),
    [
        ("", ",", []),
        (" , ,", ",", []),
        ("a, b ,c", ",", ["a", "b", "c"]),
        ('realm="a, b", nonce="c,d",', ",", ['realm="a, b"', 'nonce="c,d"']),
        (r'"a\",b",c', ",", [r'"a\",b"', "c"]),
        (r'"a\\",c', ",", [r'"a\\"', "c"]),
        (r"a\,b", ",", ["a\\", "b"]),
        ("<sip:a,b>,c", ",", ["<sip:a,b>", "c"]),
        ("<a;b>;c", ";", ["<a;b>", "c"]),
        ('"never closed, b', ",", ['"never closed, b']),
        ("<never closed, b", ",", ["<never closed, b"]),
        ("<<a,b>,c>,d", ",", ["<<a,b>", "c>", "d"]),
        ("\u00a0a\u00a0,b", ",", ["\u00a0a\u00a0", "b"]),
    ],
)
def test_split_list(text: str, separator: str, items: list[str]) -> None:
    assert split_list(text, separator) == items


def test_twenty_thousand_parameters_are_twenty_thousand_items() -> None:
    challenge = ",".join(f'p{number}="a,\\"{number}"' for number in range(20000)) + ","
    assert len(split_list(challenge, ",")) == 20000
    params = "".join(f';p{number}="a;{number}"' for number in range(20000))
    message = message_with(f"Via: SIP/2.0/UDP a{params}", f"To: <sip:a@b>{params}")
    assert len(message.vias[0].params) == 20000
    assert message.to.params["p19999"] == "a;19999"
    assert len(message_with("Contact: " + 20000 * "<sip:a@b>,").contacts) == 20000
