"""What is looked at at all: skipped on request, without a network, behind a need that did not pass, or stopped."""

from typing import Any

import pytest
from msgspec.structs import replace

from gosip_check.records import STOPPED, Failure, FailureKind, Measurement, Outcome, Requirement, Verdict
from gosip_check.report import load
from gosip_check.report.to_json import to_json
from gosip_check.settle import Circumstances, settle
from tests.unit.records import measurement, report, requirement, verdict

FIRST = requirement(id="a.first")
SECOND = requirement(id="a.second", needs=["a.first"], probe="q")
LOCAL = requirement(id="host.local", probe="own")
GOOD, BAD = measurement({"ok": True}), measurement({"ok": False})


def settled(facts: dict[str, Measurement], otherwise: Verdict | None = None, **around: Any) -> dict[str, Verdict]:
    fields = {"link": "Internet-1", "skip": (), "without_network": False, "local": {"own"}, "form": None, **around}
    verdicts: dict[str, Verdict] = {}

    def measurement_of(asked: Requirement) -> Measurement | None:
        return facts.get(asked.id)

    fell = list(settle([FIRST, SECOND, LOCAL], verdicts, Circumstances(**fields), measurement_of, lambda _: otherwise))
    assert fell == list(verdicts.values())
    return verdicts


def test_all_that_was_measured_is_judged_in_order() -> None:
    verdicts = settled({"a.first": GOOD, "a.second": BAD, "host.local": GOOD})
    assert [(v.id, v.outcome) for v in verdicts.values()] == [
        ("a.first", Outcome.PASS),
        ("a.second", Outcome.FAIL),
        ("host.local", Outcome.PASS),
    ]


def test_what_is_not_measured_yet_waits_and_so_does_what_needs_it() -> None:
    assert list(settled({"a.second": GOOD, "host.local": GOOD})) == ["host.local"]


def test_behind_a_need_that_did_not_pass_nothing_is_looked_at() -> None:
    second = settled({"a.first": BAD, "a.second": GOOD})["a.second"]
    assert (second.outcome, second.reason) == (Outcome.SKIPPED, "Not looked at, because a.first did not pass.")


def test_what_needs_a_stopped_one_is_as_unknown_as_that_even_where_it_was_measured() -> None:
    cut = measurement(failure=FailureKind.INTERRUPTED)
    verdicts = settled({"a.first": cut, "a.second": GOOD})
    assert [(v.outcome, v.stopped) for v in verdicts.values()] == [(Outcome.UNKNOWN, True)] * 2


def test_what_took_longer_than_it_may_is_not_a_stopped_run() -> None:
    verdicts = settled({"a.first": measurement(failure=FailureKind.BUG), "a.second": GOOD})
    assert [v.outcome for v in verdicts.values()] == [Outcome.UNKNOWN, Outcome.SKIPPED]


def test_on_request_a_glob_skips_before_anything_else() -> None:
    verdicts = settled({"a.first": GOOD, "a.second": GOOD}, skip=["a.*"], without_network=True)
    assert {v.reason for v in verdicts.values()} == {"Skipped on request (--skip a.*)."}


def test_what_nobody_asked_for_says_by_which_option_it_is_looked_at() -> None:
    verdicts = settled({"host.local": GOOD}, switched_off={"p": "--under-load", "q": "--under-load"})
    assert {v.reason for v in verdicts.values() if v.outcome is Outcome.SKIPPED} == {
        "Not looked at without --under-load."
    }


def test_without_a_network_only_what_looks_at_this_machine_is_judged() -> None:
    verdicts = settled({"a.first": GOOD, "host.local": GOOD}, without_network=True)
    assert [(v.id, v.outcome) for v in verdicts.values()] == [
        ("a.first", Outcome.SKIPPED),
        ("a.second", Outcome.SKIPPED),
        ("host.local", Outcome.PASS),
    ]


@pytest.mark.parametrize(
    ("message", "kind"),
    [(STOPPED, FailureKind.INTERRUPTED), ("It did not end in the time that it may take.", FailureKind.BUG)],
)
def test_a_report_of_the_first_version_gets_the_states_of_today(message: str, kind: FailureKind) -> None:
    old = replace(measurement(), failure=Failure(kind=FailureKind.INTERRUPTED, message=message))
    written = report(verdict("unknown", reason=message), tool_version="0.1.0", measurements=[old])
    read = load.parse(to_json(written).encode(), "report.json")
    assert read.verdicts[0].stopped is (kind is FailureKind.INTERRUPTED)
    assert read.measurements[0].failure == Failure(kind=kind, message=message)
