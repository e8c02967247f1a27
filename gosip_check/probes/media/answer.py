"""What came back on one channel, packet by packet: which packet is it an answer to, and what of it can be true? Pure.

Loss and round trip rest on our own clock and on what was sent. The far end's times are kept only where they can be
true; what a whole stream says of its clock is worked out in `stream_facts`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from gosip_check.probes.media.far_clock import Doubt, doubt_of
from gosip_check.wire import stamp
from gosip_check.wire.stamp import Reply
from gosip_check.wire.stamp_sent import Match, Sent
from gosip_check.wire.stamp_tlv import CLASS_OF_SERVICE, LOCATION, ClassOfService, StampError

TLV_OCTETS = 16
"Of the two TLVs that a packet carries, each with a value of 4: Class of Service, and Location with ports alone."
_SERVICE, _LOCATION = bytes([0, CLASS_OF_SERVICE, 0, 4]), bytes([0, LOCATION, 0, 4])
"How they begin where the far end understood them."
_REPEATED_SHARE = 0.1
"No network doubles so many packets."


class Arrival(NamedTuple):
    """A packet as it was kept: the base packet, the octets of its TLVs, when it came, its own DSCP."""

    octets: bytes
    tlvs: bytes
    arrived_ns: int
    dscp: int


class Answer(NamedTuple):
    """One packet that came back. Clock offsets are still in `up_ms` and `down_ms`; their sum has none."""

    sequence: int
    far_sequence: int
    up_ms: float
    down_ms: float
    far_ms: float
    "How long the far end kept it."
    far_ns: int
    "When it arrived there, by the clock there."
    arrived_ns: int
    far_dscp: int | None
    dscp: int
    marked: bool = True
    "False where the far end may not mark its answers as it was asked to."
    doubt: Doubt | None = None
    "Why the far end's times cannot be true. `up_ms` is then all the time that the packet was away."
    far_port: int | None = None
    "Our port, as the far end saw it."

    @property
    def away_ms(self) -> float:
        """From sending to arrival by our own clock, the far end's time included."""
        return self.up_ms + self.far_ms + self.down_ms


@dataclass(frozen=True)
class ChannelLog:
    """sent: packets sent, the uncounted tail included. answers: in order of arrival.

    strays: packets from the far end that belong to none that was sent, or to one that was answered already. Each may be
    the answer to one that is missing.
    """

    sent: int
    answers: Iterable[Answer]
    strays: int = 0


def read(arrivals: Iterable[Arrival], sent: Sent, packets: int, key: bytes | None, dscp: int | None) -> ChannelLog:
    """packets: how many were sent. dscp: what they and the answers were asked to be marked with; None: ask nobody.

    Where only numbers tell which packet an answer is to, and they tell of packets that were never sent, or again and
    again of the same, none of them is believed.
    """
    certain: list[Answer] = []
    by_number: list[Answer] = []
    unread = never_sent = repeated = repeated_number = 0
    answered: set[int] = set()
    for arrival in arrivals:
        try:
            reply = stamp.parse_reply(arrival.octets, key)
        except StampError:
            unread += 1
            continue
        match = sent.match(reply, arrival.arrived_ns)
        if match is None:
            never_sent += 1
        elif match.is_certain:
            repeated += match.number in answered
            certain.append(_answer(reply, match, arrival, dscp))
        elif match.number in answered:
            repeated_number += 1
        else:
            by_number.append(_answer(reply, match, arrival, dscp))
        if match is not None:
            answered.add(match.number)
    strays = unread + never_sent + repeated + repeated_number
    if by_number and (never_sent or repeated_number > _REPEATED_SHARE * len(by_number)):
        return ChannelLog(packets, certain, strays + len(by_number))
    answers = sorted(certain + by_number, key=lambda a: a.arrived_ns) if by_number else certain
    return ChannelLog(packets, answers, strays)


def _answer(reply: Reply, match: Match, arrival: Arrival, dscp: int | None) -> Answer:
    seen, marked, far_port = None, True, None
    if dscp is not None and not reply.is_echo:
        service, location = arrival.tlvs[:8], arrival.tlvs[8:]
        if service[:4] == _SERVICE and (answered := ClassOfService.parse(service[4:])).asked == dscp:
            seen, marked = answered.seen, not answered.refused
        if location[:4] == _LOCATION:
            far_port = int.from_bytes(location[6:8], "big") or None
    doubt = doubt_of(reply, match.away_ns)
    up_ms, far_ms, down_ms, far_ns = match.away_ns / 1e6, 0.0, 0.0, 0
    if doubt is None and reply.received_ns is not None and reply.sent_ns is not None:
        far_ns = reply.received_ns
        up_ms = (far_ns - arrival.arrived_ns + match.away_ns) / 1e6
        far_ms = (reply.sent_ns - far_ns) / 1e6
        down_ms = (arrival.arrived_ns - reply.sent_ns) / 1e6
    return Answer(
        match.number,
        reply.sequence,
        up_ms,
        down_ms,
        far_ms,
        far_ns,
        arrival.arrived_ns,
        seen,
        arrival.dscp,
        marked,
        doubt,
        far_port,
    )
