"""Random outbound firewalls for the room `cpe`, the same for the same seed, and what is true of them."""

import random
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from .rulesets import forward

NETWORKS = ("217.22.184.0/24", "217.22.185.0/24")
_CUTS = (1024, 5060, 8000, 10000, 16384, 20000, 32768, 40000, 49152, 50000)
_ACTIONS = ("drop", "drop", "reject", "reject with icmp type admin-prohibited")


@dataclass(frozen=True)
class Rule:
    """UDP ports first to last towards these networks are not let out."""

    first: int
    last: int
    networks: tuple[str, ...]
    action: str


def random_firewall(seed: int) -> list[Rule]:
    """One to three rules: single ports and ranges, to one network or both; some begin where firewalls like to."""
    draw = random.Random(seed)
    rules = []
    for _ in range(draw.randint(1, 3)):
        size = 1 if draw.random() < 0.3 else int(2 ** draw.uniform(3, 15))
        first = draw.choice(_CUTS) if draw.random() < 0.4 else draw.randint(1024, 65535)
        networks = NETWORKS if draw.random() < 0.7 else (draw.choice(NETWORKS),)
        rules.append(Rule(first, min(65535, first + size - 1), networks, draw.choice(_ACTIONS)))
    return rules


def as_text(rules: list[Rule]) -> str:
    """The rule set."""
    lines = [
        f'iifname "to-lan" ip daddr {{ {", ".join(rule.networks)} }} udp dport {rule.first}-{rule.last} {rule.action}'
        for rule in rules
    ]
    return forward("\n        ".join(lines))


def is_blocked(rules: list[Rule], address: str, port: int) -> bool:
    """What the rules do to a datagram."""
    return any(
        rule.first <= port <= rule.last and any(ip_address(address) in ip_network(network) for network in rule.networks)
        for rule in rules
    )


def blocked_ranges(rules: list[Rule], network: str) -> list[tuple[int, int]]:
    """What is blocked towards a network, from edge to edge."""
    ranges: list[tuple[int, int]] = []
    for rule in sorted((each for each in rules if network in each.networks), key=lambda each: each.first):
        if ranges and rule.first <= ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], max(rule.last, ranges[-1][1]))
        else:
            ranges.append((rule.first, rule.last))
    return ranges
