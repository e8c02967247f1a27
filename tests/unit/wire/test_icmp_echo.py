"""The echo message, against the RFC's own sum and against what the kernel answers (test_echoes.py)."""

import pytest

from gosip_check.wire.icmp_echo import Reply, checksum, parse_reply, request, without_ip_header


def test_the_checksum_is_that_of_rfc_1071() -> None:
    """Section 3: these octets add up to ddf2, of which the complement is sent."""
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2
    assert checksum(b"\x01") == checksum(b"\x01\x00")


@pytest.mark.parametrize("payload", [b"", b"x", b"gosip-check", bytes(range(256)) * 4])
def test_a_request_sums_to_nothing_and_its_answer_is_read(payload: bytes) -> None:
    message = request(7, 65535, payload)
    assert message[0] == 8
    assert checksum(message) == 0
    assert parse_reply(message) is None
    body = b"\0\0\0\0" + message[4:]
    answer = body[:2] + checksum(body).to_bytes(2, "big") + body[4:]
    assert parse_reply(answer) == Reply(7, 65535, payload)


@pytest.mark.parametrize("message", [b"", b"\0" * 7, b"\xff" * 8, b"\0\0\0\0\0\0\0\0x"])
def test_garbage_is_no_answer(message: bytes) -> None:
    assert parse_reply(message) is None


def test_a_damaged_answer_is_none() -> None:
    body = b"\0\0\0\0\0\7\0\1payload"
    answer = body[:2] + checksum(body).to_bytes(2, "big") + body[4:]
    assert parse_reply(answer) is not None
    assert parse_reply(answer[:-1] + b"X") is None


def test_the_ip_header_is_taken_off_with_its_options() -> None:
    assert without_ip_header(b"\x45" + bytes(19) + b"icmp") == b"icmp"
    assert without_ip_header(b"\x46" + bytes(23) + b"icmp") == b"icmp"
    assert without_ip_header(b"\x41" + bytes(30)) == b""
    assert without_ip_header(b"") == b""
