"""What do servers see of one socket of ours? OPTIONS from it to each, and the address and port that they say it has.

The Via bears a name that no SIP ALG can match, so that `received` and `rport` (RFC 3581) are the servers' own.
"""

import socket
from collections.abc import Sequence
from ipaddress import ip_address

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.net import sockets
from gosip_check.probes.path.own_request import VIA_NAME
from gosip_check.probes.probe import Context
from gosip_check.probes.sip.exchange import options as options_request
from gosip_check.probes.sip.transactions import Transaction, run
from gosip_check.records import Record
from gosip_check.wire.sip import Response

_TIMEOUT_S = 4.0


class SeenBy(Record, frozen=True):
    """What one server saw: the address and port that our datagram came from."""

    server: str
    address: str
    port: int


def ask(context: Context, sock: socket.socket, domain: str, servers: Sequence[Server]) -> list[SeenBy]:
    """Those who answered and said where our request came from. A server with several names is asked once.

    Raises ProbeFailed when this machine cannot send.
    """
    own_port = sockets.local_address(sock)[1]
    transactions = []
    for server in {(server.address, server.port): server for server in servers}.values():
        request = options_request(context, domain, "UDP", server.address, own_port, via_host=VIA_NAME)
        transactions.append(Transaction(context, sock, server, request, _TIMEOUT_S, any_source=True))
    run(context, transactions)
    seen = [_seen_by(each.server.address, each.final) for each in transactions if each.final]
    return [each for each in seen if each is not None]


def _seen_by(server: str, response: Response) -> SeenBy | None:
    try:
        via = response.vias[0]
        if via.received is None or via.rport is None:
            return None
        ip_address(via.received)
    except ValueError:  # a WireError is one
        return None
    return SeenBy(server=server, address=via.received, port=via.rport)
