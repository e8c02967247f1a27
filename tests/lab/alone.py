"""Lines to measure without a far end: what lies between the edge and its carrier, and what must be said of it.

    lan -- cpe ==(the line)== isp -- core -- go

`isp` and `core` are the two hops behind the edge; `single` rows have no `core`. Everything that a row brings about is
gone after its block.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .media_rooms import ETHERNET_OCTETS
from .namespaces import Cable
from .rulesets import forward
from .site import Lab
from .tool import gosip_check
from .wire import Line, Wire

TWO_HOPS = (
    Cable("lan", "192.168.1.10", "cpe", "192.168.1.1"),
    Cable("cpe", "192.88.99.2", "isp", "192.88.99.1"),
    Cable("isp", "192.175.48.1", "core", "192.175.48.2"),
    Cable("core", "192.31.196.1", "go", "192.31.196.2"),
)
NEED_KBPS = 1000
LARGE_OCTETS = 1200
_ONE_PACKET_OCTETS = 1500 + 2 * ETHERNET_OCTETS

_MOST_LATE = 4
_QUIETLY = ("--json", "-", "--quiet")

PASS, FAIL, UNKNOWN = {"pass"}, {"fail"}, {"unknown"}
OPEN = FAIL | UNKNOWN
"Right is fail; one run of five may leave it open."

Way = Literal["up", "down"]
_ENDS: Mapping[Way, tuple[str, str]] = {"up": ("cpe", "to-isp"), "down": ("isp", "to-cpe")}


@dataclass(frozen=True)
class Shaper:
    """TBF. times: of the need. bucket: octets; queue_ms: 0 for a policer, which holds one packet at most."""

    times: float
    queue_ms: float = 200.0
    bucket: int = 2 * (LARGE_OCTETS + ETHERNET_OCTETS)


@dataclass(frozen=True)
class Row:
    """shapers, losses (shares): by way. jitter_ms: uniform, on both ways; uneven: what else both ways do to packets.
    rules: room -> nftables.

    others_kbps: UDP of others up the line; bursty: two to five seconds each. fair: ICMP has a queue of its own.
    right: what may be said of each requirement; of the others pass is right.
    """

    name: str
    shapers: Mapping[Way, Shaper] = field(default_factory=dict)
    losses: Mapping[Way, float] = field(default_factory=dict)
    jitter_ms: float = 0.0
    uneven: Line | None = None
    rules: Mapping[str, str] = field(default_factory=dict)
    others_kbps: float = 0.0
    bursty: bool = False
    fair: bool = False
    arguments: Sequence[str] = ()
    bandwidth: set[str] = field(default_factory=lambda: PASS)
    loss: set[str] = field(default_factory=lambda: PASS)
    jitter: set[str] = field(default_factory=lambda: PASS)
    latency: set[str] = field(default_factory=lambda: PASS)
    says: str = ""
    "Words that the sentence about bandwidth must have."


def _rates() -> list[Row]:
    rows = []
    for times in (0.9, 0.95, 1.05, 1.1, 1.5):
        for ways in (("up",), ("down",), ("up", "down")):
            rows.append(
                Row(
                    f"{' and '.join(ways)} {times:g}",
                    shapers={way: Shaper(times) for way in ways},  # type: ignore[misc]
                    bandwidth=FAIL if times < 1 else PASS,
                    says="round trips rose" if times < 1 else "",
                )
            )
    return rows


def _losses() -> list[Row]:
    # Half a percent may be passed by five thousand echoes or left open; one and two cannot be told from one percent.
    right = {0.005: PASS | UNKNOWN, 0.01: UNKNOWN, 0.02: OPEN, 0.03: OPEN}
    ways: tuple[Way, ...] = ("up", "down")
    return [Row(f"loss {100 * loss:g} % {way}", losses={way: loss}, loss=right[loss]) for way in ways for loss in right]


def echo(rule: str) -> str:
    """What a hop does with echoes that are meant for it. Of a flow, a chain of type nat sees the first packet only."""
    return f"""
