"""One OPTIONS over TCP: servers that break off, TLS servers with certificates made by openssl, plain SIP."""

import contextlib
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.net import sockets
from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.probe import Context
from gosip_check.probes.sip import stream, tls
from gosip_check.probes.sip.exchange import Exchange, Result
from gosip_check.probes.sip.stream import ask_over_tcp
from gosip_check.records import Link
from gosip_check.wire import sip
from tests.unit.far_ends import StreamServer, read_all, reply, reset, sip_server, unused_port

pytestmark = pytest.mark.waits

CONTEXT = Context(Link("Internet-1"))
DOMAIN = "trunk.example"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which no answer comes."""
    monkeypatch.setattr(stream, "CONNECT_TIMEOUT_S", 0.2)
    monkeypatch.setattr(stream, "ANSWER_TIMEOUT_S", 0.2)
    monkeypatch.setattr(tls, "TIMEOUT_S", 0.2)


def ask(port: int) -> Exchange:
    return ask_over_tcp(CONTEXT, DOMAIN, Server(f"site-a.{DOMAIN}", "127.0.0.1", port))


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
        assert sockets.wait_readable(context, [sock], until_s)
        reads.append(7)
        return sock.recv(7)

    monkeypatch.setattr(sockets, "receive", in_pieces)
    with sip_server(lambda request, peer: b"\r\n\r\n" + reply(request, peer, body=b"v=0\r\n")) as server:
        exchange = ask(server.port)
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


ANSWER_PARTS = {
    "no body": lambda whole: whole[:-3],
    "half a head": lambda whole: whole[: whole.index(b"CSeq")],
    "a status line": lambda whole: whole[: whole.index(b"Via") + 2],
    "no length": lambda whole: whole[: whole.index(b"Content-Length")] + b"\r\n",
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("ending", [read_all, socket.socket.close], ids=["silence", "close"])
@pytest.mark.parametrize("part", ANSWER_PARTS.values(), ids=ANSWER_PARTS)
def test_a_status_is_an_answer_whatever_is_missing_behind_it(
    ending: Callable[[socket.socket], None], part: Callable[[bytes], bytes]
) -> None:
    def script(connection: socket.socket, request: sip.Request) -> None:
        connection.sendall(part(reply(request, ("127.0.0.1", 1), 403, "Forbidden", body=b"v=0\r\n")))
        ending(connection)

    with StreamServer(plain(script)) as server:
        exchange = ask(server.port)
    assert (exchange.result, exchange.status) == ("answered", 403)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("ending", [read_all, socket.socket.close], ids=["silence", "close"])
def test_half_a_status_line_is_malformed(ending: Callable[[socket.socket], None]) -> None:
    def script(connection: socket.socket, request: sip.Request) -> None:
        connection.sendall(b"SIP/2.0 40")
        ending(connection)

    with StreamServer(plain(script)) as server:
        exchange = ask(server.port)
    assert exchange.result == "malformed"
    assert exchange.detail.startswith("its answer broke off after ")


@pytest.mark.usefixtures("impatient")
def test_half_an_answer_to_another_request_is_malformed() -> None:
    def script(connection: socket.socket, request: sip.Request) -> None:
        branch = (request.vias[0].branch or "").encode()
        connection.sendall(reply(request, ("127.0.0.1", 1), body=b"v=0\r\n")[:-3].replace(branch, b"z9hG4bKother"))

    with StreamServer(plain(script)) as server:
        assert ask(server.port).result == "malformed"


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


@pytest.mark.parametrize(("code", "result"), [(13, "prohibited"), (1, "unreachable")])
def test_an_icmp_error_instead_of_a_connection(monkeypatch: pytest.MonkeyPatch, code: int, result: Result) -> None:
    icmp = IcmpError(4, 3, code, "192.168.1.1")
    monkeypatch.setattr(sockets, "_errors", lambda sock: [(icmp, False)])
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


def test_an_alert_in_the_handshake_proves_that_tls_is_spoken(tls_settings: dict[str, ssl.SSLContext]) -> None:
    settings = tls_settings["good"]
    connections: list[int] = []
    settings.sni_callback = lambda sock, name, context: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    def serve(connection: socket.socket, number: int) -> None:
        connections.append(number)
        with contextlib.suppress(ssl.SSLError):
            settings.wrap_socket(connection, server_side=True)

    try:
        with StreamServer(serve) as server:
            exchange = ask(server.port)
    finally:
        settings.sni_callback = None
    assert (exchange.result, exchange.speaks, connections) == ("closed", "tls", [1])
    assert exchange.detail == ("accepted the connection and ended the TLS handshake with the alert 'unrecognized name'")


def test_a_certificate_whose_names_cannot_be_read_is_described_all_the_same(
    tls_settings: dict[str, ssl.SSLContext], tmp_path: Path
) -> None:
    del tls_settings  # only for its skip
    config = CERTIFICATE.replace("sip.trunk.example", "René").replace("[req]", "[req]\nstring_mask = nombstr")
    (tmp_path / "config").write_text(config)
    command = "openssl req -x509 -utf8 -newkey rsa:2048 -nodes -extensions leaf -config config -keyout key -out pem"
    subprocess.run(command.split(), check=True, capture_output=True, timeout=60, cwd=tmp_path)
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(tmp_path / "pem", tmp_path / "key")
    tls = over_tls(settings, answer_ok).tls
    assert tls is not None
    assert tls.detail == "the certificate's subject and issuer cannot be read"
    assert (tls.subject, tls.issuer, tls.self_signed) == ("", "", None)
    assert tls.names == ["trunk.example", "sip:trunk.example", "192.0.2.27"]


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
        exchange = ask_over_tcp(CONTEXT, DOMAIN, Server(name, "127.0.0.1", server.port))
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
