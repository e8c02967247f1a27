"""Voice beside a full uplink: a class for EF passes, one queue for all does not. All uplinks: bench_qos."""

from collections.abc import Iterator

import pytest

from .alone import TWO_HOPS
from .qos import voice_first
from .site import GENEROUS, Lab, site

KBPS = 2000


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
    """Where this machine was too busy to send, the tool says so, and nothing else was proven."""
    verdict, facts = voice_first(uplinked, name, KBPS)
    if "too busy" in verdict["reason"]:
        assert verdict["outcome"] == "unknown"
        pytest.skip(verdict["reason"])
    assert (verdict["outcome"], facts["sharing"]) == (outcome, sharing), verdict["reason"]
    assert facts["hop"] == "192.88.99.1"
