"""The media probe from end to end on loopback: a child process, a reflector, and a bad line that counts its drops."""

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import sqrt
from pathlib import Path
from typing import Any

import pytest

from gosip_check.probes import far_end
from gosip_check.probes.media import channels
from gosip_check.probes.media.facts import Facts
from gosip_check.probes.media.options import Options
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind, Link
from gosip_check.servers.impairment import ImpairingRelay, Impairment
from gosip_check.servers.reflector import Reflector, ReflectorOptions
from tests.timely import going_first, in_time

pytestmark = pytest.mark.waits

CLEAN = Impairment()
LINK = Link(name="Internet-1", source="127.0.0.1", interface="lo")


@contextmanager
def far(**options: Any) -> Iterator[int]:
    stop = threading.Event()
    with Reflector.open(ReflectorOptions(addresses=("127.0.0.1",), ports=(0,), **options)) as reflector:
        thread = threading.Thread(target=reflector.serve, args=(stop,))
        thread.start()
        try:
            yield reflector.stamp_ports[0]
        finally:
            stop.set()
            thread.join()


@pytest.fixture(autouse=True)
def _first() -> Iterator[None]:
    with going_first():
        yield


def measured_once(port: int, stop: threading.Event | None = None, **options: Any) -> Facts:
    chosen = {"channels": 5, "duration_s": 2.0, "reflector": f"127.0.0.1:{port}", **options}
    context = Context(LINK, stop or threading.Event())
    return channels.measure(Options(domain="trunk.example", transport="udp", **chosen), context)


def measured(port: int, **options: Any) -> Facts:
    """On a machine that did not keep time it is measured again."""
    return in_time(lambda: measured_once(port, **options), kept_time)


def kept_time(facts: Facts) -> bool:
    """This machine did."""
    return not (facts.sent_late or facts.own_drops)


def test_every_packet_is_accounted_for_on_a_clean_line() -> None:
    with far() as port:
        facts = measured(port)
    assert (facts.sent, facts.received, facts.lost_up, facts.lost_down) == (500, 500, 0, 0)
    assert facts.reflector_stateful is True
    assert facts.mapped_address is not None
    assert facts.mapped_address.startswith("127.0.0.1:")
    assert facts.rate_up_kbps == pytest.approx(500)
    assert facts.rate_down_kbps == pytest.approx(500)
    assert facts.delivered_pct == 100
    assert facts.dscp_survives is True
    assert len(facts.per_channel) == 5
    assert facts.rtt_ms is not None
    assert 0 < facts.rtt_ms.min <= facts.rtt_ms.p50 <= facts.rtt_ms.p99 <= facts.rtt_ms.max
    assert "prove only that the loss is below 0.76 %" in facts.evidence["window15_loss_pct"]


@pytest.mark.parametrize(
    ("up", "down"), [(0.1, 0.0), (0.0, 0.1), (0.05, 0.15)], ids=["way up", "way down", "both, down more"]
)
def test_loss_is_found_on_the_way_where_the_line_dropped_it(up: float, down: float) -> None:
    with far() as port, ImpairingRelay(("127.0.0.1", port), Impairment(loss=up), Impairment(loss=down)) as relay:
        # A line that loses so much may leave too few answers to see that the far end counts, and so no direction.
        facts = in_time(
            lambda: measured_once(relay.port), lambda seen: kept_time(seen) and seen.reflector_stateful is True
        )
        dropped = relay.way_up.dropped, relay.way_down.dropped
    # The line also dropped packets that are not counted: the hello, the tail, the second pass.
    for lost, of, share in ((facts.lost_up, 500, up), (facts.lost_down, 500 - (facts.lost_up or 0), down)):
        assert lost is not None
        assert lost == pytest.approx(of * share, abs=5 * sqrt(of * share * (1 - share)))
    assert (facts.lost_up or 0) <= dropped[0]
    assert (facts.lost_down or 0) <= dropped[1]
    if up == 0:
        assert facts.lost_up == 0
    if down == 0:
        assert facts.lost_down == 0


