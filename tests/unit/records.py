"""Valid records for tests, to be varied with msgspec.structs.replace."""

from datetime import UTC, datetime
from typing import Any

from gosip_check.records import (
    ChecklistIdentity,
    Expectation,
    Failure,
    FailureKind,
    Level,
    LinkReport,
    Measurement,
    Operator,
    Outcome,
    Readiness,
    Report,
    Requirement,
    Verdict,
)

WHEN = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def expectation(fact: str, operator: str, value: Any) -> Expectation:
    return Expectation(fact=fact, operator=Operator(operator), value=value)


def requirement(*expect: Expectation, level: str = "must", **changes: Any) -> Requirement:
    values: dict[str, Any] = {
        "id": "group.name",
        "title": "All is well",
        "level": Level(level),
        "probe": "p",
        "expect": list(expect) or [expectation("ok", "is", True)],
        "hint": "Do this.",
        "source": "a guide",
    }
    return Requirement(**{**values, **changes})


def measurement(facts: dict[str, Any] | None = None, failure: FailureKind | None = None) -> Measurement:
    return Measurement(
        id="m1",
        probe="p",
        link="Internet-1",
        subject="something",
        started=WHEN,
        elapsed_s=1.0,
        facts=facts,
        failure=None if failure is None else Failure(kind=failure, message=f"It was {failure}."),
    )


def verdict(outcome: str = "pass", level: str = "must", **changes: Any) -> Verdict:
    values: dict[str, Any] = {
        "id": "group.name",
        "group": "group",
        "title": "All is well",
        "link": "Internet-1",
        "level": Level(level),
        "outcome": Outcome(outcome),
        "reason": "It was seen.",
        "facts": {},
        "expected": [],
        "measurement": "m1",
        "hint": "Do this.",
        "source": "a guide",
    }
    return Verdict(**{**values, **changes})


def report(*verdicts: Verdict, **changes: Any) -> Report:
    values: dict[str, Any] = {
        "id": "01M83H7ZADPWQWC30BDTR0ZED3",
        "tool_version": "0.1.0",
        "command": "run",
        "started": WHEN,
        "elapsed_s": 4.0,
        "outcome": Readiness.READY,
        "counts": {outcome: sum(v.outcome is outcome for v in verdicts) for outcome in Outcome},
        "checklist": ChecklistIdentity(id="x", title="A trunk", version="1", sha256="0" * 64),
        "form": None,
        "links": [
            LinkReport(
                name="Internet-1",
                source="192.0.2.2",
                interface="eth0",
                public_address=None,
                trouble=None,
                outcome=Readiness.READY,
            )
        ],
        "verdicts": list(verdicts),
        "measurements": [measurement({"ok": True, "evidence": {}})],
    }
    return Report(**{**values, **changes})