table ip state {{
    chain arriving {{
        type filter hook input priority -10
        icmp type echo-request {rule}
    }}
}}
"""


_ROWS = [
    Row("healthy"),
    *_rates(),
    *_losses(),
    Row("loss 3 % up, up 1.1", shapers={"up": Shaper(1.1)}, losses={"up": 0.03}, loss=OPEN),
    Row("loss 3 % up, up 0.95", shapers={"up": Shaper(0.95)}, losses={"up": 0.03}, bandwidth=OPEN, loss=OPEN),
    Row("jitter 20", jitter_ms=20),
    Row("jitter 60", jitter_ms=60, jitter=PASS | UNKNOWN),
    Row("jitter 80", jitter_ms=80, jitter=PASS | UNKNOWN),
    Row("jitter 60, up 0.9", jitter_ms=60, shapers={"up": Shaper(0.9)}, bandwidth=FAIL, jitter=PASS | UNKNOWN),
    *(
        Row(
            f"policer 15 kB {times:g}",
            shapers={"up": Shaper(times, 0, 15_000)},
            bandwidth=FAIL if times < 1 else PASS,
            says="policer" if times < 1 else "",
        )
        for times in (0.9, 0.95, 1.05)
    ),
    Row("policer 100 kB 0.9", shapers={"up": Shaper(0.9, 0, 100_000)}, says="for 6 s"),
    Row(
        "policer 100 kB 0.9 thorough",
        shapers={"up": Shaper(0.9, 0, 100_000)},
        arguments=["--thorough"],
        bandwidth=FAIL,
        says="policer",
    ),
    Row("queue 10 ms, up 0.95", shapers={"up": Shaper(0.95, 10)}, bandwidth=FAIL),
    Row("queue 500 ms, up 0.95", shapers={"up": Shaper(0.95, 500)}, bandwidth=FAIL),
    Row("queue 500 ms, down 1.05", shapers={"down": Shaper(1.05, 500)}),
    Row("hop answers 50 a second", rules={"isp": echo("limit rate over 50/second drop")}, says="hop 3"),
    Row(
        "both hops answer 50 a second",
        rules={room: echo("limit rate over 50/second drop") for room in ("isp", "core")},
        bandwidth=UNKNOWN,
        loss=UNKNOWN | PASS,
        jitter=PASS | UNKNOWN,
    ),
    Row("hop drops large echoes", rules={"isp": echo("meta length > 300 drop")}, says="hop 3"),
    Row(
        "both hops drop large echoes",
        rules={room: echo("meta length > 300 drop") for room in ("isp", "core")},
        bandwidth=UNKNOWN,
    ),
    Row("hop limits octets of echoes", rules={"isp": echo("limit rate over 50 kbytes/second burst 20 kbytes drop")}),
    Row(
        "no hop answers echo",
        rules={room: echo("drop") for room in ("isp", "core")},
        bandwidth=UNKNOWN,
        loss=UNKNOWN,
        jitter=PASS,
    ),
    Row(
        "others in bursts, up 1.5", shapers={"up": Shaper(1.5)}, others_kbps=900, bursty=True, bandwidth=PASS | UNKNOWN
    ),
    Row("others steady, up 1.5", shapers={"up": Shaper(1.5)}, others_kbps=800, bandwidth=OPEN, jitter=PASS | UNKNOWN),
    Row("a queue per flow, up 0.95", shapers={"up": Shaper(0.95)}, fair=True, bandwidth=FAIL),
    Row("a queue per flow, up 1.05", shapers={"up": Shaper(1.05)}, fair=True),
]
ROWS: Mapping[str, Row] = {row.name: row for row in _ROWS}


@dataclass(frozen=True)
class Run:
    """late: how many runs before it called themselves late, on a busy machine, and are not counted."""

    report: dict[str, Any]
    code: int
    seconds: float
    late: int

    @property
    def verdicts(self) -> dict[str, dict[str, Any]]:
        return {verdict["id"]: verdict for verdict in self.report["verdicts"]}

    @property
    def echoes(self) -> dict[str, Any]:
        """What the media probe says of its echoes."""
        media = (m["facts"] or {} for m in self.report["measurements"] if m["probe"] == "media")
        return next(media, {}).get("echoes") or {}

    @property
    def is_late(self) -> bool:
        """It says itself that this machine was too busy."""
        return self.echoes.get("doubt") == "late"


def measured(lab: Lab, row: Row, command: str, before: Sequence[str] = ()) -> Run:
    """A run over that line. before: stands before the tool's own command line."""
    for late in range(_MOST_LATE + 1):
        run = _measured(lab, row, command, before, late)
        if not run.is_late:
            break
    return run


