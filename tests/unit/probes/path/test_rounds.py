"""Rounds of shots between controls: how many, which, in what time, and what they prove. The network is a script."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.net.sockets import Datagram
from gosip_check.probes.path import quotes
from gosip_check.probes.path.quotes import Fate, Reaction, Shot, Trial, try_shots
from gosip_check.probes.probe import Context
from gosip_check.records import Link

CONTROL = 33434
TAKES_S = 0.9
HERE, THERE = "198.51.100.1", "198.51.100.2"
QUOTE = IcmpError(4, 11, 0, "192.0.2.1", b"x")


def shot(port: int, address: str = HERE, ttl: int = 2) -> Shot:
    return Shot(lambda *_: b"x", address, port, ttl)


def control_of(asked: Shot) -> Shot:
    return shot(CONTROL, asked.address, asked.ttl)


@dataclass
class Script:
    """`quoted` says what is quoted, given the shot and how many volleys went before; all else meets silence."""

    quoted: Callable[[Shot, int], bool]
    now_s: float = 100.0
    volleys: list[list[Shot]] = field(default_factory=list)
    begun_s: list[float] = field(default_factory=list)
    pauses_s: list[float] = field(default_factory=list)

    def volley(self, context: Context, shots: Sequence[Shot]) -> list[Reaction]:
        del context
        number = len(self.volleys)
        self.volleys.append(list(shots))
        self.begun_s.append(self.now_s)
        self.now_s += TAKES_S
        return [Reaction(one, b"x", ("", 0), QUOTE if self.quoted(one, number) else None) for one in shots]

    def wait_until(self, context: Context, at_s: float) -> None:
        del context
        self.pauses_s.append(at_s - self.begun_s[-1])
        self.now_s = max(self.now_s, at_s)

    @property
    def sizes(self) -> list[int]:
        return [len(shots) for shots in self.volleys]


Tries = Callable[..., list[Trial]]


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Tries:
    """try_shots(script, shots, ...) with the script's clock; for `lasts_s` seconds."""
    random.seed(7)

    def run(
        script: Script,
        shots: Sequence[Shot],
        control: Callable[[Shot], Shot | None] = control_of,
        lasts_s: float = 600.0,
        **options: Any,
    ) -> list[Trial]:
        monkeypatch.setattr(quotes, "volley", script.volley)
        monkeypatch.setattr(quotes, "time", SimpleNamespace(monotonic=lambda: script.now_s))
        monkeypatch.setattr(Context, "wait_until", lambda context, at_s: script.wait_until(context, at_s))
        return try_shots(Context(Link(name="l")), shots, control, script.now_s + lasts_s, **options)

    return run


def blocked(asked: Shot, number: int) -> bool:
    """An edge that drops all but controls, before a hop that quotes whatever comes."""
    del number
    return asked.port == CONTROL


def mute(asked: Shot, number: int) -> bool:
    del asked, number
    return False


def test_the_first_try_has_no_controls_and_goes_out_in_groups(tried: Tries) -> None:
    script = Script(lambda asked, number: True)
    trials = tried(script, [shot(port) for port in range(40)])
    assert script.sizes == [32, 8]
    assert [one.port for shots in script.volleys for one in shots] == list(range(40))
    assert {(trial.fate, trial.tries, trial.strikes) for trial in trials} == {(Fate.PASSED, 1, 0)}
    assert script.pauses_s == []


def test_drops_are_proven_before_two_controls_in_groups_that_grow(tried: Tries) -> None:
    script = Script(blocked)
    trials = tried(script, [shot(port) for port in range(40)], suspected=True)
    assert script.sizes[:5] == [16 + 2, 32 + 2, 32 + 2, 32 + 2, 32 + 2]
    for shots in script.volleys:
        assert [one.port == CONTROL for one in shots] == [*[False] * (len(shots) - 2), True, True]
        assert len({one.port for one in shots}) == len(shots) - 1
    assert {(trial.fate, trial.tries, trial.strikes) for trial in trials} == {(Fate.DROPPED, 4, 4)}
    assert [trial.shot.port for trial in trials] == list(range(40))
    assert script.pauses_s == pytest.approx([TAKES_S + 0.02] * (len(script.volleys) - 1))


def test_fewer_strikes_are_enough_where_the_caller_makes_sure_later(tried: Tries) -> None:
    script = Script(blocked)
    (trial,) = tried(script, [shot(1)], suspected=True, strikes=1)
    assert (trial.fate, trial.tries, script.sizes) == (Fate.DROPPED, 1, [3])


def test_a_shot_that_passed_there_is_the_control(tried: Tries) -> None:
    asked: list[Shot] = []

    def control(missing: Shot) -> Shot:
        asked.append(missing)
        return control_of(missing)

    script = Script(lambda one, number: one.port in (1, CONTROL))
    trials = tried(script, [shot(1), shot(2), shot(3, THERE)], control)
    assert [trial.fate for trial in trials] == [Fate.PASSED, Fate.DROPPED, Fate.DROPPED]
    assert {one.address for one in asked} == {THERE}
    for shots in script.volleys[1:]:
        assert sorted(one.port for one in shots if one.address == HERE) == [1, 1, 2]
        assert sorted(one.port for one in shots if one.address == THERE) == [3, CONTROL, CONTROL]


def test_without_a_control_silence_stays_undecided_and_is_asked_ever_less(tried: Tries) -> None:
    script = Script(mute)
    trials = tried(script, [shot(port) for port in range(20)], lambda _: None, 20.0, suspected=True)
    assert script.sizes[:5] == [16, 4, 1, 1, 1]
    assert {(trial.fate, trial.strikes) for trial in trials} == {(Fate.UNDECIDED, 0)}


