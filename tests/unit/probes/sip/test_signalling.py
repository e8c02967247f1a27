"""What the answers of all servers add up to, and the manners: how often a server is asked."""

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import msgspec
import pytest

from gosip_check.checklist import load
from gosip_check.judge import judge
from gosip_check.probes.dns.query import DnsStatus
from gosip_check.probes.dns.servers import Server
from gosip_check.probes.dns.srv import Facts as SrvFacts
from gosip_check.probes.dns.srv import Target
from gosip_check.probes.net import sockets
from gosip_check.probes.path.stand_in import Facts as StandIns
from gosip_check.probes.path.stand_in import StandIn
from gosip_check.probes.probe import Context, Facts, ProbeFailed
from gosip_check.probes.sip import signalling
from gosip_check.probes.sip.exchange import Exchange, Result
from gosip_check.probes.sip.signalling import Options, ServerFacts, measure
from gosip_check.records import FailureKind, Link, Outcome
from gosip_check.servers.endpoint import Answers, Endpoint, Peer
from gosip_check.wire import sip
from tests.unit.far_ends import reply, sip_server
from tests.unit.records import measurement

CONTEXT = Context(Link("Internet-1"))
DOMAIN = "trunk.example"


def target(address: str, port: int, name: str = f"site-a.{DOMAIN}") -> Target:
    return Target(
        target=name,
        addresses=[address],
        aliases=[],
        status=DnsStatus.ANSWERED,
        port=port,
        priority=45,
        weight=50,
    )


def context_with(*targets: Target, stop: threading.Event | None = None) -> Context:
    facts = SrvFacts(
        name="_sip._udp.trunk.example",
        answers=[],
        targets=list(targets),
        srv_found=True,
        targets_resolve=True,
        targets_in_networks=True,
        ports_expected=True,
        site_count=1,
        aliases_found=False,
        resolvers_agree=True,
        resolvers_elsewhere=[],
        names_invented=False,
        ttl_max_s=300,
        arrangement="single",
        fallback_addresses=[],
        evidence={},
    )
    seen: dict[str, Facts] = {"srv": facts}
    return Context(Link("Internet-1"), stop or threading.Event(), seen)


def options(transport: Literal["udp", "tcp"] = "udp", requests: int = 1) -> Options:
    return Options(domain=DOMAIN, transport=transport, requests=requests)


@pytest.fixture
def arrivals() -> Iterator[tuple[Endpoint, list[float]]]:
    """A server that answers, and the times at which a new transaction began."""
    times: list[float] = []

    def handle(request: sip.Request, peer: Peer) -> Answers:
        times.append(time.monotonic())
        return reply(request, peer)

    with sip_server(handle) as server:
        yield server, times


@pytest.mark.waits
def test_at_most_one_request_a_second_to_one_server(arrivals: tuple[Endpoint, list[float]]) -> None:
    server, times = arrivals
    place = server.address, server.port
    facts = measure(options(requests=3), context_with(target(*place), target(*place, name=f"other.{DOMAIN}")))
    assert len(times) == 3
    assert len(facts.servers) == 1  # two names for one server do not make two of it
    assert facts.servers[0].targets == [f"site-a.{DOMAIN}", f"other.{DOMAIN}"]
    assert len(facts.servers[0].rtts_ms) == 3
    # each pause begins when the answer is in, so an arrival can only be later than a second after the one before
    assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize("status", [403, 429, 503])
def test_a_server_that_wants_to_be_left_alone_is(status: int) -> None:
    asked: list[Peer] = []

    def handle(request: sip.Request, peer: Peer) -> Answers:
        asked.append(peer)
        return reply(request, peer, status, "No")

    with sip_server(handle) as server:
        facts = measure(options(requests=3), context_with(target(server.address, server.port)))
    assert len(asked) == 1
    assert (facts.any_server_answers, facts.every_server_answers) == (True, True)


def test_servers_are_asked_side_by_side_and_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    met = threading.Barrier(16)

    def ask_it(context: Context, domain: str, server: Server) -> Exchange:
        del context, domain, server
        met.wait(timeout=30)
        return Exchange("answered", "200 OK", status=200)

    monkeypatch.setattr(signalling, "ask_over_udp", ask_it)
    facts = measure(options(), context_with(*(target(f"127.0.1.{number}", 5060) for number in range(40))))
    assert [server.address for server in facts.servers] == [f"127.0.1.{number}" for number in range(16)]
    assert (facts.any_server_answers, facts.every_server_answers) == (True, None)
    assert facts.evidence["every_server_answers"].endswith(" DNS names 24 more, which were not asked.")


