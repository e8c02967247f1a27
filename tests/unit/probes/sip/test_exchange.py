"""One OPTIONS over UDP, and what TCP shares with it: every result from a real cause on loopback."""

import socket
import threading
from collections.abc import Callable

import pytest

from gosip_check import __version__
from gosip_check.probes.dns.servers import Server
from gosip_check.probes.net import sockets
from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.probes.sip import exchange, stream, tls
from gosip_check.probes.sip.exchange import Exchange, Result, ask_over_udp
from gosip_check.probes.sip.stream import ask_over_tcp
from gosip_check.records import FailureKind, Link
from gosip_check.report.text import visible
from gosip_check.servers.endpoint import Answers, Peer
from gosip_check.wire import sip
from tests.unit.far_ends import Handle, reply, sip_server, unused_port

pytestmark = pytest.mark.waits

CONTEXT = Context(Link("Internet-1"))
DOMAIN = "trunk.example"
HOSTILE = "evil\x1b]0;owned\x07 [bold]\u202eriaf"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which no answer comes."""
    monkeypatch.setattr(exchange, "UDP_TIMEOUT_S", 0.2)
    monkeypatch.setattr(stream, "CONNECT_TIMEOUT_S", 0.2)
    monkeypatch.setattr(stream, "ANSWER_TIMEOUT_S", 0.2)
    monkeypatch.setattr(tls, "TIMEOUT_S", 0.2)


@pytest.fixture
def two_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time for one retransmission."""
    monkeypatch.setattr(exchange, "UDP_TIMEOUT_S", 1.4)


def over_udp(handle: Handle) -> Exchange:
    with sip_server(handle) as server:
        return ask_over_udp(CONTEXT, DOMAIN, Server("", server.address, server.port))


def over_tcp(handle: Handle) -> Exchange:
    with sip_server(handle) as server:
        return ask_over_tcp(CONTEXT, DOMAIN, Server(f"site-a.{DOMAIN}", server.address, server.port))


BOTH = pytest.mark.parametrize("over", [over_udp, over_tcp])
Over = Callable[[Handle], Exchange]


@BOTH
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (200, "OK"),
        (302, "Moved Temporarily"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (503, "Service Unavailable"),
        (603, ""),
    ],
)
def test_any_status_is_an_answer(over: Over, status: int, reason: str) -> None:
    exchange = over(lambda request, peer: reply(request, peer, status, reason))
    assert (exchange.result, exchange.status, exchange.reason) == ("answered", status, reason)
    assert exchange.detail == f"{status} {reason}".strip()
    assert exchange.sent == 1
    assert exchange.rtt_ms is not None
    assert exchange.rtt_ms > 0
    assert exchange.speaks == ("sip" if over is over_tcp else None)


@BOTH
def test_where_the_request_came_from_and_who_answered(over: Over) -> None:
    ports: list[int] = []

    def handle(request: sip.Request, peer: Peer) -> Answers:
        ports.append(peer[1])
        return reply(request, ("203.0.113.7", 40000), headers=[("Server", "Kamailio")])

    exchange = over(handle)
    assert (exchange.received, exchange.rport, exchange.server) == ("203.0.113.7", 40000, "Kamailio")
    assert len(ports) == 1


@BOTH
def test_the_request_is_honest(over: Over) -> None:
    seen: list[tuple[sip.Request, Peer]] = []

    def handle(request: sip.Request, peer: Peer) -> Answers:
        seen.append((request, peer))
        return reply(request, peer)

    over(handle)
    ((request, peer),) = seen
    via = request.vias[0]
    assert (via.host, via.port) == peer  # an ALG sends the answer elsewhere otherwise
    assert via.transport == ("UDP" if over is over_udp else "TCP")
    assert "rport" in via.params
    assert (request.method, request.uri) == ("OPTIONS", f"sip:{DOMAIN}")
    assert request.header("User-Agent") == f"gosip-check/{__version__}"
    assert f":{peer[1]}" in request.contacts[0].uri
    assert request.header("Authorization") is None


