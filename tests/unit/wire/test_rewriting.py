"""Which lines of a message were changed on the way, seen whole or cut off; and any octets at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gosip_check.wire import bait
from gosip_check.wire.rewriting import Change, compare

IDS = bait.Ids("z9hG4bKabc", "c0ffee", "77")
INVITE = bait.bait(bait.INVITE, "trunk.example", "192.168.1.10", 5062, IDS)
OPTIONS = bait.bait(bait.OPTIONS, "trunk.example", "192.168.1.10", 5062, IDS)


def _by_alg(message: bytes) -> bytes:
    """As Linux rewrites it: every own address but the one in Call-ID, and Content-Length after it."""
    head, _, body = message.partition(b"\r\n\r\n")
    body = body.replace(b"192.168.1.10", b"203.0.113.5")
    lines = [
        line if line.startswith(b"Call-ID") else line.replace(b"192.168.1.10", b"203.0.113.5")
        for line in head.split(b"\r\n")
    ]
    lines[-1] = b"Content-Length: %d" % len(body)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def test_the_same_message_has_no_changes_and_covers_all() -> None:
    seen = compare(INVITE, INVITE)
    assert seen.identical
    assert seen.whole
    assert {"Via", "Contact", "From", "To", "Call-ID", "CSeq", "SDP o=", "SDP c=", "SDP m="} <= set(seen.covered)


@pytest.mark.parametrize("size", [0, 1, 40, 100, 101, 200, len(INVITE) - 1])
def test_a_quote_that_is_cut_off_covers_only_whole_lines(size: int) -> None:
    seen = compare(INVITE, INVITE[:size])
    assert seen.identical
    assert not seen.whole
    whole_lines = INVITE[:size].count(b"\r\n")
    assert len(seen.covered) <= whole_lines


def test_every_rewritten_line_is_named_before_and_after() -> None:
    seen = compare(INVITE, _by_alg(INVITE))
    assert [change.where for change in seen.changes] == [
        "Via", "Contact", "From", "Content-Length", "SDP o=", "SDP c="
    ]  # fmt: skip
    assert seen.changes[1] == Change(
        "Contact", "Contact: <sip:probe@192.168.1.10:5062>", "Contact: <sip:probe@203.0.113.5:5062>"
    )


@pytest.mark.parametrize("size", range(60, 480, 7))
def test_a_rewritten_message_is_never_taken_for_clean_once_the_address_is_in_sight(size: int) -> None:
    seen = compare(INVITE, _by_alg(INVITE)[:size])
    in_sight = _by_alg(INVITE)[:size].find(b"20") > 0 and not INVITE.startswith(_by_alg(INVITE)[:size])
    assert bool(seen.changes) == in_sight
    assert {change.where for change in seen.changes} <= {"Via", "Contact", "From", "Content-Length", "SDP o=", "SDP c="}


def test_a_cut_within_a_line_end_is_no_change() -> None:
    for size in range(len(OPTIONS)):
        assert compare(OPTIONS, OPTIONS[:size]).identical
    end_of_via = _by_alg(OPTIONS).index(b"\r\nContact") + 1
    assert [change.where for change in compare(OPTIONS, _by_alg(OPTIONS)[:end_of_via]).changes] == ["Via"]


def test_a_via_that_was_put_in_is_told_apart_from_ours() -> None:
    first, _, rest = OPTIONS.partition(b"\r\n")
    seen = compare(OPTIONS, first + b"\r\nVia: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bKx\r\n" + rest)
    assert seen.changes == (Change("Via", None, "Via: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bKx"),)


def test_another_spelling_is_the_same_header_and_a_change() -> None:
    seen = compare(OPTIONS, OPTIONS.replace(b"Max-Forwards: 70", b"max-forwards: 69"))
    assert seen.changes == (Change("Max-Forwards", "Max-Forwards: 70", "max-forwards: 69"),)


def test_lines_taken_out_and_moved() -> None:
    assert compare(OPTIONS, OPTIONS.replace(b"Max-Forwards: 70\r\n", b"")).changes == (
        Change("Max-Forwards", "Max-Forwards: 70", None),
    )
    lines = OPTIONS.split(b"\r\n")
    lines[3], lines[4] = lines[4], lines[3]
    assert [change.where for change in compare(OPTIONS, b"\r\n".join(lines)).changes] == ["order of lines"]


def test_damage_is_not_handwriting() -> None:
    assert not compare(OPTIONS, OPTIONS[:80] + b"\0\1\2" + OPTIONS[83:]).legible
    assert compare(OPTIONS, _by_alg(OPTIONS)).legible


@given(st.binary(max_size=600), st.binary(max_size=600))
def test_any_octets_can_be_compared(sent: bytes, seen: bytes) -> None:
    result = compare(sent, seen)
    assert result.seen_bytes == len(seen)
    if sent.startswith(seen):
        assert result.identical


@given(st.binary(max_size=60), st.integers(0, 460))
def test_octets_put_over_a_message_never_crash_and_are_seen(damage: bytes, place: int) -> None:
    seen = INVITE[:place] + damage + INVITE[place + len(damage) :]
    compare(INVITE, seen)


@pytest.mark.parametrize("kind", bait.KINDS)
def test_bait_is_at_most_what_a_router_quotes(kind: str) -> None:
    message = bait.bait(
        kind, "trunk.gotel.com.mt", "192.168.100.100", 50600, bait.Ids("z9hG4bK" + "0" * 12, "0" * 8, "0" * 6)
    )
    assert len(message) <= 520


def test_bait_says_where_it_comes_from_within_the_first_hundred_octets() -> None:
    message = bait.bait(bait.SHORT, "trunk.gotel.com.mt", "192.168.100.100", 50600, IDS)
    assert message[:100].count(b"192.168.100.100:50600") == 2
