"""Sends N channels to a reflector and times what comes back; judges nothing.

Runs as a process of its own, so that nothing else that the tool does adds jitter.
`python -m gosip_check.probes.media.stream` takes a `StreamPlan` as a line of JSON on standard input and writes lines of
JSON: `{"at_s": 3}` while it runs, and in the end `{"facts": ...}` or `{"failure": ...}`.

Packets leave at absolute deadlines, spread evenly over the channels. Arrivals carry the kernel's time, so each flow is
read when it has just been sent to, and never waited for. Never spins.
"""

import contextlib
import gc
import resource
import socket
import struct
import sys
import time
from collections.abc import Iterator

import msgspec

from gosip_check.probes.media import answer
from gosip_check.probes.media.answer import TLV_OCTETS, Arrival
from gosip_check.probes.media.child import go_first, say
from gosip_check.probes.media.pacing import read_until_quiet, send_paced, sleep_until
from gosip_check.probes.media.stream_facts import SendingFacts, StreamFacts, facts_of
from gosip_check.probes.net import flow
from gosip_check.probes.probe import ProbeFailed
from gosip_check.records import Link, Record
from gosip_check.wire import stamp
from gosip_check.wire.stamp_sent import Sent
from gosip_check.wire.stamp_tlv import CLASS_OF_SERVICE, LOCATION, ClassOfService, Tlv

_TAIL = 3
"Uncounted packets that each channel sends once the load is off: they bring the reflector's count up to the end."
_TAIL_PAUSE_S = 0.3
_TAIL_INTERVAL_S = 0.1
_READ_EVERY = 4
_ARRIVAL = struct.Struct("=qBH")
"When, its DSCP, and how many octets it had."
_IPV4_UDP_OCTETS, _IPV6_UDP_OCTETS = 28, 48


class StreamPlan(Record, frozen=True):
    """What to send. packets: for each channel; ip_octets: of each packet; key: hexadecimal, for authenticated mode.

    stateful, believes_tlvs: what is known of the far end (see `far_end.FarEnd`).
    """

    address: str
    port: int
    channels: int
    packets: int
    ip_octets: int
    ssid: int
    stateful: bool
    link: Link
    believes_tlvs: bool = True
    dscp: int = 46
    key: str | None = None

    @property
    def octets(self) -> int:
        """UDP payload."""
        return self.ip_octets - (_IPV6_UDP_OCTETS if ":" in self.address else _IPV4_UDP_OCTETS)


class _Channel:
    """Its socket, its packet, and the raw log of what came back."""

    def __init__(self, plan: StreamPlan, key: bytes | None, sock: socket.socket) -> None:
        self.sock = sock
        cos = Tlv(CLASS_OF_SERVICE, bytes(ClassOfService(plan.dscp, 0, 0, False)))
        tlvs = [cos, Tlv(LOCATION, bytes(4))]
        self.packet = stamp.SenderPacket(length=plan.octets, ssid=plan.ssid, tlvs=tlvs, key=key)
        base = stamp.UNAUTHENTICATED_OCTETS if key is None else stamp.AUTHENTICATED_OCTETS
        self.kept_octets = base + TLV_OCTETS
        self.octets = plan.octets
        self.sent = Sent()
        self.log = bytearray()
        self.short = 0

    def send(self, sequence: int) -> None:
        """Raises OSError where the packet did not leave this machine."""
        sent_ns = time.time_ns()
        self.sent.add(sequence, sent_ns)
        flow.send(self.sock, self.packet.fill(sequence, sent_ns))

    def read(self) -> None:
        """Keep of what has arrived the octets that matter, and when it came."""
        while received := flow.receive(self.sock):
            data, arrived_ns, dscp = received
            self.short += len(data) < self.octets
            kept = data[: self.kept_octets].ljust(self.kept_octets, b"\0")
            self.log += kept + _ARRIVAL.pack(arrived_ns, dscp, len(data))

    @property
    def kept(self) -> int:
        """How many packets were."""
        return len(self.log) // (self.kept_octets + _ARRIVAL.size)

    def arrivals(self) -> Iterator[Arrival]:
        """What was kept, in order of arrival."""
        size = self.kept_octets + _ARRIVAL.size
        for at in range(0, len(self.log), size):
            entry = bytes(self.log[at : at + size])
            arrived_ns, dscp, octets = _ARRIVAL.unpack_from(entry, self.kept_octets)
            base = self.kept_octets - TLV_OCTETS
            yield Arrival(entry[: min(base, octets)], entry[base : self.kept_octets], arrived_ns, dscp)


