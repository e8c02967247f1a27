"""Our messages read by programs nobody here wrote, and theirs by us: Kamailio serves, sipsak asks, on loopback."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gosip_check.wire.sip import Message, Request, Response, options_request, parse, response
from gosip_check.wire.sip_stream import take_from_stream
from gosip_check.wire.transaction import ClientTransaction

pytestmark = pytest.mark.waits

# Tells in its answer what it read in the request.
KAMAILIO_CONFIG = """\
debug=0
log_stderror=yes
fork=no
children=1
dns=no
rev_dns=no
auto_aliases=no
mpath="{modules}"
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "siputils.so"
loadmodule "textops.so"
request_route {{
  force_rport();
  append_to_reply("X-Read: $rm|$ru|$cs|$ci|$ft|$(ct{{nameaddr.uri}})|$hdr(Max-Forwards)|$ua|");
  append_to_reply("$hdr(X-Marker)|$(rb{{s.len}})\\r\\n");
  sl_send_reply("200", "OK");
}}
"""


@pytest.fixture
def kamailio(tmp_path: Path) -> Iterator[int]:
    """The port of a Kamailio that starts while the test begins: the client's retransmissions bridge the gap."""
    program = shutil.which("kamailio", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    modules = next(Path("/usr").glob("lib*/**/kamailio/modules"), None)
    if program is None or modules is None:
        pytest.skip("Kamailio is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    config = tmp_path / "kamailio.cfg"
    config.write_text(KAMAILIO_CONFIG.format(modules=modules, port=port))
    command = [program, "-f", str(config), "-DD", "-E", "-m", "32", "-M", "4", "-Y", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        yield port
        server.terminate()


def options(transport: str, target: int, port: int, branch: str) -> bytes:
    return options_request(
        uri=f"sip:127.0.0.1:{target}",
        transport=transport,
        host="127.0.0.1",
        port=port,
        branch=branch,
        call_id="c1@127.0.0.1",
        from_tag="f1",
        cseq=7,
        user_agent="gosip-check",
        extra=(("X-Marker", "marked"), ("Content-Type", "text/plain")),
        body=b"hello",
    )


def asked_over_udp(target: int) -> tuple[Response | None, int]:
    """The final response to an OPTIONS and the port it was sent from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        port = client.getsockname()[1]
        transaction = ClientTransaction(
            options("UDP", target, port, "z9hG4bK1"), time.monotonic(), t1=0.05, timeout_s=20
        )
        while (next_at := transaction.next_at) is not None:
            if request := transaction.due(time.monotonic()):
                client.sendto(request, ("127.0.0.1", target))
            client.settimeout(max(next_at - time.monotonic(), 0.01))
            with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                transaction.receive(client.recv(65535))
        return transaction.final, port


def test_kamailio_reads_our_request_and_we_its_response(kamailio: int) -> None:
    answer, port = asked_over_udp(kamailio)
    assert answer is not None
    contact = f"sip:probe@127.0.0.1:{port}"
    read = f"OPTIONS|sip:127.0.0.1:{kamailio}|7|c1@127.0.0.1|f1|{contact}|70|gosip-check|marked|5"
    assert answer.header("X-Read") == read
    assert (answer.status, answer.reason) == (200, "OK")
    assert (answer.vias[0].rport, answer.vias[0].received) == (port, "127.0.0.1")
    assert answer.from_.tag == "f1"
    assert answer.to.tag


def test_kamailio_cuts_our_stream_and_we_its(kamailio: int) -> None:
    assert asked_over_udp(kamailio)[0] is not None  # it is up
    with socket.create_connection(("127.0.0.1", kamailio), timeout=20) as client:
        port = client.getsockname()[1]
        client.sendall(options("TCP", kamailio, port, "z9hG4bK1") + options("TCP", kamailio, port, "z9hG4bK2"))
        buffer = b""
        taken: list[Message] = []
        while len(taken) < 2:
            received = client.recv(50)
            assert received, "Kamailio closed the connection"
            message, buffer = take_from_stream(buffer + received)
            taken += [message] if message else []
    assert [message.vias[0].branch for message in taken] == ["z9hG4bK1", "z9hG4bK2"]
    assert [message.vias[0].rport for message in taken] == [port, port]
    assert buffer == b""


def test_sipsak_takes_our_response_for_its_own() -> None:
    if shutil.which("sipsak") is None:
        pytest.skip("sipsak is not installed")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        command = ["sipsak", "-v", "-s", f"sip:me@127.0.0.1:{server.getsockname()[1]}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as client:
            datagram, source = server.recvfrom(65535)
            request = parse(datagram)
            assert isinstance(request, Request)
            assert (request.method, request.cseq.method) == ("OPTIONS", "OPTIONS")
            assert request.vias[0].host == "127.0.0.1"
            server.sendto(response(request, 200, "OK", to_tag="t1", received=source), source)
            output, _ = client.communicate(timeout=20)
    assert client.returncode == 0
    assert "SIP/2.0 200 OK" in output