def test_where_a_hop_rations_a_round_is_one_shot_and_its_controls_in_the_time_of_two_refills(tried: Tries) -> None:
    script = Script(mute)
    tried(script, [shot(port) for port in range(20)], lasts_s=60.0, suspected=True)
    assert script.sizes[:2] == [16 + 2, 4 + 2]
    assert set(script.sizes[2:]) == {3}
    assert all([one.port == CONTROL for one in shots] == [False, True, True] for shots in script.volleys[2:])
    assert script.pauses_s[0] == pytest.approx(TAKES_S + 0.02)
    rationed = script.pauses_s[1:]  # after the second round the hop is known to ration
    assert len(rationed) > 15
    assert all(2.2 <= pause_s <= 2.2 * 1.2 for pause_s in rationed)
    assert max(rationed) - min(rationed) > 0.1  # never in step with a hop that counts seconds


def test_of_hops_that_ration_one_at_each_distance_is_asked(tried: Tries) -> None:
    """They may be one router with several addresses behind it."""
    shots = [shot(1), shot(2, THERE), shot(3, THERE, ttl=3)]
    script = Script(mute)
    tried(script, shots, lasts_s=40.0, suspected=True)
    assert script.sizes[:2] == [9, 9]
    pairs = [{(one.address, one.ttl) for one in asked} for asked in script.volleys[2:]]
    assert all(len(pair) == 2 and (THERE, 3) in pair for pair in pairs)
    assert {(HERE, 2), (THERE, 2)} <= set().union(*pairs)


def test_a_hop_that_does_not_ration_is_not_kept_waiting_by_one_that_does(tried: Tries) -> None:
    script = Script(lambda one, number: one.address == THERE and one.port == CONTROL)
    trials = tried(script, [shot(1), *(shot(port, THERE) for port in range(2, 60))], lasts_s=60.0, suspected=True)
    assert {trial.fate for trial in trials[1:]} == {Fate.DROPPED}
    assert all(any(one.address == HERE for one in shots) for shots in script.volleys)
    both = sum(any(one.address == THERE for one in shots) for shots in script.volleys)
    assert script.pauses_s[: both - 1] == pytest.approx([TAKES_S + 0.02] * (both - 1))
    assert all(pause_s >= 2.2 for pause_s in script.pauses_s[both:])


@pytest.mark.parametrize("lost", [0, 1], ids=["first", "second"])
def test_a_silence_before_a_lost_control_does_not_count(tried: Tries, lost: int) -> None:
    """One control of the third round is lost."""
    heard = iter([True] * 4 + [number != lost for number in range(2)] + [True] * 40)
    script = Script(lambda one, number: one.port == CONTROL and next(heard))
    (trial,) = tried(script, [shot(1)], suspected=True)
    assert (trial.fate, trial.tries, trial.strikes) == (Fate.DROPPED, 5, 4)


def test_the_control_that_was_quoted_is_kept_and_one_that_was_not_is_replaced(tried: Tries) -> None:
    ports = iter([7, 8, 9])
    script = Script(lambda one, number: one.port == 8)
    (trial,) = tried(script, [shot(1)], lambda missing: shot(next(ports)), suspected=True)
    assert trial.fate is Fate.DROPPED
    assert [shots[-1].port for shots in script.volleys] == [7, 8, 8, 8, 8]


def test_a_group_that_met_rationing_grows_again(tried: Tries) -> None:
    script = Script(lambda one, number: one.port == CONTROL and number > 3)
    trials = tried(script, [shot(port) for port in range(40)], suspected=True)
    assert script.sizes[:10] == [18, 6, 3, 3, 3, 4, 6, 10, 18, 34]
    assert {trial.fate for trial in trials} == {Fate.DROPPED}


def test_when_the_time_is_over_nothing_more_is_sent(tried: Tries) -> None:
    (trial,) = tried(nothing := Script(mute), [shot(1)], lasts_s=0.0, suspected=True)
    assert (trial, nothing.volleys) == (Trial(shot=trial.shot), [])
    (trial,) = tried(once := Script(mute), [shot(1)], lasts_s=0.0)
    assert (trial.fate, trial.tries, once.sizes, once.pauses_s) == (Fate.UNDECIDED, 1, [1], [])
    (trial,) = tried(one_round := Script(mute), [shot(1)], lasts_s=TAKES_S, suspected=True)
    assert (one_round.sizes, one_round.pauses_s) == ([3], [])


def test_a_trial_says_who_answered() -> None:
    trial = Trial(shot(1))
    assert (trial.reaction, trial.answered_by) == (Reaction(trial.shot, b"", ("", 0)), None)
    reply = Datagram(b"x", "203.0.113.9", 5060, 0.0)
    trial.take(Reaction(trial.shot, b"x", ("", 0), None, reply))
    assert (trial.fate, trial.tries, trial.answered_by) == (Fate.ANSWERED, 1, "203.0.113.9")
    trial.take(Reaction(trial.shot, b"x", ("", 0), QUOTE))
    assert (trial.fate, trial.tries, trial.answered_by) == (Fate.PASSED, 2, "192.0.2.1")
    trial.take(Reaction(trial.shot, b"x", ("", 0), IcmpError(4, 3, 13, "192.0.2.9", b"x")))
    assert (trial.fate, trial.answered_by) == (Fate.REFUSED, "192.0.2.9")
    assert [str(fate) for fate in Fate] == ["passed", "refused", "answered", "reset", "dropped", "undecided"]
