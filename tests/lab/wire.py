"""A wire between two namespaces that delays, varies, drops and swaps packets, each way by itself, with a fixed seed.

Two TUN devices and this program between them; the kernel here has no netem. It keeps a record of every packet: what it
did with it and when, so that a tool's figures can be held against what really happened, not against what was asked for.

    with Wire(left, right, up=Line(delay_ms=20), down=Line(loss=0.01)) as wire: ...
    wire.records("up")

The left end is 10.77.0.1, the right end 10.77.0.2; `up` is left to right. Needs root.
"""

import contextlib
import ctypes
import fcntl
import heapq
import itertools
import json
import os
import random
import select
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, NamedTuple, Self

LEFT, RIGHT = "10.77.0.1", "10.77.0.2"
READY_WITHIN_S = 10.0
_RECORD = struct.Struct("=BHHIqq")
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_CLONE_NEWNET = 0x40000000
_SPIN_S = 0.00015
_MTU = 1500


@dataclass(frozen=True)
class Line:
    """What happens on one way. jitter_ms: uniform from 0 to this, on top of the delay; swaps: packets may overtake.

    pause_ms: so long nothing gets through, one to five seconds apart, as on a bad radio link; what comes meanwhile is
    dropped, or waits.
    """

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    swaps: bool = False
    pause_ms: float = 0.0
    waits: bool = False


class Record(NamedTuple):
    """One UDP packet: the port of the left end, its IP length, the STAMP sender's number, when it came and when it went
    on (monotonic ns); 0 for one that was dropped."""

    port: int
    octets: int
    number: int
    came_ns: int
    went_ns: int


class Wire:
    """The running program. `records` may be asked for once the block has ended."""

    def __init__(self, left: str, right: str, up: Line, down: Line, seed: int = 862) -> None:
        self._arguments = [left, right, json.dumps(asdict(up)), json.dumps(asdict(down)), str(seed)]
        self._folder = tempfile.TemporaryDirectory()
        self._file = Path(self._folder.name) / "records"
        self._records: list[tuple[int, Record]] = []

    def __enter__(self) -> Self:
        command = [sys.executable, __file__, *self._arguments, str(self._file)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], READY_WITHIN_S)[0] or not self._process.stdout.readline():
            self._process.kill()
            raise RuntimeError("the wire did not come up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)
        data = self._file.read_bytes()
        for way, port, octets, number, came_ns, went_ns in _RECORD.iter_unpack(data):
            self._records.append((way, Record(port, octets, number, came_ns, went_ns)))
        self._folder.cleanup()

    def records(self, way: Literal["up", "down"], octets: int, below: int) -> list[Record]:
        """The packets of one way that have this IP length and a number below `below`, as they came."""
        wanted = 0 if way == "up" else 1
        return [
            record for index, record in self._records if index == wanted and record[1] == octets and record[2] < below
        ]


class _Way:
    def __init__(self, index: int, line: Line, target: int, chance: random.Random) -> None:
        self.index, self.line, self.target, self.chance = index, line, target, chance
        self.last_ns = self.pause_ends_ns = 0
        self.pauses = random.Random(index)

    def leaves_ns(self, now_ns: int) -> int:
        """0: dropped."""
        line = self.line
        if self.chance.random() < line.loss:
            return 0
        at_ns = now_ns + int((line.delay_ms + self.chance.random() * line.jitter_ms) * 1e6)
        if line.pause_ms:
            while self.pause_ends_ns < now_ns:
                since_ns = self.pause_ends_ns or now_ns
                self.pause_ends_ns = since_ns + int((self.pauses.uniform(1, 5) + line.pause_ms / 1000) * 1e9)
            if now_ns > self.pause_ends_ns - line.pause_ms * 1e6:
                if not line.waits:
                    return 0
                at_ns = max(at_ns, self.pause_ends_ns)
        if not line.swaps:
            at_ns = self.last_ns = max(at_ns, self.last_ns)
        return at_ns


def _main(left: str, right: str, up: str, down: str, seed: str, file: str) -> None:
    ends = [_tun(left, LEFT, RIGHT), _tun(right, RIGHT, LEFT)]
    chance = random.Random(int(seed))
    ways = {
        ends[0]: _Way(0, Line(**json.loads(up)), ends[1], chance),
        ends[1]: _Way(1, Line(**json.loads(down)), ends[0], random.Random(int(seed) + 1)),
    }
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    os.setpriority(os.PRIO_PROCESS, 0, -15)
    with Path(file).open("wb", buffering=1 << 20) as records:
        print("ready", flush=True)
        _carry(ways, stop, records)


def _carry(ways: dict[int, _Way], stop: threading.Event, records: BinaryIO) -> None:
    waiting: list[tuple[int, int, _Way, bytes, int]] = []
    tickets = itertools.count()
    while not stop.is_set():
        wait_s = 0.1
        if waiting:
            wait_s = max(0.0, (waiting[0][0] - time.monotonic_ns()) / 1e9 - _SPIN_S)
        for end in select.select(list(ways), [], [], wait_s)[0]:
            with contextlib.suppress(BlockingIOError):
                while True:
                    packet = os.read(end, _MTU)
                    now_ns = time.monotonic_ns()
                    way = ways[end]
                    at_ns = way.leaves_ns(now_ns)
                    if at_ns:
                        heapq.heappush(waiting, (at_ns, next(tickets), way, packet, now_ns))
                    else:
                        _keep(records, way.index, packet, now_ns, 0)
        while waiting and waiting[0][0] <= time.monotonic_ns() + int(_SPIN_S * 1e9):
            at_ns, _, way, packet, came_ns = heapq.heappop(waiting)
            while time.monotonic_ns() < at_ns:
                pass
            with contextlib.suppress(OSError):
                os.write(way.target, packet)
            _keep(records, way.index, packet, came_ns, time.monotonic_ns())


def _keep(records: BinaryIO, index: int, packet: bytes, came_ns: int, went_ns: int) -> None:
    if packet[0] == 0x45 and packet[9] == 17 and len(packet) >= 56:
        port = int.from_bytes(packet[20:22] if index == 0 else packet[22:24], "big")
        number = int.from_bytes(packet[28:32] if index == 0 else packet[52:56], "big")
        records.write(_RECORD.pack(index, port, len(packet), number, came_ns, went_ns))


def _tun(namespace: str, address: str, peer: str) -> int:
    """A TUN device `wire` in the namespace; its descriptor stays usable from here."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.setns(there, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter namespace {namespace}")
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", b"wire", _IFF_TUN | _IFF_NO_PI))
    finally:
        libc.setns(home, _CLONE_NEWNET)
        os.close(there)
        os.close(home)
    for command in (
        f"addr add {address} peer {peer} dev wire",
        "link set wire up txqueuelen 5000",
        "link set lo up",
    ):
        subprocess.run(["ip", "-n", namespace, *command.split()], check=True)
    return descriptor


if __name__ == "__main__":
    _main(*sys.argv[1:])
