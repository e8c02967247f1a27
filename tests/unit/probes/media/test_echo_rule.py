"""The rule of the echo load on lines whose truth is known: never a wrong word, and the right one where there is one."""

import random
from bisect import bisect_right
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from gosip_check.probes.media.echo_rule import Ask, Doubt, Finding, Load, Phase, Shape, contrast, judge_load

from .echo_lines import Line, Way

NEED = Load(kbps=1000, octets=1200)
THOROUGH = Load(kbps=1000, octets=1200, seconds=20)
SEEDS = range(4)

Make = Callable[[int], Line]


def found(line: Line, load: Load = NEED, *, has_witness: bool = False) -> Finding:
    return judge_load(load, line.send, has_witness=has_witness, may_die=True)


def shapes(make: Make, load: Load = NEED) -> set[Shape]:
    return {found(make(seed), load).shape for seed in SEEDS}


def bursts(kbps: float, seed: int) -> Callable[[float], float]:
    """Others' traffic that comes and goes, two to five seconds each."""
    chance = random.Random(seed)
    edges = [0.0]
    while edges[-1] < 300:
        edges.append(edges[-1] + chance.uniform(2, 5))
    return lambda at_s: kbps if bisect_right(edges, at_s) % 2 else 0.0


@pytest.mark.parametrize("times", [1.05, 1.1, 1.5])
def test_a_line_that_is_wide_enough_carries(times: float) -> None:
    assert shapes(lambda seed: Line(up=Way(1000 * times), seed=seed)) == {Shape.CARRIED}
    assert shapes(lambda seed: Line(down=Way(1000 * times), seed=seed)) == {Shape.CARRIED}
    assert shapes(lambda seed: Line(up=Way(1000 * times), down=Way(1000 * times), seed=seed)) == {Shape.CARRIED}


def test_one_clean_load_is_a_proof_and_says_how_exact_it_is() -> None:
    line = Line(up=Way(1500))
    finding = found(line)
    assert [ask.name for ask in line.asked] == ["slow", "control", "load", "control"]
    assert sum(ask.seconds for ask in line.asked) == 15
    assert 0.001 < finding.unseen < 0.002
    assert found(Line(up=Way(1500)), THOROUGH).unseen < 0.0005


@pytest.mark.parametrize("times", [0.9, 0.95])
@pytest.mark.parametrize("queue_ms", [100, 200, 500])
def test_a_line_that_is_too_narrow_is_found_and_by_how_much(times: float, queue_ms: float) -> None:
    lines = [Line(up=Way(1000 * times, queue_ms=queue_ms), seed=seed) for seed in SEEDS]
    lines += [Line(down=Way(1000 * times, queue_ms=queue_ms), seed=seed) for seed in SEEDS]
    for line in lines:
        finding = found(line)
        assert finding.shape is Shape.NARROW
        assert 1 - sum(finding.short_of) / 2 == pytest.approx(times, abs=0.015)


def test_a_line_of_less_than_a_tenth_is_too_narrow_though_hardly_anything_comes_back() -> None:
    assert shapes(lambda seed: Line(up=Way(80), seed=seed)) == {Shape.NARROW}


def test_a_queue_of_a_second_is_found_though_it_never_fills() -> None:
    finding = found(Line(up=Way(950, queue_ms=1000)))
    assert finding.shape is Shape.NARROW
    assert 0.03 < min(finding.short_of) <= max(finding.short_of) < 0.055


def test_with_a_tiny_queue_what_is_too_much_is_lost() -> None:
    for queue_ms in (10, 25):
        for seed in SEEDS:
            finding = found(Line(up=Way(900, queue_ms=queue_ms), seed=seed))
            assert finding.shape in (Shape.POLICED, Shape.NARROW)
            assert min(finding.short_of) > 0.07


@pytest.mark.parametrize("times", [0.4, 0.9, 0.95])
def test_a_policer_is_found_and_called_one(times: float) -> None:
    assert shapes(lambda seed: Line(up=Way(1000 * times, bucket_octets=15_000), seed=seed)) == {Shape.POLICED}


