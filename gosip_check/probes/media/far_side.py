"""The far side of a flow between two lines of this machine: answers STAMP packets as a stateful reflector does.

Runs as a process of its own. `python -m gosip_check.probes.media.far_side` takes a `FarSidePlan` as a line of JSON on
standard input, writes `{}` once it answers, and ends with its standard input. Its times are the kernel's time of
arrival and the system's clock, which are those of the sender as well.
"""

import contextlib
import os
import select
import socket
import sys
import time
from collections import defaultdict

import msgspec

from gosip_check.probes.net import flow, sockets
from gosip_check.records import Link, Record
from gosip_check.wire import stamp
from gosip_check.wire.stamp_tlv import FarDrops, Seen, StampError, answer_tlvs

_NICE = -10
_TTL = 64
"Not looked at; a sender reads it as what was left of it on the way."


class FarSidePlan(Record, frozen=True):
    """descriptor: of the flow, open and connected. peer_address, peer_port: whom it is connected to."""

    link: Link
    descriptor: int
    peer_address: str
    peer_port: int
    dscp: int


class _FarSide:
    """The sessions of one flow, told apart by their SSID (RFC 8972 3)."""

    def __init__(self, plan: FarSidePlan, sock: socket.socket) -> None:
        self._sock = sock
        self._address = socket.inet_aton(plan.peer_address)
        self._ports = plan.peer_port, sockets.local_address(sock)[1]
        self._counts: defaultdict[int, int] = defaultdict(int)
        self._answers: dict[tuple[bytes, int], bytes] = {}

    def answer_all(self) -> None:
        """What waits. What is no packet of a sender gets no answer."""
        while received := flow.receive(self._sock):
            data, arrived_ns, dscp = received
            with contextlib.suppress(StampError):
                request = stamp.parse_request(data)
                if not request.is_answer:
                    self._answer(request, arrived_ns, dscp)

    def _answer(self, request: stamp.Request, arrived_ns: int, dscp: int) -> None:
        tlvs = self._answers.get((request.tlvs, dscp))
        if tlvs is None:
            seen = Seen(self._address, *self._ports, dscp << 2)
            tlvs = answer_tlvs(request.tlvs, request.sequence, seen, FarDrops(0, 0))
            self._answers = {(request.tlvs, dscp): tlvs}  # all packets of a stream have the same
        count = self._counts[request.ssid]
        self._counts[request.ssid] += 1
        with contextlib.suppress(OSError):  # what does not leave this machine is lost
            flow.send(self._sock, request.reply(count, time.time_ns(), arrived_ns, _TTL, tlvs))


def main() -> None:
    """The process: plan in, answers until standard input ends."""
    with contextlib.suppress(OSError):  # only root may go first
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=FarSidePlan)
    with flow.adopt(plan.link, plan.descriptor, plan.dscp) as sock:
        side = _FarSide(plan, sock)
        sys.stdout.buffer.write(b"{}\n")
        sys.stdout.buffer.flush()
        while True:
            ready, _, _ = select.select([sock, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            side.answer_all()


if __name__ == "__main__":
    main()
