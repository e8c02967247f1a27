"""SIP OPTIONS to far ends on loopback that answer, misbehave or keep silent: every result from a real cause."""

import contextlib
import itertools
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from gosip_check import __version__
from gosip_check.probes import net, signalling, sip_exchange, sip_stream
from gosip_check.probes.dns_query import DnsStatus
from gosip_check.probes.probe import Context, Facts, ProbeFailed
from gosip_check.probes.signalling import Options, Server, measure
from gosip_check.probes.sip_exchange import Exchange, Result, ask_over_udp
from gosip_check.probes.sip_stream import ask_over_tcp
from gosip_check.probes.srv import Facts as SrvFacts
from gosip_check.probes.srv import Target
from gosip_check.records import FailureKind, Link
from gosip_check.report.text import visible
from gosip_check.servers.endpoint import Answers, Endpoint, Peer
from gosip_check.wire import sip

from .far_ends import StreamServer, read_all, reset, unused_port

CONTEXT = Context(Link("Internet-1"))
DOMAIN = "trunk.example"
HOSTILE = "evil\x1b]0;owned\x07 [bold]\u202eriaf"

Handle = Callable[[sip.Request, Peer], Answers]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which no answer comes. UDP still sends a second copy."""
    monkeypatch.setattr(sip_exchange, "UDP_TIMEOUT_S", 0.6)
    monkeypatch.setattr(sip_stream, "CONNECT_TIMEOUT_S", 0.2)
    monkeypatch.setattr(sip_stream, "ANSWER_TIMEOUT_S", 0.2)
    monkeypatch.setattr(sip_stream, "TLS_TIMEOUT_S", 0.2)


def split_sip(buffer: bytes) -> tuple[bytes | None, bytes]:
    message, rest = sip.take_from_stream(buffer)
    return (None if message is None else message.raw), rest


def sip_server(handle: Handle, address: str = "127.0.0.1") -> Endpoint:
    """SIP over UDP and plain TCP; a TLS handshake is no SIP, so that connection is closed."""

    def answer(data: bytes, peer: Peer, transport: str) -> Answers:
        del transport
        request = sip.parse(data)
        assert isinstance(request, sip.Request)
        return handle(request, peer)

    return Endpoint(address, answer, split_sip)


def reply(request: sip.Request, peer: Peer, status: int = 200, reason: str = "OK", **changes: Any) -> bytes:
    return sip.response(request, status, reason, **{"to_tag": "t", "received": peer, **changes})


def over_udp(handle: Handle) -> Exchange:
    with sip_server(handle) as server:
        return ask_over_udp(CONTEXT, DOMAIN, server.address, server.port)


def over_tcp(handle: Handle) -> Exchange:
    with sip_server(handle) as server:
        return ask_over_tcp(CONTEXT, DOMAIN, f"site-a.{DOMAIN}", server.address, server.port)


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
    assert exchange.detail.startswith("its answers belong to another request than ours")
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


def test_garbage_and_then_the_answer() -> None:
    assert over_udp(lambda request, peer: [b"junk", b"", reply(request, peer)]).result == "answered"


@pytest.mark.usefixtures("impatient")
def test_silence_over_udp() -> None:
    arrivals: list[Peer] = []

    def handle(request: sip.Request, peer: Peer) -> Answers:
        arrivals.append(peer)
        return None

    exchange = over_udp(handle)
    assert (exchange.result, exchange.sent, exchange.culprit) == ("silent", 2, None)
    assert exchange.detail == "no answer to 2 tries in 0.6 s"
    assert len(arrivals) == 2


@pytest.mark.skipif(not net.HAS_ERROR_QUEUE, reason="this system has no error queue")
def test_refused_over_udp() -> None:
    exchange = ask_over_udp(CONTEXT, DOMAIN, "127.0.0.1", unused_port())
    assert (exchange.result, exchange.sent, exchange.culprit) == ("refused", 2, "127.0.0.1")
    assert exchange.detail == "127.0.0.1 says port unreachable"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("kind", "result"),
    [
        (FailureKind.REFUSED, "refused"),
        (FailureKind.PROHIBITED, "prohibited"),
        (FailureKind.UNREACHABLE, "unreachable"),
    ],
)
def test_icmp_errors(monkeypatch: pytest.MonkeyPatch, kind: FailureKind, result: Result) -> None:
    icmp = net.IcmpError(kind, 4, 3, 13, "192.168.1.1", None, b"", 0, 0.0)
    monkeypatch.setattr(net, "read_icmp_errors", lambda sock: [icmp])
    exchange = over_udp(lambda request, peer: None)
    assert (exchange.result, exchange.culprit) == (result, "192.168.1.1")
    assert exchange.detail == "192.168.1.1 says administratively prohibited"


@pytest.mark.usefixtures("impatient")
def test_one_icmp_error_does_not_hide_an_answer() -> None:
    port = unused_port()
    answering: list[socket.socket] = []

    sending = net.send_to

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
        patch.setattr(net, "send_to", send_to)
        exchange = ask_over_udp(CONTEXT, DOMAIN, "127.0.0.1", port)
    answering[0].close()
    assert (exchange.result, exchange.sent) == ("answered", 2)


@pytest.mark.parametrize("address", ["127.0.0.2", "127.0.0.1"], ids=["address", "port"])
def test_an_answer_from_elsewhere_is_foreign(address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((address, 0))

        def handle(request: sip.Request, peer: Peer) -> Answers:
            stranger.sendto(reply(request, peer), peer)
            return None

        exchange = over_udp(handle)
        assert exchange.detail == "the answer came from {}:{}".format(*stranger.getsockname())
    assert (exchange.result, exchange.culprit) == ("foreign", address)


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
        ask_over_udp(Context(Link("Internet-1"), stop), DOMAIN, server.address, server.port)
    assert caught.value.failure.kind is FailureKind.INTERRUPTED


# Streams.


def ask(port: int) -> Exchange:
    return ask_over_tcp(CONTEXT, DOMAIN, f"site-a.{DOMAIN}", "127.0.0.1", port)


def plain(script: Callable[[socket.socket, sip.Request], None]) -> Callable[[socket.socket, int], None]:
    """A plain SIP server: closes the TLS attempt, reads the request on the second connection, follows the script."""

    def serve(connection: socket.socket, number: int) -> None:
        data = connection.recv(65536)
        if number == 1:
            return
        request = sip.parse(data)
        assert isinstance(request, sip.Request)
        script(connection, request)

    return serve


def test_an_answer_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []

    def in_pieces(context: Context, sock: socket.socket, until_s: float) -> bytes:
        assert net.wait_readable(context, [sock], until_s)
        reads.append(7)
        return sock.recv(7)

    monkeypatch.setattr(sip_stream, "_receive", in_pieces)
    exchange = over_tcp(lambda request, peer: b"\r\n\r\n" + reply(request, peer, body=b"v=0\r\n"))
    assert exchange.result == "answered"
    assert len(reads) > 20


def test_closed_without_an_answer() -> None:
    with StreamServer(plain(lambda connection, request: None)) as server:
        exchange = ask(server.port)
    assert exchange.result == "closed"
    assert exchange.detail.startswith("accepted the connection and closed it without an answer; TLS was tried first: ")
    assert exchange.speaks is None


def test_reset_without_an_answer() -> None:
    with StreamServer(plain(lambda connection, request: reset(connection))) as server:
        exchange = ask(server.port)
    assert exchange.result == "closed"
    assert exchange.detail.startswith("accepted the connection and reset it without an answer")


@pytest.mark.usefixtures("impatient")
def test_an_open_connection_and_silence() -> None:
    with StreamServer(lambda connection, number: read_all(connection)) as server:
        exchange = ask(server.port)
    assert exchange.result == "silent"
    assert exchange.detail == (
        "accepted the connection, but gave no answer within 0.2 s; TLS was tried first: no TLS answer within 0.2 s"
    )


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("ending", [read_all, socket.socket.close], ids=["silence", "close"])
def test_half_an_answer(ending: Callable[[socket.socket], None]) -> None:
    def script(connection: socket.socket, request: sip.Request) -> None:
        connection.sendall(reply(request, ("127.0.0.1", 1), body=b"v=0\r\n")[:-3])
        ending(connection)

    with StreamServer(plain(script)) as server:
        exchange = ask(server.port)
    assert exchange.result == "malformed"
    assert exchange.detail.startswith("its answer broke off after ")


@pytest.mark.usefixtures("impatient")
def test_a_stream_that_never_stops_is_not_listened_to_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(connection: socket.socket, request: sip.Request) -> None:
        trying = reply(request, ("127.0.0.1", 1), 100, "Trying")
        while True:  # until the other side has closed
            connection.sendall(trying)

    with StreamServer(plain(script)) as server:
        exchange = ask(server.port)
    assert (exchange.result, exchange.status) == ("answered", 100)


def test_a_reset_instead_of_a_connection() -> None:
    exchange = ask(unused_port(socket.SOCK_STREAM))
    assert (exchange.result, exchange.detail) == ("reset", "the connection was answered with a reset")


@pytest.mark.usefixtures("impatient")
def test_no_answer_to_the_connection() -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):  # a full backlog drops what comes
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        exchange = ask(listener.getsockname()[1])
    assert (exchange.result, exchange.detail) == ("silent", "no answer to the connection within 0.2 s")


@pytest.mark.parametrize(
    ("kind", "result"), [(FailureKind.PROHIBITED, "prohibited"), (FailureKind.UNREACHABLE, "unreachable")]
)
def test_an_icmp_error_instead_of_a_connection(
    monkeypatch: pytest.MonkeyPatch, kind: FailureKind, result: Result
) -> None:
    icmp = net.IcmpError(kind, 4, 3, 13, "192.168.1.1", None, b"", 0, 0.0)
    monkeypatch.setattr(net, "read_icmp_errors", lambda sock: [icmp])
    exchange = ask(unused_port(socket.SOCK_STREAM))
    assert (exchange.result, exchange.culprit) == (result, "192.168.1.1")


# TLS.

CERTIFICATE = """\
[req]
prompt = no
distinguished_name = name
[name]
CN = sip.trunk.example
O = An Example
[leaf]
subjectAltName = DNS:trunk.example,URI:sip:trunk.example,IP:192.0.2.27
"""


@pytest.fixture(scope="module")
def tls_settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ssl.SSLContext]:
    """Server settings by the state of their certificate."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl program is not installed")
    folder = tmp_path_factory.mktemp("tls")
    (folder / "config").write_text(CERTIFICATE)
    return {name: made(openssl, folder, name, days) for name, days in (("good", "30"), ("expired", "-1"))}


