"""One flow to one SIP server, on which requests follow each other: over a UDP socket, TCP or TLS (RFC 5626 2).

Sends and receives; what is asked, and whether it may be asked again, is decided elsewhere.
"""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.probes.sip import stream, tls
from gosip_check.probes.sip.exchange import exchange_over_udp, instead_of_answer
from gosip_check.probes.sip.signalling import ServerFacts
from gosip_check.records import FailureKind
from gosip_check.wire.sip import Response, WireError


@dataclass
class Flow:
    """Made by `open_flow()` only. host, port: our own socket's.

    received: what the last response's Via said of where the request came from.
    """

    context: Context
    transport: Literal["UDP", "TCP", "TLS"]
    sock: socket.socket
    server: ServerFacts
    host: str
    port: int
    received: str | None = None

    @property
    def server_name(self) -> str:
        """Its address and port."""
        return f"{self.server.address}:{self.server.port}"

    @property
    def contact_host(self) -> str:
        """Where the server saw OPTIONS come from, else our own address."""
        return self.server.first.received or self.host

    def ask(self, request: bytes, *, once: bool) -> Response | str:
        """The final response to a request, or in words what came instead. `once`: no copy is sent on silence."""
        came = self._over_udp(request, once) if self.transport == "UDP" else self._over_stream(request)
        if isinstance(came, Response):
            with contextlib.suppress(WireError):
                self.received = came.vias[0].received or self.received
        return came

    def _over_stream(self, request: bytes) -> Response | str:
        came = stream.exchange_on_stream(self.context, self.sock, request, self.server.address)
        if not isinstance(came, Response):
            return f"the server {came.detail}"
        return came if came.status >= 200 else f"only {came.status} {came.reason} within the time"

    def _over_udp(self, request: bytes, once: bool) -> Response | str:
        transaction = exchange_over_udp(self.context, self.sock, self.server.server, request, once=once)
        return transaction.final or instead_of_answer(transaction).detail


@contextlib.contextmanager
def open_flow(context: Context, server: ServerFacts, transport: Literal["udp", "tcp"]) -> Iterator[Flow]:
    """TLS where the server was seen to speak it. Raises ProbeFailed where it does not open."""
    if transport == "udp":
        with sockets.udp_socket(context.link, sockets.family_of(server.address)) as sock:
            host = sockets.source_address(context.link, server.address)
            yield Flow(context, "UDP", sock, server, host, sockets.local_address(sock)[1])
        return
    with sockets.tcp_connect(context, server.address, server.port, stream.CONNECT_TIMEOUT_S) as sock:
        local = sockets.local_address(sock)
        if server.first.speaks != "tls":
            yield Flow(context, "TCP", sock, server, *local)
            return
        secured = tls.handshake(context, sock, server.targets[0])
        if not isinstance(secured, ssl.SSLSocket):
            came = f"gives {secured}" if isinstance(secured, str) else secured.detail
            raise ProbeFailed(FailureKind.UNREACHABLE, f"{server.address}:{server.port} {came}.")
        with secured:
            yield Flow(context, "TLS", secured, server, *local)
