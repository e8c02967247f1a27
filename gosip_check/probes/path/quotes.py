"""Datagrams that die on the way, and what the hop where they died quotes of them. Says what became of each, not why.

A datagram with a small TTL makes the hop where it runs out send an ICMP Time Exceeded that quotes it (RFC 792), and the
socket's error queue brings sender and quote to a plain user (ip(7)). So a hop behind the site's edge proves that the
edge let the datagram out, without any server seeing it.

That no quote came proves nothing by itself: hops ration their errors, some send none. `plan` says what does.

The SYN of a TCP connection that cannot get further than the hop is quoted in the same way.
"""

import secrets
import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Literal

from gosip_check.probes.net import segments, sockets
from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.net.sockets import Datagram
from gosip_check.probes.path.ration import GAP_S
from gosip_check.probes.probe import Context
from gosip_check.records import FailureKind
from gosip_check.wire import bait
from gosip_check.wire.icmp_quote import payload_of

Payload = Callable[[str, int], bytes]
"The datagram, given the local address and port that it is sent from."

_WAIT_S = 0.9
_SHORTEST_GRACE_S = 0.25
"How long quotes may arrive after the quote of a datagram that was sent later; twice the round trip where that is more."

CONTROL_PORTS = (33434, 16402, 53, 123)
"Traceroute's own port, one of the media range, and two that most firewalls let out. None belongs to SIP."

SYN_CONTROL_PORTS = (443, 80, 5065, 33434)
"Of TCP: two that most firewalls let out, and two that hardly anybody listens on."

LARGEST_QUOTE = 520
"Octets of a UDP payload that fit into an ICMP error of 576 (RFC 1812 4.3.2.3)."


@dataclass(frozen=True)
class Shot:
    """One datagram to send: from a socket of its own, to `address`:`port`, to die after `ttl` hops. whole: sets DF.

    is_syn: a TCP connection is tried instead. is_sip: something on the way may read it.
    """

    payload: Payload
    address: str
    port: int
    ttl: int
    whole: bool = False
    is_syn: bool = False
    is_sip: bool = False


@dataclass(frozen=True)
class Reaction:
    """What came back for a shot. `sent` is the datagram, `local` where it left from. All None: silence.

    connection: the SYN was accepted, or reset without an ICMP error.
    """

    shot: Shot
    sent: bytes
    local: tuple[str, int]
    icmp: IcmpError | None = None
    reply: Datagram | None = None
    connection: Literal["accepted", "reset"] | None = None

    @property
    def died_on_the_way(self) -> bool:
        """A hop quoted it, so every device before that hop has let it through."""
        return self.icmp is not None and self.icmp.is_time_exceeded

    @property
    def quoted(self) -> bytes:
        """What the hop saw of the payload, as far as it quoted it."""
        return payload_of(self.icmp.quoted, self.icmp.quoted_length) if self.icmp else b""


def sip_shot(address: str, port: int, domain: str, message: str, ttl: int) -> Shot:
    """One of the SIP requests that are meant to die on the way, with ids of its own."""
    ids = bait.Ids(f"z9hG4bK{secrets.token_hex(6)}", secrets.token_hex(4), secrets.token_hex(3))

    def payload(host: str, own_port: int) -> bytes:
        return bait.bait(message, domain, host, own_port, ids)

    return Shot(payload, address, port, ttl, is_sip=True)


def syn_shot(address: str, port: int, ttl: int) -> Shot:
    """A TCP connection that cannot get further than `ttl` hops."""
    return Shot(lambda *_: b"", address, port, ttl, is_syn=True)


def control(address: str, ttl: int, port: int) -> Shot:
    """A datagram that no SIP ALG cares for, as large as can be quoted."""
    text = b"gosip-check looks where this datagram dies; it asks nothing of you. "
    return Shot(lambda *_: (text * 8)[:LARGEST_QUOTE], address, port, ttl)


