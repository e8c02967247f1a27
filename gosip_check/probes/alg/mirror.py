"""What did a far end of our own receive of our SIP? Method three of the ALG probe, where somebody runs a reflector.

Requests go to the reflector's SIP mirror (`wire.sip_mirror`) on SIP's own ports and on one that is not SIP's, over UDP
and TCP. The answer holds what arrived, so that no ALG can read it, and what the answer itself was: both ways are seen
in full. The mirror is not the provider: an ALG that minds only the provider's addresses is not seen this way.
"""

import secrets
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Literal

from gosip_check.probes import far_end
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.wire import bait, sip_mirror
from gosip_check.wire.rewriting import Change, compare
from gosip_check.wire.sip import WireError
from gosip_check.wire.sip_stream import MessageStream

UNRELATED_PORT = 15060
"A port of the mirror that no ALG knows as SIP's."

MESSAGES = (bait.OPTIONS, bait.INVITE, bait.REGISTER)

_SEND_AT_S = (0.0, 0.4, 1.2)
_GIVE_UP_AFTER_S = 2.5
_PADDING = 700
"The mirror never answers with more than it was sent; a header field of one letter compresses to nothing."


@dataclass(frozen=True)
class Mirrored:
    """One request and what came back. answered is False for silence, and then there are no changes."""

    transport: Literal["UDP", "TCP"]
    port: int
    message: str
    local: tuple[str, int]
    answered: bool
    request_changes: tuple[Change, ...] = ()
    reply_changes: tuple[Change, ...] = ()


def ask_mirror(context: Context, reflector: str, domain: str, ports: Sequence[int]) -> list[Mirrored]:
    """Every kind of request to every port over UDP, and an INVITE over TCP. Takes three seconds where ports are silent.

    reflector: HOST[:PORT], of which only the host matters here. Raises ProbeFailed when it has no address, or this
    machine cannot send to it.
    """
    address = far_end.resolve(context, far_end.host_and_port(reflector)[0])
    requests = [(port, message) for port in ports for message in MESSAGES]
    with ThreadPoolExecutor(1 + len(ports)) as pool:
        over_tcp = [pool.submit(_ask_over_tcp, context, address, domain, port) for port in ports]
        over_udp = _ask_over_udp(context, address, domain, requests)
        return over_udp + [future.result() for future in over_tcp]


def _ask_over_udp(context: Context, address: str, domain: str, wanted: Sequence[tuple[int, str]]) -> list[Mirrored]:
    """wanted: port and kind of each request; each has a socket of its own."""
    source = sockets.source_address(context.link, address)
    silent: dict[socket.socket, bytes] = {}
    results: dict[socket.socket, Mirrored] = {}
    with ExitStack() as opened:
        for port, message in wanted:
            sock = opened.enter_context(sockets.udp_socket(context.link, sockets.family_of(address)))
            local = (source, sockets.local_address(sock)[1])
            results[sock] = Mirrored("UDP", port, message, local, False)
            silent[sock] = mirror_request(domain, message, local)
        start_s = time.monotonic()
        for until_s in (*_SEND_AT_S[1:], _GIVE_UP_AFTER_S):
            for sock, request in silent.items():
                sockets.send_to(sock, request, address, results[sock].port)
            for sock, datagrams, _ in sockets.arrivals(context, silent, start_s + until_s):
                for datagram in datagrams:
                    answered = read_mirrored(results[sock], silent[sock], datagram.data) if sock in silent else None
                    if answered is not None:
                        results[sock] = answered
                        del silent[sock]
    return list(results.values())


def _ask_over_tcp(context: Context, address: str, domain: str, port: int) -> Mirrored:
    asked = Mirrored("TCP", port, bait.INVITE, (sockets.source_address(context.link, address), 0), False)
    until_s = time.monotonic() + _GIVE_UP_AFTER_S
    try:
        with sockets.tcp_connect(context, address, port, _GIVE_UP_AFTER_S) as sock:
            asked = replace(asked, local=(asked.local[0], sockets.local_address(sock)[1]))
            request = mirror_request(domain, bait.INVITE, asked.local).replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")
            sock.sendall(request)
            stream = MessageStream()
            while chunk := sockets.receive(context, sock, until_s):
                stream.feed(chunk)
                while message := stream.take():
                    answered = read_mirrored(asked, request, message.raw)
                    if answered is not None:
                        return answered
    except (ProbeFailed, WireError, OSError):
        context.check()
    return asked


def mirror_request(domain: str, message: str, local: tuple[str, int]) -> bytes:
    """A request that is long enough for its answer. local: what it says of where it comes from."""
    ids = bait.Ids(f"z9hG4bK{secrets.token_hex(6)}", secrets.token_hex(4), secrets.token_hex(3))
    plain = bait.bait(message, domain, *local, ids)
    return plain.replace(b"\r\nMax-Forwards", b"\r\nX-Padding: " + b"x" * _PADDING + b"\r\nMax-Forwards", 1)


def read_mirrored(asked: Mirrored, request: bytes, answer: bytes) -> Mirrored | None:
    """None for what the mirror did not write."""
    try:
        seen = sip_mirror.read(answer)
    except WireError:
        return None
    reply_changes = () if answer == seen.answer else compare(seen.answer, answer).changes
    request_changes = compare(request, seen.received).changes
    return replace(asked, answered=True, request_changes=request_changes, reply_changes=reply_changes)
