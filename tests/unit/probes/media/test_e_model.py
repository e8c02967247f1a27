"""G.107. Published: R = 93.2 and MOS 4.41 for all defaults. All other values are regression values, evaluated from the
same formulas by somebody else; no ITU document with test tables could be read."""

from math import inf, isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gosip_check.probes.media.e_model import (
    G711,
    G711_PLC,
    Codec,
    Inputs,
    Quality,
    effective_equipment_impairment,
    mos,
    quality,
)


def inputs(ta_ms: float = 0, ppl_pct: float = 0, burst_ratio: float = 1, codec: Codec = G711_PLC) -> Inputs:
    return Inputs(ta_ms=ta_ms, ppl_pct=ppl_pct, burst_ratio=burst_ratio, codec=codec)


def rated(ta_ms: float = 0, ppl_pct: float = 0, burst_ratio: float = 1, codec: Codec = G711_PLC) -> Quality:
    """The quality of inputs that are possible."""
    found = quality(inputs(ta_ms, ppl_pct, burst_ratio, codec))
    assert found is not None
    return found


def test_all_defaults_give_the_published_rating() -> None:
    found = rated()
    assert round(found.r_factor, 1) == 93.2
    assert found.r_factor == pytest.approx(93.2062, abs=5e-5)
    assert found.mos == pytest.approx(4.4094, abs=5e-5)


@pytest.mark.parametrize(
    ("ta_ms", "r", "score"),
    [
        (0, 93.21, 4.409), (50, 91.76, 4.380), (100, 90.66, 4.355), (150, 89.54, 4.328), (177.3, 88.05, 4.288),
        (200, 85.80, 4.223), (250, 79.18, 3.993), (300, 72.67, 3.719), (350, 67.03, 3.455), (400, 62.25, 3.216),
        (500, 54.80, 2.828), (600, 49.48, 2.548), (800, 42.82, 2.204), (1000, 39.08, 2.019),
    ],
)  # fmt: skip
def test_delay(ta_ms: float, r: float, score: float) -> None:
    found = rated(ta_ms)
    assert found.r_factor == pytest.approx(r, abs=0.006)
    assert found.mos == pytest.approx(score, abs=0.0006)


@pytest.mark.parametrize(
    ("codec", "ppl_pct", "impairment", "score"),
    [
        (G711_PLC, 0.1, 0.38, 4.402), (G711_PLC, 0.5, 1.86, 4.371), (G711_PLC, 1, 3.64, 4.328),
        (G711_PLC, 2, 7.01, 4.235), (G711_PLC, 5, 15.78, 3.923), (G711_PLC, 10, 27.07, 3.411),
        (G711_PLC, 20, 42.13, 2.631), (G711, 0.1, 2.16, 4.364), (G711, 1, 17.92, 3.834), (G711, 3, 39.04, 2.794),
        (G711, 5, 51.08, 2.169), (G711, 20, 78.19, 1.124),
    ],
)  # fmt: skip
def test_random_loss(codec: Codec, ppl_pct: float, impairment: float, score: float) -> None:
    asked = inputs(0, ppl_pct, codec=codec)
    assert effective_equipment_impairment(asked) == pytest.approx(impairment, abs=0.006)
    assert rated(0, ppl_pct, codec=codec).mos == pytest.approx(score, abs=0.001)


@pytest.mark.parametrize(
    ("codec", "ppl_pct", "burst_ratio", "r"),
    [(G711_PLC, 2, 1.5, 86.01), (G711_PLC, 5, 2, 75.99), (G711_PLC, 20, 2, 39.07), (G711, 1, 1.5, 74.07),
     (G711, 3, 2, 44.06), (G711, 5, 2, 23.35), (G711, 10, 2, 0)],
)  # fmt: skip
def test_bursty_loss(codec: Codec, ppl_pct: float, burst_ratio: float, r: float) -> None:
    assert rated(0, ppl_pct, burst_ratio, codec).r_factor == pytest.approx(r, abs=0.01)


@pytest.mark.parametrize(
    ("r", "score"),
    [(-5, 1), (0, 1), (3, 1), (10, 1.035), (20, 1.252), (50, 2.575), (70, 3.597), (80, 4.024), (90, 4.339), (100, 4.5),
     (120, 4.5)],
)  # fmt: skip
def test_score_of_a_rating(r: float, score: float) -> None:
    assert mos(r) == pytest.approx(score, abs=0.0006)


@given(st.floats(0, 900), st.floats(0, 100), st.floats(0, 100), st.floats(1, 2))
def test_more_delay_or_loss_is_never_better(ta_ms: float, more_ms: float, ppl_pct: float, ratio: float) -> None:
    found = rated(ta_ms, ppl_pct, ratio)
    assert 0 <= found.r_factor <= 93.3
    assert 1 <= found.mos <= 4.5
    # Below 10 ms the echo terms of the formula itself let R rise by a few hundredths.
    assert rated(ta_ms + more_ms, ppl_pct, ratio).r_factor <= found.r_factor + 0.1
    if ppl_pct < 99:
        assert rated(ta_ms, ppl_pct + 1, ratio).r_factor <= found.r_factor


ANY = st.floats(allow_nan=True, allow_infinity=True)


@given(st.one_of(ANY, st.floats(0)), st.one_of(ANY, st.floats(0, 100)), st.one_of(ANY, st.floats(0)))
@pytest.mark.parametrize("codec", [G711_PLC, G711])
def test_whatever_goes_in_a_finite_score_comes_out_or_none(
    codec: Codec, ta_ms: float, ppl_pct: float, burst_ratio: float
) -> None:
    found = quality(inputs(ta_ms, ppl_pct, burst_ratio, codec))
    possible = 0 <= ta_ms < inf and 0 <= ppl_pct <= 100 and 0 < burst_ratio < inf
    assert (found is not None) == possible
    if found is not None:
        assert 1 <= found.mos <= 4.5
        assert 0 <= found.r_factor <= 93.3
        assert isfinite(found.mos)


@pytest.mark.parametrize("ta_ms", [1e154, 1e200, 1.7e308])
def test_a_delay_too_large_for_a_square_is_the_worst_score(ta_ms: float) -> None:
    assert rated(ta_ms).mos == 1


@pytest.mark.parametrize(
    ("ta_ms", "ppl_pct", "burst_ratio"),
    [(-0.1, 0, 1), (-24_900, 0, 1), (nan, 0, 1), (inf, 0, 1), (0, -1, 1), (0, 101, 1), (0, nan, 1), (0, 1, 0),
     (0, 1, -1), (0, 1, nan), (0, 1, inf)],
)  # fmt: skip
def test_what_no_path_can_have_has_no_score(ta_ms: float, ppl_pct: float, burst_ratio: float) -> None:
    assert quality(inputs(ta_ms, ppl_pct, burst_ratio)) is None
