"""What the tool adds by itself on a clean cable, how much it can carry, and what it takes (root).

    python -m tests.bench.bench_media_load [noise|capacity|memory]...

noise: RFC 3550 jitter and loss of our own making at 30 and 200 channels, beside irtt (one stream of as many packets a
second; its median and largest IPDV) and iperf3 -u (its own jitter figure). capacity: 1,000 channels for 10 s with both
ends on this machine, processor time beside iperf3's for the same packets. memory: a minute of 200 channels, both ends.
"""

import json
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..lab.media_rooms import FAR, cpu_s, media_facts, near_and_far, peak_mib, reflector
from ..lab.namespaces import Rooms

NOISE_S, CAPACITY_S, MEMORY_S = 5, 10, 60


def main(wanted: list[str]) -> None:
    """Print the tables that were asked for, all of them by default."""
    with TemporaryDirectory() as folder, near_and_far() as ends:
        logs = Path(folder)
        ends.start("far", ["irtt", "server", "-i", "0", "-b", ":2112"], logs / "irtt")
        iperf_server = ends.start("far", ["iperf3", "-s"], logs / "iperf3")
        for name, bench in (("noise", _noise), ("capacity", _capacity), ("memory", _memory)):
            if not wanted or name in wanted:
                with reflector(ends, "far", logs / "log", "--no-sip", "--bind", FAR, "--max-rate", "10000000") as pid:
                    bench(ends, pid, iperf_server.pid)


def _noise(ends: Rooms, pid: int, iperf_pid: int) -> None:
    del pid, iperf_pid
    print(
        f"{'channels':>8} | {'jitter ms':9} {'p50':>7} {'p99':>7} {'max':>7} | lost | {'lateness p50/p99/max ms':>25}"
    )
    for channels in (30, 200):
        facts = media_facts(ends, "--reflector", FAR, "--duration", str(NOISE_S), "--channels", str(channels))
        late = "/".join(f"{facts['lateness_ms'][name]:.3f}" for name in ("p50", "p99", "max"))
        lost = facts["lost_up"] + facts["lost_down"]
        for way in ("up", "down"):
            jitter = facts[f"jitter_{way}_ms"]
            print(
                f"{channels:8d} | {way:9} {jitter['p50']:7.4f} {jitter['p99']:7.4f} {jitter['max']:7.4f} | "
                f"{lost:4d} | {late:>25}",
                flush=True,
            )
        packets_s = channels * 50
        found = _irtt(ends, packets_s)
        for way, name in (("up", "ipdv_send"), ("down", "ipdv_receive")):
            median, largest = found[name]["median"] / 1e6, found[name]["max"] / 1e6
            lost = found["packets_sent"] - found["packets_received"]
            sent = f"of {found['packets_sent']} sent, {packets_s * NOISE_S} asked"
            print(f"{'':8} | irtt {way:4} {median:7.4f} {'':7} {largest:7.4f} | {lost:4d} | {sent}", flush=True)
        ended = _iperf(ends, packets_s, NOISE_S)["end"]["sum"]
        print(f"{'':8} | iperf3    {ended['jitter_ms']:7.4f} {'':7} {'':7} | {ended['lost_packets']:4d}", flush=True)


def _capacity(ends: Rooms, pid: int, iperf_pid: int) -> None:
    children, far = _children_s(), cpu_s(pid)
    facts = media_facts(ends, "--reflector", FAR, "--duration", str(CAPACITY_S), "--channels", "1000")
    near_s, far_s = _children_s() - children, cpu_s(pid) - far
    print(
        f"1000 channels, {CAPACITY_S} s: sent {facts['sent']}, lost up {facts['lost_up']}, down {facts['lost_down']}, "
        f"own receive drops {facts['own_drops']}, far end's drops {facts['far_drops']}, "
        f"lateness p99 {facts['lateness_ms']['p99']:.2f} ms"
    )
    print(f"processor time: near {near_s:.1f} s (arithmetic afterwards included), far {far_s:.1f} s")
    children, far = _children_s(), cpu_s(iperf_pid)
    ended = _iperf(ends, 50_000, CAPACITY_S, "--bidir")["end"]
    near_s, far_s = _children_s() - children, cpu_s(iperf_pid) - far
    total = ended["sum"]
    lost = f"lost {total['lost_packets']} of {total['packets']}"
    print(f"iperf3 --bidir, 50,000 packets/s each way: {lost}; processor time near {near_s:.1f} s, far {far_s:.1f} s")


def _memory(ends: Rooms, pid: int, iperf_pid: int) -> None:
    del iperf_pid
    facts = media_facts(ends, "--reflector", FAR, "--duration", str(MEMORY_S), "--channels", "200")
    near_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    lost = f"lost {facts['lost_up']} up, {facts['lost_down']} down"
    print(
        f"200 channels, {MEMORY_S} s, {facts['sent']} packets, {lost}: near at most {near_mib:.0f} MiB (its largest "
        f"process), far {peak_mib(pid):.0f} MiB"
    )


def _irtt(ends: Rooms, packets_s: int) -> dict[str, Any]:
    command = ["irtt", "client", "-i", f"{1_000_000 // packets_s}us", "-d", f"{NOISE_S}s", "-l", "222", "-o", "-", "-Q"]
    ended = ends.run("near", [*command, f"{FAR}:2112"], timeout_s=60, check=False)
    found: dict[str, Any] = json.loads(ended.stdout)["stats"]
    return found


def _iperf(ends: Rooms, packets_s: int, seconds: int, *more: str) -> dict[str, Any]:
    rate = str(packets_s * 222 * 8)
    command = ["iperf3", "-u", "-c", FAR, "-l", "222", "-b", rate, "-t", str(seconds), "-J", *more]
    found: dict[str, Any] = json.loads(ends.run("near", command, timeout_s=seconds + 30).stdout)
    time.sleep(0.5)
    return found


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(sys.argv[1:])
