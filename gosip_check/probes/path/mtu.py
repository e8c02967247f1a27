"""Do full-size packets reach the provider, and does the site get to know (ICMP type 3 code 4) where they are too large?

TCP tells the truth: the kernel sends with DF set, and what the server has acknowledged has arrived. Where nothing
arrives, the largest size that does is found by connections whose segments are kept smaller, and datagrams that die
hop by hop (DF set, large and small) show who swallows the large ones. RFC 1191, RFC 2923 2.1 (black holes). IPv4 only.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import psutil

from gosip_check.probes import probe
from gosip_check.probes.dns.servers import Server, servers_offered
from gosip_check.probes.net import segments, sockets
from gosip_check.probes.path.asking import Desk
from gosip_check.probes.path.own_request import own_options
from gosip_check.probes.path.quotes import Shot, volley
from gosip_check.probes.path.stand_in import stand_in_of
from gosip_check.probes.probe import Context, Probe, ProbeFailed, side_by_side
from gosip_check.records import FailureKind, Record

_CONNECT_TIMEOUT_S = 4.0
_ARRIVAL_TIMEOUT_S = 2.5
"The kernel sends a segment four times in it (after 0.2, 0.6 and 1.4 s more), so ordinary loss hides nothing."
_POLL_S = 0.02
_SMALLEST_SEGMENT = 536
"What every host must take (RFC 9293 3.7.1)."
_TCP_OVERHEAD = 52
"IPv4 and TCP headers with the time stamps that Linux sends; a segment so much smaller than the MTU is full-size."
_IP_UDP_OCTETS, _IP_TCP_OCTETS = 28, 40
_LARGEST_PACKET = 65535
_STEP = 8
"How exactly the size is found, in octets."
_AT_ONCE = 12
_SIZING_TIMEOUT_S = 1.0
"Enough for three copies: whether large packets arrive has been decided before."
_MOST_SERVERS = 4
_HOPS = range(1, 9)
_FAR_TTL = 64
_HOP_TIMEOUT_S = 0.8
_HOP_TRIES = 3
_TOO_LARGE = (3, 4)

State = Literal["clean", "smaller", "black-hole", "icmp-filtered"]
"""clean: full-size packets arrive. smaller: the path is, says so, and what fits arrives. black-hole: large packets
vanish without a word, though ICMP errors come back otherwise. icmp-filtered: they vanish, and no ICMP error comes."""


class Options(probe.Options, frozen=True):
    """Where signalling goes; the servers come from DNS."""

    domain: str
    transport: Literal["udp", "tcp"]


class Path(Record, frozen=True):
    """One server. Sizes are IP packets in octets. largest: what got through; None where nothing could be tried.

    who: the hop that says the path is smaller, or the last one that still answers for large packets.
    """

    target: str
    address: str
    port: int
    state: State | None
    detail: str
    own_mtu: int | None = None
    largest: int | None = None
    who: str | None = None


class Facts(probe.Facts, frozen=True):
    """discovery_works: False when large packets vanish on the way to a server; None when none could be tried.

    icmp_errors_arrive: some hop was heard at all, which a firewall that stops ICMP prevents; None where nobody asked.
    """

    paths: list[Path]
    discovery_works: bool | None
    icmp_errors_arrive: bool | None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed: unreachable without servers, unsupported over UDP or by this kernel, interrupted."""
    servers = [server for server in servers_offered(context) if server.is_ipv4][:_MOST_SERVERS]
    if not servers:
        raise ProbeFailed(FailureKind.UNREACHABLE, "DNS gave no address to send to.")
    if options.transport != "tcp":
        raise ProbeFailed(FailureKind.UNSUPPORTED, "Path MTU discovery is looked at over TCP only.")
    context.say(f"Path MTU to {len(servers)} server(s)")
    results = side_by_side(lambda server: _look(options, context, server), servers)
    paths = [path for path, _ in results]
    came = [icmp_came for _, icmp_came in results if icmp_came is not None]
    states = [path.state for path in paths]
    vanish = any(state in ("black-hole", "icmp-filtered") for state in states)
    details = " ".join(f"{path.address}:{path.port} ({path.target}): {path.detail}" for path in paths)
    return Facts(
        paths=paths,
        discovery_works=False if vanish else None if None in states else True,
        icmp_errors_arrive=any(came) if came else None,
        evidence={"discovery_works": details},
    )


