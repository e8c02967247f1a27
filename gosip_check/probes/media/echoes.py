"""Sends ICMP echoes to several hosts at steady paces and times what comes back; judges nothing.

Runs as a process of its own, so that nothing else that the tool does adds jitter.
`python -m gosip_check.probes.media.echoes` takes lines of JSON: a `Link`, then any number of `EchoPlan`. For each plan
it writes `{"at_s": 3, ...}` every second and `{"phases": [...]}` in the end; `{"failure": ...}` where it may not send.

Echoes leave at absolute deadlines; after a stall the slots that have passed are left out, never caught up. Arrivals
carry the kernel's time. An answer counts only from the host that was asked, with the number and the token that it was
asked with. Never spins.
"""

import contextlib
import gc
import heapq
import random
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from gosip_check.probes.media.child import go_first, say
from gosip_check.probes.media.dying import MARK, DyingSocket, DyingStream, open_dying
from gosip_check.probes.media.echo_rule import LATE_MS, Phase, Stopped
from gosip_check.probes.net.echo import EchoSocket, open_echo
from gosip_check.probes.probe import ProbeFailed
from gosip_check.records import Failure, Link, Record
from gosip_check.wire.icmp_echo import HEADERS_OCTETS

PAUSE_S = 0.7
"After the last echo, answers are waited for that long, and longer only while they still come, or took as long before."
_APART_S = 0.003
_LONGEST_PAUSE_S, _STILL_COME_S = 2.0, 0.1
_LONGER = 1.5
"Times the longest round trip so far."
_STALL_S = 0.05
_STEP_MS = 3.0
"A clock that is moved by more than this spoils what is timed by it."
_SLEEP_FROM_S = 20e-6
_SEQUENCES = 1 << 16
_NS = 1_000_000_000


class EchoStream(Record, frozen=True):
    """Echoes to one host. octets: of each, with its IP header. dscp: their mark, from a socket of their own; None: the
    socket of all others. may_end: that it falls silent ends nothing.
    """

    address: str
    pps: float
    octets: int
    dscp: int | None = None
    may_end: bool = False


class EchoPlan(Record, frozen=True):
    """Several streams at the same time; the first one is what is told of meanwhile.

    most_lost: the phase ends early once the first stream loses a larger share than this of one second's echoes.
    silence_s: it ends early when a host that has answered says nothing for so long.
    """

    streams: list[EchoStream]
    seconds: float
    most_lost: float | None = None
    silence_s: float | None = None
    dying: DyingStream | None = None
    "Sent as well, once one of its packets is seen to die at its hop. Its phase comes last, without an answer."
    quoted: list[DyingStream] = []
    "Instead of it several of them, of which the quotes are timed. They must be quoted with some of their payload."
    at_random: bool = False
    """Each packet leaves at a random moment of its slot. Else one stream may keep in step with another, and always
    meet a full queue where a third never does (RFC 2330 11.1)."""


class EchoMessage(Record, frozen=True):
    """What the process says. at_s and the two after it while a plan is carried out."""

    at_s: int | None = None
    lost: int = 0
    rtt_ms: float | None = None
    phases: list[Phase] | None = None
    failure: Failure | None = None


@dataclass
class _Sending:
    """One stream while it is sent. heard_s: when it was last answered, None where it never was."""

    stream: EchoStream | DyingStream
    sent_ns: list[int] = field(default_factory=list)
    sent_s: list[float] = field(default_factory=list)
    rtts_ms: list[float | None] = field(default_factory=list)
    slots: int = 0
    late: int = 0
    unsent: int = 0
    heard_s: float | None = None
    own: EchoSocket | DyingSocket | None = None
    "The socket that nobody else sends by."

    def lost_between(self, from_s: float, to_s: float) -> tuple[int, int]:
        """How many of the echoes that were sent in that time are not answered yet, and of how many."""
        inside = [rtt for rtt, at_s in zip(self.rtts_ms, self.sent_s, strict=True) if from_s <= at_s < to_s]
        return inside.count(None), len(inside)


