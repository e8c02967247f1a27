"""Which device on the way has the address that this line is seen as? For a way on which every hop hides its own.

A carrier may number its routers with private addresses. Then no address of a hop shows where the site ends. But the
provider's servers say what they see (`received`, RFC 3581), and a packet to that very address ends at the device that
has it: with the smallest TTL at which it is answered from there, the device is no further away than that.

Says nothing where no server says an address, where two say two, or where the device stays silent. Nothing is
sent here that leaves the site but one OPTIONS to each server.
"""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.net import sockets
from gosip_check.probes.net.ping import ping
from gosip_check.probes.path.own_request import VIA_NAME, own_options
from gosip_check.probes.path.quotes import Reaction, Shot, control, volley
from gosip_check.probes.probe import Context
from gosip_check.wire import sip

_FAR_TTL = 64
_TRIES = 3
_ECHO_WITHIN_S = 0.5
_PORT_UNREACHABLE = (3, 3)
"Type and code of RFC 792."


def seen_as(context: Context, servers: Sequence[Server]) -> str | None:
    """The one address that the servers see. Raises ProbeFailed: this machine cannot send; interrupted."""
    for _ in range(_TRIES):
        said = {address for server in servers if (address := _received(context, server)) is not None}
        if said:
            address = said.pop()
            return None if said else address
    return None


def held_at(context: Context, address: str, destination: str, ports: Mapping[int, int]) -> int | None:
    """The smallest TTL at which a packet to `address` is answered from there; None where that is not seen.

    ports: TTL -> a UDP port to which packets towards `destination` die there, so no answer can be a firewall's habit.
    Raises ProbeFailed as `seen_as`.
    """
    return _by_refusal(context, address, ports) or _by_echo(context, address, destination, sorted(ports))


def _received(context: Context, server: Server) -> str | None:
    def request(host: str, port: int) -> bytes:
        return own_options(server.address, "UDP", host, port, via_host=VIA_NAME)

    with context.turn(server.address):
        (reaction,) = volley(context, [Shot(request, server.address, server.port, _FAR_TTL, is_sip=True)])
    reply = reaction.reply
    if reply is None or not reply.is_from(server.address, server.port):
        return None
    try:
        response = sip.parse(reply.data)
        received = response.vias[0].received
        ip_address(received or "")
    except ValueError:  # a WireError is one
        return None
    return received if isinstance(response, sip.Response) else None


def _by_refusal(context: Context, address: str, ports: Mapping[int, int]) -> int | None:
    """UDP to a port that is closed there. A firewall in between that refuses shows an address of its own."""
    ended: dict[int, bool] = {}
    for _ in range(_TRIES):
        nearest = min((ttl for ttl, is_there in ended.items() if is_there), default=max(ports) + 1)
        asked = [control(address, ttl, port) for ttl, port in ports.items() if ttl < nearest and ttl not in ended]
        for reaction in volley(context, asked) if asked else []:
            if reaction.icmp is not None or reaction.reply is not None:
                ended[reaction.shot.ttl] = _is_from(address, reaction)
    return min((ttl for ttl, is_there in ended.items() if is_there), default=None)


def _is_from(address: str, reaction: Reaction) -> bool:
    if reaction.icmp is None:
        return reaction.reply is not None and reaction.reply.address == address
    return (reaction.icmp.type, reaction.icmp.code) == _PORT_UNREACHABLE and reaction.icmp.sender == address


def _by_echo(context: Context, address: str, destination: str, ttls: Sequence[int]) -> int | None:
    """Echoes, where this user may send them. Who answers echoes to everybody's addresses is not believed."""
    sock = sockets.icmp_socket(context.link, address)
    if sock is None:
        return None
    with sock:
        for sequence, ttl in enumerate(ttls):
            context.check()
            sockets.limit_ttl(sock, ttl)
            if ping(sock, address, 2 * sequence, _ECHO_WITHIN_S) is not None:
                is_anybodys = ping(sock, destination, 2 * sequence + 1, _ECHO_WITHIN_S) is not None
                return None if is_anybodys else ttl
    return None
