"""What does a server that answers tell of the way our SIP took? Methods two and four of the ALG probe.

Up to three OPTIONS to each server, a second apart, each from a socket of its own (an ALG remembers the flows that
it has seen):

literal     Via holds the socket's own address: an ALG writes the public one there, and the server sees nothing odd.
name        Via holds a name that no ALG can match, so `received` (RFC 3261 18.2.1) tells where it really came from.
other-port  Via names the port of a second socket of ours, while `rport` (RFC 3581 4) asks for the answer at the first.
            A server that understood that and an answer that arrives at the second socket: it was diverted on the way.

Of every answer, the headers that a server must copy (RFC 3261 8.2.6.2) are compared with what was sent.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from gosip_check.probes.net import sockets
from gosip_check.probes.path.hops import Server
from gosip_check.probes.probe import Context, ProbeFailed, side_by_side
from gosip_check.probes.sip.exchange import Exchange, options
from gosip_check.probes.sip.stream import CONNECT_TIMEOUT_S, exchange_on_stream, handshake
from gosip_check.wire import sip
from gosip_check.wire.rewriting import Change
from gosip_check.wire.sip import WireError
from gosip_check.wire.transaction import ClientTransaction

Way = Literal["literal", "name", "other-port"]

_NAME = "probe.invalid"
_PAUSE_S = 1.0
_TIMEOUT_S = 4.0
_SIP_PORT = 5060
_ICMP_IS_FINAL = 2


@dataclass(frozen=True)
class Answer:
    """What came of one OPTIONS. response: None for silence. arrived_at: the local port that the answer came to."""

    way: Way
    server: Server
    local: tuple[str, int]
    sent: bytes
    response: sip.Response | None
    arrived_at: int | None

    @property
    def diverted(self) -> bool:
        """It came to another port than it was sent from, though the server had been asked for that one and said so."""
        return self.arrived_at is not None and self.arrived_at != self.local[1] and self.seen_from is not None

    @property
    def seen_from(self) -> tuple[str, int] | None:
        """The address and port that the server saw; None where it did not say both."""
        if self.response is None:
            return None
        try:
            via = self.response.vias[0]
            return (via.received, via.rport) if via.received and via.rport else None
        except WireError:
            return None

    def changes(self) -> list[Change]:
        """What is not in the answer as it was sent, of the headers that a server must copy."""
        if self.response is None:
            return []
        request = sip.parse(self.sent)
        changes = []
        for name, before, after in _copied(request, self.response):
            if before != after:
                changes.append(Change(name, f"{name}: {request.header(name)}", f"{name}: {self.response.header(name)}"))
        changes += [Change("Via", None, f"Via: {value}") for value in self.response.headers("Via")[1:]]
        return changes


def ask_pairs(context: Context, domain: str, servers: Sequence[Server], ways: Sequence[Way]) -> list[Answer]:
    """Over UDP, to all servers at once. Takes as many seconds as there are ways, and four more where one is silent."""
    with ExitStack() as opened:
        listener = opened.enter_context(_listener(context))
        listening_at = sockets.local_address(listener)[1]
        now_s = time.monotonic()
        asked = []
        for server in servers:
            for number, way in enumerate(ways):
                sock = opened.enter_context(sockets.udp_socket(context.link, sockets.family_of(server.address)))
                asked.append(_Asked(context, domain, server, way, sock, listening_at, now_s + number * _PAUSE_S))
        _run(context, asked, listener)
        return [one.answer(listening_at) for one in asked]


def ask_pairs_over_tcp(context: Context, domain: str, servers: Sequence[Server], ways: Sequence[Way]) -> list[Answer]:
    """Over TCP, or TLS where a server speaks it: one connection for each way, all servers at once."""
    found = side_by_side(lambda server: [_ask_over_tcp(context, domain, server, way) for way in ways], servers)
    return [answer for answers in found for answer in answers]


def _listener(context: Context) -> socket.socket:
    """The second socket, at SIP's own port where nobody holds it: some ALGs send every answer there."""
    try:
        return sockets.udp_socket(context.link, port=_SIP_PORT)
    except ProbeFailed:
        return sockets.udp_socket(context.link)


