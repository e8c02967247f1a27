"""`run --again` after the repair of each fault of the lab, beside a whole run: seconds, and equal verdicts? (root)

    python -m tests.bench.bench_again [FAULT ...]

With a reflector and ten calls for five seconds; hops generous. Wanted: no verdict that differs. `host.*` and
`link.wired` are this machine's.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ..lab.repair import FAULTS, repaired


def main(faults: Sequence[str]) -> None:
    """Print the table."""
    print(f"{'fault':26} | faulty | --again | whole | measured | taken over | verdicts that differ")
    for fault in faults:
        with TemporaryDirectory() as folder:
            row = repaired(fault, Path(folder))
        differ = "; ".join(f"{id_}: {again}, whole run {whole}" for id_, (again, whole) in row.differ.items())
        print(
            f"{fault:26} | {row.faulty_s:4.1f} s | {row.again_s:5.1f} s | {row.whole_s:3.1f} s | {row.measured:8} | "
            f"{row.taken_over:10} | {differ or 'none'}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:] or list(FAULTS))
