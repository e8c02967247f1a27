"""RTP of a capture: packets, codec, loss, jitter, digits and direction, beside what was made and beside tshark."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from gosip_check.heard import Stream
from gosip_check.trace.reading import read
from gosip_check.trace.sides import Trunk, heard_in
from tests.unit.trace.calls import DOWN, UP, Voice, call

TRUNK = Trunk("trunk.gotel.com.mt", ["217.22.184.0/24"])
CAPTURES: dict[str, tuple[Voice, Voice]] = {
    "both ways": (Voice(1, late_ms=4), Voice(2)),
    "loss": (Voice(1, lost=(9, 10, 11, 99)), Voice(2, lost=tuple(range(5, 395, 3)))),
    "jitter": (Voice(1, late_ms=19), Voice(2, late_ms=9)),
    "another codec": (Voice(1, payload=0), Voice(2, payload=18)),
    "digits": (Voice(1, digits="0159*#"), Voice(2, digits="7")),
    "all of it": (UP, DOWN),
}
_ROW = re.compile(
    r"^\s*[\d.]+\s+[\d.]+\s+(?P<source>\S+)\s+(?P<port>\d+)\s+\S+\s+\d+\s+0x(?P<ssrc>[0-9A-F]{8})\s+(?P<codec>.+?)\s+"
    r"(?P<packets>\d+)\s+(?P<lost>-?\d+) \([\d.]+%\)(?:\s+[\d.]+){4}\s+(?P<mean_ms>[\d.]+)\s+(?P<max_ms>[\d.]+)",
    re.MULTILINE,
)
_CODECS = {8: "g711A", 0: "g711U", 18: "g729", 101: "telephone-event"}


@dataclass(frozen=True)
class Told:
    """A row of `tshark -q -z rtp,streams`."""

    source: tuple[str, int]
    codecs: set[str]
    packets: int
    lost: int
    mean_ms: float
    max_ms: float


def ours(path: Path) -> dict[int, Stream]:
    return {stream.ssrc: stream for stream in heard_in(read([path]), TRUNK).streams}


def theirs(path: Path) -> dict[int, Told]:
    table = subprocess.run(
        ["tshark", "-q", "-z", "rtp,streams", "-r", path], capture_output=True, text=True, check=True
    ).stdout
    return {
        int(row["ssrc"], 16): Told(
            (row["source"], int(row["port"])),
            set(row["codec"].split(", ")),
            int(row["packets"]),
            int(row["lost"]),
            float(row["mean_ms"]),
            float(row["max_ms"]),
        )
        for row in _ROW.finditer(table)
    }


@pytest.mark.waits
@pytest.mark.parametrize("name", CAPTURES)
def test_the_figures_are_those_of_tshark(name: str, tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    path = tmp_path / "call.pcap"
    path.write_bytes(call(*CAPTURES[name]))
    found, told = ours(path), theirs(path)
    assert found.keys() == told.keys() == {voice.ssrc for voice in CAPTURES[name]}
    for voice in CAPTURES[name]:
        mine, other = found[voice.ssrc], told[voice.ssrc]
        assert (mine.source, mine.packets, mine.lost) == (other.source, other.packets, other.lost)
        assert {_CODECS[payload] for payload in mine.payloads} == other.codecs
        if voice.digits:  # tshark counts an event's waiting as jitter: its timestamp is that of its beginning
            assert (mine.jitter_max_ms or 0) < other.max_ms
        elif not voice.lost:
            assert mine.jitter_mean_ms == pytest.approx(other.mean_ms, abs=0.05)
            assert mine.jitter_max_ms == pytest.approx(other.max_ms, abs=0.05)


@pytest.mark.parametrize("name", CAPTURES)
def test_the_figures_are_those_that_were_made(name: str, tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    path.write_bytes(call(*CAPTURES[name]))
    for direction, voice in zip(("up", "down"), CAPTURES[name], strict=True):
        stream = ours(path)[voice.ssrc]
        assert (stream.direction, stream.lost) == (direction, len(voice.lost))
        assert stream.packets == voice.packets - len(voice.lost)
        assert stream.packet_ms == 20
        assert [digit.digit for digit in stream.digits] == list(voice.digits)
        assert all(digit.ends == 3 for digit in stream.digits)
        assert set(stream.payloads) == {voice.payload} | ({101} if voice.digits else set())
        assert (stream.jitter_max_ms or 0) < voice.late_ms + 0.1  # no packet came later than that