def test_no_two_requests_share_branch_call_id_or_tag() -> None:
    seen: list[tuple[str | None, str, str | None]] = []

    def handle(request: sip.Request, peer: Peer) -> Answers:
        seen.append((request.vias[0].branch, request.call_id, request.from_.tag))
        return reply(request, peer)

    for _ in range(2):
        over_udp(handle)
    assert all(one != other for one, other in zip(*seen, strict=True))


@BOTH
def test_a_hostile_header_reaches_the_facts_and_is_cleaned_for_people_only(over: Over) -> None:
    def handle(request: sip.Request, peer: Peer) -> Answers:
        return reply(request, peer, headers=[("Server", HOSTILE)])

    exchange = over(handle)
    assert exchange.server == HOSTILE
    assert visible(exchange.server) == r"evil\x1b]0;owned\x07 [bold]\u202eriaf"


def test_a_repetition_is_not_timed() -> None:
    copies: list[bytes] = []

    def handle(request: sip.Request, peer: Peer) -> Answers:
        copies.append(request.raw)
        return None if len(copies) == 1 else reply(request, peer)

    exchange = over_udp(handle)
    assert (exchange.result, exchange.sent, exchange.rtt_ms) == ("answered", 2, None)
    assert copies[0] == copies[1]


@BOTH
@pytest.mark.usefixtures("impatient")
def test_a_provisional_answer_proves_the_path_as_well(over: Over) -> None:
    exchange = over(lambda request, peer: reply(request, peer, 100, "Trying"))
    assert (exchange.result, exchange.status, exchange.rtt_ms) == ("answered", 100, None)


@BOTH
def test_a_provisional_answer_is_not_the_last_word(over: Over) -> None:
    exchange = over(lambda request, peer: [reply(request, peer, 100, "Trying"), reply(request, peer, 404, "No")])
    assert exchange.status == 404


def other_branch(request: sip.Request, peer: Peer) -> Answers:
    branch = (request.vias[0].branch or "").encode()
    return reply(request, peer).replace(branch, b"z9hG4bKother")


def other_method(request: sip.Request, peer: Peer) -> Answers:
    return reply(request, peer).replace(b"1 OPTIONS", b"1 INVITE")


@BOTH
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("handle", [other_branch, other_method])
def test_an_answer_to_another_request_is_malformed(over: Over, handle: Handle) -> None:
    exchange = over(handle)
    assert exchange.result == "malformed"
    assert exchange.detail.startswith("answered 200 OK, but with another branch or method than we sent")
    assert exchange.culprit == "127.0.0.1"


@BOTH
def test_an_answer_to_another_request_is_waited_past(over: Over) -> None:
    def handle(request: sip.Request, peer: Peer) -> Answers:
        first = other_branch(request, peer)
        assert isinstance(first, bytes)
        return [first, reply(request, peer)]

    assert over(handle).result == "answered"


@BOTH
@pytest.mark.usefixtures("impatient")
def test_a_request_instead_of_an_answer_is_silence(over: Over) -> None:
    exchange = over(lambda request, peer: request.raw)
    assert exchange.result == "silent"


@BOTH
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01 220 mail.example.net \x1b]0;not SIP\x07\r\n\r\n",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"SIP/2.0 200 OK\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_what_is_not_sip_is_malformed(over: Over, garbage: bytes) -> None:
    exchange = over(lambda request, peer: garbage)
    assert exchange.result == "malformed"
    assert exchange.culprit == "127.0.0.1"


LENGTHS = {
    "too long": b"Content-Length: 40",
    "empty": b"Content-Length:",
    "no number": b"Content-Length: zero",
    "two that differ": b"Content-Length: 0\r\nl: 7",
    "missing": b"X-Nothing: 0",
}


