"""Does SIP get from here to every server of the provider, and back? OPTIONS to every address of every SRV target.

Any SIP status is an answer: 403 proves the path as well as 200. Silence proves nothing, because many providers drop
requests from addresses that they do not know.
"""

from collections.abc import Collection, Sequence
from typing import Literal

from msgspec.structs import replace

from gosip_check.probes import probe
from gosip_check.probes.dns.servers import Server, servers_offered
from gosip_check.probes.path import hops
from gosip_check.probes.path.stand_in import StandIn, stand_in_of
from gosip_check.probes.probe import Context, Probe, ProbeFailed, side_by_side
from gosip_check.probes.sip import leaving
from gosip_check.probes.sip.exchange import Exchange, Result, ask_over_udp
from gosip_check.probes.sip.stream import ask_over_tcp
from gosip_check.records import FailureKind, Record

_MOST_SERVERS = 16
"No provider publishes so many; more of them would be somebody's way of having us scan."

_PAUSE_S = 1.0
"Between two requests to one server."

_UNDECIDED: dict[Result, str] = {
    "silent": "Silence proves neither a block nor a fault: a provider may drop requests from unknown addresses. "
    "Allow the port on the firewall, and ask the provider whether the public address of this line is whitelisted.",
    "closed": "A connection that was accepted has passed the firewall, unless a proxy on the way took it. "
    "Ask the provider whether the public address of this line is whitelisted.",
    "other-port": "The way there and back is open, but a phone system may not take such an answer; tell the provider.",
    "stand-in": "Take the redirection of this port, the proxy or the SIP ALG off on that device, and run this again.",
    "unsent": "What this machine itself cannot or may not send says nothing of the site; run this on one that can.",
}
"Results that decide nothing, and what would help."

_LEFT = " The firewall lets it out. Ask the provider whether it has the public address of this line on its list."

_DO_NOT_REPEAT = {403, 429, 503}
"Answers after which a polite client does not ask again."


class Options(probe.Options, frozen=True):
    """`requests`: how many OPTIONS a server that answers gets, a second apart, for the round-trip times. One more where
    none of them could be timed.
    """

    domain: str
    transport: Literal["udp", "tcp"]
    requests: int = 3


class ServerFacts(Record, frozen=True):
    """One server: its names, what came of the first OPTIONS, and the round-trip times of all of them."""

    targets: list[str]
    address: str
    port: int
    first: Exchange
    rtts_ms: list[float]
    retransmissions: int

    @property
    def server(self) -> Server:
        return Server(self.targets[0], self.address, self.port)


class Facts(probe.Facts, frozen=True):
    """public_address: where the servers saw the requests come from, when they said so, agreed, and it is a public one:
    a device that rewrites SIP puts the private one back into their answers.

    answered_otherwise: for every server that did not answer as it must something else did, so no firewall rule is
    missing: not in SIP, from another address, a device in between, a TLS handshake that failed.

    Of the servers that did not answer, the one place where it is the same for all of them: blocked_at keeps requests
    from getting there, left_at saw them pass, answered_by answered instead.

    waits_for_provider: every server is silent, and every request was seen leaving the site: usual before the order.

    slowest_server_rtt_ms: of the fastest answer of each server that answers, the slowest.
    """

    transport: Literal["udp", "tcp"]
    servers: list[ServerFacts]
    any_server_answers: bool | None
    every_server_answers: bool | None
    public_address: str | None
    answered_otherwise: bool = False
    servers_asked: int | None = None
    servers_answering: int | None = None
    blocked_at: str | None = None
    left_at: str | None = None
    answered_by: str | None = None
    waits_for_provider: bool = False
    slowest_server_rtt_ms: float | None = None
    between: dict[str, tuple[float | None, float | None]] = {}


