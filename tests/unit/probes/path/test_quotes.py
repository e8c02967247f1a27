"""Volleys over the loopback, where the kernel answers. No packet leaves this machine."""

import socket

from gosip_check.probes.net import sockets
from gosip_check.probes.path import quotes
from gosip_check.probes.path.quotes import Shot
from gosip_check.probes.probe import Context
from gosip_check.records import FailureKind, Link


def test_a_volley_on_loopback_hears_refusals_and_answers() -> None:
    context = Context(Link(name="l"))
    with sockets.udp_socket(Link(name="l", source="127.0.0.1")) as free:
        closed = sockets.local_address(free)[1]
    with sockets.udp_socket(Link(name="l", source="127.0.0.1")) as listening:
        port = sockets.local_address(listening)[1]
        shots = [Shot(lambda *_: b"hello", "127.0.0.1", own, 1) for own in (closed, port)]
        refused, silent = quotes.volley(context, shots, 0.2)
        received = sockets.read_datagrams(listening)
    assert refused.icmp is not None
    assert refused.icmp.kind is FailureKind.REFUSED
    assert refused.quoted == b"hello"
    assert (silent.icmp, silent.reply) == (None, None)
    assert [datagram.data for datagram in received] == [b"hello"]


def test_connections_on_loopback_are_accepted_or_reset() -> None:
    context = Context(Link(name="l"))
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as free:
        port, closed = server.getsockname()[1], free.getsockname()[1]
        free.close()
        reactions = quotes.volley(context, [quotes.syn_shot("127.0.0.1", own, 1) for own in (closed, port)], 0.5)
    assert [reaction.connection for reaction in reactions] == ["reset", "accepted"]