class _Asked:
    """One OPTIONS over UDP under way."""

    def __init__(
        self,
        context: Context,
        domain: str,
        server: Server,
        way: Way,
        sock: socket.socket,
        listening_at: int,
        start_s: float,
    ) -> None:
        self.way, self.server, self.sock = way, server, sock
        self.local = (sockets.source_address(context.link, server.address), sockets.local_address(sock)[1])
        port = listening_at if way == "other-port" else self.local[1]
        via_host = _NAME if way == "name" else None
        self.request = options(context, domain, "UDP", server.address, port, via_host=via_host)
        self.transaction = ClientTransaction(self.request, start_s, t1=context.t1_s, timeout_s=_TIMEOUT_S)
        self.at_listener = False
        self.icmp_count = 0

    @property
    def next_at(self) -> float | None:
        return None if self.icmp_count >= _ICMP_IS_FINAL else self.transaction.next_at

    def take(self, data: bytes, *, at_listener: bool = False) -> None:
        if self.next_at is None:
            return
        try:
            response = self.transaction.receive(data)
        except WireError:
            return
        if response is not None and response.status >= 200:
            self.at_listener = at_listener

    def answer(self, listening_at: int) -> Answer:
        response = self.transaction.final or _by_call_id(self.request, self.transaction.foreign)
        arrived_at = None if response is None else listening_at if self.at_listener else self.local[1]
        return Answer(self.way, self.server, self.local, self.request, response, arrived_at)


def _run(context: Context, asked: Sequence[_Asked], listener: socket.socket) -> None:
    by_socket = {one.sock: one for one in asked}
    while waits := [one.next_at for one in asked if one.next_at is not None]:
        for one in asked:
            request = one.transaction.due(time.monotonic()) if one.next_at is not None else None
            if request is not None:
                sockets.send_to(one.sock, request, one.server.address, one.server.port)
        for sock in sockets.wait_readable(context, [*by_socket, listener], min(waits)):
            datagrams = sockets.read_datagrams(sock)
            errors = sockets.read_icmp_errors(sock)
            if sock is listener:
                for one in asked:
                    for datagram in datagrams:
                        one.take(datagram.data, at_listener=True)
                continue
            by_socket[sock].icmp_count += len(errors)
            for datagram in datagrams:
                by_socket[sock].take(datagram.data)


def _ask_over_tcp(context: Context, domain: str, server: Server, way: Way) -> Answer:
    source = sockets.source_address(context.link, server.address)
    via_host = _NAME if way == "name" else None

    def ask(sock: socket.socket, transport: str) -> Answer:
        local = (source, sockets.local_address(sock)[1])
        request = options(context, domain, transport, server.address, local[1], via_host=via_host)
        response = exchange_on_stream(context, sock, request, server.address)
        found = None if isinstance(response, Exchange) else response
        return Answer(way, server, local, request, found, local[1] if found else None)

    try:
        with sockets.tcp_connect(context, server.address, server.port, CONNECT_TIMEOUT_S) as sock:
            answer = ask(sock, "TCP")
        if answer.response is not None:
            return answer
        with sockets.tcp_connect(context, server.address, server.port, CONNECT_TIMEOUT_S) as sock:
            secured = handshake(context, sock, server.name)
            if not isinstance(secured, ssl.SSLSocket):
                return answer
            with secured:
                return ask(secured, "TLS")
    except sockets.ConnectFailed:
        return Answer(way, server, (source, 0), b"", None, None)


def _copied(request: sip.Message, response: sip.Message) -> Iterable[tuple[str, object, object]]:
    """(header, as sent, as answered), compared by meaning: servers may space and order what they copy as they like."""
    for name, read in _COPIED.items():
        try:
            yield name, read(request), read(response)
        except WireError:  # an answer too broken to compare proves nothing
            continue


def _via(message: sip.Message) -> object:
    via = message.vias[0]
    return via.host.lower(), via.port, (via.branch or "").lower()


_COPIED: Mapping[str, Callable[[sip.Message], object]] = {
    "Via": _via,
    "From": lambda message: (message.from_.uri, message.from_.tag),
    "To": lambda message: message.to.uri,
    "Call-ID": lambda message: message.call_id,
    "CSeq": lambda message: message.cseq,
}


def _by_call_id(request: bytes, messages: Iterable[sip.Message]) -> sip.Response | None:
    """An answer that is ours by its Call-ID although its branch is not: something rewrote it."""
    call_id = sip.parse(request).call_id
    for message in messages:
        try:
            if isinstance(message, sip.Response) and message.status >= 200 and message.call_id == call_id:
                return message
        except WireError:
            continue
    return None