def _measured(lab: Lab, row: Row, command: str, before: Sequence[str], late: int) -> Run:
    with tempfile.TemporaryDirectory() as folder, line(lab, row):
        Path(folder).chmod(0o777)
        lab.flush()
        argv = [
            *before,
            "env",
            f"XDG_STATE_HOME={folder}",
            *gosip_check(command, *row.arguments, "--json", "-", "--quiet"),
        ]
        started_s = time.monotonic()
        ended = lab.run("lan", argv, check=False, timeout_s=400)
        if ended.returncode not in (0, 1, 3):
            raise RuntimeError(f"exit code {ended.returncode}: {ended.stderr}")
        return Run(json.loads(ended.stdout), ended.returncode, time.monotonic() - started_s, late)


def wrong(row: Row, run: Run, *, may_stay_open: bool = False) -> list[str]:
    """Which verdicts on media are not as they must be. may_stay_open: whoever may not ping need not decide anything."""
    verdicts = run.verdicts
    right = {
        "media.bandwidth": row.bandwidth,
        "media.loss": row.loss,
        "media.jitter": row.jitter,
        "media.latency": row.latency,
    }
    said = {id_: verdicts[id_]["outcome"].replace("warn", "pass") for id_ in right}
    if may_stay_open:
        return [f"{id_} {said[id_]}" for id_, outcomes in right.items() if said[id_] not in outcomes | UNKNOWN]
    found = [f"{id_} {said[id_]}" for id_, outcomes in right.items() if said[id_] not in outcomes]
    if row.says not in verdicts["media.bandwidth"]["reason"]:
        found.append(f"does not say {row.says!r}")
    return found


@contextmanager
def line(lab: Lab, row: Row) -> Iterator[None]:
    """The line as the row has it."""
    with ExitStack() as stack:
        uneven = Line(delay_ms=8, jitter_ms=row.jitter_ms) if row.jitter_ms else row.uneven
        if uneven:
            stack.enter_context(wired(lab, uneven, uneven))
        for way, shaper in row.shapers.items():
            room, interface = _ENDS[way]
            shaped = "wire" if uneven else interface
            _shape(lab, room, shaped, shaper, fair=row.fair)
            lab.nft(room, _disowned(shaped))
        rules = dict(row.rules)
        if row.losses:
            rules["cpe"] = forward("\n        ".join(_loss(way, share) for way, share in row.losses.items()))
        for room, text in rules.items():
            lab.nft(room, text)
        if row.others_kbps:
            stack.enter_context(_others(lab, row))
        try:
            yield
        finally:
            for room in rules:
                lab.nft(room, "delete table ip state")
            for way in row.shapers:
                room, interface = _ENDS[way]
                lab.run(room, ["tc", "qdisc", "del", "dev", interface, "root"], check=False)
                lab.nft(room, "delete table ip disowned")


def _disowned(interface: str) -> str:
    """A router's own answers are charged to one socket of the kernel for all namespaces (ipv4_icmp_sk, 260 kB).

    While they wait in a deep queue, no router of any lab answers that runs on the same processor. So what enters the
    queue is a copy: nobody is charged for it.
    """
    return f"""
table ip disowned {{
    chain leaving {{
        type filter hook output priority 300
        meta mark 1 accept
        oifname "{interface}" ip protocol icmp meta mark set 1 dup to 192.88.99.2 device "{interface}" drop
    }}
}}
"""


