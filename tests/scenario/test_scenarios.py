"""Trouble in, the whole result out: the demo's trunk misbehaves, and verdicts, outcome and exit code follow.

One file a scenario: the fault, and which verdicts do not pass. The verdicts on this very machine (host.*, link.*)
depend on where the tests run, so they only have to be there; so has qos.*, which a demo has no switch for.
"""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.consistency import contradictions
from tests.saved import RECORDED, demo, fresh_demo, here, save, tool

SCENARIOS = {path.stem: tomllib.loads(path.read_text()) for path in sorted(Path(__file__).parent.glob("*.toml"))}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(tool("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(document)
    return document


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_scenario(scenario: dict[str, Any], schema: dict[str, Any]) -> None:
    fault = ["--fault", scenario["fault"]] if "fault" in scenario else []
    done, report = fresh_demo("--checklist", scenario["checklist"], *fault)
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(report)
    assert [m["failure"] for m in report["measurements"] if m["failure"] and m["failure"]["kind"] == "bug"] == []
    not_passing = {v["id"]: v["outcome"] for v in report["verdicts"] if v["outcome"] != "pass" and not _local(v["id"])}
    assert not_passing == scenario.get("not_passing", {}), done.stderr
    assert {v["id"] for v in report["verdicts"] if _local(v["id"])} >= {"host.cpu", "host.memory", "host.clock"}
    assert contradictions(report) == []
    assert report["outcome"] == scenario["outcome"]
    assert done.returncode == scenario["exit_code"]
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("fault", RECORDED)
def test_a_fresh_demo_brings_what_is_recorded_and_is_judged_again_the_same(fault: str, tmp_path: Path) -> None:
    """Where it brings something else: `.venv/bin/python -m tests.saved` records it again."""
    _, report = fresh_demo("--quiet", "--skip", "host.*", *([] if fault == "ready" else ["--fault", fault]))
    recorded, again = demo(fault), tmp_path / "again.json"
    assert _outcomes(report) == _outcomes(recorded)
    assert _brought(recorded) <= _brought(report)
    here("report", "judge", save(report, tmp_path), "--checklist", "go-native", "--json", again)
    assert json.loads(again.read_text()) == report


def _outcomes(report: dict[str, Any]) -> dict[str, str]:
    return {v["id"]: v["outcome"] for v in report["verdicts"] if not _local(v["id"])}


def _brought(report: dict[str, Any]) -> set[tuple[str, str]]:
    """Every fact by its probe and its name."""
    return {(m["probe"], name) for m in report["measurements"] for name in m["facts"] or {}}


def _local(requirement: str) -> bool:
    return requirement.startswith(("host.", "link.", "edge.", "qos."))


def test_every_fault_has_a_scenario() -> None:
    listed = tool("demo", "--fault", "list")
    faults = {line.split()[0] for line in listed.stdout.splitlines()}
    assert faults == {scenario["fault"] for scenario in SCENARIOS.values() if "fault" in scenario}


def test_a_wrong_document_does_not_validate(schema: dict[str, Any]) -> None:
    """The schema can say no: to another version, a missing or a foreign field, facts that are not the probe's."""
    validator = jsonschema.Draft202012Validator(schema)
    changes: list[Callable[[dict[str, Any]], object]] = [
        lambda r: r.update(schema="gosip-check/report/2"),
        lambda r: r.pop("outcome"),
        lambda r: r.update(extra=1),
        lambda r: r["verdicts"][0].update(outcome="fine"),
        lambda r: next(m["facts"] for m in r["measurements"] if m["facts"]).update(extra=1),
    ]
    for change in changes:
        report = demo()
        assert validator.is_valid(report)
        change(report)
        assert not validator.is_valid(report)
