"""The judge: what is not known never passes, and what is not the site's fault never fails."""

from typing import Any

import pytest
from msgspec.structs import replace

from gosip_check.judge import counts, judge, readiness, stopped
from gosip_check.records import FailureKind, Outcome, Readiness
from tests.unit.records import expectation, measurement, requirement, verdict

TRUE = expectation("ok", "is", True)


@pytest.mark.parametrize(
    ("operator", "value", "found", "holds"),
    [
        ("is", True, True, True),
        ("is", False, True, False),
        ("one_of", ["a", "b"], "b", True),
        ("one_of", ["a", "b"], "c", False),
        ("min", 2, 2, True),
        ("min", 2, 1, False),
        ("max", 30, 30.0, True),
        ("max", 30, 30.01, False),
        ("includes", "x", ["x", "y"], True),
        ("includes", "x", [], False),
    ],
)
def test_operators(operator: str, value: Any, found: Any, holds: bool) -> None:
    verdict = judge(requirement(expectation("f", operator, value)), measurement({"f": found}))
    assert verdict.outcome is (Outcome.PASS if holds else Outcome.FAIL)


@pytest.mark.parametrize(("level", "outcome"), [("must", "fail"), ("should", "warn"), ("info", "warn")])
def test_what_a_miss_amounts_to(level: str, outcome: str) -> None:
    assert judge(requirement(TRUE, level=level), measurement({"ok": False})).outcome == outcome


@pytest.mark.parametrize("facts", [{"ok": None}, {}, {"other": True}], ids=["undecided", "empty", "missing"])
def test_a_fact_that_was_not_decided_is_unknown(facts: dict[str, Any]) -> None:
    assert judge(requirement(TRUE), measurement(facts)).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("kind", FailureKind)
def test_a_failure_fails_only_where_it_says_something_about_the_site(kind: FailureKind) -> None:
    ours = {FailureKind.PERMISSION, FailureKind.UNSUPPORTED, FailureKind.INTERRUPTED, FailureKind.BUG}
    verdict = judge(requirement(TRUE), measurement(failure=kind))
    assert verdict.outcome is (Outcome.UNKNOWN if kind in ours else Outcome.FAIL)
    assert verdict.reason == f"It was {kind}."


DISTURBED = "Meanwhile the interface eth0 went down."


@pytest.mark.parametrize(
    ("facts", "failure", "level", "outcome", "reason"),
    [
        ({"ok": False, "evidence": {"ok": "It is lost."}}, None, "must", "unknown", f"It is lost. {DISTURBED}"),
        ({"ok": False, "evidence": {"ok": "It is lost."}}, None, "should", "unknown", f"It is lost. {DISTURBED}"),
        ({"ok": None, "evidence": {"ok": "It is open."}}, None, "must", "unknown", f"It is open. {DISTURBED}"),
        ({"ok": True, "evidence": {"ok": "It came."}}, None, "must", "pass", "It came."),
        (None, FailureKind.TIMEOUT, "must", "unknown", f"It was timeout. {DISTURBED}"),
        (None, FailureKind.BUG, "must", "unknown", f"It was bug. {DISTURBED}"),
    ],
)
def test_a_miss_while_this_machine_was_disturbed_may_be_its_own(
    facts: dict[str, Any] | None, failure: FailureKind | None, level: str, outcome: str, reason: str
) -> None:
    disturbed = replace(measurement(facts, failure), disturbance=DISTURBED)
    judged = judge(requirement(level=level), disturbed)
    assert (judged.outcome, judged.reason) == (outcome, reason)


def test_what_is_preferred_is_no_warning_of_a_disturbed_machine() -> None:
    preferring = requirement(expectation("ok", "is", True), prefer=[expectation("number", "max", 1)])
    disturbed = replace(measurement({"ok": True, "number": 2}), disturbance=DISTURBED)
    assert judge(preferring, disturbed).outcome is Outcome.UNKNOWN


