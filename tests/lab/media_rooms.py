"""Two rooms for media: `near` with the tool, `far` with its reflector, and a cable between them."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .namespaces import Cable, Rooms, rooms
from .tool import gosip_check

NEAR, FAR = "10.66.0.1", "10.66.0.2"
ALSO_NEAR = "10.66.0.3"
ETHERNET_OCTETS = 14
"What TBF counts beside the IP packet."
_UP_WITHIN_S = 15.0


@contextmanager
def near_and_far() -> Iterator[Rooms]:
    """A veth cable from 10.66.0.1, which is 10.66.0.3 too, to 10.66.0.2."""
    with rooms([Cable("near", NEAR, "far", FAR)], {"near": [ALSO_NEAR]}, {}) as built:
        yield built


@contextmanager
def reflector(built: Rooms, room: str, log: Path, *arguments: str) -> Iterator[int]:
    """The reflector's process id; it is serving when the block begins and has ended when it ends."""
    process = built.start(room, gosip_check("reflector", *arguments), log)
    give_up_s = time.monotonic() + _UP_WITHIN_S
    while "STAMP on UDP" not in log.read_text():
        if process.poll() is not None or time.monotonic() > give_up_s:
            raise RuntimeError(f"the reflector did not come up: {log.read_text()}")
        time.sleep(0.05)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


def media_facts(built: Rooms, *arguments: str, room: str = "near", command: str = "bandwidth") -> dict[str, Any]:
    """What the tool measured, and its verdicts under `verdicts`."""
    ended = built.run(room, gosip_check(command, *arguments, "--json", "-", "--quiet"), check=False, timeout_s=300)
    report = json.loads(ended.stdout)
    measurement = next(m for m in report["measurements"] if m["probe"] == "media")
    if measurement["facts"] is None:
        raise RuntimeError(f"no facts: {measurement['failure']}")
    verdicts = {v["id"]: v["outcome"] for v in report["verdicts"]}
    return {**measurement["facts"], "verdicts": verdicts, "exit_code": ended.returncode}


def narrow(built: Rooms, room: str, interface: str, kbps_at_ip: float, ip_octets: int = 250) -> None:
    """Shape what leaves the room, so that `kbps_at_ip` go through for packets of that size; 20 ms of queue.

    It is done next door, where it arrives: a sender hears of what its own interface has no room for.
    """
    door, shaper = next_door(room, interface)
    built.run(door, ["ip", "link", "add", shaper, "type", "ifb"])
    built.run(door, ["ip", "link", "set", shaper, "up"])
    redirect = ["protocol", "all", "u32", "match", "u32", "0", "0", "action", "mirred", "egress", "redirect", "dev"]
    built.run(door, ["tc", "qdisc", "add", "dev", f"to-{room}", "ingress"])
    built.run(door, ["tc", "filter", "add", "dev", f"to-{room}", "parent", "ffff:", *redirect, shaper])
    shape(built, door, shaper, kbps_at_ip, ip_octets)


def widen(built: Rooms, room: str, interface: str) -> None:
    """Take the shaping away."""
    door, shaper = next_door(room, interface)
    built.run(door, ["tc", "qdisc", "del", "dev", f"to-{room}", "ingress"], check=False)
    built.run(door, ["ip", "link", "del", shaper], check=False)


def next_door(room: str, interface: str) -> tuple[str, str]:
    """The room that an interface leads to, and the device there through which what arrives is sent."""
    return interface.removeprefix("to-"), f"from-{room}"


def shape(built: Rooms, room: str, device: str, kbps_at_ip: float, ip_octets: int = 250) -> None:
    """Let so much leave by a device, for packets of that size; 20 ms of queue. Again: at another rate."""
    bits = kbps_at_ip * 1000 * (ip_octets + ETHERNET_OCTETS) / ip_octets
    burst = max(1600, int(bits / 8 * 0.002))
    tbf = f"replace dev {device} root tbf rate {int(bits)}bit burst {burst} latency 20ms"
    built.run(room, ["tc", "qdisc", *tbf.split()])


def cpu_s(pid: int) -> float:
    """Processor time that a process and its ended children have taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid: int) -> float:
    """The most memory that a process has held (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
