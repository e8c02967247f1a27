"""What of a resolver's answer counts: aliases are followed, what belongs to another name is not taken."""

import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest

from gosip_check.probes.dns.srv import measure
from gosip_check.servers.endpoint import Peer
from tests.unit.far_ends import DnsAnswers, dns_reply, from_zone, nano_dns
from tests.unit.probes.dns.srv_sites import CONTEXT, DOMAIN, NAME, SITES, found, one_target, options


def test_a_cname_is_followed_to_its_own_records_only() -> None:
    """An address of another name is no address of the target, whoever slips it in."""

    def answer(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
        reply = from_zone(SITES)(query, peer, transport)
        assert isinstance(reply, dns.message.Message)
        if query.question[0].rdtype == dns.rdatatype.A:
            reply.answer = [dns.rrset.from_text("other.example.", 60, "IN", "A", "192.0.2.99")]
        return reply

    with nano_dns(answer) as server:
        facts = measure(options(server), CONTEXT)
    assert facts.targets[0].addresses == []
    assert (facts.targets_resolve, facts.targets_in_networks) == (None, None)


@pytest.mark.parametrize(("denied", "resolves"), [(False, None), (True, False)])
def test_an_alias_that_the_resolver_did_not_follow_decides_nothing(denied: bool, resolves: bool | None) -> None:
    def answer(query: dns.message.Message, *_: object) -> DnsAnswers:
        if query.question[0].rdtype == dns.rdatatype.SRV:
            return dns_reply(query, "45 50 5060 a.example.")
        reply = dns_reply(query, "a.example. CNAME b.example.")
        if denied:  # RFC 2308: the SOA says that this is all there is
            reply.authority.append(dns.rrset.from_text("example.", 60, "IN", "SOA", "ns. host. 1 2 3 4 5"))
        return reply

    with nano_dns(answer) as server:
        facts = measure(options(server), CONTEXT)
    assert (facts.targets_resolve, facts.aliases_found) == (resolves, True)


def test_an_srv_name_that_is_an_alias_lives_as_long_as_the_shortest_part() -> None:
    def answer(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
        if query.question[0].rdtype != dns.rdatatype.SRV:
            return from_zone(SITES)(query, peer, transport)
        reply = dns_reply(query, f"{NAME}. CNAME real.example.")
        reply.answer[0].ttl = 60
        reply.answer.append(dns.rrset.from_text("real.example.", 9000, "IN", "SRV", f"1 1 5060 site-a.{DOMAIN}."))
        return reply

    with nano_dns(answer) as server:
        facts = measure(options(server), CONTEXT)
    assert (facts.srv_found, facts.ttl_max_s) == (True, 60)


@pytest.mark.parametrize(
    ("ports", "expected", "words"),
    [
        ((5060, 5060), True, "Every record names port 5060."),
        ((5060, 5080), False, "The firewall is asked to allow port 5060, but DNS leads to b.example:5080"),
    ],
)
def test_the_port_is_compared_with_the_trunks(ports: tuple[int, int], expected: bool, words: str) -> None:
    facts = found({(NAME, "SRV"): [f"1 1 {ports[0]} a.example.", f"2 1 {ports[1]} b.example."]})
    assert facts.ports_expected is expected
    assert facts.evidence["ports_expected"].startswith(words)
    assert found({}).ports_expected is None


def test_a_site_by_ipv4_and_ipv6_is_one_site() -> None:
    facts = one_target({(f"site-a.{DOMAIN}", "A"): ["192.0.2.27"], (f"site-a.{DOMAIN}", "AAAA"): ["2001:db8:1::27"]})
    assert facts.site_count == 1


def test_an_alias_is_followed_and_told() -> None:
    def answer(query: dns.message.Message, *_: object) -> DnsAnswers:
        name = query.question[0].name.to_text()
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        if kind == "SRV" and name == f"{NAME}.":
            return dns_reply(query, "45 50 5060 site-a.trunk.example.")
        if name != "site-a.trunk.example.":
            return dns_reply(query, rcode="NXDOMAIN")
        reply = dns_reply(query, "site-a.trunk.example. CNAME alias.example.", "alias.example. CNAME real.example.")
        if kind == "A":
            reply.answer.append(dns.rrset.from_text("real.example.", 60, "IN", "A", "192.0.2.27"))
        return reply

    with nano_dns(answer) as server:
        facts = measure(options(server), CONTEXT)
    assert facts.aliases_found is True
    assert facts.targets_resolve is True
    assert facts.targets[0].aliases == ["alias.example", "real.example"]
    assert facts.evidence["aliases_found"] == "site-a.trunk.example is an alias of alias.example -> real.example."


def test_aliases_in_a_circle_end() -> None:
    def answer(query: dns.message.Message, *_: object) -> DnsAnswers:
        if query.question[0].rdtype == dns.rdatatype.SRV:
            return dns_reply(query, "45 50 5060 a.example.")
        return dns_reply(query, "a.example. CNAME b.example.", "b.example. CNAME a.example.")

    with nano_dns(answer) as server:
        facts = measure(options(server), CONTEXT)
    assert (facts.targets_resolve, facts.aliases_found, facts.targets_in_networks) == (False, True, None)
    assert facts.targets[0].addresses == []
    assert facts.names_invented is True


def test_a_record_of_another_class_is_no_srv_record() -> None:
    def answer(query: dns.message.Message, *_: object) -> DnsAnswers:
        reply = dns_reply(query)
        name, kind = query.question[0].name, dns.rdatatype.to_text(query.question[0].rdtype)
        reply.answer.append(dns.rrset.from_text(name, 60, "HS", kind, r"\# 4 C0000201"))
        return reply

    with nano_dns(answer) as server:
        facts = measure(options(server), CONTEXT)
    assert (facts.srv_found, facts.answers[0].records, facts.fallback_addresses) == (False, [], [])
