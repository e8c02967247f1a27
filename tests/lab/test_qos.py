"""Voice beside a full uplink: a class for EF passes, one queue for all does not; and a second line fills a faster one.

All uplinks: bench_qos.
"""

from collections.abc import Iterator

import pytest

from .alone import TWO_HOPS
from .phone import phone
from .qos import TO_PHONE, stood_still, voice_first
from .site import GENEROUS, Lab, site

KBPS, FASTER_KBPS = 2000, 20_000


@pytest.fixture(scope="module")
def uplinked(_possible: None) -> Iterator[Lab]:
    """A site whose hops quote whatever dies in them: where they do not, one queue for all stays open."""
    with site(TWO_HOPS, hops=GENEROUS) as built:
        built.enter("ready")
        yield built


@pytest.mark.parametrize(
    ("name", "outcome", "sharing"), [("class for EF", "pass", "priority"), ("one queue", "warn", "held up")]
)
def test_voice_beside_a_full_uplink(uplinked: Lab, name: str, outcome: str, sharing: str) -> None:
    """Where this machine was too busy, the tool says what it saw of that, and nothing was proven."""
    verdict, facts = voice_first(uplinked, name, KBPS)
    if stood_still(verdict):
        pytest.skip(verdict["reason"])
    assert (verdict["outcome"], facts["sharing"]) == (outcome, sharing), verdict["reason"]
    assert facts["hop"] == "192.88.99.1"


def test_a_second_line_fills_what_packets_to_a_hop_cannot(uplinked: Lab) -> None:
    """What dies at the hop is too little for this line, and the phone's NAT lets the rest through."""
    with phone(uplinked):
        verdict, facts = voice_first(uplinked, "one queue", FASTER_KBPS, *TO_PHONE)
    if stood_still(verdict):
        pytest.skip(verdict["reason"])
    assert (verdict["outcome"], facts["sharing"]) == ("warn", "held up"), verdict["reason"]
    assert (facts["load"], facts["hop"]) == ("second line", "192.88.99.1")
    assert 0.7 * FASTER_KBPS < facts["load_kbps"] < FASTER_KBPS
