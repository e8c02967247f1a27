"""A large capture beside tshark, and mutated files: `python -m tests.bench.bench_trace MEGABYTES FILES`.

The capture is RTP of 20 calls with a SIP message in every 5,000 packets. Prints seconds, the ratio and the memory.
"""

import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gosip_check.trace.reading import TraceError, read
from gosip_check.trace.sides import Trunk, heard_in
from tests.unit.trace.test_reading import FIXTURES, PBX, PLAIN, SITE, START_S, ethernet, ipv4

CALLS = 20


def write_capture(path: Path, megabytes: int) -> int:
    """Packets written."""
    count = megabytes * 1_000_000 // (214 + 16)
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(count):
            call, step = number % CALLS, number // CALLS
            rtp = struct.pack("!BBHII", 0x80, 8, step & 0xFFFF, step * 160 & 0xFFFFFFFF, call) + b"\xd5" * 160
            head = struct.pack("!HHHH", 20000 + 2 * call, 30000 + 2 * call, 8 + len(rtp), 0)
            frame = PLAIN[0] if number % 5000 == 0 else ethernet(ipv4(PBX, SITE, head + rtp, number & 0xFFFF))
            micro = number * 1000
            file.write(struct.pack("<IIII", START_S + micro // 10**6, micro % 10**6, len(frame), len(frame)) + frame)
    return count


def mutate(files: int, folder: Path) -> int:
    """How many were read and judged for their sides; whatever else is raised ends the bench."""
    chance, names, judged = random.Random(), sorted(FIXTURES), 0
    path = folder / "mutated"
    for number in range(files):
        content = bytearray(FIXTURES[names[number % len(names)]])
        for _ in range(chance.randint(1, 12)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(content[: chance.randrange(len(content))])
        try:
            judged += bool(heard_in(read([path]), Trunk("trunk.gotel.com.mt", ["217.22.184.0/24"])).transactions)
        except TraceError:
            continue
    return judged


def main(megabytes: int, files: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "large.pcap"
        count = write_capture(path, megabytes)
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start_s = time.monotonic()
        trace = read([path])
        ours_s = time.monotonic() - start_s
        grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
        start_s = time.monotonic()
        subprocess.run(["tshark", "-q", "-z", "rtp,streams", "-r", path], check=False, capture_output=True)
        theirs_s = time.monotonic() - start_s
        packets = sum(stream.packets for stream in trace.streams.values())
        print(f"{count} packets: {ours_s:.1f} s, tshark {theirs_s:.1f} s, ratio {ours_s / theirs_s:.2f}")
        print(f"{packets} of RTP in {len(trace.streams)} streams; {grown_mb:.0f} MB more memory")
        print(f"{files} mutated files: no exception, {mutate(files, Path(name))} with SIP in them")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
