"""The second line as the far end, over the kernel's NATs: which of them let packets through, what a wire's delays and a
line's rates are seen as, and whole runs. Root. `python -m tests.bench.bench_second_line [TIMES [nats|delays|rates]...]`

Delays are held against the record that the wire keeps of every packet. A row in which the tool itself was late is made
again and counted.
"""

import contextlib
import itertools
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

from tests.lab.alone import wired
from tests.lab.phone import (
    LINE,
    LINES,
    PHONES,
    SECOND,
    STUN,
    UNKNOWN_TO_THE_PROVIDER,
    be_phone,
    nat_of,
    phone,
    punched,
    stun_servers,
)
from tests.lab.site import Lab, site
from tests.lab.tool import gosip_check, verdict_of
from tests.lab.wire import Line, Wire
from tests.timely import going_first

OCTETS, PACKETS, SECONDS = 250, 50, 5
NEED_KBPS = 1000
DELAYS = ((8.0, 8.0, 0.0), (5.0, 25.0, 0.0), (40.0, 10.0, 0.0), (20.0, 20.0, 10.0))
RATES = (("up", 0.95), ("down", 0.95), ("up", 1.05), ("down", 1.05), ("both", 0.95), ("both", 1.05))
_CARRIED_PCT = 99.0
"The criterion of the checklists."
_MOST_LATE, _JOBS = 4, 3


def main(times: int, *parts: str) -> None:
    """Prints the tables, or some of them. The rates of each row in a lab of its own, some side by side."""
    for part in parts or PARTS:
        PARTS[part](times)


@contextlib.contextmanager
def _lab() -> Iterator[Lab]:
    with site() as lab:
        lab.enter("ready")
        with phone(lab), stun_servers(lab):
            yield lab


def _all_nats(times: int) -> None:
    with _lab() as lab, going_first():
        print("| NAT | of the line or the second one | its mapping depends on | its filter depends on |")
        print("| --- | --- | --- | --- |")
        for side, kinds in (("line", LINES), ("phone", PHONES)):
            for kind in kinds:
                _enter(lab, **{"line" if side == "line" else "second": kind})
                print(f"| {kind} | {side} | {' | '.join(nat_of(lab, side))} |", flush=True)
        print("\n| NAT of the line | NAT of the second line | STUN | through | said instead |")
        print("| --- | --- | --- | --- | --- |")
        for line, second in itertools.product(LINES, PHONES):
            _punches(lab, line, second, times)
        _strangers(lab, times)


def _all_delays(times: int) -> None:
    print("\n| wire up, down, jitter ms | error up ms | error down ms | late |")
    print("| --- | --- | --- | --- |")
    with _lab() as lab, going_first():
        for up_ms, down_ms, jitter_ms in DELAYS:
            _delays(lab, up_ms, down_ms, jitter_ms, times)


