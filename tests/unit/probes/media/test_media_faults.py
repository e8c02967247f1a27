"""What our own machines, the reflector and clocks do is never held against the line, nor makes a bad line pass."""

import random
from collections.abc import Callable

import msgspec
import pytest

from gosip_check import checklist
from gosip_check.judge import judge
from gosip_check.probes.far_end import FarEnd
from gosip_check.probes.media import channels, far_clock
from gosip_check.probes.media.answer import Answer
from gosip_check.probes.media.bounds import Ending, Range, bounds_of, bounds_of_round_trips, own_trouble
from gosip_check.probes.media.facts import facts_of_stream
from gosip_check.probes.media.round_trips import Responder
from gosip_check.probes.media.stream import StreamPlan
from gosip_check.probes.media.stream_facts import StreamFacts
from gosip_check.probes.media.summary import RoundTrip
from gosip_check.records import Link
from gosip_check.wire.stamp_tlv import FarDrops
from tests.unit.probes.media.streams import (
    PACKETS,
    answers,
    constant,
    every,
    facts,
    restarted,
    sending,
    with_far_clock_moved,
    with_own_clock_moved,
)
from tests.unit.records import measurement

CHECKLIST = checklist.load("go-native")
FAR = FarEnd(stateful=True, mapped=None, drops=FarDrops(0, 0))
NO_DROPS = FarDrops(0, 0)
GOOD = constant(10)


def verdicts(
    stream: StreamFacts, drops: FarDrops | None = NO_DROPS, ending: Ending = Ending.ANSWERED, calls: Range | None = None
) -> dict[str, tuple[str, str]]:
    """Requirement -> outcome and reason, as a report of this stream would have them."""
    end = drops, ending
    found = facts_of_stream("h:1", FAR, stream, end, bounds_of(stream, *end), calls)
    seen = measurement(msgspec.to_builtins(found))
    judged = [judge(r, seen) for r in CHECKLIST.requirements if r.probe == "media"]
    return {v.id.removeprefix("media."): (v.outcome.value, v.reason) for v in judged}


def outcomes(stream: StreamFacts, **options: object) -> dict[str, str]:
    return {name: outcome for name, (outcome, _) in verdicts(stream, **options).items()}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ms", "at"),
    # So near the ends (25, 985) only steps that do harm are looked for.
    [(ms, at) for ms in (1500.0, -1500.0, -150.0) for at in (25, 300, 310, 985)] + [(30.0, 300), (30.0, 310)],
)
def test_a_far_clock_that_is_set_is_taken_out(ms: float, at: int) -> None:
    stream = facts(*[with_far_clock_moved(answers(GOOD, constant(12)), at, ms) for _ in range(4)])
    assert set(outcomes(stream).values()) == {"pass"}
    assert stream.far_clock_step_ms == pytest.approx(ms, abs=0.01)
    assert stream.up.jitter_ms is not None
    assert stream.up.jitter_ms.max < 0.01
    assert (stream.up.late, stream.down.late) == (0, 0)
    assert "The reflector's clock was moved" in verdicts(stream)["jitter"][1]


@pytest.mark.parametrize("ms", [1500.0, -1500.0])
def test_our_own_clock_that_is_set_fails_nothing(ms: float) -> None:
    channel = with_own_clock_moved(answers(GOOD, constant(12)), 300, ms)
    stream = facts(*[channel] * 4, sent=sending(clock_step_ms=ms))
    assert set(outcomes(stream).values()) == {"pass"}
    assert stream.far_clock_step_ms == 0


def test_queues_and_jitter_are_no_clock() -> None:
    queue = answers(lambda n: 10.0 if n < 500 else 90.0, constant(12))
    assert far_clock.steps([a.up_ms for a in queue], [a.down_ms for a in queue]) == []
    chance = random.Random(1)
    for _ in range(20):
        up, down = ([chance.uniform(0, 60) for _ in range(PACKETS)] for _ in range(2))
        assert far_clock.steps(up, down) == []


def test_one_channel_alone_does_not_make_a_clock() -> None:
    moved = with_far_clock_moved(answers(GOOD, constant(12)), 300, 1500)
    assert facts(moved, answers(GOOD, constant(12))).far_clock_step_ms == 0


@pytest.mark.parametrize("ms", [-24_900.0, -290_232_729_600.0, 290_232_729_600.0])
def test_round_trips_that_no_path_has_end_in_no_exception(ms: float) -> None:
    """As a far end's wrong time stamps make them."""
    outcome, reason = verdicts(facts(answers(GOOD, constant(ms))))["mos"]
    assert (outcome, "no round trip that a call's score" in reason) == ("unknown", True)


def test_own_drops_that_are_few_in_all_are_not_held_against_a_window() -> None:
    """15 of 30,000 packets are 0.05 %, and 2 % of the 15 s that they fall in."""
    packets = 30_000
    channel = answers(GOOD, lambda n: None if 5000 <= n < 5015 else 10.0, packets=packets)
    stream = facts(channel, drops=15, packets=packets)
    judged = verdicts(stream)
    assert judged["loss"][0] == judged["bursts"][0] == "unknown"
    assert "this machine was too busy to take 15 packets" in judged["loss"][1]
    assert outcomes(facts(channel, packets=packets))["loss"] == "fail"


