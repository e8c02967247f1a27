"""Does something on the way accept TCP connections in the name of the provider's servers? SYNs only; no SIP.

A router that redirects the signalling port to a program of its own, or a transparent proxy further out, makes every
question over TCP look well. A SYN that is accepted at a TTL at which SYNs to other ports of the same address are seen
to die cannot have reached the server: whoever accepted it stands at or before that hop. Times prove nothing. What
takes every port alike (as satellite modems do) is not found this way, and what is found need not read SIP.
"""

import time
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Literal

from gosip_check.probes import probe
from gosip_check.probes.dns.servers import Server, servers_offered
from gosip_check.probes.path import hops, syns
from gosip_check.probes.probe import Context, Probe, side_by_side
from gosip_check.records import Record

_MOST_SERVERS = 16
_TIMES = 3
"So often a SYN must be accepted, and another one die: flows that take ways of different length are not taken for it."

_BUDGET_S = 15.0
_REFILL_S = 1.05
"A hop that rations has one more ICMP error to give by then."


class Options(probe.Options, frozen=True):
    """`networks`: a device with an address in them is the provider's own, and may answer for its servers."""

    transport: Literal["udp", "tcp"]
    networks: list[str]


class StandIn(Record, frozen=True):
    """Who accepts connections to this server's port, at or before hop `ttl`, which quotes with the address `hop`."""

    address: str
    port: int
    ttl: int
    hop: str

    @property
    def place(self) -> str:
        return f"at or before {self.hop}"


class Facts(probe.Facts, frozen=True):
    """The servers in whose name something else accepts connections. A server that is not here may still have one."""

    stand_ins: list[StandIn]

    def of(self, server: Server) -> StandIn | None:
        """Who stands in for this server."""
        return next((s for s in self.stand_ins if (s.address, s.port) == (server.address, server.port)), None)


def stand_in_of(context: Context, server: Server) -> StandIn | None:
    """Who stands in for this server, as far as this run has found out."""
    facts = context.facts_of(Facts)
    return facts.of(server) if facts else None


def measure(options: Options, context: Context) -> Facts:
    """A second where nobody stands in. Raises ProbeFailed: interrupted, or this machine cannot send."""
    path = context.facts_of(hops.Facts)
    own = [ip_network(network) for network in options.networks]
    to_try = [] if path is None else [hop for hop in path.hops if not any(ip_address(hop.address) in n for n in own)]
    servers = [server for server in servers_offered(context) if server.is_ipv4 and server.port]
    servers = list({(server.address, server.port): server for server in servers}.values())[:_MOST_SERVERS]
    if options.transport != "tcp" or not to_try or not servers:
        return Facts(stand_ins=[], evidence={"stand_ins": "Nothing could be looked at."})
    context.say(f"Who accepts connections to {len(servers)} server(s)?")
    found = side_by_side(lambda server: _stand_in(context, server, to_try), servers)
    stand_ins = [each for each in found if each is not None]
    listed = "; ".join(f"{each.place} for {each.address}:{each.port}" for each in stand_ins) or "nobody seen"
    return Facts(stand_ins=stand_ins, evidence={"stand_ins": f"Accepts connections in a server's name: {listed}."})


def _stand_in(context: Context, server: Server, to_try: Sequence[hops.Hop]) -> StandIn | None:
    """Proven at the farthest hop where it can be, then followed to the nearest at which connections are accepted."""
    until_s = time.monotonic() + _BUDGET_S
    proven: StandIn | None = None
    for hop in reversed(to_try):
        if syns.syn(context, server.address, server.port, hop.ttl)[0] != "connected":
            break  # whoever stood nearer would have accepted this one as well
        quoting = _proof(context, server, hop.ttl, 1 if proven else _TIMES, until_s)
        if quoting is not None:
            proven = StandIn(address=server.address, port=server.port, ttl=hop.ttl, hop=quoting)
    return proven


def _proof(context: Context, server: Server, ttl: int, times: int, until_s: float) -> str | None:
    """Who quotes SYNs to other ports at this TTL, where so many die while as many to the server's port are accepted."""
    ports: Sequence[int] = [port for port in syns.CONTROL_PORTS if port != server.port]
    seen = 0
    quoting = None
    while seen < times:
        port, came, sender = syns.first_quoted(context, server.address, ports, ttl)
        if came == "time exceeded":
            ports, quoting, seen = [port], sender, seen + 1
            if syns.syn(context, server.address, server.port, ttl)[0] != "connected":
                return None
        elif came != "nothing" or time.monotonic() > until_s:
            return None  # a reset, a refusal or an open port: this TTL may reach the server
        else:
            context.wait(_REFILL_S)
    return quoting


PROBE = Probe(
    "stand_in",
    Options,
    Facts,
    measure,
    subject=lambda options: f"who accepts {options.transport.upper()} in the name of the servers",
    after=("srv", "path"),
    wanted=lambda options: options.transport == "tcp",
)
