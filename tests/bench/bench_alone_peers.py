"""What is given up without a server? Echoes alone, and beside them iperf3 and irtt with servers of their own (root).

    python -m tests.bench.bench_alone_peers [ROW]...

One row a line; all three measure one after the other on the same wire. Rate: what the line carries of 1200 kb/s at IP,
by iperf3, and of the 1000 kb/s that ten calls need, by echoes, which say no more than that. Loss and jitter: by echoes
the bounds of the worse direction, by irtt each direction. irtt's jitter is the median difference of neighbours (IPDV),
the bound of echoes is RFC 3550's estimate, p99.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..lab.alone import NEED_KBPS, ROWS, TWO_HOPS, Row, line, measured
from ..lab.site import Lab, site

NAMES = ("healthy", "up 0.9", "down 0.95", "up and down 1.05", "loss 1 % up", "loss 3 % down", "jitter 20", "jitter 60")
FAR = "192.31.196.2"
_SECONDS = 6
_AT_IP = 1200
_OFFERED_KBPS = 1.2 * NEED_KBPS
_UP_WITHIN_S = 10


def main() -> None:
    """Print the table."""
    print(f"{'line':18} | carries kb/s up/down: echoes  iperf3 up  down | lost %: echoes  irtt up  down"
          " | jitter ms: echoes  irtt up  down")  # fmt: skip
    with site(TWO_HOPS) as lab:
        lab.enter("ready")
        for name in sys.argv[1:] or NAMES:
            _row(lab, ROWS[name])


def _row(lab: Lab, row: Row) -> None:
    run = measured(lab, row, "bandwidth")
    with line(lab, row), _servers(lab):
        lab.flush()
        up, down = _iperf3(lab), _iperf3(lab, "--reverse")
        other = _irtt(lab)
    media = next(each for each in run.report["measurements"] if each["probe"] == "media")
    lost, jitter = _bounds(media, "window15_loss_pct"), _bounds(media, "worst_jitter_ms")
    print(
        f"{row.name:18} | {_carried(run.echoes):>28} {up:10.0f} {down:5.0f} | {lost:>14} "
        f"{other['lost_up']:8.2f} {other['lost_down']:5.2f} | {jitter:>17} "
        f"{other['jitter_up']:8.2f} {other['jitter_down']:5.2f}",
        flush=True,
    )


def _carried(echoes: dict[str, Any]) -> str:
    shares = echoes.get("short_of_pct") or [0.0]
    carried = NEED_KBPS * (1 - sum(shares) / len(shares) / 100)
    return f"{'' if shares[0] else 'at least '}{carried:.0f} ({echoes.get('shape')})"


def _bounds(media: dict[str, Any], fact: str) -> str:
    low, high = media["facts"]["between"].get(fact) or (None, None)
    return f"{low or 0:.2f} to {'?' if high is None else f'{high:.2f}'}"


def _iperf3(lab: Lab, *more: str) -> float:
    """kb/s at IP that arrived."""
    payload = _AT_IP - 28
    command = ["iperf3", "-c", FAR, "-u", "-b", f"{_OFFERED_KBPS * payload / _AT_IP:.0f}k", "-l", str(payload)]
    found = json.loads(lab.run("lan", [*command, "-t", str(_SECONDS), "--json", *more], timeout_s=60).stdout)
    if "error" in found:
        raise RuntimeError(found["error"])
    total = found["end"].get("sum_received") or found["end"]["sum"]
    arrived = total["packets"] - total["lost_packets"]
    return float(arrived * _AT_IP * 8 / 1000 / total["seconds"])


def _irtt(lab: Lab) -> dict[str, float]:
    command = ["irtt", "client", "-i", "20ms", "-d", f"{2 * _SECONDS}s", "-l", "172", "-o", "-", "-Q", f"{FAR}:2112"]
    found = json.loads(lab.run("lan", command, timeout_s=60).stdout)["stats"]
    sent, there, back = (found[name] for name in ("packets_sent", "server_packets_received", "packets_received"))
    return {
        "lost_up": 100 * (sent - there) / sent,
        "lost_down": 100 * (there - back) / max(1, there),
        "jitter_up": found["ipdv_send"]["median"] / 1e6,
        "jitter_down": found["ipdv_receive"]["median"] / 1e6,
    }


@contextmanager
def _servers(lab: Lab) -> Iterator[None]:
    commands = {"iperf3": ["iperf3", "-s", "-B", FAR], "irtt": ["irtt", "server", "-i", "1ms", "-b", f"{FAR}:2112"]}
    started = [lab.rooms.start("go", argv, lab.rooms.folder / name) for name, argv in commands.items()]
    try:
        give_up_s = time.monotonic() + _UP_WITHIN_S
        while lab.run("go", ["ss", "-Hln", "sport = :5201 or sport = :2112"]).stdout.count(FAR) < 2:
            if time.monotonic() > give_up_s:
                raise RuntimeError("iperf3 or irtt did not come up")
            time.sleep(0.05)
        yield
    finally:
        for server in started:
            server.terminate()
            server.wait(10)


if __name__ == "__main__":
    main()
