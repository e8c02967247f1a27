"""Asks STUN servers over a socket which address and port its packets come from (RFC 8489)."""

import secrets
import socket
import time
from collections.abc import Sequence

from gosip_check.probes.far_end import host_and_port, resolve
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.probes.sip.mapping import SeenBy
from gosip_check.wire import stun

_PAUSES_S = (0.5, 1.0, 2.0)
"Before each request is sent again, and at last given up: RFC 8489 6.2.1, cut short."


def ask(context: Context, sock: socket.socket, servers: Sequence[str]) -> list[SeenBy]:
    """What each server saw; those that say nothing are left out. servers: HOST[:PORT].

    Raises ProbeFailed when this machine cannot send, or the run was stopped.
    """
    waiting = {}
    for named in servers:
        host, port = host_and_port(named, stun.PORT)
        try:
            address = resolve(context, host)
        except ProbeFailed as failed:  # a name that this line cannot find is a server that says nothing
            context.say(failed.failure.message)
            continue
        waiting[address, port] = secrets.token_bytes(stun.ID_OCTETS)
    seen: dict[tuple[str, int], SeenBy] = {}
    for pause_s in _PAUSES_S:
        for server, transaction in waiting.items():
            if server not in seen:
                sockets.send_to(sock, stun.binding_request(transaction), *server)
        until_s = time.monotonic() + pause_s
        for _, datagrams, _ in sockets.arrivals(context, [sock], until_s):
            for datagram in datagrams:
                for server, transaction in waiting.items():
                    if server not in seen and datagram.is_from(*server):
                        _note(seen, server, datagram.data, transaction)
            if len(seen) == len(waiting):
                break
        if len(seen) == len(waiting):
            break
    return [seen[server] for server in waiting if server in seen]


def _note(seen: dict[tuple[str, int], SeenBy], server: tuple[str, int], data: bytes, transaction: bytes) -> None:
    try:
        address, port = stun.mapped_address(data, transaction)
    except stun.StunError:
        return
    seen[server] = SeenBy(server=server[0], address=address, port=port)