def _loss(way: Way, share: float) -> str:
    direction = "oifname" if way == "up" else "iifname"
    return f'{direction} "to-isp" numgen random mod 1000 < {round(1000 * share)} drop'


def _shape(lab: Lab, room: str, interface: str, shaper: Shaper, *, fair: bool) -> None:
    framed = 0 if interface == "wire" else ETHERNET_OCTETS
    bits = int(shaper.times * NEED_KBPS * 1000 * (LARGE_OCTETS + framed) / LARGE_OCTETS)
    limit = int(bits / 8 * shaper.queue_ms / 1000) + shaper.bucket if shaper.queue_ms else _ONE_PACKET_OCTETS
    if not fair:
        tbf = f"tbf rate {bits}bit burst {shaper.bucket} limit {limit}"
        lab.run(room, f"tc qdisc replace dev {interface} root {tbf}".split())
        return
    for command in (
        f"qdisc replace dev {interface} root handle 1: htb default 20",
        f"class add dev {interface} parent 1: classid 1:1 htb rate {bits}bit ceil {bits}bit burst {shaper.bucket}",
        f"class add dev {interface} parent 1:1 classid 1:10 htb rate {bits // 2}bit ceil {bits}bit",
        f"class add dev {interface} parent 1:1 classid 1:20 htb rate {bits // 2}bit ceil {bits}bit",
        f"qdisc add dev {interface} parent 1:10 bfifo limit {limit}",
        f"qdisc add dev {interface} parent 1:20 bfifo limit {limit}",
        f"filter add dev {interface} parent 1: protocol ip u32 match ip protocol 1 0xff flowid 1:10",
    ):
        lab.run(room, ["tc", *command.split()])


@contextmanager
def wired(lab: Lab, up: Line, down: Line) -> Iterator[Wire]:
    """The cable between cpe and isp is replaced by a wire; the addresses stay."""
    namespaces = lab.rooms.namespace("cpe"), lab.rooms.namespace("isp")
    with Wire(*namespaces, up, down) as wire:
        lab.nft(
            "cpe",
            "table ip wired {\n chain leaving {\n type nat hook postrouting priority 90\n"
            ' oifname "wire" snat to 192.88.99.2\n }\n}\n',
        )
        lab.run("cpe", ["ip", "route", "replace", "192.88.99.1/32", "dev", "wire", "src", "192.88.99.2"])
        lab.run("cpe", ["ip", "route", "replace", "default", "via", "192.88.99.1", "dev", "wire", "onlink"])
        lab.run("isp", ["ip", "route", "replace", "192.88.99.2/32", "dev", "wire", "src", "192.88.99.1"])
        lab.flush()
        yield wire
    lab.nft("cpe", "delete table ip wired")
    lab.run("cpe", ["ip", "route", "replace", "default", "via", "192.88.99.1", "dev", "to-isp"])
    lab.flush()


_BLAST = """
import random, socket, sys, time
kbps, bursty = float(sys.argv[1]), sys.argv[2] == "True"
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
chance, gap, on, until = random.Random(7), 1000 * 8 / kbps / 1000, True, 0.0
due = time.monotonic()
while True:
    now = time.monotonic()
    if bursty and now > until:
        on, until = not on, now + chance.uniform(2, 5)
        due = now
    if not on:
        time.sleep(0.01)
        continue
    try:
        sock.sendto(bytes(972), ("192.88.99.1", 9))
    except OSError:
        pass
    due = max(due + gap, now - 0.05)
    time.sleep(max(0, due - time.monotonic()))
"""


@contextmanager
def _others(lab: Lab, row: Row) -> Iterator[None]:
    command = lab.rooms.command("cpe", [sys.executable, "-c", _BLAST, str(row.others_kbps), str(row.bursty)])
    process = subprocess.Popen(command, start_new_session=True)
    try:
        yield
    finally:
        process.kill()
        process.wait()
