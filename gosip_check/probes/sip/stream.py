"""Send one OPTIONS to one SIP server over TCP, and find out whether it speaks TLS or plain SIP. Judges nothing.

Nothing that the server shows in TLS is verified: the certificate is described, not trusted. RFC 3261 18.1, 18.3.
"""

import contextlib
import re
import socket
import ssl
import time

from msgspec.structs import replace

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context
from gosip_check.probes.sip.exchange import Exchange, Tls, answered, from_icmp, options
from gosip_check.probes.sip.transactions import other_request
from gosip_check.records import FailureKind
from gosip_check.wire import sip
from gosip_check.wire.sip import WireError
from gosip_check.wire.sip_head import described, head_of
from gosip_check.wire.transaction import ClientTransaction
from gosip_check.wire.x509 import read_certificate

CONNECT_TIMEOUT_S = 4.0
ANSWER_TIMEOUT_S = 4.0
TLS_TIMEOUT_S = 3.0

_ALERT = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?(.+)")
"How OpenSSL names an alert (RFC 8446 6.2) that came from the other side."

_HOST_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
"What TLS can carry as a server's name (RFC 6066 3); DNS may give names of any octets."


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
                    return secured
                if isinstance(secured, ssl.SSLSocket):
                    with secured:
                        tls = _describe(secured)
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
    buffer = b""
    try:
        sock.sendall(request)
        while True:
            message, buffer = sip.take_from_stream(buffer)
            if message is not None:
                response = transaction.receive(message.raw)
                if response is not None and response.status >= 200:
                    return response
                continue
            chunk = sockets.receive(context, sock, until_s)
            if not chunk:
                break
            buffer += chunk
        ending = _broken_off(chunk)
        if buffer:
            ending = Exchange("malformed", f"its answer broke off after {len(buffer)} octets", culprit=address)
    except WireError as error:
        ending = Exchange("malformed", described(buffer, error), culprit=address)
    except ConnectionResetError:
        ending = Exchange("closed", "accepted the connection and reset it without an answer")
    except OSError as error:
        ending = Exchange("closed", f"accepted the connection, which then broke: {error.strerror or error}")
    with contextlib.suppress(WireError):
        unfinished = _unfinished(buffer, transaction)
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


def handshake(context: Context, sock: socket.socket, name: str) -> ssl.SSLSocket | Exchange | str:
    """A TLS connection to whoever answers, without verifying who; or why there is none, in words.

    An exchange, which is then all there is to know, where the server itself said in TLS that it will not talk to us.
    """
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    settings.check_hostname = False
    settings.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(ValueError, ssl.SSLError):  # describe old servers too, where this OpenSSL still can
        settings.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with contextlib.suppress(ssl.SSLError):
        settings.set_ciphers("ALL:@SECLEVEL=0")
    until_s = time.monotonic() + TLS_TIMEOUT_S
    sni = name if _HOST_NAME.fullmatch(name) else None
    try:
        with contextlib.ExitStack() as opened:
            secured = opened.enter_context(
                settings.wrap_socket(sock, server_hostname=sni, do_handshake_on_connect=False)
            )
            while True:
                try:
                    secured.do_handshake()
                except ssl.SSLWantReadError:
                    if not sockets.wait_readable(context, [secured], until_s) or time.monotonic() >= until_s:
                        return f"no TLS answer within {TLS_TIMEOUT_S:g} s"
                else:
                    opened.pop_all()
                    return secured
    except ssl.SSLError as error:
        alert = _ALERT.fullmatch(error.reason or "")
        if alert:
            alert_name = alert[1].replace("_", " ").lower()
            detail = f"accepted the connection and ended the TLS handshake with the alert {alert_name!r}"
            return Exchange("closed", detail, speaks="tls")
        return f"no TLS ({error.reason or 'handshake failed'})"
    except OSError as error:
        return f"the connection ended in the TLS handshake ({error.strerror or 'closed'})"


def _describe(sock: ssl.SSLSocket) -> Tls:
    version, (cipher, _, _) = sock.version() or "", sock.cipher() or ("", "", 0)
    der = sock.getpeercert(binary_form=True)
    if der is None:
        return Tls(version, cipher, "", [], "", None, None, "the server shows no certificate")
    try:
        certificate = read_certificate(der)
    except WireError as error:
        return Tls(version, cipher, "", [], "", None, None, f"the certificate cannot be read: {error}")
    unreadable = " and ".join(certificate.unreadable)
    return Tls(
        version=version,
        cipher=cipher,
        subject=certificate.subject,
        names=list(certificate.names),
        issuer=certificate.issuer,
        self_signed=certificate.self_signed,
        not_after=certificate.not_after,
        detail=f"the certificate's {unreadable} cannot be read" if unreadable else "",
    )


def _not_connected(failed: sockets.ConnectFailed) -> Exchange:
    if failed.icmp is not None:
        return from_icmp(failed.icmp)
    if failed.failure.kind is FailureKind.REFUSED:
        return Exchange("reset", "the connection was answered with a reset")
    return Exchange("silent", f"no answer to the connection within {CONNECT_TIMEOUT_S:g} s")
