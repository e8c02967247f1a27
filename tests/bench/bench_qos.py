"""Does `--under-load` tell whether voice goes first? Uplinks with every rule of tests/lab/qos.py, several times (root).

    python -m tests.bench.bench_qos [--times N] [--jobs N] [--upload | --second-line] [--as-linux] [ROW]...

2 Mb/s, filled with packets that die behind the edge; with --upload or --second-line 20 Mb/s, filled by uploads or by
packets to a phone. --as-linux: the hop quotes once a second, as Linux does by itself. Right, wrong and open per row. A
run that the tool itself calls too busy is made again and counted apart, as late. Each row has a site of its own; sites
mostly wait, so there may be several.
"""

import itertools
import sys
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from ..lab.alone import TWO_HOPS
from ..lab.phone import phone
from ..lab.qos import TO_PHONE, UPLINKS, is_late, voice_first
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
http.server.ThreadingHTTPServer.request_queue_size = 64
http.server.ThreadingHTTPServer(("192.31.196.2", 8080), Sink).serve_forever()
"""
URL = "http://192.31.196.2:8080/"
_UP_WITHIN_S = 10
_MOST_LATE = 4


def main() -> None:
    """Print the table."""
    asked = _arguments()
    print(f"{'uplink':36} right wrong  open  late", flush=True)
    with ThreadPoolExecutor(asked.jobs) as pool:
        for line in pool.map(lambda name: _row(name, asked), asked.rows or UPLINKS):
            print(line, flush=True)


def _arguments() -> Namespace:
    parser = ArgumentParser()
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1)
    fills = parser.add_mutually_exclusive_group()
    fills.add_argument("--upload", dest="fill", action="store_const", const="upload")
    fills.add_argument("--second-line", dest="fill", action="store_const", const="second line")
    parser.add_argument("--as-linux", action="store_true")
    parser.add_argument("rows", nargs="*")
    return parser.parse_args()


def _row(name: str, asked: Namespace) -> str:
    counts: Counter[str] = Counter()
    with site(TWO_HOPS, hops=AS_LINUX if asked.as_linux else GENEROUS) as lab, _FILLS[asked.fill](lab) as more:
        lab.enter("ready")
        for _ in range(asked.times):
            counts += _tried(lab, name, 20_000 if asked.fill else 2_000, more)
    return f"{name:36} {counts['right']:5} {counts['wrong']:5} {counts['open']:5} {counts['late']:5}"


def _tried(lab: Lab, name: str, kbps: int, more: Sequence[str]) -> Counter[str]:
    for late in itertools.count():
        verdict, facts = voice_first(lab, name, kbps, *more)
        if late == _MOST_LATE or not is_late(verdict):
            break
    what = _judged(name, facts)
    if what != "right":
        print(f"    {name}: {what}: {verdict['reason']}", flush=True)
    return Counter({what: 1, "late": late})


def _judged(name: str, facts: dict[str, Any]) -> str:
    """Open is also what gives priority, where not all of it was seen."""
    row, sharing, by = UPLINKS[name], facts.get("sharing"), facts.get("by", [])
    if (sharing, by) == (row.right, list(row.by)):
        return "right"
    return "open" if sharing is None or (sharing == row.right and set(by) < set(row.by)) else "wrong"


@contextmanager
def _sink(lab: Lab) -> Iterator[Sequence[str]]:
    server = lab.rooms.start("go", [sys.executable, "-c", SERVER], lab.rooms.folder / "sink")
    try:
        give_up_s = time.monotonic() + _UP_WITHIN_S
        while not lab.run("go", ["ss", "-Hltn", "sport = :8080"]).stdout.strip():
            if time.monotonic() > give_up_s:
                raise RuntimeError("the sink did not come up")
            time.sleep(0.05)
        yield "--upload", URL
    finally:
        server.terminate()
        server.wait(10)


@contextmanager
def _phone(lab: Lab) -> Iterator[Sequence[str]]:
    with phone(lab):
        yield TO_PHONE


_FILLS: Mapping[str | None, Callable[[Lab], AbstractContextManager[Sequence[str]]]] = {
    None: lambda _: nullcontext(()),
    "upload": _sink,
    "second line": _phone,
}


if __name__ == "__main__":
    main()
