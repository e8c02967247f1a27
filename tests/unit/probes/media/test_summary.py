"""Jitter, windows, bursts, intervals and charts against values worked out by hand or by another formula."""

from itertools import accumulate, pairwise
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gosip_check.probes.media.summary import (
    MOST_POINTS,
    Extremes,
    Histogram,
    RoundTrip,
    Spread,
    burst_ratio,
    bursts,
    jitter,
    percentile,
    shares,
    thinned,
    wilson,
    worst_window_pct,
)
from gosip_check.records import Series


def test_a_constant_transit_has_no_jitter() -> None:
    assert jitter([12.5] * 20) == [0.0] * 19


def test_one_step_decays_by_a_sixteenth() -> None:
    found = jitter([0.0] * 5 + [16.0] * 4)
    assert found[4:] == pytest.approx([1.0, 15 / 16, (15 / 16) ** 2, (15 / 16) ** 3])


@pytest.mark.parametrize(("n", "level"), [(1, 0.625), (16, 6.439), (100, 9.984)])
def test_alternating_transits_approach_their_difference(n: int, level: float) -> None:
    found = jitter([5.0 if i % 2 else -5.0 for i in range(n + 1)])
    assert found[-1] == pytest.approx(level, abs=0.0006)


@given(st.lists(st.floats(-1e6, 1e6), max_size=50), st.floats(-1e6, 1e6))
def test_a_clock_offset_does_not_count(transits: list[float], offset: float) -> None:
    assert jitter([t + offset for t in transits]) == pytest.approx(jitter(transits), abs=1e-6)


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        (0, 500, 0, 0.0076),
        (5, 500, 0.0043, 0.0232),
        (30, 3000, 0.0070, 0.0142),
        (0, 0, 0, 1),
        (10, 10, 0.7225, 1),
        (500, 1000, 0.4691, 0.5309),
    ],
)
def test_what_a_sample_proves(hits: int, of: int, low: float, high: float) -> None:
    assert wilson(hits, of) == pytest.approx((low, high), abs=6e-5)


def test_ten_losses_on_end_in_a_thousand_packets_show_in_the_short_window_only() -> None:
    lost = [1 if 500 <= slot < 510 else 0 for slot in range(1000)]
    sent = [1] * 1000
    assert worst_window_pct(lost, sent, 10) == 100
    assert worst_window_pct(lost, sent, 1000) == 1
    assert worst_window_pct(lost, sent, 750) == pytest.approx(100 * 10 / 750)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(3, 4)), min_size=1, max_size=60), st.integers(1, 70))
def test_the_sliding_window_finds_what_trying_every_window_finds(slots: list[tuple[int, int]], width: int) -> None:
    lost, sent = [slot[0] for slot in slots], [slot[1] for slot in slots]
    width_used = min(width, len(slots))
    every = [
        100 * sum(lost[at : at + width_used]) / sum(sent[at : at + width_used])
        for at in range(len(slots) - width_used + 1)
    ]
    assert worst_window_pct(lost, sent, width) == pytest.approx(max(every))


def test_bursts_are_runs_of_neighbours() -> None:
    assert bursts([]) == []
    assert bursts([3, 4, 5, 9, 11, 12]) == [3, 1, 2]


def test_burst_ratio_is_one_for_random_loss_and_grows_with_bursts() -> None:
    assert burst_ratio([], 1000) == 1
    assert burst_ratio([1] * 20, 1000) == 1
    assert burst_ratio([5] * 4, 1000) == pytest.approx(5 * 0.98)
    assert burst_ratio([1000], 1000) == 1


def test_percentiles_are_values_of_the_sample() -> None:
    ordered = [float(i) for i in range(1, 101)]
    assert [percentile(ordered, p) for p in (0, 50, 95, 99, 100)] == [1, 50, 95, 99, 100]
    assert percentile([7.0], 99) == 7


def test_the_mean_jitter_of_exponential_delays_is_their_mean_difference() -> None:
    """Two independent exponential delays of mean m differ by m on average; the estimator must settle there."""
    state = list(accumulate(range(20_000), lambda x, _: (x * 1103515245 + 12345) % 2**31, initial=42))
    transits = [-10 * log((x + 1) / 2**31) for x in state]
    settled = jitter(transits)[1000:]
    assert sum(settled) / len(settled) == pytest.approx(10, rel=0.05)


