"""Ready or not with nothing but the laptop: two lines of alone.py, and the same laptop where nobody may ping.

The whole table is `python -m tests.bench.bench_alone`.
"""

from collections.abc import Iterator

import pytest

from .alone import ROWS, TWO_HOPS, Row, measured, wrong
from .site import Lab, site
from .tool import PLAIN_USER


@pytest.fixture(scope="module")
def alone(_possible: None) -> Iterator[Lab]:
    """A site with two hops behind the edge."""
    with site(TWO_HOPS) as built:
        built.enter("ready")
        yield built


@pytest.mark.parametrize("row", [ROWS["healthy"], ROWS["up 0.9"]], ids=lambda row: row.name)
def test_a_line_is_judged_with_nothing_but_the_laptop(alone: Lab, row: Row) -> None:
    run = measured(alone, row, "bandwidth")
    assert wrong(row, run) == []
    assert run.code == (0 if "pass" in row.bandwidth else 1)


def test_a_plain_user_who_may_ping_needs_no_root(alone: Lab) -> None:
    alone.run("lan", ["sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647"])
    run = measured(alone, ROWS["healthy"], "bandwidth", before=PLAIN_USER)
    assert wrong(ROWS["healthy"], run) == []
    assert run.code == 0


@pytest.mark.parametrize("name", ["healthy", "up 0.9"])
def test_where_nobody_may_ping_speed_is_unknown_and_the_remedy_is_named(alone: Lab, name: str) -> None:
    alone.run("lan", ["sysctl", "-qw", "net.ipv4.ping_group_range=1 0"])
    run = measured(alone, ROWS[name], "bandwidth", before=PLAIN_USER)
    verdicts = run.verdicts
    assert run.code == 3
    assert verdicts["media.bandwidth"]["outcome"] == "unknown"
    assert "sysctl -w net.ipv4.ping_group_range='0 2147483647'" in verdicts["media.bandwidth"]["reason"]
    assert "fail" not in {verdict["outcome"] for verdict in verdicts.values()}
