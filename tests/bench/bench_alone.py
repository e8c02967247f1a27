"""Is what the tool says of a line right with nothing but the laptop? One row a line, some runs each. Needs root.

    python -m tests.bench.bench_alone [--runs N] [--closed] [ROW]...          (a glob each; --list names them)

Printed per row and run: exit code, what failed, which musts are open, seconds, and what was said of bandwidth and loss.
A run that the tool itself calls late is made again and counted apart. --closed: as a plain user who may not ping.
"""

import fnmatch
from argparse import ArgumentParser
from collections import Counter

from ..lab.alone import ROWS, TWO_HOPS, Row, measured, wrong
from ..lab.site import Lab, site
from ..lab.tool import PLAIN_USER


def main() -> None:
    """Print the table."""
    parser = ArgumentParser()
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--closed", action="store_true")
    parser.add_argument("--command", default="bandwidth")
    parser.add_argument("rows", nargs="*", default=["*"])
    chosen = parser.parse_args()
    rows = [row for row in ROWS.values() if any(fnmatch.fnmatchcase(row.name, glob) for glob in chosen.rows)]
    if chosen.list:
        print("\n".join(row.name for row in rows))
        return
    counts: Counter[str] = Counter()
    with site(TWO_HOPS) as lab:
        lab.enter("ready")
        if chosen.closed:
            lab.run("lan", ["sysctl", "-qw", "net.ipv4.ping_group_range=1 0"])
        for row in rows:
            for _ in range(chosen.runs):
                _print(row, lab, chosen.command, counts, closed=chosen.closed)
    print(", ".join(f"{what}: {count}" for what, count in sorted(counts.items())))


def _print(row: Row, lab: Lab, command: str, counts: Counter[str], *, closed: bool) -> None:
    run = measured(lab, row, command, before=PLAIN_USER if closed else ())
    counts["late, made again"] += run.late
    verdicts, echoes = run.verdicts, run.echoes
    failed = [id_ for id_, verdict in verdicts.items() if verdict["outcome"] in ("fail", "warn")]
    still_open = [
        id_ for id_, verdict in verdicts.items() if verdict["outcome"] == "unknown" and verdict["level"] == "must"
    ]
    mistakes = wrong(row, run, may_stay_open=closed)
    is_false = [mistake for mistake in mistakes if mistake.endswith((" fail", " pass"))]
    counts["false" if is_false else "not as wanted" if mistakes else "right"] += 1
    shortfall = "/".join(f"{share:.1f}" for share in echoes.get("short_of_pct", []))
    met = f"{echoes.get('shape')} {echoes.get('doubt') or ''} {shortfall}"
    print(
        f"{row.name:32} exit {run.code} {run.seconds:4.0f} s  {met}"
        f"  failed: {', '.join(failed) or '-'}  open: {', '.join(still_open) or '-'}"
        f"  {'WRONG: ' + '; '.join(mistakes) if mistakes else 'right'}\n"
        f"{'':32} {verdicts['media.bandwidth']['reason']}\n{'':32} {verdicts['media.loss']['reason']}",
        flush=True,
    )


if __name__ == "__main__":
    main()
