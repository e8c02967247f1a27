"""A stateful STAMP Session-Reflector (RFC 8762 4.3) without a socket: packets in, answers out; time is an argument.

Made for the open internet: an answer is never longer than its request, short and unsigned packets get none, sources are
limited, neither a well-known source port nor a reflector's packet is ever answered (it would be another server), and
what is remembered is bounded. A session that sent once is remembered for a moment, so that made-up sources push out
only each other; from its second packet on it is kept until it has been silent for a minute. Only who has brought back
what an answer told may ask for a late answer, which takes room for longer.
"""

import hashlib
import heapq
import hmac
import itertools
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from gosip_check.servers.limits import Limits, Source
from gosip_check.wire import stamp, stamp_tlv
from gosip_check.wire.stamp import Request
from gosip_check.wire.stamp_tlv import FarDrops, Seen, StampError

FIRST_USER_PORT = 1024
_NEW_SESSIONS = 8_192
_KEPT_SESSIONS = 65_536
_IDLE_S = 60.0
_LONGEST_WAIT_S = 600.0
_WAITING = 4_096
_WAITING_PER_SOURCE = 64
_OLDEST_SIGNED_NS = 86_400 * 10**9
"""A signed packet that was sent longer ago, or so much later than now, by its own time is a recording or has a wrong
clock. A clock that was set to the wrong time zone is off by 14 hours at most."""

Place = tuple[str, int]
"A source: address and port."
ClockNs = Callable[[], int]
"Unix time in nanoseconds, such as `time.time_ns`."


class Arrival(NamedTuple):
    """How a packet came. `port` is the one it was sent to; `to` and `number` are for the one who sends the answer."""

    source: Place
    port: int
    ttl: int
    tos: int
    received_ns: int
    to: bytes = b""
    number: int = 0


class Answer(NamedTuple):
    """What to send back, with which TOS, on the way that `arrival` came."""

    data: bytes
    tos: int
    arrival: Arrival


@dataclass(slots=True)
class Counters:
    """Since the start. What was not answered is counted by its reason."""

    received: int = 0
    answered: int = 0
    too_short: int = 0
    unsigned: int = 0
    old: int = 0
    not_allowed: int = 0
    bad_source: int = 0
    limited: int = 0


@dataclass(slots=True)
class _Session:
    source_address: bytes
    heard_s: float
    sequence: int = 0
    # Nearly every packet of a session carries the same TLVs: the last answer to them is kept.
    tlvs: bytes | None = None
    tos: int = 0
    port: int = 0
    answer: bytes = b""
    answer_tos: int = 0


