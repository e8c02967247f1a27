"""Numbers about packets: jitter, percentiles, windows, bursts, how much a sample proves. Pure: no clock, no socket."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil, sqrt

JITTER_WARM_UP = 48
"Packets after which the estimator of RFC 3550, which starts at zero, has reached 95 % of its level."
_Z_95 = 1.959963984540054


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed. `ordered` is sorted and not empty."""
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def jitter(transits: Iterable[float]) -> list[float]:
    """RFC 3550 6.4.1 and A.8: the running estimate after each packet but the first, in the unit of the transits.

    transits: arrival time minus sending time, in order of arrival; the clocks need not agree.
    """
    estimate = 0.0
    found = []
    for earlier, later in pairwise(transits):
        estimate += (abs(later - earlier) - estimate) / 16
        found.append(estimate)
    return found


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share, as fractions of 1: what `hits` of `of` can prove. (0, 1) for an empty sample."""
    if of == 0:
        return 0.0, 1.0
    share, z2 = hits / of, _Z_95**2
    middle = share + z2 / (2 * of)
    spread = _Z_95 * sqrt(share * (1 - share) / of + z2 / (4 * of**2))
    low, high = (middle - spread) / (1 + z2 / of), (middle + spread) / (1 + z2 / of)
    return low if hits else 0.0, high if hits < of else 1.0


def worst_window_pct(lost: Sequence[int], sent: Sequence[int], width: int) -> float:
    """The largest loss in any `width` slots on end, in percent; a shorter series is one window.

    lost, sent: packets per slot. Windows in which nothing was sent say nothing.
    """
    width = min(width, len(sent))
    lost_in, sent_in = sum(lost[:width]), sum(sent[:width])
    worst = 100 * lost_in / sent_in if sent_in else 0.0
    for end in range(width, len(sent)):
        lost_in += lost[end] - lost[end - width]
        sent_in += sent[end] - sent[end - width]
        if sent_in:
            worst = max(worst, 100 * lost_in / sent_in)
    return worst


def bursts(lost: Sequence[int]) -> list[int]:
    """Lengths of the runs of consecutive sequence numbers in `lost`, which is sorted."""
    lengths: list[int] = []
    for index, number in enumerate(lost):
        if index and number == lost[index - 1] + 1:
            lengths[-1] += 1
        else:
            lengths.append(1)
    return lengths


def burst_ratio(lengths: Sequence[int], sent: int) -> float:
    """G.107: mean length of the loss bursts over what it would be if loss were random, 1 / (1 - p). Never below 1."""
    lost = sum(lengths)
    if not lost or lost >= sent:
        return 1.0
    return max(1.0, lost / len(lengths) * (1 - lost / sent))
