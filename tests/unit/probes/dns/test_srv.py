"""Where the trunk's DNS leads, through one resolver of a few lines that says what the test wants."""

import threading

import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest

from gosip_check.probes.dns import query, srv
from gosip_check.probes.dns.query import DnsStatus, Reply, Resolver, StubOptions
from gosip_check.probes.dns.srv import SrvRecord, in_order, measure
from gosip_check.probes.probe import Context
from gosip_check.servers.endpoint import Peer
from tests.unit.far_ends import DnsAnswers, dns_reply, from_zone, nano_dns, unused_port
from tests.unit.probes.dns.srv_sites import CONTEXT, DOMAIN, NAME, SITES, found, one_target, options


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which no answer comes."""
    monkeypatch.setattr(query, "_LONGEST_S", 0.1)


def test_two_sites() -> None:
    facts = found(SITES)
    assert facts.name == NAME
    assert facts.srv_found is True
    assert [(t.priority, t.weight, t.target, t.port, t.addresses, t.aliases, t.status) for t in facts.targets] == [
        (45, 50, "site-a.trunk.example", 5060, ["192.0.2.27"], [], DnsStatus.ANSWERED),
        (55, 50, "site-b.trunk.example", 5060, ["198.51.100.27"], [], DnsStatus.ANSWERED),
    ]
    assert (facts.targets_resolve, facts.targets_in_networks, facts.site_count) == (True, True, 2)
    assert (facts.aliases_found, facts.resolvers_agree, facts.names_invented) == (False, True, False)
    assert (facts.ttl_max_s, facts.arrangement, facts.fallback_addresses) == (300, "active-standby", [])
    assert facts.evidence["srv_found"] == (
        f"2 SRV records for {NAME}: site-a.trunk.example:5060 (priority 45, weight 50), "
        "site-b.trunk.example:5060 (priority 55, weight 50)."
    )
    assert facts.evidence["targets_resolve"] == (
        "site-a.trunk.example -> 192.0.2.27; site-b.trunk.example -> 198.51.100.27"
    )


@pytest.mark.parametrize(
    ("records", "arrangement"),
    [
        (["45 50 5060 a.example.", "55 50 5060 b.example."], "active-standby"),
        (["45 10 5060 a.example.", "45 90 5060 b.example."], "load-sharing"),
        (["45 50 5060 a.example.", "45 50 5060 b.example.", "55 50 5060 c.example."], "active-standby"),
        (["45 50 5060 a.example."], "single"),
        (["45 50 5060 a.example.", "55 50 5060 ."], "single"),
        (["0 0 0 ."], None),
    ],
)
def test_arrangement(records: list[str], arrangement: str | None) -> None:
    assert found({(NAME, "SRV"): records}).arrangement == arrangement


def test_order_of_rfc_2782() -> None:
    def record(priority: int, weight: int, target: str) -> SrvRecord:
        return SrvRecord(priority=priority, weight=weight, port=5060, target=target, ttl_s=1)

    wanted = [record(0, 0, "z"), record(10, 65535, "y"), record(10, 1, "a"), record(10, 1, "b"), record(10, 0, "c")]
    assert in_order(wanted[::-1]) == wanted


def test_no_srv_falls_back_on_the_domain() -> None:
    facts = found({(DOMAIN, "A"): ["192.0.2.27"], (DOMAIN, "AAAA"): ["2001:db8:1::27"]})
    assert (facts.srv_found, facts.targets, facts.fallback_addresses) == (False, [], ["192.0.2.27", "2001:db8:1::27"])
    assert facts.evidence["srv_found"].endswith(
        "A PBX would fall back on the address of trunk.example (192.0.2.27, 2001:db8:1::27), port 5060 (RFC 3263). "
        "It loses the move to the other site when one fails."
    )
    assert (facts.targets_resolve, facts.targets_in_networks, facts.site_count) == (None, None, None)
    assert (facts.aliases_found, facts.ttl_max_s, facts.arrangement) == (None, None, None)


def test_no_srv_and_no_address() -> None:
    facts = found({("other.example", "A"): ["192.0.2.1"]})
    assert (facts.srv_found, facts.fallback_addresses) == (False, [])
    assert [answer.status for answer in facts.answers] == [DnsStatus.NXDOMAIN]
    assert facts.evidence["srv_found"].endswith(
        "NXDOMAIN (there is no such name). "
        "trunk.example has no address of its own either, so no PBX could find the trunk."
    )


@pytest.mark.usefixtures("impatient")
def test_no_srv_and_no_answer_for_the_address_does_not_say_that_there_is_none() -> None:
    def answer(query: dns.message.Message, *_: object) -> DnsAnswers:
        asked = query.question[0]
        if asked.name.to_text() == f"{DOMAIN}.":
            return None
        return dns_reply(query, rcode="NXDOMAIN")

    with nano_dns(answer) as server:
        facts = measure(options(server), CONTEXT)
    assert facts.srv_found is False
    assert "no PBX" not in facts.evidence["srv_found"]
    assert facts.evidence["srv_found"].endswith("(RFC 3263): timeout.")


@pytest.mark.parametrize(
    ("rcode", "flags", "status", "words"),
    [
        (
            "REFUSED",
            "RD",
            DnsStatus.REFUSED,
            "REFUSED (it answers nothing to this machine, or nothing about this name)",
        ),
        ("NOTIMP", "RD", DnsStatus.OTHER_ERROR, "error (NOTIMP: it does not answer such questions)"),
        ("NOERROR", "RD", DnsStatus.LAME, "neither records nor a will to look for them"),
    ],
)
def test_a_resolver_that_gives_no_answer_is_of_no_use_to_a_pbx(
    rcode: str, flags: str, status: DnsStatus, words: str
) -> None:
    with nano_dns(lambda query, *_: dns_reply(query, rcode=rcode, flags=flags)) as server:
        facts = measure(options(server), CONTEXT)
    assert [answer.status for answer in facts.answers] == [status]
    assert (facts.srv_found, facts.names_invented, facts.resolvers_agree) == (False, None, False)
    assert facts.evidence["srv_found"] == (
        f"No resolver of this machine could answer for {NAME}, asked again where it failed: "
        f"127.0.0.1:{server.port}: {words}."
    )
    assert "gave no clear answer for a name that does not exist" in facts.evidence["names_invented"]


@pytest.mark.usefixtures("impatient")
def test_silence_is_not_a_missing_record() -> None:
    with nano_dns(lambda *_: None) as one, nano_dns(lambda *_: None) as other:
        facts = measure(options(one, other), CONTEXT)
    assert [answer.status for answer in facts.answers] == [DnsStatus.TIMEOUT, DnsStatus.TIMEOUT]
    assert (facts.srv_found, facts.names_invented) == (False, None)
    assert facts.evidence["srv_found"] == (
        f"No resolver of this machine could answer for {NAME}, asked again where it failed: "
        f"127.0.0.1:{one.port}: timeout (no answer within 0.1 s); "
        f"127.0.0.1:{other.port}: timeout (no answer within 0.1 s)."
    )


def test_nothing_that_listens() -> None:
    facts = measure(options(f"127.0.0.1:{unused_port()}"), CONTEXT)
    assert (facts.srv_found, facts.names_invented, facts.resolvers_agree) == (None, None, None)
    assert facts.evidence["srv_found"].startswith(f"This machine could ask no resolver for {NAME}: 127.0.0.1:")
    assert "127.0.0.1 says port unreachable" in facts.evidence["srv_found"]
    assert facts.evidence["names_invented"] == "No resolver could be asked for a name that does not exist."


@pytest.mark.usefixtures("impatient")
def test_one_dead_resolver_beside_a_good_one() -> None:
    with nano_dns(lambda *_: None) as dead, nano_dns(from_zone(SITES)) as good:
        facts = measure(options(dead, good), CONTEXT)
    assert facts.srv_found is True
    assert facts.targets_resolve is True  # asked of the one that answers
    assert facts.resolvers_agree is False
    assert facts.evidence["resolvers_agree"] == (
        f"Not every resolver answers: 127.0.0.1:{dead.port}: timeout (no answer within 0.1 s)."
    )
    assert facts.names_invented is False
    assert facts.evidence["names_invented"].startswith(f"127.0.0.1:{good.port} said")


@pytest.mark.usefixtures("impatient")
def test_a_truncated_answer_whose_tcp_retry_is_blocked_decides_nothing() -> None:
    def answer(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
        del peer
        return dns_reply(query, "1 1 1 cut.example.", flags="RA TC") if transport == "UDP" else None

    with nano_dns(answer) as server:
        facts = measure(options(server), CONTEXT)
    (only,) = facts.answers
    assert (only.status, only.truncated, only.tcp_retry_worked, only.records) == (DnsStatus.TIMEOUT, True, False, [])
    assert facts.srv_found is None
    assert "its answer did not fit into UDP, and over TCP no answer came" in facts.evidence["srv_found"]


def test_a_service_that_is_not_offered() -> None:
    facts = found({(NAME, "SRV"): ["0 0 0 ."]})
    assert (facts.srv_found, facts.targets, facts.ttl_max_s) == (False, [], None)
    assert facts.evidence["srv_found"] == f"{NAME} says that the service is not offered (target '.', RFC 2782)."


def test_a_target_without_an_address() -> None:
    facts = one_target({(f"site-a.{DOMAIN}", "TXT"): ["nothing here"]})
    assert (facts.srv_found, facts.targets_resolve, facts.targets_in_networks) == (True, False, None)
    assert facts.evidence["targets_resolve"] == "site-a.trunk.example -> no such record"
    assert one_target({}).evidence["targets_resolve"] == "site-a.trunk.example -> NXDOMAIN (there is no such name)"


@pytest.mark.parametrize("failing", ["A", "AAAA"])
def test_a_target_whose_address_nobody_could_tell(failing: str) -> None:
    known = from_zone({**SITES, (f"site-a.{DOMAIN}", "A"): []})

    def answer(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
        if query.question[0].rdtype == dns.rdatatype.from_text(failing):
            return dns_reply(query, rcode="SERVFAIL")
        return known(query, peer, transport)

    with nano_dns(answer) as server:
        facts = measure(options(server), CONTEXT)
    assert facts.targets_resolve is None
    assert facts.targets[0].status is DnsStatus.SERVFAIL
    assert facts.site_count is None


def test_addresses_by_ipv6_alone() -> None:
    facts = one_target({(f"site-a.{DOMAIN}", "AAAA"): ["2001:db8:1::27"]})
    assert facts.targets[0].addresses == ["2001:db8:1::27"]
    assert (facts.targets_resolve, facts.targets_in_networks, facts.site_count) == (True, True, 1)


def test_an_address_outside_the_networks() -> None:
    facts = one_target({(f"site-a.{DOMAIN}", "A"): ["192.0.2.27", "203.0.113.9"]})
    assert (facts.targets_in_networks, facts.site_count) == (False, 1)
    assert facts.evidence["targets_in_networks"] == (
        f"Outside 192.0.2.0/24, 198.51.100.0/24, 2001:db8:1::/48: 203.0.113.9 (from {facts.answers[0].resolver})."
    )


def test_an_address_outside_the_networks_from_the_second_resolver() -> None:
    astray = {**SITES, (f"site-a.{DOMAIN}", "A"): ["203.0.113.9"]}
    facts = found(SITES, astray)
    assert facts.targets_in_networks is False
    assert f"203.0.113.9 (from {facts.answers[1].resolver})" in facts.evidence["targets_in_networks"]


def test_a_hundred_records() -> None:
    hosts = [f"host-{number:03}.{DOMAIN}" for number in range(100)]
    facts = found(
        {
            (NAME, "SRV"): [f"{number} 50 5060 {host}." for number, host in enumerate(hosts)],
            **{(host, "A"): [f"192.0.2.{number}"] for number, host in enumerate(hosts)},
        }
    )
    assert [target.target for target in facts.targets] == hosts
    assert [target.addresses for target in facts.targets] == [[f"192.0.2.{number}"] for number in range(100)]
    assert (facts.answers[0].truncated, facts.answers[0].tcp_retry_worked) == (True, True)


def test_targets_are_resolved_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    met = threading.Barrier(2)

    def ask(context: Context, resolver: Resolver, name: str, kind: str, stub: StubOptions) -> Reply:
        if name.startswith("site-") and kind == "A":
            met.wait(timeout=30)  # broken, which raises, where one question waits for the other
        return query.ask(context, resolver, name, kind, stub)

    monkeypatch.setattr(srv, "ask", ask)
    assert found(SITES).targets_resolve is True


def test_names_with_odd_octets() -> None:
    target = r"\000\027]0\;x\007.sp\032ace.\255\@\"a\.b." + DOMAIN
    wire_name = dns.name.from_text(target + ".")
    asked: list[dns.name.Name] = []

    def answer(query: dns.message.Message, *_: object) -> DnsAnswers:
        question = query.question[0]
        asked.append(question.name)
        if question.rdtype == dns.rdatatype.SRV:
            return dns_reply(query, f"45 50 5060 {target}.")
        return dns_reply(query, "192.0.2.27") if question.rdtype == dns.rdatatype.A else dns_reply(query)

    with nano_dns(answer) as server:
        facts = measure(options(server), CONTEXT)
    assert facts.targets[0].addresses == ["192.0.2.27"]
    assert wire_name in asked
    assert facts.targets[0].target.isprintable()


def test_the_same_record_twice_counts_once() -> None:
    def answer(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
        reply = from_zone(SITES)(query, peer, transport)
        assert isinstance(reply, dns.message.Message)
        reply.answer += reply.answer
        return reply

    with nano_dns(answer) as server:
        facts = measure(options(server), CONTEXT)
    assert [target.priority for target in facts.targets] == [45, 55]
    assert facts.targets[0].addresses == ["192.0.2.27"]
