"""Does SIP get from here to every server of the provider, and back? OPTIONS to every address of every SRV target.

Any SIP status is an answer: 403 proves the path as well as 200. Silence proves nothing, because many providers drop
requests from addresses that they do not know.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from msgspec.structs import replace

from gosip_check.probes import leaving, path, probe, srv
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.probes.sip_exchange import Exchange, ask_over_udp
from gosip_check.probes.sip_stream import ask_over_tcp
from gosip_check.records import FailureKind, Record

_MOST_SERVERS = 16
"No provider publishes so many; more of them would be somebody's way of having us scan."

_PAUSE_S = 1.0
"Between two requests to one server."

_DO_NOT_REPEAT = {403, 429, 503}
"Answers after which a polite client does not ask again."


class Options(probe.Options, frozen=True):
    """`requests`: how many OPTIONS a server that answers gets, a second apart, for the round-trip times."""

    domain: str
    transport: Literal["udp", "tcp"]
    requests: int = 3


class Server(Record, frozen=True):
    """One server: what came of the first OPTIONS, and the round-trip times of all of them."""

    target: str
    address: str
    port: int
    first: Exchange
    rtts_ms: list[float]
    retransmissions: int


class Facts(probe.Facts, frozen=True):
    """public_address: where the servers saw the requests come from, when they said so and agreed."""

    transport: Literal["udp", "tcp"]
    servers: list[Server]
    any_server_answers: bool | None
    every_server_answers: bool | None
    public_address: str | None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when there is no server to ask, this machine forbids to send, or the run was stopped."""
    found = context.seen.get("srv")
    targets = found.targets if isinstance(found, srv.Facts) else []
    names: dict[tuple[str, int], str] = {}  # one server may have several names, and is asked once all the same
    for target in targets:
        for address in target.addresses:
            names.setdefault((address, target.port), target.target)
    places = [(name, *place) for place, name in names.items()][:_MOST_SERVERS]
    if not places:
        raise ProbeFailed(FailureKind.UNREACHABLE, "DNS gave no address to send to.")
    context.say(f"SIP OPTIONS to {len(places)} server(s) over {options.transport.upper()}")
    with ThreadPoolExecutor(len(places)) as pool:
        servers = list(pool.map(lambda place: _ask(options, context, *place), places))
    servers = _with_who_kept_it(options, context, servers)
    states = [_answers(server.first) for server in servers]
    any_answers = True if True in states else None if None in states else False
    every_answers = False if False in states else None if None in states else True
    seen_from = {server.first.received for server in servers if server.first.received}
    return Facts(
        transport=options.transport,
        servers=servers,
        any_server_answers=any_answers,
        every_server_answers=every_answers,
        public_address=seen_from.pop() if len(seen_from) == 1 else None,
        evidence={
            "any_server_answers": _words(servers, servers, any_answers),
            "every_server_answers": _words(
                servers, [server for server in servers if server.first.result != "answered"], every_answers
            ),
        },
    )


def _ask(options: Options, context: Context, target: str, address: str, port: int) -> Server:
    exchanges: list[Exchange] = []
    while len(exchanges) < options.requests:
        if exchanges:
            context.wait(_PAUSE_S)
        plain = bool(exchanges) and exchanges[-1].speaks == "sip"
        exchanges.append(_exchange(options, context, target, address, port, plain))
        if exchanges[-1].result != "answered" or exchanges[-1].status in _DO_NOT_REPEAT:
            break
    return Server(
        target=target,
        address=address,
        port=port,
        first=exchanges[0],
        rtts_ms=[exchange.rtt_ms for exchange in exchanges if exchange.rtt_ms is not None],
        retransmissions=sum(max(0, exchange.sent - 1) for exchange in exchanges),
    )


def _with_who_kept_it(options: Options, context: Context, servers: Sequence[Server]) -> list[Server]:
    """The same servers; of a silent one, or a reset, what hops behind the site's edge say about it."""
    ways = context.seen.get("path")
    asked = [s for s in servers if s.first.result in ("silent", "reset")]
    if not asked or not isinstance(ways, path.Facts):
        return list(servers)
    context.say(f"Did it leave the site? {len(asked)} server(s)")
    if options.transport == "udp":
        found = leaving.over_udp(context, ways, options.domain, [(server.address, server.port) for server in asked])
    else:
        with ThreadPoolExecutor(len(asked)) as pool:
            found = list(pool.map(lambda server: leaving.over_tcp(context, ways, server.address, server.port), asked))
    told = dict(zip((server.address for server in asked), found, strict=True))
    return [replace(s, first=_told(s.first, told[s.address])) if s.address in told else s for s in servers]


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
    try:
        if options.transport == "udp":
            return ask_over_udp(context, options.domain, address, port)
        return ask_over_tcp(context, options.domain, target, address, port, plain)
    except ProbeFailed as failed:  # no way to one address, by IPv6 say, is no reason not to ask the others
        if failed.failure.kind not in (FailureKind.UNREACHABLE, FailureKind.UNSUPPORTED):
            raise
        return Exchange("unsent", failed.failure.message.rstrip("."), sent=0)


def _answers(exchange: Exchange) -> bool | None:
    """Yes for any SIP answer; no only where something else came instead; undecided for silence, ours included."""
    if exchange.result == "answered":
        return True
    return None if exchange.result in ("silent", "closed", "unsent") else False


def _words(servers: Sequence[Server], named: Sequence[Server], decided: bool | None) -> str:
    """How many of the servers answered, and what came of each one that is `named`."""
    answering = sum(server.first.result == "answered" for server in servers)
    told = "; ".join(_server_words(server) for server in named)
    advice = ""
    if decided is None:
        advice = (
            " Silence proves neither a block nor a fault: a provider may drop requests from unknown addresses. "
            "Ask it whether the public address of this line is whitelisted, and allow the port on the firewall."
        )
    return f"{answering} of {len(servers)} servers answered{f': {told}' if told else ''}.{advice}"


def _server_words(server: Server) -> str:
    place = f"{server.address}:{server.port} ({server.target})"
    rtt = f" in {min(server.rtts_ms):.1f} ms" if server.rtts_ms else ""
    speaks = {"tls": " over TLS", "sip": " over plain TCP"}.get(server.first.speaks or "", "")
    return f"{place} {server.first.detail}{speaks}{rtt}"


PROBE = Probe(
    "signalling",
    Options,
    Facts,
    measure,
    subject=lambda options: f"SIP over {options.transport.upper()} to {options.domain}",
    after=("srv", "path"),
)
