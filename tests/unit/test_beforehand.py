"""What a run says before it starts, `--again` and `--until-ready` included."""

from dataclasses import replace

import pytest
from msgspec import structs

from gosip_check.again import Again
from gosip_check.checklist import load
from gosip_check.cli.beforehand import say_beforehand
from gosip_check.plan import Plan
from gosip_check.probes.media import politeness
from gosip_check.probes.net import echo
from gosip_check.records import Link, Outcome, Settings
from tests.unit.own_probes import go, plan
from tests.unit.records import verdict

CHECKLIST = load("go-native")
WHOLE = Plan(CHECKLIST, CHECKLIST.requirements, [Link("x")], Settings(under_load=True))


def after(outcome: Outcome) -> Plan:
    """The same after a run in which all of it came out like that."""
    verdicts = [verdict(outcome.value, id=each.id) for each in CHECKLIST.requirements]
    return replace(WHOLE, again=Again(structs.replace(go(plan()), verdicts=verdicts)))


@pytest.fixture(autouse=True)
def may_not_ping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echo, "is_allowed", lambda _: False)


def said(capsys: pytest.CaptureFixture[str], plan: Plan) -> str:
    say_beforehand(plan)
    return capsys.readouterr().err


def test_who_may_not_ping_and_who_notices_is_said_before_every_run(capsys: pytest.CaptureFixture[str]) -> None:
    for whole in (WHOLE, after(Outcome.FAIL)):
        text = said(capsys, whole)
        assert f"  sudo {echo.ALLOW_ALL}\n  or run gosip-check with sudo\n" in text
        assert "the office will notice" in text
        assert ("about" in text) is (whole.again is None)
    assert said(capsys, after(Outcome.PASS)) == ""


def test_where_no_load_may_be_sent_what_stands_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for run in range(politeness.RUNS_AN_HOUR):
        assert "What the earlier run saw of the line stands." not in said(capsys, after(Outcome.FAIL))
        politeness.begin_load(str(run))
    assert "What the earlier run saw of the line stands." in said(capsys, after(Outcome.FAIL))
