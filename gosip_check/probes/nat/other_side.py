"""How long does the NAT of this line remember a silent flow? Asked by a second line of this machine.

For each wait there is a pair of sockets that let each other through. The near one is silent; after the wait the far one
sends, and what arrives proves that the binding lived. Meanwhile the far one keeps its own NAT awake by packets that die
behind it: one that arrived would refresh the binding that is waited for (RFC 4787 REQ-6). A binding counts as gone only
where a packet from the near one, and an answer to it, pass directly afterwards: else it may have been the other NAT's.
"""

import secrets
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.far_link.pair import Pair, pair
from gosip_check.probes.nat.lifetimes import Lifetimes
from gosip_check.probes.net import flow, sockets
from gosip_check.probes.probe import Context

_COPIES, _APART_S = 3, 0.1
_WITHIN_S = 2.0
_AWAKE_EVERY_S = 10.0
"A mobile network forgets a silent UDP flow after half a minute."
_TTL = 64
_GUARD_EVERY_S = 3.0
_GUARD_LOST = 2


@dataclass
class _Waiting:
    """One pair, when it fell silent, and when its far side was last kept awake."""

    both: Pair
    silent_s: float = field(default_factory=time.monotonic)
    awake_s: float = field(default_factory=time.monotonic)

    def keep_awake(self) -> None:
        """Only the far side's own NAT sees it."""
        now_s = time.monotonic()
        if now_s - self.awake_s >= _AWAKE_EVERY_S:
            self.awake_s = now_s
            sockets.limit_ttl(self.both.far, self.both.far_ttl)
            _send(self.both.far, b"")
            sockets.limit_ttl(self.both.far, _TTL)


def wait_for_the_other_side(
    context: Context,
    named: str,
    stun_servers: Sequence[str],
    domain: str,
    servers: Sequence[Server],
    waits_s: Sequence[float],
    so_far: Callable[[Lifetimes], None] = lambda _: None,
) -> Lifetimes:
    """Takes as long as the longest wait, and the time to open the pairs. named and the three after it: see `pair`.

    so_far: called after each wait.

    Raises ProbeFailed: unsupported, with a sentence, where the two lines cannot be brought together; or interrupted.
    """
    alive: list[float] = []
    gone: list[float] = []
    with ExitStack() as opened:

        def fresh_pair() -> Pair:
            return opened.enter_context(pair(context, named, stun_servers, domain, servers))

        guard = fresh_pair()
        waiting = {wait: _Waiting(fresh_pair()) for wait in sorted(waits_s)}
        ticks = heard = 0
        for wait, each in waiting.items():
            while (left_s := each.silent_s + wait - time.monotonic()) > 0:
                for other in waiting.values():
                    other.keep_awake()
                ticks += 1
                heard += _passes(context, guard.near, guard.far)
                context.say(f"NAT: a silent flow to the second line, {left_s:.0f} s of {wait:g} s to go")
                context.wait(min(_GUARD_EVERY_S, max(0.0, each.silent_s + wait - time.monotonic())))
            if _passes(context, each.both.far, each.both.near):
                alive.append(wait)
            elif _passes(context, each.both.near, each.both.far) and _passes(context, each.both.far, each.both.near):
                gone.append(wait)
            so_far(Lifetimes(list(alive), list(gone), understood=True))
    return Lifetimes(alive, gone, understood=True, steady=heard >= ticks - _GUARD_LOST)


def _passes(context: Context, sender: socket.socket, receiver: socket.socket) -> bool:
    """Whether one of some copies arrives."""
    token = secrets.token_bytes(16)
    until_s = time.monotonic() + _WITHIN_S
    for copy in range(_COPIES):
        _send(sender, token)
        listen_s = until_s if copy == _COPIES - 1 else time.monotonic() + _APART_S
        for _, datagrams, _ in sockets.arrivals(context, [receiver], listen_s):
            if any(datagram.data == token for datagram in datagrams):
                return True
    return False


def _send(sock: socket.socket, data: bytes) -> None:
    try:
        flow.send(sock, data)
    except OSError as error:
        raise sockets.local_trouble(error, "sending to the second line") from error