def _look(options: Options, context: Context, server: Server) -> tuple[Path, bool | None]:
    """What became of full-size packets to one server, and whether any ICMP error came back."""

    def path(state: State | None, detail: str, largest: int | None = None, who: str | None = None) -> Path:
        return Path(server.name, server.address, server.port, state, detail, own_mtu, largest, who)

    own_mtu = _own_mtu(context, server.address)
    if stand_in := stand_in_of(context, server):
        who = f"something {stand_in.place} takes the connection in the server's name"
        return path(None, f"{who}, so what arrives at the server itself cannot be seen."), None
    try:
        full = _send_segments(options, context, server, None)
    except sockets.ConnectFailed as failed:
        return path(None, f"no connection, so nothing could be tried: {failed.failure.message}"), None
    if full.arrived and (own_mtu is None or full.path_mtu >= own_mtu):
        limit = full.segment + _TCP_OVERHEAD
        if own_mtu is not None and limit < own_mtu:
            detail = f"segments of {full.segment} octets arrive, as large as the server or a device before it asks for."
            return path("clean", detail, limit), None
        return path("clean", f"packets of {full.path_mtu} octets arrive, as large as they leave.", full.path_mtu), None
    if full.arrived:
        hop = _who_says_smaller(context, server, own_mtu or full.path_mtu)
        source = f"{hop} says that" if hop else "an ICMP error, now or lately, said that"
        detail = f"{source} the path takes {full.path_mtu} octets and not {own_mtu}; packets of that size arrive."
        return path("smaller", detail, full.path_mtu, hop), True
    if not _send_segments(options, context, server, _SMALLEST_SEGMENT).arrived:
        return path(None, "neither large nor small packets were acknowledged, so their size proves nothing."), None

    def arrives(segment: int) -> bool:
        return _send_segments(options, context, server, segment, _SIZING_TIMEOUT_S).arrived

    arriving = _largest_that_arrives(arrives, _SMALLEST_SEGMENT, full.segment) + _IP_TCP_OCTETS
    sizes = (full.path_mtu, _SMALLEST_SEGMENT)
    large, small = side_by_side(lambda octets: _hops_that_answer(context, server, octets), sizes)
    if not small:
        detail = (
            f"packets of {full.path_mtu} octets vanish and those of {arriving} arrive. No ICMP error comes back from "
            "the way, so a firewall stops ICMP, type 3 code 4 included."
        )
        return path("icmp-filtered", detail, arriving), False
    last = (
        f"they are lost at or behind {large[-1]}, which still answers for them" if large else "no hop answers for them"
    )
    detail = (
        f"a black hole: packets of {full.path_mtu} octets vanish without an ICMP error and those of {arriving} arrive; "
        f"{last}. Either it does not say that they are too large, or a firewall stops ICMP type 3 code 4."
    )
    return path("black-hole", detail, arriving, large[-1] if large else None), True


@dataclass(frozen=True)
class _Sent:
    segment: int
    path_mtu: int
    arrived: bool


def _send_segments(
    options: Options, context: Context, server: Server, segment: int | None, timeout_s: float = _ARRIVAL_TIMEOUT_S
) -> _Sent:
    """An OPTIONS of three segments on a connection of its own: has the server acknowledged the first of them?

    What the server makes of it does not matter here. Raises ConnectFailed.
    """
    with sockets.tcp_connect(context, server.address, server.port, _CONNECT_TIMEOUT_S, segment=segment) as sock:
        before = segments.segments(sock)
        request = _long_request(options, *sockets.local_address(sock), 3 * before.segment)
        try:
            sent = sock.send(request)
        except OSError:
            sent = 0
        until_s = time.monotonic() + timeout_s
        while True:
            now = segments.segments(sock)
            if sent and now.acked > before.acked:
                # Linux can notice a black hole by itself and send less (tcp_mtu_probing): that is no arrival.
                gave_in = now.resent > 1 and now.segment < before.segment and now.path_mtu == before.path_mtu
                return _Sent(before.segment, now.path_mtu, not gave_in)
            if time.monotonic() > until_s:
                return _Sent(before.segment, now.path_mtu, False)
            context.wait(_POLL_S)


def _long_request(options: Options, host: str, port: int, octets: int) -> bytes:
    """A whole OPTIONS of at least so many octets."""
    return own_options(options.domain, "TCP", host, port, body=b"\r\n" * (octets // 2))


def _largest_that_arrives(arrives: Callable[[int], bool], low: int, high: int) -> int:
    """The largest size of which it is known that it arrives; `low` does, `high` does not. Several are tried at once."""
    while high - low > _STEP:
        step = max(_STEP, (high - low) // (_AT_ONCE + 1))
        sizes = list(range(low + step, high, step))[:_AT_ONCE]
        came = [size for size, arrived in zip(sizes, side_by_side(arrives, sizes), strict=True) if arrived]
        low = max(came, default=low)
        high = min([size for size in sizes if size > low], default=high)
    return low


def _own_mtu(context: Context, address: str) -> int | None:
    """The MTU of the interface that packets to `address` leave by."""
    source = sockets.source_address(context.link, address)
    for name, entries in psutil.net_if_addrs().items():
        if any(entry.address == source for entry in entries):
            stats = psutil.net_if_stats().get(name)
            return min(stats.mtu, _LARGEST_PACKET) if stats else None
    return None


def _who_says_smaller(context: Context, server: Server, octets: int) -> str | None:
    """Who answers a full-size datagram with "fragmentation needed"; the server's own port takes no harm from it."""
    for _ in range(_HOP_TRIES):
        (reaction,) = volley(context, [_whole(server, octets, _FAR_TTL)], _HOP_TIMEOUT_S)
        if reaction.icmp is not None and (reaction.icmp.type, reaction.icmp.code) == _TOO_LARGE:
            return reaction.icmp.sender
    return None


def _hops_that_answer(context: Context, server: Server, octets: int) -> list[str]:
    """The hops, nearest first, that say of DF datagrams of this size that they died there."""
    senders: dict[int, str] = {}
    for _ in range(_HOP_TRIES):
        came = volley(context, [_whole(server, octets, ttl) for ttl in _HOPS if ttl not in senders], _HOP_TIMEOUT_S)
        context.shared(Desk).saw(came)
        for reaction in came:
            if reaction.icmp is not None and reaction.died_on_the_way:
                senders[reaction.shot.ttl] = reaction.icmp.sender
    return [senders[ttl] for ttl in sorted(senders)]


def _whole(server: Server, octets: int, ttl: int) -> Shot:
    return Shot(lambda *_: bytes(octets - _IP_UDP_OCTETS), server.address, server.port, ttl, whole=True)


PROBE = Probe(
    "path_mtu",
    Options,
    Facts,
    measure,
    subject=lambda options: f"path MTU to {options.domain}",
    after=("srv", "path", "stand_in"),
    deadline_s=120.0,
)