def made(openssl: str, folder: Path, name: str, days: str) -> ssl.SSLContext:
    certificate, key, request = (str(folder / f"{name}.{ending}") for ending in ("pem", "key", "csr"))
    config = str(folder / "config")
    signed = ["-signkey", key, "-days", days, "-extfile", config, "-extensions", "leaf"]
    for command in (
        ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-config", config, "-keyout", key, "-out", request],
        ["x509", "-req", "-in", request, *signed, "-out", certificate],
    ):
        subprocess.run([openssl, *command], check=True, capture_output=True, timeout=60)
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(certificate, key)
    return settings


def over_tls(settings: ssl.SSLContext, script: Callable[[socket.socket, sip.Request], None]) -> Exchange:
    def serve(connection: socket.socket, number: int) -> None:
        del number
        with settings.wrap_socket(connection, server_side=True) as secured:
            request = sip.parse(secured.recv(65536))
            assert isinstance(request, sip.Request)
            script(secured, request)

    with StreamServer(serve) as server:
        return ask(server.port)


def answer_ok(connection: socket.socket, request: sip.Request) -> None:
    connection.sendall(reply(request, connection.getpeername()[:2]))
    read_all(connection)


@pytest.mark.parametrize("state", ["good", "expired"])
def test_a_server_that_speaks_tls(tls_settings: dict[str, ssl.SSLContext], state: str) -> None:
    seen: list[sip.Request] = []

    def script(connection: socket.socket, request: sip.Request) -> None:
        seen.append(request)
        answer_ok(connection, request)

    exchange = over_tls(tls_settings[state], script)
    assert (exchange.result, exchange.status, exchange.speaks) == ("answered", 200, "tls")
    tls = exchange.tls
    assert tls is not None
    assert tls.version == "TLSv1.3"
    assert tls.cipher.startswith("TLS_")
    assert (tls.subject, tls.issuer, tls.self_signed) == ("sip.trunk.example", "sip.trunk.example", True)
    assert tls.names == ["trunk.example", "sip:trunk.example", "192.0.2.27"]
    assert tls.detail == ""
    assert tls.not_after is not None
    left = tls.not_after - datetime.now(UTC)
    assert (left < timedelta(0)) == (state == "expired")
    assert abs(left) < timedelta(days=31)
    assert seen[0].vias[0].transport == "TLS"
    assert seen[0].contacts[0].uri.endswith(";transport=tls")


