"""What so many lost of so many packets prove: exact bounds of a share, and whether one share is larger than another.

Pure. Exact on purpose: at a few lost packets, where a verdict turns, approximations are too sure of themselves.
"""

from collections.abc import Callable, Iterable
from math import exp, lgamma, log, log1p
from sys import float_info

_STEPS = 60
"Halvings of the interval from 0 to 1: as exact as a float."


def highest_share(lost: int, of: int, doubt: float) -> float:
    """The upper bound of Clopper and Pearson, one-sided: a share above it loses so few with probability `doubt`."""
    if lost >= of:
        return 1.0
    return _where(lambda share: _at_most(lost, of, share) > doubt)


def lowest_share(lost: int, of: int, doubt: float) -> float:
    """The lower bound, likewise: a share below it loses so many with probability `doubt`."""
    if lost <= 0:
        return 0.0
    return _where(lambda share: 1 - _at_most(lost - 1, of, share) < doubt)


def at_least(lost: int, of: int, share: float) -> float:
    """How probable it is that `of` packets lose `lost` or more, each with probability `share`."""
    return 1 - _at_most(lost - 1, of, share) if lost > 0 else 1.0


def chance_of_more(lost: int, of: int, other_lost: int, other_of: int) -> float:
    """Fisher's exact test, one-sided: the probability that equal shares look so much worse on the first side."""
    total, all_lost = of + other_of, lost + other_lost
    most = min(of, all_lost)
    whole = _log_choose(total, all_lost)
    terms = (
        exp(_log_choose(of, k) + _log_choose(other_of, all_lost - k) - whole)
        for k in range(max(lost, all_lost - other_of), most + 1)
    )
    return min(1.0, sum(terms))


def _where(is_below: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2


def _at_most(lost: int, of: int, share: float) -> float:
    """The binomial distribution up to and with `lost`."""
    if lost < 0:
        return 0.0
    if share <= 0 or lost >= of:
        return 1.0
    if share >= 1:
        return 0.0
    odds = share / (1 - share)
    # Away from the middle, where each term is smaller than the one before it.
    if lost <= of * share:
        return _sum(_probability(lost, of, share), (k / (of - k + 1) / odds for k in range(lost, 0, -1)))
    return 1 - _sum(_probability(lost + 1, of, share), ((of - k) / (k + 1) * odds for k in range(lost + 1, of)))


def _sum(term: float, ratios: Iterable[float]) -> float:
    """Of a term, the next one by the first ratio, and so on, as far as a float shows them."""
    total = term
    for ratio in ratios:
        term *= ratio
        total += term
        if term <= total * float_info.epsilon:
            break
    return total


def _probability(lost: int, of: int, share: float) -> float:
    return exp(_log_choose(of, lost) + lost * log(share) + (of - lost) * log1p(-share))


def _log_choose(of: int, k: int) -> float:
    return lgamma(of + 1) - lgamma(k + 1) - lgamma(of - k + 1)
