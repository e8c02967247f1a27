"""What servers see of one socket, on loopback."""

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context
from gosip_check.probes.sip import mapping
from gosip_check.probes.sip.mapping import SeenBy
from gosip_check.records import Link
from gosip_check.servers.endpoint import Answers, Peer
from gosip_check.wire import sip
from tests.unit.far_ends import reply, sip_server

CONTEXT = Context(Link("Internet-1"))


def test_each_server_is_one_witness_whatever_names_it_has() -> None:
    asked: list[sip.Request] = []

    def handle(request: sip.Request, peer: Peer) -> Answers:
        asked.append(request)
        return reply(request, ("203.0.113.5", 40000))

    with sip_server(handle) as one, sip_server(handle) as other, sockets.udp_socket(CONTEXT.link) as sock:
        servers = [Server(name, "127.0.0.1", server.port) for server in (one, other) for name in ("a", "b")]
        seen = mapping.ask(CONTEXT, sock, "trunk.example", servers)
        port = sockets.local_address(sock)[1]
    assert seen == [SeenBy(server="127.0.0.1", address="203.0.113.5", port=40000)] * 2
    assert [(request.vias[0].host, request.vias[0].port) for request in asked] == [("probe.invalid", port)] * 2


def test_a_server_that_does_not_say_where_we_came_from_is_no_witness() -> None:
    def handle(request: sip.Request, peer: Peer) -> Answers:
        return reply(request, peer).replace(b"received=", b"other=")

    with sip_server(handle) as server, sockets.udp_socket(CONTEXT.link) as sock:
        assert mapping.ask(CONTEXT, sock, "trunk.example", [Server("a", "127.0.0.1", server.port)]) == []