def _public(seen_from: Collection[str]) -> str | None:
    (address,) = seen_from if len(seen_from) == 1 else (None,)
    return address if address and hops.kind_of(address) == "public" else None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when there is no server to ask, this machine forbids to send, or the run was stopped."""
    by_address: dict[tuple[str, int], list[Server]] = {}  # one server may have several names, and is asked once
    for server in servers_offered(context):
        by_address.setdefault((server.address, server.port), []).append(server)
    to_ask = list(by_address.values())[:_MOST_SERVERS]
    if not to_ask:
        raise ProbeFailed(FailureKind.UNREACHABLE, "DNS gave no address to send to.")
    context.say(f"SIP OPTIONS to {len(to_ask)} server(s) over {options.transport.upper()}")
    servers = side_by_side(lambda same: _ask(options, context, same), to_ask, _MOST_SERVERS)
    servers = _with_stand_ins(options, context, _with_departures(options, context, servers))
    states = [_answers(server.first) for server in servers]
    any_answers = True if True in states else None if None in states else False
    left_out = len(by_address) - len(to_ask)
    every_answers = False if False in states else None if None in states or left_out else True
    missing = [server for server in servers if server.first.result != "answered"]
    seen_from = {s.first.received for s in servers if s.first.received and s.first.result == "answered"}
    slowest_ms, at_least_ms, pace = _pace(servers)
    return Facts(
        transport=options.transport,
        servers=servers,
        any_server_answers=any_answers,
        every_server_answers=every_answers,
        public_address=_public(seen_from),
        answered_otherwise=bool(missing) and all(_answered_otherwise(server.first) for server in missing),
        servers_asked=len(servers),
        servers_answering=len(servers) - len(missing),
        blocked_at=_one_place([s.first.culprit if s.first.result in _BLOCKED else None for s in missing]),
        left_at=_one_place([s.first.left_at for s in missing]),
        answered_by=_one_place([s.first.culprit if _answered_otherwise(s.first) else None for s in missing]),
        waits_for_provider=all(s.first.result == "silent" and s.first.left_at is not None for s in servers),
        slowest_server_rtt_ms=slowest_ms,
        between={} if at_least_ms is None else {"slowest_server_rtt_ms": (at_least_ms, None)},
        evidence={
            "any_server_answers": _sentence(servers, servers) + (_advice(missing) if any_answers is None else ""),
            "every_server_answers": _sentence(servers, missing) + _open_end(missing, every_answers, left_out),
            "slowest_server_rtt_ms": pace,
        },
    )


def _ask(options: Options, context: Context, same: Sequence[Server]) -> ServerFacts:
    """`same`: one server under each of its names."""
    exchanges: list[Exchange] = []
    while len(exchanges) < options.requests or _one_more(exchanges, options.requests):
        if exchanges:
            context.wait(_PAUSE_S)
        plain = bool(exchanges) and exchanges[-1].speaks == "sip"
        exchanges.append(_exchange(options, context, same[0], plain))
        if exchanges[-1].result != "answered" or exchanges[-1].status in _DO_NOT_REPEAT:
            break
    return ServerFacts(
        targets=[server.name for server in same],
        address=same[0].address,
        port=same[0].port,
        first=exchanges[0],
        rtts_ms=[exchange.rtt_ms for exchange in exchanges if exchange.rtt_ms is not None],
        retransmissions=sum(max(0, exchange.sent - 1) for exchange in exchanges),
    )


def _one_more(exchanges: Sequence[Exchange], requests: int) -> bool:
    """A packet that was lost once leaves a server without a time, which would look like a change."""
    repeated = [each for each in exchanges if each.rtt_ms is None and each.sent > 1 and (each.status or 0) >= 200]
    return len(exchanges) == requests == len(repeated)


def _exchange(options: Options, context: Context, server: Server, plain: bool) -> Exchange:
    if server.port == 0:
        return Exchange("unsent", "DNS names port 0, to which nothing can be sent", sent=0)
    try:
        with context.turn(server.address):
            if options.transport == "udp":
                return ask_over_udp(context, options.domain, server)
            return ask_over_tcp(context, options.domain, server, plain)
    except ProbeFailed as failed:  # no way to one address, by IPv6 say, is no reason not to ask the others
        if failed.failure.kind is FailureKind.INTERRUPTED:
            raise
        return Exchange("unsent", failed.failure.message.rstrip("."), sent=0)


def _with_departures(options: Options, context: Context, servers: list[ServerFacts]) -> list[ServerFacts]:
    """The same servers; of a silent one, or a reset, what hops behind the site's edge say about it.

    One whose requests leave is asked once more: a router that limits SIP dropped them for what other probes sent.
    """
    path = context.facts_of(hops.Facts)
    missing = [index for index, each in enumerate(servers) if each.first.result in ("silent", "reset")]
    if not missing or path is None:
        return servers
    context.say(f"Did it leave the site? {len(missing)} server(s)")
    to_follow = [servers[index].server for index in missing]
    if options.transport == "udp":
        departures = leaving.over_udp(context, path, options.domain, to_follow)
    else:
        departures = leaving.over_tcp(context, path, to_follow)
    servers = list(servers)
    for index, departure in zip(missing, departures, strict=True):
        first = _with_departure(servers[index].first, departure)
        if first.result == "silent" and departure.how == "left":
            again = _exchange(options, context, servers[index].server, plain=False)
            first = again if again.result == "answered" else first
        servers[index] = replace(servers[index], first=first)
    return servers


def _with_departure(exchange: Exchange, departure: leaving.Departure) -> Exchange:
    if exchange.result != "silent" and departure.how != "forged reset":
        return exchange
    detail = f"{exchange.detail}, and {departure.clause}"
    if departure.how == "dropped":
        return replace(exchange, result="dropped", detail=detail, culprit=departure.hop)
    if departure.how == "rejected":
        return replace(exchange, result="prohibited", detail=detail, culprit=departure.hop)
    return replace(exchange, detail=detail, left_at=departure.hop if departure.how == "left" else None)


def _with_stand_ins(options: Options, context: Context, servers: list[ServerFacts]) -> list[ServerFacts]:
    """The same servers; of one in whose name something else answers, what can be said of the server itself."""

    def seen_through(each: ServerFacts) -> ServerFacts:
        who = stand_in_of(context, each.server)
        if who is None or each.first.result not in _WHAT_A_STAND_IN_MAY_SAY:
            return each
        if options.transport == "udp":
            first = _answered_by(each.first, who)
        else:
            with context.turn(each.address):
                nearer = ask_over_tcp(context, options.domain, each.server, each.first.speaks == "sip", ttl=who.ttl)
            first = _with_stand_in(each.first, nearer, who)
        return replace(each, first=first, rtts_ms=each.rtts_ms if first.result == "answered" else [])

    return side_by_side(seen_through, servers)


def _answered_by(exchange: Exchange, who: StandIn) -> Exchange:
    """Over UDP, where `who` answered an OPTIONS that could not reach the server."""
    if exchange.result == "silent":
        return exchange
    if exchange.result == "malformed":
        detail = f"{exchange.detail}: something {who.place} answers in the server's name"
        return replace(exchange, detail=detail, culprit=who.hop)
    detail = f"{exchange.detail}, but a device {who.place} answers in the server's name; the server itself is not seen"
    return replace(exchange, result="stand-in", detail=detail, culprit=who.hop)


_WHAT_A_STAND_IN_MAY_SAY: set[Result] = {"answered", "closed", "silent", "malformed", "other-port"}


def _with_stand_in(exchange: Exchange, nearer: Exchange, who: StandIn) -> Exchange:
    """`nearer`: what came where nothing that was sent could reach the server."""
    in_its_name = f"{who.place} accepts connections in the server's name"
    if exchange.result == nearer.result == "malformed":
        return replace(exchange, detail=f"{exchange.detail}: something {in_its_name}", culprit=who.hop)
    if exchange.result in ("answered", "malformed") and nearer.result != "answered":
        return replace(exchange, detail=f"{exchange.detail}, though something {in_its_name}")
    if exchange.result == "answered":
        detail = f"{exchange.detail}, but that comes from a device that {in_its_name}; the server itself is not seen"
    else:
        detail = f"{exchange.detail}; something {in_its_name}, so the server itself is not seen"
    return replace(exchange, result="stand-in", detail=detail, culprit=who.hop)


def _answers(exchange: Exchange) -> bool | None:
    """Yes for any SIP answer; no only where something else came instead; undecided where the path may be good."""
    if exchange.result == "answered":
        return True
    return None if exchange.result in _UNDECIDED else False


def _answered_otherwise(exchange: Exchange) -> bool:
    came_in_tls = exchange.result == "closed" and exchange.speaks == "tls"
    return came_in_tls or exchange.result in ("malformed", "foreign", "other-port", "stand-in")


_BLOCKED: set[Result] = {"dropped", "prohibited"}


def _one_place(places: Sequence[str | None]) -> str | None:
    return places[0] if len(set(places)) == 1 else None


def _pace(servers: Sequence[ServerFacts]) -> tuple[float | None, float | None, str]:
    """How fast the slowest server answers, or, where one cannot be timed, how fast at most; in words, too."""
    answering = [server for server in servers if server.first.result == "answered"]
    timed = sorted((server for server in answering if server.rtts_ms), key=lambda server: min(server.rtts_ms))
    untimed = [server for server in answering if not server.rtts_ms]
    slowest_ms = min(timed[-1].rtts_ms) if timed else None
    sentences = []
    if slowest_ms is not None:
        sentences.append(
            f"The slowest server that answers, {_name(timed[-1])}, took {slowest_ms:.1f} ms. That is its fastest "
            "answer, the server's own time included."
        )
    if untimed:
        sentences.append(
            f"{', '.join(map(_name, untimed))} answered repeated requests only, which cannot be timed: packets are "
            "lost, or the way is very slow."
        )
    evidence = " ".join(sentences) or "No server answered, so nothing was timed."
    return (None, slowest_ms, evidence) if untimed else (slowest_ms, None, evidence)


def _sentence(servers: Sequence[ServerFacts], named: Sequence[ServerFacts]) -> str:
    """How many of the servers answered, and what came of each one that is `named`."""
    answering = sum(server.first.result == "answered" for server in servers)
    each = "; ".join(_what_came(server) for server in named)
    return f"{answering} of {len(servers)} servers answered{f': {each}' if each else ''}."


def _advice(missing: Sequence[ServerFacts]) -> str:
    if all(server.first.left_at for server in missing):
        return _LEFT
    results = dict.fromkeys(server.first.result for server in missing)
    return "".join(f" {_UNDECIDED[result]}" for result in results if result in _UNDECIDED)


def _open_end(missing: Sequence[ServerFacts], decided: bool | None, left_out: int) -> str:
    """Why it is not decided, in short: the advice stands beside `any_server_answers`."""
    more = f" DNS names {left_out} more, which were not asked." if left_out else ""
    return more + (" This proves neither a block nor a fault." if decided is None and missing else "")


def _what_came(server: ServerFacts) -> str:
    rtt = f" in {min(server.rtts_ms):.1f} ms" if server.rtts_ms else ""
    speaks = {"tls": " over TLS", "sip": " over plain TCP"}.get(server.first.speaks or "", "")
    return f"{_name(server)} {server.first.detail}{speaks}{rtt}"


def _name(server: ServerFacts) -> str:
    return f"{server.address}:{server.port} ({', '.join(server.targets)})"


PROBE = Probe(
    "signalling",
    Options,
    Facts,
    measure,
    subject=lambda options: f"SIP over {options.transport.upper()} to {options.domain}",
    after=("srv", "path", "stand_in"),
    rest_s=lambda options: options.requests - 1.0,
    deadline_s=120.0,
)
