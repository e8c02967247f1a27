"""One side of a flow between two lines of this machine: sends all channels at its own pace, and notes what arrives.

Runs as a process of its own, one for each side. `python -m gosip_check.probes.media.one_side` takes a `SidePlan` as a
line of JSON on standard input, writes `{}` once it is ready, takes a `Start`, writes `{"at_s": 3}` while it sends, and
in the end `{"noted": ...}`. What each side sends does not depend on what the other one gets. Both are timed by one
clock: the system's when a packet leaves, the kernel's when it arrives.
"""

import contextlib
import gc
import sys
import time

import msgspec

from gosip_check.probes.media.child import go_first, say
from gosip_check.probes.media.pacing import read_until_quiet, send_paced
from gosip_check.probes.media.stream_facts import SendingFacts
from gosip_check.probes.net import flow
from gosip_check.records import Link, Record
from gosip_check.wire import stamp
from gosip_check.wire.stamp_tlv import StampError

_IPV4_UDP_OCTETS = 28


class SidePlan(Record, frozen=True):
    """descriptor: of the flow, open and connected. packets: of each channel; ip_octets: of each packet.

    ssid: of the first channel (RFC 8972 3); the others follow. Both sides of a flow have the same.
    """

    link: Link
    descriptor: int
    channels: int
    packets: int
    ip_octets: int
    ssid: int
    dscp: int


class Start(Record, frozen=True):
    """When the first packet leaves, by time.monotonic(), which all processes of this machine share."""

    at_s: float


class Noted(Record, frozen=True):
    """What one side sent and got.

    sent_ns: of each packet in Unix nanoseconds, channel after channel within each number. arrived: SSID, number, when
    it was sent by its own word, when it arrived, its DSCP; what is no packet of such a flow is left out.
    drops: what the kernel had no room for. dscp: what the system marked packets with.
    """

    sending: SendingFacts
    sent_ns: list[int]
    arrived: list[tuple[int, int, int, int, int]]
    drops: int
    dscp: int


def take_part(plan: SidePlan, start: Start) -> Noted:
    """Send it all, and wait for the rest. Raises ProbeFailed where the flow cannot be used."""
    packets = [
        stamp.SenderPacket(length=plan.ip_octets - _IPV4_UDP_OCTETS, ssid=plan.ssid + channel)
        for channel in range(plan.channels)
    ]
    sent_ns: list[int] = []
    raw: list[tuple[bytes, int, int]] = []
    with flow.adopt(plan.link, plan.descriptor, plan.dscp) as sock:

        def read() -> int:
            while received := flow.receive(sock):
                raw.append(received)
            return len(raw)

        def send(channel: int, sequence: int) -> None:
            now_ns = time.time_ns()
            sent_ns.append(now_ns)
            flow.send(sock, packets[channel].fill(sequence, now_ns))
            read()

        gc.disable()
        before_ns = time.time_ns() - time.monotonic_ns()
        paced = send_paced(plan.packets, plan.channels, start.at_s, send, lambda at_s: say({"at_s": at_s}))
        read_until_quiet(read, plan.packets * plan.channels)
        step_ms = (time.time_ns() - time.monotonic_ns() - before_ns) / 1e6
        drops, dscp = flow.drops(sock), flow.dscp(sock)
    gc.enable()
    arrived = []
    for data, arrived_ns, marked in raw:
        with contextlib.suppress(StampError):
            request = stamp.parse_request(data)
            claimed_ns = stamp.unix_ns(request.timestamp, request.error_estimate)
            if claimed_ns is not None and len(data) == plan.ip_octets - _IPV4_UDP_OCTETS:
                arrived.append((request.ssid, request.sequence, claimed_ns, arrived_ns, marked))
    return Noted(paced.facts(step_ms), sent_ns, arrived, drops, dscp)


def main() -> None:
    """The process: plan and start in, lines out."""
    go_first()
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=SidePlan)
    say({})
    start = msgspec.json.decode(sys.stdin.buffer.readline(), type=Start)
    say({"noted": take_part(plan, start)})


if __name__ == "__main__":
    main()
