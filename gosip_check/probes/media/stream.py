"""Sends N channels to a reflector and times what comes back; judges nothing.

Runs as a process of its own, so that nothing else that the tool does adds jitter.
`python -m gosip_check.probes.media.stream` takes a `StreamPlan` as a line of JSON on standard input and writes lines of
JSON: `{"at_s": 3}` while it runs, and in the end `{"facts": ...}` or `{"failure": ...}`.

Packets leave at absolute deadlines, spread evenly over the channels. Arrivals carry the kernel's time, so each flow is
read when it has just been sent to, and never waited for. Never spins.
"""

import contextlib
import errno
import gc
import os
import resource
import socket
import struct
import sys
import time
from array import array
from collections.abc import Iterator

import msgspec

from gosip_check.probes.media import answer
from gosip_check.probes.media.answer import TLV_OCTETS, Arrival
from gosip_check.probes.media.stream_facts import SendingFacts, StreamFacts, facts_of
from gosip_check.probes.net import flow
from gosip_check.probes.probe import ProbeFailed
from gosip_check.records import Link, Record
from gosip_check.wire import stamp
from gosip_check.wire.stamp_sent import Sent
from gosip_check.wire.stamp_tlv import CLASS_OF_SERVICE, LOCATION, ClassOfService, Tlv

PACKETS_PER_S = 50
_INTERVAL_S = 1 / PACKETS_PER_S
_TAIL = 3
"Uncounted packets that each channel sends once the load is off: they bring the reflector's count up to the end."
_TAIL_PAUSE_S = 0.3
_TAIL_INTERVAL_S = 0.1
_GRACE_S = 2.0
_QUIET_S = 0.5
"After the last packet, answers are waited for until none has come for this long, and never longer than the grace."
_READ_EVERY = 4
_SLEEP_FROM_S = 20e-6
_NS = 1_000_000_000
_NICE = -10
_SSIDS = 65535
_QUEUE_FULL = (errno.ENOBUFS, errno.EAGAIN)
"The interface of this machine took no more: it is slower than the load, or its cable was out for a moment."
_ARRIVAL = struct.Struct("=qBH")
"When, its DSCP, and how many octets it had."
_IPV4_UDP_OCTETS, _IPV6_UDP_OCTETS = 28, 48