class _Echoes:
    """The socket, and which of its numbers are still waited for."""

    def __init__(self, sock: EchoSocket, link: Link) -> None:
        self.sock, self._link = sock, link
        self._dying: DyingSocket | None = None
        self.token = secrets.token_bytes(8)
        self._next = secrets.randbelow(_SEQUENCES)
        self._waiting: dict[int, tuple[_Sending, int]] = {}
        self._sendings: list[_Sending] = []

    def carry_out(self, plan: EchoPlan) -> list[Phase]:
        """Send it all, wait for the answers. Raises ProbeFailed where this machine refuses a socket."""
        if plan.quoted or any(stream.dscp is not None for stream in plan.streams):
            with contextlib.ExitStack() as opened:
                return self._by_sockets_of_their_own(plan, opened)
        if plan.dying is None:
            return self._carried_out(plan, [_Sending(stream) for stream in plan.streams])
        with open_dying(self._link, plan.dying) as self._dying:
            try:
                sendings = [*map(_Sending, plan.streams), _Sending(plan.dying)]
                if not self._dying.dies_there():
                    return [Phase(0, 0, 0.0, [], stopped="elsewhere") for _ in sendings]
                return self._carried_out(plan, sendings)
            finally:
                self._dying = None

    def _by_sockets_of_their_own(self, plan: EchoPlan, opened: contextlib.ExitStack) -> list[Phase]:
        sendings = [_Sending(stream) for stream in plan.streams]
        for sending, stream in zip(sendings, plan.streams, strict=True):
            if stream.dscp is not None:
                sending.own = opened.enter_context(contextlib.closing(open_echo(self._link, stream.dscp)))
        proven: set[str] = set()
        for dying in plan.quoted:
            sock = opened.enter_context(open_dying(self._link, dying))
            sendings.append(_Sending(dying, own=sock))
            if dying.address not in proven and not sock.dies_there():
                return [Phase(0, 0, 0.0, [], stopped="elsewhere") for _ in (*plan.streams, *plan.quoted)]
            proven.add(dying.address)
        return self._carried_out(plan, sendings)

    def _carried_out(self, plan: EchoPlan, sendings: list[_Sending]) -> list[Phase]:
        self._waiting.clear()
        self._sendings = sendings
        drops, clock_ns = self.sock.drops, time.time_ns() - time.monotonic_ns()
        start_s = time.monotonic()
        stopped = self._send(plan, sendings, start_s)
        lasted_s = time.monotonic() - start_s if stopped else plan.seconds
        self._wait_for_the_rest()
        moved_ms = abs(time.time_ns() - time.monotonic_ns() - clock_ns) / 1e6
        spoilt = moved_ms > _STEP_MS or self.sock.drops > drops
        return [
            Phase(
                slots=sending.slots,
                late=sending.late,
                lasted_s=lasted_s,
                rtts_ms=sending.rtts_ms,
                spoilt=spoilt or sending.unsent > 0,
                stopped=stopped,
            )
            for sending in sendings
        ]

    def _send(self, plan: EchoPlan, sendings: list[_Sending], start_s: float) -> Stopped:
        # Streams of the same pace do not start together: a second packet right behind the first would wait for it.
        due = [(start_s + number * _APART_S, number) for number in range(len(sendings))]
        heapq.heapify(due)
        next_s = start_s + 1
        while due:
            at_s, number = due[0]
            wait_s = at_s - time.monotonic()
            if wait_s > _SLEEP_FROM_S:
                time.sleep(wait_s)
            now_s = time.monotonic()
            sending = sendings[number]
            interval_s = 1 / sending.stream.pps
            left_out = int((now_s - at_s) / interval_s) if now_s - at_s > _STALL_S else 0
            sending.slots += left_out + 1
            # From the number of slots, not from the last one: of many small errors none is added to the next.
            if sending.slots < round(plan.seconds * sending.stream.pps):
                slot = sending.slots + (random.random() if plan.at_random else 0.0)
                heapq.heapreplace(due, (start_s + number * _APART_S + slot * interval_s, number))
            else:
                heapq.heappop(due)
            sending.late += (now_s - at_s) * 1000 > LATE_MS
            self._send_one(sending, now_s)
            self._read()
            if now_s >= next_s:
                stop = self._goes_elsewhere() or _reason_to_stop(plan, sendings, next_s)
                if stop:
                    return stop
                _tell(round(next_s - start_s), sendings[0])
                next_s += 1
        return ""

    def _goes_elsewhere(self) -> Stopped:
        if self._dying is not None and self._dying.goes_elsewhere():
            return "elsewhere"
        return "elsewhere" if any(sock.went_elsewhere for _, sock in self._quoted()) else ""

    def _quoted(self) -> Iterator[tuple[_Sending, DyingSocket]]:
        return ((each, each.own) for each in self._sendings if isinstance(each.own, DyingSocket))

    def _left(self) -> int:
        """How many answers and quotes are waited for."""
        return len(self._waiting) + sum(sending.rtts_ms.count(None) for sending, _ in self._quoted())

    def _send_one(self, sending: _Sending, now_s: float) -> None:
        if isinstance(sending.stream, DyingStream):
            dying = sending.own or self._dying
            assert isinstance(dying, DyingSocket)
            sent_ns = time.time_ns()
            is_sent = dying.send(len(sending.rtts_ms))
            if is_sent or sending.own is None:
                sending.rtts_ms.append(None)
                sending.sent_s.append(now_s)
                sending.sent_ns.append(sent_ns)
                sending.unsent += not is_sent
            return
        sequence, self._next = self._next, (self._next + 1) % _SEQUENCES
        payload = (self.token + MARK * 17)[: sending.stream.octets - HEADERS_OCTETS]
        self._waiting[sequence] = (sending, len(sending.rtts_ms))
        sending.rtts_ms.append(None)
        sending.sent_s.append(now_s)
        sending.sent_ns.append(time.time_ns())
        sock = sending.own if isinstance(sending.own, EchoSocket) else self.sock
        sending.unsent += not sock.send(sending.stream.address, sequence, payload)

    def _read(self) -> None:
        self._read_echoes(self.sock)
        for sending in self._sendings:
            if isinstance(sending.own, EchoSocket):
                self._read_echoes(sending.own)
        for sending, dying in self._quoted():
            for number, arrived_ns in dying.quotes() or ():
                if number < len(sending.rtts_ms) and sending.rtts_ms[number] is None:
                    sending.rtts_ms[number] = max(0.0, (arrived_ns - sending.sent_ns[number]) / 1e6)

    def _read_echoes(self, sock: EchoSocket) -> None:
        while (answer := sock.receive()) is not None:
            sending, number = self._waiting.get(answer.sequence, (None, 0))
            if sending is None or answer.address != sending.stream.address or answer.payload[:8] != self.token:
                continue
            rtt_ms = (answer.arrived_ns - sending.sent_ns[number]) / 1e6
            if rtt_ms < 0:
                continue
            del self._waiting[answer.sequence]
            sending.rtts_ms[number] = rtt_ms
            sending.heard_s = time.monotonic()

    def _wait_for_the_rest(self) -> None:
        start_s = heard_s = time.monotonic()
        before = self._left()
        longest_ms = max((rtt for sending in self._sendings for rtt in sending.rtts_ms if rtt is not None), default=0.0)
        pause_s = min(max(PAUSE_S, _LONGER * longest_ms / 1000), _LONGEST_PAUSE_S)
        while before:
            time.sleep(0.005)
            self._read()
            now_s = time.monotonic()
            if self._left() < before:
                heard_s, before = now_s, self._left()
            if now_s - start_s > _LONGEST_PAUSE_S or (now_s - start_s > pause_s and now_s - heard_s > _STILL_COME_S):
                return


