"""The reflector under 100,000 packets a second of garbage, short packets and made-up sources, a session beside (root).

    python -m tests.bench.bench_reflector_flood

Wanted: memory stays level, no answer longer than its request (the flood's own room counts what comes back), and the
session loses nothing but what the kernel dropped because one processor cannot read that much.
"""

import random
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..lab.media_rooms import ALSO_NEAR, FAR, REPOSITORY, cpu_s, media_facts, near_and_far, peak_mib, reflector
from ..lab.namespaces import Rooms

RATE, SECONDS, CHANNELS = 100_000, 8, 10
KINDS = ("garbage", "short", "spoofed")
_PORT = 8620


def main() -> None:
    """Print the table."""
    print(f"{'flood':8} {'sent/s':>8} | memory MiB before, early, late | cpu s | session: lost of sent | "
          f"kernel drops in all | longest answer - request")  # fmt: skip
    with TemporaryDirectory() as folder, near_and_far() as ends:
        for kind in KINDS:
            log = Path(folder) / kind
            with reflector(ends, "far", log, "--no-sip", "--bind", FAR, "--port", str(_PORT)) as pid:
                _row(ends, pid, kind)
            print(f"{'':8} {log.read_text().splitlines()[-1]}")


def _row(ends: Rooms, pid: int, kind: str) -> None:
    media_facts(ends, "--reflector", f"{FAR}:{_PORT}", "--duration", "1", "--channels", "1")
    before, used = peak_mib(pid), cpu_s(pid)
    command = ["env", f"PYTHONPATH={REPOSITORY}", sys.executable, "-m", "tests.bench.bench_reflector_flood", kind]
    flood = subprocess.Popen(ends.command("near", command), stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    try:
        time.sleep(2)
        early = peak_mib(pid)
        facts = media_facts(
            ends, "--reflector", f"{FAR}:{_PORT}", "--duration", str(SECONDS - 4), "--channels", str(CHANNELS)
        )
        sent_s, longer = flood.communicate(timeout=SECONDS * 4)[0].split()
    finally:
        flood.kill()
    print(
        f"{kind:8} {float(sent_s):8.0f} | {before:17.1f}, {early:.1f}, {peak_mib(pid):.1f} | "
        f"{cpu_s(pid) - used:5.1f} | "
        f"{_lost(facts)} | {facts['far_drops']} | {longer}",
        flush=True,
    )


def _lost(facts: dict[str, Any]) -> str:
    return "did not begin" if facts["sent"] is None else f"{facts['sent'] - facts['received']} of {facts['sent']}"


def flood(kind: str) -> None:
    """In a process of its own: send, and print how many a second and by how much an answer was longer (0: never)."""
    chance = random.Random(862)
    stamp = b"\0\0\0\0" + bytes(40)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((ALSO_NEAR, 0))
    packets = [stamp]
    if kind == "garbage":
        packets = [chance.randbytes(chance.randrange(44, 400)) for _ in range(500)]
    elif kind == "short":
        packets = [chance.randbytes(chance.randrange(0, 44)) for _ in range(500)]
    elif kind == "spoofed":
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        packets = [_spoofed(chance, stamp) for _ in range(200_000)]
    longest = max(len(packet) for packet in packets)
    answers: list[int] = []
    if kind != "spoofed":
        threading.Thread(target=_listen, args=(sock, answers), daemon=True).start()
    started_s, sent = time.monotonic(), 0
    while (gone_s := time.monotonic() - started_s) < SECONDS:
        due = int(gone_s * RATE)
        for number in range(sent, due):
            sock.sendto(packets[number % len(packets)], (FAR, _PORT))
        sent = due
        time.sleep(0.001)
    print(f"{sent / SECONDS:.0f} {max(answers, default=0) - longest}")


def _listen(sock: socket.socket, longest: list[int]) -> None:
    longest.append(0)
    while True:
        longest[0] = max(longest[0], len(sock.recv(4096)))


def _spoofed(chance: random.Random, payload: bytes) -> bytes:
    """IPv4 and UDP headers with a random source of 198.18.0.0/15; the kernel fills in the IP checksum."""
    source = socket.inet_aton(f"198.{chance.randrange(18, 20)}.{chance.randrange(256)}.{chance.randrange(256)}")
    udp = struct.pack("!HHHH", chance.randrange(1024, 65536), _PORT, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, source, socket.inet_aton(FAR))
    return head + udp


if __name__ == "__main__":
    if len(sys.argv) > 1:
        flood(sys.argv[1])
    else:
        main()