def test_nothing_is_doubted_where_our_own_fault_changed_nothing() -> None:
    stream = facts(answers(GOOD, GOOD), sent=sending([0.0001] * 999 + [0.03]))
    judged = verdicts(stream)
    assert own_trouble(stream, None) == ["this machine sent 1 packet more than 10 ms late"]
    assert judged["loss"][0] == "pass"
    assert "But this machine" not in judged["loss"][1] + judged["bandwidth"][1]


def test_packets_that_the_far_end_refused_lower_no_score() -> None:
    stream = facts(*[answers(every(10, 10), constant(12)) for _ in range(4)])
    judged = verdicts(stream, FarDrops(0, 400))
    assert {judged[name][0] for name in ("bandwidth", "loss", "bursts", "mos")} == {"unknown"}
    assert "rate limit refused 400 packets" in judged["mos"][1]
    assert outcomes(stream)["mos"] == "warn"


def test_a_reflector_that_restarts_leaves_open_what_was_lost_meanwhile() -> None:
    stream = facts(*[restarted(answers(GOOD, GOOD), 500, 600) for _ in range(4)])
    assert stream.restarted
    judged = verdicts(stream)
    assert {judged[name][0] for name in ("bandwidth", "loss", "bursts", "mos")} == {"unknown"}
    assert "the reflector began to count again on every channel: it was restarted" in judged["loss"][1]


def test_one_session_that_begins_anew_is_no_restart() -> None:
    stream = facts(restarted(answers(GOOD, GOOD), 500, 600), *[answers(GOOD, GOOD)] * 3)
    assert not stream.restarted
    assert outcomes(stream)["loss"] == "fail"


def test_counters_that_go_back_tell_of_a_restart_and_of_no_packets() -> None:
    before = FarEnd(True, None, FarDrops(100, 5))
    assert channels.ended(before, FarEnd(True, None, FarDrops(3, 0))) == (FarDrops(3, 0), Ending.RESTARTED)
    assert channels.ended(before, FarEnd(True, None, FarDrops(101, 5))) == (FarDrops(1, 0), Ending.ANSWERED)
    wrapping = FarEnd(True, None, FarDrops(0xFFFFFFFF, 0))
    assert channels.ended(wrapping, FarEnd(True, None, FarDrops(1, 0))) == (FarDrops(2, 0), Ending.ANSWERED)


def test_a_far_end_that_stops_answering_leaves_open_what_came_after_its_last_answer() -> None:
    stream = facts(*[[a for a in answers(GOOD, GOOD) if a.sequence < 600] for _ in range(4)])
    assert stream.lost_at_end == 1600
    judged = verdicts(stream, None, Ending.SILENT)
    assert {judged[name][0] for name in ("bandwidth", "loss", "bursts", "mos")} == {"unknown"}
    assert "the reflector had stopped answering by the end" in judged["loss"][1]


def test_a_line_that_lost_before_the_far_end_fell_silent_is_still_a_bad_line() -> None:
    stream = facts(*[[a for a in answers(every(3, 10), GOOD) if a.sequence < 990] for _ in range(4)])
    assert outcomes(stream, drops=None, ending=Ending.SILENT)["loss"] == "fail"


def test_a_few_losses_at_a_stateless_far_end_have_no_direction() -> None:
    stream = facts(answers(every(200, 10), GOOD, stateful=False), stateful=False)
    assert (stream.up.lost, stream.down.lost, stream.lost_undecided) == (None, None, 5)
    assert verdicts(stream)["loss"][1].startswith("Round trip only")


def test_a_drift_of_clocks_and_a_queue_that_stands_leave_the_voice_alone() -> None:
    def drifting(answer: Answer) -> Answer:
        drift_ms = answer.sequence * 0.06
        return answer._replace(up_ms=answer.up_ms + drift_ms, down_ms=answer.down_ms - drift_ms)

    drifted = facts(*[[drifting(a) for a in answers(GOOD, GOOD)]] * 4)
    stood = facts(*[answers(lambda n: 1.0 if n < 3 else 50.0, constant(5))] * 4)
    for stream in (drifted, stood):
        assert (stream.up.too_late_pct, stream.down.too_late_pct) == (0, 0)
        assert outcomes(stream)["mos"] == "pass"
    assert drifted.up.variation_p99_ms is not None
    assert drifted.up.variation_p99_ms <= 0.06 * 750


