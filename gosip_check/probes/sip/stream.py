"""Send one OPTIONS to one SIP server over TCP, and find out whether it speaks TLS or plain SIP. Judges nothing.

Nothing that the server shows in TLS is verified: the certificate is described, not trusted. RFC 3261 18.1, 18.3.
"""

import contextlib
import socket
import ssl
import time

from msgspec.structs import replace

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context
from gosip_check.probes.sip.exchange import Exchange, answered, from_icmp, options
from gosip_check.probes.sip.tls import describe, handshake, named, why
from gosip_check.probes.sip.transactions import other_request
from gosip_check.records import FailureKind
from gosip_check.wire import sip
from gosip_check.wire.sip import WireError
from gosip_check.wire.sip_head import described, head_of
from gosip_check.wire.sip_stream import MessageStream
from gosip_check.wire.transaction import ClientTransaction

CONNECT_TIMEOUT_S = 4.0
ANSWER_TIMEOUT_S = 4.0


def ask_over_tcp(
    context: Context, domain: str, server: Server, plain: bool = False, *, ttl: int | None = None
) -> Exchange:
    """TLS first; where the server does not speak it, plain SIP on a second connection. Says which of them it speaks.

    plain: it is known not to speak TLS, so that is not tried again. ttl: nothing that is sent goes further.
    """
    why_plain = "TLS was not tried again"
    address, port = server.address, server.port
    try:
        if not plain:
            with sockets.tcp_connect(context, address, port, CONNECT_TIMEOUT_S, ttl=ttl) as sock:
                secured = handshake(context, sock, server.name)
                if isinstance(secured, Exchange):
                    return secured if ttl else named(context, server, secured)
                if isinstance(secured, ssl.SSLSocket):
                    with secured:
                        tls = describe(secured)
                        exchange = _ask_on_stream(context, secured, domain, "TLS", address)
                        return replace(exchange, speaks="tls", tls=tls)
                why_plain = f"TLS was tried first: {secured}"
        with sockets.tcp_connect(context, address, port, CONNECT_TIMEOUT_S, ttl=ttl) as sock:
            exchange = _ask_on_stream(context, sock, domain, "TCP", address)
    except sockets.ConnectFailed as failed:
        return _not_connected(failed)
    if exchange.result == "answered":
        return replace(exchange, speaks="sip")
    return replace(exchange, detail=f"{exchange.detail}; {why_plain}")


def _ask_on_stream(context: Context, sock: socket.socket, domain: str, transport: str, address: str) -> Exchange:
    request = options(context, domain, transport, address, sockets.local_address(sock)[1])
    started_s = time.monotonic()
    response = exchange_on_stream(context, sock, request, address)
    if isinstance(response, Exchange):
        return response
    took_s = time.monotonic() - started_s
    whole = response.status >= 200 and took_s < ANSWER_TIMEOUT_S  # else it was waited for, and never came to its end
    return answered(response, took_s * 1000 if whole else None, 1)


def exchange_on_stream(context: Context, sock: socket.socket, request: bytes, address: str) -> sip.Response | Exchange:
    """Send one request over a connection: the final response, else a provisional one, else what came instead."""
    started_s = time.monotonic()
    until_s = started_s + ANSWER_TIMEOUT_S
    transaction = ClientTransaction(request, started_s, reliable=True)
    stream = MessageStream()
    try:
        sock.sendall(request)
        while True:
            message = stream.take()
            if message is not None:
                response = transaction.receive(message.raw)
                if response is not None and response.status >= 200:
                    return response
                continue
            chunk = sockets.receive(context, sock, until_s)
            if not chunk:
                break
            stream.feed(chunk)
        ending = _broken_off(chunk)
        if stream.rest:
            ending = Exchange("malformed", f"its answer broke off after {len(stream.rest)} octets", culprit=address)
    except WireError as error:
        ending = Exchange("malformed", described(stream.rest, error), culprit=address)
    except ssl.SSLError as error:
        ending = Exchange("closed", f"accepted the connection and {why(error)}")
    except ConnectionResetError:
        ending = Exchange("closed", "accepted the connection and reset it without an answer")
    except OSError as error:
        ending = Exchange("closed", f"accepted the connection, which then broke: {error.strerror or error}")
    with contextlib.suppress(WireError):
        unfinished = _unfinished(stream.rest, transaction)
        if unfinished is not None:
            return unfinished
    if transaction.provisional is not None:  # no final response, and yet the way there and back is open
        return transaction.provisional
    if any(isinstance(message, sip.Response) for message in transaction.foreign):
        return Exchange("malformed", other_request(transaction.request, transaction.foreign), culprit=address)
    return ending


def _broken_off(chunk: bytes | None) -> Exchange:
    """What it is when no more comes; `chunk` is None where the connection is still open."""
    if chunk is None:
        return Exchange("silent", f"accepted the connection, but gave no answer within {ANSWER_TIMEOUT_S:g} s")
    return Exchange("closed", "accepted the connection and closed it without an answer")


def _unfinished(buffer: bytes, transaction: ClientTransaction) -> sip.Response | None:
    """The response whose body did not come, or has no length, or whose head did not come as a whole.

    A status is an answer. Lines that say whose it is must be right, unless they were still to come.
    """
    message, head_is_whole = head_of(buffer)
    if not isinstance(message, sip.Response):
        return None
    if not head_is_whole and (message.header("Via") is None or message.header("CSeq") is None):
        return message
    return transaction.take(message)


def _not_connected(failed: sockets.ConnectFailed) -> Exchange:
    if failed.icmp is not None:
        return from_icmp(failed.icmp)
    if failed.failure.kind is FailureKind.REFUSED:
        return Exchange("reset", "the connection was answered with a reset")
    return Exchange("silent", f"no answer to the connection within {CONNECT_TIMEOUT_S:g} s")
