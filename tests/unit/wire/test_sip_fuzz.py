"""Whatever arrives: the SIP reader raises WireError and nothing else, from every function and every property."""

import contextlib

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gosip_check.wire.sip import Message, Request, Response, WireError, parse, response, split_list
from gosip_check.wire.sip_stream import take_from_stream

VALID = [
    b"OPTIONS sip:192.0.2.1 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bK1;rport, SIP / 2.0 / TCP [2001:db8::1]:5061;received=::1\r\n"
    b'Contact: "Bell, \\"A\\"" <sip:probe@192.0.2.9:5070>;expires=60, *\r\n'
    b"From: <sip:probe@192.0.2.9:5070>;tag=f1\r\n"
    b"To: <sip:192.0.2.1>\r\n"
    b"Call-ID: c1@192.0.2.9\r\n"
    b"CSeq: 1 OPTIONS\r\n"
    b"Max-Forwards: 70\r\n"
    b"Content-Length: 4\r\n"
    b"\r\n"
    b"body",
    b"SIP/2.0 401 Unauthorized\r\n"
    b"v: SIP/2.0/UDP 192.168.1.10:5070;branch=z9hG4bKa1;rport=40001;received=198.51.100.7\r\n"
    b'f: "Ren\xe9" <sip:35621000000@trunk.example.net>;tag=f1\r\n'
    b"t: sip:35621000000@trunk.example.net;tag=t1\r\n"
    b"m: <sip:a@b>\r\n ;q=0.5\r\n"
    b"i: 1@192.168.1.10\r\n"
    b"CSeq: 2 REGISTER\r\n"
    b'WWW-Authenticate: Digest realm="a, b", nonce="n1", qop="auth,auth-int"\r\n'
    b"l: 0\r\n"
    b"\r\n",
]

FRAGMENTS = [
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b'"',
    b"\\",
    b"<",
    b">",
    b",",
    b";",
    b":",
    b"=",
    b"[",
    b"]",
    b"/",
    b"@",
    b"\0",
    b"\xff",
    b"\xc3",
    "２".encode(),
    b"9" * 5000,
    b"SIP/2.0",
    b"\r\nVia: ",
    b"\r\nl: 1",
    b"received=",
    b"rport=",
    b"*",
]

pieces = st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=8))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid message with a few stretches replaced."""
    data = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(data)))
        data = data[:start] + draw(pieces) + data[start + draw(st.integers(0, 12)) :]
    return data


def read_everything(message: Message) -> None:
    """Calls every accessor; only WireError is let pass."""
    with contextlib.suppress(WireError):
        for via in message.vias:
            _ = (via.branch, via.received)
            _ = via.rport
    with contextlib.suppress(WireError):
        _ = message.from_.tag
    with contextlib.suppress(WireError):
        _ = message.to.tag
    with contextlib.suppress(WireError):
        _ = message.contacts
    with contextlib.suppress(WireError):
        assert 0 <= message.cseq.number < 2**32
    with contextlib.suppress(WireError):
        assert message.call_id
    for field in message.fields:
        assert message.header(field.name) is not None
        field.value.encode()  # no lone surrogates: whatever was read can be written to a report
        split_list(field.value, ",")


def read(data: bytes) -> None:
    with contextlib.suppress(WireError):
        message = parse(data)
        assert message.raw == data
        assert message.body in data
        assert isinstance(message, Request | Response)
        read_everything(message)
        if isinstance(message, Request):
            answered = response(message, 200, "OK", to_tag="t", received=("192.0.2.1", 5060))
            assert answered.startswith(b"SIP/2.0 200 OK\r\n")
    with contextlib.suppress(WireError):
        taken, rest = take_from_stream(data)
        assert data.endswith(rest)
        if taken is not None:
            assert data.lstrip(b"\r\n") == taken.raw + rest
            read_everything(taken)


@settings(deadline=None, max_examples=500)
@given(mutated())
@example(VALID[0])
@example(VALID[1])
def test_mutated_messages(data: bytes) -> None:
    read(data)


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.binary(max_size=300), st.lists(pieces, max_size=40).map(b"".join)))
def test_random_bytes(data: bytes) -> None:
    read(data)
    read(b"SIP/2.0 200 OK\r\n" + data)
    read(b"OPTIONS sip:a SIP/2.0\r\nVia: " + data)


@given(st.text(max_size=200), st.sampled_from(",; "))
def test_splitting_loses_nothing_but_blanks_and_separators(text: str, separator: str) -> None:
    dropped = f"{separator} \t\r\n"
    kept = "".join(split_list(text, separator))
    assert [character for character in kept if character not in dropped] == [
        character for character in text if character not in dropped
    ]
