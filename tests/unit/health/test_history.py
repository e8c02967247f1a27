"""Kept runs: what changed and since when, two writers, kill -9, newer files, retention, the commands."""

import json
import os
import sqlite3
import tempfile
import threading
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from gosip_check.cli.history import sparkline
from gosip_check.health.database import VERSION, HistoryError
from gosip_check.health.history import History, default_path, sentence
from gosip_check.health.watch import keep_watched
from gosip_check.records import STOPPED, Outcome, Readiness, Report
from gosip_check.report.changes import VerdictChange, as_looked_at, news, sentence_of
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
        # counted from the run before the last one: a single clock that is wrong takes nothing away
        assert history.trend(100) == {"Internet-1 p.rtt_ms": [5.0, 6.0, 7.0, 8.0, 9.0]}


def test_a_clock_that_is_years_ahead_costs_little(tmp_path: Path) -> None:
    years = 20 * 365 * 1440
    with History(tmp_path / "h.sqlite") as history:
        for minute in range(30):
            history.keep(of_line(one(minute), f"Internet-{minute % 2}"))
        history.keep(one(years))
        assert history.count() == 31  # nobody confirms it
        history.keep(one(31))
        assert history.count() == 32
        for minute in range(3):
            history.keep(one(years + minute))
        assert history.count() == 35 - 20  # confirmed twice, ten runs each


def of_line(report: Report, name: str) -> Report:
    return msgspec.structs.replace(report, links=[msgspec.structs.replace(report.links[0], name=name)])


def outcomes(minute: int, trouble: str | None = None, **by_id: str) -> Report:
    """A report in which a requirement, with _ for its dot, has an outcome; `stopped` for one that was not got to."""
    kept = one(minute)
    verdicts = [
        verdict("unknown", id=id_.replace("_", "."), reason=STOPPED, stopped=True)
        if outcome == "stopped"
        else verdict(outcome, id=id_.replace("_", "."), reason=f"{id_} is {outcome}.")
        for id_, outcome in by_id.items()
    ]
    links = [msgspec.structs.replace(kept.links[0], trouble=trouble)]
    return msgspec.structs.replace(kept, verdicts=verdicts, links=links)


@pytest.mark.parametrize(
    ("runs", "told"),
    [
        # left out on request, or because what it needs failed: one change, its cause, and no other
        ([{"a_a": "pass"}, {"a_a": "skipped"}, {"a_a": "pass"}], []),
        (
            [{"d_d": "pass", "a_a": "pass"}, {"d_d": "fail", "a_a": "skipped"}, {"d_d": "pass", "a_a": "pass"}],
            ["1: d.d on Internet-1 changed from pass to fail", "2: d.d on Internet-1 changed from fail to pass"],
        ),
        # and what has changed meanwhile is told when it is looked at again
        (
            [{"a_a": "pass"}, {"a_a": "skipped"}, {"a_a": "skipped"}, {"a_a": "fail"}, {"a_a": "fail"}],
            ["3: a.a on Internet-1 changed from pass to fail"],
        ),
        (
            [{"a_a": "fail"}, {"a_a": "skipped"}, {"a_a": "fail"}, {"a_a": "skipped"}, {"a_a": "pass"}],
            ["4: a.a on Internet-1 changed from fail to pass"],
        ),
        # what a run that was cut short did not get to is none either
        (
            [{"d_d": "pass", "a_a": "pass"}, {"d_d": "fail", "a_a": "stopped"}, {"d_d": "fail", "a_a": "pass"}],
            ["1: d.d on Internet-1 changed from pass to fail"],
        ),
        ([{"a_a": "pass"}, {"a_a": "stopped"}, {"a_a": "fail"}], ["2: a.a on Internet-1 changed from pass to fail"]),
        # the network is the one cause where everything is left out
        (
            [{"a_a": "pass"}, {"a_a": "skipped", "trouble": "No way."}, {"a_a": "pass"}],
            [
                "1: network on Internet-1 changed from pass to fail",
                "2: network on Internet-1 changed from fail to pass",
            ],
        ),
        # what is new is told where it does not pass, and what is gone is not
        ([{}, {"a_a": "pass", "b_b": "skipped"}, {}], []),
        ([{}, {"a_a": "warn"}], ["1: a.a on Internet-1 is warn, and had not been looked at before"]),
        ([{"a_a": "skipped"}, {"a_a": "fail"}], ["1: a.a on Internet-1 is fail, and had not been looked at before"]),
    ],
)
def test_what_is_not_looked_at_is_no_change(runs: list[dict[str, str]], told: list[str], tmp_path: Path) -> None:
    """The history says so, a watch that has only its own memory does, and a watch beside others does."""
    reports = [outcomes(minute, **by_id) for minute, by_id in enumerate(runs)]
    heard: list[str] = []
    remembered: list[str] = []
    beside: list[str] = []
    before: Report | None = None
    with History(tmp_path / "h.sqlite") as history, History(tmp_path / "b.sqlite") as shared:
        for number, found in enumerate(reports):
            heard += [f"{number}: {sentence(change)}" for change in history.keep(found)]
            other = outcomes(number, **runs[number])
            shared.keep(other)  # by a timer that looked a moment before
            told_now, trouble = keep_watched(shared, before, found, None)
            assert trouble == ""
            beside += [f"{number}: {line}" for line in told_now] if before else []
            remembered += [f"{number}: {sentence_of(change)}" for change in news(before, found)] if before else []
            before = as_looked_at(before, found) if before else found
        shown = sorted(change.verdict.id for change in history.changes(100))
    for lines in (heard, remembered, beside):
        assert [line.partition(";")[0].partition(". ")[0].rstrip(".") for line in lines] == told
    assert len(shown) == len(told)


