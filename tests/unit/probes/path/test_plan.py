"""What is asked of hops that ration, and what silence proves. Simulated, with seeds; no packet is sent."""

import math
import statistics

import pytest

from gosip_check.probes.path.plan import Plan, Question, Volley
from gosip_check.probes.path.ration import Ration

from .rationing import Site, visit

_TIMES = 250


@pytest.mark.table
@pytest.mark.parametrize(
    ("site", "median_s"),
    [
        (Site(), 22),
        (Site(blocked=3), 24),
        (Site(blocked=14), 25),
        (Site(loss=0.02), 23),
        (Site(blocked=3, loss=0.02), 24),
        (Site(blocked=14, loss=0.02), 26),
        (Site(blocked=3, loss=0.02, every_s=20), 24),
        (Site(hops=2), 8),
        (Site(blocked=3, loss=0.02, hops=2), 11),
        (Site(blocked=14, loss=0.02, hops=2), 12),
        (Site(blocked=3, loss=0.06), 26),
        (Site(blocked=3, burst=math.inf), 3),
    ],
    ids=str,
)
def test_28_ports_are_decided_in_their_time_and_none_is_called_blocked_that_is_not(site: Site, median_s: float) -> None:
    outcomes = [visit(site, seed) for seed in range(_TIMES)]
    assert sum(outcome.false for outcome in outcomes) == 0
    assert sum(outcome.undecided for outcome in outcomes) == 0
    assert statistics.median(outcome.took_s for outcome in outcomes) == pytest.approx(median_s, abs=1.5)
    in_time = sum(outcome.took_s <= 45 for outcome in outcomes)
    assert in_time >= 0.97 * _TIMES


@pytest.mark.table
@pytest.mark.parametrize(
    "site",
    [
        Site(blocked=3, loss=0.02, burst=3, per_s=0.5),
        Site(blocked=3, loss=0.02, burst=1, per_s=0.3),
        Site(blocked=3, loss=0.02, hops=2, is_shared=True),
        Site(blocked=3, loss=0.02, burst=10, per_s=10),
        Site(blocked=3, loss=0.1),
        Site(burst=0),
    ],
    ids=str,
)
def test_hops_that_give_other_than_what_is_assumed_make_nothing_false(site: Site) -> None:
    outcomes = [visit(site, seed, lasts_s=60) for seed in range(_TIMES)]
    assert sum(outcome.false for outcome in outcomes) == 0


def test_what_a_hop_gives_is_learned() -> None:
    """Ten a second, as some switches do, is not asked for as slowly as one a second."""
    assert max(visit(Site(burst=10, per_s=10), seed).took_s for seed in range(20)) < 10
    assert max(visit(Site(burst=math.inf), seed).took_s for seed in range(20)) < 1
    assert max(visit(Site(), seed).sent for seed in range(20)) < 2 * 28


def test_a_hop_that_quotes_nothing_is_given_up() -> None:
    plan = Plan()
    questions = [Question("there", (2,)) for _ in range(3)]
    (volley,), _ = plan.next_volleys(questions, 0)
    plan.take(volley, [False] * 3, [], 0)
    assert plan.next_volleys(questions, 10) == ([], math.inf)


@pytest.mark.parametrize(("lost", "silences"), [(0, 4), (2, 4), (4, 5), (6, 6), (50, 12)])
def test_so_many_silences_are_needed_as_the_loss_asks_for(lost: int, silences: int) -> None:
    assert Plan(quoted=100 - lost, lost=lost).silences_needed == silences


def _vouched(plan: Plan, question: Question, controls: tuple[bool, bool], at_s: float, ttl: int = 2) -> None:
    plan.take(Volley(ttl, [question], "hop"), [False], controls, at_s)


@pytest.mark.parametrize("controls", [(True, False), (False, True), (False, False)])
def test_a_silence_counts_only_before_two_controls_that_were_quoted(controls: tuple[bool, bool]) -> None:
    plan = Plan(senders={(2, "there"): "hop"})
    question = Question("there", (2,))
    for number in range(20):
        _vouched(plan, question, controls, 3.0 * number)
    assert (question.silences, question.is_dropped) == ([], False)
    plan.lost = 0
    for number in range(4):
        assert not question.is_dropped
        _vouched(plan, question, (True, True), 100 + 3.0 * number)
    assert (len(question.silences), question.is_dropped) == (4, True)


