"""How does this line translate addresses? What servers see of us, and which hops stand before the public network.

Two OPTIONS from one socket to two servers, with a name in the Via that no SIP ALG can match, so that `received` and
`rport` (RFC 3581) tell the truth. One binding is then left alone and looked at again: a changed port proves that it had
expired. An unchanged one proves nothing, because a NAT may give out the same port anew.
"""

import socket
import time
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Literal

from gosip_check.probes import net, path, probe
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.probes.sip_exchange import options as options_request
from gosip_check.probes.sip_stream import ask_over_tcp
from gosip_check.records import FailureKind, Record
from gosip_check.wire.sip import Response, WireError
from gosip_check.wire.transaction import ClientTransaction

_NAME = "probe.invalid"
_TIMEOUT_S = 4.0


class Options(probe.Options, frozen=True):
    """`idle_s`: how long a binding is left alone before it is looked at again; it should outlive reregistration_s.

    own_networks: where the provider's own internet customers have their addresses, as of `own_networks_date`.
    """

    domain: str
    transport: Literal["udp", "tcp"]
    networks: list[str]
    reregistration_s: int
    own_networks: list[str] = []
    own_networks_date: str = ""
    idle_s: float = 5.0


class SeenBy(Record, frozen=True):
    """What one server saw: the address and port that our datagram came from."""

    server: str
    address: str
    port: int


class Facts(probe.Facts, frozen=True):
    """What is known of the translation. None where no server answered, or no hop told.

    translated: the public address is not this machine's. one_mapping: two servers saw the same address and port.
    binding_outlives_reregistration: False where the binding was seen to expire earlier; without a far end that answers
    late never True where addresses are translated. expired_before_s: after so much silence it was gone.
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
    binding_outlives_reregistration: bool | None
    expired_before_s: float | None
    public_address_is_the_providers: bool | None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when this machine cannot send, or the run was stopped."""
    places = [(server.address, server.port) for server in path.servers(context, options.networks)]
    ways = context.seen.get("path")
    known = ways if isinstance(ways, path.Facts) else None
    if not places and known is None:
        raise ProbeFailed(FailureKind.UNREACHABLE, "DNS gave no address of the provider to send to.")
    towards = places[0][0] if places else str(ip_network(options.networks[0])[1])
    local_address = net.source_address(context.link, towards)
    seen_by: list[SeenBy] = []
    later: list[SeenBy] = []
    local_port = 0
    if options.transport == "udp" and places:
        context.say(f"NAT: what {len(places)} server(s) see of this line")
        with net.udp_socket(context.link) as sock:
            local_port = net.local_address(sock)[1]
            seen_by = _ask(options, context, sock, places)
            if seen_by and seen_by[0].address != local_address:
                context.wait(options.idle_s)
                later = _ask(options, context, sock, [place for place in places if place[0] == seen_by[0].server])
    for server in path.servers(context, options.networks) if options.transport == "tcp" else []:
        asked = ask_over_tcp(context, options.domain, server.name, server.address, server.port)
        if asked.received and asked.rport:
            seen_by = [SeenBy(server=server.address, address=asked.received, port=asked.rport)]
            break
    return _facts(options, known, (local_address, local_port), seen_by, later)


def _ask(options: Options, context: Context, sock: socket.socket, places: Sequence[tuple[str, int]]) -> list[SeenBy]:
    """One OPTIONS to each, all from the same socket."""
    own = net.local_address(sock)[1]
    now_s = time.monotonic()
    asked = {}
    for address, port in places:
        request = options_request(context, options.domain, "UDP", address, own, via_host=_NAME)
        asked[address, port] = ClientTransaction(request, now_s, timeout_s=_TIMEOUT_S)
    found: dict[tuple[str, int], Response] = {}
    while waits := [next_at for one in asked.values() if (next_at := one.next_at) is not None]:
        for (address, port), one in asked.items():
            request_due = one.due(time.monotonic())
            if request_due is not None:
                net.send_to(sock, request_due, address, port)
        net.wait_readable(context, [sock], min(waits))
        net.read_icmp_errors(sock)
        for datagram in net.read_datagrams(sock):
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


def _facts(
    options: Options,
    ways: path.Facts | None,
    local: tuple[str, int],
    seen_by: list[SeenBy],
    later: list[SeenBy],
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
    outlives, expired, evidence["binding_outlives_reregistration"] = _binding(
        options, seen_by, later, translated, reason
    )
    own = [ip_network(network) for network in options.own_networks]
    judged = public is not None and path.kind_of(public) == "public" and bool(own)
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
        binding_outlives_reregistration=outlives,
        expired_before_s=expired,
        public_address_is_the_providers=inside,
        evidence=evidence,
    )


def _layers(ways: path.Facts | None, local: str) -> tuple[bool | None, list[str], str]:
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
    if not any(hop.ttl == 2 for hop in firsts) and path.kind_of(local) != "public" and ways.reached_at != 1:
        return None, names, "The second hop shows no address, so a second NAT there would not be seen."
    second = ways.hop_at(2)
    seen = f"{ways.edge_name()}, then {second.address}" if second else ways.edge_name()
    return True, names, f"One device stands between this machine and the public network: {seen}."


def _binding(
    options: Options, seen_by: list[SeenBy], later: list[SeenBy], translated: bool | None, reason: str
) -> tuple[bool | None, float | None, str]:
    wanted = f"The re-registration every {options.reregistration_s} s asks for a longer one"
    if translated is False:
        return (
            True,
            None,
            "No address is translated, so no binding can expire. (A stateful firewall was not looked at.)",
        )
    if not seen_by or not later:
        return None, None, f"{reason}, so the lifetime of a binding is not known."
    before = next(seen for seen in seen_by if seen.server == later[0].server)
    if later[0].port != before.port or later[0].address != before.address:
        words = (
            f"After {options.idle_s:g} s of silence the binding {before.address}:{before.port} had become "
            f"{later[0].address}:{later[0].port}: it expired before {options.idle_s:g} s. {wanted}."
        )
        return False, options.idle_s, words
    words = (
        f"After {options.idle_s:g} s of silence the port was still {before.port}, which a NAT may also give out anew: "
        "how long a binding lives can only be proven by a far end that answers late. Without one only "
        f"'expired before N s' can be shown, and it was not. {wanted} or for keep-alives."
    )
    return None, None, words


def _whose(options: Options, public: str | None, inside: bool | None, reason: str) -> str:
    if public is None:
        return f"{reason}, so the public address of this line is not known."
    if path.kind_of(public) != "public":
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
