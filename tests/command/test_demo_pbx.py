"""`demo --pbx`: the report of a rehearsal, marked as a demo, with exit codes as any check."""

import json
from pathlib import Path

import pytest

from tests.saved import here


def test_it_is_the_report_of_a_rehearsal_and_says_that_it_is_a_demo(tmp_path: Path) -> None:
    report, again = tmp_path / "pbx.json", tmp_path / "again.json"
    code, printed = here("demo", "--pbx", "--fault", "no-srv", "--quiet", "--json", report)
    assert code == 1
    assert "a demo, no site" in printed
    document = json.loads(report.read_text())
    assert document["command"] == "pbx rehearse --demo"
    assert {verdict["id"].partition(".")[0] for verdict in document["verdicts"]} == {"pbx"}
    here("report", "judge", report, "--checklist", "go-native", "--json", again)
    assert json.loads(again.read_text())["verdicts"] == document["verdicts"]
    assert "It was made by the demo" in here("report", "check", report)[1]


def test_its_faults_are_listed_apart_from_those_of_a_site() -> None:
    of_pbx, of_site = (here("demo", *pbx, "--fault", "list")[1] for pbx in (["--pbx"], []))
    assert "no-srv " in of_pbx
    assert "sip-alg" in of_site
    assert "sip-alg" not in of_pbx


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--fault", "sip-alg"], "there is no such fault; there are no-srv"),
        (["--checklist", "go-gateway"], "there the gateway registers at the trunk"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_sentence(arguments: list[str], says: str) -> None:
    code, printed = here("demo", "--pbx", *arguments)
    assert code == 2
    assert says in printed
