"""A format is its file and a line in the table: the options and the command of `report` follow, and what they write."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.saved import demo, save, tool

NEW_FORMAT = """
def to_outcomes(report):
    return "".join(f"{verdict.id} {verdict.outcome}\\n" for verdict in report.verdicts)
"""
WITH_IT = """
import sys
from gosip_check import report
report.__path__.append(sys.argv.pop(1))
report.FORMATS["outcomes"] = report.Format("outcomes", "Write the outcomes.", "Write the outcomes of a saved report.")
from gosip_check.__main__ import main
main()
"""
"The tool as it would be with one file more beside the others, and one line more in the table."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "to_outcomes.py").write_text(NEW_FORMAT)
    return tmp_path


def with_format(folder: Path, *arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", WITH_IT, folder, *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("command", ["run", "srv", "bandwidth", "register", "demo", "report judge"])
def test_a_new_format_is_an_option_of_every_check(command: str, folder: Path) -> None:
    assert "--outcomes FILE|-" in with_format(folder, *command.split(), "--help").stdout
    assert "--outcomes" not in tool(*command.split(), "--help").stdout


def test_a_new_format_is_written_by_a_check(folder: Path) -> None:
    written, json_file = folder / "written", folder / "r.json"
    check = ["demo", "--fault", "nxdomain", "--quiet", "--outcomes", written, "--json", json_file]
    assert with_format(folder, *check).returncode == 1
    verdicts = json.loads(json_file.read_text())["verdicts"]
    assert written.read_text() == "".join(f"{v['id']} {v['outcome']}\n" for v in verdicts)
    refused = with_format(folder, "demo", "--outcomes", folder)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"--outcomes {folder}: is a folder; name a file." in refused.stderr


def test_a_new_format_is_made_of_a_saved_report(folder: Path) -> None:
    saved = save(demo("nxdomain"), folder)
    printed = with_format(folder, "report", "outcomes", saved, "-")
    assert printed.stdout.startswith("dns.srv-answers fail\n")
    beside = with_format(folder, "report", "outcomes", saved)
    assert beside.stderr == f"Wrote {saved.with_suffix('.outcomes')}.\n"
    assert saved.with_suffix(".outcomes").read_text() == printed.stdout
    assert "Write the outcomes of a saved report." in with_format(folder, "report", "--help").stdout


def test_what_is_printed_is_alone_on_standard_output(folder: Path) -> None:
    done = with_format(folder, "demo", "--fault", "nxdomain", "--outcomes", "-")
    assert done.stdout.startswith("dns.srv-answers fail\n")
    assert "NOT READY" not in done.stdout
    assert "NOT READY" in done.stderr


def test_a_report_becomes_any_format_that_is_no_copy_of_it(tmp_path: Path) -> None:
    saved = save(demo("nxdomain"), tmp_path)
    assert tool("report", "svg", saved).returncode == 0
    assert saved.with_suffix(".svg").read_text().startswith("<svg")
    assert "No such command 'json'" in tool("report", "json", saved).stderr
    again = tool("report", "judge", saved, "--checklist", "go-native", "--html", "-")
    assert again.stdout.startswith("<!DOCTYPE html>")
    assert "NOT READY" in again.stderr
