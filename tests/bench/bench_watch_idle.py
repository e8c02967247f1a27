"""`watch --listen` with 100 descriptors while 90 clients connect and say nothing: its verdicts beside those of none.

    python -m tests.bench.bench_watch_idle [ROUNDS]

Wanted: the same outcome in every round, no sentence of a change, and a scraper that is answered.
"""

import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path

PORT, DESCRIPTORS, CLIENTS = 19_798, 100, 90


def main(rounds: int) -> None:
    """Print a line without and one with the clients."""
    for clients in (0, CLIENTS):
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            command = [
                sys.executable,
                "-m",
                "gosip_check",
                "watch",
                "--demo",
                "ready",
                "--every",
                "3s",
                "--jitter",
                "1s",
            ]
            command += ["--skip", "host.*", "--listen", str(PORT), "--history", str(Path(folder) / "history.sqlite")]
            process = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=_few_descriptors)
            )
            socks = [_connected(stack) for _ in range(clients)]
            until_s = time.monotonic() + 4.5 * rounds
            scraped = tried = 0
            while time.monotonic() < until_s:
                for number, sock in enumerate(socks):  # who was closed comes again
                    with suppress(BlockingIOError, ConnectionResetError):
                        if sock.recv(1) == b"":
                            sock.close()
                            socks[number] = _connected(stack)
                tried += 1
                with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=2) as answer:
                    scraped += answer.status == 200
                time.sleep(0.5)
            process.terminate()
            printed = process.communicate(timeout=20)[0]
        outcomes = re.findall(r" (ready|not-ready|inconclusive)\.$", printed, re.MULTILINE)
        changes = printed.count(" changed from ")
        print(f"{clients:3} clients: {outcomes}, {changes} changes, {scraped} of {tried} scrapes answered")


def _few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


def _connected(stack: ExitStack) -> socket.socket:
    give_up_s = time.monotonic() + 10
    while True:
        try:
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", PORT), 2))
            sock.setblocking(False)
            return sock
        except OSError:
            if time.monotonic() > give_up_s:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
