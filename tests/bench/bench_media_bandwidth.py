"""Is the verdict on bandwidth right, and the direction named? Shaped links, N channels (root).

    python -m tests.bench.bench_media_bandwidth [N]...

TBF shapes to a share of what N channels need at IP, both ways or one. Wanted: fail below 1, pass above, always; and
`named` is the worse direction by the evidence. With both ways too narrow, down gets only what came up.
"""

import itertools
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from ..lab.media_rooms import FAR, media_facts, narrow, near_and_far, reflector, widen
from ..lab.namespaces import Rooms

SECONDS = 4
SHARES = (0.90, 0.95, 1.05, 1.20)
WAYS = ("both", "up", "down")


def main(counts: list[int]) -> None:
    """Print the table."""
    wrong = rows = 0
    print(
        f"{'N':>4} {'share':>5} {'shaped':6} | {'verdict':8} {'named':6} | delivered up / down %  real G.711 % | right"
    )
    with (
        TemporaryDirectory() as folder,
        near_and_far() as ends,
        reflector(ends, "far", Path(folder) / "log", "--no-sip", "--max-rate", "10000000"),
    ):
        for count, share, way in itertools.product(counts, SHARES, WAYS):
            rows += 1
            wrong += not _row(ends, count, share, way)
    print(f"{rows - wrong} of {rows} right")


def _row(ends: Rooms, count: int, share: float, way: str) -> bool:
    places = [("near", "to-far")] * (way != "down") + [("far", "to-near")] * (way != "up")
    for room, interface in places:
        narrow(ends, room, interface, share * count * 100)
    facts = media_facts(ends, "--reflector", FAR, "--duration", str(SECONDS), "--channels", str(count))
    for room, interface in places:
        widen(ends, room, interface)
    words = facts["evidence"]["delivered_pct"]
    verdict = facts["verdicts"]["media.bandwidth"]
    named = next((name for name, said in _NAMED.items() if said in words and verdict == "fail"), "-")
    right = verdict == ("fail" if share < 1 else "pass") and named in _RIGHT[way if share < 1 else "none"]
    calls = "" if facts["calls_delivered_pct"] is None else f"{facts['calls_delivered_pct']:9.2f}"
    print(
        f"{count:4d} {share:5.2f} {way:6} | {verdict:8} {named:6} | {facts['delivered_up_pct']:9.2f} "
        f"{facts['delivered_down_pct']:9.2f} {calls:>12} | {'yes' if right else 'NO'}",
        flush=True,
    )
    return right


_NAMED = {"up": "Up is the worse direction.", "down": "Down is the worse direction."}
_RIGHT = {"both": ("up",), "up": ("up",), "down": ("down",), "none": ("-",)}


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or [4, 10, 30, 60, 120])
