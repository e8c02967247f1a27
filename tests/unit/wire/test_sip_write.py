"""Writing SIP messages: octet by octet, because what an ALG changes is found by comparing octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gosip_check.wire.sip import Address, CSeq, Request, Response, Via, options_request, parse, response

REQUEST = (
    b"OPTIONS sip:192.0.2.1 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK1;rport\r\n"
    b"Contact: <sip:probe@192.0.2.9:5070>\r\n"
    b"From: <sip:probe@192.0.2.9:5070>;tag=f1\r\n"
    b"To: <sip:192.0.2.1>\r\n"
    b"Call-ID: c1@192.0.2.9\r\n"
    b"CSeq: 1 OPTIONS\r\n"
    b"Max-Forwards: 70\r\n"
    b"User-Agent: gosip-check\r\n"
    b"Accept: application/sdp\r\n"
    b"Content-Length: 0\r\n"
    b"\r\n"
)


def options(
    uri: str = "sip:192.0.2.1",
    transport: str = "UDP",
    host: str = "192.0.2.9",
    port: int = 5070,
    branch: str = "z9hG4bK1",
    call_id: str = "c1@192.0.2.9",
    user_agent: str = "gosip-check",
    via_host: str | None = None,
    extra: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
) -> bytes:
    return options_request(
        uri=uri,
        transport=transport,
        host=host,
        port=port,
        branch=branch,
        call_id=call_id,
        from_tag="f1",
        user_agent=user_agent,
        via_host=via_host,
        extra=extra,
        body=body,
    )


def request_with(*lines: str) -> Request:
    message = parse("\r\n".join(["OPTIONS sip:a SIP/2.0", *lines, "", ""]).encode())
    assert isinstance(message, Request)
    return message


def answer(request: Request, received: tuple[str, int] | None = None, status: int = 200) -> list[bytes]:
    """The lines of the response."""
    return response(request, status, "OK", to_tag="t1", received=received).split(b"\r\n")


def test_an_options_request_octet_by_octet() -> None:
    assert options() == REQUEST


def test_via_and_contact_hosts_lie_within_the_first_hundred_octets() -> None:
    # 128 octets of ICMP quote are an IP header, a UDP header and 100 octets of ours.
    longest = options(uri="sip:217.222.184.127", host="192.168.100.100", port=50600, branch="z9hG4bK12345")
    assert b"192.168.100.100:50600;" in longest[:100]
    assert longest.split(b"\r\n")[2].startswith(b"Contact: <sip:probe@192.168.100.100:50600")


def test_other_transports_stand_in_via_and_contact() -> None:
    lines = options(transport="TCP").split(b"\r\n")
    assert lines[1] == b"Via: SIP/2.0/TCP 192.0.2.9:5070;branch=z9hG4bK1;rport"
    assert lines[2] == b"Contact: <sip:probe@192.0.2.9:5070;transport=tcp>"
    assert options(transport="TLS").split(b"\r\n")[2] == b"Contact: <sip:probe@192.0.2.9:5070;transport=tls>"


@pytest.mark.parametrize("host", ["2001:db8::9", "[2001:db8::9]"])
def test_ipv6_hosts_get_brackets_once(host: str) -> None:
    message = parse(options(uri="sip:[2001:db8::1]", host=host))
    assert message.header("Via") == "SIP/2.0/UDP [2001:db8::9]:5070;branch=z9hG4bK1;rport"
    assert message.contacts[0].uri == "sip:probe@[2001:db8::9]:5070"
    assert message.vias[0].host == "2001:db8::9"


def test_another_host_for_via_alone() -> None:
    message = parse(options(via_host="198.51.100.7"))
    assert message.vias[0].host == "198.51.100.7"
    assert message.vias[0].port == 5070
    assert message.contacts[0].uri == "sip:probe@192.0.2.9:5070"


def test_extra_header_fields_and_a_body() -> None:
    message = parse(options(extra=(("X-Marker", "Żejtun"), ("Content-Type", "application/sdp")), body=b"v=0\r\n"))
    assert [field.name for field in message.fields[-3:]] == ["X-Marker", "Content-Type", "Content-Length"]
    assert message.header("X-Marker") == "Żejtun"
    assert message.header("Content-Length") == "5"
    assert message.body == b"v=0\r\n"


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\r\nX: 1", "a\0b"])
def test_line_breaks_cannot_be_smuggled_into_a_request(value: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a SIP message"):
        options(uri=value)
    with pytest.raises(ValueError, match="cannot stand in a SIP message"):
        options(host=value)
    with pytest.raises(ValueError, match="cannot stand in a SIP message"):
        options(via_host=value)
    with pytest.raises(ValueError, match="cannot stand in a SIP message"):
        options(branch=value)
    with pytest.raises(ValueError, match="cannot stand in a SIP message"):
        options(call_id=value)
    with pytest.raises(ValueError, match="holds a line break or a NUL"):
        options(user_agent=value)
    with pytest.raises(ValueError, match="holds a line break or a NUL"):
        options(extra=(("X", value),))


def test_arguments_that_would_break_the_request() -> None:
    with pytest.raises(ValueError, match="transport is 'SCTP', not UDP, TCP or TLS"):
        options(transport="SCTP")
    with pytest.raises(ValueError, match="port is 0, not 1 to 65535"):
        options(port=0)
    with pytest.raises(ValueError, match="port is 65536, not 1 to 65535"):
        options(port=65536)
    with pytest.raises(ValueError, match="'sip:a b' cannot stand in a SIP message"):
        options(uri="sip:a b")
    with pytest.raises(ValueError, match="'' cannot stand in a SIP message"):
        options(host="")
    with pytest.raises(ValueError, match="header field name 'X Y' is not a token"):
        options(extra=(("X Y", "1"),))
    with pytest.raises(ValueError, match="header field name '' is not a token"):
        options(extra=(("", "1"),))
    with pytest.raises(ValueError, match="Content-Length is counted, not given"):
        options(extra=(("l", "0"),))


def test_a_response_octet_by_octet() -> None:
    request = parse(REQUEST)
    assert isinstance(request, Request)
    written = response(
        request,
        200,
        "OK",
        to_tag="t1",
        received=("198.51.100.7", 40001),
        headers=[("Server", "emulated"), ("Allow", "OPTIONS")],
        body=b"body",
    )
    assert written == (
        b"SIP/2.0 200 OK\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK1;rport=40001;received=198.51.100.7\r\n"
        b"From: <sip:probe@192.0.2.9:5070>;tag=f1\r\n"
        b"To: <sip:192.0.2.1>;tag=t1\r\n"
        b"Call-ID: c1@192.0.2.9\r\n"
        b"CSeq: 1 OPTIONS\r\n"
        b"Server: emulated\r\n"
        b"Allow: OPTIONS\r\n"
        b"Content-Length: 4\r\n"
        b"\r\n"
        b"body"
    )


@pytest.mark.parametrize(
    ("via", "stamped"),
    [
        # rport without a value: both, even where the address is the same (RFC 3581 4).
        (
            "SIP/2.0/UDP 198.51.100.7;rport;branch=1",
            "SIP/2.0/UDP 198.51.100.7;rport=40001;branch=1;received=198.51.100.7",
        ),
        ("SIP/2.0/UDP a ; RPORT ; branch=1", "SIP/2.0/UDP a;rport=40001;branch=1;received=198.51.100.7"),
        # No rport, or one with a value: only received, and only where the host differs (RFC 3261 18.2.1).
        ("SIP/2.0/UDP 198.51.100.7;branch=1", "SIP/2.0/UDP 198.51.100.7;branch=1"),
        ("SIP/2.0/UDP 10.0.0.1;branch=1", "SIP/2.0/UDP 10.0.0.1;branch=1;received=198.51.100.7"),
        ("SIP/2.0/UDP a.example;rport=9", "SIP/2.0/UDP a.example;rport=9;received=198.51.100.7"),
        # What the sender claims is replaced.
        ("SIP/2.0/UDP a;received=1.2.3.4;rport", "SIP/2.0/UDP a;rport=40001;received=198.51.100.7"),
        # Only the topmost value is ours to stamp.
        (
            "SIP/2.0/UDP a;rport, SIP/2.0/UDP b;rport",
            "SIP/2.0/UDP a;rport=40001;received=198.51.100.7, SIP/2.0/UDP b;rport",
        ),
    ],
)
def test_the_top_via_tells_where_the_request_came_from(via: str, stamped: str) -> None:
    lines = answer(request_with(f"Via: {via}", "v: SIP/2.0/UDP c;rport"), ("198.51.100.7", 40001))
    assert lines[1:3] == [f"Via: {stamped}".encode(), b"Via: SIP/2.0/UDP c;rport"]


def test_ipv6_addresses_are_compared_and_written_without_brackets() -> None:
    lines = answer(request_with("Via: SIP/2.0/UDP [2001:DB8::1]:5060"), ("2001:db8:0::1", 5060))
    assert lines[1] == b"Via: SIP/2.0/UDP [2001:DB8::1]:5060"
    lines = answer(request_with("Via: SIP/2.0/UDP [2001:db8::2];rport"), ("2001:db8::1", 5060))
    assert lines[1] == b"Via: SIP/2.0/UDP [2001:db8::2];rport=5060;received=2001:db8::1"


def test_copied_fields_keep_their_octets() -> None:
    request = parse(
        b"OPTIONS sip:a SIP/2.0\nv : SIP/2.0/UDP  a ;\n  branch = 1\n"
        b"f: Ren\xe9   <sip:a@b>;tag=1\nt: sip:c\nCall-ID: \0\xff\xc3\xa9\n\n"
    )
    assert isinstance(request, Request)
    assert answer(request)[1:5] == [
        b"Via: SIP/2.0/UDP  a ; branch = 1",
        b"From: Ren\xe9   <sip:a@b>;tag=1",
        b"To: sip:c;tag=t1",
        b"Call-ID: \0\xff\xc3\xa9",
    ]


def test_a_tag_is_added_once_and_never_to_a_100() -> None:
    assert b"To: <sip:a>;tag=old" in answer(request_with("To: <sip:a>;tag=old"))
    assert b"To: <sip:a>;tag=t1" in answer(request_with("To: <sip:a>"))
    assert b"To: <sip:a>" in answer(request_with("To: <sip:a>"), status=100)


def test_only_vias_are_copied_more_than_once() -> None:
    request = request_with(
        "v: SIP/2.0/UDP a", "f: <sip:a@b>", "From: <sip:c@d>", "Via: SIP/2.0/UDP b", "i: 1", "Call-ID: 2"
    )
    assert answer(request)[1:5] == [b"Via: SIP/2.0/UDP a", b"Via: SIP/2.0/UDP b", b"From: <sip:a@b>", b"Call-ID: 1"]


def test_what_the_request_lacks_the_response_lacks() -> None:
    assert answer(request_with("X: 1"), ("198.51.100.7", 1)) == [b"SIP/2.0 200 OK", b"Content-Length: 0", b"", b""]


def test_arguments_that_would_break_the_response() -> None:
    request = request_with("Via: SIP/2.0/UDP a", "To: <sip:a>")
    with pytest.raises(ValueError, match="status is 99, not 100 to 699"):
        response(request, 99, "Low", to_tag="t", received=None)
    with pytest.raises(ValueError, match="holds a line break or a NUL"):
        response(request, 200, "O\r\nK", to_tag="t", received=None)
    with pytest.raises(ValueError, match="cannot stand in a SIP message"):
        response(request, 200, "OK", to_tag="t\nX: 1", received=None)
    with pytest.raises(ValueError, match="cannot stand in a SIP message"):
        response(request, 200, "OK", to_tag="t", received=("a\r\n", 1))
    with pytest.raises(ValueError, match="holds a line break or a NUL"):
        response(request, 200, "OK", to_tag="t", received=None, headers=[("Server", "a\r\nb")])


token = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=20)


@given(
    user=token,
    transport=st.sampled_from(["UDP", "TCP", "TLS"]),
    host=st.one_of(token, st.ip_addresses().map(str)),
    port=st.integers(1, 65535),
    branch=token,
    body=st.binary(max_size=50),
    source=st.tuples(st.ip_addresses().map(str), st.integers(1, 65535)),
)
def test_what_is_written_is_read_back(
    user: str, transport: str, host: str, port: int, branch: str, body: bytes, source: tuple[str, int]
) -> None:
    request = parse(options(f"sip:{user}@a.example", transport, host, port, branch, body=body))
    assert isinstance(request, Request)
    assert (request.method, request.uri) == ("OPTIONS", f"sip:{user}@a.example")
    assert request.vias == [Via(transport, host, port, {"branch": branch, "rport": None})]
    assert request.to == Address("", f"sip:{user}@a.example", {})
    assert request.cseq == CSeq(1, "OPTIONS")
    assert request.body == body
    answered = parse(response(request, 503, "Service Unavailable", to_tag="t1", received=source, body=body))
    assert isinstance(answered, Response)
    assert (answered.status, answered.reason) == (503, "Service Unavailable")
    assert (answered.vias[0].branch, answered.vias[0].received, answered.vias[0].rport) == (branch, *source)
    assert answered.to.tag == "t1"
    assert answered.from_ == request.from_
    assert answered.call_id == request.call_id
    assert answered.body == body
