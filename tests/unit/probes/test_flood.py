"""A peer that sends without pause keeps nobody beyond his time, and fills no memory: a real flood on loopback."""

import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import pytest

from gosip_check.probes.alg import mirror, via_pair
from gosip_check.probes.dns.query import Resolver, StubOptions
from gosip_check.probes.dns.query import ask as ask_resolver
from gosip_check.probes.dns.servers import Server
from gosip_check.probes.far_end import Reflector
from gosip_check.probes.far_link import stun
from gosip_check.probes.firewall import port_range
from gosip_check.probes.host import ntp
from gosip_check.probes.nat import binding_lifetime
from gosip_check.probes.net import sockets
from gosip_check.probes.path import mtu, quotes
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.probes.sip import exchange, large, mapping
from gosip_check.records import FailureKind, Link

pytestmark = pytest.mark.waits

CONTEXT = Context(Link("Internet-1"))
HERE = "127.0.0.1"
LATE_S = 1.5
"By how much the end may be late on a busy machine."


FLOOD = """
import ast, socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", 0))
print(sock.getsockname()[1], flush=True)
datagrams, peers = ast.literal_eval(sys.argv[1]), set()
while True:
    try:
        peers.add(sock.recvfrom(65535)[1])
    except OSError:  # nobody new, or somebody has gone
        pass
    sock.setblocking(False)
    for peer in peers:
        for datagram in datagrams * 50:
            try:
                sock.sendto(datagram, peer)
            except OSError:
                pass
"""