@pytest.mark.parametrize(
    ("results", "any_answers", "every_answers"),
    [
        (["answered"], True, True),
        (["answered", "answered"], True, True),
        (["answered", "silent"], True, None),
        (["answered", "closed"], True, None),
        (["answered", "unsent"], True, None),
        (["answered", "refused"], True, False),
        (["answered", "silent", "refused"], True, False),
        (["silent", "silent"], None, None),
        (["silent", "refused"], None, False),
        (["unsent", "refused"], None, False),
        (["refused", "reset"], False, False),
        (["prohibited", "unreachable"], False, False),
        (["malformed", "foreign"], False, False),
        (["other-port"], None, None),
    ],
)
def test_what_the_servers_add_up_to(
    monkeypatch: pytest.MonkeyPatch, results: list[Result], any_answers: bool | None, every_answers: bool | None
) -> None:
    by_port = dict(enumerate(results, 1))
    monkeypatch.setattr(
        signalling,
        "ask_over_udp",
        lambda context, domain, server: Exchange(by_port[server.port], f"was {by_port[server.port]}"),
    )
    facts = measure(options(), context_with(*(target("127.0.0.1", port) for port in by_port)))
    assert (facts.any_server_answers, facts.every_server_answers) == (any_answers, every_answers)
    answering = results.count("answered")
    for fact, decided in (("any_server_answers", any_answers), ("every_server_answers", every_answers)):
        assert facts.evidence[fact].startswith(f"{answering} of {len(results)} servers answered")
        assert len(facts.evidence[fact].split(". ")) > 1 or decided is not None
    for result, advice in signalling._UNDECIDED.items():
        assert (advice in facts.evidence["any_server_answers"]) == (any_answers is None and result in results)
        assert advice not in facts.evidence["every_server_answers"]
    assert facts.evidence["every_server_answers"].endswith("neither a block nor a fault.") == (every_answers is None)
    for result in set(results) - {"answered"}:
        assert f"was {result}" in facts.evidence["every_server_answers"]


SLOW = (
    "The slowest server that answers, 127.0.0.1:2 (site-a.trunk.example), took 250.0 ms",
    "answered repeated requests",
)


@pytest.mark.parametrize(
    ("rtts_ms", "slowest_ms", "outcome", "words"),
    [
        ([[20.0], [350.0, 30.0]], 30.0, Outcome.PASS, "took 30.0 ms"),
        ([[20.0], [900.0, 250.0]], 250.0, Outcome.WARN, SLOW[0]),
        ([[20.0], [301.0]], 301.0, Outcome.WARN, "took 301.0 ms"),
        ([[20.0], [None, None, 40.0]], 40.0, Outcome.PASS, "took 40.0 ms"),
        ([[20.0], [None, None]], None, Outcome.UNKNOWN, SLOW[1]),
        ([[None, None], [250.0]], None, Outcome.UNKNOWN, SLOW[1]),
        ([[None, None], [350.0]], None, Outcome.WARN, "took 350.0 ms"),
        ([], None, Outcome.UNKNOWN, "No server answered, so nothing was timed."),
    ],
)
def test_the_slowest_server_is_judged_by_its_fastest_answer(
    monkeypatch: pytest.MonkeyPatch,
    rtts_ms: list[list[float | None]],
    slowest_ms: float | None,
    outcome: Outcome,
    words: str,
) -> None:
    """Two OPTIONS each; the last number goes on. None: it came after a retransmission. Port 9 is silent: no matter."""
    left = {port: list(times) for port, times in enumerate(rtts_ms, 1)}

    def ask_it(context: Context, domain: str, server: Server) -> Exchange:
        del context, domain
        if server.port == 9:
            return Exchange("silent", "no answer", sent=3)
        of_server = left[server.port]
        rtt_ms = of_server.pop(0) if len(of_server) > 1 else of_server[0]
        return Exchange("answered", "200 OK", status=200, rtt_ms=rtt_ms, sent=2 if rtt_ms is None else 1)

    monkeypatch.setattr(signalling, "ask_over_udp", ask_it)
    monkeypatch.setattr(signalling, "_PAUSE_S", 0.0)
    facts = measure(options(requests=2), context_with(*(target("127.0.0.1", port) for port in [*left, 9])))
    assert facts.slowest_server_rtt_ms == slowest_ms
    for name in ("go-native", "go-gateway"):
        (asked,) = [one for one in load(name).requirements if one.id == "health.latency"]
        said = judge(asked, measurement(msgspec.to_builtins(facts)))
        assert (said.outcome, words in said.reason) == (outcome, True), said.reason
        assert (
            judge(asked, measurement({"servers": []})).outcome is Outcome.UNKNOWN
        )  # a report that is older than the fact


