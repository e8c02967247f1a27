"""The process that sends echoes, against the kernel's own answers on loopback."""

import socket
import threading
import time
from statistics import median

import pytest
from msgspec.structs import replace

from gosip_check.probes.media import echoes as echoes_module
from gosip_check.probes.media.dying import DyingStream, open_dying
from gosip_check.probes.media.echo_child import echoes_of
from gosip_check.probes.media.echo_rule import SMALL_OCTETS
from gosip_check.probes.media.echoes import EchoPlan, EchoStream
from gosip_check.probes.net import echo
from gosip_check.probes.net.echo import open_echo
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind, Link

LINK = Link(name="Internet-1", source="127.0.0.1", interface="lo")
allowed = pytest.mark.skipif(not echo.is_allowed(LINK), reason="this user may not send ICMP echoes")


@allowed
@pytest.mark.waits
def test_the_kernel_answers_every_echo_of_two_streams_at_once() -> None:
    said: list[str] = []
    context = Context(LINK, say=said.append)
    plan = EchoPlan([EchoStream("127.0.0.1", 100, 1200), EchoStream("127.0.0.2", 5, SMALL_OCTETS)], 1.5)
    with echoes_of(context) as echoes:
        large, small = echoes.send(plan, "load")
        again = echoes.send(EchoPlan([EchoStream("127.0.0.1", 50, 200)], 0.4), "voice")[0]
    assert (large.slots, small.slots, again.slots) == (150, 8, 20)
    assert large.lost == small.lost == again.lost == 0
    assert 0 < median(large.timed_ms) < 50
    assert not large.stopped
    assert [line.split(", ")[0] for line in said] == ["media: load", "media: load", "media: voice"]
    assert "round trip" in said[1]
    assert said[1].endswith("s left")


@allowed
@pytest.mark.waits
def test_streams_with_marks_have_sockets_of_their_own_and_quotes_are_timed() -> None:
    """Where a packet is addressed to the hop itself, the kernel there says that nobody listens, and quotes it."""
    dying = [DyingStream("127.0.0.1", 9, 5, "127.0.0.1", 50, 200, dscp) for dscp in (46, 0)]
    marked = [EchoStream("127.0.0.1", 50, 200, dscp) for dscp in (46, 0)]
    with echoes_of(Context(LINK)) as echoes:
        phases = echoes.send(EchoPlan(marked, 0.5, quoted=dying), "full")
        elsewhere = echoes.send(EchoPlan(marked, 0.5, quoted=[replace(dying[0], hop="192.0.2.1")]), "full")
    assert [(phase.lost, phase.stopped) for phase in phases] == [(0, "")] * 4
    assert all(phase.timed_ms and min(phase.timed_ms) >= 0 for phase in phases)
    assert [(phase.sent, phase.stopped) for phase in elsewhere] == [(0, "elsewhere")] * 3


@allowed
@pytest.mark.waits
def test_what_died_beside_one_plan_is_no_part_of_the_next() -> None:
    streams, dying = [EchoStream("127.0.0.1", 50, 200)], DyingStream("127.0.0.1", 9, 5, "127.0.0.1", 50, 200)
    with echoes_of(Context(LINK)) as echoes:
        beside = echoes.send(EchoPlan(streams, 0.2, dying=dying), "uplink")
        alone = echoes.send(EchoPlan(streams, 1.2), "voice")
    assert [(phase.sent, phase.stopped) for phase in beside] == [(10, ""), (10, "")]
    assert [(phase.sent, phase.lost, phase.stopped) for phase in alone] == [(60, 0, "")]


@pytest.mark.parametrize("dscp", [0, 46])
def test_what_dies_on_the_way_is_marked_and_its_quote_says_which_and_when(dscp: int) -> None:
    before_ns = time.time_ns()
    with open_dying(LINK, DyingStream("127.0.0.1", 9, 5, "127.0.0.1", 50, 200, dscp)) as sock:
        assert sock.dies_there()
        assert sock.send(7)
        assert sock._socks[0].getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == dscp << 2
        quotes: list[tuple[int, int]] = []
        while (7 not in [number for number, _ in quotes]) and time.time_ns() < before_ns + 5e9:
            quotes += sock.quotes() or []
        assert [number for number, _ in quotes] == [7]
        assert before_ns < quotes[0][1] <= time.time_ns()
        assert not sock.went_elsewhere


