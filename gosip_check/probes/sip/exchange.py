"""Send one OPTIONS to one SIP server and tell what came of it: over UDP here, the shared parts for streams too.

Manners (a scanner is what providers block): an honest User-Agent, one transaction at a time to one server, and a Via
whose host and port are the socket's own: a SIP ALG sends the answer elsewhere otherwise, and the fault would be ours.
RFC 3261 11 (OPTIONS), 17.1.2 (retransmission), RFC 3581 (rport).
"""

import contextlib
import secrets
import time
from datetime import datetime
from ipaddress import ip_address
from typing import Literal

from msgspec.structs import replace

from gosip_check import __version__
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context
from gosip_check.records import FailureKind, Record
from gosip_check.wire import sip
from gosip_check.wire.sip import WireError
from gosip_check.wire.transaction import ClientTransaction

UDP_TIMEOUT_S = 6.0
"Four copies go out, at 0, 0.5, 1.5 and 3.5 s; RFC 3261 would wait 32 s, which an installer need not."

_ICMP_IS_FINAL = 2
"So many ICMP errors end an exchange: one alone may have been a moment's, and decides nothing."

_KEEP_ALIVE = b"\r\n\0"
"A datagram of nothing else keeps a NAT's table entry alive (RFC 5626 3.5.1 and older customs)."

_LONGEST_TEXT = 200
"What a stranger wrote is kept up to here."

OTHER_REQUEST = "its answers belong to another request than ours"

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
    "unsent",
]
"""silent: nothing came. dropped: nothing came, and the site's edge is why. closed: a TCP connection was accepted and
ended without an answer. foreign: an answer to our request from another address than the server's. other-port: the same
from another port of its address. unsent: this machine has no way to that address, or does not let it be used. The
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

    culprit: who sent what came instead of an answer. speaks: over TCP, whether the server expects TLS or plain SIP.
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
    speaks: Literal["tls", "sip"] | None = None
    tls: Tls | None = None


def ask_over_udp(context: Context, domain: str, address: str, port: int) -> Exchange:
    """One OPTIONS with its retransmissions. Raises ProbeFailed when this machine cannot send, or was stopped.

    Whatever comes instead of the server's answer is noted and waited past; two ICMP errors end the waiting.
    """
    with sockets.udp_socket(context.link, sockets.family_of(address)) as sock:
        transaction = ClientTransaction(
            options(context, domain, "UDP", address, sockets.local_address(sock)[1]),
            time.monotonic(),
            t1=context.t1_s,
            timeout_s=UDP_TIMEOUT_S,
        )
        noise: Exchange | None = None
        elsewhere: Exchange | None = None
        errors: list[sockets.IcmpError] = []
        started_s = time.monotonic()
        while (next_at := transaction.next_at) is not None and len(errors) < _ICMP_IS_FINAL:
            request = transaction.due(time.monotonic())
            if request is not None:
                sockets.send_to(sock, request, address, port)
                continue
            sockets.wait_readable(context, [sock], next_at)
            for datagram in sockets.read_datagrams(sock):
                if not datagram.is_from(address, port):
                    elsewhere = elsewhere or _from_elsewhere(transaction, datagram, address)
                    continue
                if not datagram.data.strip(_KEEP_ALIVE):
                    continue
                try:
                    response = transaction.receive(datagram.data)
                except WireError as error:
                    count = len(datagram.data)
                    noise = Exchange(
                        "malformed", f"answered {count} octets that are not SIP ({error})", culprit=address
                    )
                    continue
                if response is not None and response.status >= 200:
                    rtt_ms = (datagram.at_s - started_s) * 1000 if transaction.sent == 1 else None
                    return answered(response, rtt_ms, transaction.sent)
                if response is None and isinstance(transaction.foreign[-1], sip.Response):
                    noise = Exchange("malformed", OTHER_REQUEST, culprit=address)
            errors += sockets.read_icmp_errors(sock)
        if transaction.provisional is not None:  # no final response, and yet the way there and back is open
            return answered(transaction.provisional, None, transaction.sent)
        ending = _icmp_ending(errors) or elsewhere or noise or _silence(transaction.sent, errors)
        return replace(ending, sent=transaction.sent)


def _from_elsewhere(transaction: ClientTransaction, datagram: sockets.Datagram, address: str) -> Exchange | None:
    """An answer to our request that the server's own socket did not send; a stranger's noise is nothing."""
    try:
        if not transaction.is_answered_by(sip.parse(datagram.data)):
            return None
    except WireError:
        return None
    if datagram.is_from(address, datagram.port):
        words = f"answered from its port {datagram.port} instead, which many firewalls and phone systems do not take"
        return Exchange("other-port", words, culprit=datagram.address)
    return Exchange("foreign", f"the answer came from {datagram.address}:{datagram.port}", culprit=datagram.address)


def _icmp_ending(errors: list[sockets.IcmpError]) -> Exchange | None:
    return from_icmp(errors[-1]) if len(errors) >= _ICMP_IS_FINAL else None


def _silence(sent: int, errors: list[sockets.IcmpError]) -> Exchange:
    """One ICMP error and then nothing: the error was not repeated for the later copies, so it is not believed."""
    words = f"no answer to {sent} tries in {UDP_TIMEOUT_S:g} s"
    if errors:
        words += f", though {errors[0].sender} once said {errors[0].name}"
    return Exchange("silent", words)


def options(
    context: Context, domain: str, transport: str, address: str, port: int, *, via_host: str | None = None
) -> bytes:
    """An OPTIONS whose Via is the socket's own address, or `via_host`, and `port`."""
    host = sockets.source_address(context.link, address)
    return sip.options_request(
        uri=f"sip:{domain}",
        transport=transport,
        host=host,
        port=port,
        via_host=via_host,
        branch=f"z9hG4bK{secrets.token_hex(8)}",
        call_id=f"{secrets.token_hex(8)}@{host}",
        from_tag=secrets.token_hex(4),
        user_agent=f"gosip-check/{__version__}",
    )


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


def from_icmp(icmp: sockets.IcmpError) -> Exchange:
    """An ICMP error instead of an answer; its sender is the culprit."""
    return Exchange(_RESULTS[icmp.kind], f"{icmp.sender} says {icmp.name}", culprit=icmp.sender)