def test_an_address_out_of_reach_does_not_keep_others_from_being_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = sockets.udp_socket

    def udp_socket(link: Link, family: socket.AddressFamily = socket.AF_INET, port: int = 0) -> socket.socket:
        if family == socket.AF_INET6:
            raise ProbeFailed(FailureKind.UNSUPPORTED, "This machine refused opening a socket: no IPv6.")
        return opened(link, family, port)

    monkeypatch.setattr(sockets, "udp_socket", udp_socket)
    with sip_server(reply) as server:
        facts = measure(options(), context_with(target("2001:db8::27", 5060), target(server.address, server.port)))
    unsent, answered = facts.servers
    assert (unsent.first.result, unsent.first.sent, unsent.retransmissions) == ("unsent", 0, 0)
    assert answered.first.result == "answered"
    assert (facts.any_server_answers, facts.every_server_answers) == (True, None)
    assert "This machine refused opening a socket: no IPv6" in facts.evidence["every_server_answers"]


def test_one_address_that_may_not_be_sent_to_spoils_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    sending = sockets.send_to

    def send_to(sock: socket.socket, data: bytes, address: str, port: int) -> None:
        if address == "127.0.0.9":
            raise ProbeFailed(FailureKind.PERMISSION, "This machine refused it.")
        sending(sock, data, address, port)

    monkeypatch.setattr(sockets, "send_to", send_to)
    with sip_server(reply) as server:
        facts = measure(options(), context_with(target("127.0.0.9", 5060), target(server.address, server.port)))
    assert [server.first.result for server in facts.servers] == ["unsent", "answered"]
    assert (facts.any_server_answers, facts.every_server_answers) == (True, None)
    facts = measure(options(), context_with(target("127.0.0.9", 5060)))
    assert (facts.any_server_answers, facts.every_server_answers) == (None, None)


def test_a_probe_that_is_stopped_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(ProbeFailed) as caught:
        measure(options(), context_with(target("127.0.0.1", 5060), stop=stop))
    assert caught.value.failure.kind is FailureKind.INTERRUPTED


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_port_0_from_dns_is_no_bug(transport: Literal["udp", "tcp"]) -> None:
    facts = measure(options(transport), context_with(target("127.0.0.1", 0)))
    assert [server.first.result for server in facts.servers] == ["unsent"]


@pytest.mark.parametrize("context", [Context(Link("Internet-1")), context_with()])
def test_no_server_to_ask(context: Context) -> None:
    with pytest.raises(ProbeFailed) as caught:
        measure(options(), context)
    assert caught.value.failure.kind is FailureKind.UNREACHABLE


@pytest.mark.parametrize(
    ("seen_from", "public"),
    [
        (["203.0.113.7", "203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7", None], "203.0.113.7"),
        (["203.0.113.7", "203.0.113.8"], None),
        ([None], None),
    ],
)
def test_public_address(monkeypatch: pytest.MonkeyPatch, seen_from: list[str | None], public: str | None) -> None:
    monkeypatch.setattr(
        signalling,
        "ask_over_udp",
        lambda context, domain, server: Exchange("answered", "200 OK", received=seen_from[server.port - 1]),
    )
    places = [target("127.0.0.1", port) for port in range(1, len(seen_from) + 1)]
    assert measure(options(), context_with(*places)).public_address == public


@pytest.mark.waits
def test_retransmissions_are_counted() -> None:
    copies: list[bytes] = []

    def handle(request: sip.Request, peer: Peer) -> Answers:
        copies.append(request.raw)
        return None if len(copies) == 1 else reply(request, peer)

    with sip_server(handle) as server:
        facts = measure(options(), context_with(target(server.address, server.port)))
    (only,) = facts.servers
    assert isinstance(only, ServerFacts)
    assert (only.retransmissions, len(only.rtts_ms)) == (1, 1)  # the second OPTIONS, which could be timed


def test_stop_between_two_requests() -> None:
    stop = threading.Event()

    def handle(request: sip.Request, peer: Peer) -> Answers:
        stop.set()
        return reply(request, peer)

    with sip_server(handle) as server, pytest.raises(ProbeFailed) as caught:
        measure(options(requests=3), context_with(target(server.address, server.port), stop=stop))
    assert caught.value.failure.kind is FailureKind.INTERRUPTED


