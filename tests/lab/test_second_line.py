"""A second line of the laptop as the far end, over the kernel's own NATs and coturn: what lets packets through,
and what two rates show. Every combination, delays and whole runs: tests/bench/bench_second_line.py.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.timely import going_first, in_time

from .edges import kernel_alg
from .phone import (
    LINE,
    LINES,
    OUTSIDE_OF,
    SECOND,
    STUN,
    UNKNOWN_TO_THE_PROVIDER,
    be_phone,
    dropped,
    forgetful,
    phone,
    punched,
    rate,
    stun_servers,
    widen,
)
from .site import Lab
from .tool import gosip_check, run_tool, verdict_of


@pytest.fixture(scope="module")
def two(lab: Lab) -> Iterator[Lab]:
    lab.enter("ready")
    with phone(lab), stun_servers(lab):
        yield lab


def _enter(two: Lab, line: str = "masquerade", second: str = "masquerade") -> None:
    two.enter("ready")
    if LINES[line]:
        two.nft("cpe", LINES[line])
    two.flush()
    be_phone(two, second)


@pytest.mark.parametrize("second", ["masquerade", "masquerade, input dropped", "filter by address"])
def test_nats_that_keep_the_port_let_both_through(two: Lab, second: str) -> None:
    _enter(two, second=second)
    said = punched(two)
    assert said["punched"], said
    assert [address for address, _ in said["outside"]] == [OUTSIDE_OF["line"], OUTSIDE_OF["phone"]]


@pytest.mark.parametrize(
    ("line", "second", "named"),
    [
        ("masquerade", "masquerade random", "phone"),
        ("masquerade random", "masquerade", "Internet-1"),
    ],
)
def test_a_port_for_each_destination_is_said_at_once(two: Lab, line: str, second: str, named: str) -> None:
    _enter(two, line, second)
    said = punched(two)
    assert not said["punched"]
    assert said["why"].startswith(f"The NAT of {named} gives every destination a port of its own")


def test_a_provider_that_does_not_know_the_second_line_takes_stun(two: Lab) -> None:
    _enter(two)
    assert punched(two, stun=())["punched"], "the provider answers both"
    two.nft("go", UNKNOWN_TO_THE_PROVIDER)
    assert "--stun" in punched(two, stun=())["why"]
    assert punched(two, STUN)["punched"]


def test_an_address_to_whitelist_comes_from_stun_where_the_provider_is_silent(two: Lab) -> None:
    _enter(two)
    two.nft("go", "table inet silent { chain c { type filter hook input priority -200; udp dport 5060 drop; }; }")
    try:
        report = run_tool(two, "nat", "--link", LINE, "--stun", STUN[0], "--stun", STUN[1])
    finally:
        two.nft("go", "delete table inet silent")
    facts = next(each["facts"] for each in report["measurements"] if each["probe"] == "nat")
    assert (facts["outside_address"], facts["outside_address_from"]) == (OUTSIDE_OF["line"], "stun")


@pytest.mark.parametrize("narrow", [("up",), ("down",), ("up", "down")], ids=" and ".join)
def test_a_line_that_is_too_narrow_shows_which_way(two: Lab, narrow: tuple[str, ...]) -> None:
    """Both where both are: what goes down is a load of its own."""
    _enter(two)
    with going_first():
        stream, lost = in_time(
            lambda: _stream(two, narrow),
            lambda seen: not seen[0]["sending"]["sent_late"] and not seen[0]["far_late"],
        )
    widen(two)
    for way in ("up", "down"):
        # By the kernel's own count: a machine that stands still for a moment carries less than 950 of 1000 kb/s.
        assert stream[way]["delivered_pct"] == pytest.approx(100 * (1 - lost[way] / 1500), abs=0.2)
        assert stream[way]["delivered_pct"] < 97 if way in narrow else stream[way]["delivered_pct"] == 100


def _stream(two: Lab, narrow: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, int]]:
    """Ten channels for three seconds, and what of them the line did not carry each way."""
    ways = ("up", "down")
    for way in ways:
        rate(two, way, 950 if way in narrow else 1050)
    before = {way: dropped(two, way) for way in ways}
    stream: dict[str, Any] = punched(two, seconds=3)["stream"]
    return stream, {way: dropped(two, way) - before[way] for way in ways}


@pytest.mark.parametrize(
    ("room", "alive", "gone"),
    [
        ("cpe", [2.0], [8.0, 9.0]),
        ("phone", [2.0, 8.0, 9.0], []),  # the phone forgets, and gives the same port again
    ],
)
def test_a_nat_that_forgets_is_found_and_not_the_other_one(
    two: Lab, room: str, alive: list[float], gone: list[float]
) -> None:
    _enter(two)
    with forgetful(two, room, 5):
        command = gosip_check(LINE, SECOND, "2,8,9", *STUN, module="tests.lab.wait_once")
        found = json.loads(two.run("lan", command, timeout_s=90).stdout)
    assert (found["alive"], found["gone"], found["steady"]) == (alive, gone, True)


@pytest.mark.parametrize(("rules", "found"), [("", False), (kernel_alg(), None)], ids=["no ALG", "the kernel's ALG"])
def test_the_second_line_mirrors_sip_and_blames_no_line(two: Lab, rules: str, found: bool | None) -> None:
    _enter(two)
    if rules:
        two.nft("cpe", rules)
        two.flush()
    report = run_tool(two, "alg", "--link", LINE, "--far-end-link", SECOND, "--stun", STUN[0], "--stun", STUN[1])
    verdict = verdict_of(report, "alg.absent")
    facts = next(each["facts"] for each in report["measurements"] if each["id"] == verdict["measurement"])
    looks = {look["method"]: look for look in facts["looks"]}
    assert looks["mirror"]["found"] is found, looks
    assert ("unchanged" if found is False else "On which of the two lines is not known") in looks["mirror"]["words"]
    assert verdict["outcome"] == ("pass" if found is False else "fail")
