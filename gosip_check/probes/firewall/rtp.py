"""Does the site's edge let media out? UDP ports of the media range, proven open by hops behind it. No call is made.

A sample of the range goes towards every network of the provider and dies behind the edge. A port that is not quoted
there while controls around it are, again and again, is blocked; from there the edges of the blocked range are searched.
That way only the way out is proven. Where a far end answered on every port (`port_range`), both ways are, and each port
that did not come back from there is tried towards the provider's networks: a firewall may have rules for these alone.
"""

import secrets
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network

from msgspec.structs import replace

from gosip_check.probes import probe
from gosip_check.probes.dns.servers import servers_inside
from gosip_check.probes.firewall import port_range, port_sample
from gosip_check.probes.firewall.port_sample import Run
from gosip_check.probes.firewall.port_search import Endpoint, Search
from gosip_check.probes.path import hops
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.records import FailureKind, Record

_SAMPLE_S = 45.0
_SEARCH_S = 60.0
"From the beginning, until the sample and the edges of what is blocked must be known."
_LOCATE_BUDGET_S = 4.0
_LAST_S = 2.0
"Of these: what was asked last may wait for its answer, and for who drops what is blocked."
_NO_EDGES = f" Edges not found in {_SEARCH_S:g} s."
_STOPPED = " Stopped before the edges were found."
_QUICK_S = 6.0
"A sample that took no longer came through hops that quote freely: every network can have the whole of it."

_MOST_SUSPECTED = 16
"Of the ranges that did not come back from a far end."

_MOST_LISTED = 12


class Options(probe.Options, frozen=True):
    """`seed` draws the random part of the sample; without one a fresh one is drawn and reported."""

    networks: list[str]
    rtp_ports: tuple[int, int]
    seed: int | None = None


class Blocked(Record, frozen=True):
    """Ports that do not get out, towards one address. first and last: the edges of the range, or one port twice
    where few ports in it were tried. tested: how many were. by: who rejects, or saw it last.

    open_below, open_above: the nearest ports that get out, where an edge lies somewhere between.
    """

    destination: str
    first: int
    last: int
    tested: int
    how: str
    by: str | None
    open_below: int | None = None
    open_above: int | None = None