@dataclass(slots=True)
class StampReflector:
    """key: answer only packets that are signed with it."""

    limits: Limits
    key: bytes | None = None
    stateful: bool = True
    kernel_drops: int = 0
    "Kept up to date by whoever reads the sockets."
    counters: Counters = field(default_factory=Counters)
    _new: dict[tuple[Place, int], _Session] = field(default_factory=dict)
    _kept: dict[tuple[Place, int], _Session] = field(default_factory=dict)
    _waiting: list[tuple[float, int, Request, Arrival, Source]] = field(default_factory=list)
    _tickets: "itertools.count[int]" = field(default_factory=itertools.count)
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def receive(self, data: bytes, arrival: Arrival, now_s: float, clock_ns: ClockNs) -> Answer | None:
        """The answer to one packet, None where it gets none, or none yet. `clock_ns` is read last of all, for T3."""
        counters = self.counters
        counters.received += 1
        host, port = arrival.source
        if len(data) < stamp.UNAUTHENTICATED_OCTETS:
            counters.too_short += 1
            return None
        if port < FIRST_USER_PORT:
            counters.bad_source += 1
            return None
        source = self.limits.source(host, now_s)
        if not source.allowed:
            counters.not_allowed += 1
            return None
        if not source.bucket.take(now_s):
            counters.limited += 1
            source.refused += 1
            return None
        try:
            request = stamp.parse_request(data, self.key)
        except StampError:
            counters.unsigned += 1
            return None
        if request.is_answer:  # another reflector's: its port need not be a known one
            counters.bad_source += 1
            return None
        if self.key is not None and not _is_of_today(request, arrival.received_ns):
            counters.old += 1
            return None
        wait_s = _asked_to_wait(request)
        if wait_s and self._may_wait(request, arrival, source):
            source.waiting += 1
            due_s = now_s + min(wait_s, _LONGEST_WAIT_S)
            heapq.heappush(self._waiting, (due_s, next(self._tickets), request, arrival, source))
            return None
        return self._answer(request, arrival, source, now_s, clock_ns, refuses_to_wait=wait_s > 0)

    def due(self, now_s: float, clock_ns: ClockNs) -> Answer | None:
        """An answer whose sender asked to wait, once its time has come."""
        if not self._waiting or self._waiting[0][0] > now_s:
            return None
        _, _, request, arrival, source = heapq.heappop(self._waiting)
        source.waiting -= 1
        return self._answer(request, arrival, source, now_s, clock_ns)

    @property
    def next_s(self) -> float | None:
        """When the next late answer is due."""
        return self._waiting[0][0] if self._waiting else None

    @property
    def sessions(self) -> int:
        """How many sessions are remembered now."""
        return len(self._new) + len(self._kept)

    def expire(self, now_s: float) -> None:
        """Forget sessions that have been silent for a minute."""
        for table in (self._new, self._kept):
            for key in [key for key, session in table.items() if now_s - session.heard_s > _IDLE_S]:
                del table[key]

    def _answer(
        self,
        request: Request,
        arrival: Arrival,
        source: Source,
        now_s: float,
        clock_ns: ClockNs,
        refuses_to_wait: bool = False,
    ) -> Answer:
        session = self._session(request, arrival, now_s)
        sequence = session.sequence if self.stateful else request.sequence
        session.sequence += 1
        if session.tlvs != request.tlvs or session.tos != arrival.tos or session.port != arrival.port:
            host, port = arrival.source
            seen = Seen(session.source_address, port, arrival.port, arrival.tos, self._proof(host))
            drops = FarDrops(self.kernel_drops, source.refused)
            tlvs = stamp_tlv.answer_tlvs(request.tlvs, request.sequence, seen, drops, self.key)
            # Signed TLVs change with every packet, and drop counters must be fresh: those are not kept.
            kept = self.key is None and not _has(request.tlvs, stamp_tlv.FAR_DROPS)
            session.tlvs = request.tlvs if kept else None
            session.tos, session.port, session.answer = arrival.tos, arrival.port, tlvs
            session.answer_tos = _asked_tos(tlvs, arrival.tos)
        self.counters.answered += 1
        tlvs = session.answer
        if refuses_to_wait:
            tlvs = bytes([tlvs[0] | stamp_tlv.UNRECOGNIZED]) + tlvs[1:]
        data = request.reply(sequence, clock_ns(), arrival.received_ns, arrival.ttl, tlvs, self.key)
        return Answer(data, session.answer_tos, arrival)

    def _session(self, request: Request, arrival: Arrival, now_s: float) -> _Session:
        key = (arrival.source, request.ssid if request.strict else -1)
        session = self._kept.get(key)
        if session is not None:
            session.heard_s = now_s
            return session
        session = self._new.get(key)
        if session is not None:
            session.heard_s = now_s
            if len(self._kept) < _KEPT_SESSIONS:
                self._kept[key] = self._new.pop(key)
            return session
        if len(self._new) >= _NEW_SESSIONS:
            del self._new[next(iter(self._new))]
        self._new[key] = session = _Session(_octets(arrival.source[0]), now_s)
        return session

    def _may_wait(self, request: Request, arrival: Arrival, source: Source) -> bool:
        """A made-up address takes no room: nobody there has heard what must be brought back."""
        if len(self._waiting) >= _WAITING or source.waiting >= _WAITING_PER_SOURCE:
            return False
        proof = stamp_tlv.PROOF_HEADER + self._proof(arrival.source[0])
        return hmac.compare_digest(request.tlvs[_WAIT_OCTETS : _WAIT_OCTETS + len(proof)], proof)

    def _proof(self, host: str) -> bytes:
        return hmac.digest(self._secret, host.encode(), hashlib.sha256)[: stamp_tlv.PROOF_OCTETS]


def _is_of_today(request: Request, received_ns: int) -> bool:
    sent_ns = stamp.unix_ns(request.timestamp, request.error_estimate)
    return sent_ns is not None and abs(received_ns - sent_ns) <= _OLDEST_SIGNED_NS


_WAIT_OCTETS = 8
"Of a whole Answer Later TLV."


def _asked_to_wait(request: Request) -> float:
    """Seconds, where the first TLV asks for a late answer; any other place is not looked at, for speed."""
    tlvs = request.tlvs
    if len(tlvs) >= _WAIT_OCTETS and tlvs[1] == stamp_tlv.ANSWER_LATER and tlvs[2:4] == b"\0\x04":
        return int.from_bytes(tlvs[4:8], "big") / 1000
    return 0.0


def _asked_tos(tlvs: bytes, received: int) -> int:
    """RFC 8972 4.4: the DSCP that the sender asked for, where its first TLV does; else the one that arrived."""
    if len(tlvs) >= 8 and tlvs[:4] == bytes([0, stamp_tlv.CLASS_OF_SERVICE, 0, 4]):
        return tlvs[4] & 0xFC
    return received & 0xFC


def _has(tlvs: bytes, kind: int) -> bool:
    return any(tlv.type == kind for tlv in stamp_tlv.parse_tlvs(tlvs))


def _octets(host: str) -> bytes:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.inet_pton(family, host.partition("%")[0])
