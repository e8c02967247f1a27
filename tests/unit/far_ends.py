"""Far ends for tests: DNS and SIP servers of a few lines, and a stream server that follows a script."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from gosip_check.servers.endpoint import Answers, Endpoint, Peer
from gosip_check.wire import sip
from gosip_check.wire.sip_stream import take_from_stream

DnsAnswers = dns.message.Message | bytes | Iterable[dns.message.Message | bytes] | None
"""A message, raw bytes, several of them, or silence."""

Zone = dict[tuple[str, str], list[str]]
"""(name, type) -> records as in a zone file."""

TTL_S = 300


def nano_dns(answer: Callable[[dns.message.Message, Peer, str], DnsAnswers], address: str = "127.0.0.1") -> Endpoint:
    """A resolver that says what `answer(query, peer, "UDP" or "TCP")` gives. Bytes over TCP go out without a length."""

    def handle(wire: bytes, peer: Peer, transport: str) -> Answers:
        given = answer(dns.message.from_wire(wire), peer, transport)
        several = [given] if isinstance(given, bytes | dns.message.Message) else given or []
        return (item if isinstance(item, bytes) else _framed(item, transport) for item in several)

    return Endpoint(address, handle, split_dns)


def _framed(message: dns.message.Message, transport: str) -> bytes:
    wire = message.to_wire()
    return wire if transport == "UDP" else struct.pack("!H", len(wire)) + wire


def split_dns(buffer: bytes) -> tuple[bytes | None, bytes]:
    if len(buffer) < 2 or len(buffer) < (end := 2 + struct.unpack_from("!H", buffer)[0]):
        return None, buffer
    return buffer[2:end], buffer[end:]


def dns_reply(
    query: dns.message.Message, *records: str, rcode: str = "NOERROR", flags: str = "AA RA"
) -> dns.message.Message:
    """An answer to `query`; a record is rdata of the type asked for, or `NAME TYPE RDATA`."""
    reply = dns.message.make_response(query)
    reply.set_rcode(dns.rcode.from_text(rcode))
    reply.flags |= dns.flags.from_text(flags)
    question = query.question[0]
    kind = dns.rdatatype.to_text(question.rdtype)
    for record in records:
        name, record_kind, rdata = record.split(" ", 2) if record.split(" ")[1:2] == ["CNAME"] else ("", kind, record)
        rrset = dns.rrset.from_text(name or question.name, TTL_S, "IN", record_kind, rdata)
        whole = reply.find_rrset(reply.answer, rrset.name, rrset.rdclass, rrset.rdtype, create=True)
        for item in rrset:
            whole.add(item, TTL_S)
    return reply


def from_zone(zone: Zone) -> Callable[[dns.message.Message, Peer, str], DnsAnswers]:
    """What a resolver says that knows this zone: the records, none of that type, or NXDOMAIN. Too long for UDP: TC."""
    names = {name for name, _ in zone}

    def answer(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
        del peer
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        if name not in names:
            return dns_reply(query, rcode="NXDOMAIN")
        reply = dns_reply(query, *zone.get((name, kind), []))
        if transport == "UDP" and len(reply.to_wire()) > 512:
            return dns_reply(query, flags="AA RA TC")
        return reply

    return answer


Handle = Callable[[sip.Request, Peer], Answers]


def split_sip(buffer: bytes) -> tuple[bytes | None, bytes]:
    message, rest = take_from_stream(buffer)
    return (None if message is None else message.raw), rest


def sip_server(handle: Handle, address: str = "127.0.0.1") -> Endpoint:
    """SIP over UDP and plain TCP; a TLS handshake is no SIP, so that connection is closed."""

    def answer(data: bytes, peer: Peer, transport: str) -> Answers:
        del transport
        request = sip.parse(data)
        assert isinstance(request, sip.Request)
        return handle(request, peer)

    return Endpoint(address, answer, split_sip)


def reply(request: sip.Request, peer: Peer, status: int = 200, reason: str = "OK", **changes: Any) -> bytes:
    return sip.response(request, status, reason, **{"to_tag": "t", "received": peer, **changes})


class StreamServer:
    """`with StreamServer(script)`: a TCP listener on loopback; `script(connection, number)`, one by one."""

    def __init__(self, script: Callable[[socket.socket, int], None]) -> None:
        self._script = script
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.address, self.port = "127.0.0.1", int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # which ends accept()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        number = 0
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            number += 1
            with connection, contextlib.suppress(OSError):  # the other side may go away at any moment
                self._script(connection, number)


def read_all(connection: socket.socket) -> None:
    """Silence: take what comes, until the other side closes."""
    while connection.recv(65536):
        pass


def reset(connection: socket.socket) -> None:
    """End a connection with a reset instead of a close."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
    connection.close()


def unused_port(kind: socket.SocketKind = socket.SOCK_DGRAM, address: str = "127.0.0.1") -> int:
    """A port on which nothing listens."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as sock:
        sock.bind((address, 0))
        return int(sock.getsockname()[1])
