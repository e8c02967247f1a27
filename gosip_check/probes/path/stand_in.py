"""Does something on the way answer in the name of the provider's servers? SYNs, or OPTIONS that die on the way.

A router that redirects the signalling port to a program of its own, or a transparent proxy further out, makes every
question to the server look well. A SYN that is accepted, or an OPTIONS that is answered, at a TTL at which packets to
other ports of the same address are seen to die cannot have reached the server: whoever it was stands at or before that
hop. Times prove nothing. What takes every port alike (as satellite modems do) is not found this way, and what accepts a
connection need not read SIP.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Literal

from gosip_check.probes import probe
from gosip_check.probes.dns.servers import Server, servers_offered
from gosip_check.probes.path import hops, syns
from gosip_check.probes.path.quotes import Reaction, Shot, sip_shot, volley
from gosip_check.probes.path.syns import Came
from gosip_check.probes.probe import Context, Probe, side_by_side
from gosip_check.records import Record
from gosip_check.wire import bait

_MOST_SERVERS = 16
_TIMES = 3
"So often it must answer, and another packet die: flows that take ways of different length are not taken for it."

_SIP = b"SIP/2.0 "
_BUDGET_S = 15.0
_REFILL_S = 1.05
"A hop that rations has one more ICMP error to give by then."


class Options(probe.Options, frozen=True):
    """`networks`: a device with an address in them is the provider's own, and may answer for its servers."""

    domain: str
    transport: Literal["udp", "tcp"]
    networks: list[str]


class StandIn(Record, frozen=True):
    """Who answers at this server's port, at or before hop `ttl`, which quotes with the address `hop`."""

    address: str
    port: int
    ttl: int
    hop: str

    @property
    def place(self) -> str:
        return f"at or before {self.hop}"


class Facts(probe.Facts, frozen=True):
    """The servers in whose name something else accepts connections, or answers SIP over UDP.

    A server that is not here may still have one.
    """

    stand_ins: list[StandIn]

    def of(self, server: Server) -> StandIn | None:
        """Who stands in for this server."""
        return next((s for s in self.stand_ins if (s.address, s.port) == (server.address, server.port)), None)


@dataclass(frozen=True)
class Look:
    """What is known of who answers at a port. cleared: the last hop up to which nobody does, by its address."""

    stand_in: StandIn | None = None
    cleared: str | None = None


def stand_in_of(context: Context, server: Server) -> StandIn | None:
    """Who stands in for this server, as far as this run has found out."""
    facts = context.facts_of(Facts)
    return facts.of(server) if facts else None


def without_stand_ins(context: Context, servers: Sequence[Server]) -> list[Server]:
    """Those of them whose answers are their own, as far as this run has found out."""
    return [server for server in servers if stand_in_of(context, server) is None]


def measure(options: Options, context: Context) -> Facts:
    """A second where nobody stands in. Raises ProbeFailed: interrupted, or this machine cannot send."""
    to_try = hops_to_try(context, options.networks)
    servers = [server for server in servers_offered(context) if server.is_ipv4 and server.port]
    servers = list({(server.address, server.port): server for server in servers}.values())[:_MOST_SERVERS]
    if not to_try or not servers:
        return Facts(stand_ins=[], evidence={"stand_ins": "Nothing could be looked at."})
    context.say(f"Who answers in the name of {len(servers)} server(s)?")

    def look(server: Server) -> Look:
        if options.transport == "tcp":
            return look_over_tcp(context, server, to_try)
        return _look(context, server, to_try, _over_udp(context, server, options.domain))

    stand_ins = [found.stand_in for found in side_by_side(look, servers) if found.stand_in is not None]
    listed = "; ".join(f"{each.place} for {each.address}:{each.port}" for each in stand_ins) or "nobody seen"
    return Facts(stand_ins=stand_ins, evidence={"stand_ins": f"Answers in a server's name: {listed}."})


def hops_to_try(context: Context, networks: Sequence[str]) -> list[hops.Hop]:
    """The hops that quote, nearest first, without those of the provider's own networks."""
    path = context.facts_of(hops.Facts)
    own = [ip_network(network) for network in networks]
    return [] if path is None else [hop for hop in path.hops if not any(ip_address(hop.address) in n for n in own)]


