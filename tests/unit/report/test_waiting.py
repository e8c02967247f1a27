"""A line that the provider does not know yet: the last screen says what to ask for, and no more than is known."""

from typing import Any

import pytest
from msgspec.structs import replace

from gosip_check.records import LinkReport, Readiness, Report
from gosip_check.report.letters import letter
from gosip_check.report.summary import summary_of
from tests.unit.records import measurement, report, verdict


def _report(outcome: str, nat: dict[str, Any] | None, *, waits: bool = True) -> Report:
    measured = [replace(measurement({"waits_for_provider": waits, "evidence": {}}), probe="signalling")]
    if nat is not None:
        measured.append(replace(measurement({**nat, "evidence": {}}), probe="nat"))
    return report(verdict("unknown"), verdict("pass"), outcome=Readiness(outcome), measurements=measured)


@pytest.mark.parametrize(
    ("nat", "asked"),
    [
        ({"outside_address": "192.0.2.9", "outside_address_from": "reflector"}, "192.0.2.9; 1 of 2"),
        (
            {"outside_address": "192.0.2.9", "outside_address_from": "router"},
            "192.0.2.9 (your router says so, nobody confirms it)",
        ),
        ({"outside_address": None}, "the public address of this line (ask your internet provider for it)"),
        ({}, "the public address of this line"),
        (None, "the public address of this line"),
    ],
)
def test_what_to_whitelist_is_named(nat: dict[str, Any] | None, asked: str) -> None:
    summary = summary_of(_report("inconclusive", nat))
    assert summary.sentence.startswith(f"NOT DECIDED: waiting for the provider to whitelist {asked}")
    assert summary.next_steps[0] == "Once it is on the list: gosip-check run --again"


@pytest.mark.parametrize(("outcome", "waits"), [("not-ready", True), ("ready", True), ("inconclusive", False)])
def test_nothing_else_waits(outcome: str, waits: bool) -> None:
    assert "whitelist" not in summary_of(_report(outcome, {"outside_address": "192.0.2.9"}, waits=waits)).sentence


def test_the_letter_to_the_provider_names_the_same_address() -> None:
    link = LinkReport("Internet-1", "192.168.1.10", None, None, None, Readiness.INCONCLUSIVE)
    waits = _report("inconclusive", {"outside_address": "192.0.2.7", "outside_address_from": "router"})
    said = " ".join(letter(replace(waits, links=[link]), "provider").split())
    assert "Please whitelist: 192.0.2.7 (your router says so, nobody confirms it), Internet-1" in said
