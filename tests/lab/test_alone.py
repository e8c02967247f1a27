"""Ready or not with nothing but the laptop: two lines of alone.py, and the same laptop where nobody may ping.

The whole table is `python -m tests.bench.bench_alone`.
"""

from collections.abc import Iterator

import pytest

from .alone import ROWS, TWO_HOPS, measured, wrong
from .site import Lab, site
from .tool import PLAIN_USER


@pytest.fixture(scope="module")
def alone(_possible: None) -> Iterator[Lab]:
    """A site with two hops behind the edge."""
    with site(TWO_HOPS) as built:
        built.enter("ready")
        yield built


def test_a_whole_run_over_a_good_line_leaves_nothing_of_it_open(alone: Lab) -> None:
    """Ten channels. `firewall.rtp` alone may stay open, where the hops ration what it asks for: test_firewall.py."""
    run = measured(alone, ROWS["healthy"], "run")
    assert wrong(ROWS["healthy"], run) == []
    musts = {id_: verdict["outcome"] for id_, verdict in run.verdicts.items() if verdict["level"] == "must"}
    assert {id_ for id_, outcome in musts.items() if outcome != "pass"} <= {"firewall.rtp"}


def test_a_line_that_is_too_narrow_fails_once(alone: Lab) -> None:
    run = measured(alone, ROWS["up 0.9"], "bandwidth")
    assert wrong(ROWS["up 0.9"], run) == []
    assert run.code == 1
    assert [id_ for id_, verdict in run.verdicts.items() if verdict["outcome"] == "fail"] == ["media.bandwidth"]
    only_up = [phase for phase in run.echoes["phases"] if phase["name"].startswith("uplink")]
    assert only_up
    assert {phase["stopped"] for phase in only_up} == {""}  # it was seen to die at the hop
    late = any(phase["late"] or phase["left_out"] for phase in run.echoes["phases"])  # or the minute was spent on such
    assert run.echoes["uplink_suffers"] is True or late


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