def test_a_server_known_to_speak_plain_sip_is_not_offered_tls_again(monkeypatch: pytest.MonkeyPatch) -> None:
    plain_seen: list[bool] = []

    def ask_it(context: Context, domain: str, server: Server, plain: bool) -> Exchange:
        del context, domain, server
        plain_seen.append(plain)
        return Exchange("answered", "200 OK", status=200, speaks="sip")

    monkeypatch.setattr(signalling, "ask_over_tcp", ask_it)
    monkeypatch.setattr(signalling, "_PAUSE_S", 0.0)
    measure(options("tcp", requests=3), context_with(target("127.0.0.1", 5061)))
    assert plain_seen == [False, True, True]


def test_evidence_over_tcp_says_what_the_server_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask_it(context: Context, domain: str, server: Server, plain: bool) -> Exchange:
        del context, domain, plain
        return Exchange("answered", "200 OK", rtt_ms=1.25, speaks="tls" if server.port == 5061 else "sip")

    monkeypatch.setattr(signalling, "ask_over_tcp", ask_it)
    facts = measure(options("tcp"), context_with(target("127.0.0.1", 5061), target("127.0.0.1", 5060)))
    assert facts.evidence["any_server_answers"] == (
        "2 of 2 servers answered: 127.0.0.1:5061 (site-a.trunk.example) 200 OK over TLS in 1.2 ms; "
        "127.0.0.1:5060 (site-a.trunk.example) 200 OK over plain TCP in 1.2 ms."
    )


@pytest.mark.parametrize(
    ("result", "becomes", "every_answers"),
    [
        ("answered", "stand-in", None),
        ("other-port", "stand-in", None),
        ("malformed", "malformed", False),
        ("silent", "silent", None),
        ("refused", "refused", False),
    ],
)
def test_an_answer_in_the_servers_name_is_not_the_servers(
    monkeypatch: pytest.MonkeyPatch, result: Result, becomes: Result, every_answers: bool | None
) -> None:
    """Of two servers over UDP, one has a program of the router before it, and the other answers by itself."""

    def ask_it(context: Context, domain: str, server: Server) -> Exchange:
        del context, domain
        came = result if server.port == 5060 else "answered"
        if came != "answered":
            return Exchange(came, "said something")
        return Exchange(came, "200 OK", rtt_ms=0.2, received="198.51.100.9" if server.port == 5060 else None)

    monkeypatch.setattr(signalling, "ask_over_udp", ask_it)
    context = context_with(target("127.0.0.1", 5060), target("127.0.0.1", 5070))
    who = StandIn(address="127.0.0.1", port=5060, ttl=1, hop="192.168.7.1")
    context = replace(context, seen={**context.seen, "stand_in": StandIns(stand_ins=[who], evidence={})})
    facts = measure(options(), context)
    taken, own = facts.servers
    assert (taken.first.result, own.first.result) == (becomes, "answered")
    assert (facts.any_server_answers, facts.every_server_answers) == (True, every_answers)
    assert taken.rtts_ms == []  # the time of another device is no time of this server
    assert facts.public_address is None
    if becomes in ("stand-in", "malformed"):
        assert taken.first.culprit == "192.168.7.1"
        assert "at or before 192.168.7.1" in facts.evidence["every_server_answers"]


@pytest.mark.parametrize("product", ["go-native", "go-gateway"])
@pytest.mark.parametrize(
    ("results", "opens_a_port"),
    [
        (["malformed"], False),
        (["foreign", "malformed"], False),
        (["stand-in"], False),
        (["other-port"], False),
        (["refused"], True),
        (["malformed", "silent"], True),
        (["malformed", "dropped"], True),
    ],
)
def test_no_port_is_to_be_opened_where_something_answers(
    monkeypatch: pytest.MonkeyPatch, product: str, results: list[Result], opens_a_port: bool
) -> None:
    by_port = dict(enumerate(results, 1))
    monkeypatch.setattr(
        signalling, "ask_over_udp", lambda context, domain, server: Exchange(by_port[server.port], "said something")
    )
    facts = measure(options(), context_with(*(target("127.0.0.1", port) for port in by_port)))
    for requirement in load(product).requirements:
        if requirement.id.startswith("firewall.signalling"):
            verdict = judge(requirement, measurement(msgspec.to_builtins(facts)))
            assert verdict.outcome in (Outcome.FAIL, Outcome.UNKNOWN)
            assert ("Allow " in verdict.hint) == opens_a_port, verdict
