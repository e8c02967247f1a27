"""The emulated PBX under rehearsal: as the guide wants it, every row that it shows passes; each fault is found as such.

All of it in virtual time, so half an hour takes a tenth of a second and is always the same.
"""

import functools
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from gosip_check.cli.pbx import plan_of_pbx
from gosip_check.plan import Plan
from gosip_check.records import Level, Outcome
from gosip_check.run import Observer, run
from gosip_check.servers.emulated.behaviour import Behaviour
from gosip_check.servers.emulated.faults import FAULTS
from gosip_check.servers.emulated.rehearsal import rehearse
from gosip_check.servers.rehearsal.phases import PHASES

LONG_CALL = "session-refresh"
"Its call has more sound than all others together, so those who need it not leave it out."


def plan() -> Plan:
    return plan_of_pbx("pbx rehearse", {"checklist": "go-native", "skip": ()})


@functools.cache
def outcomes(behaviour: Behaviour, *, with_long_call: bool = True) -> dict[str, Outcome]:
    phases = [phase for phase in PHASES if with_long_call or phase.name != LONG_CALL]
    heard = rehearse(plan().checklist.trunk.domain, behaviour, phases)
    report = run(replace(plan(), heard=heard), threading.Event(), Observer())
    return {verdict.id: verdict.outcome for verdict in report.verdicts}


def test_a_pbx_that_the_guide_describes_passes_every_row() -> None:
    came = outcomes(Behaviour())
    assert {row: outcome for row, outcome in came.items() if outcome is not Outcome.PASS} == {}
    assert len(came) == 46  # of 47: whether Contact is public can be seen outside the site alone


def test_what_nobody_says_is_unknown_and_nothing_else() -> None:
    came = outcomes(replace(Behaviour(), says_nothing=True))
    unknown = {"pbx.routes-by-to", "pbx.incoming-number", "pbx.dtmf-receives", "pbx.early-media"}
    # Without an answer no call is forwarded either.
    assert {row for row, outcome in came.items() if outcome is not Outcome.PASS} == unknown | {"pbx.from-forwarded"}


@pytest.mark.table
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_as_what_it_is_and_nothing_else_fails(name: str) -> None:
    fault = FAULTS[name]
    came = outcomes(fault.behaviour, with_long_call=fault.row == f"pbx.{LONG_CALL}")
    assert came[fault.row] == fault.outcome
    failed = {row for row, outcome in came.items() if outcome is Outcome.FAIL}
    assert failed - {fault.row} == set(fault.also)


def test_every_row_has_a_fault_for_each_way_in_which_it_can_end() -> None:
    can_end = set()
    for requirement in plan().requirements:
        is_must = requirement.level is Level.MUST
        can_end |= {(requirement.id, Outcome.FAIL)} if is_must else {(requirement.id, Outcome.WARN)}
        can_end |= {(requirement.id, Outcome.WARN)} if requirement.prefer else set()
    faults = {(fault.row, Outcome(fault.outcome)) for fault in FAULTS.values()}
    assert can_end == faults


def test_it_is_the_same_each_time() -> None:
    first, again = (rehearse("trunk.example", Behaviour()) for _ in range(2))
    assert [(m.direction, m.source, m.destination) for m in first.messages] == [
        (m.direction, m.source, m.destination) for m in again.messages
    ]
    assert [step.name for step in first.steps] == [phase.name for phase in PHASES]


def test_the_faults_are_listed_for_people() -> None:
    rows = [f"| `{name}` | {fault.says} | {fault.row} | {fault.outcome} |" for name, fault in FAULTS.items()]
    assert "\n".join(rows) in Path("docs/rehearsal-faults.md").read_text()


def test_what_is_not_answered_is_sent_again_as_the_rfc_says() -> None:
    """RFC 3261 17.1.2.1: after 0.5 s, and then after twice the time."""
    heard = rehearse("trunk.example", Behaviour())
    silent = next(step for step in heard.steps if step.name == "a-silent")
    unanswered = next(
        each for each in heard.requests("REGISTER") if not each.responses and each.sent_s[0] >= silent.began_s
    )
    assert [round(sent_s - unanswered.sent_s[0], 2) for sent_s in unanswered.sent_s] == [0, 0.5, 1.5, 3.5, 7.5]
