"""Fills the way out of a line with unmarked packets to a flow of our own on another line of this machine.

Runs as a process of its own, with both ends of the flow. `python -m gosip_check.probes.media.second_fill` writes `{}`
once it is there, takes a `FillPlan` as a line of JSON on standard input and writes a `FillDone` when it is over.

It sends more and more until packets come late or not at all, and from then on a little more than comes through, as the
search of RFC 9097 does. Some of its packets die at the hop behind the edge: their quotes show how long the load itself
waits in the line, even where each flow has a queue of its own.
"""

import contextlib
import socket
import struct
import sys
import time

import msgspec

from gosip_check.probes.media.child import go_first, say
from gosip_check.probes.media.dying import MARK
from gosip_check.probes.media.echo_rule import LATE_MS, Phase
from gosip_check.probes.net import flow, sockets
from gosip_check.records import Link, Record

_FIRST_KBPS, _GROWS, _MORE = 3000.0, 1.25, 1.15
_STEP_S = 0.1
_LATER_NS, _MOST_LOST = 40_000_000, 0.05
"The line is full where the packets of a step come so much later than the fastest ever, or so many do not come."
_SILENCE_S, _REST_S = 1.0, 0.5
_MOST_BEHIND_S = 0.05
"What this machine could not send within that is left out."
_HEADERS_OCTETS = 28
_HEADER = struct.Struct("!IQ")
_SENDING_TRIES = 4
_TTL = 64


class FillPlan(Record, frozen=True):
    """near, far: descriptors of the flow's two sockets, open and connected. octets: of each packet, with its headers.

    dying_pps: so many a second go no further than `ttl` hops, where `hop` quotes them.
    """

    near_link: Link
    near: int
    far_link: Link
    far: int
    seconds: float
    octets: int
    most_kbps: float
    dying_pps: float
    ttl: int
    hop: str


class FillDone(Record, frozen=True):
    """kbps: that came through in the second half, at IP. dying: of the packets that should die at the hop.

    is_silent: it ended early, because nothing arrived any more.
    """

    kbps: float
    dying: Phase
    is_silent: bool


class _Fill:
    """The sockets, and what came of what was sent."""

    def __init__(self, plan: FillPlan, near: socket.socket, far: socket.socket) -> None:
        self._plan, self._near, self._far = plan, near, far
        self._text = (MARK * 17)[: plan.octets - _HEADERS_OCTETS - _HEADER.size]
        self._kbps = min(_FIRST_KBPS, plan.most_kbps)
        self._fastest_ns = 1 << 62
        self._sent = self._arrived = self._highest = 0
        self._step_arrived = self._step_from = 0
        self._step_fastest_ns = 1 << 62
        self._dying_ns: list[int] = []
        self._rtts_ms: list[float | None] = []
        self._slots = self._late = 0

    def run(self) -> FillDone:
        start_s = next_s = dying_s = step_s = heard_s = time.monotonic()
        half: tuple[float, int] | None = None
        while (now_s := time.monotonic()) < start_s + self._plan.seconds and now_s - heard_s < _SILENCE_S:
            if half is None and now_s - start_s > self._plan.seconds / 2:
                half = now_s, self._arrived
            if now_s < next_s:
                time.sleep(next_s - now_s)
            elif now_s >= dying_s:
                self._late += (now_s - dying_s) * 1000 > LATE_MS
                self._send_dying()
                dying_s += 1 / self._plan.dying_pps
            else:
                self._send()
            if now_s >= next_s:
                next_s = max(next_s + self._plan.octets * 8 / 1000 / self._kbps, now_s - _MOST_BEHIND_S)
            if self._read():
                heard_s = now_s
            if now_s - step_s >= _STEP_S:
                self._adapt(now_s - step_s)
                step_s = now_s
        is_silent = now_s - heard_s >= _SILENCE_S
        lasted_s = now_s - start_s
        since_s, before = half or (now_s, self._arrived)
        kbps = (self._arrived - before) * self._plan.octets * 8 / 1000 / max(now_s - since_s, _STEP_S)
        while time.monotonic() < now_s + _REST_S:
            time.sleep(0.005)
            self._read_quotes()
        dying = Phase(self._slots, self._late, lasted_s, self._rtts_ms)
        return FillDone(kbps, dying, is_silent)

    def _send(self) -> None:
        self._sent += self._let_out(_HEADER.pack(self._sent, time.time_ns()))

    def _send_dying(self) -> None:
        """What this machine does not let out is none of the line's losses."""
        self._slots += 1
        sockets.limit_ttl(self._near, self._plan.ttl)
        sent_ns = time.time_ns()
        if self._let_out(_HEADER.pack(len(self._rtts_ms), 0)):
            self._dying_ns.append(sent_ns)
            self._rtts_ms.append(None)
        sockets.limit_ttl(self._near, _TTL)

    def _let_out(self, header: bytes) -> bool:
        for _ in range(_SENDING_TRIES):  # each quote that has come meanwhile stops one
            with contextlib.suppress(OSError):
                self._near.send(header + self._text)
                return True
        return False

    def _read(self) -> bool:
        """Whether anything has arrived."""
        before = self._arrived
        while received := flow.receive(self._far):
            data, arrived_ns, _ = received
            if data[_HEADER.size :] != self._text:
                continue
            number, sent_ns = _HEADER.unpack_from(data)
            self._arrived += 1
            self._step_arrived += 1
            self._highest = max(self._highest, number)
            self._step_fastest_ns = min(self._step_fastest_ns, arrived_ns - sent_ns)
        return self._arrived > before

    def _read_quotes(self) -> None:
        for error in sockets.read_icmp_errors(self._near):
            if (
                error.sender != self._plan.hop
                or not error.is_time_exceeded
                or error.quoted[_HEADER.size :][:8] != MARK[:8]
            ):
                continue
            number, _ = _HEADER.unpack_from(error.quoted)
            if number < len(self._rtts_ms) and self._rtts_ms[number] is None:
                arrived_ns = error.arrived_ns or time.time_ns()
                self._rtts_ms[number] = max(0.0, (arrived_ns - self._dying_ns[number]) / 1e6)

    def _adapt(self, elapsed_s: float) -> None:
        self._read_quotes()
        due = self._highest - self._step_from
        is_full = self._step_arrived < (1 - _MOST_LOST) * due or (
            self._step_arrived > 0 and self._step_fastest_ns > self._fastest_ns + _LATER_NS
        )
        if is_full:
            through_kbps = self._step_arrived * self._plan.octets * 8 / 1000 / elapsed_s
            self._kbps = max(_FIRST_KBPS, _MORE * through_kbps)
        else:
            self._kbps *= _GROWS
        self._kbps = min(self._kbps, self._plan.most_kbps)
        self._fastest_ns = min(self._fastest_ns, self._step_fastest_ns)
        self._step_from, self._step_arrived, self._step_fastest_ns = self._highest, 0, 1 << 62


def main() -> None:
    """The process: plan in, result out."""
    go_first()
    say({})
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=FillPlan)
    with flow.adopt(plan.near_link, plan.near, 0) as near, flow.adopt(plan.far_link, plan.far, 0) as far:
        done = _Fill(plan, near, far).run()
    say(done)


if __name__ == "__main__":
    main()
