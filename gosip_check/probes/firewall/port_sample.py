"""Which ports of a range to try, and where a blocked range ends. Pure: the caller finds out what a port does."""

import itertools
import random
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

USUAL_CUTS = (1720, 5060, 8000, 10000, 16384, 20000, 32768, 40000, 49152, 50000)
"Ports at which firewalls and PBXs let a media range begin or end."

_RANDOM_PORTS = 6
_MOST_INSIDE = 48
_ROUND = (1000, 5000, 10000, 100000)
_MOST_ROUND = 6


@dataclass(frozen=True)
class Run:
    """Ports known to be blocked that follow each other with no open one known between them.

    below, above: the nearest ports known to be open, or one outside the range.
    """

    low: int
    high: int
    below: int
    above: int

    @property
    def is_settled(self) -> bool:
        """Its edges are known to the port."""
        return self.below == self.low - 1 and self.above == self.high + 1


def sample(first: int, last: int, seed: int) -> list[int]:
    """The ends of the range, both sides of the usual cuts and a few at random (the same for the same seed), sorted."""
    ports = {first, last}
    for cut in USUAL_CUTS:
        ports.update((cut - 1, cut))
    inside = sorted(port for port in ports if first <= port <= last)
    free = last - first + 1 - len(inside)
    chosen = set(inside)
    draw = random.Random(seed)
    while len(chosen) < len(inside) + min(_RANDOM_PORTS, free):
        chosen.add(draw.randint(first, last))
    return sorted(chosen)


def runs(blocked: Mapping[int, bool], first: int, last: int) -> list[Run]:
    """The runs in what is known: port -> whether it is blocked. Ports outside the range count as open."""
    edges = [first - 1, *sorted(port for port, is_blocked in blocked.items() if not is_blocked), last + 1]
    between = [
        (below, above, [port for port in blocked if below < port < above]) for below, above in itertools.pairwise(edges)
    ]
    return [Run(min(ports), max(ports), below, above) for below, above, ports in between if ports]


def outward(blocked: int, opened: int, guesses: Iterable[int], most: int) -> list[int]:
    """Ports to try in this order from a blocked port towards an open one, for the edge that lies between them.

    The next one, guesses, round numbers, some twice as far out each time and some in equal parts: about `most`, or all
    where there are no more. An edge that lies at a guess or at a round number is found to the port.
    """
    size = abs(opened - blocked)
    sign = 1 if opened > blocked else -1
    if size - 1 <= most:
        return list(range(blocked + sign, opened, sign))
    away = {1, size - 1, *(sign * (port - blocked) for port in guesses)}
    away |= {2**power for power in range(size.bit_length())}
    unit = next(unit for unit in _ROUND if size < _MOST_ROUND * unit)
    low, high = sorted((blocked, opened))
    for port in range(low - low % unit, high + 1, unit):
        away |= {sign * (port - blocked), sign * (port - blocked) + 1, sign * (port - blocked) - 1}
    parts = max(2, most - sum(0 < distance < size for distance in away))
    away |= {size * part // parts for part in range(1, parts)}
    return [blocked + sign * distance for distance in sorted(away) if 0 < distance < size]


def inside(run: Run, known: Iterable[int], seed: int) -> list[int]:
    """Ports spread over a run, one at random in each equal part of it, to find holes in it. All of a small one.

    None in a part whose neighbours among those that are known are no further apart than two parts.
    """
    size = run.high - run.low + 1
    if size <= _MOST_INSIDE:
        return sorted(set(range(run.low, run.high + 1)) - set(known))
    draw = random.Random(seed)
    cuts = [run.low + size * part // _MOST_INSIDE for part in range(_MOST_INSIDE + 1)]
    ordered = sorted({run.low, run.high, *known})
    chosen = []
    for start, end in itertools.pairwise(cuts):
        before, behind = bisect_left(ordered, start), bisect_left(ordered, end)
        port = draw.randrange(start, end)
        is_near = 0 < before == behind and ordered[behind] - ordered[before - 1] <= 2 * size / _MOST_INSIDE + 2
        if before == behind and not is_near:
            chosen.append(port)
    return chosen
