"""What does a server that answers show of the way that our SIP took? Methods two and four of the ALG probe.

Up to three OPTIONS to each server, a second apart, each from a socket of its own (an ALG remembers the flows that
it has seen), each with another form of Via:

literal     Via holds the socket's own address: an ALG writes the public one there, and the server sees nothing odd.
name        Via holds a name that no ALG can match, so `received` (RFC 3261 18.2.1) says where it really came from.
other-port  Via names the port of a second socket of ours, while `rport` (RFC 3581 4) asks for the answer at the first.
            A server that understood that and an answer that arrives at the second socket: it was diverted on the way.

Of every answer, the headers that a server must copy (RFC 3261 8.2.6.2) are compared with what was sent.
"""

import contextlib
import socket
import ssl
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.net import sockets
from gosip_check.probes.path.own_request import VIA_NAME
from gosip_check.probes.probe import Context, ProbeFailed, side_by_side
from gosip_check.probes.sip.exchange import ICMP_IS_FINAL, Exchange
from gosip_check.probes.sip.exchange import options as options_request
from gosip_check.probes.sip.stream import CONNECT_TIMEOUT_S, exchange_on_stream
from gosip_check.probes.sip.tls import handshake
from gosip_check.probes.sip.transactions import Transaction, run
from gosip_check.wire import sip
from gosip_check.wire.rewriting import Change
from gosip_check.wire.sip import WireError
from gosip_check.wire.sip_uri import equivalent, host_key, read_uri, same_host

ViaForm = Literal["literal", "name", "other-port"]

_PAUSE_S = 1.0
_TIMEOUT_S = 4.0
_SIP_PORT = 5060


@dataclass(frozen=True)
class ViaTest:
    """One OPTIONS and its answer. response: None for silence. arrived_at: the local port that the answer came to."""

    form: ViaForm
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
        """What is not in the answer as it was sent, of the headers that a server must copy: a device's doing."""
        return [change for change, proves in self._differences() if proves]

    def doubts(self) -> list[Change]:
        """What is not as it was sent either, but may have been changed by the provider's own servers."""
        return [change for change, proves in self._differences() if not proves]

    def _differences(self) -> list[tuple[Change, bool]]:
        if self.response is None:
            return []
        request, response = sip.parse(self.sent), self.response
        ours = {self.local[0], self.seen_from[0] if self.seen_from else self.local[0]}
        differences = []
        for name, proves in _copied_otherwise(request, response, self.server, ours):
            change = Change(name, f"{name}: {request.header(name)}", f"{name}: {response.header(name)}")
            differences.append((change, proves))
        vias = [item for value in response.headers("Via") for item in sip.split_list(value, ",")]
        return differences + [(Change("Via", None, f"Via: {value}"), True) for value in vias[1:]]


def over_udp(context: Context, domain: str, servers: Sequence[Server], forms: Sequence[ViaForm]) -> list[ViaTest]:
    """All servers at once. Takes as many seconds as there are forms, and four more where a server is silent."""
    with ExitStack() as opened:
        listener = opened.enter_context(_listener(context))
        asked: list[tuple[ViaForm, Transaction]] = []
        for server in servers:
            for number, form in enumerate(forms):
                sock = opened.enter_context(sockets.udp_socket(context.link, sockets.family_of(server.address)))
                port = sockets.local_address(listener if form == "other-port" else sock)[1]
                transaction = Transaction(
                    context,
                    sock,
                    server,
                    _request(context, domain, "UDP", server, port, form),
                    _TIMEOUT_S,
                    delay_s=number * _PAUSE_S,
                    any_source=True,
                    icmp_ends=ICMP_IS_FINAL,
                )
                asked.append((form, transaction))
        run(context, [transaction for _, transaction in asked], listener)
        return [_test_of(context, form, transaction) for form, transaction in asked]


def over_tcp(context: Context, domain: str, servers: Sequence[Server], forms: Sequence[ViaForm]) -> list[ViaTest]:
    """One connection for each form, TLS where a server speaks only that; all servers at once."""
    tests = side_by_side(lambda server: [_over_tcp(context, domain, server, form) for form in forms], servers)
    return [test for of_server in tests for test in of_server]


