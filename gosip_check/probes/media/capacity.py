"""How many channels does the line carry at once? Pure search: whoever calls it sends the media.

Doubles until it breaks, then halves the gap. A try that our own machines spoilt says nothing of the line and ends the
search: what is known then is a lower bound.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gosip_check.probes.media.bounds import Range

MOST_CHANNELS = 2000
STEP_S = 4.0

# When a try has failed: what the checklists demand of bandwidth and loss.
_DELIVERED_PCT = 99.0
_LOSS_PCT = 1.0
_FINE = 20
"The answer is exact to one part in so many."
_FAILURES = 2
"So many tries must fail: something else on the line for a moment is not the line."
_TRIES = 4
"A try that our own machines spoilt is made again, up to so many in all."


@dataclass(frozen=True)
class Capacity:
    """channels: the most that went through. failed_at: the fewest that did not; None where none was seen to fail."""

    channels: int
    failed_at: int | None

    @property
    def words(self) -> str:
        """A sentence."""
        if self.failed_at is None and self.channels < MOST_CHANNELS:
            return (
                f"The line carries at least {self.channels} channels; with more of them this machine or the "
                "reflector's was too slow to tell."
            )
        if self.failed_at is None:
            return f"The line carries {self.channels} channels, and more were not tried."
        return f"The line carries {self.channels} channels; {self.failed_at} were too many."


def carries(delivered_pct: Range, loss_pct: Range, *, is_ours: bool) -> bool | None:
    """Whether a try went through; None where our own machines may have spoilt it. is_ours: they did something wrong."""
    delivered_low, delivered_high = delivered_pct
    loss_low, loss_high = loss_pct
    too_little = delivered_high is not None and delivered_high < _DELIVERED_PCT
    if too_little or (loss_low is not None and loss_low > _LOSS_PCT):
        return False
    if delivered_low is None or loss_high is None or delivered_low < _DELIVERED_PCT or loss_high > _LOSS_PCT:
        return None if is_ours else False
    return True


def search(tried: int, went: bool | None, attempt: Callable[[int], bool | None]) -> Capacity:
    """tried, went: what is known already. `attempt` measures one number of channels, as `carries` tells of it."""
    good, bad = 0, None
    if went:
        good = tried
    elif went is False:
        bad = tried

    def settled(channels: int) -> bool | None:
        failures = 0
        for _ in range(_TRIES):
            found = attempt(channels)
            if found:
                return True
            failures += found is False
            if failures == _FAILURES:
                return False
        return None

    while good < MOST_CHANNELS and (bad is None or bad - good > max(1, good // _FINE)):
        channels = min(MOST_CHANNELS, max(1, good * 2)) if bad is None else (good + bad) // 2
        found = settled(channels)
        if found is None:
            break
        good, bad = (channels, bad) if found else (good, channels)
    return Capacity(good, bad)
