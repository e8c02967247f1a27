"""Several SIP requests at once over UDP: what belongs to which, from where it may come, and when it is over."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context, Turns
from gosip_check.probes.sip.exchange import options
from gosip_check.probes.sip.transactions import Transaction, run
from gosip_check.records import Link
from gosip_check.servers.endpoint import Answers, Peer
from gosip_check.wire import sip
from tests.unit.far_ends import Handle, reply, sip_server, unused_port

pytestmark = pytest.mark.waits

CONTEXT = Context(Link("Internet-1"))
HERE = "127.0.0.1"


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with sockets.udp_socket(CONTEXT.link) as opened:
        yield opened


def transaction(
    sock: socket.socket, port: int, timeout_s: float = 5.0, context: Context = CONTEXT, **how: object
) -> Transaction:
    request = options(context, "trunk.example", "UDP", HERE, sockets.local_address(sock)[1])
    return Transaction(context, sock, Server("a", HERE, port), request, timeout_s, **how)  # type: ignore[arg-type]


def answering(request: sip.Request, peer: Peer) -> Answers:
    return reply(request, peer)


def silent(request: sip.Request, peer: Peer) -> Answers:
    del request, peer
    return None


def test_each_of_many_gets_its_own_answer_on_one_socket_and_on_several(sock: socket.socket) -> None:
    with sip_server(answering) as one, sip_server(lambda r, p: reply(r, p, 403, "No")) as other, ExitStack() as opened:
        own = [opened.enter_context(sockets.udp_socket(CONTEXT.link)) for _ in range(4)]
        asked = [transaction(sock, server.port) for server in (one, other, one, other)]
        asked += [transaction(each, server.port) for each, server in zip(own, (one, other) * 2, strict=True)]
        run(CONTEXT, asked)
    assert [each.final.status for each in asked if each.final] == [200, 403] * 4
    assert [each.answer.port for each in asked if each.answer] == [one.port, other.port] * 4
    assert [each.answered_at for each in asked] == [sock] * 4 + own
    assert all(each.sent == 1 and each.rtt_ms is not None and not each.foreign for each in asked)


def test_copies_go_out_at_the_pace_of_the_run_and_end_in_time(
    sock: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    times_s: list[float] = []
    send = sockets.send_to

    def timed(*arguments: Any, **options: Any) -> Any:
        times_s.append(time.monotonic())
        return send(*arguments, **options)

    monkeypatch.setattr(sockets, "send_to", timed)
    with sip_server(silent) as server:
        quick = transaction(sock, server.port, 1.8)
        run(CONTEXT, [quick])
        paced = Context(CONTEXT.link, turns=Turns(1.0))
        slow = transaction(sock, server.port, 1.8, paced)
        started_s = time.monotonic()
        run(paced, [slow])
        took_s = time.monotonic() - started_s
    assert (quick.sent, slow.sent, quick.final, quick.next_at) == (3, 2, None, None)  # 0, 0.5, 1.5 s; 0, 1 s
    assert times_s[1] - times_s[0] >= 0.5
    assert times_s[2] - times_s[0] >= 1.5
    assert times_s[4] - times_s[3] >= 1.0
    assert took_s >= 1.8


def test_a_request_that_may_go_once_goes_once_and_one_may_wait(sock: socket.socket) -> None:
    with sip_server(silent) as server:
        once, later = transaction(sock, server.port, 1.2, once=True), transaction(sock, server.port, 0.2, delay_s=0.3)
        started_s = time.monotonic()
        run(CONTEXT, [later])
        took_s = time.monotonic() - started_s
        run(CONTEXT, [once])
    assert (once.sent, later.sent) == (1, 1)
    assert took_s >= 0.5


@pytest.mark.parametrize("any_source", [False, True])
def test_an_answer_from_elsewhere_counts_only_where_it_may(sock: socket.socket, any_source: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind((HERE, 0))

        def handle(request: sip.Request, peer: Peer) -> Answers:
            stranger.sendto(reply(request, peer), peer)
            return None

        with sip_server(handle) as server:
            asked = transaction(sock, server.port, 0.3, any_source=any_source)
            run(CONTEXT, [asked])
        seen = asked.answer if any_source else asked.elsewhere
        assert seen is not None
        assert seen.port == stranger.getsockname()[1]
    assert (asked.final is not None, asked.elsewhere is None) == (any_source, any_source)


def test_an_answer_may_come_to_a_listener(sock: socket.socket) -> None:
    with sockets.udp_socket(CONTEXT.link) as listener:
        port = sockets.local_address(listener)[1]
        diverted: Handle = lambda request, peer: [_send_to(port, reply(request, peer)), b"\r\n"]  # noqa: E731
        with sip_server(diverted) as server:
            asked, missed = transaction(sock, server.port, any_source=True), transaction(sock, server.port, 0.3)
            run(CONTEXT, [asked], listener)
            run(CONTEXT, [missed])
        assert (asked.answered_at, missed.answered_at) == (listener, None)
    assert (asked.sent, missed.final) == (1, None)


def _send_to(port: int, data: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(data, (HERE, port))
    return b"\r\n"


@pytest.mark.parametrize(("icmp_ends", "copies"), [(1, 1), (2, 2), (None, 3)])
def test_icmp_errors_end_it_where_so_many_came(sock: socket.socket, icmp_ends: int | None, copies: int) -> None:
    asked = transaction(sock, unused_port(), 1.8, icmp_ends=icmp_ends)
    run(CONTEXT, [asked])
    assert (asked.sent, len(asked.errors), asked.final) == (copies, copies, None)
    assert {error.name for error in asked.errors} == {"port unreachable"}


def test_what_answers_nobody_is_kept_by_all_that_could_be_meant_and_not_without_end(sock: socket.socket) -> None:
    def handle(request: sip.Request, peer: Peer) -> Answers:
        strange = reply(request, peer).replace((request.vias[0].branch or "").encode(), b"z9hG4bKother")
        return [b"junk", *[strange] * 20]

    with sip_server(handle) as server:
        asked = [transaction(sock, server.port, 0.3) for _ in range(2)]
        run(CONTEXT, asked)
    for each in asked:
        assert (each.final, len(each.foreign)) == (None, 8)
        assert each.noise.startswith("answered 200 OK, but with another branch or method than we sent")