@pytest.mark.parametrize(("share_pct", "is_tried"), [(90.0, False), (99.9, True)])
def test_when_real_packets_are_tried_is_an_option(share_pct: float, is_tried: bool) -> None:
    """Room for some 96 %: between the two, and so much is lost that nobody takes it for the losses of any line."""
    with far() as port, ImpairingRelay(("127.0.0.1", port), Impairment(rate_kbps=470), CLEAN) as relay:
        once = partial(measured_once, relay.port, carried_delivered_pct=share_pct)
        # Before the real packets goes a small stream; one that this machine sent late decides nothing.
        facts = in_time(once, lambda each: kept_time(each) and (each.lossy is not None or not is_tried))
    assert (facts.calls_delivered_pct is not None) == is_tried
    assert ("With real G.711 packets" in facts.evidence["delivered_pct"]) == is_tried


def test_a_line_that_loses_at_any_rate_is_called_lossy_and_its_rate_is_not_blamed() -> None:
    with far() as port, ImpairingRelay(("127.0.0.1", port), Impairment(loss=0.05), CLEAN) as relay:
        facts = measured(relay.port)
    assert (facts.lossy, facts.too_narrow) == (True, False)
    assert facts.calls_delivered_pct is None
    assert facts.delivered_pct is None
    low, high = facts.between["delivered_pct"]
    assert (low or 0) < 99 < (high or 0)
    assert "so it is not the speed" in facts.evidence["delivered_pct"]


@contextmanager
def forgetful_nat(far_port: int, after: int, lost: int) -> Iterator[int]:
    """Its port. After so many packets it forgets every flow, loses so many, and then gives each flow a new port."""
    stop = threading.Event()

    def serve() -> None:
        flows: dict[Any, socket.socket] = {}
        passed = 0
        while not stop.is_set():
            for ready in select.select([near, *flows.values()], [], [], 0.02)[0]:
                if ready is near:
                    data, client = near.recvfrom(2048)
                    passed += 1
                    if after <= passed < after + lost:
                        for sock in flows.values():
                            sock.close()
                        flows.clear()
                        break
                    if client not in flows:
                        flows[client] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                        flows[client].connect(("127.0.0.1", far_port))
                    flows[client].send(data)
                else:
                    near.sendto(ready.recv(2048), next(c for c, flow in flows.items() if flow is ready))
        for sock in flows.values():
            sock.close()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near:
        near.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield near.getsockname()[1]
        finally:
            stop.set()
            thread.join()


def test_a_nat_that_forgets_its_flows_is_no_restart_of_the_reflector() -> None:
    """The reflector counts anew for each new port, and says which port it sees."""

    def once() -> Facts:
        with far() as port, forgetful_nat(port, 300, 120) as nat_port:
            return measured_once(nat_port, duration_s=3.0)

    facts = in_time(once, lambda facts: not (facts.sent_late or facts.own_drops or facts.far_late))
    assert (facts.ports_changed, facts.far_restarted) == (5, False)
    assert facts.round_trip_loss_pct is not None
    assert facts.round_trip_loss_pct > 5
    low, _ = facts.between.get("window15_loss_pct", (facts.window15_loss_pct, None))
    assert low is not None
    assert low > 1
    assert "A device on the way forgot them" in facts.evidence["window15_loss_pct"]


def test_delay_and_jitter_are_found_on_their_way() -> None:
    with far() as port, ImpairingRelay(("127.0.0.1", port), Impairment(delay_ms=30, jitter_ms=60), CLEAN) as relay:
        facts = measured(relay.port)
    assert facts.rtt_ms is not None
    assert facts.jitter_up_ms is not None
    assert facts.jitter_down_ms is not None
    assert facts.rtt_ms.min >= 30
    # Differences of two uniform variables on 0 to 60 ms are 20 ms on average.
    assert facts.jitter_up_ms.p50 == pytest.approx(20, abs=6)
    assert facts.jitter_down_ms.p50 < facts.jitter_up_ms.p50 / 2
    assert facts.reordered
    assert facts.lost_up == 0


def test_a_stateless_reflector_is_recognised_and_tells_no_direction() -> None:
    with (
        far(stateful=False) as port,
        ImpairingRelay(("127.0.0.1", port), Impairment(loss=0.2), CLEAN) as relay,
    ):
        facts = measured(relay.port)
    assert facts.reflector_stateful is False
    assert (facts.lost_up, facts.lost_down, facts.loss_up_pct) == (None, None, None)
    assert facts.lost_undecided
    assert facts.round_trip_loss_pct == pytest.approx(20, abs=6)
    assert facts.evidence["window15_loss_pct"].startswith("Round trip only (the reflector is stateless)")
    low, high = facts.between["window15_loss_pct"]
    assert low is not None
    assert high is not None
    assert low <= high / 2


