"""Send one OPTIONS to one SIP server and see what comes of it: over UDP here, the shared parts for streams too.

Manners (a scanner is what providers block): an honest User-Agent, one transaction at a time to one server, and a Via
whose host and port are the socket's own: a SIP ALG sends the answer elsewhere otherwise, and the fault would be ours.
RFC 3261 11 (OPTIONS), 17.1.2 (retransmission), RFC 3581 (rport).
"""

import contextlib
import socket
from datetime import datetime
from ipaddress import ip_address
from typing import Literal

from msgspec.structs import replace

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.net import sockets
from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.path.own_request import own_options
from gosip_check.probes.probe import Context
from gosip_check.probes.sip.transactions import Transaction, run
from gosip_check.records import FailureKind, Record
from gosip_check.wire import sip
from gosip_check.wire.sip import WireError

UDP_TIMEOUT_S = 6.0
"Four copies go out, at 0, 0.5, 1.5 and 3.5 s; RFC 3261 would wait 32 s, which an installer need not."

ICMP_IS_FINAL = 2
"So many ICMP errors end an exchange: one alone may have been a moment's, and decides nothing."

_MORE_COPIES = 5
_COPIES_APART_S = 1.2
"Of what is sent after a single error; Linux gives one a second."

_LONGEST_TEXT = 200
"What a stranger wrote is kept up to here."

Result = Literal[
    "answered",
    "silent",
    "closed",
    "dropped",
    "refused",
    "reset",
    "prohibited",
    "unreachable",
    "malformed",
    "foreign",
    "other-port",
    "stand-in",
    "unsent",
]
"""silent: nothing came. dropped: nothing came, and the site's edge is why. closed: a TCP connection was accepted and
ended without an answer. foreign: an answer to our request from another address than the server's. other-port: the same
from another port of its address. stand-in: something on the way answers in the server's name, and what came is its
own, or may be. unsent: this machine has no way to that address, or does not let it be used. The
others say what came instead of an answer."""


class Tls(Record, frozen=True):
    """What the server showed in its TLS handshake; nothing of it is verified."""

    version: str
    cipher: str
    subject: str
    names: list[str]
    issuer: str
    self_signed: bool | None
    not_after: datetime | None
    detail: str


class Exchange(Record, frozen=True):
    """What came of one OPTIONS. rtt_ms is None after a retransmission: nobody knows which copy was answered.

    culprit: who sent what came instead of an answer. left_at: a hop behind the site's edge that saw it pass.
    speaks: over TCP, whether the server expects TLS or plain SIP.
    """

    result: Result
    detail: str
    status: int | None = None
    reason: str = ""
    server: str = ""
    received: str | None = None
    rport: int | None = None
    rtt_ms: float | None = None
    sent: int = 1
    culprit: str | None = None
    left_at: str | None = None
    speaks: Literal["tls", "sip"] | None = None
    tls: Tls | None = None


def ask_over_udp(context: Context, domain: str, server: Server) -> Exchange:
    """One OPTIONS with its retransmissions. Raises ProbeFailed when this machine cannot send, or was stopped."""
    with sockets.udp_socket(context.link, sockets.family_of(server.address)) as sock:
        request = options(context, domain, "UDP", server.address, sockets.local_address(sock)[1])
        transaction = exchange_over_udp(context, sock, server, request)
        if transaction.final is None and transaction.provisional is None and len(transaction.errors) == 1:
            _look_for_the_second_error(context, sock, transaction)
    response = transaction.final or transaction.provisional
    if response is None:
        return instead_of_answer(transaction)
    exchange = answered(response, transaction.rtt_ms, transaction.sent)
    if transaction.flaw:
        flaw = f"{exchange.detail}, which a phone system may drop: {transaction.flaw}"
        return replace(exchange, detail=flaw)
    return exchange


