"""Units and values: what a name says of its unit, and how a value is shown."""

from typing import Any

import pytest

from gosip_check.values import UNITS, shown, shown_record, unit_of, without_unit


@pytest.mark.parametrize(
    ("fact", "unit", "rest"),
    [
        ("rtt_ms", "ms", "rtt"),
        ("media.rtt_ms.p95", "ms", "media.rtt.p95"),
        ("loss_up_pct", "%", "loss_up"),
        ("rate_down_kbps", "kb/s", "rate_down"),
        ("interface.speed_mbps", "Mb/s", "interface.speed"),
        ("host.memory_available_mb", "MiB", "host.memory_available"),
        ("ttl_max_s", "s", "ttl_max"),
        ("a_ms.b_s", "s", "a.b"),  # the last one counts
        ("a_ms.b.c", "", "a_ms.b.c"),  # too far from the end to be that of the figure
        ("servers", "", "servers"),
        ("alarms", "", "alarms"),
        ("ms", "", "ms"),
        ("", "", ""),
    ],
)
def test_the_unit_in_a_name(fact: str, unit: str, rest: str) -> None:
    assert (unit_of(fact), without_unit(fact)) == (unit, rest)


def test_every_unit_is_found() -> None:
    assert {unit_of(f"x_{ending}") for ending in UNITS} == set(UNITS.values())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        (12345, "12345"),
        (1.23456, "1.235"),
        ("word", "word"),
        ([], "none"),
        ([1, None, [True]], "1, -, yes"),
        ({}, "none"),
        ({"a": 1.5, "b": None}, "(a 1.5)"),
    ],
)
def test_a_value_as_a_person_reads_it(value: Any, text: str) -> None:
    assert shown(value) == text


def test_digits_and_what_is_done_to_every_word() -> None:
    assert shown(1.23456, digits=6) == "1.23456"
    assert shown([{"a": "b"}], text=str.upper) == "(A B)"
    assert shown_record({"a": [1.23456], "b": "c"}, 3, str.upper) == "A 1.23, B C"
