"""What `reflector --all-ports` installs goes with it, however it ends; and what it says where nft does not help."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .media_rooms import near_and_far
from .namespaces import Rooms
from .tool import gosip_check

TABLE = "gosip_reflector"
COMMAND = ("reflector", "--all-ports", "--port", "8620", "--no-sip")


@pytest.fixture(scope="module")
def room() -> Iterator[Rooms]:
    with near_and_far() as built:
        yield built


def _table(room: Rooms) -> bool:
    return TABLE in room.run("far", ["nft", "list", "tables"]).stdout


def _until(done: bool, room: Rooms, within_s: float = 10.0) -> bool:
    """Whether the table is there (or gone) before the time is up."""
    until_s = time.monotonic() + within_s
    while _table(room) != done and time.monotonic() < until_s:
        time.sleep(0.05)
    return _table(room) == done


def _serving(room: Rooms, log: Path) -> subprocess.Popen[bytes]:
    process = room.start("far", ["env", "--default-signal=HUP", *gosip_check(*COMMAND)], log)  # also under nohup(1)
    until_s = time.monotonic() + 15
    while "STAMP on UDP" not in log.read_text() and time.monotonic() < until_s and process.poll() is None:
        time.sleep(0.05)
    assert _table(room), log.read_text()
    return process


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_the_redirect_goes_with_the_program(room: Rooms, tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log"
    process = _serving(room, log)
    process.send_signal(number)
    assert process.wait(10) == (-9 if number == signal.SIGKILL else 0)
    assert _until(False, room)
    assert "Traceback" not in log.read_text()


def test_a_signal_while_it_starts_leaves_nothing(room: Rooms, tmp_path: Path) -> None:
    for delay_s in (0.5, 0.8):
        process = room.start("far", gosip_check(*COMMAND), tmp_path / "log")
        time.sleep(delay_s)
        process.terminate()
        process.wait(10)
        assert _until(False, room)


def test_what_another_version_left_is_taken_away(room: Rooms, tmp_path: Path) -> None:
    room.nft("far", f"table inet {TABLE} {{\n chain old {{\n }}\n}}\n")
    process = _serving(room, tmp_path / "log")
    assert "chain old" not in room.run("far", ["nft", "list", "table", "inet", TABLE]).stdout
    process.terminate()
    process.wait(10)
    assert _until(False, room)


def test_where_the_redirect_is_taken_away_it_ends_and_says_so(room: Rooms, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = _serving(room, log)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    assert process.wait(10) == 4
    assert "took the redirect away" in log.read_text()


@pytest.mark.parametrize(
    ("nft", "sentence"),
    [
        (None, "Error: nft is not installed, and --all-ports needs it: install the package nftables."),
        ("#!/bin/sh\nexec sleep 60\n", "Error: nft did not answer within 5 s."),
        (
            "#!/bin/sh\n[ $1 = --interactive ] && echo 'no such thing' >&2\nexit 1\n",
            "Error: nft refused the redirect: ",
        ),
    ],
    ids=["missing", "hangs", "refuses"],
)
def test_what_it_says_where_nft_does_not_help(room: Rooms, tmp_path: Path, nft: str | None, sentence: str) -> None:
    if nft is not None:
        (tmp_path / "nft").write_text(nft)
        (tmp_path / "nft").chmod(0o755)
    (tmp_path / "sleep").symlink_to("/bin/sleep")
    command = gosip_check(*COMMAND)
    command.insert(1, f"PATH={tmp_path}")
    done = room.run("far", command, check=False, timeout_s=30)
    assert done.returncode == 4
    assert done.stderr.startswith(sentence)
    assert "Traceback" not in done.stderr
    assert not _table(room)