class _Clock:
    """Stands in for `time`, and for a socket that notes when it was used. Sleeping takes no time."""

    drops = 0

    def __init__(self) -> None:
        self.now_s, self.sent_s = 0.0, dict[str, list[float]]()

    def monotonic(self) -> float:
        return self.now_s

    def time_ns(self) -> int:
        return round(self.now_s * 1e9)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def send(self, address: str, _: int, __: bytes) -> bool:
        self.sent_s.setdefault(address, []).append(self.now_s)
        return True

    def receive(self) -> None:
        return None


@pytest.mark.parametrize("at_random", [False, True])
def test_streams_of_one_pace_keep_in_step_unless_each_leaves_at_random(
    monkeypatch: pytest.MonkeyPatch, at_random: bool
) -> None:
    clock = _Clock()
    monkeypatch.setattr(echoes_module, "time", clock)
    plan = EchoPlan([EchoStream("a", 15, 200), EchoStream("b", 225, 200)], 10, at_random=at_random)
    sendings = [echoes_module._Sending(stream) for stream in plan.streams]
    assert echoes_module._Echoes(clock, LINK)._send(plan, sendings, 0.0) == ""  # type: ignore[arg-type]
    assert [len(clock.sent_s[address]) for address in "ab"] == [150, 2250]
    between_s = [min(abs(at_s - other_s) for other_s in clock.sent_s["b"]) for at_s in clock.sent_s["a"][5:]]
    assert (max(between_s) - min(between_s) > 0.001) == at_random
    in_slot = [at_s * 15 - number for number, at_s in enumerate(clock.sent_s["a"])]
    assert -1e-9 < min(in_slot) <= max(in_slot) < 1.01


@pytest.mark.parametrize(("rtt_ms", "waits_s"), [(10.0, 0.7), (800.0, 1.2), (5000.0, 2.0)])
def test_the_last_answers_are_waited_for_as_long_as_those_before_took(
    monkeypatch: pytest.MonkeyPatch, rtt_ms: float, waits_s: float
) -> None:
    clock = _Clock()
    monkeypatch.setattr(echoes_module, "time", clock)
    sending = echoes_module._Sending(EchoStream("a", 15, 200), rtts_ms=[rtt_ms, None])
    echoes = echoes_module._Echoes(clock, LINK)  # type: ignore[arg-type]
    echoes._sendings, echoes._waiting = [sending], {1: (sending, 1)}
    echoes._wait_for_the_rest()
    assert clock.now_s == pytest.approx(waits_s, abs=0.02)


@allowed
@pytest.mark.waits
def test_a_slot_that_has_passed_is_left_out() -> None:
    """A million a second is more than any process keeps up with; what it sends is on time or not at all."""
    with echoes_of(Context(LINK)) as echoes:
        phase = echoes.send(EchoPlan([EchoStream("127.0.0.1", 1_000_000, 84)], 0.2), "load")[0]
    assert phase.slots >= phase.sent
    assert not phase.on_time


@allowed
@pytest.mark.waits
def test_a_stopped_run_ends_the_process_at_once() -> None:
    stop = threading.Event()
    began_s = time.monotonic()
    with echoes_of(Context(LINK, stop)) as echoes:
        threading.Timer(0.5, stop.set).start()
        with pytest.raises(ProbeFailed) as raised:
            echoes.send(EchoPlan([EchoStream("127.0.0.1", 20, 84)], 30), "voice")
    assert raised.value.failure.kind is FailureKind.INTERRUPTED
    assert time.monotonic() - began_s < 10


@allowed
def test_answers_of_others_do_not_count() -> None:
    """Two sockets ask the same host under the same numbers; each takes its own answers only."""
    one, other = open_echo(LINK), open_echo(LINK)
    assert one.send("127.0.0.1", 5, b"one")
    assert other.send("127.0.0.1", 5, b"other")
    answers: list[echo.Answer] = []
    until_s = time.monotonic() + 5
    while len(answers) < 2 and time.monotonic() < until_s:
        answers += [answer for sock in (one, other) if (answer := sock.receive()) is not None]
    time.sleep(0.05)
    assert sorted(answer.payload for answer in answers) == [b"one", b"other"]
    assert one.receive() is None
    assert other.receive() is None
    assert all(abs(answer.arrived_ns - time.time_ns()) < 60e9 for answer in answers)
    one.close()
    other.close()


def test_who_may_not_send_echoes_is_told_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gosip_check.probes.net.sockets.icmp_socket", lambda *_: None)
    assert not echo.is_allowed(LINK)
    with pytest.raises(ProbeFailed) as raised:
        open_echo(LINK)
    assert raised.value.failure.kind is FailureKind.PERMISSION
    assert "sysctl -w net.ipv4.ping_group_range='0 2147483647'" in raised.value.failure.message
