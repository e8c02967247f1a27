"""Our sender against a reflector whose packets scapy reads and writes (RFC 8762, unauthenticated), not our own codec.

It counts each session by itself, loses what it is told to lose, and knows no TLV of ours.
"""

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import pytest

from gosip_check.probes.far_end import Reflector
from gosip_check.probes.media import channels
from gosip_check.probes.media.facts import Facts
from gosip_check.probes.media.options import Options
from gosip_check.probes.nat.binding_lifetime import wait_for_answers
from gosip_check.probes.nat.lifetimes import Lifetimes
from gosip_check.probes.probe import Context
from gosip_check.records import Link
from tests.timely import going_first

LINK = Link(name="Internet-1", source="127.0.0.1", interface="lo")
MEDIA_OCTETS, PACKETS = 222, 150
_NTP_S = 2_208_988_800


@dataclass
class ScapyReflector:
    """lose_up, lose_down: every how many packets of a flow one is lost, 0 for none. lost: of the first pass's media.

    alter: what it sends instead of its answer, of the answer and when the request came.
    """

    lose_up: int = 0
    lose_down: int = 0
    stateful: bool = True
    alter: Callable[[Any, float], bytes] = lambda answer, _: bytes(answer)
    lost: Counter[str] = field(default_factory=Counter)

    def serve(self, sock: socket.socket, stop: threading.Event) -> None:
        """Until `stop`."""
        scapy = import_module("scapy.contrib.stamp")
        arrived: Counter[tuple[str, int]] = Counter()
        counted: Counter[tuple[str, int]] = Counter()
        while not stop.is_set():
            try:
                data, peer = sock.recvfrom(4096)
            except TimeoutError:
                continue
            received_s = time.time() + _NTP_S
            request = scapy.STAMPSessionSenderTestUnauthenticated(data)
            is_media = len(data) == MEDIA_OCTETS and request.seq < PACKETS
            arrived[peer] += 1
            if self.lose_up and arrived[peer] % self.lose_up == 0:
                self.lost["up"] += is_media
                continue
            own = counted[peer] if self.stateful else request.seq
            counted[peer] += 1
            if self.lose_down and counted[peer] % self.lose_down == 0:
                self.lost["down"] += is_media
                continue
            answer = scapy.STAMPSessionReflectorTestUnauthenticated(
                seq=own, ts=time.time() + _NTP_S, ssid=request.ssid, ts_rx=received_s, seq_sender=request.seq,
                ts_sender=request.ts, ttl_sender=64,
                tlv_objects=[
                    scapy.STAMPTestTLV(flags=0 if tlv.type == 1 else 0x80, type=tlv.type, len=tlv.len, value=tlv.value)
                    for tlv in request.tlv_objects
                ],
            )  # fmt: skip
            sock.sendto(self.alter(answer, received_s - _NTP_S), peer)


@pytest.fixture(autouse=True)
def _first() -> Iterator[None]:
    with going_first():
        yield


@contextmanager
def served(reflector: ScapyReflector) -> Iterator[int]:
    stop = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.1)
        thread = threading.Thread(target=reflector.serve, args=(sock, stop))
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            stop.set()
            thread.join()


def measured(port: int) -> Facts:
    options = Options(
        domain="trunk.example", transport="udp", channels=2, duration_s=3.0, reflector=f"127.0.0.1:{port}"
    )
    return channels.measure(options, Context(LINK))


@pytest.mark.waits
@pytest.mark.parametrize(("up", "down"), [(0, 0), (20, 0), (0, 20), (20, 30)])
def test_losses_of_each_way_are_those_that_it_made(up: int, down: int) -> None:
    reflector = ScapyReflector(up, down)
    with served(reflector) as port:
        facts = measured(port)
    assert (facts.sent, facts.reflector_stateful) == (300, True)
    assert (facts.lost_up, facts.lost_down) == (reflector.lost["up"], reflector.lost["down"])
    assert (reflector.lost["up"] > 0, reflector.lost["down"] > 0) == (up > 0, down > 0)
    assert facts.dscp_survives is None


@pytest.mark.waits
def test_a_stateless_one_tells_no_way() -> None:
    with served(ScapyReflector(lose_up=20, stateful=False)) as port:
        facts = measured(port)
    assert (facts.reflector_stateful, facts.lost_up, facts.lost_down) == (False, None, None)
    assert facts.round_trip_loss_pct == pytest.approx(5, abs=1)


def in_ptp_time(answer: Any, received_s: float) -> bytes:
    """RFC 8186: Z is set, and the lower half of a time counts nanoseconds."""
    raw = import_module("scapy.fields").RawVal
    answer.err_estimate.Z = 1
    for name, at_s in (("ts_rx", received_s), ("ts", time.time())):
        setattr(answer, name, raw(struct.pack("!II", int(at_s), int(at_s % 1 * 1e9))))
    return bytes(answer)


def without_t2(answer: Any, _: float) -> bytes:
    answer.ts_rx = 0
    return bytes(answer)


def of_another_session(answer: Any, _: float) -> bytes:
    answer.ssid ^= 0x0F0F
    return bytes(answer)


@pytest.mark.waits
def test_ptp_time_is_read_where_it_is_said_to_be() -> None:
    with served(ScapyReflector(alter=in_ptp_time)) as port:
        facts = measured(port)
    assert facts.far_clock_believed
    assert facts.jitter_up_ms is not None
    assert facts.rtt_ms is not None
    assert 0 <= facts.rtt_ms.min <= facts.rtt_ms.p50 < 50


@pytest.mark.waits
def test_one_that_does_not_say_when_packets_arrived_times_no_direction() -> None:
    reflector = ScapyReflector(lose_up=20, alter=without_t2)
    with served(reflector) as port:
        facts = measured(port)
    assert (facts.lost_up, facts.lost_down) == (reflector.lost["up"], 0)
    assert (facts.far_clock_believed, facts.worst_jitter_ms, facts.jitter_up_ms) == (False, None, None)
    assert "The reflector's clock does not say when packets arrived" in facts.evidence["worst_jitter_ms"]
    assert facts.rtt_ms is not None
    assert 0 <= facts.rtt_ms.min <= facts.rtt_ms.p50 < 50


@pytest.mark.waits
@pytest.mark.parametrize(
    ("alter", "says"),
    [
        (of_another_session, "carry another session identifier (SSID) than ours"),
        (lambda answer, _: bytes(answer)[:38], "have 38 octets, so they do not tell with which TTL packets arrived"),
    ],
)
def test_answers_that_no_standard_foresees_are_answers(alter: Callable[[Any, float], bytes], says: str) -> None:
    with served(ScapyReflector(alter=alter)) as port:
        facts = measured(port)
    assert (facts.received, facts.lost_up, facts.lost_down) == (300, 0, 0)
    assert says in facts.evidence["window15_loss_pct"]


def test_one_that_cannot_wait_is_not_taken_for_a_binding_that_lives() -> None:
    with served(ScapyReflector()) as port:
        found = wait_for_answers(Context(LINK), Reflector("127.0.0.1", port), (0.2, 0.3))
    assert found == Lifetimes([], [], False)