def _reason_to_stop(plan: EchoPlan, sendings: list[_Sending], now_s: float) -> Stopped:
    if plan.silence_s is not None:
        for sending in sendings:
            if isinstance(sending.stream, EchoStream) and sending.stream.may_end:
                continue
            if sending.heard_s is not None and now_s - sending.heard_s > plan.silence_s:
                return "silent"
    if plan.most_lost is not None:
        lost, of = sendings[0].lost_between(now_s - 2, now_s - 1)
        if lost > plan.most_lost * of:
            return "loses"
    return ""


def _tell(at_s: int, sending: _Sending) -> None:
    last = next((rtt for rtt in reversed(sending.rtts_ms) if rtt is not None), None)
    lost, _ = sending.lost_between(0, time.monotonic() - 1)
    say(EchoMessage(at_s=at_s, lost=lost, rtt_ms=last))


def main() -> None:
    """The process: lines in, lines out. A refusal of this machine is a line too."""
    go_first()
    link = msgspec.json.decode(sys.stdin.buffer.readline(), type=Link)
    try:
        sock = open_echo(link)
    except ProbeFailed as failed:
        say(EchoMessage(failure=failed.failure))
        return
    echoes = _Echoes(sock, link)
    for line in sys.stdin.buffer:
        plan = msgspec.json.decode(line, type=EchoPlan)
        gc.disable()
        try:
            say(EchoMessage(phases=echoes.carry_out(plan)))
        except ProbeFailed as failed:
            say(EchoMessage(failure=failed.failure))
        gc.enable()


if __name__ == "__main__":
    main()
