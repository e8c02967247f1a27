"""The history while a program that writes it is killed."""

import subprocess
import sys
from pathlib import Path

from gosip_check.health.history import History

CHILD = """
import sys
from pathlib import Path
from gosip_check.health.history import History
from tests.unit.health.test_history import one
with History(Path(sys.argv[1])) as history:
    for minute in range(int(sys.argv[2]), 10**6):
        history.keep(one(minute), None)
        print(minute, flush=True)
"""


def test_killed_while_writing_no_finished_run_is_lost(tmp_path: Path) -> None:
    """Three kills, each after another number of kept runs; tests/bench/bench_history_kill.py does a hundred."""
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
            assert history.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert told >= 36
