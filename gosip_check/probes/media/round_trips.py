"""Round-trip times to whoever answers, without a cooperating far end: SIP OPTIONS to every target, ICMP echo to the
gateway, the hop behind it and the targets. Everything overlaps; nobody is asked more than once a second (ICMP: five).

Every round trip holds the time that the other side took to answer, so it is an upper bound of what the path took.
"""

import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Literal

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.host.interface import default_gateway
from gosip_check.probes.media.summary import RoundTrip
from gosip_check.probes.net import sockets
from gosip_check.probes.net.ping import ping
from gosip_check.probes.probe import Context, side_by_side
from gosip_check.probes.sip.exchange import ask_over_udp
from gosip_check.probes.sip.stream import ask_over_tcp
from gosip_check.records import Record

LONGEST_S = 10.0
_SIP_EVERY_S = 1.0
_ICMP_EVERY_S = 0.2
_ICMP_TIMEOUT_S = 1.0
_MOST_TARGETS = 16
_FEWEST_TIMED = 3
FEWEST_ANSWERS, LEAST_ANSWERED = 8, 0.8
"""So many answers, and this share of all, before round trips can speak for the link: who lost the rest may be the link.
How much this tool needs for a proof, not what a site is asked for."""

Role = Literal["gateway", "behind the edge", "target"]


class Responder(Record, frozen=True):
    """One host asked by one method."""

    role: Role
    address: str
    method: Literal["sip", "icmp"]
    asked: int
    answered: int
    rtt_ms: RoundTrip | None
    "None where fewer than three answers came."

    @property
    def speaks_for_the_link(self) -> bool:
        """Answered often enough to say how long, and how evenly, packets take."""
        return self.answered >= max(FEWEST_ANSWERS, LEAST_ANSWERED * self.asked)


def measure(
    context: Context,
    domain: str,
    transport: str,
    servers: Sequence[Server],
    mute: Collection[str],
    behind: str | None,
    duration_s: float,
) -> list[Responder]:
    """Takes `duration_s`, ten seconds at most. mute: addresses that answer no SIP, so they are not asked again.

    behind: a hop behind the edge. Raises ProbeFailed when the run was stopped.
    """
    servers = servers[:_MOST_TARGETS]
    until_s = time.monotonic() + min(duration_s, LONGEST_S)
    icmp: dict[str, Role] = {server.address: "target" for server in servers}
    if behind is not None:
        icmp.setdefault(behind, "behind the edge")
    gateway = None if context.link.is_loopback else default_gateway(context.link.interface)
    if gateway is not None:
        icmp.setdefault(gateway, "gateway")
    context.say(f"round trips to {len(servers)} server(s), {min(duration_s, LONGEST_S):.0f} s")

    def by_sip(server: Server) -> Responder:
        ask = partial(ask_over_udp if transport == "udp" else ask_over_tcp, context, domain, server)
        return _repeated(context, "target", server.address, "sip", lambda _: ask().rtt_ms, _SIP_EVERY_S, until_s)

    def by_icmp(host: tuple[str, Role]) -> Responder:
        address, role = host
        sock = sockets.icmp_socket(context.link, address)
        if sock is None:
            return Responder(role, address, "icmp", 0, 0, None)
        with sock:
            return _repeated(
                context,
                role,
                address,
                "icmp",
                lambda n: ping(sock, address, n, _ICMP_TIMEOUT_S),
                _ICMP_EVERY_S,
                until_s,
            )

    asked = [partial(by_sip, server) for server in servers if server.address not in mute]
    asked += [partial(by_icmp, host) for host in icmp.items()]
    return side_by_side(lambda ask: ask(), asked)


def _repeated(
    context: Context,
    role: Role,
    address: str,
    method: Literal["sip", "icmp"],
    once: Callable[[int], float | None],
    every_s: float,
    until_s: float,
) -> Responder:
    """Ask at a steady pace until the time is up; a host that leaves the first few unanswered is not asked again."""
    rtts: list[float] = []
    asked = 0
    next_s = time.monotonic()
    while next_s < until_s and (rtts or asked < _FEWEST_TIMED):
        context.wait_until(next_s)
        rtt_ms = once(asked)
        asked += 1
        if rtt_ms is not None:
            rtts.append(rtt_ms)
        next_s = max(next_s + every_s, time.monotonic())
    return Responder(
        role, address, method, asked, len(rtts), RoundTrip.of(rtts) if len(rtts) >= _FEWEST_TIMED else None
    )
