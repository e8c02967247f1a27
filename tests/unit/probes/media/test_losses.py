"""Losses and their direction, against a path that drops, doubles and swaps packets in the open."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gosip_check.probes.media.losses import Losses, locate


def through(sent: int, lost_up: set[int], lost_down: set[int]) -> list[tuple[int, int]]:
    reached = [number for number in range(sent) if number not in lost_up]
    return [(number, far) for far, number in enumerate(reached) if number not in lost_down]


@given(st.integers(1, 60), st.data())
def test_every_loss_before_the_last_answer_is_found_and_counted_on_its_way(sent: int, data: st.DataObject) -> None:
    numbers = st.sets(st.integers(0, sent - 1))
    lost_up = data.draw(numbers)
    lost_down = data.draw(numbers) - lost_up
    replies = through(sent, lost_up, lost_down)
    found = locate(sent, replies, stateful=True)
    last = max((number for number, _ in replies), default=-1)
    assert len(found.up) == sum(number < last for number in lost_up)
    assert len(found.down) == sum(number < last for number in lost_down)
    assert sorted(found.up + found.down + found.undecided) == sorted(lost_up | lost_down)
    assert found.undecided == list(range(last + 1, sent))


def test_one_way_losses_are_placed_exactly() -> None:
    assert locate(10, through(10, {2, 3, 7}, set()), stateful=True) == Losses(up=[2, 3, 7])
    assert locate(10, through(10, set(), {2, 3, 7}), stateful=True) == Losses(down=[2, 3, 7])


def test_a_stateless_reflector_tells_no_direction() -> None:
    replies = [(number, number) for number in range(10) if number not in (4, 5)]
    assert locate(10, replies, stateful=False) == Losses(undecided=[4, 5], have_direction=False)


def test_nothing_missing_is_nothing_lost_whatever_the_reflector_counts() -> None:
    assert locate(5, [(n, n) for n in range(5)], stateful=False) == Losses(have_direction=False)


def test_a_packet_doubled_on_the_way_there_does_not_hide_a_loss() -> None:
    # 2 reached the far end twice (counts 2 and 3), 5 never did.
    replies = [(0, 0), (1, 1), (2, 2), (2, 3), (3, 4), (4, 5), (6, 6), (7, 7)]
    assert locate(8, replies, stateful=True) == Losses(up=[5], duplicates=1)


def test_an_answer_doubled_on_the_way_back_counts_once() -> None:
    assert locate(3, [(0, 0), (1, 1), (1, 1), (2, 2)], stateful=True) == Losses(duplicates=1)


def test_packets_that_swapped_on_the_way_there_are_no_loss() -> None:
    replies = [(0, 0), (1, 1), (3, 2), (2, 3), (4, 4), (6, 5)]
    assert locate(7, replies, stateful=True) == Losses(up=[5], reordered=1)


def test_what_was_lost_while_a_session_began_anew_stays_undecided_and_the_rest_does_not() -> None:
    before = [(n, n - (n > 50)) for n in range(100) if n != 50]
    after = [(n, n - 103) for n in range(103, 150) if n != 120]
    gap = [100, 101, 102]
    expected = Losses(up=[50], down=[120], undecided=gap, at_restart=gap, restarts=1)
    assert locate(150, before + after, stateful=True) == expected


def test_a_session_that_begins_anew_at_once_is_seen_by_counts_that_come_twice() -> None:
    replies = [*((n, n) for n in range(20)), *((n, n - 30) for n in range(30, 40))]
    gap = list(range(20, 30))
    assert locate(40, replies, stateful=True) == Losses(undecided=gap, at_restart=gap, restarts=1)


@pytest.mark.parametrize("flows", [2, 10])
def test_one_counter_for_all_flows_tells_no_direction(flows: int) -> None:
    lost = set(range(19, 1000, 20))
    replies = [(n, n * flows) for n in range(1000) if n not in lost]
    assert locate(1000, replies, stateful=True) == Losses(undecided=sorted(lost), have_direction=False)


def test_no_answer_at_all_leaves_every_packet_undecided() -> None:
    assert locate(3, [], stateful=True) == Losses(undecided=[0, 1, 2])


@pytest.mark.parametrize("seed", range(5))
def test_counts_hold_when_packets_swap_as_well(seed: int) -> None:
    chance = random.Random(seed)
    sent = 3000
    order = list(range(sent))
    for at in range(0, sent - 1, 17):
        order[at], order[at + 1] = order[at + 1], order[at]
    lost_up = {number for number in order if chance.random() < 0.02}
    lost_down = {number for number in order if chance.random() < 0.01} - lost_up
    reached = [number for number in order if number not in lost_up]
    back = [(number, far) for far, number in enumerate(reached) if number not in lost_down]
    found = locate(sent, back, stateful=True)
    # A swap beside a loss may put one on the wrong side; it is owed back at once.
    assert len(found.up) == pytest.approx(len(lost_up), abs=8)
    assert len(found.down) == pytest.approx(len(lost_down), abs=8)
    assert len(found.up) + len(found.down) + len(found.undecided) == len(lost_up | lost_down)
