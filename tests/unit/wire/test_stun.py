"""STUN against the published vectors of RFC 5769, and against what is no STUN. A real server is asked in the lab."""

import struct

import pytest

from gosip_check.wire.stun import StunError, binding_request, mapped_address

ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
SOFTWARE = "8022000b7465737420766563746f7220"
IPV4 = bytes.fromhex(  # RFC 5769 2.2
    f"0101003c2112a442{ID.hex()}{SOFTWARE}002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
IPV6 = bytes.fromhex(  # RFC 5769 2.3
    f"010100482112a442{ID.hex()}{SOFTWARE}002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)


def test_the_published_answers_are_read() -> None:
    assert mapped_address(IPV4, ID) == ("192.0.2.1", 32853)
    assert mapped_address(IPV6, ID) == ("2001:db8:1234:5678:11:2233:4455:6677", 32853)


def test_a_request_is_a_header_and_a_fingerprint() -> None:
    request = binding_request(ID)
    assert request[:8] == bytes.fromhex("000100082112a442")
    assert request[8:20] == ID
    assert request[20:24] == bytes.fromhex("80280004")


def _answer(*attributes: bytes, kind: int = 0x0101) -> bytes:
    body = b"".join(attributes)
    return struct.pack("!HHI12s", kind, len(body), 0x2112A442, ID) + body


def test_an_old_server_that_knows_no_xor_is_believed() -> None:
    assert mapped_address(_answer(bytes.fromhex("0001000800010d80c0000201")), ID) == ("192.0.2.1", 3456)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "too few"),
        (IPV4[:19], "too few"),
        (IPV4[:-4], "length"),
        (IPV4[:-1] + b"\0", "fingerprint"),
        (IPV4[:43] + b"w" + IPV4[44:], "fingerprint"),
        (_answer(), "no address"),
        (_answer(bytes.fromhex("0020000800010000")), "longer"),
        (_answer(bytes.fromhex("002000080003a147e112a643")), "cannot be read"),
        (_answer(bytes.fromhex("0020000400010000")), "cannot be read"),
        (_answer(bytes.fromhex("002000080001" + "2112" + "e112a643")), "port 0"),
        (_answer(bytes.fromhex("0009000400000414"), kind=0x0111), "refuses: 420"),
        (_answer(kind=0x0111), "without a code"),
        (binding_request(ID), "no answer"),
    ],
)
def test_what_is_no_answer_says_why(data: bytes, why: str) -> None:
    with pytest.raises(StunError, match=why):
        mapped_address(data, ID)


def test_an_answer_to_another_request_is_not_ours() -> None:
    with pytest.raises(StunError, match="another request"):
        mapped_address(IPV4, bytes(12))


def test_no_bytes_do_more_than_raise_it() -> None:
    for at in range(20, len(IPV4)):
        for octet in (0, 1, 0x7F, 0xFF):
            data = bytearray(IPV4)
            data[at] = octet
            try:
                mapped_address(bytes(data), ID)
            except StunError:
                continue
