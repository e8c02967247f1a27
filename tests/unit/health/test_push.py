"""Metrics that are sent: the history as a queue, headers, and answers of every kind, beside a server of the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest

from gosip_check.health.history import History
from gosip_check.health.push import Receiver, headers_in, push
from gosip_check.records import Report
from gosip_check.run import report_id
from tests.saved import demo

pytestmark = pytest.mark.waits

BEGUN = datetime(2026, 11, 1, tzinfo=UTC)


class Endpoint(HTTPServer):
    """Answers with the statuses of its list, the last one again and again. got: (headers, body) of each request."""

    def __init__(self, *statuses: int, refuses: bytes = b"nothing") -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.statuses, self.refuses = list(statuses), refuses
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/api/v1/import/prometheus"


class _Answers(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        status = self.server.statuses[0] if len(self.server.statuses) == 1 else self.server.statuses.pop(0)
        self.send_response(400 if self.server.refuses in body else status)
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(*statuses: int, refuses: bytes = b"nothing") -> Iterator[Endpoint]:
    endpoint = Endpoint(*statuses, refuses=refuses)
    thread = threading.Thread(target=endpoint.serve_forever)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.shutdown()
        thread.join()
        endpoint.server_close()


def run_number(number: int) -> Report:
    started = BEGUN + timedelta(minutes=5 * number)
    report = msgspec.convert(demo(), Report)
    return msgspec.structs.replace(report, id=report_id(started), started=started, site=f"MT-{number:02d}")


def times_in(body: bytes) -> list[int]:
    """The times of the runs, in milliseconds."""
    lines = [line for line in body.decode().splitlines() if line.startswith("gosip_check_outcome")]
    return [int(line.rpartition(" ")[2]) for line in lines]


def time_of(number: int) -> int:
    return int(run_number(number).started.timestamp() * 1000)


def test_what_could_not_be_sent_goes_next_time_with_its_own_time(tmp_path: Path) -> None:
    with History(tmp_path / "h.sqlite") as history, serving(503, 503, 503, 204) as endpoint:
        receiver = Receiver(endpoint.url, {"Authorization": "Bearer x"})
        history.keep(run_number(0))  # before there was a receiver
        for number in (1, 2):
            report = run_number(number)
            history.keep(report)
            troubles = push(history, report, None, receiver)
            assert bool(troubles) is (number == 1), troubles
            if troubles:
                assert "answered 503" in troubles[0]
                assert "1 run(s) wait" in troubles[0]
        assert len(endpoint.got) == 4
        headers, body = endpoint.got[-1]
        assert times_in(body) == [time_of(1), time_of(2)]
        assert headers["Authorization"] == "Bearer x"
        assert b'site="MT-01"' in body
        assert push(history, report, None, receiver) == []
        assert len(endpoint.got) == 4  # nothing is sent twice


@pytest.mark.parametrize("status", [301, 401, 404, 500])
def test_no_answer_but_success_loses_a_run(tmp_path: Path, status: int) -> None:
    with History(tmp_path / "h.sqlite") as history, serving(status) as endpoint:
        report = run_number(1)
        history.keep(report)
        (sentence,) = push(history, report, None, Receiver(endpoint.url))
        assert f"answered {status}" in sentence
        endpoint.statuses = [204]
        assert push(history, report, None, Receiver(endpoint.url)) == []
        assert times_in(endpoint.got[-1][1]) == [time_of(1)]


def test_one_run_that_is_refused_holds_up_no_other(tmp_path: Path) -> None:
    with History(tmp_path / "h.sqlite") as history, serving(401, 204, refuses=b'site="MT-02"') as endpoint:
        receiver = Receiver(endpoint.url)
        for number in (1, 2, 3):
            report = run_number(number)
            history.keep(report)
            if number == 1:
                push(history, report, None, receiver)
        (sentence,) = push(history, report, None, receiver)
        assert "answered 400" in sentence
        assert "2026-11-01 00:10:00 UTC is not sent again" in sentence
        assert [times_in(body) for _, body in endpoint.got[-3:]] == [[time_of(1)], [time_of(2)], [time_of(3)]]


def test_nobody_listens(tmp_path: Path) -> None:
    with serving(204) as endpoint:
        url = endpoint.url
    (sentence,) = push(None, run_number(1), None, Receiver(url))
    assert "could not be reached" in sentence
    assert "is lost" in sentence


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("ftp://example.net", {}),
        ("example.net:8428", {}),
        ("https://", {}),
        ("https://user:secret@example.net", {}),
        ("http://example.net/write", {"Authorization": "Bearer x"}),
    ],
)
def test_what_no_receiver_can_be(url: str, headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"\.$") as caught:
        Receiver(url, headers)
    assert "secret" not in str(caught.value)


def test_headers() -> None:
    assert headers_in(b"Authorization: Bearer a:b\n\nX-Scope-OrgID: go \n") == {
        "Authorization": "Bearer a:b",
        "X-Scope-OrgID": "go",
    }
    for wrong in (b"Bearer", b"A b: c", b": x", b"A: \xff", "A: ä".encode(), b"A: x\x00y"):
        with pytest.raises(ValueError, match="line 1 is no header"):
            headers_in(wrong)
    assert "Bearer" not in repr(Receiver("https://example.net", {"Authorization": "Bearer x"}))
