"""Where is a host that a person named? Its address by the resolvers of the link, and by nobody past it."""

from collections.abc import Callable
from ipaddress import ip_interface
from pathlib import Path

import dns.rrset
import pytest

from gosip_check.probes.dns import names, query
from gosip_check.probes.dns.query import Resolver
from gosip_check.probes.dns.resolvers import Stub
from gosip_check.probes.net import interfaces
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind, Link
from tests.unit.far_ends import from_zone, nano_dns

HOST = "far.example.net"
FIRST, SECOND = "192.0.2.1", "198.51.100.1"
REMOTE, STUB = "203.0.113.53", "127.0.0.53"
LINE_2 = Link("Internet-2", source="198.51.100.77", interface="eth1")


@pytest.fixture(autouse=True)
def no_hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where a test writes what /etc/hosts has."""
    path = tmp_path / "hosts"
    monkeypatch.setattr(names, "_HOSTS", path)
    return path


Asked = list[tuple[str, str, str | None]]
Play = Callable[..., Asked]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """A machine with two lines and its resolvers. What was asked of whom, and over which interface, is written down."""

    def begin(stub: Stub, answers: dict[tuple[str, str], str]) -> Asked:
        asked: Asked = []

        def ask(context: Context, resolver: Resolver, name: str, kind: str, *_: object) -> query.Reply:
            asked.append((resolver.address, kind, context.link.interface))
            address = answers.get((resolver.address, kind))
            reply = query.Reply(query.DnsStatus.ANSWERED if address else query.DnsStatus.NXDOMAIN)
            if address:
                reply.rrset = dns.rrset.from_text(f"{name}.", 60, "IN", kind, address)
            return reply

        monkeypatch.setattr(names, "ask", ask)
        monkeypatch.setattr(names, "system_stub", lambda: stub)
        here = {"eth0": [ip_interface("192.0.2.77/24")], "eth1": [ip_interface("198.51.100.77/24")]}
        monkeypatch.setattr(interfaces, "addresses", lambda: here)
        return asked

    return begin


def test_only_resolvers_of_the_link_are_asked_and_over_it(play: Play) -> None:
    asked = play(Stub(own=[Resolver(FIRST), Resolver(SECOND)]), {(SECOND, "A"): "203.0.113.9"})
    assert names.address_of(Context(LINE_2), HOST) == "203.0.113.9"
    assert asked == [(SECOND, "A", "eth1")]


def test_a_stub_is_asked_last_and_without_binding_and_that_is_said(play: Play) -> None:
    said: list[str] = []
    asked = play(Stub(own=[Resolver(STUB)], upstream=[Resolver(FIRST), Resolver(REMOTE)]), {(STUB, "A"): "203.0.113.9"})
    assert names.address_of(Context(LINE_2, say=said.append), HOST) == "203.0.113.9"
    assert asked == [(REMOTE, "A", "eth1"), (STUB, "A", None)]
    assert said == [f"{HOST} is 203.0.113.9, by {STUB} (on this machine, which chooses the line by itself)"]


def test_where_the_system_chooses_the_line_the_resolvers_keep_their_order(play: Play) -> None:
    asked = play(Stub(own=[Resolver(STUB)], upstream=[Resolver(REMOTE)]), {(STUB, "AAAA"): "2001:db8::9"})
    assert names.address_of(Context(Link("Internet-1")), HOST) == "2001:db8::9"
    assert asked == [(STUB, "A", None), (STUB, "AAAA", None)]


def test_a_line_by_ipv6_asks_for_addresses_of_ipv6(play: Play) -> None:
    asked = play(Stub(own=[Resolver(REMOTE)]), {(REMOTE, "AAAA"): "2001:db8::9"})
    link = Link("Internet-2", source="2001:db8::77", interface="eth1")
    assert names.address_of(Context(link), HOST) == "2001:db8::9"
    assert asked == [(REMOTE, "AAAA", "eth1")]


def test_resolvers_that_were_named_are_asked_as_well_or_instead(play: Play) -> None:
    answers = {(REMOTE, "A"): "203.0.113.9"}
    asked = play(Stub(own=[Resolver(SECOND)]), answers)
    assert names.address_of(Context(LINE_2, dns_servers=[REMOTE]), HOST) == "203.0.113.9"
    assert [who for who, *_ in asked] == [SECOND, REMOTE]
    asked = play(Stub(own=[Resolver(SECOND)]), answers)
    assert names.address_of(Context(LINE_2, dns_servers=[REMOTE], system_resolvers=False), HOST) == "203.0.113.9"
    assert [who for who, *_ in asked] == [REMOTE]


def test_every_probe_of_a_link_gets_the_same_address(play: Play) -> None:
    context = Context(LINE_2)
    asked = play(Stub(own=[Resolver(SECOND)]), {(SECOND, "A"): "203.0.113.9"})
    assert names.address_of(context, HOST) == names.address_of(context, HOST)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("stub", "words"),
    [
        (Stub(own=[Resolver(SECOND)]), f"{SECOND} says NXDOMAIN (there is no such name)."),
        (Stub(own=[Resolver(FIRST)]), "no resolver is reached over it; name one with --dns-server."),
    ],
)
def test_a_name_without_address_is_no_fault_of_the_site(play: Play, stub: Stub, words: str) -> None:
    play(stub, {})
    with pytest.raises(ProbeFailed) as caught:
        names.address_of(Context(LINE_2), HOST)
    assert caught.value.failure.kind is FailureKind.UNSUPPORTED
    assert caught.value.failure.message == f"The name {HOST} has no address on this line: {words}"


@pytest.mark.parametrize("host", ["two..dots", f"{'x' * 64}.example", "x." * 128])
def test_what_is_no_name_is_asked_of_nobody(play: Play, host: str) -> None:
    asked = play(Stub(own=[Resolver(SECOND)]), {})
    with pytest.raises(ProbeFailed, match="not a name that DNS can have"):
        names.address_of(Context(LINE_2), host)
    assert asked == []


def test_the_hosts_file_counts_first(play: Play, no_hosts: Path) -> None:
    asked = play(Stub(own=[Resolver(SECOND)]), {})
    no_hosts.write_bytes(
        b"# 203.0.113.1 far.example.net\n\nnot-an-address far.example.net\n2001:db8::1 far.example.net\n"
        b"203.0.113.2\tother FAR.example.net # far\n203.0.113.3 far.example.net\n\xff\n"
    )
    assert names.address_of(Context(LINE_2), f"{HOST}.") == "203.0.113.2"
    assert names.address_of(Context(Link("Internet-1")), HOST) == "2001:db8::1"
    assert asked == []


def test_a_real_question_and_its_answer() -> None:
    with nano_dns(from_zone({(HOST, "A"): ["203.0.113.9"]})) as resolver:
        context = Context(Link("Internet-1"), dns_servers=[f"127.0.0.1:{resolver.port}"], system_resolvers=False)
        assert names.address_of(context, HOST) == "203.0.113.9"
