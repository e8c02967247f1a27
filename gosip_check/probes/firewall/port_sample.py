"""Which ports of a range to try, and where a blocked range ends. Pure: the caller finds out what a port does."""

import itertools
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

USUAL_CUTS = (1720, 5060, 8000, 10000, 16384, 20000, 32768, 40000, 49152, 50000)
"Ports at which firewalls and PBXs let a media range begin or end."

_RANDOM_PORTS = 6
_MOST_INSIDE = 48


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


def next_ports(run: Run) -> list[int]:
    """The ports to try next for the edges of a run: twice as far out each time, then halfway; empty once settled."""
    reach = run.high - run.low + 1
    ports = []
    if run.below < run.low - 1:
        out = run.low - reach
        ports.append(out if out > run.below else (run.below + run.low) // 2)
    if run.above > run.high + 1:
        out = run.high + reach
        ports.append(out if out < run.above else (run.high + run.above + 1) // 2)
    return [port for port in ports if run.below < port < run.above]


def inside(run: Run, known: Iterable[int], seed: int) -> list[int]:
    """Ports spread over a settled run, one at random in each equal part, to find holes in it. All of a small one."""
    size = run.high - run.low + 1
    if size <= _MOST_INSIDE:
        chosen = set(range(run.low, run.high + 1))
    else:
        draw = random.Random(seed)
        cuts = [run.low + size * part // _MOST_INSIDE for part in range(_MOST_INSIDE + 1)]
        chosen = {draw.randrange(start, end) for start, end in itertools.pairwise(cuts)}
    return sorted(chosen - set(known))
