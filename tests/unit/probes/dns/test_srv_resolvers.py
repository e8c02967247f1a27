"""Several resolvers: which of them is believed, do they agree, and to which line do they belong?"""

import socket
import threading
from ipaddress import ip_interface

import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest

from gosip_check.probes.dns import resolvers, srv
from gosip_check.probes.dns.query import DnsStatus, Resolver
from gosip_check.probes.dns.resolvers import Stub
from gosip_check.probes.dns.srv import measure
from gosip_check.probes.net import interfaces, sockets
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind, Link
from gosip_check.servers.endpoint import Endpoint, Peer
from tests.unit.far_ends import DnsAnswers, dns_reply, from_zone, nano_dns
from tests.unit.probes.dns.srv_sites import CONTEXT, DOMAIN, NAME, SITES, found, options


def test_resolvers_that_differ() -> None:
    facts = found(SITES, {**SITES, (NAME, "SRV"): [f"45 50 5060 site-a.{DOMAIN}."]})
    assert facts.resolvers_agree is False
    assert facts.evidence["resolvers_agree"].startswith("The resolvers differ: 127.0.0.1:")
    assert len(facts.targets) == 2  # those of the first


def test_the_first_resolver_that_decides_is_believed_as_a_stub_resolver_would() -> None:
    facts = found({}, SITES)
    assert facts.resolvers_agree is False
    assert facts.srv_found is False
    assert found(SITES, {}).srv_found is True
    assert [answer.status for answer in facts.answers] == [DnsStatus.NXDOMAIN, DnsStatus.ANSWERED]


