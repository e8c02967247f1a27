"""How does this line translate addresses? What servers see of us, and which hops stand before the public network.

How long a translation lasts is asked in `binding_lifetime`.
"""

from ipaddress import ip_address, ip_network
from typing import Literal

from gosip_check.probes import probe
from gosip_check.probes.dns.servers import servers_inside
from gosip_check.probes.nat import outside
from gosip_check.probes.net import sockets
from gosip_check.probes.path import hops
from gosip_check.probes.path.stand_in import without_stand_ins
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.probes.sip import mapping
from gosip_check.probes.sip.mapping import SeenBy
from gosip_check.probes.sip.stream import ask_over_tcp
from gosip_check.records import FailureKind

_NOBODY_SAID = "No server answered and said where our requests came from"


class Options(probe.Options, frozen=True):
    """own_networks: where the provider's own internet customers have their addresses, as of `own_networks_date`."""

    domain: str
    transport: Literal["udp", "tcp"]
    networks: list[str]
    own_networks: list[str] = []
    own_networks_date: str = ""
    reflector: str | None = None
    reflector_key_file: str | None = None
    stun: list[str] = []


class Facts(probe.Facts, frozen=True):
    """What is known of the translation. None where no server answered, or no hop showed it.

    translated: the public address is not this machine's. one_mapping: two servers saw the same address and port.
    outside_address: the public address by whoever knows it, outside_address_from; no server need have said it.
    carrier_nat_at: a hop that only the NAT of a carrier has, shared with its other customers.
    """

    local_address: str
    local_port: int
    seen_by: list[SeenBy]
    public_address: str | None
    translated: bool | None
    port_kept: bool | None
    one_mapping: bool | None
    single_nat: bool | None
    hops_before_public: list[str]
    public_address_is_the_providers: bool | None
    outside_address: str | None = None
    outside_address_from: outside.Source | None = None
    carrier_nat_at: str | None = None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when this machine cannot send, or the run was stopped."""
    servers = servers_inside(context, options.networks)
    path = context.facts_of(hops.Facts)
    towards = servers[0].address if servers else path.destination if path else None
    servers = without_stand_ins(context, servers)
    if towards is None:
        raise ProbeFailed(FailureKind.UNREACHABLE, "DNS gave no address of the provider to send to.")
    local_address = sockets.source_address(context.link, towards)
    seen_by: list[SeenBy] = []
    local_port = 0
    if options.transport == "udp" and servers:
        context.say(f"NAT: what {len(servers)} server(s) see of this line")
        with sockets.udp_socket(context.link) as sock:
            local_port = sockets.local_address(sock)[1]
            seen_by = mapping.ask(context, sock, options.domain, servers)
    for server in servers if options.transport == "tcp" else []:
        exchange = ask_over_tcp(context, options.domain, server)
        if exchange.received and exchange.rport:
            seen_by = [SeenBy(server=server.address, address=exchange.received, port=exchange.rport)]
            break
    asked = outside.Asked(local_address, options.reflector, options.reflector_key_file, options.stun)
    other = None if seen_by else outside.find(context, asked)
    outer = outside.router_says(context, local_address) if path and _second_routers(path) else None
    return _facts(options, path, (local_address, local_port), seen_by, other, outer)


def _facts(
    options: Options,
    path: hops.Facts | None,
    local: tuple[str, int],
    seen_by: list[SeenBy],
    other: outside.Outside | None,
    outer: str | None,
) -> Facts:
    """other: who else knows the public address, where no server said it. outer: what the router says of itself."""
    over_udp = options.transport == "udp"
    seen_as = seen_by[0].address if seen_by and len({seen.address for seen in seen_by}) == 1 else None
    one_mapping = None if len(seen_by) < 2 else len({(seen.address, seen.port) for seen in seen_by}) == 1
    listed = ", ".join(f"{seen.server} saw {seen.address}:{seen.port}" for seen in seen_by)
    if one_mapping is None:
        silent = _NOBODY_SAID if over_udp else "Signalling is TCP here, and says nothing of UDP bindings"
        only_one = f"Only one server said where it saw us ({listed}), and it takes two"
        mapping_sentence = f"{only_one if seen_by and over_udp else silent}. A reflector at the far end would show it."
    else:
        mapping_sentence = f"{listed}, both from our port {local[1]}."
    single, before, layers_sentence = _layers(path, local[0], seen_as, outer)
    public = seen_as if seen_as and hops.kind_of(seen_as) == "public" else None
    known = outside.Outside(public, "server") if public else other
    carrier = _carriers_nat(path)
    is_own, whose_sentence = _whose(options, seen_as, known)
    return Facts(
        local_address=local[0],
        local_port=local[1],
        seen_by=seen_by,
        public_address=public,
        translated=None if seen_as is None else seen_as != local[0],
        port_kept=seen_by[0].port == local[1] if seen_as and over_udp else None,
        one_mapping=one_mapping,
        single_nat=single,
        hops_before_public=before,
        public_address_is_the_providers=is_own,
        outside_address=known.address if known else None,
        outside_address_from=known.source if known else None,
        carrier_nat_at=carrier.address if carrier else None,
        evidence={
            "one_mapping": mapping_sentence,
            "single_nat": layers_sentence,
            "public_address_is_the_providers": whose_sentence,
        },
    )


def _layers(
    path: hops.Facts | None, local: str, seen_as: str | None, outer: str | None
) -> tuple[bool | None, list[str], str]:
    """Whether more than one NAT shows itself: by hops with addresses that are not public, and by what others saw."""
    if path is not None and path.is_this_machine:
        return True, [], f"{path.destination} is this machine itself: nothing translates on the way."
    names = [] if path is None else [hop.address for hop in _before_public(path)]
    if seen_as == local and hops.kind_of(local) == "public":
        return True, names, f"Nothing translates on the way: servers see this machine's own address, {local}."
    if path is None:
        return None, [], "The hops on the way could not be seen on this system."
    if carrier := _carriers_nat(path):
        return False, names, _carrier_sentence(carrier)
    if routers := _second_routers(path):
        is_single, sentence = _second_router(routers[-1], outer)
        return is_single, names, sentence
    second = path.hop_at(2)
    if second is None and hops.kind_of(local) != "public" and path.reached_at != 1:
        return None, names, "The second hop shows no address, so a second NAT there would not be seen."
    seen = f"{path.edge_name()}, then {second.address}" if second else path.edge_name()
    return True, names, f"One device stands between this machine and the public network: {seen}."


def _before_public(path: hops.Facts) -> list[hops.Hop]:
    return [hop for hop in path.hops if hop.ttl <= path.edge_ttl and hop.kind != "public"]


def _carriers_nat(path: hops.Facts | None) -> hops.Hop | None:
    """The last hop that only a carrier's NAT has."""
    shared = [hop for hop in _before_public(path) if hop.kind == "shared" and hop.ttl > 1] if path else []
    return shared[-1] if shared else None