def test_thinning_keeps_the_extremes() -> None:
    points = [(n / 50, 20.0) for n in range(100_000)]
    points[71_234], points[12_345] = (71_234 / 50, 900.0), (12_345 / 50, 1.0)
    series = thinned("rtt", "ms", points)
    assert isinstance(series, Series)
    assert series.measured == 100_000
    assert len(series.points) <= MOST_POINTS
    values = [value for _, value in series.points]
    assert (min(values), max(values)) == (1.0, 900.0)
    assert series.points == sorted(series.points)
    assert thinned("rtt", "ms", points[:2000]).points == points[:2000]


def test_a_histogram_counts_every_value() -> None:
    values = [20 + n % 7 for n in range(10_000)] + [900.0]
    counted = Histogram.of(values)
    assert counted is not None
    assert sum(counted.counts) + counted.beyond == len(values)
    assert (counted.low, counted.max, counted.beyond) == (20, 900, 1)
    assert counted.counts[0] == sum(value == 20 for value in values)
    assert Histogram.of([]) is None
    same = Histogram.of([5.0] * 3)
    assert same is not None
    assert (sum(same.counts), same.beyond) == (3, 0)


def test_spread_and_round_trip_are_percentiles_of_the_sample() -> None:
    values = [float(value) for value in range(200, 0, -1)]
    assert Spread.of(values) == Spread(p50=100, p99=198, max=200)
    assert RoundTrip.of(values) == RoundTrip(min=1, p50=100, p95=190, p99=198, max=200)
    assert (Spread.of([]), RoundTrip.of([]), Histogram.of([])) == (None, None, None)


def test_a_histogram_is_forty_equal_steps_up_to_the_99th_percentile() -> None:
    histogram = Histogram.of([float(value) for value in range(401)] + [1000.0])
    assert histogram is not None
    assert (histogram.low, histogram.high, histogram.max) == (0, 397, 1000)
    # The edges lie 9.925 apart; a value that equals one belongs to the step above.
    edges = [397 * number / 40 for number in range(41)]
    inside = [sum(low <= value < high for value in range(401)) for low, high in pairwise(edges)]
    inside[-1] += 1  # 397 itself
    assert histogram.counts == inside
    assert histogram.beyond == 4


def test_windows_in_which_nothing_was_sent_say_nothing() -> None:
    assert worst_window_pct([0, 0, 0, 1], [0, 0, 1, 1], 2) == 50
    assert worst_window_pct([0, 0], [0, 0], 1) == 0
    assert worst_window_pct([], [], 5) == 0


def test_a_thinned_series_says_how_many_values_stand_behind_it() -> None:
    points = [(float(at), float(at % 7)) for at in range(MOST_POINTS + 1)]
    assert len(thinned("x", "ms", points).points) == MOST_POINTS
    assert (thinned("x", "ms", points).measured, thinned("x", "ms", points, 9).measured) == (MOST_POINTS + 1, 9)
    assert len(thinned("x", "ms", points[:-1]).points) == MOST_POINTS


def test_extremes_are_the_smallest_and_the_largest_value_of_each_slot() -> None:
    extremes = Extremes(slots=4, slot_s=0.02)
    assert extremes.series("rtt", "ms") == []
    extremes.add([(0, 5.0), (0, 3.0), (0, 9.0004), (2, 7.0)])
    extremes.add([(0, 4.0), (3, 8.0), (3, 6.12345)])
    (series,) = extremes.series("rtt", "ms")
    assert series == Series(
        name="rtt", unit="ms", measured=7, points=[(0, 3.0), (0, 9.0), (0.04, 7.0), (0.06, 6.123), (0.06, 8.0)]
    )


def test_the_time_of_a_slot_is_told_to_the_millisecond() -> None:
    extremes = Extremes(slots=3, slot_s=1 / 3)
    extremes.add([(1, 1.0)])
    assert extremes.series("rtt", "ms")[0].points == [(0.333, 1.0)]


def test_shares_are_losses_in_percent_of_what_was_sent_in_a_stretch() -> None:
    series = shares("up", lost=[1, 0, 0, 0, 2, 1, 1], sent=[2, 1, 0, 0, 3, 3, 7], slots_each=2, slot_s=0.1 / 3)
    assert series == Series(name="up", unit="%", measured=16, points=[(0.0, 33.3333), (0.133, 50.0), (0.2, 14.2857)])