def volley(context: Context, shots: Sequence[Shot], wait_s: float = _WAIT_S) -> list[Reaction]:
    """Send every shot once, a few milliseconds apart, and listen until each had a reaction or `wait_s` is over.

    Raises ProbeFailed: what this machine refuses; interrupted.
    """
    sources = {
        address: sockets.source_address(context.link, address) for address in {s.address for s in shots if not s.is_syn}
    }
    reactions: dict[socket.socket, Reaction] = {}
    with ExitStack() as opened:
        prepared = [None if shot.is_syn else opened.enter_context(_datagram_socket(context, shot)) for shot in shots]
        for shot, sock in zip(shots, prepared, strict=True):
            if sock is None:
                sock = opened.enter_context(
                    sockets.begin_connecting(context.link, shot.address, shot.port, ttl=shot.ttl)
                )
                reactions[sock] = Reaction(shot, b"", sockets.local_address(sock))
            else:
                local = (sources[shot.address], sockets.local_address(sock)[1])
                reactions[sock] = Reaction(shot, shot.payload(*local), local)
                sockets.send_to(sock, reactions[sock].sent, shot.address, shot.port, ttl=shot.ttl)
            context.wait(GAP_S)
        sent_s = time.monotonic()
        until_s = sent_s + wait_s
        silent, last = dict(reactions), next(reversed(reactions), None)
        is_over = False
        while silent and not is_over:
            is_over = time.monotonic() >= until_s
            events = {sock: select.POLLOUT if silent[sock].shot.is_syn else select.POLLIN for sock in silent}
            for sock in sockets.wait_ready(context, events, until_s):
                came = (
                    _of_connection(sock, silent[sock]) if silent[sock].shot.is_syn else _of_datagram(sock, silent[sock])
                )
                if came is None:
                    continue
                reactions[sock] = came
                del silent[sock]
                if sock is last:
                    now_s = time.monotonic()
                    until_s = min(until_s, now_s + max(_SHORTEST_GRACE_S, 2 * (now_s - sent_s)))
    return list(reactions.values())


def sweep(context: Context, rows: Sequence[Sequence[Shot]], step_s: float) -> list[list[Reaction]]:
    """Send each row of datagrams in its order, one of each row every `step_s`. The first that is quoted ends its row.

    What came of those that were sent, row by row. Raises ProbeFailed as `volley`.
    """
    sources = {address: sockets.source_address(context.link, address) for address in {row[0].address for row in rows}}
    going = {number: iter(row) for number, row in enumerate(rows)}
    reactions: list[dict[socket.socket, Reaction]] = [{} for _ in rows]
    silent: dict[socket.socket, int] = {}

    def listen(until_s: float) -> None:
        for sock, replies, errors in sockets.arrivals(context, silent, until_s):
            if replies or errors:
                number = silent.pop(sock)
                came = replace(reactions[number][sock], icmp=next(iter(errors), None), reply=next(iter(replies), None))
                reactions[number][sock] = came
                if came.died_on_the_way:
                    going.pop(number, None)
        context.wait_until(until_s)

    with ExitStack() as opened:
        while going:
            for number, shots in list(going.items()):
                shot = next(shots, None)
                if shot is None:
                    del going[number]
                    continue
                sock = opened.enter_context(_datagram_socket(context, shot))
                local = (sources[shot.address], sockets.local_address(sock)[1])
                reactions[number][sock], silent[sock] = Reaction(shot, shot.payload(*local), local), number
                sockets.send_to(sock, reactions[number][sock].sent, shot.address, shot.port, ttl=shot.ttl)
                context.wait(GAP_S)
            listen(time.monotonic() + step_s)
        is_over = all(any(reaction.died_on_the_way for reaction in row.values()) for row in reactions)
        listen(time.monotonic() + (_SHORTEST_GRACE_S if is_over else _WAIT_S))
    return [list(row.values()) for row in reactions]


def _datagram_socket(context: Context, shot: Shot) -> socket.socket:
    sock = sockets.udp_socket(context.link, sockets.family_of(shot.address))
    if shot.whole:
        segments.forbid_fragments(sock)
    return sock


def _of_datagram(sock: socket.socket, reaction: Reaction) -> Reaction | None:
    """None for a wake-up with nothing to read."""
    replies, errors = sockets.read_datagrams(sock), sockets.read_icmp_errors(sock)
    if not replies and not errors:
        return None
    return replace(reaction, icmp=next(iter(errors), None), reply=next(iter(replies), None))


def _of_connection(sock: socket.socket, reaction: Reaction) -> Reaction:
    try:
        sockets.check_connected(sock, reaction.shot.address, reaction.shot.port)
    except sockets.ConnectFailed as failed:
        if failed.icmp is not None:
            return replace(reaction, icmp=failed.icmp)
        return replace(reaction, connection="reset") if failed.failure.kind is FailureKind.REFUSED else reaction
    return replace(reaction, connection="accepted")
