"""The edges of what random firewalls block, behind one hop that quotes once a second: found to the port, in time."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from gosip_check.probes.firewall.rtp import Blocked
from tests.lab.firewalls import NETWORKS, Rule, is_blocked, random_firewall

from .virtual_site import Site, visit

_ON_A_LOSSY_LINE = Site(loss=0.02)


def _wrong(rules: list[Rule], claims: list[Blocked]) -> list[Blocked]:
    return [
        each
        for each in claims
        if not all(is_blocked(rules, each.destination, port) for port in range(each.first, each.last + 1))
    ]


def _ranges(rules: list[Rule], network: str) -> list[tuple[int, int]]:
    """What is blocked towards a network, from edge to edge."""
    ranges: list[tuple[int, int]] = []
    for rule in sorted((each for each in rules if network in each.networks), key=lambda each: each.first):
        if ranges and rule.first <= ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], max(rule.last, ranges[-1][1]))
        else:
            ranges.append((rule.first, rule.last))
    return ranges


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
        for first, last in _ranges(rules, network):
            inside = [(c.first, c.last) for c in claims if first <= c.first <= last]
            assert inside in ([], [(first, last)])