def exchange_over_udp(
    context: Context, sock: socket.socket, server: Server, request: bytes, *, once: bool = False
) -> Transaction:
    """One request with its retransmissions, or without any (`once`). Raises as `ask_over_udp`.

    Whatever comes instead of the server's answer is noted and waited past; two ICMP errors end the waiting.
    """
    icmp_ends = None if once else ICMP_IS_FINAL
    transaction = Transaction(context, sock, server, request, UDP_TIMEOUT_S, once=once, icmp_ends=icmp_ends)
    run(context, [transaction])
    return transaction


def _look_for_the_second_error(context: Context, sock: socket.socket, silent: Transaction) -> None:
    """A router that rejects may ration its ICMP errors, as Linux does to one a second: more copies, further apart.

    What comes of them, also a late answer, is added to the transaction.
    """
    for number in range(1, _MORE_COPIES + 1):
        copy = Transaction(context, sock, silent.server, silent.request, _COPIES_APART_S, once=True, icmp_ends=1)
        run(context, [copy])
        if copy.final is not None or copy.errors:
            silent.sent += number
            silent.errors += copy.errors
            silent.final, silent.answer, silent.flaw = copy.final, copy.answer, copy.flaw
            return


def instead_of_answer(transaction: Transaction) -> Exchange:
    """What came of a request that no response answered.

    One ICMP error and then nothing: the error was not repeated for the later copies, so it is not believed.
    """
    errors, elsewhere, server, sent = transaction.errors, transaction.elsewhere, transaction.server, transaction.sent
    if len(errors) >= ICMP_IS_FINAL:
        return replace(from_icmp(errors[-1]), sent=sent)
    if elsewhere is not None and elsewhere.is_from(server.address, elsewhere.port):
        detail = f"answered from its port {elsewhere.port} instead, which many firewalls and phone systems do not take"
        return Exchange("other-port", detail, culprit=elsewhere.address, sent=sent)
    if elsewhere is not None:
        detail = f"the answer came from {elsewhere.address}:{elsewhere.port}"
        return Exchange("foreign", detail, culprit=elsewhere.address, sent=sent)
    if transaction.noise:
        return Exchange("malformed", transaction.noise, culprit=server.address, sent=sent)
    detail = f"no answer to {sent} {'try' if sent == 1 else 'tries'} in {UDP_TIMEOUT_S:g} s"
    if errors:
        detail += f", though {errors[0].sender} once said {errors[0].name}"
    return Exchange("silent", detail, sent=sent)


def options(
    context: Context,
    domain: str,
    transport: str,
    address: str,
    port: int,
    *,
    via_host: str | None = None,
    rport: bool = True,
) -> bytes:
    """An OPTIONS whose Via is the socket's own address, or `via_host`, and `port`; with `rport` or without."""
    host = sockets.source_address(context.link, address)
    return own_options(domain, transport, host, port, via_host=via_host, rport=rport)


def answered(response: sip.Response, rtt_ms: float | None, sent: int) -> Exchange:
    """What a final response says, and what its top Via says of where the request came from."""
    received = rport = None
    with contextlib.suppress(WireError):
        via = response.vias[0]
        rport = via.rport
        with contextlib.suppress(ValueError):  # anything may stand there, a name too
            received = str(ip_address((via.received or "").strip("[]")))
    reason = response.reason[:_LONGEST_TEXT]
    return Exchange(
        "answered",
        f"{response.status} {reason}".strip(),
        status=response.status,
        reason=reason,
        server=(response.header("Server") or response.header("User-Agent") or "")[:_LONGEST_TEXT],
        received=received,
        rport=rport,
        rtt_ms=None if rtt_ms is None else round(rtt_ms, 3),
        sent=sent,
    )


_RESULTS: dict[FailureKind, Result] = {
    FailureKind.TIMEOUT: "silent",
    FailureKind.REFUSED: "refused",
    FailureKind.PROHIBITED: "prohibited",
    FailureKind.UNREACHABLE: "unreachable",
}


def from_icmp(icmp: IcmpError) -> Exchange:
    """An ICMP error instead of an answer; its sender is the culprit."""
    return Exchange(_RESULTS[icmp.kind], f"{icmp.sender} says {icmp.name}", culprit=icmp.sender)