@pytest.mark.usefixtures("impatient")
def test_tls_and_then_silence(tls_settings: dict[str, ssl.SSLContext]) -> None:
    exchange = over_tls(tls_settings["good"], lambda connection, request: read_all(connection))
    assert (exchange.result, exchange.speaks) == ("silent", "tls")
    assert exchange.tls is not None


def test_tls_and_then_the_end(tls_settings: dict[str, ssl.SSLContext]) -> None:
    exchange = over_tls(tls_settings["good"], lambda connection, request: None)
    assert (exchange.result, exchange.speaks) == ("closed", "tls")


def test_an_old_version_of_tls_is_told(tls_settings: dict[str, ssl.SSLContext]) -> None:
    settings = tls_settings["good"]
    settings.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        exchange = over_tls(settings, answer_ok)
    finally:
        settings.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    assert exchange.tls is not None
    assert exchange.tls.version == "TLSv1.2"


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "x" * 64, r"\000" * 40 + ".trunk.example", "sp\\032ace.example", "\u00e4.example"]
)
def test_a_name_that_tls_cannot_carry(tls_settings: dict[str, ssl.SSLContext], name: str) -> None:
    def serve(connection: socket.socket, number: int) -> None:
        del number
        with tls_settings["good"].wrap_socket(connection, server_side=True) as secured:
            request = sip.parse(secured.recv(65536))
            assert isinstance(request, sip.Request)
            answer_ok(secured, request)

    with StreamServer(serve) as server:
        exchange = ask_over_tcp(CONTEXT, DOMAIN, name, "127.0.0.1", server.port)
    assert exchange.speaks == "tls"


