"""Which packets of one channel were lost, and in which direction. Pure.

A stateful reflector numbers what it sends: between two answers, the packets that its own count skips were lost on the
way down, the others that are missing never reached it. Nothing can be said about what follows the last answer, or
about what was lost while the reflector began to count again; nor about anything when its numbers are no count of this
channel: copies of the sender's, more than were sent (one counter for all flows), the same again and again.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

_RESTART = 64
"""A far count this much below its highest is no reordering: the session began again (a NAT changed the port, say). So
it did where two packets have the same count."""
_COUNTS_ON = 25
"A session that began again counts on for so many answers at least: numbers that fall more often are no count."
_SWAPPED = 3
"Packets that overtook others may have been counted before that one."


@dataclass(frozen=True)
class Losses:
    """Sequence numbers are sorted."""

    up: list[int] = field(default_factory=list)
    down: list[int] = field(default_factory=list)
    undecided: list[int] = field(default_factory=list)
    "Lost, but nobody can tell in which direction."
    duplicates: int = 0
    reordered: int = 0
    have_direction: bool = True
    "False where the reflector's numbers show no direction at all."
    at_restart: list[int] = field(default_factory=list)
    "Those of the undecided that were lost while the reflector began to count again."
    restarts: int = 0
    "How often it began to count again."


def locate(sent: int, replies: Sequence[tuple[int, int]], stateful: bool) -> Losses:
    """replies: (sender's number, reflector's number) in order of arrival; sent: packets 0 to sent - 1 were sent."""
    far_of: dict[int, int] = {}
    counted_twice: list[int] = []
    duplicates = reordered = 0
    highest = -1
    for number, far in replies:
        if number >= sent:
            continue
        if number in far_of:
            duplicates += 1
            if far_of[number] != far:
                counted_twice.append(far)
            continue
        if number < highest:
            reordered += 1
        highest = max(highest, number)
        far_of[number] = far
    missing = [number for number in range(sent) if number not in far_of]
    undirected = Losses(undecided=missing, duplicates=duplicates, reordered=reordered, have_direction=False)
    if not stateful or _counts_others_too(far_of, sent, len(counted_twice)):
        return undirected
    counted_twice.sort()
    up: list[int] = []
    down: list[int] = []
    at_restart: list[int] = []
    restarts = 0
    counts: set[int] = set()
    before, before_far, owed = -1, -1, 0
    for number in sorted(far_of):
        far = far_of[number] - bisect_left(counted_twice, far_of[number])
        gap = range(before + 1, number)
        if far < before_far - _RESTART or far_of[number] in counts:
            if far > number - before + _SWAPPED:  # more than were sent since
                return undirected
            at_restart.extend(gap)
            restarts += 1
            counts = {far_of[number]}
            before, before_far, owed = number, far, 0
            continue
        if far - before_far > number - before + _RESTART:
            return undirected
        counts.add(far_of[number])
        reached = max(far, before_far) - before_far
        owed += number - before - reached
        # Below zero: a packet overtook another on the way up; the next gap is that much smaller.
        never_arrived = min(max(owed, 0), len(gap))
        owed -= never_arrived
        up.extend(gap[:never_arrived])
        down.extend(gap[never_arrived:])
        before, before_far = number, max(far, before_far)
    if restarts * _COUNTS_ON > len(far_of):
        return undirected
    undecided = [*at_restart, *range(before + 1, sent)]
    return Losses(up, down, undecided, duplicates, reordered, at_restart=at_restart, restarts=restarts)


def _counts_others_too(far_of: dict[int, int], sent: int, doubled: int) -> bool:
    """Has the reflector counted more packets than this channel can have sent it by then?"""
    if max(far_of.values(), default=0) - doubled >= sent:
        return True
    return any(far - number - doubled > _RESTART for number, far in far_of.items())
