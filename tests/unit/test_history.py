"""Kept runs: what changed and since when, two writers, kill -9, newer files, retention, the commands."""

import json
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from gosip_check.cli.history import sparkline
from gosip_check.history import VERSION, History, HistoryError, default_path, sentence
from gosip_check.records import Readiness, Report
from gosip_check.run import report_id
from tests.saved import demo, here, save
from tests.unit.records import WHEN, measurement, report, verdict


def one(minute: int, outcome: str = "pass", figure: float = 1.0) -> Report:
    when = WHEN + timedelta(minutes=minute)
    readiness = Readiness.READY if outcome == "pass" else Readiness.NOT_READY
    return msgspec.structs.replace(
        report(
            verdict(outcome, id="alg.absent", group="alg", reason="Via was rewritten."),
            measurements=[measurement({"rtt_ms": figure})],
        ),
        id=report_id(when), started=when, outcome=readiness,
    )  # fmt: skip


def test_an_alg_that_comes_back_after_months_is_told_as_a_change(tmp_path: Path) -> None:
    with History(tmp_path / "h.sqlite") as history:
        assert [history.keep(one(minute), None) for minute in range(50)] == [[]] * 50
        (change,) = history.keep(one(50, "fail"), None)
        assert (change.before_runs, change.before_since) == (50, WHEN)
        assert sentence(change) == (
            "alg.absent on Internet-1 changed from pass to fail; it had been pass in 50 run(s) since 2026-11-23 10:00 "
            "UTC. Via was rewritten. It was better before: look at what was reset, replaced or updated since."
        )
        assert history.keep(one(51, "fail"), None) == []
        (back,) = history.keep(one(52), None)
        assert (back.before_runs, back.before_since) == (2, WHEN + timedelta(minutes=50))
        assert "reset" not in sentence(back)
        assert [c.verdict.after for c in history.changes(10)] == ["pass", "fail"]
        assert history.last_ready(history.runs(1)[0].site) == WHEN + timedelta(minutes=52)


def test_another_line_or_checklist_is_another_site(tmp_path: Path) -> None:
    with History(tmp_path / "h.sqlite") as history:
        history.keep(one(0), None)
        other = one(1, "fail")
        links = [msgspec.structs.replace(other.links[0], name="Internet-2")]
        assert history.keep(msgspec.structs.replace(other, links=links), None) == []


def test_retention(tmp_path: Path) -> None:
    with History(tmp_path / "h.sqlite") as history:
        for day in range(10):
            history.keep(one(day * 1440, figure=day), keep_days=3)
        assert history.count() == 4
        assert history.trend(100) == {"Internet-1 p.rtt_ms": [6.0, 7.0, 8.0, 9.0]}


def test_a_newer_or_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite"
    History(path).__exit__()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(HistoryError, match=r"h\.sqlite: was written by a newer gosip-check: it has version 2"):
        History(path)
    foreign = tmp_path / "f.sqlite"
    with sqlite3.connect(foreign) as db:
        db.execute("CREATE TABLE mine (x)")
    with pytest.raises(HistoryError, match="is a database of something else"):
        History(foreign)
    (tmp_path / "text").write_text("no database at all, but long enough to be read as one " * 50)
    with pytest.raises(HistoryError, match="the history cannot be used: file is not a database"):
        History(tmp_path / "text")
    with pytest.raises(HistoryError, match="there is no history yet"):
        History(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    path, troubles = tmp_path / "h.sqlite", []

    def write(start: int) -> None:
        try:
            with History(path) as history:
                for minute in range(start, start + 40):
                    history.keep(one(minute), None)
        except HistoryError as error:
            troubles.append(str(error))

    writers = [threading.Thread(target=write, args=(start,)) for start in (0, 1000, 2000)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert troubles == []
    with History(path) as history:
        assert history.count() == 120


CHILD = """
import sys
from pathlib import Path
from gosip_check.history import History
from tests.unit.test_history import one
with History(Path(sys.argv[1])) as history:
    for minute in range(int(sys.argv[2]), 10**6):
        history.keep(one(minute), None)
        print(minute, flush=True)
"""


def test_killed_while_writing_no_finished_run_is_lost(tmp_path: Path) -> None:
    """Ten kills, each after another number of kept runs; tests/bench/bench_history_kill.py does a hundred."""
    path, told = tmp_path / "h.sqlite", 0
    for kill in range(3):
        command = [sys.executable, "-c", CHILD, str(path), str(kill * 1000)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            for _ in range(5 + 7 * kill):
                told += bool(child.stdout.readline())
            child.kill()
            told += len(child.stdout.read().splitlines())
        with History(path) as history:
            assert history.count() >= told
            assert history._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert told >= 36


def test_the_commands(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite"
    with History(path) as history:
        for minute in range(30):
            history.keep(one(minute, "fail" if minute == 20 else "pass", figure=minute), None)
    code, printed = here("history", "show", "--history", path, "--last", "3")
    assert code == 0
    assert printed.startswith("30 run(s) kept; the last 3:\n2026-11-23 10:29:00 UTC  ready")
    assert (
        "2026-11-23 10:20:00 UTC  alg.absent on Internet-1 changed from pass to fail; it had been pass in 20" in printed
    )
    code, printed = here("history", "trend", "--history", path)
    assert printed.startswith("Internet-1 p.rtt_ms  ▁▁▁▁▂▂▂▂")
    assert "now 29, from 0 to 29" in printed
    code, printed = here("history", "export", "--history", path)
    documents = [json.loads(line) for line in printed.splitlines()]
    assert len(documents) == 30
    assert documents[0]["schema"] == "gosip-check/report/1"
    code, printed = here("history", "export", "--figures", "--history", path)
    assert printed.splitlines()[1] == "2026-11-23T10:00:00+00:00,ready,Internet-1,p.rtt_ms,0.0"
    code, printed = here("history", "path", "--history", path)
    assert printed == f"{path}\n"
    assert here("history", "show", "--history", tmp_path / "none")[0] == 2


def test_the_usual_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    assert default_path() == Path("/x/gosip-check/history.sqlite")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/gosip-check:/other")
    assert default_path() == Path("/var/lib/gosip-check/history.sqlite")


def test_a_sparkline_keeps_the_worst() -> None:
    values = [1.0] * 6000
    values[3333] = 9.0
    assert sparkline(values).count("█") == 1
    assert len(sparkline(values)) == 60
    assert sparkline([5, 5]) == "▁▁"


def test_what_is_kept_can_be_checked_like_a_report(tmp_path: Path) -> None:
    document = demo()
    with History(tmp_path / "h.sqlite") as history:
        history.keep(msgspec.convert(document, Report), None)
        (kept,) = history.reports()
    path = save(json.loads(kept), tmp_path)
    assert here("report", "check", path)[0] == 3
    assert datetime.fromisoformat(json.loads(kept)["started"]).tzinfo is not None
    assert datetime.now(UTC) >= datetime.fromisoformat(json.loads(kept)["started"])
