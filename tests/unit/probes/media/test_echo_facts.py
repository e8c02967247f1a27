"""What echoes prove: the bounds hold the truth, whatever the truth is, and decide what can be decided."""

import random
from collections.abc import Callable, Sequence

import pytest

from gosip_check.probes.media import echo_sentences, summary
from gosip_check.probes.media.echo_facts import (
    bounds_of_echoes,
    least_round_trip_ms,
    losses,
    more_would_help,
    what_is_wrong,
)
from gosip_check.probes.media.echo_hops import Answering
from gosip_check.probes.media.echo_load import Echoed, Sent, load_for
from gosip_check.probes.media.echo_rule import Ask, Doubt, Finding, Phase, Shape
from gosip_check.probes.media.round_trips import Responder
from gosip_check.probes.media.summary import RoundTrip
from gosip_check.probes.path.hops import Hop

HOP = Answering(Hop(ttl=2, address="192.0.2.1", quoted_bytes=28, kind="public"), 1200, Phase(20, 0, 2.0, [10.0] * 20))
VOICE = Ask("voice", 12, 50, 200)
CONTROL = Ask("control", 3, 104, 84)
LOAD = Ask("load", 6, 104, 1200, is_load=True)


def phase(rtts_ms: Sequence[float | None], spoilt: bool = False) -> Phase:
    return Phase(len(rtts_ms), 0, 12.0, list(rtts_ms), spoilt)


def echoed(
    voice: Sequence[float | None], beside: Sequence[float | None] = (), finding: Finding | None = None
) -> Echoed:
    found = Echoed(hop=HOP, load=load_for(1000, 1200, 6), finding=finding)
    found.sent.append(Sent(VOICE, "192.0.2.1", phase(voice)))
    if beside:
        found.witness = "192.0.2.2"
        found.beside.append(Sent(VOICE, "192.0.2.2", phase(beside)))
    return found


def server(answered: int, p50_ms: float, p95_ms: float) -> Responder:
    trip = RoundTrip(min=min(10.0, p50_ms), p50=p50_ms, p95=p95_ms, p99=p95_ms, max=p95_ms)
    return Responder("target", "198.51.100.1", "icmp", 50, answered, trip if answered else None)


def lossy(share: float, of: int, seed: int = 1) -> list[float | None]:
    chance = random.Random(seed)
    return [None if chance.random() < share else 10.0 for _ in range(of)]


@pytest.mark.parametrize("share", [0.0, 0.002, 0.01, 0.03, 0.2])
def test_the_bounds_of_loss_hold_the_truth_of_the_worse_way(share: float) -> None:
    """All of it lost up: 200 lines each; the bounds of one look are wrong in less than one of fifty."""
    misses = 0
    for seed in range(200):
        low, high = losses(echoed(lossy(share, 600, seed), lossy(share, 60, seed + 1000)), []).worse_way  # type: ignore[union-attr]
        misses += not low <= 100 * share <= high
    assert misses <= 8


def test_no_loss_in_so_many_passes_and_much_of_it_fails() -> None:
    clean = bounds_of_echoes(echoed([10.0] * 600), 1000, [])
    assert clean["window15_loss_pct"][0] == 0
    assert clean["window15_loss_pct"][1] == pytest.approx(0.68, abs=0.01)
    bad = bounds_of_echoes(echoed(lossy(0.06, 600), lossy(0.06, 60)), 1000, [])
    low = bad["window15_loss_pct"][0]
    assert low is not None
    assert low > 1


def test_losses_that_nobody_farther_on_sees_are_the_hops_own() -> None:
    own = losses(echoed(lossy(0.06, 600), [10.0] * 200), [])
    alone = losses(echoed(lossy(0.06, 600)), [])
    assert own is not None
    assert alone is not None
    assert own.low == alone.low == 0
    assert own.high > 0.06


@pytest.mark.parametrize(
    ("at_the_edge", "is_before"), [(0.06, True), (0.0, False), (0.5, False)], ids=["as many", "none", "it rations"]
)
def test_what_the_sites_own_router_loses_as_well_is_not_the_lines(at_the_edge: float, is_before: bool) -> None:
    one = echoed(lossy(0.06, 600), lossy(0.06, 60))
    one.at_edge.append(Sent(VOICE, "192.168.1.1", phase(lossy(at_the_edge, 120, 3))))
    found = losses(one, [])
    assert found is not None
    assert (found.before_the_line, found.low == 0.0) == (is_before, is_before)
    assert ("lost before the line" in echo_sentences.loss(found, "as far as hop 2")) == is_before


