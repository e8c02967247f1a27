"""Reports by the thousand: `report check` and `report table` on one core and on all, memory, and PostgreSQL's answers.

    python -m tests.bench.bench_reports [REPORTS]

One of a hundred is damaged: cut off, edited, too large or no JSON. All of these must be found, and nothing else. Prints
a table; each command is timed from its start to its end.
"""

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from gosip_check.fleet import content
from tests.orders import order, save_orders
from tests.postgres import postgres
from tests.saved import TOOL

_EVERY = 100


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, reports = Path(name), Path(name) / "reports"
        reports.mkdir()
        save_orders(reports, count)
        damaged = {_damage(reports / f"{number:05d}.json", number // _EVERY) for number in range(50, count, _EVERY)}
        for cores in (1, len(os.sched_getaffinity(0))):
            with _on(cores):
                elapsed_s = _run(["report", "check", str(reports), "--jsonl"], folder / "checked.jsonl")
            print(
                f"check on {cores} core(s)   {count / elapsed_s:6.0f} reports a second, {elapsed_s:.1f} s", flush=True
            )
        largest_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        print(f"memory               {largest_kib / 1024:.0f} MiB, the largest process")
        answers = [json.loads(line) for line in (folder / "checked.jsonl").read_text().splitlines()]
        wrong = {answer["path"] for answer in answers if answer["trust"] in ("not-right", "unreadable")}
        right = f"found {len(damaged & wrong)}, others called wrong {len(wrong - damaged)}"
        print(f"damaged              {len(damaged)}, {right}", flush=True)
        for words, file in (([], "reports.csv"), (["--verdicts"], "verdicts.csv")):
            elapsed_s = _run(["report", "table", *words, str(reports)], folder / file)
            print(f"{' '.join(['table', *words]):20} {count / elapsed_s:6.0f} reports a second")
        with postgres() as environment:
            _ask(environment, folder)


def _damage(path: Path, kind: int) -> str:
    text = path.read_bytes()
    if kind % 4 == 0:
        path.write_bytes(text[: len(text) // 2])
    elif kind % 4 == 1:
        document = order(0, "malformed")
        for verdict in document["verdicts"]:
            verdict["outcome"] = "pass"
        path.write_text(json.dumps({**document, "outcome": "ready"}))
    elif kind % 4 == 2:
        os.truncate(path, 65 * 1024 * 1024)
    else:
        path.write_bytes(b"\xff" + text)
    return str(path)


@contextlib.contextmanager
def _on(cores: int) -> Iterator[None]:
    """This process, and those that it starts, on so many cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _run(arguments: list[str], output: Path) -> float:
    begun_s = time.monotonic()
    with output.open("wb") as file:
        subprocess.run([*TOOL, *arguments], stdout=file, stderr=subprocess.DEVNULL, timeout=1200, check=False)
    return time.monotonic() - begun_s


def _ask(environment: dict[str, str], folder: Path) -> None:
    (folder / "orders.sql").write_text("\\timing on\n" + content("orders.sql"))
    begun_s = time.monotonic()
    done = subprocess.run(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "orders.sql"],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    print(f"PostgreSQL           all of orders.sql in {time.monotonic() - begun_s:.1f} s")
    for question in done.stdout.split("\nWh")[1:]:
        title, *lines = question.splitlines()
        print(f"  Wh{title:60} {next(line for line in lines if line.startswith('Time: '))}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
