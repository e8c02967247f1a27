"""Reports of 0.1.0, one for each state of the lab's site and product, are judged today as they were then.

tests/data/reports holds them as the tool of that version made them, with its checklists and, in outcomes.json, what it
said of each. `python -m tests.lab.compare tests/data/reports . --kinds states` asks the lab itself again.
"""

import gzip
import json
from pathlib import Path

import pytest

from tests.saved import DATA, here

OLD = DATA / "reports"
OUTCOMES: dict[str, dict[str, str]] = json.loads((OLD / "outcomes.json").read_text())
CHANGED: dict[str, str] = {}
"Requirement -> why today's checklist judges the same measurement otherwise than that of 0.1.0."


@pytest.fixture(params=OUTCOMES)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """The name of an old report, and the report as a file."""
    file = tmp_path / "old.json"
    file.write_bytes(gzip.decompress((OLD / f"{request.param}.json.gz").read_bytes()))
    return request.param, file


def _judged(file: Path, checklist: str) -> dict[str, str]:
    again = file.with_name("again.json")
    code, printed = here("report", "judge", file, "--checklist", checklist, "--json", again)
    assert code in (0, 1, 3), printed
    report = json.loads(again.read_text())
    return {"report": report["outcome"], **{v["id"]: v["outcome"] for v in report["verdicts"]}}


def test_every_old_report_is_listed() -> None:
    assert {path.name.removesuffix(".json.gz") for path in OLD.glob("*.json.gz")} == set(OUTCOMES)
    assert len(OUTCOMES) == 54


def test_its_own_checklist_judges_it_as_then(old: tuple[str, Path]) -> None:
    name, file = old
    said = _judged(file, str(OLD / f"{name.rpartition('.')[2]}.toml"))
    expected = {id_: outcome for id_, outcome in OUTCOMES[name].items() if id_ != "report check"}
    assert {id_: said[id_] for id_ in expected} == expected


def test_todays_checklist_judges_what_it_still_asks_as_then(old: tuple[str, Path]) -> None:
    name, file = old
    said = _judged(file, name.rpartition(".")[2])
    both = set(said) & set(OUTCOMES[name]) - set(CHANGED)
    assert len(both) >= 30
    assert {id_: said[id_] for id_ in both} == {id_: OUTCOMES[name][id_] for id_ in both}


def test_it_still_holds_together(old: tuple[str, Path]) -> None:
    """Every verdict that it states follows from what it says was measured."""
    name, file = old
    code, printed = here("report", "check", file, "--checklist", OLD / f"{name.rpartition('.')[2]}.toml")
    assert code in (0, 3), printed  # 3: another version wrote it
    assert f"It says: {OUTCOMES[name]['report']}." in printed


def test_an_old_report_that_was_edited_does_not_hold_together(tmp_path: Path) -> None:
    """The check can say no."""
    report = json.loads(gzip.decompress((OLD / "states.drop-5060.go-native.json.gz").read_bytes()))
    next(verdict for verdict in report["verdicts"] if verdict["id"] == "firewall.rtp")["outcome"] = "pass"
    (tmp_path / "edited.json").write_text(json.dumps(report))
    code, printed = here("report", "check", tmp_path / "edited.json", "--checklist", OLD / "go-native.toml")
    assert (code, "firewall.rtp" in printed) == (1, True)
