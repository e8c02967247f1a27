"""One way to one SIP server, on which several requests follow each other: a UDP socket, a TCP or a TLS connection.

Sends and receives; what is asked, and whether it may be asked again, is decided elsewhere.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.probes.sip import stream
from gosip_check.probes.sip.exchange import UDP_TIMEOUT_S
from gosip_check.probes.sip.signalling import Server
from gosip_check.records import FailureKind
from gosip_check.wire.sip import Response, WireError
from gosip_check.wire.transaction import ClientTransaction


@dataclass
class Line:
    """Made by `line()` only. host, port: our own socket's. contact_*: where the server saw us, else our own.

    received: what the last response's Via said of where the request came from.
    """

    context: Context
    transport: Literal["UDP", "TCP", "TLS"]
    sock: socket.socket
    address: str
    server_port: int
    host: str
    port: int
    contact_host: str
    contact_port: int
    received: str | None = None

    def ask(self, request: bytes, *, once: bool) -> Response | str:
        """The final response to a request, or what came instead in words. `once`: no copy is sent on silence."""
        came = self._over_udp(request, once) if self.transport == "UDP" else self._over_stream(request)
        if isinstance(came, Response):
            with contextlib.suppress(WireError):
                self.received = came.vias[0].received or self.received
        return came

    def _over_stream(self, request: bytes) -> Response | str:
        came = stream.exchange_on_stream(self.context, self.sock, request, self.address)
        if not isinstance(came, Response):
            return f"the server {came.detail}"
        return came if came.status >= 200 else f"only {came.status} {came.reason} within the time"

    def _over_udp(self, request: bytes, once: bool) -> Response | str:
        transaction = ClientTransaction(request, time.monotonic(), timeout_s=UDP_TIMEOUT_S, reliable=once)
        words = f"no answer within {UDP_TIMEOUT_S:g} s"
        while (next_at := transaction.next_at) is not None:
            copy = transaction.due(time.monotonic())
            if copy is not None:
                sockets.send_to(self.sock, copy, self.address, self.server_port)
                continue
            sockets.wait_readable(self.context, [self.sock], next_at)
            for datagram in sockets.read_datagrams(self.sock):
                if (datagram.address, datagram.port) != (self.address, self.server_port):
                    continue
                try:
                    response = transaction.receive(datagram.data)
                except WireError as error:
                    words = f"what answered is not SIP ({error})"
                    continue
                if response is not None and response.status >= 200:
                    return response
            for icmp in sockets.read_icmp_errors(self.sock):
                words = f"{icmp.sender} says {icmp.name}"
        return words


@contextlib.contextmanager
def line(context: Context, server: Server, transport: Literal["udp", "tcp"]) -> Iterator[Line]:
    """Open the way; TLS where the server was seen to speak it. Raises ProbeFailed where it does not open."""
    seen = server.first.received
    if transport == "udp":
        with sockets.udp_socket(context.link, sockets.family_of(server.address)) as sock:
            host, port = sockets.source_address(context.link, server.address), sockets.local_address(sock)[1]
            yield Line(context, "UDP", sock, server.address, server.port, host, port, seen or host, port)
        return
    with sockets.tcp_connect(context, server.address, server.port, stream.CONNECT_TIMEOUT_S) as sock:
        host, port = sockets.local_address(sock)
        if server.first.speaks != "tls":
            yield Line(context, "TCP", sock, server.address, server.port, host, port, seen or host, port)
            return
        secured = stream.handshake(context, sock, server.targets[0])
        if not isinstance(secured, ssl.SSLSocket):
            raise ProbeFailed(FailureKind.UNREACHABLE, f"{server.address}:{server.port} gives {secured}.")
        with secured:
            yield Line(context, "TLS", secured, server.address, server.port, host, port, seen or host, port)