@contextmanager
def flood(datagrams: Sequence[bytes]) -> Iterator[int]:
    """A port on loopback: whoever sends one datagram to it is sent these, again and again, until the end.

    A process of its own: a thread would stop wherever the one that is flooded reads.
    """
    command = [sys.executable, "-c", FLOOD, repr(datagrams)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flooding:
        try:
            assert flooding.stdout is not None
            yield int(flooding.stdout.readline())
        finally:
            flooding.kill()


def listening_to(port: int) -> socket.socket:
    sock = sockets.udp_socket(Link("Internet-1", source=HERE))
    sockets.send_to(sock, b"start", HERE, port)
    return sock


def test_arrivals_keep_their_time_and_read_in_portions() -> None:
    context = Context(CONTEXT.link, threading.Event())
    portions: list[int] = []
    ended_s: list[float] = []

    def read_slowly(sock: socket.socket, until_s: float) -> None:
        """So slowly that there is always something to read."""
        for _, datagrams, _ in sockets.arrivals(context, [sock], until_s):
            portions.append(len(datagrams))
            time.sleep(0.005)
        ended_s.append(time.monotonic())

    with flood([b"x" * 100]) as port, listening_to(port) as sock:
        until_s = time.monotonic() + 0.5
        reading = threading.Thread(target=read_slowly, args=(sock, until_s), daemon=True)
        reading.start()
        reading.join(0.5 + LATE_S)
        context.stop.set()
        reading.join()
    assert 0 <= ended_s[0] - until_s < LATE_S
    assert portions.count(sockets._MOST_AT_ONCE) > 10  # it was a flood
    assert max(portions) == sockets._MOST_AT_ONCE


def test_what_is_not_kept_fills_no_memory() -> None:
    with flood([b"x" * 60000]) as port, listening_to(port) as sock:
        tracemalloc.start()
        octets = sum(
            len(datagram.data)
            for _, datagrams, _ in sockets.arrivals(CONTEXT, [sock], time.monotonic() + 1)
            for datagram in datagrams
        )
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert octets > 4 * peak
    assert peak < 3 * sockets._MOST_AT_ONCE * 65535


def test_a_flood_does_not_keep_a_stopped_run() -> None:
    stop = threading.Event()
    with flood([b"x"]) as port, listening_to(port) as sock:
        arriving = sockets.arrivals(Context(CONTEXT.link, stop), [sock], time.monotonic() + 60)
        next(arriving)
        stop.set()
        with pytest.raises(ProbeFailed) as caught:
            next(arriving)
    assert caught.value.failure.kind is FailureKind.INTERRUPTED


def test_arrivals_end_when_no_socket_is_left_and_look_once_when_late() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer, sockets.udp_socket(CONTEXT.link) as sock:
        peer.sendto(b"there", (HERE, sockets.local_address(sock)[1]))
        late = [datagrams[0].data for _, datagrams, _ in sockets.arrivals(CONTEXT, [sock], time.monotonic() - 1)]
        assert late == [b"there"]
        assert list(sockets.arrivals(CONTEXT, [sock], time.monotonic() - 1)) == []
        peer.sendto(b"last", (HERE, sockets.local_address(sock)[1]))
        waiting, started_s = {sock: None}, time.monotonic()
        for ready, _, _ in sockets.arrivals(CONTEXT, waiting, started_s + 10):
            del waiting[ready]
        assert time.monotonic() - started_s < LATE_S


def test_a_connection_that_never_stops_keeps_its_time() -> None:
    stop = threading.Event()

    def pour(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while not stop.is_set():
                connection.send(b"x" * 65536)

    with socket.socket() as listener:
        listener.bind((HERE, 0))
        listener.listen()
        with sockets.tcp_connect(CONTEXT, *sockets.local_address(listener), 5) as sock:
            pouring = threading.Thread(target=pour, args=(listener.accept()[0],))
            pouring.start()
            until_s = time.monotonic() + 0.3
            octets = 0
            while chunk := sockets.receive(CONTEXT, sock, until_s):
                octets += len(chunk)
            late_s = time.monotonic() - until_s
            stop.set()
        pouring.join()
    assert (chunk, octets > 65536) == (None, True)
    assert 0 <= late_s < LATE_S


NOT_AN_ANSWER = [b"not what was asked for", b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\n\r\n"]
DOMAIN = "trunk.example"
NOT_LONG_S = 4.0
"Each of them takes 1.3 s at most where nothing comes, with the shorter times below."

SHORTER = {
    "sip.exchange.UDP_TIMEOUT_S": 0.6,
    "sip.large._TIMEOUT_S": 0.6,
    "sip.large._PAUSE_S": 0.1,
    "alg.via_pair._TIMEOUT_S": 0.6,
    "alg.via_pair._PAUSE_S": 0.1,
    "alg.mirror._SEND_AT_S": (0.0, 0.2, 0.4),
    "alg.mirror._GIVE_UP_AFTER_S": 0.6,
    "sip.mapping._TIMEOUT_S": 0.6,
    "far_link.stun._PAUSES_S": (0.2, 0.4),
    "nat.binding_lifetime._PROMPT_WITHIN_S": 0.6,
    "path.mtu._HOP_TIMEOUT_S": 0.2,
    "path.quotes._WAIT_S": 0.6,
    "firewall.port_range._ANSWERS_WITHIN_S": 0.2,
    "host.ntp._SENDS_AT_S": (0.0, 0.2, 0.4),
    "host.ntp._TIMEOUT_S": 0.6,
}

ONCE = StubOptions(timeout_s=0.6, attempts=1)

Ask = Callable[[Context, int], object]


def _server(port: int) -> Server:
    return Server("a", HERE, port)


def _large(context: Context, port: int) -> object:
    options = large.Options(domain=DOMAIN, transport="udp", networks=[])
    return large._ask_sizes(options, context, _server(port), [500, 1200])


def _stun(context: Context, port: int) -> object:
    with sockets.udp_socket(context.link) as sock:
        return stun.ask(context, sock, [f"{HERE}:{port}"])


def _mapping(context: Context, port: int) -> object:
    with sockets.udp_socket(context.link) as sock:
        return mapping.ask(context, sock, DOMAIN, [_server(port)])


def _time_server(context: Context, port: int) -> object:
    options = ntp.Options(ntp_servers=[HERE], ntp_port=port, system_resolvers=False)
    return ntp.measure(options, context)


QUESTIONS: dict[str, Ask] = {
    "options": lambda context, port: exchange.ask_over_udp(context, DOMAIN, _server(port)),
    "large": _large,
    "via pair": lambda context, port: via_pair.over_udp(context, DOMAIN, [_server(port)], ["literal", "name"]),
    "mapping": _mapping,
    "stun": _stun,
    "mirror": lambda context, port: mirror.ask_mirror(context, HERE, DOMAIN, [port]),
    "volley": lambda context, port: quotes.volley(context, [quotes.Shot(lambda *_: b"x", HERE, port, 9)]),
    "who says smaller": lambda context, port: mtu._who_says_smaller(context, _server(port), 500),
    "hops that answer": lambda context, port: mtu._hops_that_answer(context, _server(port), 500),
    "binding": lambda context, port: binding_lifetime.wait_for_answers(context, Reflector(HERE, port), (0.1,)),
    "every port": lambda context, port: port_range.reach(context, Reflector(HERE, 9), [port, port + 1]),
    "resolver": lambda context, port: ask_resolver(context, Resolver(HERE, port), DOMAIN, "A", ONCE),
    "time server": _time_server,
}


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_no_question_is_kept_by_a_flood(monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
    for name, value in SHORTER.items():
        monkeypatch.setattr(f"gosip_check.probes.{name}", value)
    context = Context(CONTEXT.link, threading.Event())
    with flood(NOT_AN_ANSWER) as port:
        asking = threading.Thread(target=ask, args=(context, port), daemon=True)
        asking.start()
        asking.join(NOT_LONG_S)
        was_kept = asking.is_alive()
        context.stop.set()
        asking.join()
    assert not was_kept