def test_a_watch_names_a_change_that_another_process_saw_first(tmp_path: Path) -> None:
    with History(tmp_path / "h.sqlite") as history:
        for minute in range(0, 100, 10):
            history.keep(one(minute))
        before = one(95)
        assert keep_watched(history, None, before, None) == ([], "")
        history.keep(one(100, "fail"))
        history.keep(one(101, "fail"))
        (said,), trouble = keep_watched(history, before, one(102, "fail"), None)
    assert trouble == ""
    assert said.startswith(
        "alg.absent on Internet-1 changed from pass to fail; it had been pass in 11 run(s) since 2026-11-23 10:00 UTC. "
    )


def test_a_watch_names_a_change_though_the_disk_is_full(tmp_path: Path) -> None:
    with History(tmp_path / "h.sqlite") as history:
        keep_watched(history, None, one(0), None)
        size = history.db.execute("PRAGMA page_count").fetchone()[0]
        history.db.execute(f"PRAGMA max_page_count = {size}")
        large = one(1, "fail")
        large = msgspec.structs.replace(large, command="".join(report_id(large.started) for _ in range(1000)))
        (said,), trouble = keep_watched(history, one(0), large, None)
    assert said.startswith("alg.absent on Internet-1 changed from pass to fail. Via was rewritten.")
    assert "database or disk is full" in trouble