@pytest.mark.parametrize(
    ("times", "bucket"), [(0.4, 15_000), (0.4, 70_000), (0.45, 40_000), (0.9, 15_000), (0.95, 15_000)]
)
def test_a_limit_that_may_be_one_on_echoes_alone_is_not_held_against_the_line(times: float, bucket: int) -> None:
    """Of the hops themselves, of the way, or of the line down: packets that only go up are as many as before."""
    for seed in SEEDS:
        down, own = (Way(1000 * times, bucket_octets=bucket) for _ in range(2))
        for line in (Line(down=down, seed=seed), Line(own=own, seed=seed)):
            assert found(line).doubt is Doubt.ECHOES


def test_without_packets_that_only_go_up_no_line_is_called_policed() -> None:
    line = Line(up=Way(900, bucket_octets=15_000))
    assert judge_load(NEED, line.send).doubt is Doubt.ECHOES


def test_a_second_hop_finds_a_policer_as_surely() -> None:
    for seed in range(20):
        line = Line(up=Way(950, bucket_octets=15_000), seed=seed)
        assert found(line, has_witness=True).shape is Shape.POLICED, seed


def test_a_policer_above_the_need_is_nothing() -> None:
    assert shapes(lambda seed: Line(up=Way(1050, bucket_octets=15_000), seed=seed)) == {Shape.CARRIED}


def test_a_deep_bucket_passes_six_seconds_and_not_twenty() -> None:
    def deep(seed: int) -> Line:
        return Line(up=Way(900, bucket_octets=100_000), seed=seed)

    assert shapes(deep) == {Shape.CARRIED}
    assert shapes(deep, THOROUGH) == {Shape.POLICED}


@pytest.mark.parametrize("loss", [0.005, 0.01, 0.02, 0.03, 0.08])
def test_losses_that_are_always_there_are_no_lack_of_rate(loss: float) -> None:
    for seed in range(20):
        assert found(Line(up=Way(2000, loss=loss), seed=seed)).shape in (Shape.CARRIED, Shape.UNKNOWN)
    assert [found(Line(up=Way(2000, loss=loss), seed=seed)).shape for seed in range(20)].count(Shape.CARRIED) >= 18


def test_losses_of_large_packets_are_no_lack_of_rate_either() -> None:
    assert shapes(lambda seed: Line(up=Way(2000, loss_of_large=0.05), seed=seed)) == {Shape.LOSSY}


def test_a_narrow_line_that_loses_as_well_never_passes() -> None:
    found_shapes = shapes(lambda seed: Line(up=Way(950, loss=0.03), seed=seed))
    assert found_shapes <= {Shape.NARROW, Shape.UNKNOWN}


@pytest.mark.parametrize("jitter_ms", [20, 60, 80])
def test_jitter_is_no_queue(jitter_ms: float) -> None:
    def line(seed: int, kbps: float) -> Line:
        return Line(up=Way(kbps, jitter_ms=jitter_ms), down=Way(kbps, jitter_ms=jitter_ms), seed=seed)

    assert shapes(lambda seed: line(seed, 1500)) == {Shape.CARRIED}
    assert shapes(lambda seed: line(seed, 900)) == {Shape.NARROW}


def test_a_hop_that_rations_is_never_held_against_the_line() -> None:
    for seed in SEEDS:
        assert found(Line(ration=50, seed=seed)) == Finding(Shape.UNKNOWN, Doubt.RATIONS)


def test_a_hop_that_is_silent_says_nothing() -> None:
    assert found(Line(up=Way(loss=1))) == Finding(Shape.UNKNOWN, Doubt.SILENT)
    assert found(Line(up=Way(loss=0.97))).shape is Shape.UNKNOWN


def test_others_who_come_and_go_are_never_a_narrow_line() -> None:
    for seed in range(24):
        line = Line(up=Way(1500, others=bursts(900, seed)), seed=seed)
        assert found(line).shape in (Shape.CARRIED, Shape.UNKNOWN), seed


