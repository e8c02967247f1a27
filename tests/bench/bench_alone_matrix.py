"""Is a whole run right with nothing but the laptop? One row a state of a site, some runs each. Needs root.

    python -m tests.bench.bench_alone_matrix [--runs N] [--jobs N] [--closed] [--keep FOLDER] [ROW]...

A ROW is a glob; --list names them. Printed per row and run: exit code, seconds, which musts failed and which are
undecided, and, where that is not right, what is. --closed: by a plain user who may not ping. --keep: every report.
A run that the tool itself calls late is made again and counted apart, up to four times. Labs mostly wait: a dozen fit
on two cores.
"""

import fnmatch
import json
import subprocess
from argparse import ArgumentParser, Namespace
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..lab.alone import Run
from ..lab.matrix import ROWS, Row, failed, is_false, judged, musts, undecided, wanted, wrong


def main() -> None:
    """Print the table, and what was wrong."""
    chosen = _arguments()
    rows = [row for row in ROWS.values() if any(fnmatch.fnmatchcase(row.name, glob) for glob in chosen.rows)]
    if chosen.list:
        print("\n".join(row.name for row in rows))
        return
    counts: Counter[str] = Counter()
    not_right: list[str] = []
    with ThreadPoolExecutor(chosen.jobs) as pool:
        runs = pool.map(lambda row: _tried(row, chosen), [row for row in rows for _ in range(chosen.runs)])
        for line, mistakes, counted in runs:
            print(line, flush=True)
            counts += counted
            not_right += mistakes
    print(f"\n{len(rows)} rows: {', '.join(f'{what}: {count}' for what, count in sorted(counts.items()))}")
    print("\n".join(not_right))


def _arguments() -> Namespace:
    parser = ArgumentParser()
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--closed", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("rows", nargs="*", default=["*"])
    return parser.parse_args()


def _tried(row: Row, chosen: Namespace) -> tuple[str, list[str], Counter[str]]:
    try:
        run = judged(row, closed=chosen.closed)
    except (RuntimeError, subprocess.SubprocessError) as broken:
        return f"{row.name:40} NO REPORT: {broken}", [f"{row.name}: no report"], Counter({"no report": 1})
    if chosen.keep:
        _keep(chosen.keep, row, run)
    mistakes = wrong(row, run, closed=chosen.closed)
    has_false = any(map(is_false, mistakes))
    line = (
        f"{row.name:40} exit {run.code} {run.seconds:4.0f} s"
        f"  failed: {', '.join(failed(run)) or '-'}  undecided: {', '.join(undecided(run)) or '-'}"
    )
    what = "false" if has_false else "right" if not mistakes else "late to the end" if run.is_late else "not right"
    if mistakes:
        want = wanted(row, run, closed=chosen.closed)
        line += f"\n{'':40} {what.upper()}: {'; '.join(mistakes)}  (right: {want})"
    counts = Counter({what: 1, "late, made again": run.late})
    counts += Counter({"musts": len(musts(run)), "of them undecided": len(undecided(run))})
    return line, [f"{row.name}: {mistake}" for mistake in mistakes], counts


def _keep(folder: Path, row: Row, run: Run) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = "".join(letter if letter.isalnum() else "-" for letter in row.name)
    number = len(list(folder.glob(f"{name}.*.json")))
    (folder / f"{name}.{number}.json").write_text(json.dumps(run.report))


if __name__ == "__main__":
    main()
