"""A whole run under the checklist of another provider: nothing that it prints or writes names the parent's provider."""

import re
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from gosip_check.checklist import load_file
from gosip_check.cli.demo import emulated
from gosip_check.plan import Plan, select
from gosip_check.probes.secret import Secret
from gosip_check.records import Link, Settings
from gosip_check.report import FORMATS
from gosip_check.report.load import load
from tests.saved import DATA, tool
from tests.unit.own_probes import go

OTHER = DATA / "other-provider.toml"
OF_THE_PARENT = re.compile(r"\bGO\b|\b217\.22\.")


@pytest.mark.parametrize("fault", ["ready", "refused"])
def test_a_run(tmp_path: Path, fault: str) -> None:
    files = {kind: tmp_path / f"report.{kind}" for kind in FORMATS if kind != "pdf"}
    named = [word for kind, file in files.items() for word in (f"--{kind}", file)]
    shown = tool("demo", "--checklist", OTHER, *named, *([] if fault == "ready" else ["--fault", fault]))
    assert "Example Telecom" in shown.stdout
    report = load(files["json"])
    assert len(report.verdicts) > 30
    texts = {kind: file.read_text() for kind, file in files.items()} | {"stdout": shown.stdout, "stderr": shown.stderr}
    for kind, text in texts.items():
        assert OF_THE_PARENT.findall(text) == [], kind
    said = {verdict.id: verdict.reason for verdict in report.verdicts}
    assert "only Example Telecom can try" in said["gateway.management"]
    [management] = [m for m in report.measurements if m.probe == "management"]
    assert management.options is not None
    assert management.options["provider"] == "Example Telecom"


def test_an_account_that_is_turned_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with ExitStack() as stack:
        checklist = load_file(OTHER)
        asked = Plan(checklist, select(checklist, ("account.*",)), [Link("Internet-1")], Settings())
        plan = emulated(stack, asked, "forbidden")
        settings = msgspec.structs.replace(plan.settings, account="35621000000")
        report = go(replace(plan, settings=settings, password=Secret("pl4nted")))
    said = {verdict.id: verdict.reason for verdict in report.verdicts}
    assert said["account.registers"].endswith("not allowed from this address: ask Example Telecom.")
