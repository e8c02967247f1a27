"""Whose answer counts, as in libc: which resolvers, in which order, how often; all others are for comparison."""

import time

import dns.message
import pytest

from gosip_check.probes.dns import query, srv
from gosip_check.probes.dns.query import DnsStatus, Resolver
from gosip_check.probes.dns.resolvers import Stub
from gosip_check.probes.dns.srv import measure
from gosip_check.probes.probe import ProbeFailed
from gosip_check.records import FailureKind
from gosip_check.servers.endpoint import Peer
from tests.unit.far_ends import DnsAnswers, dns_reply, from_zone, nano_dns, unused_port
from tests.unit.probes.dns.srv_sites import (
    CONTEXT,
    DOMAIN,
    NAME,
    SITES,
    at_first,
    failing,
    machine,
    options,
    seen_by,
)

GOOD = from_zone(SITES)
NO_SUCH_NAME = from_zone({})
ASTRAY = from_zone({**SITES, (f"site-a.{DOMAIN}", "A"): ["203.0.113.9"]})


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTIMP"])
def test_one_failure_is_asked_again(rcode: str) -> None:
    facts = seen_by(at_first(rcode, GOOD))
    assert (facts.srv_found, facts.targets_in_networks, facts.site_count) == (True, True, 2)
    assert (facts.resolvers_agree, facts.names_invented) == (True, False)
    assert facts.answers[0].tries == 2


def test_a_resolver_is_asked_as_often_as_its_file_says() -> None:
    assert seen_by(at_first("SERVFAIL", GOOD, times=3), attempts=4).srv_found is True
    assert seen_by(at_first("SERVFAIL", GOOD, times=4), attempts=4).srv_found is False
    assert seen_by(at_first("SERVFAIL", GOOD), attempts=1).srv_found is False


