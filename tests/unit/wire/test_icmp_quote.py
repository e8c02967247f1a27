"""Quotes are cut to what the router saw, whatever stands behind it."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from gosip_check.wire.icmp_quote import payload_of

EXTENSION_OBJECT = struct.pack("!HBB", 8, 1, 1) + b"\0\1\2\3"  # RFC 4950: one MPLS label


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return int(~total & 0xFFFF)


def extension(checksum: int | None = None) -> bytes:
    head = struct.pack("!BBH", 0x20, 0, 0)
    value = _checksum(head + EXTENSION_OBJECT) if checksum is None else checksum
    return head[:2] + struct.pack("!H", value) + EXTENSION_OBJECT


def test_a_whole_quote_stays_whole() -> None:
    assert payload_of(b"OPTIONS sip:x SIP/2.0\r\n\r\n") == b"OPTIONS sip:x SIP/2.0\r\n\r\n"


def test_a_quote_of_28_octets_holds_no_payload() -> None:
    assert payload_of(b"") == b""


def test_padding_and_extensions_behind_the_stated_length_are_cut() -> None:
    quoted = b"short".ljust(100, b"\0") + extension()
    assert payload_of(quoted, 100) == b"short"


def test_extensions_of_routers_without_a_length_field_are_recognised() -> None:
    seen = b"x" * 100
    assert payload_of(seen + extension()) == seen


def test_what_merely_looks_like_an_extension_is_payload() -> None:
    for odd in (extension(checksum=0x1234), extension(checksum=0), b"\x20abc", b"\x20"):
        assert payload_of(b"x" * 100 + odd) == b"x" * 100 + odd


def test_a_length_that_cannot_be_true_is_not_believed() -> None:
    assert payload_of(b"abc", 4000) == b"abc"
    assert payload_of(b"abc", -1) == b"abc"


@given(st.binary(max_size=700), st.integers(-10, 70000))
def test_any_octets_give_a_beginning_of_themselves(quoted: bytes, length: int) -> None:
    assert quoted.startswith(payload_of(quoted, length))
