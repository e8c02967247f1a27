"""Kept reports: only their owner reads them, a hundred stay, each has a name, and trouble is a sentence."""

import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gosip_check import kept
from gosip_check.folders import NoHomeFolder
from gosip_check.records import Report
from tests.saved import demo, here


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "gosip-check" / "runs"


def report(second: int = 0, fault: str = "ready", **changes: Any) -> Report:
    """A report that was begun so many seconds after the first."""
    made: Report = msgspec.convert({**demo(fault), **changes}, Report)
    return msgspec.structs.replace(made, id=f"01M8DSVJ{second:02d}{'0' * 16}")


def test_only_the_owner_reads_it(folder: Path) -> None:
    path = kept.keep(report())
    assert path.parent == folder
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [found.name for found in folder.iterdir()] == [path.name]


def test_the_newest_hundred_stay_and_other_files_are_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 3)
    folder.mkdir(parents=True)
    (folder / "notes.json").write_text("{}")
    made = [kept.keep(report(second)) for second in range(5)]
    assert kept.paths() == made[:1:-1]
    assert (folder / "notes.json").exists()


def test_one_that_is_kept_under_a_wrong_clock_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 2)
    newer = [kept.keep(report(second)) for second in (3, 4)]
    wrong = kept.keep(report(1))
    assert kept.paths() == [newer[1], wrong]


def test_a_file_that_another_run_took_away_is_not_missed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 1)
    first = kept.keep(report(1))
    monkeypatch.setattr(kept, "paths", lambda: [folder / f"{'9' * 26}.json", first])
    assert kept.keep(report(2)).exists()
    assert not first.exists()


def test_each_has_names(folder: Path) -> None:
    old, new = kept.keep(report(1)), kept.keep(report(2))
    assert kept.path_of("last") == kept.path_of("1") == kept.path_of(new.stem) == new
    assert kept.path_of("2") == kept.path_of(old.stem.lower()) == old
    for name in ("0", "3", "0" * 26, "9" * 400):
        with pytest.raises(kept.KeptError, match=r"There is no kept run .* shows the 2 there are\."):
            kept.path_of(name)
    assert not kept.is_name("last.json")
    assert not kept.is_name("-")


@pytest.mark.parametrize("command", ["show", "html", "check", "compare"])
def test_where_none_is_kept_a_sentence_says_so(folder: Path, command: str) -> None:
    code, text = here("report", command, "last")
    assert (code, "No run is kept yet; `gosip-check run` keeps each one." in text) == (2, True)


def test_the_commands_take_the_names(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.keep(report(1, fault="malformed", form={"company_name": "Żebbuġ\x1b Ltd"}))
    kept.keep(report(2))
    monkeypatch.chdir(tmp_path)
    code, text = here("report", "list")
    assert code == 0
    assert [line.split()[0] for line in text.splitlines()] == ["1", "2"]
    assert "NOT READY     go-native, Internet-1, Żebbuġ\\x1b Ltd" in text.splitlines()[1]
    assert here("report", "show", "last")[0] == 0
    assert here("report", "show", "2")[0] == 1
    assert here("report", "html", "last")[0] == 0
    assert Path("last.html").read_text().startswith("<!DOCTYPE html>")
    assert "It was made by the demo" in here("report", "check", "last")[1]
    assert here("report", "compare")[1].startswith(
        "fixed 2, worse 0, still open 0, decided now 2 (NOT READY before, READY now)"
    )
    assert here("report", "compare", "1", "2")[0] == 1


def test_compare_takes_the_one_before_of_the_same_checklist(folder: Path) -> None:
    kept.keep(report(1, fault="malformed"))
    other = report(2)
    kept.keep(msgspec.structs.replace(other, checklist=msgspec.structs.replace(other.checklist, id="other")))
    kept.keep(report(3))
    assert here("report", "compare")[1].startswith("fixed 2, ")
    assert here("report", "compare", "2")[1].startswith("These are different checklists: other and go-native.")
    assert here("report", "compare", "3", "3")[1].startswith("fixed 0, ")
    assert here("report", "compare", "2", "3")[0] == 1
    assert here("report", "compare", "--all")[0] == 0


def test_one_that_is_damaged_keeps_its_place_in_the_list(folder: Path) -> None:
    kept.keep(report(1))
    kept.keep(report(2)).write_text("{")
    text = here("report", "list")[1]
    assert "is not valid JSON" in text.splitlines()[0]
    assert "READY" in text.splitlines()[1]
    assert here("report", "compare", "2", "2")[0] == 0


@pytest.mark.parametrize("place", ["a file", "no room"])
def test_a_folder_that_cannot_be_used_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    if place == "a file":
        (tmp_path / "gosip-check").write_text("")
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    else:
        monkeypatch.setenv("XDG_STATE_HOME", "/proc/self")
    for attempt in (kept.make_room, lambda: kept.keep(report())):
        with pytest.raises(kept.KeptError, match=r"cannot be (used|written): "):
            attempt()


def test_no_home_folder_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(NoHomeFolder):
        kept.make_room()
    for command in (["report", "list"], ["report", "show", "last"]):
        assert here(*command) == (2, "Error: This user has no home folder; XDG_STATE_HOME can name one instead.\n")
