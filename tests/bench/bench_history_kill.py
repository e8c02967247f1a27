"""kill -9 at random moments while runs are being kept: does the history open, and is every finished run in it?

    python -m tests.bench.bench_history_kill [TIMES]

A child keeps runs as fast as it can and names each one once `keep` has returned; it is killed at a random moment, and
its successor goes on in the same file. Prints a table.
"""

import random
import subprocess
import sys
import tempfile
from pathlib import Path

from gosip_check.health.history import History

CHILD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from msgspec.structs import replace
from gosip_check.health.history import History
from gosip_check.report.load import load
from gosip_check.run import report_id
report = load(Path(sys.argv[2]))
with History(Path(sys.argv[1])) as history:
    while True:
        now = datetime.now(UTC)
        one = replace(report, id=report_id(now), started=now)
        history.keep(one)
        print(one.id, flush=True)
"""


def main(times: int) -> None:
    draw = random.Random(9)
    opened = named = lost = damaged = 0
    with tempfile.TemporaryDirectory() as folder:
        path, example = Path(folder) / "history.sqlite", Path(folder) / "report.json"
        command = [sys.executable, "-m", "gosip_check", "demo", "--json", str(example), "--quiet"]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, timeout=120)
        finished: set[str] = set()
        for _ in range(times):
            with subprocess.Popen([sys.executable, "-c", CHILD, path, example], stdout=subprocess.PIPE) as child:
                assert child.stdout is not None
                told = [child.stdout.readline().decode().strip()] if draw.random() < 0.8 else []
                try:
                    child.wait(draw.uniform(0, 0.25))
                except subprocess.TimeoutExpired:
                    child.kill()
                told += child.stdout.read().decode().splitlines()
            finished.update(line for line in told if len(line) == 26)
            with History(path) as history:
                opened += 1
                damaged += history.db.execute("PRAGMA integrity_check").fetchone()[0] != "ok"
                kept = {row[0] for row in history.db.execute("SELECT id FROM run")}
            named = len(finished)
            lost += len(finished - kept)
    print(f"killed                 {times} times")
    print(f"opened again           {opened} times")
    print(f"damaged                {damaged} times")
    print(f"runs told as finished  {named}")
    print(f"of these lost          {lost}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
