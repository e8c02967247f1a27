"""One question to one resolver, whatever it answers: a time-out is never "no such record"."""

import socket
import struct
import threading
from collections.abc import Callable

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gosip_check.probes.dns import query
from gosip_check.probes.dns.query import USUAL_OPTIONS, DnsStatus, Reply, Resolver, ask
from gosip_check.probes.net import sockets
from gosip_check.probes.net.sockets import Datagram
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind, Link
from gosip_check.servers.endpoint import Endpoint, Peer
from tests.unit.far_ends import DnsAnswers, dns_reply, nano_dns, reset, unused_port

pytestmark = pytest.mark.waits

CONTEXT = Context(Link("Internet-1"))
NAME = "_sip._udp.trunk.example"
RECORD = "45 50 5060 site-a.trunk.example."

Answer = Callable[[dns.message.Message, Peer, str], DnsAnswers]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which no answer comes."""
    monkeypatch.setattr(query, "_LONGEST_S", 0.1)


def asked(answer: Answer, kind: str = "SRV", address: str = "127.0.0.1") -> Reply:
    with nano_dns(answer, address) as server:
        return ask(CONTEXT, Resolver(address, server.port), NAME, kind)


def targets(reply: Reply) -> list[str]:
    assert reply.message is not None
    return [item.target.to_text() for rrset in reply.message.answer for item in rrset]


def test_an_answer() -> None:
    reply = asked(lambda query, *_: dns_reply(query, RECORD))
    assert reply.status is DnsStatus.ANSWERED
    assert targets(reply) == ["site-a.trunk.example."]
    assert reply.rtt_ms is not None
    assert 0 < reply.rtt_ms < 1000 * query._LONGEST_S
    assert (reply.truncated, reply.tcp_retry_worked, reply.detail) == (False, None, "")


@pytest.mark.parametrize(
    ("rcode", "flags", "status", "denies"),
    [
        ("NXDOMAIN", "AA", DnsStatus.NXDOMAIN, True),
        ("NOERROR", "AA", DnsStatus.NO_RECORDS, True),
        ("NOERROR", "RA", DnsStatus.NO_RECORDS, True),
        ("NOERROR", "RD", DnsStatus.LAME, False),
        ("SERVFAIL", "RA", DnsStatus.SERVFAIL, False),
        ("REFUSED", "RD", DnsStatus.REFUSED, False),
        ("NOTIMP", "RD", DnsStatus.OTHER_ERROR, False),
        ("FORMERR", "RD", DnsStatus.OTHER_ERROR, False),
    ],
)
def test_answers_without_records_are_kept_apart(rcode: str, flags: str, status: DnsStatus, denies: bool) -> None:
    reply = asked(lambda query, *_: dns_reply(query, rcode=rcode, flags=flags))
    assert reply.status is status
    assert reply.status.is_denial is denies
    assert reply.rtt_ms is not None


def test_a_referral_is_lame() -> None:
    def answer(query: dns.message.Message, *_: object) -> DnsAnswers:
        reply = dns_reply(query, flags="RD")
        reply.authority.append(dns.rrset.from_text("example.", 60, "IN", "NS", "ns.example."))
        return reply

    assert asked(answer).status is DnsStatus.LAME


@pytest.mark.usefixtures("impatient")
def test_silence_is_a_timeout_after_four_copies() -> None:
    ids: list[int] = []

    def answer(query: dns.message.Message, *_: object) -> DnsAnswers:
        ids.append(query.id)
        return None

    reply = asked(answer)
    assert reply.status is DnsStatus.TIMEOUT
    assert not reply.status.is_denial
    assert (reply.message, reply.rtt_ms, reply.detail) == (None, None, "no answer within 0.1 s")
    assert len(ids) == 4
    assert len(set(ids)) == 1  # an answer to any of them is an answer


def test_a_lost_first_copy_is_made_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "_LONGEST_S", 1.0)
    seen: list[int] = []

    def answer(query: dns.message.Message, *_: object) -> DnsAnswers:
        seen.append(query.id)
        return None if len(seen) == 1 else dns_reply(query, RECORD)

    reply = asked(answer)
    assert reply.status is DnsStatus.ANSWERED
    assert len(seen) == 2
    assert reply.rtt_ms is not None
    assert reply.rtt_ms >= 250  # from the first copy on
    assert reply.tries == 1


def test_nothing_listens() -> None:
    reply = ask(CONTEXT, Resolver("127.0.0.1", unused_port()), NAME, "SRV")
    assert (reply.status, reply.detail) == (DnsStatus.NOT_ASKED, "127.0.0.1 says port unreachable")


def wrong_id(query: dns.message.Message) -> dns.message.Message:
    reply = dns_reply(query, RECORD)
    reply.id ^= 1
    return reply


def wrong_question(query: dns.message.Message) -> dns.message.Message:
    other = dns.message.make_query("elsewhere.example", "SRV", id=query.id)
    return dns_reply(other, RECORD)


GARBAGE: dict[str, Callable[[dns.message.Message], DnsAnswers]] = {
    "nothing": lambda query: b"",
    "noise": lambda query: b"\x1b]0;\x07" * 9,
    "half a header": lambda query: dns_reply(query, RECORD).to_wire()[:7],
    "cut": lambda query: dns_reply(query, RECORD).to_wire()[:-3],
    "junk behind": lambda query: dns_reply(query, RECORD).to_wire() + b"junk",
    "our own question": lambda query: query.to_wire(),
    "wrong id": wrong_id,
    "wrong question": wrong_question,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_waited_past(garbage: Callable[[dns.message.Message], DnsAnswers]) -> None:
    def answer(query: dns.message.Message, *_: object) -> DnsAnswers:
        rubbish = garbage(query)
        assert isinstance(rubbish, bytes | dns.message.Message)
        return [rubbish, dns_reply(query, RECORD)]

    reply = asked(answer)
    assert reply.status is DnsStatus.ANSWERED
    assert targets(reply) == ["site-a.trunk.example."]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_nothing_but_garbage_is_malformed(garbage: Callable[[dns.message.Message], DnsAnswers]) -> None:
    reply = asked(lambda query, *_: garbage(query))
    assert reply.status is DnsStatus.MALFORMED
    assert not reply.status.is_denial
    assert reply.detail.startswith("its answer ")


@pytest.mark.usefixtures("impatient")
def test_garbage_without_end_is_not_listened_to_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    junk = Datagram(b"junk", "127.0.0.1", 53, 0.0)
    monkeypatch.setattr(sockets, "wait_readable", lambda context, socks, until_s: list(socks))
    monkeypatch.setattr(sockets, "read_datagrams", lambda sock: [junk])
    monkeypatch.setattr(sockets, "read_icmp_errors", lambda sock: [])
    monkeypatch.setattr(sockets, "send_to", lambda *_: None)
    assert ask(CONTEXT, Resolver("127.0.0.1"), NAME, "SRV").status is DnsStatus.MALFORMED


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("address", ["127.0.0.2", "127.0.0.1"], ids=["address", "port"])
def test_an_answer_from_elsewhere_is_not_believed(address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((address, 0))

        def answer(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
            del transport
            stranger.sendto(dns_reply(query, "1 1 1 attacker.example.").to_wire(), peer)
            return None

        reply = asked(answer)
        assert (reply.status, reply.rrset) == (DnsStatus.MALFORMED, None)
        assert f"only {address}:{stranger.getsockname()[1]} answered in place of 127.0.0.1:" in reply.detail


@pytest.mark.parametrize(
    ("rcode", "words"),
    [
        ("NOTIMP", "NOTIMP: it does not answer such questions"),
        ("FORMERR", "FORMERR: it does not understand the question"),
        ("YXDOMAIN", "YXDOMAIN: error 6 of RFC 6895"),
    ],
)
def test_an_error_without_a_status_of_its_own_is_named(rcode: str, words: str) -> None:
    assert asked(lambda query, *_: dns_reply(query, rcode=rcode, flags="RD")).detail == words


def truncating(over_tcp: Callable[[dns.message.Message], DnsAnswers]) -> Answer:
    """UDP says one record and TC; TCP says what the test wants."""

    def answer(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
        del peer
        return dns_reply(query, "1 1 1 cut.example.", flags="AA TC") if transport == "UDP" else over_tcp(query)

    return answer


def test_truncation_is_followed_by_tcp() -> None:
    reply = asked(truncating(lambda query: dns_reply(query, RECORD)))
    assert reply.status is DnsStatus.ANSWERED
    assert targets(reply) == ["site-a.trunk.example."]
    assert (reply.truncated, reply.tcp_retry_worked) == (True, True)
    assert reply.rtt_ms is not None


def test_an_answer_over_tcp_larger_than_one_segment() -> None:
    records = [f"1 1 5060 host-{number}.with-a-long-name.trunk.example." for number in range(900)]
    reply = asked(truncating(lambda query: dns_reply(query, *records)))
    assert len(targets(reply)) == 900


def close(query: dns.message.Message) -> DnsAnswers:
    raise ConnectionError


def cut_in_the_middle(query: dns.message.Message) -> DnsAnswers:
    wire = dns_reply(query, RECORD).to_wire()
    yield struct.pack("!H", len(wire)) + wire[:-5]
    raise ConnectionError


def cut_in_the_length(query: dns.message.Message) -> DnsAnswers:
    yield b"\0"
    raise ConnectionError


@pytest.mark.parametrize(
    ("over_tcp", "status", "detail"),
    [
        (close, DnsStatus.MALFORMED, "closed the TCP connection in the middle of its answer"),
        (cut_in_the_middle, DnsStatus.MALFORMED, "closed the TCP connection in the middle of its answer"),
        (cut_in_the_length, DnsStatus.MALFORMED, "closed the TCP connection in the middle of its answer"),
        (lambda query: b"\0\4junk", DnsStatus.MALFORMED, "its answer is not DNS (ShortHeader)"),
        (lambda query: b"\0\0", DnsStatus.MALFORMED, "its answer is not DNS (ShortHeader)"),
        (wrong_id, DnsStatus.MALFORMED, "its answer belongs to another question"),
    ],
)
def test_a_failed_tcp_retry_says_both_things(
    over_tcp: Callable[[dns.message.Message], DnsAnswers], status: DnsStatus, detail: str
) -> None:
    reply = asked(truncating(over_tcp))
    assert reply.status is status
    assert reply.message is None  # the records that did fit are not the answer
    assert (reply.truncated, reply.tcp_retry_worked) == (True, False)
    assert reply.detail == f"its answer did not fit into UDP, and over TCP {detail}"


@pytest.mark.usefixtures("impatient")
def test_silence_over_tcp_is_a_timeout() -> None:
    reply = asked(truncating(lambda query: None))
    assert reply.status is DnsStatus.TIMEOUT
    assert (reply.truncated, reply.tcp_retry_worked) == (True, False)
    assert reply.detail == "its answer did not fit into UDP, and over TCP no answer came within 0.05 s"


@pytest.mark.usefixtures("impatient")
def test_half_an_answer_over_tcp_and_then_silence_is_a_timeout() -> None:
    assert asked(truncating(lambda query: b"\1\0half")).status is DnsStatus.TIMEOUT


@pytest.mark.parametrize(
    ("listening", "detail"),
    [(False, "answered with a reset"), (True, "over TCP the connection broke: Connection reset by peer")],
)
def test_tcp_refused_or_reset(listening: bool, detail: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind(("127.0.0.1", 0))
        tcp.bind(udp.getsockname())
        if listening:
            tcp.listen()

        def serve() -> None:
            for _ in range(USUAL_OPTIONS.attempts):
                wire, peer = udp.recvfrom(4096)
                udp.sendto(dns_reply(dns.message.from_wire(wire), flags="TC").to_wire(), peer)
                if listening:
                    connection, _ = tcp.accept()
                    connection.recv(4096)
                    reset(connection)

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        reply = ask(CONTEXT, Resolver("127.0.0.1", udp.getsockname()[1]), NAME, "SRV")
        server.join(timeout=30)
    assert reply.status is DnsStatus.UNREACHABLE
    assert reply.detail.endswith(detail)


def test_an_ipv6_resolver() -> None:
    try:
        reply = asked(lambda query, *_: dns_reply(query, RECORD), address="::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    assert reply.status is DnsStatus.ANSWERED


def test_stop_ends_the_asking() -> None:
    stop = threading.Event()
    stop.set()
    with nano_dns(lambda *_: None) as server, pytest.raises(ProbeFailed) as caught:
        ask(Context(Link("Internet-1"), stop), Resolver("127.0.0.1", server.port), NAME, "SRV")
    assert caught.value.failure.kind is FailureKind.INTERRUPTED


def failing(kind: FailureKind) -> Callable[..., socket.socket]:
    def udp_socket(*_: object) -> socket.socket:
        raise ProbeFailed(kind, "This machine refused it.")

    return udp_socket


@pytest.mark.parametrize("kind", [FailureKind.UNSUPPORTED, FailureKind.UNREACHABLE])
def test_a_resolver_that_this_machine_has_no_way_to_says_nothing_of_the_site(
    monkeypatch: pytest.MonkeyPatch, kind: FailureKind
) -> None:
    monkeypatch.setattr(sockets, "udp_socket", failing(kind))
    reply = ask(CONTEXT, Resolver("::1"), NAME, "SRV")
    assert (reply.status, reply.detail) == (DnsStatus.NOT_ASKED, "This machine refused it")


@pytest.mark.parametrize("scope", ["no-such-interface", "\u00b2"])
def test_a_resolver_beside_no_interface_of_this_machine(scope: str) -> None:
    assert ask(CONTEXT, Resolver(f"fe80::1%{scope}"), NAME, "SRV").status is DnsStatus.NOT_ASKED


def test_a_resolver_that_may_not_be_asked_says_nothing_about_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "udp_socket", failing(FailureKind.PERMISSION))
    reply = ask(CONTEXT, Resolver("127.0.0.1"), NAME, "SRV")
    assert (reply.status, reply.detail) == (DnsStatus.FORBIDDEN, "This machine refused it")


@pytest.mark.usefixtures("impatient")
def test_a_late_answer_to_the_first_copy_is_an_answer() -> None:
    copies: list[tuple[dns.message.Message, Peer]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as slow:
        slow.bind(("127.0.0.1", 0))

        def serve() -> None:
            while len(copies) < 4:
                wire, peer = slow.recvfrom(4096)
                copies.append((dns.message.from_wire(wire), peer))
            first, peer = copies[0]
            slow.sendto(dns_reply(first, RECORD).to_wire(), peer)

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        reply = ask(CONTEXT, Resolver("127.0.0.1", slow.getsockname()[1]), NAME, "SRV")
        server.join(timeout=30)
    assert reply.status is DnsStatus.ANSWERED


@pytest.mark.parametrize("octets", [12, 40, -3])
def test_an_answer_cut_in_the_middle_of_a_record_is_asked_for_over_tcp(octets: int) -> None:
    def answer(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
        if transport == "TCP":
            return dns_reply(query, RECORD)
        return dns_reply(query, RECORD, flags="RA TC").to_wire()[:octets]

    reply = asked(answer)
    assert (reply.status, reply.truncated, reply.tcp_retry_worked) == (DnsStatus.ANSWERED, True, True)


QUESTION = dns.message.make_query(NAME, "SRV", id=4711)
ANSWER = dns_reply(QUESTION, RECORD, "site-c.example. CNAME site-d.example.").to_wire()


@given(st.lists(st.tuples(st.integers(2, len(ANSWER) - 1), st.integers(0, 255)), max_size=6), st.integers(0, 20))
def test_no_altered_answer_escapes(changes: list[tuple[int, int]], cut: int) -> None:
    wire = bytearray(ANSWER)
    for place, value in changes:
        wire[place] = value
    reply = query._read(bytes(wire[: len(wire) - cut]), QUESTION)
    assert (reply.message is None) == (reply.status is DnsStatus.MALFORMED)


def test_the_endpoint_serves_until_its_block_ends() -> None:
    with nano_dns(lambda query, *_: dns_reply(query, RECORD)) as server:
        assert isinstance(server, Endpoint)
        port = server.port
    assert ask(CONTEXT, Resolver("127.0.0.1", port), NAME, "SRV").status is DnsStatus.NOT_ASKED
