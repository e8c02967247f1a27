"""What a STAMP sender remembers of a flow's packets, and so can say of an answer: which of them is it to? Pure.

An answer is to the packet whose number and T1 it brings back. Where the two contradict each other T1 counts, which
nobody guesses; where T1 is of no packet the number does, if that packet was under way. What fits neither is to none.
"""

from bisect import bisect_left
from typing import NamedTuple

from gosip_check.wire.stamp import Reply, unix_ns

_COPY_NS = 1_000_000
"Some copy T1 through a float, so beside the right number it may be so much off."
_ROUNDING_NS = 1_000
"Where T1 alone must tell, it is off by no more than this."


class Match(NamedTuple):
    """Which packet an answer is to. away_ns: from sending to arrival by our own clock; below zero where that was set.

    is_certain: T1 was brought back. Without it only the number tells, and a number is good for one answer.
    """

    number: int
    away_ns: int
    is_certain: bool


class Sent:
    """The packets of one flow: number and when it was sent, in Unix nanoseconds."""

    def __init__(self) -> None:
        self._sent_ns: dict[int, int] = {}
        self._in_time: list[tuple[int, int]] = []

    def add(self, number: int, sent_ns: int) -> None:
        """A packet that was sent."""
        self._sent_ns[number] = sent_ns

    def match(self, reply: Reply, arrived_ns: int) -> Match | None:
        """None for an answer to no packet that was sent."""
        t1_ns = unix_ns(reply.sender_timestamp, 0)
        sent_ns = self._sent_ns.get(reply.sender_sequence)
        if not self._sent_ns:
            return None
        if t1_ns is not None and (sent_ns is None or abs(t1_ns - sent_ns) > _COPY_NS):
            other_ns, other = self._nearest(t1_ns)
            if abs(t1_ns - other_ns) <= _ROUNDING_NS and arrived_ns >= other_ns:
                return Match(other, arrived_ns - other_ns, True)
        if sent_ns is None:
            return None
        is_certain = t1_ns is not None and abs(t1_ns - sent_ns) <= _COPY_NS
        if not is_certain and arrived_ns < sent_ns:
            return None
        return Match(reply.sender_sequence, arrived_ns - sent_ns, is_certain)

    def _nearest(self, t1_ns: int) -> tuple[int, int]:
        """When the packet was sent whose T1 is the nearest one, and its number."""
        if len(self._in_time) != len(self._sent_ns):
            self._in_time = sorted((sent_ns, number) for number, sent_ns in self._sent_ns.items())
        at = bisect_left(self._in_time, (t1_ns, 0))
        return min(self._in_time[max(0, at - 1) : at + 1], key=lambda entry: abs(entry[0] - t1_ns))