class _Flows:
    """The channels, and a socket for each."""

    def __init__(self, plan: StreamPlan, opened: contextlib.ExitStack) -> None:
        """Raises ProbeFailed when no flow can be opened; `opened` closes those that were."""
        key = bytes.fromhex(plan.key) if plan.key else None
        self.socks: list[socket.socket] = []
        self.channels: list[_Channel] = []
        for _ in range(plan.channels):
            self.socks.append(opened.enter_context(flow.open_flow(plan.link, plan.address, plan.port, plan.dscp)))
            self.channels.append(_Channel(plan, key, self.socks[-1]))

    def read(self) -> int:
        """Keep what has arrived; how many packets that makes."""
        for channel in self.channels:
            channel.read()
        return sum(channel.kept for channel in self.channels)


def stream(plan: StreamPlan) -> StreamFacts:
    """Send it all, wait for the last answers, work the facts out. Raises ProbeFailed when no flow can be opened."""
    key = bytes.fromhex(plan.key) if plan.key else None
    with contextlib.ExitStack() as opened:
        flows = _Flows(plan, opened)
        channels = flows.channels
        gc.disable()
        sending = _send(plan, flows)
        short = sum(channel.short for channel in channels)
        drops = sum(map(flow.drops, flows.socks))
        dscp = flow.dscp(flows.socks[0])
    gc.enable()
    asked = plan.dscp if plan.believes_tlvs else None
    logs = (answer.read(channel.arrivals(), channel.sent, plan.packets + _TAIL, key, asked) for channel in channels)
    return facts_of(logs, plan.channels, plan.packets, plan.ip_octets, plan.stateful, sending, drops, short, dscp)


def _send(plan: StreamPlan, flows: _Flows) -> SendingFacts:
    channels = flows.channels

    def send(number: int, sequence: int) -> None:
        try:
            channels[number].send(sequence)
        finally:
            if sequence % _READ_EVERY == 0:
                channels[number].read()

    clock_ns = time.time_ns() - time.monotonic_ns()
    start_s = time.monotonic() + 0.05
    paced = send_paced(plan.packets, len(channels), start_s, send, lambda at_s: say({"at_s": at_s}))
    _send_tail(plan, flows)
    read_until_quiet(flows.read, (plan.packets + _TAIL) * len(channels))
    return paced.facts((time.time_ns() - time.monotonic_ns() - clock_ns) / 1e6)


def _send_tail(plan: StreamPlan, flows: _Flows) -> None:
    channels = flows.channels
    start_s = time.monotonic() + _TAIL_PAUSE_S
    for number in range(_TAIL * len(channels)):
        turn, channel = number // len(channels), channels[number % len(channels)]
        sleep_until(start_s + number * _TAIL_INTERVAL_S / len(channels))
        with contextlib.suppress(OSError):
            channel.send(plan.packets + turn)
        channel.read()


def main() -> None:
    """The process: plan in, lines out. A refusal of this machine is a line too."""
    go_first()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(OSError, ValueError):  # a socket for each channel; the usual limit ends at a thousand
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=StreamPlan)
    try:
        say({"facts": stream(plan)})
    except ProbeFailed as failed:
        say({"failure": failed.failure})


if __name__ == "__main__":
    main()
