"""100,000 kept runs: how large is the file, and how long do `history show` and `history trend` take?

    python -m tests.bench.bench_history_size [RUNS]

The runs are the demo's light check every five minutes, with other figures each time and a change now and then. Prints a
table; each command is timed from its start to its end, the interpreter's own start included.
"""

import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from gosip_check.health.history import History
from gosip_check.records import Report
from gosip_check.report.load import load
from gosip_check.run import report_id


def main(runs: int) -> None:
    draw = random.Random(4)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite"
        good, bad = (_example(Path(folder) / f"{name}.json", name) for name in ("ready", "malformed"))
        begun_s = time.monotonic()
        when = datetime.now(UTC) - timedelta(minutes=5 * runs)
        with History(path) as history:
            history.db.execute("PRAGMA synchronous = OFF")  # the filling is not what is measured
            is_bad = False
            for _ in range(runs):
                when += timedelta(minutes=5)
                is_bad ^= draw.random() < 0.001
                history.keep(_varied(bad if is_bad else good, when, draw), None)
        filled_s = time.monotonic() - begun_s
        print(f"runs            {runs}, filled in {filled_s:.0f} s")
        print(f"size of file    {path.stat().st_size / 1048576:.1f} MiB, {path.stat().st_size / runs:.0f} octets a run")
        for words in (["show"], ["show", "--last", "1000"], ["trend"], ["trend", "--last", "100000"]):
            command = [sys.executable, "-m", "gosip_check", "history", *words, "--history", str(path)]
            begun_s = time.monotonic()
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
            lines = len(done.stdout.splitlines())
            print(f"{' '.join(['history', *words]):30} {time.monotonic() - begun_s:.2f} s, {lines} lines")


def _example(path: Path, demo: str) -> Report:
    command = [sys.executable, "-m", "gosip_check", "health", "--demo", demo, "--json", str(path), "--no-history"]
    subprocess.run([*command, "--quiet"], check=False, stdout=subprocess.DEVNULL, timeout=120)
    return load(path)


def _varied(report: Report, when: datetime, draw: random.Random) -> Report:
    measurements = []
    for measurement in report.measurements:
        facts: dict[str, Any] = dict(measurement.facts or {})
        if measurement.probe == "signalling":
            facts["servers"] = [{**s, "rtts_ms": [draw.gauss(20, 3) for _ in s["rtts_ms"]]} for s in facts["servers"]]
        if measurement.probe == "host":
            facts["cpu_pct"] = draw.uniform(0, 60)
        measurements.append(replace(measurement, facts=facts if measurement.facts else None, started=when))
    return replace(report, id=report_id(when), started=when, measurements=measurements)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