def test_others_who_stay_leave_less() -> None:
    finding = found(Line(up=Way(1500, others=lambda _: 700.0)))
    assert finding.shape is Shape.NARROW
    assert min(finding.short_of) > 0.02


def test_a_tool_that_is_late_sends_the_load_again_and_then_gives_up() -> None:
    always = Line(up=Way(2000), late=0.2)
    assert found(always) == Finding(Shape.UNKNOWN, Doubt.LATE)
    assert [ask.name for ask in always.asked] == ["slow", "control", "load", "load"]
    once = Line(up=Way(2000), late=0.2, late_loads=1)
    assert found(once).shape is Shape.CARRIED
    assert [ask.name for ask in once.asked].count("load") == 2


def test_a_late_tool_never_fails_a_line() -> None:
    for seed in SEEDS:
        assert found(Line(up=Way(900), late=0.1, seed=seed)) == Finding(Shape.UNKNOWN, Doubt.LATE)


def test_a_machine_that_spoilt_a_load_is_a_late_one() -> None:
    line = Line(up=Way(2000))

    def spoils(ask: object) -> Phase:
        phase = line.send(ask)  # type: ignore[arg-type]
        return Phase(phase.slots, phase.late, phase.lasted_s, phase.rtts_ms, spoilt=True)

    assert judge_load(NEED, spoils).doubt is Doubt.LATE


def test_a_control_that_was_spoilt_is_sent_again() -> None:
    """A clock that is moved meanwhile moves its round trips."""
    for spoilt, doubt in ((1, None), (2, Doubt.LATE)):
        line = Line()

        def send(ask: Ask, line: Line = line, spoilt: int = spoilt) -> Phase:
            phase = line.send(ask)
            is_spoilt = [each.name for each in line.asked].count("control") <= spoilt
            return replace(phase, spoilt=ask.name == "control" and is_spoilt)

        assert judge_load(NEED, send).doubt is doubt


def test_slots_that_were_left_out_make_a_load_that_was_not_offered() -> None:
    assert Phase(slots=100, late=0, lasted_s=1, rtts_ms=[1.0] * 98).on_time
    assert not Phase(slots=100, late=0, lasted_s=1, rtts_ms=[1.0] * 97).on_time


def test_a_hop_that_rations_octets_is_cleared_by_a_second_hop() -> None:
    """Control planes often police in bits: to its own echoes that looks as a policed line does."""
    for seed in SEEDS:
        line = Line(own=Way(600, bucket_octets=10_000), seed=seed)
        finding = found(line, has_witness=True)
        assert (finding.shape, finding.by_witness) == (Shape.CARRIED, True)


def test_a_second_hop_that_sees_the_same_confirms_it() -> None:
    for seed in SEEDS:
        line = Line(up=Way(900), seed=seed)
        assert found(line, has_witness=True).shape is Shape.NARROW
        assert [ask.name for ask in line.asked if ask.to_witness] == ["second load", "control"]


def test_a_fail_stays_within_what_is_polite() -> None:
    for line in (Line(up=Way(900)), Line(up=Way(900, bucket_octets=15_000))):
        found(line, has_witness=True)
        assert sum(ask.seconds for ask in line.asked) <= 60


def test_the_contrast_of_nothing_is_doubt() -> None:
    nothing = Phase(slots=0, late=0, lasted_s=1, rtts_ms=[])
    seen = contrast(nothing, nothing, NEED)
    assert (seen.queues, seen.is_bad, seen.is_clean) == (None, False, False)


def test_a_load_that_was_ended_early_was_not_carried() -> None:
    line = Line()

    def ended(ask: Ask) -> Phase:
        phase = line.send(ask)
        return Phase(100, 0, 1.0, phase.rtts_ms[:100], stopped="silent") if ask.is_load else phase

    assert judge_load(NEED, ended) == Finding(Shape.UNKNOWN, Doubt.SILENT)