def _all_rates(times: int) -> None:
    print("\n| rate of the need | delivered up % | down % | too little | media.bandwidth | late |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)

    def row(asked: tuple[str, float]) -> str:
        with _lab() as lab:
            return _rates(lab, *asked, times)

    with going_first(), ThreadPoolExecutor(_JOBS) as pool:
        for line in pool.map(row, RATES):
            print(line, flush=True)


PARTS: dict[str, Callable[[int], None]] = {"nats": _all_nats, "delays": _all_delays, "rates": _all_rates}


def _enter(lab: Lab, line: str = "masquerade", second: str = "masquerade") -> None:
    lab.enter("ready")
    if LINES[line]:
        lab.nft("cpe", LINES[line])
    lab.flush()
    be_phone(lab, second)


def _punches(lab: Lab, line: str, second: str, times: int) -> None:
    seen = []
    for _ in range(times):
        _enter(lab, line, second)
        seen.append(punched(lab))
    _print_punches(line, second, "yes", seen)


def _strangers(lab: Lab, times: int) -> None:
    for stun, named in (((), "no"), (STUN, "yes")):
        seen = []
        for _ in range(times):
            _enter(lab)
            lab.nft("go", UNKNOWN_TO_THE_PROVIDER)
            seen.append(punched(lab, stun))
        _print_punches("masquerade", "masquerade, unknown to the provider", named, seen)


def _print_punches(line: str, second: str, stun: str, seen: list[dict[str, Any]]) -> None:
    through = sum(each["punched"] for each in seen)
    said = next((each["why"].partition("(")[0].strip() for each in seen if not each["punched"]), "")
    print(f"| {line} | {second} | {stun} | {through} of {len(seen)} | {said} |", flush=True)


def _in_time(measure: Callable[[], Any], late: Callable[[Any], bool]) -> tuple[Any, int]:
    """What it brought, and how often it was made again because this machine was late."""
    for again in range(_MOST_LATE):
        measured = measure()
        if not late(measured):
            return measured, again
    return measured, _MOST_LATE


def _delays(lab: Lab, up_ms: float, down_ms: float, jitter_ms: float, times: int) -> None:
    errors: dict[str, list[float]] = {"up": [], "down": []}
    late = 0

    def measure() -> tuple[dict[str, Any], Wire]:
        _enter(lab)
        with wired(lab, Line(up_ms, jitter_ms), Line(down_ms, jitter_ms)) as wire:
            stream: dict[str, Any] = punched(lab, seconds=SECONDS)["stream"]
        return stream, wire

    for _ in range(times):
        (stream, wire), again = _in_time(measure, lambda seen: bool(seen[0]["sending"]["sent_late"]))
        late += again
        for way in ("up", "down"):
            records = wire.records(way, OCTETS, SECONDS * PACKETS)
            true_ms = median((record.went_ns - record.came_ns) / 1e6 for record in records if record.went_ns)
            errors[way].append(stream[f"delay_{way}_ms"]["p50"] - true_ms)
    shown = [f"{min(errors[way]):+.3f} to {max(errors[way]):+.3f}" for way in ("up", "down")]
    print(f"| {up_ms:g}, {down_ms:g}, {jitter_ms:g} | {shown[0]} | {shown[1]} | {late} |", flush=True)


def _rates(lab: Lab, way: str, share: float, times: int) -> str:
    """A row. The wire's device counts octets at IP, so packets of every size see the same rate."""
    delivered: dict[str, list[float]] = {"up": [], "down": []}
    outcomes, named = [], []
    late = 0
    for _ in range(times):
        (facts, outcome), again = _in_time(lambda: _run(lab, way, share), _was_late)
        late += again
        doubt = (facts["echoes"] or {}).get("doubt")
        outcomes.append(f"{outcome} ({doubt})" if outcome == "unknown" and doubt else outcome)
        short = [each for each in delivered if facts[f"delivered_{each}_pct"] < _CARRIED_PCT]
        named.append(" and ".join(short) or "none")
        for each, seen in delivered.items():
            seen.append(facts[f"delivered_{each}_pct"])
    shown = [f"{min(seen):.1f} to {max(seen):.1f}" for seen in delivered.values()]
    counted = [", ".join(f"{each} {of.count(each)}" for each in sorted(set(of))) for of in (named, outcomes)]
    return f"| {way} {share:g} | {shown[0]} | {shown[1]} | {counted[0]} | {counted[1]} | {late} |"


def _was_late(seen: tuple[dict[str, Any], str]) -> bool:
    """This machine, when it sent to the second line or loaded the hop behind the edge."""
    facts, _ = seen
    return bool(facts["sent_late"]) or (facts["echoes"] or {}).get("doubt") == "late"


def _run(lab: Lab, way: str, share: float) -> tuple[dict[str, Any], str]:
    _enter(lab)
    bits = int(share * NEED_KBPS * 1000)
    ends = {"up": "cpe", "down": "isp"}
    with wired(lab, Line(8), Line(8)), tempfile.TemporaryDirectory() as folder:
        for room in [room for each, room in ends.items() if way in (each, "both")]:
            tbf = f"tbf rate {bits}bit burst 2400 limit {int(bits / 8 * 0.2)}"
            lab.run(room, ["tc", "qdisc", "replace", "dev", "wire", "root", *tbf.split()])
        options = ["--link", LINE, "--far-end-link", SECOND, "--duration", str(SECONDS), "--json", "-", "--quiet"]
        stun = [word for server in STUN for word in ("--stun", server)]
        command = ["env", f"XDG_STATE_HOME={folder}", *gosip_check("bandwidth", *options, *stun)]
        report = json.loads(lab.run("lan", command, check=False, timeout_s=300).stdout)
    media = next(each["facts"] for each in report["measurements"] if each["probe"] == "media")
    return media, verdict_of(report, "media.bandwidth")["outcome"]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, *sys.argv[2:])