@contextmanager
def twamp_light() -> Iterator[int]:
    """A TWAMP Light reflector without state, as RFC 5357 4.2.1 lays its packet out: 41 octets, whatever it was sent."""
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                data, sender = sock.recvfrom(2048)
            except TimeoutError:
                continue
            now = struct.pack("!II", int(time.time()) + 2_208_988_800, int(time.time() % 1 * 2**32))
            reply = bytearray(41)
            reply[0:4] = data[0:4]  # Sequence Number, copied
            reply[4:12] = now  # Timestamp
            reply[12:14] = b"\x00\x01"  # Error Estimate
            reply[16:24] = now  # Receive Timestamp
            reply[24:28] = data[0:4]  # Sender Sequence Number
            reply[28:36] = data[4:12]  # Sender Timestamp
            reply[36:38] = data[12:14]  # Sender Error Estimate
            reply[40] = 64  # Sender TTL
            sock.sendto(reply, sender)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.05)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            stop.set()
            thread.join()


def test_a_plain_twamp_light_reflector_is_enough_for_round_trips_and_the_way_up() -> None:
    with twamp_light() as port, ImpairingRelay(("127.0.0.1", port), Impairment(loss=0.1), CLEAN) as relay:
        facts = measured(relay.port)
    assert facts.reflector_stateful is False
    assert (facts.lost_up, facts.lost_down) == (None, None)
    assert facts.lost_undecided
    assert facts.round_trip_loss_pct == pytest.approx(10, abs=5)
    assert facts.short_answers
    assert facts.rtt_ms is not None
    assert 0 < facts.rtt_ms.min < 50
    assert facts.jitter_up_ms is not None
    assert facts.jitter_up_ms.p50 < 10
    assert (facts.dscp_at_far_end, facts.dscp_survives) == ({}, None)
    assert facts.between["delivered_pct"][0] == 0
    assert "answers with shorter packets" in facts.evidence["delivered_pct"]


def test_a_reflector_that_hangs_is_not_a_bad_line() -> None:
    stop = threading.Event()
    options = ReflectorOptions(addresses=("127.0.0.1",), ports=(0,))
    with Reflector.open(options) as reflector:
        thread = threading.Thread(target=reflector.serve, args=(stop,))
        thread.start()
        timer = threading.Timer(1.5, stop.set)
        timer.start()
        facts = measured_once(reflector.stamp_ports[0], duration_s=3.0)
        timer.join()
        thread.join()
    assert_open(facts)


def test_a_reflector_that_dies_is_not_a_bad_line_and_our_machine_did_send() -> None:
    stop = threading.Event()
    options = ReflectorOptions(addresses=("127.0.0.1",), ports=(0,))
    with Reflector.open(options) as reflector:

        def serve() -> None:
            reflector.serve(stop)
            reflector.close()  # from now on the kernel answers: port unreachable

        thread = threading.Thread(target=serve)
        thread.start()
        timer = threading.Timer(1.5, stop.set)
        timer.start()
        facts = measured_once(reflector.stamp_ports[0], duration_s=3.0)
        timer.join()
        thread.join()
    assert_open(facts)
    assert facts.unsent == 0


def assert_open(facts: Facts) -> None:
    assert facts.received
    assert facts.sent == 750 > facts.received
    assert facts.far_answered_afterwards is False
    for fact in ("delivered_pct", "window15_loss_pct", "burst200_loss_pct", "mos"):
        assert "the reflector had stopped answering by the end" in facts.evidence[fact]
    low, high = facts.between["delivered_pct"]
    assert low is not None
    assert low < 99
    assert high == pytest.approx(100, abs=0.5)
    low, high = facts.between["window15_loss_pct"]
    assert low == pytest.approx(0, abs=0.5)
    assert high is not None
    assert high > 1


