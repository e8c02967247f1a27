"""Which hops lie between here and the provider, and what does each quote of a datagram that dies there?

A traceroute in small: UDP to a port that nothing listens on, towards one server of the trunk. Other probes take from it
where to let their own datagrams die: a hop behind the site's edge that quotes, and how many octets of the payload it
quotes. Nothing is sent further than the first address that answers for the destination itself.
"""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Literal

from gosip_check.probes import probe
from gosip_check.probes.dns.servers import servers_inside
from gosip_check.probes.net import sockets
from gosip_check.probes.path import public_address
from gosip_check.probes.path.asking import Desk
from gosip_check.probes.path.quotes import CONTROL_PORTS, Reaction, control, volley
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.records import FailureKind, Record

_STEPS = (range(1, 5), range(5, 9), range(9, 15))
_TRIES = 4
_SHORTEST_HIDDEN = 3
"An edge, the hop next to it, and one to measure by."
DS_LITE = "192.0.0.0/29"
"The two ends of the tunnel to a carrier's NAT."


class Options(probe.Options, frozen=True):
    """`networks` give an address to walk to where DNS gave none."""

    networks: list[str]


class Hop(Record, frozen=True):
    """One hop that quoted. quoted_bytes: of a payload of 520 octets. kind: of its address."""

    ttl: int
    address: str
    quoted_bytes: int
    kind: Literal["private", "shared", "public"]


class Facts(probe.Facts, frozen=True):
    """hops: those that quoted, nearest first, the destination itself not among them.

    control_port: a UDP port whose datagrams were quoted behind the edge. reached_at: the TTL at which the destination
    itself answered, None where it never did. edge_ttl: the last hop that may still belong to the site or to a
    carrier's NAT: one with an address that is not public before any that is; where no hop has a public address, the
    device that has the address by which servers see this line, if that is seen (public_address_at).
    """

    destination: str
    local_address: str
    local_kind: Literal["private", "shared", "public"]
    control_port: int | None
    hops: list[Hop]
    reached_at: int | None
    edge_ttl: int
    public_address_at: int | None = None

    @property
    def is_this_machine(self) -> bool:
        """The destination is this very machine, as in a trial: nothing lies on the way that could do anything."""
        return ip_address(self.destination).is_loopback

    def beyond_the_edge(self) -> list[Hop]:
        """The hops behind the edge, nearest first: public, and further than every hop of a NAT that shows itself.

        Where all are private: those behind the device with the line's public address. The one next to it is left out:
        it may be a modem that lends this address to the router, and then the line is not yet behind it.
        """
        if self.public_address_at is not None:
            return [hop for hop in self.hops if hop.ttl > self.public_address_at + 1]
        return [hop for hop in self.hops if hop.ttl > self.edge_ttl and hop.kind == "public"]

    def hop_at(self, ttl: int) -> Hop | None:
        """The hop that quotes at this TTL."""
        return next((hop for hop in self.hops if hop.ttl == ttl), None)

    def edge_name(self) -> str:
        """The device at the edge as a person knows it: by the address that it showed."""
        hop = self.hop_at(self.edge_ttl)
        return hop.address if hop else f"hop {self.edge_ttl}, which shows no address"


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed: unsupported over IPv6, unreachable without a route, interrupted."""
    destination = _destination(options, context)
    context.say(f"Hops towards {destination}")
    reactions: dict[int, Reaction] = {}
    for step in () if ip_address(destination).is_loopback else _STEPS:
        for attempt in range(_TRIES):
            port = CONTROL_PORTS[attempt % len(CONTROL_PORTS)]
            end = _ends_at(reactions, destination, step[-1])
            shots = [control(destination, ttl, port) for ttl in step if ttl not in reactions and ttl <= end]
            came = volley(context, shots)
            context.shared(Desk).saw(came)
            for reaction in came:
                if reaction.died_on_the_way or _is_the_end(reaction, destination):
                    reactions[reaction.shot.ttl] = reaction  # a refusal by the edge says that this port is wrong
            if all(ttl in reactions for ttl in step if ttl <= _ends_at(reactions, destination, step[-1])):
                break
        if _ends_at(reactions, destination, 0) or not any(ttl in reactions for ttl in step):
            break
    public_address_at = _holder_ttl(options, context, destination, reactions)
    return _facts(destination, context, reactions, public_address_at)


def kind_of(address: str) -> Literal["private", "shared", "public"]:
    """Private (RFC 1918, link-local, loopback), of a carrier's own NAT (RFC 6598, DS-Lite: RFC 6333 5.7), or public."""
    ip = ip_address(address)
    if ip.version == 4 and any(ip in ip_network(network) for network in ("100.64.0.0/10", DS_LITE)):
        return "shared"
    networks = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16") if ip.version == 4 else ("fc00::/7",)
    inside = any(ip in ip_network(network) for network in networks)
    return "private" if inside or ip.is_link_local or ip.is_loopback else "public"


