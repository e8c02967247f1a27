"""Ctrl-C, a closed terminal and kill -9 at random moments of a rehearsal: does anything listen, is the list lost?

    unshare -n sh -c 'ip link set lo up; python -m tests.bench.bench_rehearsal_kill [TIMES]'

A scripted PBX on loopback registers again and again. The signal comes at a random moment between the first line and
some seconds later: while the slip is printed, in each phase, while it is judged, while it is watched. Then every port
must be free, and what to put back must have been printed, or be printed by the next start. Prints a table.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import cast

from gosip_check.servers.rehearsal.rehearsal import Rehearsal
from tests.rehearsed import DOMAIN, password_on, places, read_until, rehearsing
from tests.saved import TOOL
from tests.unit.servers.rehearsal import test_rehearsal as scripted

LAPTOP, PBX = "127.0.0.63", "127.0.0.62"
SIGNALS = (signal.SIGINT, signal.SIGHUP, signal.SIGKILL)
LIST, SLIP = "PUT BACK", "THE SLIP"
LONGEST_S = 8.0


def main(times: int) -> None:
    scripted.DOMAIN = DOMAIN
    draw = random.Random(16)
    print(f"{'signal':8} {'times':>5} {'listens':>8} {'printed':>8} {'by the next start':>18} {'lost':>5}")
    for number in SIGNALS:
        listens = printed = later = lost = 0
        for _ in range(times):
            with tempfile.TemporaryDirectory() as state:
                os.environ["XDG_STATE_HOME"] = state
                said = _killed(number, draw.uniform(0, LONGEST_S))
                listens += not all(map(_is_free, _places()))
                if LIST in said:
                    printed += 1
                elif LIST in _next_start():
                    later += 1
                else:
                    lost += SLIP in said  # before the slip nothing was touched
        print(f"{number.name:8} {times:5} {listens:8} {printed:8} {later:18} {lost:5}", flush=True)


def _killed(number: int, after_s: float) -> str:
    """What it said until it ended. A second Ctrl-C leaves the watching, as an installer would."""
    with rehearsing(LAPTOP, PBX) as program:
        said = read_until(program, "made up")
        ended = threading.Event()
        rest: list[str] = []
        reading = threading.Thread(target=lambda: rest.append(program.stderr.read() if program.stderr else ""))
        reading.start()
        calling = threading.Thread(target=_pbx, args=(ended, password_on(said)))
        calling.start()
        time.sleep(after_s)
        program.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(20)
        ended.set()
        assert program.poll() is not None, "it did not end"
        calling.join()
        reading.join()
    return said + "".join(rest)


def _pbx(ended: threading.Event, password: str) -> None:
    """Registers again and again."""
    cseq = 0
    while not ended.is_set():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError, ValueError):
            sock.bind((PBX, 0))
            sock.settimeout(0.2)
            pbx = scripted.Pbx(cast(Rehearsal, places(LAPTOP)), sock, password)
            pbx.cseq = cseq = cseq + 10  # else it were a retransmission
            pbx.look_up(DOMAIN, "A")
            pbx.register()
        ended.wait(0.1)


def _places() -> list[tuple[str, int]]:
    return [places(LAPTOP).dns_place, *places(LAPTOP).sites]


def _is_free(place: tuple[str, int]) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(place)
        except OSError:
            return False
    return True


def _next_start() -> str:
    command = [*TOOL, "pbx", "rehearse", "--user", "356", "--pbx", "8.8.8.8", "--address", LAPTOP]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stderr


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
