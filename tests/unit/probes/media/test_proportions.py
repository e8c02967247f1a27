"""Exact bounds, held against published tables and against counting it out."""

from fractions import Fraction
from math import comb

import pytest

from gosip_check.probes.media.proportions import at_least, chance_of_more, highest_share, lowest_share


@pytest.mark.parametrize(
    ("lost", "of"),
    [(0, 299), (1, 473), (2, 628), (3, 773), (4, 913), (5, 1049), (6, 1182), (8, 1441), (10, 1693)],
)
def test_the_fewest_packets_that_prove_a_loss_below_one_percent(lost: int, of: int) -> None:
    """The usual table of Clopper and Pearson at 95 %, one-sided: one packet fewer proves it no longer."""
    assert highest_share(lost, of, 0.05) <= 0.01
    assert highest_share(lost, of - 1, 0.05) > 0.01


def test_the_rule_of_three_and_the_ends() -> None:
    assert highest_share(0, 1000, 0.05) == pytest.approx(1 - 0.05 ** (1 / 1000))
    assert highest_share(5, 5, 0.05) == 1
    assert highest_share(0, 0, 0.05) == 1
    assert lowest_share(0, 100, 0.05) == 0
    assert lowest_share(100, 100, 0.05) == pytest.approx(0.05 ** (1 / 100))


def test_the_two_bounds_are_mirror_images() -> None:
    for lost, of in ((1, 40), (7, 90), (34, 1250)):
        assert lowest_share(lost, of, 0.05) == pytest.approx(1 - highest_share(of - lost, of, 0.05))


@pytest.mark.parametrize("table", [(3, 1, 1, 3), (9, 3, 2, 10), (0, 20, 3, 17), (5, 0, 0, 5)])
def test_fishers_test_is_what_counting_all_tables_gives(table: tuple[int, int, int, int]) -> None:
    """The tea taster of Fisher, 3 of 4 right, is 17 in 70."""
    lost, kept, other_lost, other_kept = table
    of, other_of, all_lost = lost + kept, other_lost + other_kept, lost + other_lost
    counted = sum(
        Fraction(comb(of, k) * comb(other_of, all_lost - k), comb(of + other_of, all_lost))
        for k in range(lost, min(of, all_lost) + 1)
    )
    assert chance_of_more(lost, of, other_lost, other_of) == pytest.approx(float(counted))
    if table == (3, 1, 1, 3):
        assert counted == Fraction(17, 70)


def test_a_binomial_tail() -> None:
    assert at_least(2, 10, 0.5) == pytest.approx(1 - 11 / 1024)
    assert at_least(0, 10, 0.0) == 1
    assert at_least(1, 10, 0.0) == 0