def test_resolvers_agree_whatever_the_order_and_the_ttl() -> None:
    def older(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
        reply = from_zone({**SITES, (NAME, "SRV"): SITES[NAME, "SRV"][::-1]})(query, peer, transport)
        assert isinstance(reply, dns.message.Message)
        for rrset in reply.answer:
            rrset.ttl = 7
        return reply

    with nano_dns(from_zone(SITES)) as one, nano_dns(older) as other:
        facts = measure(options(one, other), CONTEXT)
    assert facts.resolvers_agree is True
    assert facts.evidence["resolvers_agree"].startswith("2 resolvers gave the same answer: ")


def test_invented_names() -> None:
    def answer(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
        if query.question[0].rdtype == dns.rdatatype.A:
            return dns_reply(query, "203.0.113.80")  # a search page for everything
        return from_zone(SITES)(query, peer, transport)

    with nano_dns(from_zone(SITES)) as honest, nano_dns(answer) as inventing:
        facts = measure(options(honest, inventing), CONTEXT)
    assert facts.names_invented is True
    assert facts.evidence["names_invented"] == f"127.0.0.1:{inventing.port} answered for a name that does not exist."


def test_an_ipv6_resolver_beside_another() -> None:
    try:
        over_ipv6 = nano_dns(from_zone(SITES), "::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with over_ipv6, nano_dns(from_zone(SITES)) as other:
        facts = measure(options(over_ipv6, other), CONTEXT)
    assert [answer.resolver for answer in facts.answers] == [f"[::1]:{over_ipv6.port}", f"127.0.0.1:{other.port}"]
    assert (facts.srv_found, facts.resolvers_agree) == (True, True)


def test_the_machines_own_resolvers_come_first_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with nano_dns(from_zone(SITES)) as own, nano_dns(from_zone(SITES)) as named:
        monkeypatch.setattr(srv, "system_stub", lambda: Stub(own=[Resolver("127.0.0.1", own.port)]))
        facts = measure(options(named, own, system_resolvers=True), CONTEXT)
    assert [answer.resolver for answer in facts.answers] == [f"127.0.0.1:{own.port}", f"127.0.0.1:{named.port}"]


def test_no_resolver_at_all() -> None:
    with pytest.raises(ProbeFailed) as caught:
        measure(options(), CONTEXT)
    assert caught.value.failure.kind is FailureKind.UNSUPPORTED
    assert "no DNS resolver configured" in caught.value.failure.message


def test_stop() -> None:
    stop = threading.Event()

    def answer(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
        stop.set()
        return from_zone(SITES)(query, peer, transport)

    with nano_dns(answer) as server, pytest.raises(ProbeFailed) as caught:
        measure(options(server), Context(Link("Internet-1"), stop))
    assert caught.value.failure.kind is FailureKind.INTERRUPTED


def test_the_resolver_that_keeps_the_records_longest_is_named() -> None:
    def keeping(ttl_s: int) -> Endpoint:
        def answer(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
            reply = from_zone(SITES)(query, peer, transport)
            assert isinstance(reply, dns.message.Message)
            for rrset in reply.answer:
                rrset.ttl = ttl_s
            return reply

        return nano_dns(answer)

    with keeping(60) as quick, keeping(86400) as slow:
        facts = measure(options(quick, slow), CONTEXT)
    assert facts.ttl_max_s == 86400
    assert facts.evidence["ttl_max_s"].startswith(f"127.0.0.1:{slow.port} may keep the records for 86400 s")


def test_a_resolver_on_this_machine_is_asked_whatever_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Link("Internet-2", source="192.0.2.77", interface="no-such-interface")
    with nano_dns(from_zone(SITES)) as stub:
        facts = measure(options(stub), Context(line))
    assert facts.srv_found is True


OF_LINE_1, OF_LINE_2 = Resolver("192.0.2.1"), Resolver("198.51.100.1")


@pytest.fixture
def two_lines(monkeypatch: pytest.MonkeyPatch) -> Link:
    """A machine with two lines, each with its router; the second of them."""
    monkeypatch.setattr(
        interfaces,
        "addresses",
        lambda: {"eth0": [ip_interface("192.0.2.77/24")], "eth1": [ip_interface("198.51.100.77/24")]},
    )
    return Link("Internet-2", source="198.51.100.77", interface="eth1")


def test_which_line_a_resolver_belongs_to(two_lines: Link) -> None:
    assert resolvers.line_to(OF_LINE_1, two_lines) is None
    assert resolvers.line_to(OF_LINE_2, two_lines) == two_lines
    assert resolvers.line_to(Resolver("203.0.113.53"), two_lines) == two_lines  # somewhere in the Internet
    assert resolvers.line_to(Resolver("127.0.0.53"), two_lines) == Link("Internet-2")
    assert resolvers.line_to(Resolver("192.0.2.77"), two_lines) == Link("Internet-2")  # this machine's own address
    assert resolvers.line_to(Resolver("fe80::1%eth0"), two_lines) is None
    assert resolvers.line_to(Resolver("fe80::1%eth1"), two_lines) == two_lines
    assert resolvers.line_to(OF_LINE_1, Link("Internet-1")) == Link("Internet-1")


def test_the_other_lines_resolver_says_nothing_about_this_line(
    two_lines: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(srv, "system_stub", lambda: Stub(own=[OF_LINE_1]))
    with pytest.raises(ProbeFailed) as caught:
        measure(options(system_resolvers=True), Context(two_lines))
    assert caught.value.failure.kind.says_nothing_about_the_site
    assert caught.value.failure.message == (
        "192.0.2.1 belongs to another line, beside whose interface it lies, and was not asked; "
        "name one that is reached over this line with --dns-server."
    )
    with nano_dns(from_zone(SITES)) as named:
        facts = measure(options(named, system_resolvers=True), Context(two_lines))
    assert (facts.srv_found, facts.resolvers_agree, facts.resolvers_elsewhere) == (True, True, ["192.0.2.1"])
    assert [answer.is_own for answer in facts.answers] == [True]
    assert "192.0.2.1 belongs to another line" in facts.evidence["resolvers_agree"]


def test_a_resolver_that_may_not_be_asked_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sending = sockets.send_to

    def send_to(sock: socket.socket, data: bytes, address: str, port: int) -> None:
        if address == "127.0.0.9":
            raise ProbeFailed(FailureKind.PERMISSION, "This machine refused it.")
        sending(sock, data, address, port)

    monkeypatch.setattr(sockets, "send_to", send_to)
    with nano_dns(from_zone(SITES)) as good:
        facts = measure(options("127.0.0.9", good), CONTEXT)
    assert (facts.srv_found, facts.resolvers_agree, facts.names_invented) == (True, None, False)
    assert "127.0.0.9: forbidden (This machine refused it)" in facts.evidence["resolvers_agree"]
    facts = measure(options("127.0.0.9"), CONTEXT)
    assert (facts.srv_found, facts.resolvers_agree, facts.names_invented) == (None, None, None)