@BOTH
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("length", LENGTHS.values(), ids=LENGTHS)
def test_an_answer_with_a_wrong_length_is_an_answer_over_either(over: Over, length: bytes) -> None:
    exchange = over(lambda request, peer: reply(request, peer).replace(b"Content-Length: 0", length))
    assert (exchange.result, exchange.status, exchange.reason) == ("answered", 200, "OK")
    is_flawed = over is over_udp and b"X-Nothing" not in length
    assert ("which a phone system may drop: " in exchange.detail) == is_flawed


@BOTH
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.0 302 Found\r\nLocation: /login\r\n\r\n", "answered in HTTP ('HTTP/1.0 302 Found')"),
        (b"SIP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n", "answered in SIP that cannot be read: version 'SIP/3.0'"),
        (b"SSH-2.0-dropbear\r\n\r\n", "octets that are not SIP"),
    ],
)
def test_it_is_said_who_answered_what(over: Over, answer: bytes, says: str) -> None:
    exchange = over(lambda request, peer: answer)
    assert (exchange.result, exchange.culprit) == ("malformed", "127.0.0.1")
    assert says in exchange.detail


def test_garbage_and_then_the_answer() -> None:
    assert over_udp(lambda request, peer: [b"junk", b"", reply(request, peer)]).result == "answered"


@pytest.mark.usefixtures("two_copies")
def test_silence_over_udp() -> None:
    arrivals: list[Peer] = []

    def handle(request: sip.Request, peer: Peer) -> Answers:
        arrivals.append(peer)
        return None

    exchange = over_udp(handle)
    assert (exchange.result, exchange.sent, exchange.culprit) == ("silent", 2, None)
    assert exchange.detail == "no answer to 2 tries in 1.4 s"
    assert len(arrivals) == 2


def test_refused_over_udp() -> None:
    exchange = ask_over_udp(CONTEXT, DOMAIN, Server("", "127.0.0.1", unused_port()))
    assert (exchange.result, exchange.sent, exchange.culprit) == ("refused", 2, "127.0.0.1")
    assert exchange.detail == "127.0.0.1 says port unreachable"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("code", "result", "name"),
    [
        (3, "refused", "port unreachable"),
        (13, "prohibited", "administratively prohibited"),
        (1, "unreachable", "host unreachable"),
    ],
)
def test_icmp_errors(monkeypatch: pytest.MonkeyPatch, code: int, result: Result, name: str) -> None:
    icmp = IcmpError(4, 3, code, "192.168.1.1")
    monkeypatch.setattr(sockets, "read_icmp_errors", lambda sock: [icmp, icmp])
    exchange = over_udp(lambda request, peer: b"\r\n")
    assert (exchange.result, exchange.culprit) == (result, "192.168.1.1")
    assert exchange.detail == f"192.168.1.1 says {name}"


@pytest.mark.usefixtures("two_copies")
def test_one_icmp_error_does_not_hide_an_answer() -> None:
    port = unused_port()
    answering: list[socket.socket] = []

    sending = sockets.send_to

    def send_to(sock: socket.socket, data: bytes, address: str, to_port: int) -> None:
        sending(sock, data, address, to_port)
        if not answering:  # the first copy met nobody; the second one meets a server
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            server.bind((address, port))
            answering.append(server)
            return
        wire, peer = answering[0].recvfrom(4096)
        request = sip.parse(wire)
        assert isinstance(request, sip.Request)
        answering[0].sendto(reply(request, peer), peer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sockets, "send_to", send_to)
        exchange = ask_over_udp(CONTEXT, DOMAIN, Server("", "127.0.0.1", port))
    answering[0].close()
    assert (exchange.result, exchange.sent) == ("answered", 2)


