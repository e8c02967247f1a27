"""Numbers from a stream, on packets made up by hand: every fact against what was put in."""

import random

import pytest

from gosip_check.probes.media.bounds import bounds_of, own_trouble
from gosip_check.probes.media.stream_facts import SendingFacts
from gosip_check.probes.media.voice import voice_quality
from gosip_check.wire.stamp_tlv import FarDrops
from tests.unit.probes.media.streams import PACKETS, answers, constant, every, facts, sending


def test_a_clean_path_with_another_clock_at_its_far_end() -> None:
    found = facts(*[answers(constant(10), constant(30))] * 3)
    assert (found.sent, found.received, found.lost_undecided, found.ip_octets) == (3000, 3000, 0, 250)
    assert found.rtt_ms is not None
    assert (found.rtt_ms.min, found.rtt_ms.p50, found.rtt_ms.max) == pytest.approx((40, 40, 40), abs=0.001)
    for way in (found.up, found.down):
        assert (way.lost, way.loss_pct, way.delivered_pct) == (0, 0, 100)
        assert way.rate_kbps == pytest.approx(300)
        assert way.jitter_ms is not None
        assert way.jitter_ms.max == pytest.approx(0, abs=1e-6)
    assert bounds_of(found, FarDrops(0, 0))["delivered_pct"] == (100, 100)


def test_losses_are_counted_on_their_way() -> None:
    found = facts(answers(every(50, 10), constant(10)), answers(constant(10), every(10, 10)))
    assert (found.up.lost, found.down.lost) == (20, 100)
    assert found.up.loss_pct == pytest.approx(1.0)
    assert found.down.loss_pct == pytest.approx(100 * 100 / 1980)
    assert [(c.lost_up, c.lost_down, c.lost_undecided) for c in found.per_channel] == [(20, 0, 0), (0, 100, 0)]
    low, high = bounds_of(found, None)["window15_loss_pct"]
    assert low == high == pytest.approx(found.down.window15_loss_pct)


def test_a_stateless_far_end_gives_bounds_for_the_worse_way() -> None:
    found = facts(answers(every(50, 10), constant(10), stateful=False), stateful=False)
    assert (found.up.lost, found.down.lost, found.lost_undecided) == (None, None, 20)
    ranges = bounds_of(found, None)
    assert ranges["window15_loss_pct"] == pytest.approx((1.0, 2.0))
    assert ranges["delivered_pct"] == pytest.approx((98.0, 99.0))


def test_ten_packets_lost_on_end_fill_the_short_window() -> None:
    found = facts(answers(lambda n: None if 500 <= n < 510 else 10.0, constant(10)))
    assert found.round_trip_loss_pct == pytest.approx(1.0)
    assert found.up.burst200_loss_pct == 100
    assert found.longest_burst == 10
    assert found.up.burst_ratio == pytest.approx(10 * 0.99)


def test_a_queue_that_grows_all_the_time_counts_as_a_lack_of_rate() -> None:
    """0.95 of the rate for 20 s: nothing is lost yet, but the last packet is a second late."""
    found = facts(answers(lambda n: 10 + n * 20 * 0.05 / 0.95, constant(10)))
    assert found.up.lost == 0
    assert found.up.delivered_pct == pytest.approx(95.5, abs=0.3)
    assert found.up.rate_kbps == pytest.approx(95.5, abs=0.3)
    assert found.down.delivered_pct == 100


def test_jitter_stays_on_its_way() -> None:
    found = facts(answers(lambda n: 10 + (n % 2) * 8, constant(10)))
    assert found.up.jitter_ms is not None
    assert found.down.jitter_ms is not None
    assert found.up.jitter_ms.p50 == pytest.approx(8, abs=0.01)
    assert found.down.jitter_ms.max == pytest.approx(0, abs=1e-6)
    assert found.up.variation_p99_ms == pytest.approx(8, abs=0.01)
    assert bounds_of(found, None)["worst_jitter_ms"] == pytest.approx((8, 8), abs=0.01)


def test_a_far_end_that_answers_with_less_leaves_the_way_down_unloaded() -> None:
    found = facts(answers(constant(10), constant(10)), short=PACKETS)
    assert bounds_of(found, None)["delivered_pct"] == (0, 100)
    assert bounds_of(found, None)["window15_loss_pct"] == (0, 0)