def look_over_tcp(context: Context, server: Server, to_try: Sequence[hops.Hop]) -> Look:
    """Who accepts connections to this port. Raises ProbeFailed as `measure`."""
    return _look(context, server, to_try, _over_tcp(context, server))


@dataclass(frozen=True)
class _Question:
    """How one transport is looked at. answers: is what dies after so many hops answered in the server's name.

    first_quoted: of these ports of its address, the first to which something is seen to die there (`syns`).
    """

    answers: Callable[[int], bool]
    first_quoted: Callable[[Sequence[int], int], tuple[int, Came, str | None]]
    ports: Sequence[int]


def _over_tcp(context: Context, server: Server) -> _Question:
    def answers(ttl: int) -> bool:
        return _once_more_where_nothing_came(lambda: syns.syn(context, server.address, server.port, ttl)[0])

    def first_quoted(ports: Sequence[int], ttl: int) -> tuple[int, Came, str | None]:
        return syns.first_quoted(context, server.address, ports, ttl)

    return _Question(answers, first_quoted, syns.CONTROL_PORTS)


def _over_udp(context: Context, server: Server, domain: str) -> _Question:
    def came_for(shot: Shot) -> tuple[Came, Reaction]:
        with context.turn(server.address):
            (reaction,) = volley(context, [shot])
        reply = reaction.reply
        if reply is not None and reply.is_from(shot.address, shot.port) and reply.data.startswith(_SIP):
            return "connected", reaction
        if reaction.icmp is None:
            return ("nothing" if reply is None else "rejected"), reaction
        return ("time exceeded" if reaction.died_on_the_way else "rejected"), reaction

    def answers(ttl: int) -> bool:
        shot = sip_shot(server.address, server.port, domain, bait.OPTIONS, ttl)
        return _once_more_where_nothing_came(lambda: came_for(shot)[0])

    def first_quoted(ports: Sequence[int], ttl: int) -> tuple[int, Came, str | None]:
        last: tuple[int, Came, str | None] = (0, "nothing", None)
        for port in ports:
            came, reaction = came_for(hops.control(server.address, ttl, port))
            if came != "nothing":
                last = (port, came, reaction.icmp.sender if reaction.icmp else None)
            if came == "time exceeded":
                break
        return last

    return _Question(answers, first_quoted, hops.CONTROL_PORTS)


def _once_more_where_nothing_came(ask: Callable[[], Came]) -> bool:
    """A packet may be lost; what answers in a server's name answers always."""
    came = ask()
    return (ask() if came == "nothing" else came) == "connected"


def _look(context: Context, server: Server, to_try: Sequence[hops.Hop], question: _Question) -> Look:
    """Proven at the farthest hop where it can be, then followed to the nearest at which it is answered."""
    until_s = time.monotonic() + _BUDGET_S
    proven: StandIn | None = None
    cleared: str | None = None
    for hop in reversed(to_try):
        if not question.answers(hop.ttl):
            cleared = hop.address
            break  # whoever stood nearer would have answered this one as well
        quoting = _proof(context, server, hop.ttl, 1 if proven else _TIMES, until_s, question)
        if quoting is not None:
            proven = StandIn(address=server.address, port=server.port, ttl=hop.ttl, hop=quoting)
    return Look(proven, cleared)


def _proof(context: Context, server: Server, ttl: int, times: int, until_s: float, question: _Question) -> str | None:
    """Who quotes packets to other ports at this TTL, where so many die while as many to the server's are answered."""
    ports: Sequence[int] = [port for port in question.ports if port != server.port]
    seen = 0
    quoting = None
    while seen < times:
        port, came, sender = question.first_quoted(ports, ttl)
        if came == "time exceeded":
            ports, quoting, seen = [port], sender, seen + 1
            if not question.answers(ttl):
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
    subject=lambda options: f"who answers {options.transport.upper()} in the name of the servers",
    after=("srv", "path"),
)
