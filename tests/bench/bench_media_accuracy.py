"""Reported against injected, irtt beside it: delay, jitter and loss, each way, on a wire that keeps a record (root).

    python -m tests.bench.bench_media_accuracy

`wire` is what the wire did to the counted packets, by its own record. Per row both tools run one after the other on the
same wire, 5 channels (irtt: one stream of the same 250 packets a second, held against its own run's record, the sum
of the two medians). Wanted: RTT within 0.2 ms, loss within the 95 % interval of the wire's, always the right way.
irtt's jitter is the median difference of neighbours (IPDV), not RFC 3550's estimate.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gosip_check.probes.media.summary import jitter, wilson

from ..lab.media_rooms import media_facts, near_and_far, reflector
from ..lab.namespaces import Rooms
from ..lab.wire import RIGHT, Line, Record, Wire

CHANNELS, SECONDS = 5, 6
ROWS = [
    (Line(), Line()),
    (Line(delay_ms=10), Line(delay_ms=10)),
    (Line(delay_ms=50), Line(delay_ms=20)),
    (Line(delay_ms=100), Line(delay_ms=100)),
    (Line(delay_ms=10, jitter_ms=5), Line(delay_ms=10)),
    (Line(delay_ms=10), Line(delay_ms=10, jitter_ms=20)),
    (Line(delay_ms=10, jitter_ms=60), Line(delay_ms=10, jitter_ms=30)),
    (Line(delay_ms=10, jitter_ms=40, swaps=True), Line(delay_ms=10)),
    (Line(delay_ms=5, loss=0.002), Line(delay_ms=5)),
    (Line(delay_ms=5), Line(delay_ms=5, loss=0.01)),
    (Line(delay_ms=5, loss=0.05), Line(delay_ms=5)),
    (Line(delay_ms=5, loss=0.02), Line(delay_ms=5, loss=0.05)),
]


def main() -> None:
    """Print the table."""
    print(f"{'up':30} {'down':30} | RTT p50 ms: wire   tool    err  irtt err | lost up/down: wire      tool      irtt"
          " | in 95 %  way | jitter p50 ms up: wire  tool  irtt | down: wire  tool  irtt")  # fmt: skip
    with TemporaryDirectory() as folder, near_and_far() as ends:
        log = Path(folder) / "log"
        with reflector(ends, "far", log, "--no-sip"):
            ends.start("far", ["irtt", "server", "-i", "1ms", "-b", ":2112"], Path(folder) / "irtt")
            for up, down in ROWS:
                _row(ends, up, down)


def _row(ends: Rooms, up: Line, down: Line) -> None:
    names = ends.namespace("near"), ends.namespace("far")
    with Wire(*names, up, down) as wire:
        facts = media_facts(ends, "--reflector", RIGHT, "--duration", str(SECONDS), "--channels", str(CHANNELS))
    numbers = SECONDS * 50
    there, back = wire.records("up", 250, numbers), wire.records("down", 250, numbers)
    with Wire(*names, up, down) as irtt_wire:
        other = _irtt(ends)
    irtt_rtt = sum(_median_ms(irtt_wire.records(way, 250, 1 << 32)) for way in ("up", "down"))
    trips = _round_trips(there, back)
    rtt = trips[len(trips) // 2]
    lost = _lost(there), _lost(back)
    said = facts["lost_up"], facts["lost_down"]
    low, high = zip(wilson(lost[0], len(there)), wilson(lost[1], len(back)), strict=True)
    shares = (facts["lost_up"] / len(there), facts["lost_down"] / max(1, len(back)))
    inside = all(a <= share <= b for a, share, b in zip(low, shares, high, strict=True))
    way = all((a > 0) == (b > 0) for a, b in zip(lost, said, strict=True))
    told = facts["rtt_ms"]["p50"]
    print(
        f"{_words(up):30} {_words(down):30} | {rtt:16.3f} {told:7.3f} {told - rtt:+7.3f} "
        f"{other['rtt'] - irtt_rtt:+9.3f} | {lost[0]:16d}/{lost[1]:<4d} {said[0]:4d}/{said[1]:<4d} "
        f"{other['lost_up']:>4}/{other['lost_down']:<4} | {'yes' if inside else 'NO':6} {'yes' if way else 'NO':4} | "
        f"{_jitter(there):21.3f} {facts['jitter_up_ms']['p50']:6.3f} {other['jitter_up']:6.3f} | "
        f"{_jitter(back):11.3f} {facts['jitter_down_ms']['p50']:6.3f} {other['jitter_down']:6.3f}",
        flush=True,
    )


def _irtt(ends: Rooms) -> dict[str, Any]:
    command = ["irtt", "client", "-i", "4ms", "-d", f"{SECONDS}s", "-l", "222", "-o", "-", "-Q", f"{RIGHT}:2112"]
    found = json.loads(ends.run("near", command, timeout_s=60).stdout)["stats"]
    return {
        "rtt": found["rtt"]["median"] / 1e6,
        "lost_up": found["packets_sent"] - found["server_packets_received"],
        "lost_down": found["server_packets_received"] - found["packets_received"],
        "jitter_up": found["ipdv_send"]["median"] / 1e6,
        "jitter_down": found["ipdv_receive"]["median"] / 1e6,
    }


def _round_trips(there: list[Record], back: list[Record]) -> list[float]:
    returned = {(r.port, r.number): r for r in back if r.went_ns}
    return sorted(
        (r.went_ns - r.came_ns + returned[r.port, r.number].went_ns - returned[r.port, r.number].came_ns) / 1e6
        for r in there
        if r.went_ns and (r.port, r.number) in returned
    )


def _jitter(records: list[Record]) -> float:
    """The median of RFC 3550's estimate over all flows, from what the wire did, in order of leaving it."""
    estimates: list[float] = []
    for port in {record.port for record in records}:
        flow = sorted((r for r in records if r.port == port and r.went_ns), key=lambda r: r.went_ns)
        estimates += jitter([(r.went_ns - r.came_ns) / 1e6 for r in flow])[48:]
    return sorted(estimates)[len(estimates) // 2] if estimates else 0.0


def _lost(records: list[Record]) -> int:
    return sum(record.went_ns == 0 for record in records)


def _median_ms(records: list[Record]) -> float:
    taken = sorted((record.went_ns - record.came_ns) / 1e6 for record in records if record.went_ns)
    return taken[len(taken) // 2]


def _words(line: Line) -> str:
    parts = [f"{line.delay_ms:g} ms"]
    if line.jitter_ms:
        parts.append(f"jitter 0-{line.jitter_ms:g} ms{' swaps' if line.swaps else ''}")
    if line.loss:
        parts.append(f"loss {line.loss:.1%}")
    return ", ".join(parts)


if __name__ == "__main__":
    main()
