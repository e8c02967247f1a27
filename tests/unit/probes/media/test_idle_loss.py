"""A lossy line is told from a narrow one by as many small packets, and only what these lose as well is forgiven."""

from collections.abc import Callable

import pytest

from gosip_check.probes.media.bounds import bounds_of
from gosip_check.probes.media.idle_loss import but_for_idle_loss, cause_of_stream, is_lossy
from gosip_check.probes.media.stream_facts import StreamFacts

from .streams import answers, constant, every, facts

Way = Callable[[int], float | None]


STEADY = constant(10)


def stream(up: Way = STEADY, down: Way = STEADY, channels: int = 5, *, stateful: bool = True) -> StreamFacts:
    return facts(*(answers(up, down, stateful) for _ in range(channels)), stateful=stateful)


def delivered(full: StreamFacts, small: StreamFacts) -> tuple[float, float]:
    low, high = but_for_idle_loss(bounds_of(full, None)["delivered_pct"], full, small)
    assert low is not None
    assert high is not None
    return low, high


@pytest.mark.parametrize("stateful", [True, False])
def test_what_small_packets_lose_as_well_is_not_the_rate(stateful: bool) -> None:
    full, small = (stream(every(33, 10), stateful=stateful) for _ in range(2))
    assert is_lossy(full, small)
    assert cause_of_stream(full, small) == "lossy"
    low, high = delivered(full, small)
    assert 97 < low < 99.5
    assert high == 100


def test_a_line_that_loses_more_under_the_load_is_not_only_lossy() -> None:
    """Three percent always, and ten with the load."""
    full, small = stream(every(10, 10)), stream(every(33, 10))
    assert not is_lossy(full, small)
    assert delivered(full, small) == bounds_of(full, None)["delivered_pct"]
    assert delivered(full, small)[1] < 99


def test_small_packets_that_lose_nothing_forgive_nothing() -> None:
    full, small = stream(every(50, 10)), stream()
    assert not is_lossy(full, small)
    assert delivered(full, small)[1] < 99
    assert cause_of_stream(full, small) == "policed"


def test_each_direction_answers_for_itself() -> None:
    """Lossy up does not excuse what is lost down."""
    full = stream(every(33, 10), every(10, 10))
    small = stream(every(33, 10))
    assert not is_lossy(full, small)
    assert delivered(full, small)[1] < 99


def test_round_trips_that_rise_are_a_queue() -> None:
    full, small = stream(every(10, 60)), stream()
    assert cause_of_stream(full, small) == "too_narrow"


def test_few_packets_leave_it_open_rather_than_pass() -> None:
    full, small = stream(every(20, 10), channels=1), stream(every(20, 10), channels=1)
    low, high = delivered(full, small)
    assert low < 99 < high


def test_where_nothing_comes_back_nothing_is_explained() -> None:
    nothing = stream(lambda _: None)
    assert delivered(nothing, nothing)[0] == 0
    assert cause_of_stream(nothing, stream()) == "too_narrow"
