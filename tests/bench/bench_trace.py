"""A large capture beside tshark, and mutated files: `python -m tests.bench.bench_trace MEGABYTES FILES [FIRST]`.

The capture is RTP of 20 calls with a SIP message in every 5,000 packets. Prints seconds, the ratio and the memory; RTP
figures of smaller captures stand beside tshark's, ours/theirs. Each mutated file has a number, from FIRST on, by which
it is made again: `mutated(number)`.
"""

import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gosip_check.checklist import load
from gosip_check.plan import Plan, ask_of
from gosip_check.probes.probe import Context, Options, Probe
from gosip_check.records import Link, Settings
from gosip_check.trace.reading import TraceError, read
from gosip_check.trace.sides import Trunk, heard_in
from tests.unit.probes.pbx.test_guide_examples import INVITE, REGISTER
from tests.unit.trace.calls import call
from tests.unit.trace.test_reading import FIXTURES, LOGS, PBX, PLAIN, SITE, START_S, ethernet, ipv4
from tests.unit.trace.test_rtp import CAPTURES, ours, theirs

CALLS = 20
_CHUNK = 10_000
CHECKLIST = load("go-native")
TRUNK = Trunk(CHECKLIST.trunk.domain, CHECKLIST.trunk.networks)
ASKED, ANSWER, _ = REGISTER.split("\n\n")
SAID = [ASKED, ANSWER, INVITE]
KINDS = [
    *FIXTURES.values(),
    *("".join(form(message is not ANSWER, message) for message in SAID).encode() for form in LOGS.values()),
    *[call()[:20_000]] * 8,
]
"What is mutated: every kind of capture and log, and a whole call."


def asks() -> list[tuple[Probe, Options]]:
    """Every probe of the PBX, once for each set of options."""
    rows = [requirement for requirement in CHECKLIST.requirements if "trace" in requirement.ways]
    plan = Plan(CHECKLIST, rows, [Link("PBX")], Settings(), command="pbx trace")
    each = {ask.key: (ask.probe, ask.options) for ask in (ask_of(plan, row) for row in rows)}
    return list(each.values())


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


def mutated(number: int) -> bytes:
    """A capture or a log with up to a dozen octets changed, and its end cut. The same for the same number."""
    chance = random.Random(number)
    content = bytearray(KINDS[number % len(KINDS)])
    for _ in range(chance.randint(1, 12)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content[: chance.randrange(len(content))] if chance.randrange(2) else content)


def mutate(first: int, files: int, folder: Path) -> tuple[int, int]:
    """How many were read, and how many judged. Whatever else is raised ends it, after the number is printed."""
    path, judging, read_files, judged = folder / "mutated", asks(), 0, 0
    number = first
    try:
        for number in range(first, first + files):
            path.write_bytes(mutated(number))
            try:
                trace = read([path])
                read_files += 1
                heard = heard_in(trace, TRUNK)
            except TraceError:
                continue
            for probe, options in judging:
                probe.measure(options, Context(Link("PBX"), heard=heard))
            judged += 1
    finally:
        print(f"numbers {first} to {number}: {read_files} read, {judged} judged", flush=True)
    return read_files, judged


def beside_tshark(folder: Path) -> None:
    """Prints RTP figures of both, stream by stream: direction, packets, lost, mean and greatest jitter, digits."""
    path = folder / "call.pcap"
    print(f"{'capture':14} {'way':4} {'packets':>11} {'lost':>9} {'jitter ms':>13} {'most ms':>13}  our digits")
    for name, voices in CAPTURES.items():
        path.write_bytes(call(*voices))
        found, told = ours(path), theirs(path)
        for voice in voices:
            mine, other = found[voice.ssrc], told[voice.ssrc]
            means = f"{mine.jitter_mean_ms or 0:6.2f}/{other.mean_ms:6.2f}"
            most = f"{mine.jitter_max_ms or 0:6.2f}/{other.max_ms:6.2f}"
            digits = "".join(digit.digit for digit in mine.digits)
            counts = f"{mine.packets:5}/{other.packets:5} {mine.lost:4}/{other.lost:4}"
            print(f"{name:14} {mine.direction:4} {counts} {means} {most}  {digits}")


def main(megabytes: int, files: int, first: int = 0) -> None:
    with tempfile.TemporaryDirectory() as name:
        beside_tshark(Path(name))
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
        chunks = [mutate(at, min(_CHUNK, first + files - at), Path(name)) for at in range(first, first + files, _CHUNK)]
        read_files, judged = (sum(each) for each in zip(*chunks, strict=True)) if chunks else (0, 0)
        print(f"{files} mutated files: no exception, {read_files} read, {judged} judged by every probe")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
