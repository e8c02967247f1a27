"""The reflector under 100,000 packets a second of garbage, short packets and made-up sources, a session beside (root).

    python -m tests.bench.bench_reflector_flood

Wanted: memory stays level, no answer longer than its request, and the session loses nothing but what the kernel dropped
because one processor cannot read that much. Garbage carries a number that its answer must bring back, so each answer is
held against its own request; made-up sources all send 44 octets, and the far room counts what leaves for them.
"""

import random
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..lab.media_rooms import ALSO_NEAR, FAR, NEAR, cpu_s, media_facts, near_and_far, peak_mib, reflector
from ..lab.namespaces import Rooms
from ..lab.tool import REPOSITORY

RATE, SECONDS, CHANNELS = 100_000, 8, 10
KINDS = ("garbage", "short", "spoofed")
_PORT = 8620
MADE_UP = "198.18.0.0/15"


def main() -> None:
    """Print the table."""
    print(f"{'flood':8} {'sent/s':>8} | memory MiB before, early, late | cpu s | session: lost of sent | "
          f"kernel drops in all | answers, the longest - its request")  # fmt: skip
    with TemporaryDirectory() as folder, near_and_far() as ends:
        ends.run("near", ["ip", "route", "add", "blackhole", MADE_UP])
        ends.run("far", ["ip", "route", "add", MADE_UP, "via", NEAR])
        for kind in KINDS:
            log = Path(folder) / kind
            with reflector(ends, "far", log, "--no-sip", "--bind", FAR, "--port", str(_PORT)) as pid:
                _row(ends, pid, kind)
            print(f"{'':8} {log.read_text().splitlines()[-1]}")


def _row(ends: Rooms, pid: int, kind: str) -> None:
    media_facts(ends, "--reflector", f"{FAR}:{_PORT}", "--duration", "1", "--channels", "1")
    before, used = peak_mib(pid), cpu_s(pid)
    ends.nft("far", _COUNT)
    command = ["env", f"PYTHONPATH={REPOSITORY}", sys.executable, "-m", "tests.bench.bench_reflector_flood", kind]
    flood = subprocess.Popen(ends.command("near", command), stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    try:
        time.sleep(2)
        early = peak_mib(pid)
        facts = media_facts(
            ends, "--reflector", f"{FAR}:{_PORT}", "--duration", str(SECONDS - 4), "--channels", str(CHANNELS)
        )
        sent_s, answers, longer = flood.communicate(timeout=SECONDS * 4)[0].split()
    finally:
        flood.kill()
    counted = re.findall(r"packets (\d+)", ends.run("far", ["nft", "list", "table", "ip", "sizes"]).stdout)
    ends.nft("far", "delete table ip sizes\n")
    if kind == "spoofed":
        answers, longer = counted[0], f"{counted[1]} of them longer"
    print(
        f"{kind:8} {float(sent_s):8.0f} | {before:17.1f}, {early:.1f}, {peak_mib(pid):.1f} | "
        f"{cpu_s(pid) - used:5.1f} | "
        f"{_lost(facts)} | {facts['far_drops']} | {answers}, {longer}",
        flush=True,
    )


_COUNT = f"""
table ip sizes {{
    chain leaving {{
        type filter hook output priority 0
        ip daddr {MADE_UP} udp sport {_PORT} counter
        ip daddr {MADE_UP} udp sport {_PORT} udp length > 52 counter
    }}
}}
"""


def _lost(facts: dict[str, Any]) -> str:
    return "did not begin" if facts["sent"] is None else f"{facts['sent'] - facts['received']} of {facts['sent']}"


def flood(kind: str) -> None:
    """In a process of its own: send, and print packets a second, answers, and the largest surplus over a request."""
    chance = random.Random(862)
    stamp = b"\0\0\0\0" + bytes(40)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((ALSO_NEAR, 0))
    packets = [stamp]
    if kind == "garbage":
        packets = [number.to_bytes(4, "big") + chance.randbytes(chance.randrange(40, 396)) for number in range(500)]
    elif kind == "short":
        packets = [chance.randbytes(chance.randrange(0, 44)) for _ in range(500)]
    elif kind == "spoofed":
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        packets = [_spoofed(chance, stamp) for _ in range(200_000)]
    lengths = [len(packet) for packet in packets]
    heard = [0, -9999]
    if kind != "spoofed":
        threading.Thread(target=_listen, args=(sock, lengths, heard), daemon=True).start()
    started_s, sent = time.monotonic(), 0
    while (gone_s := time.monotonic() - started_s) < SECONDS:
        due = int(gone_s * RATE)
        for number in range(sent, due):
            sock.sendto(packets[number % len(packets)], (FAR, _PORT))
        sent = due
        time.sleep(0.001)
    print(f"{sent / SECONDS:.0f} {heard[0]} {heard[1] if heard[0] else 'none'}")


def _listen(sock: socket.socket, lengths: list[int], heard: list[int]) -> None:
    """heard: how many answers, and the largest surplus over the request whose number one brings back (octets 24-27)."""
    while True:
        answer = sock.recv(4096)
        heard[0] += 1
        heard[1] = max(heard[1], len(answer) - lengths[int.from_bytes(answer[24:28], "big")])


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
