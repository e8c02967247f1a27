"""How many channels a shaped line carries, as --find-capacity finds it (root).

    python -m tests.bench.bench_find_capacity [CHANNELS]...

TBF leaves room for so many channels and a half, both ways or one. Wanted: the answer to one part in twenty, and never
more than there is room for.
"""

import itertools
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from ..lab.media_rooms import FAR, media_facts, narrow, near_and_far, reflector, widen

WAYS = ("both", "up", "down")


def main(rooms_for: list[int]) -> None:
    """Print the table."""
    right = 0
    print(f"{'room for':>8} {'shaped':6} | {'found':>5} {'too many':>8} | {'took s':>6} | right")
    with (
        TemporaryDirectory() as folder,
        near_and_far() as ends,
        reflector(ends, "far", Path(folder) / "log", "--no-sip", "--max-rate", "10000000"),
    ):
        for count, way in itertools.product(rooms_for, WAYS):
            places = [("near", "to-far")] * (way != "down") + [("far", "to-near")] * (way != "up")
            for room, interface in places:
                narrow(ends, room, interface, (count + 0.5) * 100)
            started_s = time.monotonic()
            facts = media_facts(ends, "--reflector", FAR, "--duration", "4", "--channels", "10", "--find-capacity")
            for room, interface in places:
                widen(ends, room, interface)
            found, too_many = facts["capacity_channels"], facts["capacity_failed_at"]
            good = count - count // 20 <= found <= count
            right += good
            print(
                f"{count:8d} {way:6} | {found:5d} {too_many or '-':>8} | {time.monotonic() - started_s:6.0f} | "
                f"{'yes' if good else 'NO'}",
                flush=True,
            )
    print(f"{right} of {len(rooms_for) * len(WAYS)} right")


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or [3, 25, 120, 400])
