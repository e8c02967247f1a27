"""Probes that had another name: checklists and reports that use it are read, run and judged as before."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from gosip_check.checklist import load, load_file, shipped
from gosip_check.probes import PROBES, RENAMED
from gosip_check.records import Checklist, Outcome, Report, Requirement
from gosip_check.rejudge import contradictions, rejudge
from gosip_check.vetting import as_asked
from tests.saved import DATA

OF_0_1_0 = DATA / "report-0.1.0-health.json"
"`health --demo ready --skip 'host.*'`, as version 0.1.0 wrote it."

ID = "alg.answers-unchanged"


def old_checklist(folder: Path) -> Checklist:
    """The shipped one, with the lines of this requirement as they were in version 0.1.0."""
    new = 'probe = "sip_rewriting"\noptions = { answers_only = true }\n'
    text = shipped()["go-native"].read_text()
    assert text.count(new) == 1
    path = folder / "old.toml"
    path.write_text(text.replace(new, 'probe = "sip_answers"\n'))
    return as_asked(old_report(), load_file(path))


def new_checklist() -> Checklist:
    return as_asked(old_report(), load("go-native"))


def requirement(checklist: Checklist) -> Requirement:
    return next(each for each in checklist.requirements if each.id == ID)


def old_report() -> Report:
    return msgspec.json.decode(OF_0_1_0.read_bytes(), type=Report)


def test_an_old_name_stands_for_a_probe_of_today_and_options_that_it_has() -> None:
    for name, (probe, chosen) in RENAMED.items():
        assert name not in PROBES
        assert set(chosen) <= set(PROBES[probe].options.__struct_fields__)


def test_an_old_checklist_asks_the_same_as_the_new_one(tmp_path: Path) -> None:
    assert requirement(old_checklist(tmp_path)) == requirement(new_checklist())


def test_an_old_report_is_judged_as_it_was_under_the_old_and_the_new_checklist(tmp_path: Path) -> None:
    report = old_report()
    (before,) = [verdict for verdict in report.verdicts if verdict.id == ID]
    for checklist in (old_checklist(tmp_path), new_checklist()):
        again = rejudge(report, checklist)
        (verdict,) = [verdict for verdict in again.verdicts if verdict.id == ID]
        assert (verdict.outcome, verdict.reason, verdict.facts) == (Outcome.PASS, before.reason, before.facts)
        assert again.measurements == report.measurements
        of_today = f"{ID} on Internet-1 does not follow from its measurements: hint, headline."  # other words, no more
        said = contradictions(report, checklist)
        assert [each for each in said if "sip_answers" in each or "alg." in each] == [of_today]


@pytest.mark.parametrize("seen", [True, None])
def test_what_the_old_report_measured_decides(seen: bool | None) -> None:
    text = re.sub(r'"rewriting_seen": ?false', f'"rewriting_seen": {json.dumps(seen)}', OF_0_1_0.read_text())
    again = rejudge(msgspec.json.decode(text, type=Report), new_checklist())
    (verdict,) = [verdict for verdict in again.verdicts if verdict.id == ID]
    assert verdict.outcome is (Outcome.FAIL if seen else Outcome.UNKNOWN)


def test_the_whole_look_of_an_old_report_is_not_taken_for_the_light_one() -> None:
    """It has no such option, and none of the facts that the light requirement asks for."""
    report = old_report()
    by_probe = {measurement.probe: measurement for measurement in report.measurements}
    srv, light = by_probe["srv"], by_probe["sip_answers"]
    assert srv.options is not None
    assert light.options is not None
    options = {**light.options, "port": srv.options["port"], "reflector": None}
    whole = msgspec.structs.replace(light, id="m9", probe="sip_rewriting", options=options, facts={"alg_found": False})
    for measurements in ([whole, *report.measurements], [*report.measurements, whole]):
        again = rejudge(msgspec.structs.replace(report, measurements=measurements), new_checklist())
        taken = {verdict.id: verdict.measurement for verdict in again.verdicts}
        assert (taken["alg.absent"], taken[ID]) == ("m9", light.id)
