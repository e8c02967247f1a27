"""A flow between two lines of this machine: a socket on each, and each lets through what the other one sends."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.far_link import outside
from gosip_check.probes.far_link.punch import End, meets_within, punch
from gosip_check.probes.host.interface import link_of
from gosip_check.probes.net import sockets
from gosip_check.probes.path import hops
from gosip_check.probes.probe import Context, ProbeFailed, side_by_side
from gosip_check.records import FailureKind, Link

_PAIRS, _LEAST_TTL = 2, 2
"""A port that was spoilt stays so for half a minute: another try takes other ports. Where the hops are silent it goes
further: there may be a second NAT."""
_SOMEWHERE = "192.0.2.1"
"RFC 5737: an address for a look at the routing table. Nothing is sent to it."


@dataclass(frozen=True)
class Pair:
    """near: on the line under test; far: on the other. Each is connected to the other's outside address and port."""

    near: socket.socket
    far: socket.socket
    far_line: Link
    near_outside: tuple[str, int]
    far_outside: tuple[str, int]
    far_ttl: int = 2
    "With so many hops a packet of the far one passes its own NAT and dies before it reaches the near one."


def name_and_place(text: str) -> tuple[str, str]:
    """`NAME=INTERFACE` or `NAME=ADDRESS`. Raises ValueError with a sentence."""
    name, _, place = text.partition("=")
    if not name.strip() or not place or not text.isprintable():
        raise ValueError(f"{text!r}: NAME=ADDRESS or NAME=INTERFACE would be right, such as phone=wlan0.")
    return name, place


def line_of(text: str) -> Link:
    """The line of this machine. Raises ValueError with a sentence, also where there is no such line."""
    return link_of(*name_and_place(text))


@contextmanager
def pair(
    context: Context,
    named: str,
    stun_servers: Sequence[str],
    domain: str,
    servers: Sequence[Server],
    far_port: int = 0,
) -> Iterator[Pair]:
    """A flow that was proven to work both ways. named: the other line. domain, servers: see `outside.ask`.

    far_port: what the far socket is bound to; 0 for any.

    Raises ProbeFailed: unsupported, with a sentence, where the lines cannot be brought together; or interrupted.
    """
    try:
        line = line_of(named)
    except ValueError as error:
        raise ProbeFailed(FailureKind.UNSUPPORTED, f"The second line cannot be used: {error}") from error
    path = context.facts_of(hops.Facts)
    contexts = [context, replace(context, link=line, addresses={}, kept={})]

    def end_of(each: tuple[Context, socket.socket]) -> End:
        return End(*each, outside.ask(*each, stun_servers, domain, servers))

    for link in (context.link, line):
        sockets.source_address(link, _SOMEWHERE)  # a line without a way out says so
    for number in range(_PAIRS):
        with sockets.udp_socket(context.link) as near_sock, sockets.udp_socket(line, port=far_port) as far_sock:
            context.say(f"second line {line.name}: as what are both seen from outside?")
            near, far = side_by_side(end_of, list(zip(contexts, (near_sock, far_sock), strict=True)))
            if near.outside[0] == far.outside[0]:
                sentence = f"Both lines come out at {near.outside[0]}, so {line.name} is not another line."
                raise ProbeFailed(FailureKind.UNSUPPORTED, sentence)
            context.say(f"second line {line.name}: opening both NATs")
            if punch(near, far, _LEAST_TTL + number):
                # Up through every router of the site and down again, with one hop to spare.
                if meets_within(near, far, 2 * (path.edge_ttl if path else 1)):
                    sentence = f"{line.name} and {context.link.name} meet inside the site, at one router for both."
                    raise ProbeFailed(FailureKind.UNSUPPORTED, sentence)
                _connect(near_sock, far.outside)
                _connect(far_sock, near.outside)
                yield Pair(near_sock, far_sock, line, near.outside, far.outside, far.opened_ttl)
                return
    raise ProbeFailed(
        FailureKind.UNSUPPORTED,
        f"Nothing that one line sends arrives on the other. A NAT or firewall of {context.link.name} or of "
        f"{line.name} lets no such packets in.",
    )


def _connect(sock: socket.socket, to: tuple[str, int]) -> None:
    try:
        sock.connect(to)
    except OSError as error:
        raise sockets.local_trouble(error, f"a flow to {to[0]}:{to[1]}/UDP") from error