class Facts(probe.Facts, frozen=True):
    """rtp_leaves: every port that was tried got out. open_ports: of the sample, blocked towards nobody.

    proven_at_reflector: ports that a far end answered on, both ways proven; None without one that does.
    """

    seed: int
    sampled: int
    destinations: list[str]
    rtp_leaves: bool | None
    open_ports: list[int]
    undecided_ports: list[int]
    blocked: list[Blocked]
    proven_at_reflector: int | None = None
    blocked_ports: str | None = None
    "Every range once, such as `1024-1999, 5060`; None where nothing was seen blocked."
    only_signalling_blocked: bool = False
    "The port that signalling takes is all that was seen blocked."
    blocked_at: str | None = None
    "The one place that blocks all of them, where that is known."


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed, where no far end answered on every port, as `_by_quotes` does."""
    seed = options.seed if options.seed is not None else secrets.randbelow(2**31)
    reached = context.facts_of(port_range.Facts)
    reached = reached if reached is not None and reached.proven else None
    try:
        facts = _by_quotes(options, context, seed, reached)
        signalling = {str(server.port) for server in servers_inside(context, options.networks)}
        return replace(facts, only_signalling_blocked=facts.blocked_ports in signalling)
    except ProbeFailed as failed:
        if reached is None or failed.failure.kind is FailureKind.INTERRUPTED:
            raise
        return _facts(None, failed.failure.message, seed, reached, [])


def _by_quotes(options: Options, context: Context, seed: int, reached: port_range.Facts | None) -> Facts:
    """Raises ProbeFailed: unsupported when nothing behind the edge quotes."""
    path = context.facts_of(hops.Facts)
    if path is None:
        raise ProbeFailed(FailureKind.UNSUPPORTED, "The hops on the way are not known, so no port can be tried.")
    if path.is_this_machine:
        sentence = f"{path.destination} is this machine itself: there is no firewall on the way."
        if reached is not None and reached.in_networks:  # a demo, whose far end tells more
            return _facts(True, "", seed, reached, [path.destination])
        return _facts(True, sentence, seed, None, [path.destination])
    search = Search(context, path, options.rtp_ports, seed)
    networks = _addresses(options, context)
    destinations = [address for addresses in networks.values() for address in addresses]
    ports = port_sample.sample(*options.rtp_ports, seed)
    context.say(f"Firewall: {len(ports)} UDP ports towards {len(destinations)} addresses")
    tried = [(destinations[number % len(destinations)], port) for number, port in enumerate(ports)]
    is_stopped = False
    try:
        _search(search, networks, tried, reached)
    except ProbeFailed as failed:  # what was proven before the run was stopped is proven
        is_stopped = failed.failure.kind is FailureKind.INTERRUPTED
        if not is_stopped or not any(search.sure(address) for address in destinations):
            raise
    sampled = {endpoint: search.decided_at(endpoint) for endpoint in tried}
    blocked = _blocked(search, networks)
    leaves = False if blocked else None if None in sampled.values() else True
    unfinished = _STOPPED if is_stopped else "" if search.edges_found() else _NO_EDGES
    sentence = _sentence(len(ports), destinations, sampled, blocked, search, unfinished)
    return _facts(leaves, sentence, seed, reached, destinations, sampled, blocked)


def _search(
    search: Search,
    networks: Mapping[str, Sequence[str]],
    tried: list[Endpoint],
    reached: port_range.Facts | None,
) -> None:
    """Puts what else is tried behind `tried`. Raises ProbeFailed as `_by_quotes`."""
    started_s = time.monotonic()
    search.ask(tried, started_s + _SAMPLE_S)
    if time.monotonic() - started_s < _QUICK_S and search.all_decided(tried):
        ports = [port for _, port in tried]
        all_endpoints = [(addresses[0], port) for addresses in networks.values() for port in ports]
        rest = [endpoint for endpoint in all_endpoints if endpoint not in tried]
        search.ask(rest, started_s + _SAMPLE_S)
        tried += rest
    suspected = [(addresses[0], port) for addresses in networks.values() for port in _suspected(reached)]
    if suspected:
        search.ask(suspected, started_s + _SAMPLE_S)
        tried += suspected
    if any(search.blocked_at(endpoint) for endpoint in tried):
        search.find_edges(networks, started_s + _SEARCH_S - _LAST_S)
        search.locate(time.monotonic() + _LOCATE_BUDGET_S)


def _suspected(reached: port_range.Facts | None) -> list[int]:
    """Both ends of what did not come back from the far end."""
    return [] if reached is None else sorted({port for ends in reached.blocked[:_MOST_SUSPECTED] for port in ends})


def _addresses(options: Options, context: Context) -> dict[str, list[str]]:
    """Of each network one SRV target, where it has one, and one address that has no server."""
    targets = [server.address for server in servers_inside(context, options.networks)]
    chosen = {}
    for network in options.networks:
        if ip_network(network).version == 6:
            raise ProbeFailed(FailureKind.UNSUPPORTED, f"{network} is IPv6, and the way there is not looked at.")
        own = [address for address in targets if ip_address(address) in ip_network(network)]
        other = hops.address_without_server(network, targets)
        chosen[network] = [*own[:1], *([] if other is None else [other])]
    return chosen


def _facts(
    leaves: bool | None,
    sentence: str,
    seed: int,
    reached: port_range.Facts | None,
    destinations: list[str],
    sampled: Mapping[Endpoint, bool | None] = {},
    blocked: Sequence[Blocked] = (),
) -> Facts:
    """leaves, sentence: what was seen towards the provider's networks, or why nothing was."""
    if reached is not None:
        leaves = _with_far_end(leaves, reached)
        sentence = f"{reached.evidence['every_port_answers']} {_about_the_far_end(leaves, reached)}{sentence}"
    opened = {port for (_, port), state in sampled.items() if state is False}
    return Facts(
        seed=seed,
        sampled=len(sampled),
        destinations=destinations,
        rtp_leaves=leaves,
        open_ports=sorted(opened - {port for (_, port), state in sampled.items() if state}),
        undecided_ports=sorted({port for (_, port), state in sampled.items() if state is None}),
        blocked=list(blocked),
        blocked_ports=_ports(blocked, reached),
        blocked_at=_one_place(blocked),
        proven_at_reflector=reached.proven if reached else None,
        evidence={"rtp_leaves": sentence},
    )


def _ports(blocked: Sequence[Blocked], reached: port_range.Facts | None) -> str | None:
    """Every range once, such as `1024-1999, 5060`; where hops showed none, those that a far end there did not get."""
    from_far_end = reached.blocked if reached is not None and reached.in_networks else []
    ranges = sorted({(each.first, each.last) for each in blocked} or from_far_end)
    return ", ".join(f"{first}-{last}" if first != last else f"{first}" for first, last in ranges) or None


def _one_place(blocked: Sequence[Blocked]) -> str | None:
    places = {each.by for each in blocked}
    return places.pop() if len(places) == 1 else None


def _with_far_end(leaves: bool | None, reached: port_range.Facts) -> bool | None:
    """leaves: what was seen towards the provider, for whose networks a firewall may have rules of their own."""
    if leaves is False:
        return False
    if reached.in_networks and reached.every_port_answers is False:
        return False
    return True if reached.in_networks and reached.every_port_answers else leaves