@pytest.mark.parametrize("share", [0.90, 0.95])
@pytest.mark.parametrize("seconds", [1, 2])
@pytest.mark.parametrize("way", ["up", "down"])
def test_a_queue_that_still_grows_does_not_pass(share: float, seconds: int, way: str) -> None:
    def queue(number: int) -> float:
        return 10 + number * 20 * (1 - share) / share

    packets = seconds * 50
    ways: tuple[Callable[[int], float | None], Callable[[int], float | None]] = (queue, GOOD)
    stream = facts(*[answers(*(ways if way == "up" else ways[::-1]), packets=packets)] * 5, packets=packets)
    judged = verdicts(stream)
    assert judged["bandwidth"][0] != "pass"
    assert f"The delay {way} grew by" in judged["bandwidth"][1] or judged["bandwidth"][0] == "fail"


def test_a_share_that_is_left_open_says_why() -> None:
    stream = facts(*[answers(every(60, 10), every(161, 10)) for _ in range(10)])
    outcome, reason = verdicts(stream)["bandwidth"]
    assert outcome == "fail"
    assert "Up is the worse direction. Down was loaded with no more than what came up." in reason
    assert "between 97.80 % and 98.40 %" in reason


def test_a_loss_that_calls_can_bear_is_no_lack_of_bandwidth() -> None:
    """What 0.6 % less came up would not have filled the way down."""
    stream = facts(*[answers(every(160, 10), every(161, 10)) for _ in range(10)])
    outcome, reason = verdicts(stream)["bandwidth"]
    assert (outcome, "(99.40 % in time) up" in reason) == ("pass", True)
    stream = facts(*[answers(every(160, 10), every(60, 10)) for _ in range(10)])
    assert verdicts(stream)["bandwidth"][0] == "fail"


def test_the_marking_must_survive_both_ways() -> None:
    def marked(far: int | None, home: int, may: bool = True) -> list[Answer]:
        return [a._replace(dscp=home, marked=may) for a in answers(GOOD, GOOD, far_dscp=far)]

    def outcome(channel: list[Answer]) -> str:
        return outcomes(facts(channel))["dscp"]

    assert outcome(marked(46, 46)) == "pass"
    assert outcome(marked(46, 0)) == outcome(marked(0, 46)) == outcome(marked(0, 0, may=False)) == "warn"
    assert outcome(marked(46, 0, may=False)) == outcome(marked(None, 46)) == "unknown"
    unmarked = msgspec.structs.replace(facts(marked(0, 46)), dscp_sent=0)
    assert verdicts(unmarked)["dscp"][0] == "unknown"


def test_a_packet_of_ipv6_is_as_large_as_one_of_ipv4() -> None:
    link = Link("Internet-1")
    four = StreamPlan(
        address="192.0.2.1", port=1, channels=1, packets=1, ip_octets=250, ssid=1, stateful=True, link=link
    )
    six = msgspec.structs.replace(four, address="2001:db8::1")
    assert (four.octets, six.octets) == (222, 202)


def responder(asked: int, answered: int, address: str = "192.0.2.1", p95: float = 20.0) -> Responder:
    trip = RoundTrip(min=10.0, p50=15.0, p95=p95, p99=p95, max=p95) if answered >= 3 else None
    return Responder("target", address, "icmp", asked, answered, trip)


def test_round_trips_prove_something_only_where_most_were_answered() -> None:
    enough = {"rtt_ms.p95": (0.0, 20.0), "worst_jitter_ms": (0.0, 10.0)}
    assert bounds_of_round_trips([responder(10, 8)]) == enough
    assert bounds_of_round_trips([responder(10, 7)]) == {}
    assert bounds_of_round_trips([responder(50, 39)]) == {}
    assert bounds_of_round_trips([responder(3, 3)]) == {}
    assert bounds_of_round_trips([responder(10, 8), responder(50, 2, "192.0.2.2")]) == {}
    assert bounds_of_round_trips([responder(10, 8), responder(50, 3), responder(3, 0, "192.0.2.2")]) == enough


def test_every_channel_has_figures_of_its_own() -> None:
    stream = facts(answers(every(50, 10), constant(12)), answers(lambda n: 10 + n % 2 * 8, every(10, 12)))
    first, second = stream.per_channel
    assert (first.sent, first.received, first.lost_up, first.lost_down) == (1000, 980, 20, 0)
    assert (second.sent, second.received, second.lost_up, second.lost_down) == (1000, 900, 0, 100)
    assert (first.rate_up_kbps, first.rate_down_kbps) == pytest.approx((98, 98))
    assert (second.rate_up_kbps, second.rate_down_kbps) == pytest.approx((100, 90))
    assert (first.window15_loss_pct, second.window15_loss_pct) == pytest.approx((2, 10))
    assert (first.burst200_loss_pct, second.burst200_loss_pct, first.burst_ratio) == (10, 10, 1)
    assert first.rtt_ms is not None
    assert (first.rtt_ms.min, first.rtt_ms.p95, first.rtt_ms.p99) == pytest.approx((22, 22, 22))
    assert second.jitter_up_ms is not None
    assert (second.jitter_up_ms.p50, second.variation_up_p99_ms) == pytest.approx((7.1, 8), abs=0.1)
    assert second.jitter_down_ms is not None
    assert second.jitter_down_ms.p99 == pytest.approx(0, abs=1e-6)
    assert (first.far_dscp, second.far_dscp) == (46, 46)
