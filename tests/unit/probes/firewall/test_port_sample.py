"""Which ports are tried, and in which order for an edge."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gosip_check.probes.firewall.port_sample import USUAL_CUTS, Run, inside, outward, runs, sample


def test_the_sample_has_the_ends_and_both_sides_of_every_usual_cut() -> None:
    ports = sample(1024, 65535, 7)
    assert {1024, 65535} <= set(ports)
    assert {port for cut in USUAL_CUTS for port in (cut - 1, cut)} <= set(ports)
    assert len(ports) == 28
    assert ports == sorted(set(ports))


def test_the_same_seed_draws_the_same_ports() -> None:
    assert sample(1024, 65535, 7) == sample(1024, 65535, 7)
    assert sample(1024, 65535, 7) != sample(1024, 65535, 8)


@given(st.integers(1, 65535), st.integers(0, 3000), st.integers(0, 2**31))
def test_any_range_is_sampled_inside_itself(first: int, size: int, seed: int) -> None:
    last = min(65535, first + size)
    ports = sample(first, last, seed)
    assert ports[0] == first
    assert ports[-1] == last
    assert len(ports) <= 28


def test_runs_end_at_open_ports_and_at_the_range() -> None:
    known = {1024: True, 2000: True, 3000: False, 4000: True, 5000: False}
    assert runs(known, 1024, 65535) == [Run(1024, 2000, 1023, 3000), Run(4000, 4000, 3000, 5000)]
    assert runs({65535: True}, 1024, 65535) == [Run(65535, 65535, 1023, 65536)]
    assert runs({}, 1024, 65535) == []


@settings(max_examples=300)
@given(st.integers(1023, 65536), st.integers(1023, 65536), st.lists(st.integers(1023, 65536), max_size=9))
def test_a_row_goes_from_the_blocked_end_to_the_open_one(blocked: int, opened: int, guesses: list[int]) -> None:
    row = outward(blocked, opened, guesses, 64)
    assert row == sorted(set(row), reverse=opened < blocked)
    assert set(row) <= set(range(min(blocked, opened) + 1, max(blocked, opened)))
    if abs(opened - blocked) > 1:
        towards = 1 if opened > blocked else -1
        assert {blocked + towards, opened - towards} <= set(row)
        assert set(guesses) & set(range(min(blocked, opened) + 1, max(blocked, opened))) <= set(row)
    assert len(row) <= 100


def _edge(blocked: int, opened: int, last: int) -> int:
    """How many rows it takes until the last blocked port is known."""
    rows = 0
    while abs(opened - blocked) > 1:
        row = [*outward(blocked, opened, [], 64), opened]
        first_open = next(number for number, port in enumerate(row) if (port > last) == (opened > last))
        blocked, opened = row[first_open - 1] if first_open else blocked, row[first_open]
        rows += 1
    assert blocked == last
    return rows


@settings(max_examples=300)
@given(st.integers(1024, 65535), st.integers(1, 40000), st.integers(0, 40000))
def test_an_edge_is_found_to_the_port_in_few_rows(blocked: int, gap: int, place: int) -> None:
    opened = min(65536, blocked + gap)
    assert _edge(blocked, opened, min(blocked + place, opened - 1)) <= 4


@pytest.mark.parametrize("last", [12999, 13000, 20000, 25000, 30000])
def test_an_edge_at_a_round_number_is_found_in_one_row(last: int) -> None:
    assert _edge(last - 1500, last + 3000, last) == 1


def test_a_hole_of_a_thirtieth_is_always_met() -> None:
    run = Run(10000, 39999, 9999, 40000)
    for seed in range(50):
        tried = inside(run, [], seed)
        assert any(20000 <= port < 21300 for port in tried)
        assert all(run.low <= port <= run.high for port in tried)


def test_a_part_of_a_run_that_was_tried_is_not_tried_again() -> None:
    run = Run(10000, 39999, 9999, 40000)
    assert inside(run, inside(run, [], 1), 2) == []
    assert len(inside(Run(10000, 39998, 9999, 39999), inside(run, [], 1), 2)) <= 2


def test_a_small_run_is_tried_in_full_and_nothing_twice() -> None:
    assert inside(Run(10, 14, 9, 15), [10, 14], 1) == [11, 12, 13]
    assert inside(Run(10, 14, 9, 15), range(10, 15), 1) == []