def test_losses_under_a_load_that_was_too_much_are_not_the_lines() -> None:
    narrow = echoed([10.0] * 600, finding=Finding(Shape.NARROW, short_of=(0.1, 0.1)))
    carried = echoed([10.0] * 600, finding=Finding(Shape.CARRIED, unseen=0.005))
    for one in (narrow, carried):
        one.sent.append(Sent(LOAD, "192.0.2.1", phase(lossy(0.1, 624))))
    assert losses(narrow, []).lost == 0  # type: ignore[union-attr]
    assert losses(carried, []).lost > 0  # type: ignore[union-attr]
    assert losses(carried, []).of == 600 + 208  # type: ignore[union-attr]


def test_a_hop_that_rations_its_controls_is_not_counted_by_them() -> None:
    rations = echoed([10.0] * 600, finding=Finding(Shape.UNKNOWN, Doubt.RATIONS))
    rations.sent.append(Sent(CONTROL, "192.0.2.1", phase(lossy(0.5, 312))))
    assert losses(rations, []).lost == 0  # type: ignore[union-attr]


def test_what_this_machine_spoilt_is_not_counted() -> None:
    one = echoed([10.0] * 600)
    one.sent.append(Sent(VOICE, "192.0.2.1", phase([None] * 600, spoilt=True)))
    assert losses(one, []).lost == 0  # type: ignore[union-attr]