def test_the_name_that_tls_carries(tls_settings: dict[str, ssl.SSLContext]) -> None:
    names: list[str | None] = []
    settings = tls_settings["good"]
    settings.sni_callback = lambda sock, name, context: names.append(name)
    try:
        over_tls(settings, answer_ok)
    finally:
        settings.sni_callback = None
    assert names == [f"site-a.{DOMAIN}"]


# The probe.


def target(address: str, port: int, name: str = f"site-a.{DOMAIN}") -> Target:
    return Target(name, port, 45, 50, [address], [], DnsStatus.ANSWERED)


def context_with(*targets: Target, stop: threading.Event | None = None) -> Context:
    facts = SrvFacts(
        name="_sip._udp.trunk.example",
        answers=[],
        targets=list(targets),
        srv_found=True,
        targets_resolve=True,
        targets_in_networks=True,
        site_count=1,
        aliases_found=False,
        resolvers_agree=True,
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


def test_at_most_one_request_a_second_to_one_server(arrivals: tuple[Endpoint, list[float]]) -> None:
    server, times = arrivals
    place = server.address, server.port
    facts = measure(options(requests=3), context_with(target(*place), target(*place, name=f"other.{DOMAIN}")))
    assert len(times) == 3
    assert len(facts.servers) == 1  # two names for one server do not make two of it
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

    def ask_it(context: Context, domain: str, address: str, port: int) -> Exchange:
        del context, domain, address, port
        met.wait(timeout=30)
        return Exchange("answered", "200 OK", status=200)

    monkeypatch.setattr(signalling, "ask_over_udp", ask_it)
    facts = measure(options(), context_with(*(target(f"127.0.1.{number}", 5060) for number in range(40))))
    assert [server.address for server in facts.servers] == [f"127.0.1.{number}" for number in range(16)]


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
    ],
)
def test_what_the_servers_add_up_to(
    monkeypatch: pytest.MonkeyPatch, results: list[Result], any_answers: bool | None, every_answers: bool | None
) -> None:
    by_port = dict(enumerate(results, 1))
    monkeypatch.setattr(
        signalling,
        "ask_over_udp",
        lambda context, domain, address, port: Exchange(by_port[port], f"was {by_port[port]}"),
    )
    facts = measure(options(), context_with(*(target("127.0.0.1", port) for port in by_port)))
    assert (facts.any_server_answers, facts.every_server_answers) == (any_answers, every_answers)
    answering = results.count("answered")
    for fact, decided in (("any_server_answers", any_answers), ("every_server_answers", every_answers)):
        assert facts.evidence[fact].startswith(f"{answering} of {len(results)} servers answered")
        assert ("whitelisted" in facts.evidence[fact]) == (decided is None)
    for result in set(results) - {"answered"}:
        assert f"was {result}" in facts.evidence["every_server_answers"]


