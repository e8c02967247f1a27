"""What one hop gives of its ICMP errors, as far as a run has learned it. Pure: opens nothing, reads no clock.

A hop holds a few errors, gives one for each datagram that dies there, and gets some back every second: six and one a
second in Linux, for each address that it answers. At first more is asked than that, with two controls at the end:
where these are quoted, it gives more. Where they are not, it is empty, and from then on it is asked no faster than it
gives. The only harm of asking an empty hop is the time until it is full again.
"""

from dataclasses import dataclass

BURST = 6.0
PER_S = 1.0
"Linux's icmp_ratelimit. What gives less is found out by controls that are not quoted."

VOUCHERS = 2
GAP_S = 0.003
"Between two datagrams of one volley."
_RESERVE = 0.1
"Of an error: datagrams do not arrive exactly as far apart as they leave."
_FEWEST_PER_S = 0.1
_FREELY_PER_S = 20.0
_EXPLORATIONS = 2
_FIRST_GROUP = 6
_LARGEST_GROUP = 32
_LARGEST_VOLLEY = 250


@dataclass
class Ration:
    """level: errors that it has to give at `at_s`. is_limited: it has been found empty.

    most_at_once: how many of a volley it has answered. explorations: how often it may still be asked for more than is
    known. in_vain: volleys in a row that it gave less for than it should have had.
    """

    level: float = BURST
    at_s: float = 0.0
    burst: float = BURST
    per_s: float = PER_S
    is_limited: bool = False
    most_at_once: int = 0
    explorations: int = _EXPLORATIONS
    in_vain: int = 0
    empty_s: float = 0.0

    def has(self, now_s: float) -> float:
        """Errors that it can give now."""
        return min(self.burst, self.level + max(0.0, now_s - self.at_s) * self.per_s)

    def has_at(self, errors: float) -> float:
        """When it will have so many."""
        return self.at_s + (errors + _RESERVE - self.level) / self.per_s

    def gives(self, now_s: float) -> int:
        """How many it can be asked for."""
        return int(self.has(now_s) - _RESERVE)

    def vouched_at_once(self) -> int:
        """How many silences two controls can vouch for: it must not get an error back while these are sent."""
        return min(_LARGEST_VOLLEY, int(0.8 / GAP_S / self.per_s)) if self.is_limited else _LARGEST_VOLLEY

    def rows(self, now_s: float) -> int:
        """How many rows of datagrams it can be asked for: it keeps one, for what is sent before the quote is here."""
        return self.gives(now_s) - 1 if self.is_limited else self.may_explore(now_s)

    def may_explore(self, now_s: float) -> int:
        """How many it may be asked for, with two controls behind them, to find out whether it gives more. 0: none."""
        if not self.is_limited:
            return min(_LARGEST_GROUP, max(_FIRST_GROUP, 2 * self.most_at_once))
        return _FIRST_GROUP if self.explorations and self.gives(now_s) >= 1 else 0

    def spent(self, errors: float, at_s: float) -> None:
        """So many were given at that time."""
        self.level, self.at_s = max(0.0, self.has(at_s) - errors), at_s

    def kept_its_word(self, given: int, at_s: float, *, explored: bool) -> None:
        """It was asked at that time, gave so many and then quoted both controls."""
        if explored and self.is_limited:
            self.per_s = max(self.per_s, given / max(0.05, at_s - self.empty_s))
            self.burst = max(self.burst, float(given))
            self.is_limited, self.explorations = self.per_s < _FREELY_PER_S, _EXPLORATIONS
            self.empty_s = at_s
        self.spent(given, at_s)
        self.most_at_once, self.in_vain = max(self.most_at_once, given), 0

    def ran_empty(self, given: int, at_s: float, *, explored: bool) -> bool:
        """It was asked at that time, gave so many and did not quote the last control: was that less than it had?"""
        is_less = not explored and given < self.gives(at_s)
        if explored:
            self.explorations -= self.is_limited
        self.in_vain += is_less
        if is_less and self.in_vain > 1:
            self.per_s, self.explorations = max(_FEWEST_PER_S, self.per_s / 2), 1  # or the controls were lost
        self.is_limited, self.empty_s = True, at_s
        self.wait_for_more(at_s)
        return is_less

    def wait_for_more(self, at_s: float) -> None:
        """It may have been empty at that time."""
        self.level, self.at_s = 0.0, at_s
