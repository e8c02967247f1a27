"""The server of `watch --listen`: who idles or trickles holds nothing for long, and a scraper is answered."""

import socket
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from gosip_check.health import metrics
from gosip_check.health.metrics import MetricsServer
from gosip_check.report.to_prometheus import registry


@pytest.fixture
def port() -> Iterator[int]:
    server = MetricsServer("127.0.0.1", 0, registry(lambda: None))
    server.start()
    yield int(server.server_address[1])
    server.close()


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 5)


def is_closed(sock: socket.socket, within_s: float) -> bool:
    sock.settimeout(within_s)
    try:
        return sock.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


def scraped(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return int(answer.status)


def test_it_is_scraped_again_and_again(port: int) -> None:
    assert [scraped(port) for _ in range(20)] == [200] * 20


@pytest.mark.waits
def test_who_comes_when_it_is_full_is_answered_and_the_oldest_makes_room(port: int) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(connected(port)) for _ in range(90)]
        assert [scraped(port) for _ in range(5)] == [200] * 5
        open_still = [sock for sock in idle if not is_closed(sock, 0.05)]
        assert len(open_still) <= metrics.AT_ONCE


@pytest.mark.waits
def test_who_idles_or_trickles_is_cut_off_and_makes_room(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "LONGEST_S", 0.4)
    with ExitStack() as stack:
        idle = [stack.enter_context(connected(port)) for _ in range(metrics.AT_ONCE)]
        trickling = idle[-1]
        for octet in b"GET /metrics HTTP/1.1":
            trickling.sendall(bytes([octet]))
            if is_closed(trickling, 0.1):
                break
        else:
            pytest.fail("one that trickles was never cut off")
        assert all(is_closed(sock, 5) for sock in idle[:-1])
        assert scraped(port) == 200
