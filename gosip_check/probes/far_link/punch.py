"""Lets two sockets of this machine, each behind its line's NAT, speak to each other, and proves that they do.

Each sends first what dies behind its own edge: it opens its own NAT. A packet that reached the other router before that
one's NAT was open could spoil the port for half a minute there. Then both send at the same time. Only the other's token
from the other's outside address counts.
"""

import secrets
import socket
import time
from dataclasses import dataclass, field

from gosip_check.probes.net import sockets
from gosip_check.probes.path import hops
from gosip_check.probes.probe import Context

_FIRST_TTL, _LAST_TTL = 2, 4
"From the first hop behind an edge to the last one that may still be a carrier's NAT."
_QUOTED_WITHIN_S = 0.3
_TTL = 64
_TRIES, _TRY_S = 5, 0.2
_COPIES = 3
_DRAIN_S = 0.3
"What is still under way when both have heard each other must not be counted by whoever measures."
_MARK = b"gosip-check "


@dataclass
class End:
    """One of the two: its line, its socket, and as what it is seen from outside."""

    context: Context
    sock: socket.socket
    outside: tuple[str, int]
    token: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    opened_ttl: int = _FIRST_TTL
    "How far the packet went that opened its NAT, and died behind it."


def punch(near: End, far: End, least_ttl: int = _FIRST_TTL) -> bool:
    """True where each has received the other's token. least_ttl: how far the first packets go at least.

    Raises ProbeFailed when this machine cannot send.
    """
    for end, other in ((near, far), (far, near)):
        _open(end, other.outside, least_ttl)
    ends = {near.sock: (near, far), far.sock: (far, near)}
    heard: set[socket.socket] = set()
    for _ in range(_TRIES):
        for end, other in ends.values():
            sockets.send_to(end.sock, _MARK + end.token, *other.outside)
        for sock, datagrams, _ in sockets.arrivals(near.context, list(ends), time.monotonic() + _TRY_S):
            other = ends[sock][1]
            if any(each.data == _MARK + other.token and each.is_from(*other.outside) for each in datagrams):
                heard.add(sock)
        if len(heard) == len(ends):
            return True
    return False


def meets_within(near: End, far: End, ttl: int) -> bool:
    """Whether a packet that goes no further than `ttl` hops arrives.

    Then both lines end at one router of the site, which passes it on by itself (RFC 4787 REQ-9), and nothing that is
    sent crosses either line. Afterwards nothing of `punch` is under way any more.
    """
    token = secrets.token_bytes(16)
    for _ in range(_COPIES):
        sockets.send_to(near.sock, _MARK + token, *far.outside, ttl=ttl)
    sockets.limit_ttl(near.sock, _TTL)
    meets = False
    for _, datagrams, _ in sockets.arrivals(near.context, [near.sock, far.sock], time.monotonic() + _DRAIN_S):
        meets |= any(each.data == _MARK + token for each in datagrams)
    return meets


def _open(end: End, towards: tuple[str, int], least_ttl: int) -> None:
    """Further by one hop, as long as a packet is seen to die at an address that is not public: before the last NAT."""
    for ttl in range(_FIRST_TTL, _LAST_TTL + 1):
        end.opened_ttl = ttl
        sockets.send_to(end.sock, _MARK, *towards, ttl=ttl)
        until_s = time.monotonic() + _QUOTED_WITHIN_S
        quotes = [error for _, _, errors in sockets.arrivals(end.context, [end.sock], until_s) for error in errors]
        died_at = [hops.kind_of(error.sender) for error in quotes if error.is_time_exceeded]
        if "public" in died_at or (ttl >= least_ttl and not died_at):
            break
    sockets.limit_ttl(end.sock, _TTL)
