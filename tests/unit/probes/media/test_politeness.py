"""What is kept between runs so that no router gets too much, and the table that says how much that is."""

import json
import time
from pathlib import Path

import pytest

from gosip_check.folders import state_folder
from gosip_check.probes.media import politeness
from gosip_check.probes.media.echo_load import load_for
from gosip_check.probes.media.politeness import BACK_OFF_S, RUNS_AN_HOUR, Impolite, Manner


class Clock:
    """Unix time that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = time.time()
        monkeypatch.setattr("gosip_check.probes.media.politeness.time.time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_six_runs_an_hour_send_a_load_and_the_next_one_says_when(clock: Clock) -> None:
    for number in range(RUNS_AN_HOUR):
        politeness.begin_load(str(number))
        politeness.begin_load(str(number))
        clock.now += 60
    with pytest.raises(
        Impolite, match=r"6 runs have sent a load within the last hour; from \d\d:\d\d on, one more may\."
    ):
        politeness.begin_load("one more")
    clock.now += 3600 - 60 * RUNS_AN_HOUR - 1
    with pytest.raises(Impolite):
        politeness.begin_load("one more")
    clock.now += 2
    politeness.begin_load("one more")
    with pytest.raises(Impolite):
        politeness.begin_load("yet another")


def test_a_busy_hop_is_left_alone_for_a_quarter_of_an_hour(clock: Clock) -> None:
    politeness.leave_alone("192.0.2.1")
    assert set(politeness.left_alone()) == {"192.0.2.1"}
    clock.now += BACK_OFF_S - 1
    assert set(politeness.left_alone()) == {"192.0.2.1"}
    clock.now += 2
    assert politeness.left_alone() == {}


def test_a_clock_that_was_set_back_blocks_nobody_for_ever(clock: Clock) -> None:
    for number in range(RUNS_AN_HOUR):
        politeness.begin_load(str(number))
    politeness.leave_alone("192.0.2.1")
    clock.now -= 365 * 86400
    assert politeness.left_alone() == {}
    politeness.begin_load("one more")


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"loads": 1, "left_alone": {}}', '{"loads": ["x"], "left_alone": []}', "[" * 100_000, "{}"],
)
def test_a_damaged_note_counts_as_none(content: str) -> None:
    state_folder().mkdir(parents=True, exist_ok=True)
    (state_folder() / "loads.json").write_text(content)
    politeness.begin_load("one more")
    assert len(json.loads((state_folder() / "loads.json").read_text())["loads"]) == 1


def test_without_a_place_for_the_note_no_load_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(Impolite, match=r"cannot be kept: .*file"):
        politeness.begin_load("one more")
    assert politeness.left_alone() == {}
    politeness.leave_alone("192.0.2.1")
    for variable in ("XDG_STATE_HOME", "HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(Path, "home", _homeless)
    with pytest.raises(Impolite, match="no home folder"):
        politeness.begin_load("one more")


def _homeless() -> Path:
    raise RuntimeError


@pytest.mark.parametrize("channels", [1, 4, 10, 28, 29, 60, 2000])
@pytest.mark.parametrize("octets", [400, 500, 1200])
def test_no_load_is_more_than_the_table_allows(channels: int, octets: int) -> None:
    load = load_for(channels * 100, octets, 6)
    assert load.octets <= octets
    assert load.pps <= politeness.LOAD.pps + 1e-9
    assert load.kbps <= min(politeness.LOAD.kbps, channels * 100)


def test_up_to_28_channels_get_their_whole_load() -> None:
    assert load_for(2800, 1200, 6).kbps == 2800
    assert load_for(2900, 1200, 6).kbps == 2880
    assert load_for(1000, 1200, 6).pps == pytest.approx(104.2, abs=0.1)
    assert load_for(100, 1200, 6).octets == 400


def test_the_papers_have_the_same_table() -> None:
    page = (Path(__file__).parents[4] / "docs" / "politeness.md").read_text()
    for manner in politeness.TABLE:
        assert _row(manner) in page


def _row(manner: Manner) -> str:
    seconds = f"{manner.seconds:g}"
    if manner.thorough_s != manner.seconds:
        seconds += f" (`--thorough`: {manner.thorough_s:g})"
    return f"| {manner.what} | {manner.to} | {manner.pps:g} | {manner.kbps:g} | {seconds} |"
