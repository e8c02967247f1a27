"""Downloads and uploads against Python's own HTTP server: paced, counted by what went through, and never a failure."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gosip_check.probes.media import alone, transfer
from gosip_check.probes.media.facts import Facts
from gosip_check.probes.media.options import Options
from gosip_check.probes.media.transfer import Transfer, place_of
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import Link

LINK = Link(name="Internet-1", source="127.0.0.1", interface="lo")
NEED_KBPS = 2000.0
SECONDS = 2.0
"And a second more, so that a busy machine can make up for a pause."


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    slow_kbps = 500.0

    def do_GET(self) -> None:
        sizes = {"/file": 100_000, "/empty": 0, "/slow": 10_000_000}
        if self.path not in sizes:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(sizes[self.path]))
        self.end_headers()
        if self.path == "/file":
            self.wfile.write(bytes(100_000))
        with contextlib.suppress(OSError):
            while self.path == "/slow":
                self.wfile.write(bytes(2500))
                time.sleep(2500 * 8 / 1000 / self.slow_kbps)

    def do_POST(self) -> None:
        if self.path == "/breaks":
            self.connection.close()
            return
        while size := int(self.rfile.readline(), 16):
            self.rfile.read(size)
            self.rfile.readline()
            if self.path == "/reads-slowly":
                time.sleep(size * 8 / 1000 / self.slow_kbps)
        self.rfile.readline()
        self.send_error(405)  # what it says in the end changes nothing

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Whoever hangs up has what it wanted."""

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        super().server_bind()


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(transfer, "START_S", 0.5)
    server = _Server(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.socket.close()


def _transfer(way: transfer.Way, url: str) -> Transfer:
    return transfer.transfer(Context(LINK), way, url, NEED_KBPS, SECONDS)


@pytest.mark.waits
def test_a_download_is_read_at_the_rate_and_not_as_fast_as_it_goes(url: str) -> None:
    seen = _transfer("down", f"{url}/file")  # it ends after 0.4 s, and is asked for again
    assert seen.carries(NEED_KBPS, SECONDS), seen
    assert seen.kbps < 2 * NEED_KBPS, "loopback would give thousands of times as much"
    assert seen.trouble == ""


@pytest.mark.waits
def test_an_upload_counts_by_what_was_acknowledged(url: str) -> None:
    seen = _transfer("up", f"{url}/file")
    assert seen.carries(NEED_KBPS, SECONDS), seen
    assert seen.kbps < 2 * NEED_KBPS


@pytest.mark.waits
def test_an_upload_that_is_over_sends_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What still waits would go on filling the line."""
    monkeypatch.setattr(transfer, "START_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        transfer.transfer(Context(LINK), "up", f"http://127.0.0.1:{server.getsockname()[1]}/", NEED_KBPS, 0.2)
        taken, _ = server.accept()
        with taken, pytest.raises(ConnectionResetError):
            list(iter(lambda: taken.recv(65_536), b""))


@pytest.mark.waits
@pytest.mark.parametrize(("way", "path"), [("down", "/slow"), ("up", "/reads-slowly")])
def test_a_slow_server_proves_nothing(url: str, way: transfer.Way, path: str) -> None:
    seen = _transfer(way, f"{url}{path}")
    assert not seen.carries(NEED_KBPS, SECONDS), seen


@pytest.mark.waits
@pytest.mark.parametrize(
    ("way", "path", "why"),
    [
        ("down", "/missing", "answers 404"),
        ("down", "/empty", "the file is empty"),
        ("up", "/breaks", "could not be used"),
    ],
)
def test_what_cannot_be_used_says_so(url: str, way: transfer.Way, path: str, why: str) -> None:
    seen = _transfer(way, f"{url}{path}")
    assert why in seen.trouble
    assert not seen.carries(NEED_KBPS, SECONDS)


@pytest.mark.waits
def test_nobody_there_and_no_certificate_are_troubles(url: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        seen = _transfer("down", f"http://127.0.0.1:{nobody.getsockname()[1]}/file")
    assert "answered with a reset" in seen.trouble
    assert _transfer("down", url.replace("http:", "https:")).trouble
    assert "only this machine" in _transfer("down", "http://192.0.2.1/file").trouble


@pytest.mark.waits
def test_a_stopped_run_ends_it(url: str) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(ProbeFailed, match="stopped"):
        transfer.transfer(Context(LINK, stop), "down", f"{url}/file", NEED_KBPS, SECONDS)


@pytest.mark.parametrize("url", ["", "x", "ftp://a/", "http://", "https://me:pw@a/", "http://a b/", "http://a/\n"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        place_of(url)


def test_a_url_is_taken_apart() -> None:
    place = place_of("https://speed.example/100MB?x=1")
    assert (place.scheme, place.host, place.port, place.path) == ("https", "speed.example", 443, "/100MB?x=1")
    assert place_of("http://[2001:db8::1]:8080").host == "2001:db8::1"


OPEN = Facts(channels=40, evidence={"delivered_pct": "Echoes carried 2880 kb/s."}, between={"delivered_pct": (72, 100)})


@pytest.mark.parametrize(
    ("down", "up", "delivered", "says"),
    [
        (4100, 4100, 100.0, "carries the calls both ways"),
        (4100, 3000, None, "carries the calls down; up is not known"),
        (4100, None, None, "--upload URL would decide it"),
        (None, 4100, None, "--download URL would decide it"),
        (3000, 3000, None, "may be the server's doing"),
    ],
)
def test_it_passes_a_direction_and_never_fails_one(
    monkeypatch: pytest.MonkeyPatch, down: float | None, up: float | None, delivered: float | None, says: str
) -> None:
    rates = {"down": down, "up": up}
    monkeypatch.setattr(
        alone, "transfer", lambda _, way, url, need, seconds, edge: Transfer(way, url, rates[way] or 0.0, seconds)
    )
    options = Options(
        domain="trunk.example",
        transport="udp",
        channels=40,
        download="http://a/" if down else None,
        upload="http://a/" if up else None,
    )
    facts = alone.with_transfers(OPEN, options, Context(LINK))
    assert facts.delivered_pct == delivered
    assert facts.between.get("delivered_pct") == (None if delivered else (72, 100))
    assert says in facts.evidence["delivered_pct"]


@pytest.mark.parametrize("between", [(99.5, 100.0), (80.0, 90.0)])
def test_what_echoes_have_decided_is_not_asked_again(between: tuple[float, float]) -> None:
    decided = Facts(channels=40, evidence={}, between={"delivered_pct": between})
    options = Options(domain="trunk.example", transport="udp", download="http://a/", upload="http://a/")
    assert alone.with_transfers(decided, options, Context(LINK)) is decided