class StreamPlan(Record, frozen=True):
    """What to send. packets: for each channel; ip_octets: of each packet; key: hexadecimal, for authenticated mode.

    stateful, believes_tlvs: what is known of the far end (see `far_end.FarEnd`). descriptor: of an open flow that all
    channels share, told apart by their SSID (RFC 8972 3); its far side is timed by this machine's clock.
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
    descriptor: int | None = None

    @property
    def octets(self) -> int:
        """UDP payload."""
        return self.ip_octets - (_IPV6_UDP_OCTETS if ":" in self.address else _IPV4_UDP_OCTETS)


class _Channel:
    """Its socket, which it may share with others, its packet, and the raw log of what came back."""

    def __init__(self, plan: StreamPlan, key: bytes | None, sock: socket.socket, ssid: int) -> None:
        self.sock, self.ssid = sock, ssid
        cos = Tlv(CLASS_OF_SERVICE, bytes(ClassOfService(plan.dscp, 0, 0, False)))
        tlvs = [cos, Tlv(LOCATION, bytes(4))]
        self.packet = stamp.SenderPacket(length=plan.octets, ssid=ssid, tlvs=tlvs, key=key)
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

    def keep(self, data: bytes, arrived_ns: int, dscp: int) -> None:
        """Of what has arrived: the octets that matter, and when."""
        self.short += len(data) < self.octets
        kept = data[: self.kept_octets].ljust(self.kept_octets, b"\0")
        self.log += kept + _ARRIVAL.pack(arrived_ns, dscp, len(data))

    def arrivals(self) -> Iterator[Arrival]:
        """What was kept, in order of arrival."""
        size = self.kept_octets + _ARRIVAL.size
        for at in range(0, len(self.log), size):
            entry = bytes(self.log[at : at + size])
            arrived_ns, dscp, octets = _ARRIVAL.unpack_from(entry, self.kept_octets)
            base = self.kept_octets - TLV_OCTETS
            yield Arrival(entry[: min(base, octets)], entry[base : self.kept_octets], arrived_ns, dscp)


class _Flows:
    """The channels, and a socket for each or one for all."""

    def __init__(self, plan: StreamPlan, opened: contextlib.ExitStack) -> None:
        """Raises ProbeFailed when no flow can be opened; `opened` closes those that were."""
        key = bytes.fromhex(plan.key) if plan.key else None
        self.socks: list[socket.socket] = []
        self.channels: list[_Channel] = []
        for number in range(plan.channels):
            if plan.descriptor is None or number == 0:
                self.socks.append(opened.enter_context(_flow_of(plan)))
            ssid = plan.ssid if plan.descriptor is None else (plan.ssid + number - 1) % _SSIDS + 1
            self.channels.append(_Channel(plan, key, self.socks[-1], ssid))
        self._of_shared: dict[int | None, _Channel] = {}
        if plan.descriptor is not None:
            self._of_shared = {each.ssid: each for each in self.channels}

    def read(self, channel: _Channel) -> None:
        """Keep what has arrived on the channel's socket. Where all share it, the SSID tells whose it is."""
        while received := flow.receive(channel.sock):
            whose = self._of_shared.get(stamp.ssid_of(received[0])) if self._of_shared else channel
            if whose is not None:
                whose.keep(*received)

    @property
    def kept(self) -> int:
        """How many packets were."""
        return sum(len(channel.log) // (channel.kept_octets + _ARRIVAL.size) for channel in self.channels)


def _flow_of(plan: StreamPlan) -> socket.socket:
    if plan.descriptor is None:
        return flow.open_flow(plan.link, plan.address, plan.port, plan.dscp)
    return flow.adopt(plan.link, plan.descriptor, plan.dscp)


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
    one_clock = plan.descriptor is not None
    return facts_of(
        logs, plan.channels, plan.packets, plan.ip_octets, plan.stateful, sending, drops, short, dscp, one_clock
    )


def _send(plan: StreamPlan, flows: _Flows) -> SendingFacts:
    channels = flows.channels
    count = len(channels)
    total = plan.packets * count
    spacing_s = _INTERVAL_S / count
    late_s = array("f")
    unsent = queue_full = 0
    clock_ns = time.time_ns() - time.monotonic_ns()
    start_s = time.monotonic() + 0.05
    next_say_s = 1.0
    sequence, turn, sent = 0, 0, 0
    while sent < total:
        deadline_s = start_s + sent * spacing_s
        wait_s = deadline_s - time.monotonic()
        if wait_s > _SLEEP_FROM_S:
            time.sleep(wait_s)
        channel = channels[turn]
        late_s.append(time.monotonic() - deadline_s)
        try:
            channel.send(sequence)
        except OSError as error:  # the packet did not leave this machine
            queue_full += error.errno in _QUEUE_FULL
            unsent += error.errno not in _QUEUE_FULL
        if sequence % _READ_EVERY == 0:
            flows.read(channel)
        sent += 1
        turn += 1
        if turn == count:
            turn = 0
            sequence += 1
            if sequence * _INTERVAL_S >= next_say_s:
                _say({"at_s": round(sequence * _INTERVAL_S)})
                next_say_s += 1.0
    lasted_s = time.monotonic() - start_s
    _send_tail(plan, flows)
    _read_the_rest(flows, total + _TAIL * count)
    step_ms = (time.time_ns() - time.monotonic_ns() - clock_ns) / 1e6
    ordered = sorted(late_s)
    return SendingFacts.of(ordered, unsent=unsent, queue_full=queue_full, lasted_s=lasted_s, clock_step_ms=step_ms)


def _send_tail(plan: StreamPlan, flows: _Flows) -> None:
    channels = flows.channels
    start_s = time.monotonic() + _TAIL_PAUSE_S
    for number in range(_TAIL * len(channels)):
        turn, channel = number // len(channels), channels[number % len(channels)]
        wait_s = start_s + number * _TAIL_INTERVAL_S / len(channels) - time.monotonic()
        if wait_s > _SLEEP_FROM_S:
            time.sleep(wait_s)
        with contextlib.suppress(OSError):
            channel.send(plan.packets + turn)
        flows.read(channel)


def _read_the_rest(flows: _Flows, sent: int) -> None:
    until_s = time.monotonic() + _GRACE_S
    heard_s, before = time.monotonic(), 0
    while (now_s := time.monotonic()) < until_s and now_s - heard_s < _QUIET_S:
        time.sleep(0.02)
        for channel in flows.channels:
            flows.read(channel)
        if flows.kept == sent:
            return
        if flows.kept != before:
            heard_s, before = time.monotonic(), flows.kept


def _say(message: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """The process: plan in, lines out. A refusal of this machine is a line too."""
    with contextlib.suppress(OSError):  # only root may go first
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(OSError, ValueError):  # a socket for each channel; the usual limit ends at a thousand
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=StreamPlan)
    try:
        _say({"facts": stream(plan)})
    except ProbeFailed as failed:
        _say({"failure": failed.failure})


if __name__ == "__main__":
    main()
