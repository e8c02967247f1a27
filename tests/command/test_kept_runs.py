"""Every `run` is kept, and no trouble with that costs a verdict. These runs look at nothing: --skip."""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.saved import TOOL, here, tool

LOOKS_AT_NOTHING = ("run", "--skip", "*", "--quiet")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "gosip-check" / "runs"


def test_a_run_is_kept_as_it_was_written(state: Path, tmp_path: Path) -> None:
    done = tool(*LOOKS_AT_NOTHING, "--company", "Ħal Għargħur Phones", "--json", tmp_path / "r.json")
    assert done.returncode == 3
    assert done.stderr == ""
    (path,) = state.iterdir()
    assert path.read_bytes() == (tmp_path / "r.json").read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["company"] == "Ħal Għargħur Phones"
    assert here("report", "show", "last")[0] == 3


def test_other_commands_are_not_kept(state: Path) -> None:
    assert tool("host", "--quiet").returncode in (0, 1, 3)
    assert here("report", "list") == (0, "No run is kept here yet; `gosip-check run` keeps each.\n")
    assert not state.exists()


def test_two_runs_at_once_are_both_kept(state: Path) -> None:
    runs = [subprocess.Popen([*TOOL, *LOOKS_AT_NOTHING], stdout=subprocess.PIPE) for _ in range(2)]
    for run in runs:
        run.communicate(timeout=60)
        assert run.returncode == 3
    assert len(list(state.iterdir())) == 2


def test_a_place_that_takes_none_is_said_before_and_after(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_STATE_HOME": "/proc/self", "TMPDIR": str(tmp_path)}
    done = tool(*LOOKS_AT_NOTHING, env=environment)
    assert done.returncode == 3
    before, after = done.stderr.splitlines()
    assert before.startswith("This run cannot be kept for later: /proc/self/gosip-check/runs: cannot be used: ")
    assert before.endswith(" Name a file with --json.")
    found = re.search(r"It lies in (\S+) instead\.", after)
    assert found is not None
    path = Path(found[1])
    assert path.parent == tmp_path
    assert json.loads(path.read_text())["command"] == "run"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_disk_that_fills_up_meanwhile_costs_no_verdict(state: Path) -> None:
    script = f'ulimit -f 1; "{sys.executable}" -m gosip_check run --skip "*"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 3
    assert "could not be kept: " in done.stderr
    assert "File too large. There is no room for it elsewhere." in done.stderr
    assert "NOT DECIDED" in done.stdout
    assert list(state.iterdir()) == []


def test_without_a_home_folder(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_STATE_HOME")}
    script = "import pathlib, sys; from gosip_check.__main__ import main\n"
    script += "def no_home(): raise RuntimeError('no home')\n"
    script += f"pathlib.Path.home = no_home; sys.argv = ['gosip-check', *{LOOKS_AT_NOTHING!r}]; main()"
    command = [sys.executable, "-c", script]
    environment["TMPDIR"] = str(tmp_path)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 3
    assert "This user has no home folder; XDG_STATE_HOME can name one instead. Name a file with --json." in done.stderr
    assert len(list(tmp_path.glob("gosip-check-*.json"))) == 1
