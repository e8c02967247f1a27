"""How many channels does the link carry at once? Pure search: whoever calls it sends the media.

Doubles until it breaks, then halves the gap. A try that our own machines spoilt says nothing of the link and ends the
search: what is known then is a lower bound.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gosip_check.probes.media.bounds import Range

MOST_CHANNELS = 2000
STEP_S = 4.0

_FINE = 20
"The answer is exact to one part in so many."
_FAILURES = 2
"So many tries must fail: something else on the link for a moment is not the link."
_TRIES = 4
"A try that our own machines spoilt is made again, up to so many in all."


@dataclass(frozen=True)
class Criterion:
    """When a load counts as carried: at least so much of it delivered, and at most so much lost in any 15 s."""

    delivered_pct: float
    loss_pct: float

    def __str__(self) -> str:
        return f"at least {self.delivered_pct:g} % delivered and at most {self.loss_pct:g} % lost in any 15 s"


@dataclass(frozen=True)
class Capacity:
    """channels: the most that met the criterion. failed_at: the fewest that did not; None where none was seen."""

    channels: int
    failed_at: int | None

    def sentence(self, criterion: Criterion) -> str:
        """States what was asked for, so that it is true whatever the checklist makes of it."""
        met = f"{self.channels} channel{'s' * (self.channels > 1)}" if self.channels else "Not one channel"
        met += f" at once had {criterion}"
        if self.failed_at is not None:
            return f"{met}; {self.failed_at} had not."
        if self.channels < MOST_CHANNELS:
            return f"{met}. With more of them this machine or the reflector's was too slow to tell."
        return f"{met}; more were not tried."


def carries(delivered_pct: Range, loss_pct: Range, criterion: Criterion, *, is_ours: bool) -> bool | None:
    """Whether a try met the criterion; None where our own machines may have spoilt it. is_ours: they did go wrong."""
    delivered_low, delivered_high = delivered_pct
    loss_low, loss_high = loss_pct
    is_short = delivered_high is not None and delivered_high < criterion.delivered_pct
    if is_short or (loss_low is not None and loss_low > criterion.loss_pct):
        return False
    if delivered_low is None or loss_high is None:
        return None if is_ours else False
    if delivered_low < criterion.delivered_pct or loss_high > criterion.loss_pct:
        return None if is_ours else False
    return True


def search(tried: int, is_carried: bool | None, attempt: Callable[[int], bool | None]) -> Capacity:
    """tried, is_carried: what is known already. `attempt` sends one number of channels and says what `carries` does."""
    good, bad = 0, None
    if is_carried:
        good = tried
    elif is_carried is False:
        bad = tried

    def settled(channels: int) -> bool | None:
        failures = 0
        for _ in range(_TRIES):
            carried = attempt(channels)
            if carried:
                return True
            failures += carried is False
            if failures == _FAILURES:
                return False
        return None

    while good < MOST_CHANNELS and (bad is None or bad - good > max(1, good // _FINE)):
        channels = min(MOST_CHANNELS, max(1, good * 2)) if bad is None else (good + bad) // 2
        carried = settled(channels)
        if carried is None:
            break
        good, bad = (channels, bad) if carried else (good, channels)
    return Capacity(good, bad)