def test_an_answer_without_our_signature_is_told_from_silence(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("0123456789abcdef\n")
    key.chmod(0o600)
    for without_key in (far, twamp_light):
        with without_key() as port:
            facts = measured(port, duration_s=1.0, reflector_key_file=str(key))
        assert facts.sent is None
        assert "answers, but its answers are not signed with the key" in facts.evidence["delivered_pct"]


def test_addresses_of_ipv6_stand_in_brackets() -> None:
    assert str(far_end.Reflector("2001:db8::1", 862)) == "[2001:db8::1]:862"


def test_a_signed_session_works_and_a_wrong_key_is_a_silent_reflector(tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("0123456789abcdef\n")
    wrong.write_text("another key that is long enough\n")
    for file in (right, wrong):
        file.chmod(0o600)
    with far(key=b"0123456789abcdef") as port:
        facts = measured(port, channels=2, duration_s=1.0, reflector_key_file=str(right))
        refused = measured(port, channels=2, duration_s=1.0, reflector_key_file=str(wrong))
    assert (facts.sent, facts.received, facts.dscp_survives) == (100, 100, True)
    assert refused.sent is None
    assert "did not answer" in refused.evidence["delivered_pct"]
    assert "have another key" in refused.evidence["delivered_pct"]


def test_a_reflector_that_is_not_there_decides_nothing() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        facts = measured(sock.getsockname()[1], duration_s=1.0)
    for fact in ("delivered_pct", "window15_loss_pct", "worst_jitter_ms", "mos", "dscp_survives"):
        assert getattr(facts, fact) is None
        assert "did not answer" in facts.evidence[fact]
    assert facts.between == {}


@pytest.mark.parametrize("reflector", ["no.such.host.invalid", "255.255.255.255", "fe80::1%lo"])
def test_a_far_end_that_cannot_be_sent_to_is_no_fault_of_the_line(
    reflector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_address(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_address)
    facts = measured(0, reflector=reflector, duration_s=1.0)
    for fact in ("delivered_pct", "window15_loss_pct", "worst_jitter_ms", "mos", "dscp_survives"):
        assert getattr(facts, fact) is None
        assert "No media was sent: " in facts.evidence[fact]
    assert facts.between == {}


def test_a_reflector_that_limits_us_is_not_a_bad_line() -> None:
    with far(packets_per_s=100) as port:
        facts = measured(port)
    assert facts.far_refused
    assert facts.round_trip_loss_pct is not None
    assert facts.round_trip_loss_pct > 20
    low, high = facts.between["window15_loss_pct"]
    assert low is not None
    assert high is not None
    assert low < 1 < high
    assert "the reflector's rate limit refused" in facts.evidence["window15_loss_pct"]


def test_stopping_ends_the_child_at_once() -> None:
    stop = threading.Event()
    with far() as port:
        timer = threading.Timer(1.5, stop.set)
        timer.start()
        started_s = time.monotonic()
        with pytest.raises(ProbeFailed) as failed:
            measured_once(port, stop, duration_s=60.0)
        timer.join()
    assert failed.value.failure.kind is FailureKind.INTERRUPTED
    assert time.monotonic() - started_s < 30


def test_without_a_reflector_and_servers_it_says_how_to_get_one() -> None:
    context = Context(LINK)
    facts = channels.measure(Options(domain="trunk.example", transport="udp", duration_s=1.0), context)
    assert "gosip-check reflector" in facts.evidence["window15_loss_pct"]
    assert "gosip-check reflector" in facts.evidence["rtt_ms.p95"]
    assert facts.between == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1", 862)),
        ("far.example:8620", ("far.example", 8620)),
        ("[2001:db8::1]:8620", ("2001:db8::1", 8620)),
        ("[2001:db8::1]", ("2001:db8::1", 862)),
        ("2001:db8::1", ("2001:db8::1", 862)),
    ],
)
def test_a_host_and_its_port(text: str, expected: tuple[str, int]) -> None:
    assert far_end.host_and_port(text) == expected


@pytest.mark.parametrize(
    "text", ["", ":862", "a:b", "a:0", "a:65536", "[::1]862", "a\x1b:1", "a:\u0661", "/etc/hosts", "a@b"]
)
def test_what_is_no_host_and_port(text: str) -> None:
    with pytest.raises(ValueError, match="would be right"):
        far_end.host_and_port(text)