def test_a_long_reason_is_cut() -> None:
    verdict_change = VerdictChange("a.b", "x", "t", Outcome.PASS, Outcome.FAIL, "", "word " * 200)
    assert len(sentence_of(verdict_change)) < 300


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE run SET counts = 'x'", "UPDATE run SET outcome = 'x'", "UPDATE run SET started_s = 'x'",
        "UPDATE run SET started_s = 1e300", "UPDATE change SET change = 'x'", "UPDATE figure SET value = 'x'",
        "UPDATE run SET report = x'00'",
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["show", "trend", "export"])
def test_rows_that_nobody_wrote_are_a_sentence(damage: str, command: str, tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite"
    with History(path) as history:
        history.keep(one(0))
        history.keep(one(1, "fail"))
        history.db.execute(damage)
    code, printed = here("history", command, "--history", path)
    assert code in (0, 2)
    assert code == 0 or "the history cannot be used" in printed


def test_a_run_that_cannot_be_read_hides_no_change(tmp_path: Path) -> None:
    with History(tmp_path / "h.sqlite") as history:
        history.keep(one(0))
        history.keep(one(1))
        history.db.execute("UPDATE run SET report = x'00' WHERE number = 2")
        assert [change.verdict.after for change in history.keep(one(2, "fail"))] == ["fail"]


def test_a_newer_or_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite"
    History(path).__exit__()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(HistoryError, match=r"h\.sqlite: was written by a newer gosip-check. It has version 2"):
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


def test_another_user_reads_it() -> None:
    """Not in tmp_path, which nobody else can reach."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with History(folder / "h.sqlite") as history:
            history.keep(one(0))
        (folder / "h.sqlite").chmod(0o444)
        folder.chmod(0o555)
        mine = os.geteuid()
        try:
            if mine == 0:
                os.seteuid(65534)
            with History(folder / "h.sqlite", create=False) as history:
                assert [run.outcome for run in history.runs(5)] == [Readiness.READY]
                with pytest.raises(HistoryError, match="readonly database"):
                    history.keep(one(1))
            with (
                pytest.raises(HistoryError, match="the history cannot be used"),
                History(folder / "h.sqlite") as history,
            ):
                history.keep(one(1))
        finally:
            os.seteuid(mine)
            folder.chmod(0o755)
        with History(folder / "h.sqlite") as history:
            history.keep(one(1))
            with History(folder / "h.sqlite", create=False) as reader:  # while it is being written
                assert reader.count() == 2
        (folder / "empty").touch()
        with pytest.raises(HistoryError, match="is no history"):
            History(folder / "empty", create=False)


@pytest.mark.waits
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


@pytest.mark.waits
def test_many_that_open_a_new_history_at_once_wait_for_each_other(tmp_path: Path) -> None:
    """The race lasts for microseconds, so it is run often."""
    troubles = []

    def write(path: Path, together: threading.Barrier) -> None:
        together.wait(timeout=30)
        try:
            with History(path) as history:
                history.keep(one(0), None)
        except HistoryError as error:
            troubles.append(str(error))

    for number in range(100):
        together = threading.Barrier(4)
        arguments = (tmp_path / f"{number}.sqlite", together)
        writers = [threading.Thread(target=write, args=arguments) for _ in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    assert troubles == []


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
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
    assert printed.startswith("Internet-1 p.rtt  ▁▁▁▁▂▂▂▂")
    assert "last 29 ms, 0 to 29 ms" in printed
    code, printed = here("history", "export", "--history", path)
    documents = [json.loads(line) for line in printed.splitlines()]
    assert len(documents) == 30
    assert documents[0]["schema"] == "gosip-check/report/1"
    code, printed = here("history", "export", "--figures", "--history", path)
    assert printed.splitlines()[1] == "2026-11-23T10:00:00+00:00,ready,Internet-1,p.rtt_ms,0.0"
    with sqlite3.connect(path) as db:  # as another version may have kept it
        db.execute(
            "UPDATE run SET report = ? WHERE number = 7", (zlib.compress(b'{"schema": "gosip-check/report/2"}'),)
        )
    code, printed = here("history", "export", "--figures", "--history", path)
    assert (code, len(printed.splitlines())) == (0, 1 + 29 + 1)
    assert "1 run(s) left out: another version of gosip-check wrote them." in printed
    code, printed = here("history", "path", "--history", path)
    assert printed == f"{path}\n"
    assert here("history", "show", "--history", tmp_path / "none")[0] == 2


def test_last_counts_runs_and_several_sites_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite"
    many = {f"a_{letter}": "pass" for letter in "abcdefgh"}
    with History(path) as history:
        for minute, found in enumerate([many, many | {"a_a": "fail"}, dict.fromkeys(many, "fail"), many]):
            history.keep(outcomes(minute, **found))
    _, printed = here("history", "show", "--history", path, "--last", "2")
    assert "go-native" not in printed
    lines = printed.splitlines()
    assert [line.count("changed from") for line in lines] == [0, 0, *[1] * 8, 0, *[1] * 7]
    assert here("history", "show", "--history", path, "--last", "4")[1].count("changed from") == 16
    _, whole = here("history", "trend", "--history", path)
    with History(path) as history:
        history.keep(of_line(one(9, figure=5.0), "Internet-2"))
    _, printed = here("history", "show", "--history", path, "--last", "2")
    runs, _, earlier = printed.partition("Earlier changes:\n")
    told = [line.rpartition("  ")[2] for line in runs.splitlines() if line.startswith("2026")]
    assert told == ["(x Internet-2)", "(x Internet-1)"]
    assert earlier.startswith("2026-11-23 10:02:00 UTC  (x Internet-1)  a.b on Internet-1 changed from pass to fail;")
    _, printed = here("history", "trend", "--history", path)
    assert printed.startswith(f"x Internet-1:\n{whole}x Internet-2:\n")


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


def seen_as(minute: int, address: str | None) -> Report:
    kept = one(minute)
    return msgspec.structs.replace(kept, links=[msgspec.structs.replace(kept.links[0], public_address=address)])


@pytest.mark.parametrize(
    ("addresses", "told"),
    [
        (["203.0.113.7", "203.0.113.7", None], []),
        (["203.0.113.7", "203.0.113.9"], ["1: 203.0.113.7 to 203.0.113.9"]),
        (["203.0.113.7", None, "203.0.113.9", None, "203.0.113.9"], ["2: 203.0.113.7 to 203.0.113.9"]),
        ([None, "203.0.113.7"], []),
        (
            ["203.0.113.7", "203.0.113.9", "203.0.113.7"],
            ["1: 203.0.113.7 to 203.0.113.9", "2: 203.0.113.9 to 203.0.113.7"],
        ),
    ],
)
def test_another_public_address_is_news_for_the_provider(
    addresses: list[str | None], told: list[str], tmp_path: Path
) -> None:
    """In the history, and for a watch that has only its own memory. A run that nobody answered changes nothing."""
    kept, remembered = [], []
    before: Report | None = None
    with History(tmp_path / "h.sqlite") as history:
        for number, report in enumerate(seen_as(number, address) for number, address in enumerate(addresses)):
            kept += [f"{number}: {sentence(change)}" for change in history.keep(report)]
            remembered += [f"{number}: {sentence_of(change)}" for change in news(before, report)] if before else []
            before = as_looked_at(before, report) if before else report
    assert len(kept) == len(remembered) == len(told)
    for line, same, what in zip(kept, remembered, told, strict=True):
        run, _, pair = what.partition(": ")
        assert line.startswith(f"{run}: The public address of Internet-1 changed from {pair}.")
        assert same.startswith(f"{run}: The public address of Internet-1 changed from {pair}.")
        assert line.endswith("Tell the provider: it may refuse an address that it does not know.")