def test_an_address_out_of_reach_does_not_keep_others_from_being_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = net.udp_socket

    def udp_socket(link: Link, family: socket.AddressFamily = socket.AF_INET, port: int = 0) -> socket.socket:
        if family == socket.AF_INET6:
            raise ProbeFailed(FailureKind.UNSUPPORTED, "This machine refused opening a socket: no IPv6.")
        return opened(link, family, port)

    monkeypatch.setattr(net, "udp_socket", udp_socket)
    with sip_server(reply) as server:
        facts = measure(options(), context_with(target("2001:db8::27", 5060), target(server.address, server.port)))
    unsent, answered = facts.servers
    assert (unsent.first.result, unsent.first.sent, unsent.retransmissions) == ("unsent", 0, 0)
    assert answered.first.result == "answered"
    assert (facts.any_server_answers, facts.every_server_answers) == (True, None)
    assert "This machine refused opening a socket: no IPv6" in facts.evidence["every_server_answers"]


def test_a_machine_that_forbids_to_send_says_nothing_about_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    def send_to(*_: object) -> None:
        raise ProbeFailed(FailureKind.PERMISSION, "This machine refused it.")

    monkeypatch.setattr(net, "send_to", send_to)
    with pytest.raises(ProbeFailed) as caught:
        measure(options(), context_with(target("127.0.0.1", 5060)))
    assert caught.value.failure.kind is FailureKind.PERMISSION


def test_port_0_from_dns_is_no_bug() -> None:
    facts = measure(options(), context_with(target("127.0.0.1", 0)))
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
        lambda context, domain, address, port: Exchange("answered", "200 OK", received=seen_from[port - 1]),
    )
    places = [target("127.0.0.1", port) for port in range(1, len(seen_from) + 1)]
    assert measure(options(), context_with(*places)).public_address == public


def test_evidence_over_tcp_says_what_the_server_speaks(tls_settings: dict[str, ssl.SSLContext]) -> None:
    def serve(connection: socket.socket, number: int) -> None:
        del number
        with tls_settings["good"].wrap_socket(connection, server_side=True) as secured:
            request = sip.parse(secured.recv(65536))
            assert isinstance(request, sip.Request)
            answer_ok(secured, request)

    with StreamServer(serve) as secure, sip_server(reply) as open_server:
        facts = measure(
            options("tcp"),
            context_with(target(secure.address, secure.port), target(open_server.address, open_server.port)),
        )
    assert [server.first.speaks for server in facts.servers] == ["tls", "sip"]
    assert "200 OK over TLS in " in facts.evidence["any_server_answers"]
    assert "200 OK over plain TCP in " in facts.evidence["any_server_answers"]


def test_retransmissions_are_counted() -> None:
    copies: list[bytes] = []

    def handle(request: sip.Request, peer: Peer) -> Answers:
        copies.append(request.raw)
        return None if len(copies) == 1 else reply(request, peer)

    with sip_server(handle) as server:
        facts = measure(options(), context_with(target(server.address, server.port)))
    (only,) = facts.servers
    assert isinstance(only, Server)
    assert (only.retransmissions, only.rtts_ms) == (1, [])


def test_stop_between_two_requests() -> None:
    stop = threading.Event()

    def handle(request: sip.Request, peer: Peer) -> Answers:
        stop.set()
        return reply(request, peer)

    with sip_server(handle) as server, pytest.raises(ProbeFailed) as caught:
        measure(options(requests=3), context_with(target(server.address, server.port), stop=stop))
    assert caught.value.failure.kind is FailureKind.INTERRUPTED
