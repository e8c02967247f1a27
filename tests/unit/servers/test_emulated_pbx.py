"""The emulated PBX under rehearsal: as the guide wants it, every row that it shows passes; each fault is found as such.

All of it in virtual time, so half an hour takes a tenth of a second and is always the same.
"""

import functools
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from gosip_check.cli.pbx import plan_of_pbx
from gosip_check.records import Outcome, Report
from gosip_check.run import Observer, run
from gosip_check.servers.emulated_behaviour import Behaviour
from gosip_check.servers.emulated_faults import FAULTS
from gosip_check.servers.emulated_rehearsal import rehearse
from gosip_check.servers.rehearsal_phases import PHASES

NOT_SHOWN_YET = {
    "pbx.invite-target",
    "pbx.ppi",
    "pbx.from-national",
    "pbx.from-forwarded",
    "pbx.clir",
    "pbx.to-format",
    "pbx.invite-contact",
    "pbx.invite-auth",
    "pbx.codec-alaw",
    "pbx.ptime",
    "pbx.no-extras",
    "pbx.rtp-both-ways",
    "pbx.dtmf-rfc2833",
    "pbx.dtmf-receives",
    "pbx.session-timer",
    "pbx.session-refresh",
    "pbx.session-refreshed",
    "pbx.incoming-call",
    "pbx.routes-by-to",
    "pbx.incoming-number",
    "pbx.tolerates-headers",
    "pbx.100rel",
    "pbx.early-media",
    "pbx.hold",
    "pbx.hangs-up",
    "pbx.fails-over-call",
    "pbx.unregisters",
}
"Rows that need calls, or the trunk to be switched off, which a rehearsal does not do yet."


NOT_DONE = {"forward", "trunk-off"}
"Phases that do not take place where the installer does not do his part."


@functools.cache
def rehearsed(behaviour: Behaviour) -> Report:
    plan = plan_of_pbx("pbx rehearse", {"checklist": "go-native", "skip": ()})
    heard = rehearse(plan.checklist.trunk.domain, behaviour)
    return run(replace(plan, heard=heard), threading.Event(), Observer())


def outcomes(behaviour: Behaviour) -> dict[str, Outcome]:
    return {verdict.id: verdict.outcome for verdict in rehearsed(behaviour).verdicts}


def test_a_pbx_that_the_guide_describes_passes_all_that_is_shown() -> None:
    came = outcomes(Behaviour())
    assert {row for row, outcome in came.items() if outcome is Outcome.UNKNOWN} == NOT_SHOWN_YET
    assert {row: outcome for row, outcome in came.items() if outcome not in (Outcome.PASS, Outcome.UNKNOWN)} == {}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_as_what_it_is_and_nothing_else_fails(name: str) -> None:
    fault = FAULTS[name]
    came = outcomes(fault.behaviour)
    assert came[fault.row] == fault.outcome
    failed = {row for row, outcome in came.items() if outcome is Outcome.FAIL}
    assert failed - {fault.row} == set(fault.also)


def test_every_row_that_is_shown_has_a_fault() -> None:
    shown = set(outcomes(Behaviour())) - NOT_SHOWN_YET
    assert shown - {fault.row for fault in FAULTS.values()} == {"pbx.udp-only"}


def test_it_is_the_same_each_time() -> None:
    first, again = (rehearse("trunk.example", Behaviour()) for _ in range(2))
    assert [(m.direction, m.source, m.destination) for m in first.messages] == [
        (m.direction, m.source, m.destination) for m in again.messages
    ]
    assert [step.name for step in first.steps] == [phase.name for phase in PHASES if phase.name not in NOT_DONE]


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