def address_without_server(network: str, taken: Sequence[str]) -> str | None:
    """An address of the network that is no SRV target: a datagram that dies on the way to it needs none.

    None where every address is one. A network of one address or two has none for itself and for all (RFC 3021).
    """
    addresses = ip_network(network)
    ends = 1 if addresses.num_addresses > 2 else 0
    places = range(addresses.num_addresses - 1 - ends, ends - 1, -1)
    return next((str(addresses[place]) for place in places if str(addresses[place]) not in taken), None)


def _destination(options: Options, context: Context) -> str:
    known = [server.address for server in servers_inside(context, options.networks)]
    for address in [*known, *(address_without_server(network, ()) for network in options.networks)]:
        if address is not None and ip_address(address).version == 4:
            return address
    raise ProbeFailed(FailureKind.UNSUPPORTED, "The hops to an IPv6 destination are not looked at.")


def _ends_at(reactions: dict[int, Reaction], destination: str, otherwise: int) -> int:
    """The smallest TTL at which the way ended."""
    ends = (ttl for ttl, reaction in reactions.items() if _is_the_end(reaction, destination))
    return min(ends, default=otherwise)


def _is_the_end(reaction: Reaction, destination: str) -> bool:
    """The destination answered, or a router that knows no way to it (RFC 792: network or host unreachable)."""
    no_route = reaction.icmp is not None and (reaction.icmp.type, reaction.icmp.code) in ((3, 0), (3, 1))
    return no_route or _is_destination(reaction, destination)


def _is_destination(reaction: Reaction, destination: str) -> bool:
    return reaction.reply is not None or (reaction.icmp is not None and reaction.icmp.sender == destination)


def _holder_ttl(options: Options, context: Context, destination: str, reactions: dict[int, Reaction]) -> int | None:
    """The TTL of the device with the line's public address; looked for only where no hop shows where the site ends."""
    hops = {
        ttl: reaction
        for ttl, reaction in reactions.items()
        if reaction.died_on_the_way and not _is_destination(reaction, destination)
    }
    kinds = {kind_of(hop.icmp.sender) for hop in hops.values() if hop.icmp is not None}
    if len(hops) < _SHORTEST_HIDDEN or "public" in kinds:
        return None
    address = public_address.seen_as(context, servers_inside(context, options.networks))
    if address is None or kind_of(address) != "public" or address == next(iter(hops.values())).local[0]:
        return None
    ports = {ttl: hop.shot.port for ttl, hop in hops.items()}
    return public_address.held_at(context, address, destination, ports)


def _facts(destination: str, context: Context, reactions: dict[int, Reaction], public_address_at: int | None) -> Facts:
    hops, ports, reached_at = [], [], None
    for ttl, reaction in sorted(reactions.items()):
        if _is_destination(reaction, destination):
            reached_at = reached_at or ttl
        elif reaction.icmp is not None and reaction.died_on_the_way and reached_at is None:
            sender = reaction.icmp.sender
            hops.append(Hop(ttl=ttl, address=sender, quoted_bytes=len(reaction.quoted), kind=kind_of(sender)))
            ports.append(reaction.shot.port)
    first_public = next((hop.ttl for hop in hops if hop.kind == "public" and hop.ttl > 1), None)
    edge = [hop.ttl for hop in hops if hop.kind != "public" and (first_public is None or hop.ttl < first_public)]
    some = next(iter(reactions.values()), None)
    source = some.local[0] if some else sockets.source_address(context.link, destination)
    listed = ", ".join(f"{hop.ttl}: {hop.address} quotes {hop.quoted_bytes} octets" for hop in hops) or "none quoted"
    return Facts(
        destination=destination,
        local_address=source,
        local_kind=kind_of(source),
        control_port=ports[-1] if ports else None,
        hops=hops,
        reached_at=reached_at,
        edge_ttl=public_address_at or max(edge, default=1),
        public_address_at=public_address_at,
        evidence={"hops": f"Hops towards {destination}: {listed}."},
    )


PROBE = Probe(
    "path",
    Options,
    Facts,
    measure,
    subject=lambda options: f"hops towards {', '.join(options.networks)}",
    after=("srv",),
)
