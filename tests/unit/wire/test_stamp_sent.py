"""Which packet an answer is to, of those that were sent: number and T1 against each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gosip_check.wire import stamp
from gosip_check.wire.stamp import Reply
from gosip_check.wire.stamp_sent import Match, Sent

START_NS = 1_800_000_000_000_000_000
STEP_NS = 20_000_000
AWAY_NS = 3 * STEP_NS


def sent(count: int = 10) -> Sent:
    flow = Sent()
    for number in range(count):
        flow.add(number, START_NS + number * STEP_NS)
    return flow


def reply(number: int, t1: int) -> Reply:
    return Reply(0, None, 0, None, number, t1, None, ())


def t1_of(number: float) -> int:
    return stamp.ntp_timestamp(START_NS + int(number * STEP_NS))


@pytest.mark.parametrize(
    ("number", "t1", "expected"),
    [
        (4, t1_of(4), (4, True)),
        (5, t1_of(4) + (1 << 22), (5, False)),
        (5, t1_of(4), (4, True)),  # T1 is right, the number another packet's
        (4_000_000_000, t1_of(4), (4, True)),
        (4, t1_of(4) + (1 << 22), (4, True)),  # a millisecond off: copied through a float
        (4, t1_of(4.5), (4, False)),
        (4, 0, (4, False)),
        (4, t1_of(400), (4, False)),
        (10, t1_of(400), None),
        (10, 0, None),
    ],
)
def test_number_and_t1(number: int, t1: int, expected: tuple[int, bool] | None) -> None:
    arrived_ns = START_NS + 4 * STEP_NS + AWAY_NS
    match = sent().match(reply(number, t1), arrived_ns)
    if expected is None:
        assert match is None
        return
    assert match == Match(expected[0], AWAY_NS + (4 - expected[0]) * STEP_NS, expected[1])


def test_a_number_alone_is_not_believed_before_its_packet_was_sent() -> None:
    assert sent().match(reply(9, 0), START_NS + 5 * STEP_NS) is None
    set_back = sent().match(reply(9, t1_of(9)), START_NS + 5 * STEP_NS)
    assert set_back == Match(9, -4 * STEP_NS, True)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.integers(-(2**63), 2**63))
def test_any_answer_is_to_a_packet_that_was_sent_or_to_none(number: int, t1: int, arrived_ns: int) -> None:
    assert Sent().match(reply(number, t1), arrived_ns) is None
    match = sent().match(reply(number, t1), arrived_ns)
    assert match is None or 0 <= match.number < 10
