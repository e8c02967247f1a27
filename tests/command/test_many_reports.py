"""`report check` and `report table` with many files: folders, pipes, damage; a line each, and the worst exit code."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.saved import demo, here, save, tool

pytestmark = pytest.mark.waits


def numbered(number: int, fault: str = "ready") -> dict[str, Any]:
    document = demo(fault)
    return {**document, "id": f"{document['id'][:-4]}{number:04d}", "site": f"S-{number}"}


def test_a_folder_with_damaged_files_among_good_ones(tmp_path: Path) -> None:
    folder = tmp_path / "orders" / "today"
    folder.mkdir(parents=True)
    for number in range(8):
        save(numbered(number), folder, f"{number}.json")
    edited = numbered(3)
    edited["verdicts"][0]["outcome"] = "fail"
    save(edited, folder, "3.json")
    (folder / "5.json").write_bytes((folder / "5.json").read_bytes()[:3000])
    with (folder / "6.json").open("wb") as file:
        file.truncate(17 * 1024 * 1024)
    (folder / "notes.txt").write_text("no report")
    done = tool("report", "check", tmp_path / "orders", "--jsonl")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(line["path"]).name for line in lines] == [f"{number}.json" for number in range(8)]
    wanted = ["undecided"] * 8
    wanted[3], wanted[5], wanted[6] = "not-right", "unreadable", "unreadable"
    assert [line["trust"] for line in lines] == wanted
    assert "larger than 16 MiB" in lines[6]["error"]
    assert (lines[0]["id"], lines[0]["outcome"], lines[0]["site"]) == (numbered(0)["id"], "ready", "S-0")
    assert done.returncode == 1
    good = [folder / f"{number}.json" for number in (0, 1)]
    assert tool("report", "check", *good).returncode == 3
    worse = tool("report", "check", *good, folder / "5.json")
    assert (worse.returncode, worse.stdout.splitlines()[-1]) == (2, "3 reports: 1 unreadable, 2 undecided.")


def test_a_pipe_of_one_report_a_line(tmp_path: Path) -> None:
    lines = [json.dumps(numbered(0)), "{ damaged", "", json.dumps(numbered(1))]
    done = tool("report", "check", "-", "--jsonl", input="\n".join(lines))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(answer["path"], answer["trust"]) for answer in answers] == [
        ("-:1", "undecided"),
        ("-:2", "unreadable"),
        ("-:4", "undecided"),
    ]
    indented = tool("report", "check", "-", "--jsonl", input=json.dumps(numbered(2), indent=2))
    assert json.loads(indented.stdout)["site"] == "S-2"


def test_a_table_of_reports_and_one_of_verdicts(tmp_path: Path) -> None:
    good, bad = save(numbered(1), tmp_path, "1.json"), save(numbered(2, "malformed"), tmp_path, "2.json")
    (tmp_path / "3.json").write_text("{")
    done = tool("report", "table", tmp_path)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["path"], row["site"], row["outcome"]) for row in rows] == [
        (str(good), "S-1", "ready"),
        (str(bad), "S-2", "not-ready"),
    ]
    assert (done.returncode, "3.json" in done.stderr) == (2, True)
    verdicts = list(csv.DictReader(io.StringIO(tool("report", "table", "--verdicts", good, bad).stdout)))
    assert len(verdicts) == len(numbered(1)["verdicts"]) + len(numbered(2, "malformed")["verdicts"])


def test_a_folder_without_reports_is_wrong_usage(tmp_path: Path) -> None:
    code, printed = here("report", "check", tmp_path)
    assert (code, "there is no file *.json" in printed) == (2, True)