def _listener(context: Context) -> socket.socket:
    """The second socket, at SIP's own port where nobody holds it: some ALGs send every answer there."""
    try:
        return sockets.udp_socket(context.link, port=_SIP_PORT)
    except ProbeFailed:
        return sockets.udp_socket(context.link)


def _request(context: Context, domain: str, transport: str, server: Server, port: int, form: ViaForm) -> bytes:
    via_host = VIA_NAME if form == "name" else None
    return options_request(context, domain, transport, server.address, port, via_host=via_host)


def _test_of(context: Context, form: ViaForm, transaction: Transaction) -> ViaTest:
    server, sock = transaction.server, transaction.sock
    local = (sockets.source_address(context.link, server.address), sockets.local_address(sock)[1])
    response = transaction.final or _by_call_id(transaction.request, transaction.foreign)
    arrived_at = sockets.local_address(transaction.answered_at or sock)[1] if response else None
    return ViaTest(form, server, local, transaction.request, response, arrived_at)


def _over_tcp(context: Context, domain: str, server: Server, form: ViaForm) -> ViaTest:
    source = sockets.source_address(context.link, server.address)

    def ask(sock: socket.socket, transport: str) -> ViaTest:
        local = (source, sockets.local_address(sock)[1])
        request = _request(context, domain, transport, server, local[1], form)
        came = exchange_on_stream(context, sock, request, server.address)
        response = None if isinstance(came, Exchange) else came
        return ViaTest(form, server, local, request, response, local[1] if response else None)

    try:
        with sockets.tcp_connect(context, server.address, server.port, CONNECT_TIMEOUT_S) as sock:
            test = ask(sock, "TCP")
        if test.response is not None:
            return test
        with sockets.tcp_connect(context, server.address, server.port, CONNECT_TIMEOUT_S) as sock:
            secured = handshake(context, sock, server.name)
            if not isinstance(secured, ssl.SSLSocket):
                return test
            with secured:
                return ask(secured, "TLS")
    except sockets.ConnectFailed:
        return ViaTest(form, server, (source, 0), b"", None, None)


def _copied_otherwise(
    request: sip.Message, response: sip.Message, server: Server, ours: Collection[str]
) -> Iterable[tuple[str, bool]]:
    """(header, whether it proves a device on the way) of each header that means something else in the answer.

    Servers may space, order and spell what they copy as they like, so meanings are compared. ours: the addresses of
    this site, as we and the server know them.
    """
    for name, read in _COPIED.items():
        with contextlib.suppress(WireError):  # an answer too broken to compare proves nothing
            if read(request) != read(response):
                yield name, True
    with contextlib.suppress(WireError):
        if (request.from_.tag or "").lower() != (response.from_.tag or "").lower():
            yield "From", True
            return
    for name in ("From", "To"):
        with contextlib.suppress(WireError):
            sent, came = (message.from_.uri if name == "From" else message.to.uri for message in (request, response))
            allowed = {server.address, server.name, read_uri(request.to.uri).host}
            proves = _is_proof(sent, came, allowed, ours)
            if proves is not None:
                yield name, proves


def _is_proof(sent: str, came: str, allowed: Iterable[str], ours: Collection[str]) -> bool | None:
    """None where the URIs are equivalent (RFC 3261 19.1.4), or differ only as any server of the provider may have it.

    It may put its address for its name, and the reverse, and add a port or parameters. An address of the site that was
    not sent there, or another port beside ours, is proof of a device. Anything else is open.
    """
    if equivalent(sent, came):
        return None
    before, after = read_uri(sent), read_uri(came)
    if not same_host(before.host, after.host):
        if any(same_host(after.host, name) for name in allowed) and before.user == after.user:
            return None
        return any(same_host(after.host, address) for address in ours)
    if before.port != after.port and before.port is not None and after.port is not None:
        return True
    return None if (before.scheme, before.user) == (after.scheme, after.user) else False


def _via(message: sip.Message) -> object:
    via = message.vias[0]
    return host_key(via.host), via.port, (via.branch or "").lower()


_COPIED: Mapping[str, Callable[[sip.Message], object]] = {
    "Via": _via,
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