def test_one_miss_weighs_more_than_one_unknown() -> None:
    both = requirement(TRUE, expectation("rtt_ms.p95", "max", 100))
    assert judge(both, measurement({"ok": None, "rtt_ms": {"p95": 200}})).outcome is Outcome.FAIL
    assert judge(both, measurement({"ok": None, "rtt_ms": {"p95": 20}})).outcome is Outcome.UNKNOWN


def test_the_reason_is_the_evidence_of_what_decided() -> None:
    facts = {"ok": True, "n": 3, "evidence": {"ok": "It answered.", "n": "Only 3 came."}}
    verdict = judge(requirement(TRUE, expectation("n", "min", 5)), measurement(facts))
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "Only 3 came.")
    assert verdict.facts == {"ok": True, "n": 3}


@pytest.mark.parametrize(
    ("fact", "operator", "value", "found", "reason"),
    [
        ("rtt_ms.p95", "max", 100, 12.345, "rtt p95 is 12.35 ms (at most 100 wanted)."),
        ("cpu_pct", "max", 80, 91.5, "cpu is 91.5 % (at most 80 wanted)."),
        ("rate_up_kbps", "min", 1000, 990, "rate up is 990 kb/s (at least 1000 wanted)."),
        ("rtt_ms", "max", 100, 120.5, "rtt is 120.5 ms (at most 100 wanted)."),
        ("off_by_s", "max", 5, 7, "off by is 7 s (at most 5 wanted)."),
        ("down_mbps", "min", 5, 4, "down is 4 Mb/s (at least 5 wanted)."),
        ("free_mb", "min", 64, 32, "free is 32 MiB (at least 64 wanted)."),
        ("wired", "is", True, False, "wired is no (yes wanted)."),
        ("names", "includes", "a", [], "names is none (a wanted)."),
        ("wired", "is", True, None, "wired: looked for, and could not be decided."),
    ],
)
def test_a_fact_without_words_gets_a_plain_sentence(
    fact: str, operator: str, value: Any, found: Any, reason: str
) -> None:
    facts: dict[str, Any] = {fact.split(".")[0]: {fact.split(".")[1]: found} if "." in fact else found}
    assert judge(requirement(expectation(fact, operator, value)), measurement(facts)).reason == reason


@pytest.mark.parametrize(
    ("operator", "value", "found", "shown"),
    [("includes", "a", "abc", "abc"), ("is", True, "yes", "yes"), ("max", 1, True, "yes"), ("one_of", ["a"], 1, "1")],
)
def test_a_fact_that_cannot_be_compared_is_unknown(operator: str, value: Any, found: Any, shown: str) -> None:
    verdict = judge(requirement(expectation("x", operator, value)), measurement({"x": found}))
    reason = f"x: {shown} is not what this measures, so nothing can be said."
    assert (verdict.outcome, verdict.reason) == (Outcome.UNKNOWN, reason)


LOSS = expectation("loss_pct", "max", 1)


@pytest.mark.parametrize(
    ("between", "outcome"),
    [((0.0, 0.9), "pass"), ((0.0, 1.1), "unknown"), ((1.1, 2.2), "fail"), ((1.1, None), "fail"), ((None, 1.0), "pass"),
     ((None, None), "unknown"), ((0.5, None), "unknown"), ((1, 1), "pass")],
)  # fmt: skip
def test_a_fact_known_to_lie_between_two_values_is_judged_where_both_agree(
    between: tuple[float | None, float | None], outcome: str
) -> None:
    facts = {"loss_pct": None, "between": {"loss_pct": list(between)}}
    verdict = judge(requirement(LOSS), measurement(facts))
    assert verdict.outcome == outcome
    assert verdict.facts == {"loss_pct": {"between": list(between)}}


@pytest.mark.parametrize(
    ("between", "outcome"), [((99, 100), "pass"), ((98, 100), "unknown"), ((97, 98.9), "fail"), ((99, 99), "pass")]
)
def test_bounds_count_for_a_least_value_too(between: tuple[float, float], outcome: str) -> None:
    facts = {"rate_pct": None, "between": {"rate_pct": between}}
    assert judge(requirement(expectation("rate_pct", "min", 99)), measurement(facts)).outcome == outcome


