"""TLS that does not come about: the openssl program as the server, and a ServerHello of a server from before 2010."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.probe import Context
from gosip_check.probes.sip.exchange import Exchange
from gosip_check.probes.sip.stream import ask_over_tcp
from gosip_check.records import Link
from gosip_check.wire.tls_flight import demands_certificate, is_tls
from tests.unit.far_ends import StreamServer, unused_port

pytestmark = pytest.mark.waits

CONTEXT = Context(Link("Internet-1"))


def ask(port: int) -> Exchange:
    exchange = ask_over_tcp(CONTEXT, "trunk.example", Server("zt.trunk.example", "127.0.0.1", port))
    assert "_ssl" not in exchange.detail
    assert "SSL:" not in exchange.detail
    return exchange


@contextlib.contextmanager
def s_server(folder: Path, *options: str) -> Iterator[int]:
    """openssl s_server with a certificate of its own; its port."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=sip.example -keyout key.pem -out certificate.pem"
    subprocess.run(command.split(), check=True, capture_output=True, timeout=60, cwd=folder)
    port = unused_port(socket.SOCK_STREAM)
    argv = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", "key.pem", "-cert", "certificate.pem"]
    with subprocess.Popen(
        [*argv, *options], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            assert process.stdout is not None
            assert any(line.startswith(b"ACCEPT") for line in process.stdout)
            yield port
        finally:
            process.kill()


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_client_certificate_that_is_demanded_is_named(tmp_path: Path, version: str) -> None:
    with s_server(tmp_path, "-Verify", "1", version) as port:
        exchange = ask(port)
    assert (exchange.result, exchange.speaks) == ("closed", "tls")
    assert "it demands a certificate of the client" in exchange.detail


def test_a_cipher_that_nobody_should_use_is_an_alert_and_no_demand(tmp_path: Path) -> None:
    with s_server(tmp_path, "-tls1_2", "-cipher", "NULL-SHA256:@SECLEVEL=0") as port:
        exchange = ask(port)
    assert (exchange.result, exchange.speaks) == ("closed", "tls")
    assert exchange.detail.endswith("ended the TLS handshake with the alert 'handshake failure'")


@pytest.mark.parametrize(
    ("options", "agreed"),
    [
        (["-tls1", "-cipher", "ALL:@SECLEVEL=0"], "TLSv1 with "),
        (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "TLSv1.1 with "),
        (["-tls1_2", "-nocert", "-cipher", "AECDH-AES128-SHA:@SECLEVEL=0"], "TLSv1.2 with AECDH-AES128-SHA"),
        (["-tls1_2", "-nocert", "-cipher", "ADH-AES256-SHA256:@SECLEVEL=0"], "TLSv1.2 with ADH-AES256-SHA256"),
    ],
)
def test_what_is_old_or_weak_is_named_and_not_called_good(tmp_path: Path, options: list[str], agreed: str) -> None:
    """RFC 8996 forbids TLS 1.0 and 1.1; without a certificate nobody knows whom he speaks to."""
    with s_server(tmp_path, *options) as port:
        exchange = ask(port)
    assert (exchange.result, exchange.status, exchange.speaks) == ("closed", None, "tls")
    assert f"with all allowed that is old or weak, it agrees to {agreed}" in exchange.detail


@pytest.mark.parametrize("options", [["-tls1_2", "-cipher", "AES128-SHA"], ["-tls1_2", "-cipher", "AES256-SHA256"], []])
def test_what_openssl_takes_by_default_is_taken(tmp_path: Path, options: list[str]) -> None:
    with s_server(tmp_path, *options) as port:
        exchange = ask(port)
    assert exchange.tls is not None
    assert exchange.tls.subject == "sip.example"


def hello(version: bytes) -> bytes:
    """A ServerHello without any extension, as servers sent it that know no RFC 5746: ECDHE-RSA-AES128-SHA."""
    body = version + bytes(32) + b"\0" + b"\xc0\x13" + b"\0"
    message = b"\2" + len(body).to_bytes(3) + body
    return b"\x16" + version + len(message).to_bytes(2) + message


@pytest.mark.parametrize(
    ("version", "says"),
    [(b"\3\3", "it knows no secure renegotiation (RFC 5746)"), (b"\3\0", "version of TLS or SSL that is too old")],
)
def test_an_old_server_is_said_to_speak_tls(version: bytes, says: str) -> None:
    def serve(connection: socket.socket, number: int) -> None:
        del number
        connection.recv(65536)
        connection.sendall(hello(version))
        connection.recv(65536)

    with StreamServer(serve) as server:
        exchange = ask(server.port)
    assert (exchange.result, exchange.speaks) == ("closed", "tls")
    assert "speaks TLS, but this machine does not agree to its handshake: " in exchange.detail
    assert says in exchange.detail


def test_a_flight_is_read_however_it_is_cut_into_records() -> None:
    request = b"\x0d\0\0\2\1\1"
    messages = hello(b"\3\3")[5:] + request + b"\x0e\0\0\0"
    for size in (1, 7, 100):
        parts = [messages[start : start + size] for start in range(0, len(messages), size)]
        flight = b"".join(b"\x16\3\3" + len(part).to_bytes(2) + part for part in parts)
        assert is_tls(flight)
        assert demands_certificate(flight)
        assert not demands_certificate(flight[: -len(request) * 6 - 30])
    assert not is_tls(b"HTTP/1.1 400")
    assert not demands_certificate(b"\x16\3\3\xff")