@pytest.mark.usefixtures("two_copies")
@pytest.mark.parametrize(("address", "result"), [("127.0.0.2", "foreign"), ("127.0.0.1", "other-port")])
@pytest.mark.parametrize("late_answer", [False, True])
def test_an_answer_from_elsewhere(address: str, result: Result, late_answer: bool) -> None:
    copies: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((address, 0))

        def handle(request: sip.Request, peer: Peer) -> Answers:
            copies.append(request.raw)
            stranger.sendto(reply(request, peer), peer)
            return reply(request, peer) if late_answer and len(copies) == 2 else None

        exchange = over_udp(handle)
        port = stranger.getsockname()[1]
    if late_answer:  # the right one was waited for
        assert (exchange.result, exchange.sent) == ("answered", 2)
    else:
        assert (exchange.result, exchange.culprit) == (result, address)
        assert str(port) in exchange.detail


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("keep_alive", [b"\r\n", b"\r\n\r\n", b"\0\0\0\0", b""])
def test_a_keep_alive_is_silence(keep_alive: bytes) -> None:
    assert over_udp(lambda request, peer: keep_alive).result == "silent"


@pytest.mark.usefixtures("two_copies")
def test_one_icmp_error_and_then_silence_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = [IcmpError(4, 3, 13, "192.168.1.1")]
    monkeypatch.setattr(sockets, "read_icmp_errors", lambda sock: [errors.pop()] if errors else [])
    exchange = over_udp(lambda request, peer: b"\r\n")
    assert exchange.result == "silent"
    assert exchange.detail == (
        "no answer to 2 tries in 1.4 s, though 192.168.1.1 once said administratively prohibited"
    )


@pytest.mark.usefixtures("two_copies")
@pytest.mark.parametrize("late", ["error", "answer"])
def test_a_router_that_rations_its_errors_is_asked_again_further_apart(
    monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    copies: list[int] = []
    errors = [IcmpError(4, 3, 13, "192.168.1.1")]

    def handle(request: sip.Request, peer: Peer) -> Answers:
        copies.append(1)
        if len(copies) == 4 and late == "error":
            errors.append(IcmpError(4, 3, 13, "192.168.1.1"))
        return reply(request, peer) if len(copies) == 4 and late == "answer" else b"\r\n"

    monkeypatch.setattr(sockets, "read_icmp_errors", lambda sock: [errors.pop()] if errors else [])
    exchange = over_udp(handle)
    assert exchange.result == ("answered" if late == "answer" else "prohibited")
    assert exchange.sent == 4


@BOTH
@pytest.mark.parametrize(
    ("received", "read"), [(b"203.0.113.7", "203.0.113.7"), (b"evil.example", None), (b"[2001:db8::7]", "2001:db8::7")]
)
def test_only_an_address_is_where_a_request_came_from(over: Over, received: bytes, read: str | None) -> None:
    def handle(request: sip.Request, peer: Peer) -> Answers:
        return reply(request, ("203.0.113.9", 1)).replace(b"received=203.0.113.9", b"received=" + received)

    assert over(handle).received == read


@BOTH
def test_a_strangers_words_are_kept_up_to_a_length(over: Over) -> None:
    exchange = over(lambda request, peer: reply(request, peer, 200, "x" * 999, headers=[("Server", "y" * 999)]))
    assert (exchange.reason, exchange.server, exchange.detail) == ("x" * 200, "y" * 200, f"200 {'x' * 200}")


@pytest.mark.usefixtures("impatient")
def test_a_strangers_noise_says_nothing_about_the_server() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))

        def handle(request: sip.Request, peer: Peer) -> Answers:
            stranger.sendto(b"noise", peer)
            answer = other_branch(request, peer)
            assert isinstance(answer, bytes)
            stranger.sendto(answer, peer)
            return None

        assert over_udp(handle).result == "silent"


def test_stop_ends_an_exchange() -> None:
    stop = threading.Event()

    def handle(request: sip.Request, peer: Peer) -> Answers:
        stop.set()
        return None

    with sip_server(handle) as server, pytest.raises(ProbeFailed) as caught:
        ask_over_udp(Context(Link("Internet-1"), stop), DOMAIN, Server("", server.address, server.port))
    assert caught.value.failure.kind is FailureKind.INTERRUPTED