def test_a_value_that_was_measured_counts_more_than_bounds() -> None:
    facts = {"loss_pct": 0.5, "between": {"loss_pct": (2, 3)}}
    assert judge(requirement(LOSS), measurement(facts)).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("loss_pct", "level", "outcome", "reason"),
    [
        (0.05, "must", "pass", "loss is 0.05 % (at most 1 wanted)."),
        (0.5, "must", "warn", "loss is 0.5 % (at most 0.1 wanted)."),
        (1.5, "must", "fail", "loss is 1.5 % (at most 1 wanted)."),
        (0.5, "should", "warn", "loss is 0.5 % (at most 0.1 wanted)."),
        (None, "must", "unknown", "loss: looked for, and could not be decided."),
    ],
)
def test_what_is_preferred_warns_and_never_fails(loss_pct: float | None, level: str, outcome: str, reason: str) -> None:
    asked = requirement(LOSS, level=level, prefer=[expectation("loss_pct", "max", 0.1)])
    verdict = judge(asked, measurement({"loss_pct": loss_pct}))
    assert (verdict.outcome, verdict.reason) == (outcome, reason)
    assert verdict.preferred == asked.prefer


def test_what_is_preferred_and_unknown_takes_nothing_from_a_pass() -> None:
    asked = requirement(TRUE, prefer=[LOSS])
    assert judge(asked, measurement({"ok": True})).outcome is Outcome.PASS


def test_what_a_stopped_run_did_not_get_to_is_unknown_and_says_so_by_a_state() -> None:
    verdict = stopped(requirement(), "Internet-2")
    assert (verdict.outcome, verdict.stopped, verdict.measurement) == (Outcome.UNKNOWN, True, None)
    cut = judge(requirement(), measurement(failure=FailureKind.INTERRUPTED))
    assert (cut.outcome, cut.stopped, cut.measurement) == (Outcome.UNKNOWN, True, "m1")
    late = judge(requirement(), measurement(failure=FailureKind.BUG))
    assert (late.outcome, late.stopped, late.reason) == (Outcome.UNKNOWN, False, "It was bug.")


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([("pass", "must")], Readiness.READY),
        ([("pass", "must"), ("warn", "should"), ("unknown", "should"), ("skipped", "info")], Readiness.READY),
        ([("pass", "must"), ("unknown", "must")], Readiness.INCONCLUSIVE),
        ([("pass", "must"), ("skipped", "must")], Readiness.INCONCLUSIVE),
        ([("fail", "must"), ("unknown", "must"), ("skipped", "must")], Readiness.NOT_READY),
    ],
)
def test_readiness(outcomes: list[tuple[str, str]], expected: Readiness) -> None:
    assert readiness(verdict(outcome, level) for outcome, level in outcomes) is expected


@pytest.mark.parametrize(
    ("operator", "value"),
    [("is", True), ("is", "udp"), ("one_of", ["a", "b"]), ("one_of", [1, 2]), ("includes", 5060), ("includes", "a")],
)
@pytest.mark.parametrize("bounds", [[1, 2], [[1], [2]], ["a", "b"], [None, {}], [True, False], [None, 3]])
def test_between_two_bounds_lies_nothing_that_has_no_order(operator: str, value: Any, bounds: list[Any]) -> None:
    """Facts may come from a file that somebody edited."""
    facts = {"x": None, "between": {"x": bounds}}
    assert judge(requirement(expectation("x", operator, value)), measurement(facts)).outcome is Outcome.UNKNOWN


def test_verdicts_are_counted_by_outcome() -> None:
    assert counts([verdict("pass"), verdict("fail"), verdict("pass")]) == {
        "pass": 2, "warn": 0, "fail": 1, "unknown": 0, "skipped": 0
    }  # fmt: skip