def _about_the_far_end(leaves: bool | None, reached: port_range.Facts) -> str:
    """What its silence on some ports means for the provider's networks."""
    if reached.in_networks:
        by = f"ICMP errors came from {', '.join(reached.rejected_by)}. " if reached.rejected_by else ""
        return by if reached.blocked else ""
    if leaves is None:
        return (
            "A firewall may have other rules for the provider's networks, and those could not be seen. A reflector in "
            "these networks would show them: ask the provider for one. "
        )
    if not reached.blocked:
        return ""
    which = (
        "these ranges" if len(reached.blocked) <= _MOST_SUSPECTED else f"the first {_MOST_SUSPECTED} of these ranges"
    )
    return f"Towards the provider's networks the ends of {which} were tried, too. "


def _sentence(
    count: int,
    destinations: list[str],
    sampled: Mapping[Endpoint, bool | None],
    blocked: list[Blocked],
    search: Search,
    unfinished: str,
) -> str:
    opened = sum(state is False for state in sampled.values())
    towards = f"towards {', '.join(destinations)} (seed {search.seed})"
    if blocked:
        proof = f"{search.proof()}{unfinished}"
        return f"Blocked: {_listed(blocked)}. {opened} of {len(sampled)} samples {towards} got out.{proof}"
    if None in sampled.values():
        return (
            f"{opened} of {len(sampled)} samples {towards} got out and none was seen blocked. The hops behind the edge "
            f"answered too few of the others in {_SAMPLE_S:g} s, so these are not proven. A reflector with --all-ports "
            "proves them."
        )
    return (
        f"{count} of {count} sampled ports got out {towards}: hops behind {search.path.edge_name()} quoted all "
        f"{len(sampled)} datagrams. The way back was not looked at."
    )


def _blocked(search: Search, networks: Mapping[str, Sequence[str]]) -> list[Blocked]:
    """Only what is proven: from the first to the last blocked port of a run, where nothing in it was found open.

    Where a part of it was not tried, it ends before that.
    """
    blocked: list[Blocked] = []
    for address, run in search.runs():
        for proven in search.proven(address, run):
            blocked.append(_of(search, address, proven, search.lost_behind.get((address, run.low))))
    for addresses in networks.values():
        claimed = [each for each in blocked if each.destination in addresses]
        for address in addresses:
            for port in sorted(search.sure(address)) if address not in search.about else []:
                if not any(each.first <= port <= each.last for each in claimed):
                    blocked.append(_of(search, address, Run(port, port, port - 1, port + 1), None))
    return blocked


def _of(search: Search, address: str, proven: Run, lost_behind: str | None) -> Blocked:
    first, last = search.ports
    tested = [port for port in search.sure(address) if proven.low <= port <= proven.high]
    refusals = [search.trials[address, port].reaction.icmp for port in tested]
    refusal = next((each for each in refusals if each is not None), None)  # who refuses may ration that
    return Blocked(
        destination=address,
        first=proven.low,
        last=proven.high,
        tested=len(tested),
        how="rejected" if refusal else "dropped",
        by=refusal.sender if refusal else lost_behind,
        open_below=proven.below if first <= proven.below < proven.low - 1 else None,
        open_above=proven.above if proven.high + 1 < proven.above <= last else None,
    )


def _listed(blocked: Sequence[Blocked]) -> str:
    """Ranges first to last, with the addresses that they are blocked towards."""
    towards: dict[tuple[int, str, str, str | None], list[str]] = defaultdict(list)
    for each in blocked:
        towards[each.first, _ports_of(each), each.how, each.by].append(each.destination)
    ranges = []
    for (_, ports, how, by), addresses in sorted(towards.items(), key=lambda item: item[0][:2]):
        who = f" by {by}" if by and how == "rejected" else f" at {by} or right behind it" if by else ""
        ranges.append(f"{ports} {how}{who} (towards {', '.join(addresses)})")
    return "; ".join(ranges[:_MOST_LISTED]) + (
        f" and {len(ranges) - _MOST_LISTED} more" if len(ranges) > _MOST_LISTED else ""
    )


def _ports_of(blocked: Blocked) -> str:
    """Such as `16384-19000 (begins above 15999, ends below 20000)`, where the edges lie between."""
    below, above = blocked.open_below, blocked.open_above
    bounds = [*([f"begins above {below}"] if below else []), *([f"ends below {above}"] if above else [])]
    ports = f"{blocked.first}-{blocked.last}" if blocked.first != blocked.last else f"{blocked.first}"
    return f"{ports} ({', '.join(bounds)})" if bounds else ports


PROBE = Probe(
    "firewall_rtp",
    Options,
    Facts,
    measure,
    subject=lambda options: f"UDP {options.rtp_ports[0]}-{options.rtp_ports[1]} outbound",
    after=("srv", "path", "port_range"),
    # It takes long, so it begins with the others that come after this one, and not before them.
    uses=("stand_in",),
    takes=lambda _: {"media ports": 25.0},
    deadline_s=120.0,
)
