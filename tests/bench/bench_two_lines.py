"""Two lines with two rates, again and again: has each its own verdict, and what left by which interface? (root)

    python -m tests.bench.bench_two_lines [TIMES]

In turn the first and the second line are too narrow for the load. Wanted: every verdict is its own line's.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from ..lab.media_rooms import reflector
from ..lab.second_line import both_lead_out, count_packets, counted, measured, two_lines, two_rates
from ..lab.site import RESOLVER


def main(times: int) -> None:
    """Print the table."""
    right = 0
    print(f"{'narrow':10} | {'Internet-1':>22} | {'Internet-2':>22} | packets out by each interface")
    with (
        TemporaryDirectory() as folder,
        two_lines() as lab,
        reflector(lab.rooms, "go", Path(folder) / "log", "--bind", RESOLVER),
    ):
        both_lead_out(lab)
        count_packets(lab)
        for number in range(times):
            narrow = 1 + number % 2
            two_rates(lab, narrow)
            report = measured(lab)
            verdicts = {v["link"]: v["outcome"] for v in report["verdicts"] if v["id"] == "media.bandwidth"}
            rates = {m["link"]: m["facts"]["rate_down_kbps"] for m in report["measurements"] if m["probe"] == "media"}
            wanted = {f"Internet-{line}": "fail" if line == narrow else "pass" for line in (1, 2)}
            right += verdicts == wanted
            told = " | ".join(f"{verdicts[link]:>8} {rates[link]:6.0f} kb/s down".rjust(22) for link in sorted(wanted))
            packets = ", ".join(f"{name} {count}" for name, count in counted(lab).items())
            print(f"Internet-{narrow} | {told} | {packets}", flush=True)
            for verdict in report["verdicts"]:
                if verdict["id"] == "media.bandwidth" and verdict["outcome"] != wanted[verdict["link"]]:
                    print(f"   not so: {verdict['link']}: {verdict['reason']}")
    print(f"{right} of {times} right")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
