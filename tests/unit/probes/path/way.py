"""A way to one server, as SYNs and datagrams that die on it see it. Stands in for the network: nothing is sent."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.net.sockets import Datagram
from gosip_check.probes.path import hops
from gosip_check.probes.path.quotes import Reaction, Shot
from gosip_check.probes.path.syns import Came
from gosip_check.probes.probe import Context

SERVER = "203.0.113.27"
LOCAL = ("192.168.1.10", 40000)


@dataclass
class Way:
    """hops: TTL -> who quotes what dies there. taken: port -> the TTL of the device that takes what goes there.

    reached_at: the TTL that reaches the server, which answers at `open_ports` only. silent_for: so often a hop says
    nothing first, as one whose bucket is empty. lost: of each kind of packet (port, TTL), so many are lost first.
    """

    hops: Mapping[int, str]
    reached_at: int
    taken: Mapping[int, int] = field(default_factory=dict)
    open_ports: frozenset[int] = frozenset({5060, 5061})
    closed: Literal["reset", "nothing"] = "nothing"
    silent_for: int = 0
    lost: Mapping[tuple[int, int], int] = field(default_factory=dict)
    answer: bytes = b"SIP/2.0 200 OK\r\n\r\n"
    sent: Counter[tuple[int, int]] = field(default_factory=Counter)

    def syn(self, context: Context, address: str, port: int, ttl: int) -> tuple[Came, str | None]:
        """As syns.syn."""
        del context, address
        self.sent[port, ttl] += 1
        if self.sent[port, ttl] <= self.lost.get((port, ttl), 0):
            return "nothing", None
        if ttl >= min(self.taken.get(port, self.reached_at), self.reached_at):
            is_open = port in self.open_ports or port in self.taken
            return ("connected" if is_open else self.closed), None
        if ttl not in self.hops or self._is_out_of_tokens():
            return "nothing", None
        return "time exceeded", self.hops[ttl]

    def volley(self, context: Context, shots: Sequence[Shot]) -> list[Reaction]:
        """As quotes.volley."""
        return [self._reaction(context, shot) for shot in shots]

    def _reaction(self, context: Context, shot: Shot) -> Reaction:
        came, sender = self.syn(context, shot.address, shot.port, shot.ttl)
        if came == "connected":
            reply = Datagram(self.answer, shot.address, shot.port, 0.0)
            return Reaction(shot, b"", LOCAL, reply=reply)
        if came == "reset":
            return Reaction(shot, b"", LOCAL, icmp=IcmpError(4, 3, 3, shot.address))
        return Reaction(shot, b"", LOCAL, icmp=IcmpError(4, 11, 0, sender) if sender else None)

    def _is_out_of_tokens(self) -> bool:
        self.silent_for -= 1
        return self.silent_for >= 0


def path(quoting: Mapping[int, str]) -> hops.Facts:
    """What the probe `path` brought on such a way."""
    return hops.Facts(
        destination=SERVER,
        local_address=LOCAL[0],
        local_kind="private",
        control_port=33434,
        hops=[hops.Hop(ttl, address, 520, hops.kind_of(address)) for ttl, address in quoting.items()],
        reached_at=None,
        edge_ttl=1,
        evidence={},
    )
