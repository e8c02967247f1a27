"""When a volley sends, how long it listens and what it brings, on a clock that a script moves."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace, TracebackType

import pytest

from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.net.sockets import Datagram
from gosip_check.probes.path import quotes
from gosip_check.probes.path.quotes import Reaction, Shot, sip_shot, volley
from gosip_check.probes.probe import Context
from gosip_check.records import Link
from gosip_check.wire import sip

QUOTE = IcmpError(4, 11, 0, "192.0.2.1", b"x")
REPLY = Datagram(b"SIP/2.0 200 OK\r\n\r\n", "198.51.100.1", 5060, 0.0)


class Socket:
    """Nothing but a number, which is its port as well."""

    def __init__(self, wire: "Wire") -> None:
        self.number, self.wire = len(wire.opened), wire
        wire.opened.append(self)

    def __enter__(self) -> "Socket":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.wire.closed.append(self)


@dataclass
class Wire:
    """`comes`: (socket's number, seconds after the last shot, what comes: nothing stands for an empty wake-up)."""

    comes: Sequence[tuple[int, float, IcmpError | Datagram | None]]
    now_s: float = 50.0
    opened: list[Socket] = field(default_factory=list)
    closed: list[Socket] = field(default_factory=list)
    sent: list[tuple[int, float, str, int, int]] = field(default_factory=list)
    last_s: float = 50.0
    waiting: tuple[int, IcmpError | Datagram | None] = (-1, None)
    read: list[tuple[int, IcmpError | Datagram | None]] = field(default_factory=list)

    def send_to(self, sock: Socket, data: bytes, address: str, port: int, *, ttl: int) -> None:
        assert data == f"from 192.168.1.10:{sock.number}".encode()
        self.sent.append((sock.number, round(self.now_s - 50.0, 6), address, port, ttl))

    def wait(self, context: Context, seconds: float) -> None:
        del context
        self.now_s += seconds
        self.last_s = self.now_s

    def wait_ready(self, context: Context, events: Collection[Socket], until_s: float) -> list[Socket]:
        del context
        for number, after_s, what in self.comes:
            at_s = self.last_s + after_s
            if (number, what) not in self.read and self.opened[number] in events and at_s <= until_s:
                self.now_s = max(self.now_s, at_s)
                self.waiting = (number, what)
                self.read.append(self.waiting)
                return [self.opened[number]]
        self.now_s = max(self.now_s, until_s)
        return []

    def read_datagrams(self, sock: Socket) -> list[Datagram]:
        return [what for number, what in [self.waiting] if number == sock.number and isinstance(what, Datagram)]

    def read_icmp_errors(self, sock: Socket) -> list[IcmpError]:
        return [what for number, what in [self.waiting] if number == sock.number and isinstance(what, IcmpError)]


def fly(monkeypatch: pytest.MonkeyPatch, wire: Wire, count: int, *wait_s: float) -> tuple[list[Reaction], float]:
    """The reactions, and how long after the last shot the volley ended."""
    fake = SimpleNamespace(
        source_address=lambda link, address: "192.168.1.10",
        family_of=lambda address: 2,
        udp_socket=lambda link, family: Socket(wire),
        local_address=lambda sock: ("0.0.0.0", sock.number),
        send_to=wire.send_to,
        wait_ready=wire.wait_ready,
        read_datagrams=wire.read_datagrams,
        read_icmp_errors=wire.read_icmp_errors,
    )
    monkeypatch.setattr(quotes, "sockets", fake)
    monkeypatch.setattr(quotes, "time", SimpleNamespace(monotonic=lambda: wire.now_s))
    monkeypatch.setattr(Context, "wait", lambda context, seconds: wire.wait(context, seconds))
    shots = [
        Shot(lambda host, port: f"from {host}:{port}".encode(), "198.51.100.1", 5060 + n, n + 1) for n in range(count)
    ]
    reactions = volley(Context(Link(name="l")), shots, *wait_s)
    assert [reaction.shot for reaction in reactions] == shots
    assert wire.closed[::-1] == wire.opened
    return reactions, wire.now_s - wire.last_s


def test_shots_leave_three_milliseconds_apart_and_silence_lasts_nine_tenths(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire([])
    reactions, ended_s = fly(monkeypatch, wire, 3)
    assert wire.sent == [(n, 0.003 * n, "198.51.100.1", 5060 + n, n + 1) for n in range(3)]
    assert ended_s == pytest.approx(0.9)
    assert {(reaction.icmp, reaction.reply) for reaction in reactions} == {(None, None)}
    assert [reaction.local for reaction in reactions] == [("192.168.1.10", n) for n in range(3)]


def test_it_listens_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fly(monkeypatch, Wire([]), 2, 0.25)[1] == pytest.approx(0.25)
    assert fly(monkeypatch, Wire([]), 0) == ([], 0)


def test_it_ends_when_every_shot_had_a_reaction(monkeypatch: pytest.MonkeyPatch) -> None:
    reactions, ended_s = fly(monkeypatch, Wire([(1, 0.01, QUOTE), (0, 0.02, REPLY)]), 2)
    assert [(reaction.icmp, reaction.reply) for reaction in reactions] == [(None, REPLY), (QUOTE, None)]
    assert ended_s == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("last_s", "ends_s"),
    [(0.01, 0.01 + 0.25), (0.2, 0.2 + 2 * 0.2), (0.5, 0.9)],
    ids=["at least a quarter of a second", "twice the round trip", "never beyond the end"],
)
def test_after_the_last_shot_came_back_the_others_have_little_time(
    monkeypatch: pytest.MonkeyPatch, last_s: float, ends_s: float
) -> None:
    comes = [(2, last_s, QUOTE), (0, ends_s - 0.001, QUOTE), (1, ends_s + 0.001, QUOTE)]
    reactions, ended_s = fly(monkeypatch, Wire(comes), 3)
    assert [reaction.icmp for reaction in reactions] == [QUOTE, None, QUOTE]
    assert ended_s == pytest.approx(ends_s)


def test_another_shot_that_comes_back_leaves_the_others_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    reactions, ended_s = fly(monkeypatch, Wire([(1, 0.01, QUOTE), (2, 0.85, QUOTE)]), 3)
    assert [reaction.icmp for reaction in reactions] == [None, QUOTE, QUOTE]
    assert ended_s == pytest.approx(0.9)


def test_a_wake_up_with_nothing_to_read_is_no_reaction(monkeypatch: pytest.MonkeyPatch) -> None:
    reactions, _ = fly(monkeypatch, Wire([(0, 0.01, None), (0, 0.02, REPLY)]), 1)
    assert [reaction.reply for reaction in reactions] == [REPLY]


def test_a_sip_shot_is_a_message_with_ids_of_its_own() -> None:
    shots = [sip_shot("198.51.100.1", 5060, "trunk.example", "OPTIONS", 3) for _ in range(2)]
    assert {(one.address, one.port, one.ttl) for one in shots} == {("198.51.100.1", 5060, 3)}
    first, second = (sip.parse(one.payload("192.168.1.10", 40000)) for one in shots)
    assert isinstance(first, sip.Request)
    assert (first.vias[0].host, first.vias[0].port) == ("192.168.1.10", 40000)
    assert str(first.vias[0].branch).startswith("z9hG4bK")
    assert first.vias[0].branch != second.vias[0].branch
    assert first.call_id != second.call_id
    assert first.from_.tag != second.from_.tag
    assert first.raw == shots[0].payload("192.168.1.10", 40000)  # the same every time it is sent
