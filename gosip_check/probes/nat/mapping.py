"""What do servers see of one socket of ours? OPTIONS from it to each, and the address and port that they say it has.

The Via bears a name that no SIP ALG can match, so that `received` and `rport` (RFC 3581) tell the truth.
"""

import socket
import time
from collections.abc import Sequence
from ipaddress import ip_address

from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context
from gosip_check.probes.sip.exchange import options as options_request
from gosip_check.records import Record
from gosip_check.wire.sip import Response, WireError
from gosip_check.wire.transaction import ClientTransaction

_NAME = "probe.invalid"
_TIMEOUT_S = 4.0


class SeenBy(Record, frozen=True):
    """What one server saw: the address and port that our datagram came from."""

    server: str
    address: str
    port: int


def ask(context: Context, sock: socket.socket, domain: str, places: Sequence[tuple[str, int]]) -> list[SeenBy]:
    """Those who answered and said where our request came from. Raises ProbeFailed when this machine cannot send."""
    own = sockets.local_address(sock)[1]
    now_s = time.monotonic()
    asked = {}
    for address, port in places:
        request = options_request(context, domain, "UDP", address, own, via_host=_NAME)
        asked[address, port] = ClientTransaction(request, now_s, timeout_s=_TIMEOUT_S)
    found: dict[tuple[str, int], Response] = {}
    while waits := [next_at for one in asked.values() if (next_at := one.next_at) is not None]:
        for (address, port), one in asked.items():
            request_due = one.due(time.monotonic())
            if request_due is not None:
                sockets.send_to(sock, request_due, address, port)
        sockets.wait_readable(context, [sock], min(waits))
        sockets.read_icmp_errors(sock)
        for datagram in sockets.read_datagrams(sock):
            for place, one in asked.items():
                try:
                    response = one.receive(datagram.data)
                except WireError:
                    break
                if response is not None and response.status >= 200:
                    found[place] = response
    return [seen for place in places if place in found and (seen := _seen(place[0], found[place])) is not None]


def _seen(server: str, response: Response) -> SeenBy | None:
    try:
        via = response.vias[0]
        if via.received is None or via.rport is None:
            return None
        ip_address(via.received)
    except ValueError:  # a WireError is one
        return None
    return SeenBy(server=server, address=via.received, port=via.rport)
