"""`report form`: a form goes into a report that is there already, and what follows from it with it."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from gosip_check.form.form import to_toml
from gosip_check.records import Equipment, Form, InternetLine
from tests.saved import demo, here, save

FORM = Form(company_name="Żebbuġ Ltd", router=Equipment(vendor="MikroTik", model="RB4011"))


@pytest.fixture
def form_file(tmp_path: Path) -> Path:
    path = tmp_path / "form.toml"
    path.write_text(to_toml(FORM))
    return path


def with_an_alg(folder: Path) -> Path:
    """A report of a site with a SIP ALG that nobody knows the router of."""
    document = demo()
    facts = next(
        m["facts"] for m in document["measurements"] if m["probe"] == "sip_rewriting" and "alg_found" in m["facts"]
    )
    facts.update(alg_found=True, family="netfilter")
    facts["looks"][-1]["found"] = True
    path = save(document, folder)
    assert here("report", "judge", path, "--checklist", "go-native", "--json", folder / "judged.json")[0] == 1
    return folder / "judged.json"


def hint_of(path: Path) -> str:
    document: dict[str, Any] = json.loads(path.read_text())
    return str(next(v["hint"] for v in document["verdicts"] if v["id"] == "alg.absent"))


def test_the_form_is_in_it_and_the_steps_are_for_its_router(tmp_path: Path, form_file: Path) -> None:
    path = with_an_alg(tmp_path)
    before = json.loads(path.read_text())
    path.chmod(0o600)
    assert "OpenWrt" in hint_of(path)
    code, text = here("report", "form", path, form_file)
    assert (code, text) == (0, f"{path}: holds the form of Żebbuġ Ltd now.\n")
    assert "MikroTik" in hint_of(path)
    assert "OpenWrt" not in hint_of(path)
    after = json.loads(path.read_text())
    assert after["form"]["router"]["model"] == "RB4011"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [v["outcome"] for v in after["verdicts"]] == [v["outcome"] for v in before["verdicts"]]
    assert after["measurements"] == before["measurements"]
    assert "contradiction" not in here("report", "check", path)[1]


def test_a_form_in_its_place_is_replaced(tmp_path: Path, form_file: Path) -> None:
    path = save({**demo(), "form": {"company_name": "Other Ltd"}}, tmp_path)
    assert here("report", "form", path, form_file)[0] == 0
    assert json.loads(path.read_text())["form"]["company_name"] == "Żebbuġ Ltd"


def test_what_a_run_measures_by_is_said_to_be_older(tmp_path: Path, form_file: Path) -> None:
    form_file.write_text(to_toml(Form(internet_1=InternetLine(fixed_address="192.0.2.1"))))
    code, text = here("report", "form", save(demo(), tmp_path), form_file)
    assert (code, "run again --form to use these" in text) == (0, True)


def test_an_older_signature_goes_and_a_new_one_is_made(tmp_path: Path, form_file: Path) -> None:
    (tmp_path / "key").write_text("0123456789abcdef" * 4)
    (tmp_path / "key").chmod(0o600)
    path = save({**demo(), "signature": {"algorithm": "hmac-sha256", "key": "", "value": "00" * 32}}, tmp_path)
    assert "is gone" in here("report", "form", path, form_file)[1]
    assert json.loads(path.read_text())["signature"] is None
    assert here("report", "form", path, form_file, "--sign-key-file", tmp_path / "key")[0] == 0
    assert "is wrong" not in here("report", "check", path, "--verify-key-file", tmp_path / "key")[1]


@pytest.mark.parametrize(
    ("report", "form", "sentence"),
    [
        ("gone.json", "form.toml", "gone.json: cannot be read"),
        ("report.json", "gone.toml", "gone.toml: cannot be read"),
        ("last", "form.toml", "No run is kept yet"),
        ("other.json", "form.toml", "its checklist 'other' is not at hand; name it with --checklist."),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_changes_nothing(
    tmp_path: Path, form_file: Path, monkeypatch: pytest.MonkeyPatch, report: str, form: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    document = demo()
    save(document, tmp_path)
    save({**document, "checklist": {**document["checklist"], "id": "other"}}, tmp_path, "other.json")
    before = {path: path.read_bytes() for path in tmp_path.glob("*.json")}
    code, text = here("report", "form", report, form)
    assert code == 2
    assert sentence in text
    assert {path: path.read_bytes() for path in tmp_path.glob("*.json")} == before
