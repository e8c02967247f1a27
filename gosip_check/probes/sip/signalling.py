"""Does SIP get from here to every server of the provider, and back? OPTIONS to every address of every SRV target.

Any SIP status is an answer: 403 proves the path as well as 200. Silence proves nothing, because many providers drop
requests from addresses that they do not know.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec.structs import replace

from gosip_check.probes import probe
from gosip_check.probes.dns import srv
from gosip_check.probes.path import hops
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
    "Ask it whether the public address of this line is whitelisted, and allow the port on the firewall.",
    "closed": "A connection that was accepted has passed the firewall, unless a proxy on the way took it. "
    "Ask the provider whether the public address of this line is whitelisted.",
    "other-port": "The way there and back is open, but a phone system may not take such an answer; tell the provider.",
    "unsent": "What this machine itself cannot or may not send says nothing of the site; run this on one that can.",
}
"Results that decide nothing, and what would help."

_DO_NOT_REPEAT = {403, 429, 503}
"Answers after which a polite client does not ask again."


class Options(probe.Options, frozen=True):
    """`requests`: how many OPTIONS a server that answers gets, a second apart, for the round-trip times. One more where
    none of them could be timed.
    """

    domain: str
    transport: Literal["udp", "tcp"]
    requests: int = 3


class Server(Record, frozen=True):
    """One server: its names, what came of the first OPTIONS, and the round-trip times of all of them."""

    targets: list[str]
    address: str
    port: int
    first: Exchange
    rtts_ms: list[float]
    retransmissions: int


class Facts(probe.Facts, frozen=True):
    """public_address: where the servers saw the requests come from, when they said so and agreed.

    slowest_server_rtt_ms: of the fastest answer of each server that answers, the slowest.
    """

    transport: Literal["udp", "tcp"]
    servers: list[Server]
    any_server_answers: bool | None
    every_server_answers: bool | None
    public_address: str | None
    slowest_server_rtt_ms: float | None = None
    between: dict[str, tuple[float | None, float | None]] = {}


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when there is no server to ask, this machine forbids to send, or the run was stopped."""
    found = context.seen.get("srv")
    targets = found.targets if isinstance(found, srv.Facts) else []
    names: dict[tuple[str, int], list[str]] = {}  # one server may have several, and is asked once all the same
    for target in targets:
        for address in target.addresses:
            names.setdefault((address, target.port), []).append(target.target)
    places = list(names)[:_MOST_SERVERS]
    if not places:
        raise ProbeFailed(FailureKind.UNREACHABLE, "DNS gave no address to send to.")
    context.say(f"SIP OPTIONS to {len(places)} server(s) over {options.transport.upper()}")
    servers = side_by_side(lambda place: _ask(options, context, names[place], *place), places, _MOST_SERVERS)
    servers = _with_who_kept_it(options, context, servers)
    states = [_answers(server.first) for server in servers]
    any_answers = True if True in states else None if None in states else False
    left_out = len(names) - len(places)
    every_answers = False if False in states else None if None in states or left_out else True
    missing = [server for server in servers if server.first.result != "answered"]
    seen_from = {server.first.received for server in servers if server.first.received}
    slowest_ms, at_least_ms, pace = _pace(servers)
    return Facts(
        transport=options.transport,
        servers=servers,
        any_server_answers=any_answers,
        every_server_answers=every_answers,
        public_address=seen_from.pop() if len(seen_from) == 1 else None,
        slowest_server_rtt_ms=slowest_ms,
        between={} if at_least_ms is None else {"slowest_server_rtt_ms": (at_least_ms, None)},
        evidence={
            "any_server_answers": _words(servers, servers) + (_advice(missing) if any_answers is None else ""),
            "every_server_answers": _words(servers, missing) + _open_end(missing, every_answers, left_out),
            "slowest_server_rtt_ms": pace,
        },
    )


def _ask(options: Options, context: Context, targets: list[str], address: str, port: int) -> Server:
    exchanges: list[Exchange] = []
    while len(exchanges) < options.requests or _one_more(exchanges, options.requests):
        if exchanges:
            context.wait(_PAUSE_S)
        plain = bool(exchanges) and exchanges[-1].speaks == "sip"
        exchanges.append(_exchange(options, context, targets[0], address, port, plain))
        if exchanges[-1].result != "answered" or exchanges[-1].status in _DO_NOT_REPEAT:
            break
    return Server(
        targets=targets,
        address=address,
        port=port,
        first=exchanges[0],
        rtts_ms=[exchange.rtt_ms for exchange in exchanges if exchange.rtt_ms is not None],
        retransmissions=sum(max(0, exchange.sent - 1) for exchange in exchanges),
    )


def _one_more(exchanges: Sequence[Exchange], requests: int) -> bool:
    """A packet that was lost once leaves a server without a time, which would look like a change."""
    repeated = [one for one in exchanges if one.rtt_ms is None and one.sent > 1 and (one.status or 0) >= 200]
    return len(exchanges) == requests == len(repeated)


