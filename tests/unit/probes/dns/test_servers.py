"""The servers of the trunk, from what DNS gave."""

from gosip_check.probes.dns.servers import Server, servers_inside, servers_offered
from gosip_check.probes.dns.srv import Facts
from gosip_check.probes.path import hops
from gosip_check.probes.probe import Context
from gosip_check.records import Link
from tests.unit.probes.sip.test_signalling import context_with, target

NETWORKS = ["192.0.2.0/24", "198.51.100.0/24"]


def test_every_address_of_every_target_in_order_and_once() -> None:
    a, b = target("192.0.2.1", 5060, "a"), target("192.0.2.2", 5061, "b")
    assert servers_offered(context_with(b, a, b)) == [Server("b", "192.0.2.2", 5061), Server("a", "192.0.2.1", 5060)]
    assert servers_offered(Context(Link("Internet-1"))) == []


def test_only_ipv4_of_the_providers_own_networks_and_not_many() -> None:
    outside, ipv6 = target("203.0.113.1", 5060), target("2001:db8::1", 5060)
    inside = [target(f"198.51.100.{number}", 5060) for number in range(9)]
    servers = servers_inside(context_with(outside, ipv6, *inside), NETWORKS)
    assert [server.address for server in servers] == [f"198.51.100.{number}" for number in range(4)]
    assert [server.is_ipv4 for server in servers_offered(context_with(ipv6, outside))] == [False, True]


def test_facts_are_found_by_their_type() -> None:
    context = context_with(target("192.0.2.1", 5060))
    facts = context.facts_of(Facts)
    assert facts is context.seen["srv"]
    assert context.facts_of(hops.Facts) is None