def test_no_answer_at_all_is_loss_on_an_unknown_way() -> None:
    found = facts([])
    assert (found.received, found.round_trip_loss_pct, found.rtt_ms) == (0, 100, None)
    assert bounds_of(found, None)["window15_loss_pct"] == (50, 100)
    assert bounds_of(found, None)["worst_jitter_ms"] == (None, None)
    assert voice_quality(found) is None


def test_what_we_may_have_spoilt_is_taken_off_a_bad_figure_and_never_off_a_good_one() -> None:
    late = sending([0.0001] * 980 + [0.03] * 20)
    spoilt = facts(answers(every(50, 10), constant(10)), sent=late)
    assert own_trouble(spoilt, None) == ["this machine sent 20 packets more than 10 ms late"]
    low, high = bounds_of(spoilt, None)["window15_loss_pct"]
    assert low == 0
    assert high == pytest.approx(2.0)
    assert bounds_of(spoilt, None)["delivered_pct"] == pytest.approx((98, 100))
    clean = facts(answers(constant(10), constant(10)), sent=late)
    assert bounds_of(clean, None)["window15_loss_pct"] == (0, 0)
    assert bounds_of(clean, None)["delivered_pct"] == (100, 100)


def test_a_fault_far_larger_than_our_own_is_still_a_fault() -> None:
    late = sending([0.0001] * 980 + [0.03] * 20)
    found = facts(answers(every(3, 10), constant(10)), sent=late)
    low, _ = bounds_of(found, None)["window15_loss_pct"]
    assert low is not None
    assert low > 25


@pytest.mark.parametrize(
    ("sent", "drops", "far", "words"),
    [
        (sending(unsent=9), 0, None, "this machine could not send 9 packets"),
        (sending(), 9, None, "this machine was too busy to take 9 packets that had arrived"),
        (sending(clock_step_ms=-80), 0, None, "this machine's clock was moved by -80 ms meanwhile"),
        (sending(), 0, FarDrops(9, 0), "the reflector's machine was too busy to take 9 packets"),
        (sending(), 0, FarDrops(0, 9), "the reflector's rate limit refused 9 packets"),
    ],
)
def test_whose_fault_it_may_be_is_named(sent: SendingFacts, drops: int, far: FarDrops | None, words: str) -> None:
    found = facts(answers(every(100, 10), constant(10)), sent=sent, drops=drops)
    assert own_trouble(found, far) == [words]
    low, high = bounds_of(found, far)["window15_loss_pct"]
    assert low is not None
    assert high is not None
    assert low < high or "clock" in words


def test_a_sender_that_fell_behind_offered_no_load() -> None:
    found = facts(answers(constant(10), constant(10)), sent=sending([1.5]))
    assert bounds_of(found, None)["delivered_pct"] == (None, None)


def test_voice_quality_takes_late_packets_for_lost_ones() -> None:
    good = voice_quality(facts(answers(constant(10), constant(10))))
    late = voice_quality(facts(answers(lambda n: 10 if n % 20 else 90, constant(10))))
    assert good is not None
    assert late is not None
    assert good.inputs_plc.ta_ms == pytest.approx(10 + 20 + 40, abs=0.01)
    assert good.inputs_plc.ppl_pct == 0
    assert late.inputs_plc.ppl_pct == pytest.approx(5.0)
    assert late.plc.mos < good.plc.mos
    assert late.no_plc.mos < late.plc.mos


def test_the_marking_is_counted_at_both_ends() -> None:
    found = facts(answers(constant(1), constant(1), far_dscp=0), answers(constant(1), constant(1)))
    assert found.dscp_at_far_end == {0: PACKETS, 46: PACKETS}
    assert facts(answers(constant(1), constant(1), far_dscp=None)).dscp_at_far_end == {}


@pytest.mark.parametrize(("grows_ms", "least", "most"), [(0, 0, 1), (40, 40, 40)], ids=["jitter alone", "a queue too"])
def test_jitter_alone_is_no_queue_that_grows(grows_ms: float, least: int, most: int) -> None:
    """Forty short looks at ten channels whose packets come up to 120 ms late; a queue makes 40 ms of one second."""
    chance = random.Random(7)

    def up(number: int) -> float:
        return 5 + chance.random() * 120 + number * grows_ms / 40

    looks = [facts(*[answers(up, constant(5), packets=50) for _ in range(10)], packets=50) for _ in range(40)]
    assert least <= sum(look.up.growth_ms > 5 for look in looks) <= most