def _second_routers(path: hops.Facts) -> list[hops.Hop]:
    """Hops behind the first whose addresses are private, where no carrier's NAT explains them."""
    return [] if _carriers_nat(path) else [hop for hop in _before_public(path) if hop.ttl > 1]


def _carrier_sentence(hop: hops.Hop) -> str:
    if ip_address(hop.address) in ip_network(hops.DS_LITE):
        return f"The carrier translates for many customers: hop {hop.ttl} is {hop.address}, its end of DS-Lite."
    what = f"hop {hop.ttl} is {hop.address}, an address that carriers share between customers (CGNAT)"
    return f"There is more than one layer before the public network: {what}."


def _second_router(hop: hops.Hop, outer: str | None) -> tuple[bool | None, str]:
    """A private address behind the first router is a second one's, or a carrier's that numbers its own network so."""
    seen = f"hop {hop.ttl} is {hop.address}, a private address"
    if outer is None:
        return (
            None,
            f"H{seen[1:]}: another router at the site, or a router of the carrier. Only the first router knows.",
        )
    if hops.kind_of(outer) == "public":
        return True, f"The first router has {outer} outside, as it says; {seen} of the carrier."
    return False, f"There is more than one layer before the public network: the first router has {outer} outside."


def _whose(options: Options, seen_as: str | None, known: outside.Outside | None) -> tuple[bool | None, str]:
    """Whether the public address is one of the provider's own customers; None where that is not known for sure."""
    if known is None and seen_as is None:
        return None, f"{_NOBODY_SAID}, so the public address of this line is not known."
    if known is None:
        return None, f"This line is seen as {seen_as}, which is not a public address: a tunnel, or no internet between."
    if known.source == "router":
        return None, f"{_NOBODY_SAID}. The router says that it is {known.address}; nobody confirms that."
    seen = f"This line is seen as {known.address}"
    if not options.own_networks:
        return None, f"{seen}. The checklist does not say which addresses are the provider's own."
    own = f"the networks that the checklist of {options.own_networks_date} calls the provider's own"
    if any(ip_address(known.address) in ip_network(network) for network in options.own_networks):
        return True, f"{seen}, inside {own}."
    return False, f"{seen}, outside {own}."


PROBE = Probe(
    "nat",
    Options,
    Facts,
    measure,
    subject=lambda options: f"address translation towards {options.domain}",
    after=("srv", "path", "stand_in"),
)