def _with_who_kept_it(options: Options, context: Context, servers: Sequence[Server]) -> list[Server]:
    """The same servers; of a silent one, or a reset, what hops behind the site's edge say about it."""
    ways = context.seen.get("path")
    asked = [s for s in servers if s.first.result in ("silent", "reset")]
    if not asked or not isinstance(ways, hops.Facts):
        return list(servers)
    context.say(f"Did it leave the site? {len(asked)} server(s)")
    if options.transport == "udp":
        found = leaving.over_udp(context, ways, options.domain, [(server.address, server.port) for server in asked])
    else:
        found = side_by_side(lambda server: leaving.over_tcp(context, ways, server.address, server.port), asked)
    told = {(server.address, server.port): left for server, left in zip(asked, found, strict=True)}
    return [
        replace(server, first=_told(server.first, told[place]))
        if (place := (server.address, server.port)) in told
        else server
        for server in servers
    ]


def _told(exchange: Exchange, left: leaving.Left) -> Exchange:
    if exchange.result != "silent" and left.how != "forged reset":
        return exchange
    detail = f"{exchange.detail}, and {left.words}"
    if left.how == "dropped":
        return replace(exchange, result="dropped", detail=detail, culprit=left.who)
    if left.how == "rejected":
        return replace(exchange, result="prohibited", detail=detail, culprit=left.who)
    return replace(exchange, detail=detail)


def _exchange(options: Options, context: Context, target: str, address: str, port: int, plain: bool) -> Exchange:
    if port == 0:
        return Exchange("unsent", "DNS names port 0, to which nothing can be sent", sent=0)
    try:
        with context.turn(address):
            if options.transport == "udp":
                return ask_over_udp(context, options.domain, address, port)
            return ask_over_tcp(context, options.domain, target, address, port, plain)
    except ProbeFailed as failed:  # no way to one address, by IPv6 say, is no reason not to ask the others
        if failed.failure.kind is FailureKind.INTERRUPTED:
            raise
        return Exchange("unsent", failed.failure.message.rstrip("."), sent=0)


def _answers(exchange: Exchange) -> bool | None:
    """Yes for any SIP answer; no only where something else came instead; undecided where the path may be good."""
    if exchange.result == "answered":
        return True
    return None if exchange.result in _UNDECIDED else False


def _pace(servers: Sequence[Server]) -> tuple[float | None, float | None, str]:
    """How fast the slowest server answers, or, where one cannot be timed, how fast at most; in words, too."""
    answering = [server for server in servers if server.first.result == "answered"]
    timed = sorted((server for server in answering if server.rtts_ms), key=lambda server: min(server.rtts_ms))
    untimed = [server for server in answering if not server.rtts_ms]
    slowest_ms = min(timed[-1].rtts_ms) if timed else None
    words = []
    if slowest_ms is not None:
        words.append(
            f"The slowest server that answers, {_place(timed[-1])}, took {slowest_ms:.1f} ms (its fastest answer, with "
            "the time that the server itself took: the way is no slower)."
        )
    if untimed:
        words.append(
            f"{', '.join(map(_place, untimed))} answered repeated requests only, which cannot be timed: packets are "
            "lost, or the way is very slow."
        )
    said = " ".join(words) or "No server answered, so nothing was timed."
    return (None, slowest_ms, said) if untimed else (slowest_ms, None, said)


def _words(servers: Sequence[Server], named: Sequence[Server]) -> str:
    """How many of the servers answered, and what came of each one that is `named`."""
    answering = sum(server.first.result == "answered" for server in servers)
    told = "; ".join(_server_words(server) for server in named)
    return f"{answering} of {len(servers)} servers answered{f': {told}' if told else ''}."


def _advice(missing: Sequence[Server]) -> str:
    results = dict.fromkeys(server.first.result for server in missing)
    return "".join(f" {_UNDECIDED[result]}" for result in results if result in _UNDECIDED)


def _open_end(missing: Sequence[Server], decided: bool | None, left_out: int) -> str:
    """Why it is not decided, in short: the advice stands beside `any_server_answers`."""
    words = f" DNS names {left_out} more, which were not asked." if left_out else ""
    return words + (" This proves neither a block nor a fault." if decided is None and missing else "")


def _server_words(server: Server) -> str:
    rtt = f" in {min(server.rtts_ms):.1f} ms" if server.rtts_ms else ""
    speaks = {"tls": " over TLS", "sip": " over plain TCP"}.get(server.first.speaks or "", "")
    return f"{_place(server)} {server.first.detail}{speaks}{rtt}"


def _place(server: Server) -> str:
    return f"{server.address}:{server.port} ({', '.join(server.targets)})"


PROBE = Probe(
    "signalling",
    Options,
    Facts,
    measure,
    subject=lambda options: f"SIP over {options.transport.upper()} to {options.domain}",
    after=("srv", "path"),
)
