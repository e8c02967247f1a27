"""Trouble in, the whole result out: the demo's trunk misbehaves, and verdicts, outcome and exit code follow.

One file a scenario: the fault, and which verdicts do not pass. The verdicts on this very machine (host.*, link.*)
depend on where the tests run, so they only have to be there.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

SCENARIOS = {path.stem: tomllib.loads(path.read_text()) for path in sorted(Path(__file__).parent.glob("*.toml"))}
TOOL = [sys.executable, "-m", "gosip_check"]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    done = subprocess.run([*TOOL, "schema"], capture_output=True, check=True, timeout=60)
    document: dict[str, Any] = json.loads(done.stdout)
    jsonschema.Draft202012Validator.check_schema(document)
    return document


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_scenario(scenario: dict[str, Any], schema: dict[str, Any]) -> None:
    fault = ["--fault", scenario["fault"]] if "fault" in scenario else []
    command = [*TOOL, "demo", "--checklist", scenario["checklist"], "--json", "-", *fault]
    done = subprocess.run(command, capture_output=True, timeout=120)
    report = json.loads(done.stdout)
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(report)
    assert [m["failure"] for m in report["measurements"] if m["failure"] and m["failure"]["kind"] == "bug"] == []
    not_passing = {v["id"]: v["outcome"] for v in report["verdicts"] if v["outcome"] != "pass" and not _local(v["id"])}
    assert not_passing == scenario.get("not_passing", {}), done.stderr.decode()
    assert {v["id"] for v in report["verdicts"] if _local(v["id"])} >= {"host.cpu", "host.memory", "host.clock"}
    assert report["outcome"] == scenario["outcome"]
    assert done.returncode == scenario["exit_code"]
    assert b"\x1b" not in done.stdout + done.stderr


def _local(requirement: str) -> bool:
    return requirement.startswith(("host.", "link.", "edge."))


def test_every_fault_has_a_scenario() -> None:
    listed = subprocess.run([*TOOL, "demo", "--fault", "list"], capture_output=True, check=True, timeout=60)
    faults = {line.split()[0] for line in listed.stdout.decode().splitlines()}
    assert faults == {scenario["fault"] for scenario in SCENARIOS.values() if "fault" in scenario}


def test_a_wrong_document_does_not_validate(schema: dict[str, Any]) -> None:
    """The schema can say no: to another version, a missing or a foreign field, facts that are not the probe's."""
    done = subprocess.run([*TOOL, "demo", "--json", "-", "--quiet"], capture_output=True, timeout=60)
    validator = jsonschema.Draft202012Validator(schema)
    changes: list[Callable[[dict[str, Any]], object]] = [
        lambda r: r.update(schema="gosip-check/report/2"),
        lambda r: r.pop("outcome"),
        lambda r: r.update(extra=1),
        lambda r: r["verdicts"][0].update(outcome="fine"),
        lambda r: next(m["facts"] for m in r["measurements"] if m["facts"]).update(extra=1),
    ]
    for change in changes:
        report = json.loads(done.stdout)
        assert validator.is_valid(report)
        change(report)
        assert not validator.is_valid(report)