def test_losses_in_clusters_prove_less() -> None:
    clustered: list[float | None] = ([10.0] * 90 + [None] * 10) * 6
    spread: list[float | None] = ([10.0] * 9 + [None]) * 60
    assert losses(echoed(clustered, lossy(0.1, 60)), []).low < losses(echoed(spread, lossy(0.1, 60)), []).low  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("lost", "of", "has_witness", "wants"),
    [
        (0, 1000, True, False),
        (6, 1000, True, True),
        (14, 1000, True, True),
        (14, 1000, False, False),
        (80, 1000, True, False),
    ],
)
def test_more_voice_is_sent_only_where_it_can_decide(lost: int, of: int, has_witness: bool, wants: bool) -> None:
    voice: list[float | None] = [
        None if number % (of // lost if lost else 10**6) == 1 else 10.0 for number in range(of)
    ]
    beside: list[float | None] = [None] * 3 + [10.0] * 60 if has_witness else []
    assert more_would_help(echoed(voice, beside), [], 1.0) is wants


_Ms = Callable[[random.Random], float]
_SHAPES: dict[str, tuple[_Ms, _Ms]] = {
    "both uniform": (lambda chance: chance.uniform(0, 20), lambda chance: chance.uniform(0, 20)),
    "up only": (lambda chance: chance.uniform(0, 20), lambda _: 0.0),
    "exponential": (lambda chance: chance.expovariate(1 / 10), lambda chance: chance.expovariate(1 / 3)),
    "spikes": (lambda chance: 100.0 * (chance.random() < 0.02), lambda chance: chance.expovariate(1 / 3)),
}


@pytest.mark.parametrize("shape", _SHAPES)
def test_jitter_of_round_trips_bounds_each_way_from_both_sides(shape: str) -> None:
    """RFC 3550's estimate of either way, as a reflector would have it, lies within the bounds of the worse one."""
    up, down = _SHAPES[shape]
    for seed in range(40):
        chance = random.Random(seed)
        ups, downs = [up(chance) for _ in range(600)], [down(chance) for _ in range(600)]
        beside = [up(chance) + down(chance) for _ in range(300)]
        low, high = bounds_of_echoes(echoed([a + b for a, b in zip(ups, downs, strict=True)], beside), 1000, [])[
            "worst_jitter_ms"
        ]
        worse = max(_jitter_p99(ups), _jitter_p99(downs))
        assert low is not None
        assert high is not None
        assert low <= worse <= high


def _jitter_p99(transits_ms: Sequence[float]) -> float:
    return summary.percentile(sorted(summary.jitter(transits_ms)[summary.JITTER_WARM_UP :]), 99)


def test_jitter_that_nobody_farther_on_sees_is_the_hops_own() -> None:
    chance = random.Random(3)
    voice = [10 + chance.uniform(0, 80) for _ in range(600)]
    flat = bounds_of_echoes(echoed(voice, [10.0] * 60), 1000, [])["worst_jitter_ms"]
    alone = bounds_of_echoes(echoed(voice), 1000, [])["worst_jitter_ms"]
    line = bounds_of_echoes(echoed(voice, [10 + chance.uniform(0, 80) for _ in range(60)]), 1000, [])
    assert flat[0] == alone[0] == 0
    assert line["worst_jitter_ms"][0] > 10  # type: ignore[operator]


def test_a_burst_is_told_from_packets_that_are_lost_here_and_there() -> None:
    single: list[float | None] = [10.0] * 600
    single[300] = None
    assert bounds_of_echoes(echoed(single), 1000, [])["burst200_loss_pct"] == (0, 10)
    burst = list(single)
    burst[300:308] = [None] * 8
    low, high = bounds_of_echoes(echoed(burst, [None, None, *[10.0] * 58]), 1000, [])["burst200_loss_pct"]
    assert (low, high) == (40, 80)
    assert bounds_of_echoes(echoed([10.0] * 600), 1000, [])["burst200_loss_pct"] == (0, 0)


def test_mos_has_bounds_and_the_way_to_the_provider_counts() -> None:
    good = bounds_of_echoes(echoed([10.0] * 600), 1000, [])["mos"]
    far = bounds_of_echoes(echoed([10.0] * 600), 1000, [server(50, 500, 500)])["mos"]
    bad = bounds_of_echoes(echoed(lossy(0.2, 600), lossy(0.2, 60)), 1000, [])["mos"]
    assert good[0] is not None
    assert good[1] is not None
    assert 4.2 < good[0] <= good[1]
    assert far[0] is not None
    assert far[0] < 3.6
    assert bad[1] is not None
    assert bad[1] < 4


@pytest.mark.parametrize(
    ("finding", "need_kbps", "low", "high"),
    [
        (Finding(Shape.CARRIED, unseen=0.005), 1000, 99.5, 100),
        (Finding(Shape.NARROW, short_of=(0.1, 0.11)), 1000, 85.3, 90),
        (Finding(Shape.POLICED, short_of=(0.03, 0.03)), 1000, 96, 97),
        (Finding(Shape.CARRIED, unseen=0.005), 2000, 49.75, 100),
        (Finding(Shape.NARROW, short_of=(0.1, 0.1)), 2000, 43.3, 45),
    ],
)
def test_what_is_delivered_is_known_as_far_as_it_was_tried(
    finding: Finding, need_kbps: float, low: float, high: float
) -> None:
    found = bounds_of_echoes(echoed([10.0] * 600, finding=finding), need_kbps, [])["delivered_pct"]
    assert found == pytest.approx((low, high), abs=0.1)


@pytest.mark.parametrize("shape", [Shape.UNKNOWN, Shape.LOSSY])
def test_of_a_rate_that_is_not_known_nothing_is_said(shape: Shape) -> None:
    finding = Finding(shape, Doubt.UNSTEADY if shape is Shape.UNKNOWN else None, short_of=(0.03, 0.03))
    assert bounds_of_echoes(echoed([10.0] * 600, finding=finding), 1000, [])["delivered_pct"] == (None, None)


def test_a_line_may_have_more_than_one_fault() -> None:
    clean, lost = echoed([10.0] * 600), echoed(lossy(0.06, 600), lossy(0.06, 60))
    assert wrong_with(clean) == {}
    assert wrong_with(lost) == {"lossy": True}
    clean.finding = lost.finding = Finding(Shape.NARROW, short_of=(0.1, 0.1))
    assert wrong_with(clean) == {"too_narrow": True, "policed": False}
    assert wrong_with(lost) == {"too_narrow": True, "policed": False, "lossy": True}
    clean.finding = Finding(Shape.POLICED, short_of=(0.1, 0.1))
    assert wrong_with(clean) == {"too_narrow": False, "policed": True}


def wrong_with(one: Echoed) -> dict[str, bool]:
    return dict(what_is_wrong(one, bounds_of_echoes(one, 1000, [])))


def test_a_witness_that_loses_more_confirms_nothing() -> None:
    """It rations its answers: that the hop itself loses some is then nobody's word but its own."""
    one = losses(echoed(lossy(0.06, 600), lossy(0.7, 60)), [])
    assert one is not None
    assert one.low == 0


def test_a_single_loss_elsewhere_confirms_nothing() -> None:
    """A hop that rations a little loses some in a hundred; one lost echo beside it is no witness."""
    for beside_lost, counts in ((0, False), (1, False), (2, True)):
        beside: list[float | None] = [None] * beside_lost + [10.0] * (235 - beside_lost)
        found = losses(echoed(lossy(0.012, 1200), beside), [])
        assert found is not None
        assert (found.low > 0) == counts


def test_a_server_that_loses_nothing_clears_the_line() -> None:
    hop = echoed(lossy(0.06, 600), lossy(0.06, 60))
    none_lost = [server(50, 10, 12)] * 4
    for servers, counts in ((none_lost, False), ([server(47, 10, 12)] * 4, True), ([server(0, 0, 0)] * 4, True)):
        found = losses(hop, servers)
        assert found is not None
        assert (found.low > 0) == counts


def test_two_hops_that_drop_some_echoes_alike_are_cleared_by_a_server_that_is_asked_as_long() -> None:
    for at_server, counts in (([10.0] * 300, False), (lossy(0.03, 300), True)):
        seen = echoed(lossy(0.03, 3000), lossy(0.03, 300))
        seen.beside.append(Sent(VOICE, "198.51.100.1", phase(at_server)))
        found = losses(seen, [])
        assert found is not None
        assert (found.low > 0) == counts


def test_what_one_call_pushes_out_of_a_narrow_line_is_no_loss_of_its_own() -> None:
    narrow = Finding(Shape.NARROW, short_of=(0.9, 0.9))
    for rtt_ms, counts in ((110.0, False), (10.0, True)):
        voice = [None if each is None else rtt_ms for each in lossy(0.1, 600)]
        seen = echoed(voice, lossy(0.1, 60), narrow)
        seen.sent.append(Sent(Ask("slow", 3, 20, 84), "192.0.2.1", phase([10.0] * 60)))
        found = losses(seen, [])
        assert found is not None
        assert (found.low > 0) is counts
        assert not more_would_help(seen, [], 1.0)


def test_the_least_round_trip_is_the_lines_where_no_host_is_faster() -> None:
    far = echoed([620.0, 640.0], [630.0, 650.0])
    assert least_round_trip_ms(far, [server(50, 700, 710)]) == 10  # the server is near, so both hops are slow
    assert least_round_trip_ms(far, []) == 620
    assert least_round_trip_ms(echoed([620.0]), []) == 0


def test_a_server_whose_round_trips_are_even_clears_the_line_of_jitter() -> None:
    chance = random.Random(3)
    uneven = [10 + chance.uniform(0, 80) for _ in range(600)]
    hop = echoed(uneven, uneven[:60])
    assert bounds_of_echoes(hop, 1000, [server(50, 10, 10.5)])["worst_jitter_ms"][0] < 1  # type: ignore[operator]
    assert bounds_of_echoes(hop, 1000, [server(50, 50, 90)])["worst_jitter_ms"][0] > 10  # type: ignore[operator]


@pytest.mark.parametrize("shape", list(Shape))
@pytest.mark.parametrize("doubt", list(Doubt))
def test_every_end_has_a_sentence_that_says_how_far_and_judges_nothing(shape: Shape, doubt: Doubt) -> None:
    finding = Finding(shape, doubt if shape is Shape.UNKNOWN else None, short_of=(0.1, 0.1), unseen=0.005)
    one = echoed([10.0] * 600, finding=finding)
    far = echo_sentences.scope(one, 6)
    said = echo_sentences.bandwidth(one, 1000, far)
    assert "as far as hop 2, 192.0.2.1, of 6" in said
    assert said.endswith(".")
    if shape is Shape.CARRIED:
        assert said.startswith("The line carried 1000 kb/s for 6 s")
    assert not {"pass", "fail", "enough", "good", "bad"} & set(said.lower().split())
