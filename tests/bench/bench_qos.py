"""Does `--under-load` tell whether voice goes first? Uplinks with every rule of tests/lab/qos.py, several times (root).

    python -m tests.bench.bench_qos [--times N] [--upload] [--as-linux] [ROW]...

2 Mb/s, filled with packets that die behind the edge; with --upload 20 Mb/s, filled by an upload. --as-linux: the hop
quotes once a second, as Linux does by itself. Right, wrong and open per row.
"""

import argparse
import sys
import time

from ..lab.alone import TWO_HOPS
from ..lab.qos import UPLINKS, voice_first
from ..lab.site import AS_LINUX, GENEROUS, Lab, site

SERVER = """
import http.server
class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        while self.rfile.read(65536):
            pass
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("192.31.196.2", 8080), Sink).serve_forever()
"""
URL = "http://192.31.196.2:8080/"
_UP_WITHIN_S = 10


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--upload", action="store_true")
    parser.add_argument("--as-linux", action="store_true")
    parser.add_argument("rows", nargs="*")
    asked = parser.parse_args()
    print(f"{'uplink':36} right wrong  open")
    with site(TWO_HOPS, hops=AS_LINUX if asked.as_linux else GENEROUS) as lab:
        lab.enter("ready")
        server = lab.rooms.start("go", [sys.executable, "-c", SERVER], lab.rooms.folder / "sink")
        try:
            _wait(lab)
            for name in asked.rows or UPLINKS:
                _row(lab, name, asked.times, upload=asked.upload)
        finally:
            server.terminate()
            server.wait(10)


def _row(lab: Lab, name: str, times: int, *, upload: bool) -> None:
    right = wrong = undecided = 0
    more = ["--upload", URL] if upload else []
    for _ in range(times):
        verdict, facts = voice_first(lab, name, 20_000 if upload else 2_000, *more)
        wanted = UPLINKS[name].right
        sharing = facts.get("sharing")
        if sharing == wanted and (sharing != "priority" or facts["by"] == list(UPLINKS[name].by)):
            right += 1
        elif sharing is None:
            undecided += 1
        else:
            wrong += 1
        if sharing != wanted:
            print(f"    {verdict['reason']}", flush=True)
    print(f"{name:36} {right:5} {wrong:5} {undecided:5}", flush=True)


def _wait(lab: Lab) -> None:
    give_up_s = time.monotonic() + _UP_WITHIN_S
    while not lab.run("go", ["ss", "-Hltn", "sport = :8080"]).stdout.strip():
        if time.monotonic() > give_up_s:
            raise RuntimeError("the sink did not come up")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