@pytest.mark.waits
def test_from_one_try_to_the_next_there_is_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "_PAUSE_S", 0.3)
    asked_s: list[float] = []

    def answer(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
        asked_s.append(time.monotonic())
        return dns_reply(query, rcode="SERVFAIL") if len(asked_s) == 1 else GOOD(query, peer, transport)

    assert seen_by(answer).srv_found is True
    assert asked_s[1] - asked_s[0] >= 0.3


@pytest.mark.waits
def test_a_resolver_that_takes_long_is_waited_for_as_long_as_its_file_says() -> None:
    """It drops three copies, and answers the one that is sent when another resolver would be asked."""
    asked: list[int] = []

    def slow(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
        asked.append(query.id)
        return GOOD(query, peer, transport) if len(asked) > 3 else None

    facts = seen_by(slow, timeout_s=0.5)
    assert (facts.srv_found, facts.answers[0].tries) == (True, 2)


def test_a_failure_of_every_resolver_has_words_of_its_own() -> None:
    facts = seen_by(failing("SERVFAIL"), failing("SERVFAIL"))
    assert (facts.srv_found, facts.resolvers_agree, facts.names_invented) == (False, False, None)
    assert facts.evidence["srv_found"].startswith(
        f"Every resolver of this machine is there and says that it could not find out {NAME}, asked 2 times: 127.0.0.1:"
    )
    assert not seen_by(failing("SERVFAIL"), failing("REFUSED")).evidence["srv_found"].startswith("Every resolver")


@pytest.mark.parametrize("answers", [(failing("SERVFAIL"), GOOD), (GOOD, failing("SERVFAIL"))], ids=["first", "second"])
def test_of_one_that_fails_the_others_decide(answers: tuple[object, ...]) -> None:
    with machine(*answers) as servers:  # type: ignore[arg-type]
        facts = measure(options(system_resolvers=True), CONTEXT)
    assert (facts.srv_found, facts.targets_in_networks, facts.site_count) == (True, True, 2)
    assert (facts.resolvers_agree, facts.names_invented) == (False, False)
    bad = servers[[answer.status for answer in facts.answers].index(DnsStatus.SERVFAIL)]
    assert facts.evidence["resolvers_agree"] == (
        f"Not every resolver answers: 127.0.0.1:{bad.port}: SERVFAIL (it could not find out)."
    )


def test_one_that_is_right_the_second_time_comes_too_late_after_a_denial() -> None:
    """libc asks the second resolver before it asks the first one again (test_dns.py of the lab shows it)."""
    assert seen_by(at_first("SERVFAIL", GOOD), NO_SUCH_NAME).srv_found is False
    assert seen_by(NO_SUCH_NAME, GOOD).srv_found is False
    assert seen_by(at_first("SERVFAIL", NO_SUCH_NAME), GOOD).srv_found is True
    assert seen_by(GOOD, NO_SUCH_NAME).srv_found is True


def test_with_rotate_whoever_denies_may_be_the_first() -> None:
    facts = seen_by(GOOD, NO_SUCH_NAME, rotate=True)
    assert facts.srv_found is False
    assert "Any of them may be asked first (options rotate)." in facts.evidence["srv_found"]
    assert seen_by(GOOD, failing("SERVFAIL"), rotate=True).srv_found is True
    assert "rotate" not in seen_by(NO_SUCH_NAME, rotate=True).evidence["srv_found"]


def test_a_line_behind_the_third_decides_nothing() -> None:
    facts = seen_by(GOOD, beyond=[ASTRAY])
    assert (facts.srv_found, facts.targets_in_networks, facts.resolvers_agree) == (True, True, False)
    assert [answer.is_own for answer in facts.answers] == [True, False]
    assert seen_by(failing("SERVFAIL"), beyond=[GOOD]).srv_found is False
    assert seen_by(NO_SUCH_NAME, beyond=[GOOD]).fallback_addresses == []


@pytest.mark.parametrize("other", [NO_SUCH_NAME, failing("REFUSED"), failing("SERVFAIL")])
def test_one_that_a_stub_asks_for_other_names_decides_nothing(other: object) -> None:
    facts = seen_by(GOOD, behind=[GOOD, other])
    assert (facts.srv_found, facts.targets_in_networks, facts.names_invented) == (True, True, False)
    assert facts.resolvers_agree is None
    assert "It is asked through a stub, which may ask it for other names only." in facts.evidence["resolvers_agree"]
    assert seen_by(GOOD, behind=[GOOD]).resolvers_agree is True


def test_the_stub_decides_not_those_that_it_asks() -> None:
    assert seen_by(NO_SUCH_NAME, behind=[GOOD]).srv_found is False
    facts = seen_by(GOOD, behind=[ASTRAY])
    assert (facts.srv_found, facts.targets_in_networks, facts.resolvers_agree) == (True, True, False)
    assert seen_by(NO_SUCH_NAME, behind=[failing("SERVFAIL")]).resolvers_agree is True


def test_names_that_are_invented_behind_a_stub_are_the_stubs_matter() -> None:
    def inventing(query: dns.message.Message, *_: object) -> DnsAnswers:
        return dns_reply(query, "203.0.113.80") if query.question[0].rdtype == 1 else dns_reply(query, rcode="NXDOMAIN")

    assert seen_by(GOOD, behind=[inventing]).names_invented is False
    assert seen_by(GOOD, beyond=[inventing]).names_invented is True
    assert seen_by(inventing, behind=[GOOD]).names_invented is True


def test_a_resolver_named_for_comparison_does_not_stand_in_for_the_machine_s_own() -> None:
    with nano_dns(GOOD) as good, nano_dns(ASTRAY) as liar:
        facts = seen_by(NO_SUCH_NAME, named=[good])
        assert [answer.is_own for answer in facts.answers] == [True, False]
        assert (facts.srv_found, facts.resolvers_agree) == (False, False)
        facts = seen_by(GOOD, named=[liar])
        assert (facts.srv_found, facts.targets_in_networks, facts.resolvers_agree) == (True, True, False)


def nobody_configured(port: int) -> Stub:
    return Stub(own=[Resolver("127.0.0.1", port)], is_assumed=True)


def test_where_none_is_configured_the_one_on_this_machine_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with nano_dns(GOOD) as local:
        monkeypatch.setattr(srv, "system_stub", lambda: nobody_configured(local.port))
        facts = measure(options(system_resolvers=True), CONTEXT)
    assert (facts.srv_found, facts.answers[0].is_own) == (True, True)


def test_where_none_is_configured_and_none_runs_a_named_one_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(srv, "system_stub", lambda: nobody_configured(unused_port()))
    with pytest.raises(ProbeFailed, match="no DNS resolver configured") as caught:
        measure(options(system_resolvers=True), CONTEXT)
    assert caught.value.failure.kind is FailureKind.UNSUPPORTED
    with nano_dns(GOOD) as named:
        facts = measure(options(named, system_resolvers=True), CONTEXT)
    assert [(answer.is_own, answer.status) for answer in facts.answers] == [(True, DnsStatus.ANSWERED)]
    assert (facts.srv_found, facts.resolvers_agree) == (True, True)


def test_a_resolver_that_cannot_be_is_no_fault_of_the_site() -> None:
    with pytest.raises(ProbeFailed, match=r"^The resolver to ask: 'dns.example' is not an IP address") as caught:
        measure(options("dns.example"), CONTEXT)
    assert caught.value.failure.kind is FailureKind.UNSUPPORTED


@pytest.mark.parametrize(("octets", "invented"), [(220, False), (234, False), (235, None), (243, None)])
def test_a_domain_as_long_as_can_be(octets: int, invented: bool | None) -> None:
    """The made-up name beneath it has what room there is left."""
    domain = ".".join(["d" * 60] * 4)[:octets]
    records = {(f"_sip._udp.{domain}", "SRV"): SITES[NAME, "SRV"]}
    with nano_dns(from_zone({**SITES, **records})) as server:
        facts = measure(options(server, domain=domain), CONTEXT)
    assert facts.srv_found is True
    assert facts.names_invented is invented


def test_edns_is_offered_where_the_file_says_so_and_left_out_where_it_is_not_known() -> None:
    offered: list[int] = []

    def old(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
        offered.append(query.payload)
        return GOOD(query, peer, transport) if query.edns < 0 else dns_reply(query, rcode="FORMERR")

    assert seen_by(old, edns0=True).srv_found is True
    assert set(offered) == {1200, 0}
    offered.clear()
    assert seen_by(old).srv_found is True
    assert set(offered) == {0}


def test_over_tcp_where_the_file_says_so() -> None:
    transports: set[str] = set()

    def answer(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
        transports.add(transport)
        return GOOD(query, peer, transport)

    assert seen_by(answer, use_vc=True).srv_found is True
    assert transports == {"TCP"}
