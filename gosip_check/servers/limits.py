"""Who may have an answer, and how often. Remembers a bounded number of sources, whatever arrives."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address

Prefix = IPv4Network | IPv6Network

_SOURCES = 8_192
"How many sources one generation remembers; two generations are kept."
_GENERATION_S = 30.0


class Bucket:
    """A token bucket: `rate` tokens a second, at most `burst` at once."""

    __slots__ = ("_at_s", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now_s: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at_s = now_s

    def take(self, now_s: float, wanted: int = 1) -> bool:
        """So many tokens, if they are there."""
        tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._rate)
        self._at_s = now_s
        self._tokens = tokens - wanted if tokens >= wanted else tokens
        return tokens >= wanted


@dataclass(slots=True)
class Source:
    """What is remembered of one source: whether it may be answered, how fast, and how many packets were refused."""

    allowed: bool
    bucket: Bucket
    refused: int = 0
    waiting: int = 0


class Limits:
    """allow: prefixes that may be answered, empty for everybody. packets_per_s: for one source (see `network_of`)."""

    def __init__(self, allow: Sequence[Prefix], packets_per_s: float) -> None:
        self._allow = allow
        self._packets_per_s = packets_per_s
        self._young: dict[str, Source] = {}
        self._old: dict[str, Source] = {}
        self._turned_s = 0.0

    def source(self, host: str, now_s: float) -> Source:
        """The record of this address's network. Those not heard of for one or two generations are forgotten."""
        network = network_of(host)
        found = self._young.get(network)
        if found is not None:
            return found
        if len(self._young) >= _SOURCES or now_s - self._turned_s > _GENERATION_S:
            self._old, self._young, self._turned_s = self._young, {}, now_s
        found = self._old.pop(network, None)
        if found is None:
            found = Source(self._allowed(host), Bucket(self._packets_per_s, self._packets_per_s, now_s))
        self._young[network] = found
        return found

    @property
    def remembered(self) -> int:
        """How many sources are remembered now."""
        return len(self._young) + len(self._old)

    def _allowed(self, host: str) -> bool:
        if not self._allow:
            return True
        address = ip_address(host.partition("%")[0])
        return any(address in prefix for prefix in self._allow)


class Shares:
    """So many octets a second, and at once, for one source, and for all of them together."""

    def __init__(self, of_one: int, of_all: int, now_s: float) -> None:
        self._sources = Limits((), of_one)
        self._all = Bucket(of_all, of_all, now_s)

    def take(self, host: str, now_s: float, octets: int) -> bool:
        """So many octets, if both have them. What one source may not have is not taken from the others."""
        return self._sources.source(host, now_s).bucket.take(now_s, octets) and self._all.take(now_s, octets)


def network_of(host: str) -> str:
    """What counts as one source: an IPv4 address; of IPv6 the /64, of which one customer has every address."""
    if ":" not in host:
        return host
    return socket.inet_pton(socket.AF_INET6, host.partition("%")[0])[:8].hex()
