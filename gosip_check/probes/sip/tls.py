"""TLS handshakes with SIP servers, described in plain words. Nothing that a server shows is verified or called good.

What is offered is what a careful device offers today: TLS 1.2 and later (RFC 8996). A handshake that fails although the
server speaks TLS is looked at once more, with what the server seems to need, only to say what that is.
"""

import contextlib
import re
import socket
import ssl
import time

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.probes.sip.exchange import Exchange, Tls
from gosip_check.wire.sip import WireError
from gosip_check.wire.tls_flight import demands_certificate, is_tls
from gosip_check.wire.x509 import read_certificate

TIMEOUT_S = 3.0

_ALERT = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?(.+)")
"How OpenSSL names an alert (RFC 8446 6.2) that came from the other side."

_REFUSALS = {
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": "it knows no secure renegotiation (RFC 5746)",
    "UNSUPPORTED_PROTOCOL": "it offers only a version of TLS or SSL that is too old",
    "VERSION_TOO_LOW": "it offers only a version of TLS or SSL that is too old",
    "DH_KEY_TOO_SMALL": "its Diffie-Hellman key is too short",
    "NO_CIPHERS_AVAILABLE": "no cipher is left that both may use",
}
"What OpenSSL here does not put up with, in words."

_TOO_OLD = ("too old", "'protocol version'")
_WORTH_ANOTHER_LOOK = ("'handshake failure'", "'bad certificate'", "too short", "(RFC 5746)", *_TOO_OLD)
"What may be the doing of a demand that can be named."

_OLD_RENEGOTIATION = 0x4
"SSL_OP_LEGACY_SERVER_CONNECT; Python names it from 3.12 on."

_HOST_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
"What TLS can carry as a server's name (RFC 6066 3); DNS may give names of any octets."


def handshake(context: Context, sock: socket.socket, name: str) -> ssl.SSLSocket | Exchange | str:
    """TLS on a connected socket; why it is not spoken, in words.

    An exchange, which is then all there is to know, where TLS is spoken but no handshake comes about.
    """
    until_s = time.monotonic() + TIMEOUT_S
    speaks_tls = False
    try:
        with contextlib.ExitStack() as opened:
            secured = opened.enter_context(
                _careful().wrap_socket(sock, server_hostname=_sni(name), do_handshake_on_connect=False)
            )
            while True:
                try:
                    secured.do_handshake()
                except ssl.SSLWantReadError:
                    if not sockets.wait_readable(context, [secured], until_s) or time.monotonic() >= until_s:
                        return f"no TLS answer within {TIMEOUT_S:g} s"
                    with contextlib.suppress(BlockingIOError):
                        speaks_tls = speaks_tls or is_tls(socket.socket.recv(secured, 3, socket.MSG_PEEK))
                else:
                    opened.pop_all()
                    return secured
    except ssl.SSLError as error:
        if speaks_tls or error.reason in _REFUSALS or _ALERT.fullmatch(error.reason or ""):
            return Exchange("closed", f"accepted the connection and {why(error)}", speaks="tls")
        if isinstance(error, ssl.SSLEOFError):
            return "the connection ended in the TLS handshake (closed)"
        return "no TLS, but something else"
    except OSError as error:
        return f"the connection ended in the TLS handshake ({error.strerror or 'closed'})"


def why(error: ssl.SSLError) -> str:
    """What ended TLS, to follow on who was asked."""
    reason = error.reason or ""
    alert = _ALERT.fullmatch(reason)
    if alert:
        name = alert[1].replace("_", " ").lower()
        meaning = ": it demands a certificate of the client" if name == "certificate required" else ""
        return f"ended the TLS handshake with the alert {name!r}{meaning}"
    words = _REFUSALS.get(reason, reason.replace("_", " ").lower() or "the reason is not given")
    return f"speaks TLS, but this machine does not agree to its handshake: {words}"


def named(context: Context, server: Server, failed: Exchange) -> Exchange:
    """The same, with what one more handshake shows of what the server needs; as it is where that shows nothing."""
    if not any(words in failed.detail for words in _WORTH_ANOTHER_LOOK):
        return failed
    with contextlib.suppress(OSError, ProbeFailed):
        flight, version = _look_again(context, server)
        if demands_certificate(flight):
            failed = _and(failed, "it demands a certificate of the client, which a trunk device must then have")
        elif version:
            failed = _and(failed, f"with all allowed that is old or weak, it agrees to {version}")
    context.check()
    return failed


def _and(failed: Exchange, words: str) -> Exchange:
    return Exchange(failed.result, f"{failed.detail}; {words}", culprit=failed.culprit, speaks=failed.speaks)


def _look_again(context: Context, server: Server) -> tuple[bytes, str | None]:
    """What the server sent where all is allowed that this OpenSSL can, and what was agreed where that succeeded."""
    settings = _anything()
    came, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = settings.wrap_bio(came, to_send, server_hostname=_sni(server.name))
    flight = b""
    until_s = time.monotonic() + TIMEOUT_S
    with sockets.tcp_connect(context, server.address, server.port, TIMEOUT_S) as sock:
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                sock.sendall(to_send.read())
                chunk = sockets.receive(context, sock, until_s)
                if not chunk:
                    return flight, None
                flight += chunk
                came.write(chunk)
            except ssl.SSLError:
                return flight, None
            else:
                return flight, f"{tls.version()} with {(tls.cipher() or ('no cipher',))[0]}"


def _careful() -> ssl.SSLContext:
    """As OpenSSL is by default on this machine, but for a minimum of its own."""
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    settings.check_hostname = False
    settings.verify_mode = ssl.CERT_NONE
    settings.minimum_version = ssl.TLSVersion.TLSv1_2
    settings.set_ciphers("DEFAULT")
    return settings


def _anything() -> ssl.SSLContext:
    """Describe old servers too, where this OpenSSL still can."""
    settings = _careful()
    settings.options |= _OLD_RENEGOTIATION
    with contextlib.suppress(ValueError, ssl.SSLError):
        settings.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with contextlib.suppress(ssl.SSLError):
        settings.set_ciphers("ALL:@SECLEVEL=0")
    return settings


def _sni(name: str) -> str | None:
    return name if _HOST_NAME.fullmatch(name) else None


def describe(sock: ssl.SSLSocket) -> Tls:
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
