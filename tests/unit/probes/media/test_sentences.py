"""Probes do not judge: what is said fits the verdict, whatever a checklist asks for."""

from typing import Any

import msgspec
import pytest

from gosip_check import checklist
from gosip_check.judge import judge
from gosip_check.probes.far_end import FarEnd
from gosip_check.probes.media.answer import Answer
from gosip_check.probes.media.bounds import Ending, bounds_of
from gosip_check.probes.media.capacity import MOST_CHANNELS, Capacity, Criterion
from gosip_check.probes.media.channels import PROBE
from gosip_check.probes.media.facts import facts_of_stream
from gosip_check.probes.media.options import Options
from gosip_check.probes.probe import fill_options
from gosip_check.records import Expectation, Operator, Outcome, Requirement
from gosip_check.wire.stamp_tlv import FarDrops
from tests.unit.probes.media.streams import answers, constant, every, facts, sending
from tests.unit.records import measurement

FAR = FarEnd(stateful=True, mapped=None, drops=FarDrops(0, 0))
GOOD = constant(10)
VERDICTS = (
    "too little",
    "too many",
    "too low",
    "enough",
    "suffic",
    "good",
    " bad",
    "fail",
    "pass",
    "fine",
    "too narrow",
)
"Words that are a verdict's."
LOADS: dict[str, list[list[Answer]]] = {
    "all": [answers(GOOD, GOOD)],
    "99.5 up": [answers(every(200, 10), GOOD)],
    "97 up": [answers(lambda n: None if n % 100 in (7, 57, 93) else 10.0, GOOD)],
    "97 down": [answers(GOOD, lambda n: None if n % 100 in (7, 57, 93) else 10.0)],
    "96 both": [answers(every(25, 10), lambda n: None if n % 25 == 7 else 10.0)],
    "97, no direction": [answers(lambda n: None if n % 100 in (7, 57, 93) else 10.0, GOOD, stateful=False)],
    "half down": [answers(GOOD, every(2, 10))],
    "growing queue": [answers(lambda n: 10 + n * 0.11, GOOD)],
    "nothing": [[]],
}


def seen(channels: list[list[Answer]], **options: Any) -> dict[str, Any]:
    """The facts of a stream, as a report has them."""
    stream = facts(*channels, **options)
    ranges = bounds_of(stream, FarDrops(0, 0))
    capacity = Capacity(6, 7), Criterion(99, 1)
    end = FarDrops(0, 0), Ending.ANSWERED
    saved: dict[str, Any] = msgspec.to_builtins(
        facts_of_stream("h:1", FAR, stream, end, ranges, (97.0, 98.5), capacity)
    )
    return saved


def bandwidth(asked_pct: float) -> Requirement:
    """The requirement of a checklist that asks for so much."""
    own = next(r for r in checklist.load("go-native").requirements if r.id == "media.bandwidth")
    return msgspec.structs.replace(own, expect=[Expectation("delivered_pct", Operator.MIN, asked_pct)])


@pytest.mark.parametrize("channels", LOADS.values(), ids=LOADS)
@pytest.mark.parametrize("asked_pct", [95, 99, 99.9])
def test_a_sentence_is_true_beside_every_verdict(channels: list[list[Answer]], asked_pct: float) -> None:
    found = seen(channels)
    verdict = judge(bandwidth(asked_pct), measurement(found))
    assert verdict.reason == judge(bandwidth(50), measurement(found)).reason
    assert [word for word in VERDICTS if word in verdict.reason] == []


@pytest.mark.parametrize(
    ("load", "asked_pct", "outcome", "said"),
    [
        ("97 up", 95, "pass", "97 kb/s (97.00 % in time) up, 97 kb/s (100.00 % in time) down. Up is the worse"),
        ("97 up", 99.9, "fail", "97 kb/s (97.00 % in time) up, 97 kb/s (100.00 % in time) down. Up is the worse"),
        ("97 down", 95, "pass", "100 kb/s (100.00 % in time) up, 97 kb/s (97.00 % in time) down. Down is the worse"),
        ("97 down", 99.9, "fail", "100 kb/s (100.00 % in time) up, 97 kb/s (97.00 % in time) down. Down is the worse"),
        ("99.5 up", 95, "pass", "(99.50 % in time) up"),
        ("99.5 up", 99, "pass", "(99.50 % in time) up"),
        ("99.5 up", 99.9, "fail", "(99.50 % in time) up"),
        ("all", 99.9, "pass", "(100.00 % in time) up, 100 kb/s (100.00 % in time) down. With real"),
        ("96 both", 95, "unknown", "Down was loaded with no more than what came up. So the worse direction delivers"),
        ("96 both", 90, "pass", "So the worse direction delivers between 92.00 % and 95.83 %."),
        ("96 both", 97, "fail", "So the worse direction delivers between 92.00 % and 95.83 %."),
        ("growing queue", 99.9, "unknown", "The delay up grew by"),
    ],
)
def test_the_verdict_is_the_checklists(load: str, asked_pct: float, outcome: str, said: str) -> None:
    verdict = judge(bandwidth(asked_pct), measurement(seen(LOADS[load])))
    assert (verdict.outcome, said in verdict.reason) == (Outcome(outcome), True), verdict.reason


@pytest.mark.parametrize("channels", LOADS.values(), ids=LOADS)
@pytest.mark.parametrize("late", [0, 20])
def test_no_sentence_about_media_holds_a_verdict(channels: list[list[Answer]], late: int) -> None:
    found = seen(channels, sent=sending([0.0001] * 900 + [0.03] * late), drops=late)
    assert set(found["evidence"]) >= {"delivered_pct", "window15_loss_pct", "worst_jitter_ms", "mos", "dscp_survives"}
    for sentence in found["evidence"].values():
        assert [word for word in VERDICTS if word in sentence] == []


@pytest.mark.parametrize(
    ("capacity", "said"),
    [
        (
            Capacity(6, 7),
            "6 channels at once had at least 95 % delivered and at most 2.5 % lost in any 15 s; 7 had",
        ),
        (Capacity(1, 2), "1 channel at once had at least 95 % "),
        (Capacity(0, 1), "Not one channel at once had at least 95 % delivered"),
        (Capacity(80, None), "With more of them this machine or the reflector's was too slow to tell."),
        (Capacity(MOST_CHANNELS, None), "; more were not tried."),
    ],
)
def test_what_a_line_carries_is_said_with_its_criterion(capacity: Capacity, said: str) -> None:
    assert said in capacity.sentence(Criterion(95, 2.5))


def test_the_criterion_is_an_option_that_a_requirement_may_choose() -> None:
    chosen = {"domain": "trunk.example", "transport": "udp", "carried_delivered_pct": 95, "carried_loss_pct": 2.5}
    options = fill_options(PROBE, chosen)
    assert isinstance(options, Options)
    assert options.criterion == Criterion(95, 2.5)
    with pytest.raises(msgspec.ValidationError):
        fill_options(PROBE, {**chosen, "carried_loss_pct": 101})
