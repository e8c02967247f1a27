"""The edges of what random firewalls block, behind one hop that quotes once a second: found to the port, in time."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from gosip_check.probes.firewall.rtp import Blocked
from gosip_check.probes.probe import ProbeFailed
from gosip_check.records import FailureKind
from tests.lab.firewalls import NETWORKS, Rule, blocked_ranges, is_blocked, random_firewall

from .virtual_site import Site, visit

_ON_A_LOSSY_LINE = Site(loss=0.02)


def _wrong(rules: list[Rule], claims: list[Blocked]) -> list[Blocked]:
    return [
        each
        for each in claims
        if not all(is_blocked(rules, each.destination, port) for port in range(each.first, each.last + 1))
    ]


@pytest.mark.table
@pytest.mark.parametrize("seed", range(12))
def test_every_range_that_the_sample_meets_is_found_to_the_port(seed: int) -> None:
    rules = random_firewall(seed)
    brought = visit(replace(_ON_A_LOSSY_LINE, rules=rules), seed)
    assert brought.facts.undecided_ports == []
    assert brought.took_s <= 61
    assert _wrong(rules, brought.facts.blocked) == []
    for network in NETWORKS:
        claims = [c for c in brought.facts.blocked if ip_address(c.destination) in ip_network(network)]
        for first, last in blocked_ranges(rules, network):
            inside = [(c.first, c.last) for c in claims if first <= c.first <= last]
            assert inside in ([], [(first, last)])


_A_RANGE = [Rule(16300, 19000, NETWORKS, "drop")]


@pytest.mark.parametrize("stops_at_s", [30.0, 33.0])
def test_what_was_proven_before_the_run_was_stopped_is_said(stops_at_s: float) -> None:
    brought = visit(Site(_A_RANGE), 1, stops_at_s)
    assert brought.took_s < stops_at_s + 1
    assert brought.facts.rtp_leaves is False
    assert _wrong(_A_RANGE, brought.facts.blocked) == []
    assert "Stopped before the edges were found." in brought.facts.evidence["rtp_leaves"]


def test_a_run_that_is_stopped_before_anything_is_proven_says_nothing() -> None:
    with pytest.raises(ProbeFailed) as failed:
        visit(Site(_A_RANGE), 1, 10.0)
    assert failed.value.failure.kind is FailureKind.INTERRUPTED


@pytest.mark.parametrize("quotes_until_s", [32.0, 40.0])
def test_an_edge_that_is_not_found_lies_between_bounds_that_are_true(quotes_until_s: float) -> None:
    """The hop stops quoting in the middle of the search."""
    (claim, *others) = visit(Site(_A_RANGE, quotes_until_s=quotes_until_s), 1).facts.blocked
    assert 16300 <= claim.first <= claim.last <= 19000
    for bound in [each for other in (claim, *others) for each in (other.open_below, other.open_above)]:
        assert bound is None or not is_blocked(_A_RANGE, claim.destination, bound)


def test_a_port_that_the_edge_rejects_is_not_called_dropped_because_its_errors_are_rationed() -> None:
    rules = [Rule(16300, 19000, NETWORKS, "reject")]
    claims = visit(Site(rules), 1).facts.blocked
    assert {(each.first, each.last, each.how) for each in claims} == {(16300, 19000, "rejected")}
