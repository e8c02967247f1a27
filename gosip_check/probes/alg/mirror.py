"""What did a far end of our own receive of our SIP? Method three of the ALG probe, where somebody runs a reflector.

Requests go to the reflector's SIP mirror (`wire.sip_mirror`) on SIP's own ports and on one that is not SIP's, over UDP
and TCP. The answer holds what arrived, so that no ALG can read it, and tells what the answer itself was: both ways are
seen in full. The mirror is not the provider: an ALG that minds only the provider's addresses is not seen this way.
"""

import secrets
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from gosip_check.probes import far_end
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.wire import bait, sip, sip_mirror
from gosip_check.wire.rewriting import Change, compare
from gosip_check.wire.sip import WireError

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
    address = far_end.resolve(far_end.host_and_port(reflector)[0], context.link.source)
    places = [(port, message) for port in ports for message in MESSAGES]
    with ThreadPoolExecutor(1 + len(ports)) as pool:
        over_tcp = [pool.submit(_ask_over_tcp, context, address, domain, port) for port in ports]
        found = _ask_over_udp(context, address, domain, places)
        return found + [future.result() for future in over_tcp]


def _ask_over_udp(context: Context, address: str, domain: str, places: Sequence[tuple[int, str]]) -> list[Mirrored]:
    with ExitStack() as opened:
        socks = [opened.enter_context(sockets.udp_socket(context.link, sockets.family_of(address))) for _ in places]
        source = sockets.source_address(context.link, address)
        requests = []
        for sock, (_, message) in zip(socks, places, strict=True):
            requests.append(_request(domain, message, (source, sockets.local_address(sock)[1])))
        found: dict[int, Mirrored] = {}
        start_s = time.monotonic()
        for again_s in [*_SEND_AT_S[1:], _GIVE_UP_AFTER_S]:
            for index, (port, _) in enumerate(places):
                if index not in found:
                    sockets.send_to(socks[index], requests[index], address, port)
            while len(found) < len(places) and time.monotonic() < start_s + again_s:
                for sock in sockets.wait_readable(context, socks, start_s + again_s):
                    index = socks.index(sock)
                    sockets.read_icmp_errors(sock)
                    for datagram in sockets.read_datagrams(sock):
                        port, message = places[index]
                        local = (source, sockets.local_address(sock)[1])
                        heard = _read("UDP", port, message, local, requests[index], datagram.data)
                        if heard is not None:
                            found[index] = heard
        silent = [
            Mirrored("UDP", port, message, (source, sockets.local_address(sock)[1]), False)
            for sock, (port, message) in zip(socks, places, strict=True)
        ]
        return [found.get(index, silent[index]) for index in range(len(places))]


def _ask_over_tcp(context: Context, address: str, domain: str, port: int) -> Mirrored:
    source = sockets.source_address(context.link, address)
    until_s = time.monotonic() + _GIVE_UP_AFTER_S
    try:
        with sockets.tcp_connect(context, address, port, _GIVE_UP_AFTER_S) as sock:
            local = (source, sockets.local_address(sock)[1])
            request = _request(domain, bait.INVITE, local).replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")
            sock.sendall(request)
            buffer = b""
            while sockets.wait_readable(context, [sock], until_s):
                chunk = sock.recv(65536)
                buffer += chunk
                message, _ = sip.take_from_stream(buffer)
                heard = message and _read("TCP", port, bait.INVITE, local, request, message.raw)
                if heard:
                    return heard
                if not chunk:
                    break
    except (ProbeFailed, WireError, OSError):
        context.check()
    return Mirrored("TCP", port, bait.INVITE, (source, 0), False)


def _request(domain: str, message: str, local: tuple[str, int]) -> bytes:
    ids = bait.Ids(f"z9hG4bK{secrets.token_hex(6)}", secrets.token_hex(4), secrets.token_hex(3))
    plain = bait.bait(message, domain, *local, ids)
    return plain.replace(b"\r\nMax-Forwards", b"\r\nX-Padding: " + b"x" * _PADDING + b"\r\nMax-Forwards", 1)


def _read(
    transport: Literal["UDP", "TCP"], port: int, message: str, local: tuple[str, int], request: bytes, answer: bytes
) -> Mirrored | None:
    """None for what the mirror did not write."""
    try:
        seen = sip_mirror.read(answer)
    except WireError:
        return None
    there = compare(request, seen.received).changes
    back = () if answer == seen.answer else compare(seen.answer, answer).changes
    return Mirrored(transport, port, message, local, True, there, back)