@pytest.mark.parametrize(
    ("quoted", "silences"),
    [([False, True, True], [2]), ([False, True, False], []), ([True, True, False], []), ([False, True, None], [])],
)
def test_two_new_ones_that_are_quoted_vouch_for_a_silence_before_them(
    quoted: list[bool | None], silences: list[int]
) -> None:
    plan = Plan(senders={(2, "there"): "hop"})
    silent, *others = [Question("there", (2,)) for _ in quoted]
    plan.take(Volley(2, [silent, *others], None), quoted, [], 0)
    assert silent.silences == silences
    assert [other.silences for other in others] == [[], []]


def test_nothing_else_vouches_for_what_has_a_control_of_its_own() -> None:
    plan = Plan(senders={(2, "there"): "hop"})
    bound, *others = [Question("there", (2,), circle="own"), Question("there", (2,)), Question("there", (2,))]
    plan.take(Volley(2, [bound, *others], None), [False, True, True], [], 0)
    assert bound.silences == []


def test_what_goes_to_another_address_vouches_for_none_that_may_be_out_of_reach() -> None:
    plan = Plan(senders={(2, "there"): "hop", (2, "elsewhere"): "hop"})
    silent, *others = [Question(way, (2,)) for way in ("there", "elsewhere", "elsewhere")]
    plan.take(Volley(2, [silent, *others], None), [False, True, True], [], 0)
    assert silent.silences == []


def test_what_an_edge_refuses_only_now_and_then_is_no_loss_of_the_line() -> None:
    plan = Plan(senders={(2, "there"): "hop"})
    for answer, lost in ((None, 0), (True, 1)):
        question = Question("there", (2,))
        _vouched(plan, question, (True, True), 0)
        plan.take(Volley(2, [question], "hop"), [answer], (True, True), 10)
        assert plan.lost == lost


def test_so_many_silences_are_vouched_for_as_leave_before_an_error_is_back() -> None:
    assert Ration(is_limited=True).vouched_at_once() == 250
    assert Ration(is_limited=True, per_s=10).vouched_at_once() == 26


def test_only_what_goes_the_same_way_vouches() -> None:
    plan = Plan(senders={(2, "there"): "hop", (2, "elsewhere"): "another hop"})
    question = Question("elsewhere", (2,))
    plan.take(Volley(2, [question], "hop"), [False], [True, True], 0)
    assert question.silences == []


def test_the_last_silence_is_one_at_the_nearest_hop() -> None:
    plan = Plan(senders={(2, "there"): "near", (3, "there"): "far"})
    question = Question("there", (2, 3), is_new=False, silences=[3, 3, 3])
    plan.rations[2].spent(6, 0)
    plan.rations[2].is_limited = plan.rations[3].is_limited = True
    plan.rations[2].explorations = plan.rations[3].explorations = 0
    volleys, wake_s = plan.next_volleys([question], 0)
    assert volleys == []
    assert wake_s == pytest.approx(2.1)
    (volley,), _ = plan.next_volleys([question], wake_s)
    assert volley.ttl == 2


def test_what_is_silent_is_not_asked_again_at_once() -> None:
    plan = Plan(senders={(2, "there"): "hop"})
    question = Question("there", (2,), is_new=False, last_s=10)
    assert plan.next_volleys([question], 10.1) == ([], 10.5)


def test_a_control_that_is_never_quoted_is_given_up_and_the_hop_is_not_blamed_for_its_own() -> None:
    plan = Plan(senders={(2, "there"): "hop"})
    bound, free = Question("there", (2,), circle="own", is_new=False), Question("there", (2,))
    for number in range(5):
        assert plan.usable(bound) == [2]
        plan.take(Volley(2, [bound], "own"), [False], [False, False], 3.0 * number)
    assert (plan.usable(bound), plan.usable(free), plan.rations[2].per_s) == ([], [2], 1.0)


def test_a_hop_that_quotes_some_of_what_it_is_asked_is_not_given_up() -> None:
    """One request after the other gets through a hop that is nearly empty: the last one is still asked about."""
    plan = Plan()
    last = Question("there", (2,), circle="own", is_new=False)
    for number in range(8):
        volley = Volley(2, [Question("there", (2,), circle="own", is_new=False)], "own")
        plan.take(volley, [number % 2 == 0], [number % 2 == 1, False], 3.0 * number)
    assert plan.usable(last) == [2]


def test_a_ration_is_spent_and_refilled() -> None:
    ration = Ration()
    ration.spent(6, 100)
    assert (ration.gives(100), ration.gives(101), ration.gives(101.2)) == (0, 0, 1)
    assert ration.has_at(2) == pytest.approx(102.1)
    assert ration.gives(200) == 5
    ration.ran_empty(0, 200, explored=False)
    ration.ran_empty(0, 203, explored=False)
    assert ration.per_s == 0.5
