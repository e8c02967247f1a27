"""How does this line translate addresses? What servers see of us, and which hops stand before the public network.

How long a translation lasts is asked in `binding_lifetime`.
"""

from ipaddress import ip_address, ip_network
from typing import Literal

from gosip_check.probes import probe
from gosip_check.probes.nat import mapping
from gosip_check.probes.nat.mapping import SeenBy
from gosip_check.probes.net import sockets
from gosip_check.probes.path import hops
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.probes.sip.stream import ask_over_tcp
from gosip_check.records import FailureKind


class Options(probe.Options, frozen=True):
    """own_networks: where the provider's own internet customers have their addresses, as of `own_networks_date`."""

    domain: str
    transport: Literal["udp", "tcp"]
    networks: list[str]
    own_networks: list[str] = []
    own_networks_date: str = ""


class Facts(probe.Facts, frozen=True):
    """What is known of the translation. None where no server answered, or no hop told.

    translated: the public address is not this machine's. one_mapping: two servers saw the same address and port.
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


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when this machine cannot send, or the run was stopped."""
    places = [(server.address, server.port) for server in hops.servers(context, options.networks)]
    ways = context.seen.get("path")
    known = ways if isinstance(ways, hops.Facts) else None
    if not places and known is None:
        raise ProbeFailed(FailureKind.UNREACHABLE, "DNS gave no address of the provider to send to.")
    towards = places[0][0] if places else str(ip_network(options.networks[0])[1])
    local_address = sockets.source_address(context.link, towards)
    seen_by: list[SeenBy] = []
    local_port = 0
    if options.transport == "udp" and places:
        context.say(f"NAT: what {len(places)} server(s) see of this line")
        with sockets.udp_socket(context.link) as sock:
            local_port = sockets.local_address(sock)[1]
            seen_by = mapping.ask(context, sock, options.domain, places)
    for server in hops.servers(context, options.networks) if options.transport == "tcp" else []:
        asked = ask_over_tcp(context, options.domain, server.name, server.address, server.port)
        if asked.received and asked.rport:
            seen_by = [SeenBy(server=server.address, address=asked.received, port=asked.rport)]
            break
    return _facts(options, known, (local_address, local_port), seen_by)


def _facts(
    options: Options,
    ways: hops.Facts | None,
    local: tuple[str, int],
    seen_by: list[SeenBy],
) -> Facts:
    evidence = {}
    public = seen_by[0].address if seen_by and len({seen.address for seen in seen_by}) == 1 else None
    translated = None if public is None else public != local[0]
    mappings = {(seen.address, seen.port) for seen in seen_by}
    over_udp = options.transport == "udp"
    one_mapping = None if len(seen_by) < 2 else len(mappings) == 1
    told = ", ".join(f"{seen.server} saw {seen.address}:{seen.port}" for seen in seen_by)
    silent = "No server answered and said where our requests came from"
    reason = silent if over_udp else "Signalling is TCP here, and says nothing of UDP bindings"
    if one_mapping is None:
        count = f"Only one server told where it saw us ({told}), and it takes two" if seen_by and over_udp else reason
        evidence["one_mapping"] = f"{count}. A reflector at the far end would tell."
    else:
        evidence["one_mapping"] = f"{told}, both from our port {local[1]}."
    single, before, evidence["single_nat"] = _layers(ways, local[0])
    own = [ip_network(network) for network in options.own_networks]
    judged = public is not None and hops.kind_of(public) == "public" and bool(own)
    inside = any(ip_address(public) in network for network in own) if public and judged else None
    evidence["public_address_is_the_providers"] = _whose(options, public, inside, silent)
    return Facts(
        local_address=local[0],
        local_port=local[1],
        seen_by=seen_by,
        public_address=public,
        translated=translated,
        port_kept=seen_by[0].port == local[1] if public and over_udp else None,
        one_mapping=one_mapping,
        single_nat=single,
        hops_before_public=before,
        public_address_is_the_providers=inside,
        evidence=evidence,
    )


def _layers(ways: hops.Facts | None, local: str) -> tuple[bool | None, list[str], str]:
    """Whether more than one NAT shows itself, by the hops with addresses that are not public."""
    if ways is None:
        return None, [], "The hops on the way could not be seen on this system."
    if ways.is_this_machine:
        return True, [], f"{ways.destination} is this machine itself: nothing translates on the way."
    before = [hop for hop in ways.hops if hop.ttl <= ways.edge_ttl and hop.kind != "public"]
    names = [hop.address for hop in before]
    later = [hop for hop in before if hop.ttl > 1]
    if later:
        shared = [hop.address for hop in later if hop.kind == "shared"]
        what = (
            f"hop {later[-1].ttl} is {shared[-1]}, an address that carriers share between customers (CGNAT)"
            if shared
            else f"hop {later[-1].ttl} is {later[-1].address}, a private address behind another router"
        )
        return False, names, f"There is more than one layer before the public network: {what}."
    firsts = [hop for hop in ways.hops if hop.ttl <= 2]
    if not any(hop.ttl == 2 for hop in firsts) and hops.kind_of(local) != "public" and ways.reached_at != 1:
        return None, names, "The second hop shows no address, so a second NAT there would not be seen."
    second = ways.hop_at(2)
    seen = f"{ways.edge_name()}, then {second.address}" if second else ways.edge_name()
    return True, names, f"One device stands between this machine and the public network: {seen}."


def _whose(options: Options, public: str | None, inside: bool | None, reason: str) -> str:
    if public is None:
        return f"{reason}, so the public address of this line is not known."
    if hops.kind_of(public) != "public":
        return f"This line is seen as {public}, which is no public address: there is a tunnel, or no internet between."
    if inside is None:
        return f"This line is seen as {public}. The checklist does not say which addresses are the provider's own."
    known = f"the networks that the checklist of {options.own_networks_date} calls the provider's own"
    if inside:
        return f"This line is seen as {public}, inside {known}."
    return f"This line is seen as {public}, outside {known}."


PROBE = Probe(
    "nat",
    Options,
    Facts,
    measure,
    subject=lambda options: f"address translation towards {options.domain}",
    after=("srv", "path"),
)
