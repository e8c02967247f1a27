"""What time is it, and may this site ask? One SNTP question to each of the checklist's time servers. Sets no clock."""

import secrets
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import ip_address
from typing import Literal

from gosip_check.probes import probe
from gosip_check.probes.dns.names import address_of
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.records import FailureKind, Record
from gosip_check.wire import sntp
from gosip_check.wire.sntp import SntpError

_SENDS_AT_S = (0.0, 0.7, 2.0)
_TIMEOUT_S = 4.0
_SILENT_ENOUGH = 2
"So many independent servers must be silent before it counts: one of a pool may be down."


class Options(probe.Options, frozen=True):
    """ntp_servers: names or addresses. ntp_port: another one only where a trial serves time without privilege."""

    ntp_servers: list[str] = []
    ntp_port: int = sntp.PORT
    dns_servers: list[str] = []
    system_resolvers: bool = True


Result = Literal["answered", "unsynchronised", "rate-limited", "silent", "refused", "malformed", "no-address"]


class Server(Record, frozen=True):
    """One time server. offset_ms: by how much this machine's clock is behind it; delay_ms: the round trip."""

    name: str
    address: str | None
    result: Result
    detail: str
    stratum: int | None = None
    offset_ms: float | None = None
    delay_ms: float | None = None


class Facts(probe.Facts, frozen=True):
    """any_server_tells_time: None where too few could be asked to say no. offset_ms: of the nearest server that does.

    error_ms: how far this clock is off at most, by that server: the offset, half its round trip and its own error.
    """

    servers: list[Server]
    any_server_tells_time: bool | None
    offset_ms: float | None
    error_ms: float | None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when there is nobody to ask, this machine cannot send, or the run was stopped."""
    if not options.ntp_servers:
        raise ProbeFailed(FailureKind.UNSUPPORTED, "The checklist names no time servers.")
    context = replace(context, dns_servers=options.dns_servers, system_resolvers=options.system_resolvers)
    context.say(f"Time of {len(options.ntp_servers)} server(s)")
    with ThreadPoolExecutor(len(options.ntp_servers)) as pool:
        asked = list(pool.map(lambda name: _ask(options, context, name), options.ntp_servers))
    servers = [server for server, _ in asked]
    telling = [(server, error) for server, error in asked if error is not None]
    agreed = _agreed(telling)
    best = min(agreed, key=lambda pair: pair[0].delay_ms or 0.0, default=None)
    words = _words(servers)
    if telling and not agreed:
        words += " They contradict each other, so which of them is right is not known."
    return Facts(
        servers=servers,
        any_server_tells_time=_any(servers),
        offset_ms=best[0].offset_ms if best else None,
        error_ms=best[1] if best else None,
        evidence={"any_server_tells_time": words, "error_ms": words},
    )


def _agreed(telling: Sequence[tuple[Server, float]]) -> list[tuple[Server, float]]:
    """Those that may all be right at once; none where they are no majority (RFC 5905 11.2.1)."""
    ranges = []
    for server, error_ms in telling:
        offset_ms = server.offset_ms or 0.0
        own_ms = error_ms - abs(offset_ms)
        ranges.append((offset_ms - own_ms, offset_ms + own_ms))
    groups = [[low <= point <= high for low, high in ranges] for point, _ in ranges]
    largest = max(groups, key=sum, default=[])
    if 2 * sum(largest) <= len(telling):
        return []
    return [entry for entry, is_in in zip(telling, largest, strict=True) if is_in]


def _any(servers: Sequence[Server]) -> bool | None:
    if any(server.result == "answered" for server in servers):
        return True
    kept_out = [server for server in servers if server.result in ("silent", "refused")]
    return False if len(kept_out) >= _SILENT_ENOUGH and len(kept_out) == len(servers) else None


def _words(servers: Sequence[Server]) -> str:
    count = sum(server.result == "answered" for server in servers)
    told = "; ".join(f"{server.name} {server.detail}" for server in servers)
    return f"{count} of {len(servers)} time servers tell the time: {told}."


def _ask(options: Options, context: Context, name: str) -> tuple[Server, float | None]:
    """The server, and the most by which our clock may be off where it tells."""
    try:
        address = _address(context, name)
    except ProbeFailed:
        context.check()
        return Server(name=name, address=None, result="no-address", detail="has no address in DNS"), None
    nonce = secrets.randbits(64)
    with sockets.udp_socket(context.link, sockets.family_of(address)) as sock:
        start_s = time.monotonic()
        sent = 0
        trouble = ""
        for send_at_s, until_s in zip(_SENDS_AT_S, (*_SENDS_AT_S[1:], _TIMEOUT_S), strict=True):
            context.wait_until(start_s + send_at_s)
            sent = sntp.timestamp(time.time_ns())
            sockets.send_to(sock, sntp.request(nonce), address, options.ntp_port)
            for _, datagrams, errors in sockets.arrivals(context, [sock], start_s + until_s):
                received = sntp.timestamp(time.time_ns())
                for datagram in datagrams:
                    if (datagram.address, datagram.port) != (address, options.ntp_port):
                        continue
                    try:
                        reply = sntp.parse_reply(datagram.data, nonce)
                    except SntpError as error:
                        trouble = str(error)
                        continue
                    return _told(name, address, reply, sent, received)
                for icmp in errors:
                    words = f"({address}) was not reached: {icmp.sender} says {icmp.name}"
                    return Server(name=name, address=address, result="refused", detail=words), None
            nonce = secrets.randbits(64)  # an answer to an earlier question would make the delay look longer
    if trouble:
        return Server(name=name, address=address, result="malformed", detail=f"({address}) answered {trouble}"), None
    words = f"({address}) gave no answer to {len(_SENDS_AT_S)} questions in {_TIMEOUT_S:g} s"
    return Server(name=name, address=address, result="silent", detail=words), None


def _told(name: str, address: str, reply: sntp.Reply, sent: int, received: int) -> tuple[Server, float | None]:
    if reply.kiss:
        words = f"({address}) refuses for now: {reply.kiss}"
        return Server(name=name, address=address, result="rate-limited", detail=words), None
    if reply.unsynchronised:
        words = f"({address}) answers, but is not synchronised itself"
        return Server(name=name, address=address, result="unsynchronised", detail=words, stratum=reply.stratum), None
    if reply.own_error_ms > sntp.LARGEST_ERROR_MS:
        words = f"({address}) answers, but may itself be {reply.own_error_ms:.0f} ms off, as it says"
        return Server(name=name, address=address, result="unsynchronised", detail=words, stratum=reply.stratum), None
    impossible = reply.impossible(sent, received)
    if impossible is not None:
        return Server(name=name, address=address, result="malformed", detail=f"({address}) answered {impossible}"), None
    offset_ms, delay_ms = reply.offset_ms(sent, received), reply.delay_ms(sent, received)
    side = "behind" if offset_ms >= 0 else "ahead"
    server = Server(
        name=name,
        address=address,
        result="answered",
        detail=f"({address}, stratum {reply.stratum}): this clock is {abs(offset_ms):.1f} ms {side}, "
        f"asked in {delay_ms:.1f} ms",
        stratum=reply.stratum,
        offset_ms=round(offset_ms, 3),
        delay_ms=round(delay_ms, 3),
    )
    return server, round(abs(offset_ms) + delay_ms / 2 + reply.own_error_ms, 3)


def _address(context: Context, name: str) -> str:
    try:
        return str(ip_address(name))
    except ValueError:
        return address_of(context, name)


PROBE = Probe("ntp", Options, Facts, measure, subject=lambda options: f"time of {', '.join(options.ntp_servers)}")
