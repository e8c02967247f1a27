"""Rows of datagrams that end with the first that is quoted, and how many a hop is asked for. Nothing is sent."""

from collections.abc import Collection, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.path import asking, quotes
from gosip_check.probes.path.asking import Desk, Fate, seek
from gosip_check.probes.path.quotes import Reaction, Shot, control, sweep
from gosip_check.probes.probe import Context
from gosip_check.records import Link

HERE, HOP = "198.51.100.1", "192.0.2.1"
QUOTE = IcmpError(4, 11, 0, HOP, b"x")
REFUSED = IcmpError(4, 3, 13, "192.168.1.1", b"x")


@dataclass
class Wire:
    """quoted: ports of which a quote comes back, `way_s` after they left; refused: those that the edge rejects."""

    quoted: range
    refused: range = range(0)
    way_s: float = 0.03
    now_s: float = 50.0
    sent: list[tuple[int, float]] = field(default_factory=list)
    coming: dict[int, tuple[float, IcmpError]] = field(default_factory=dict)

    def send_to(self, sock: Any, data: bytes, address: str, port: int, *, ttl: int) -> None:
        del data, address, ttl
        self.sent.append((port, self.now_s))
        if port in self.quoted or port in self.refused:
            self.coming[sock.number] = (self.now_s + self.way_s, QUOTE if port in self.quoted else REFUSED)

    def wait(self, context: Context, seconds: float) -> None:
        del context
        self.now_s += max(0.0, seconds)

    def arrivals(
        self, context: Context, socks: Collection[Any], until_s: float
    ) -> Iterator[tuple[Any, list[Any], Any]]:
        del context
        due = sorted((at_s, sock.number, sock) for sock in socks if (at_s := self.coming.get(sock.number, (1e9,))[0]))
        for at_s, number, sock in due:
            if at_s <= until_s:
                self.now_s = max(self.now_s, at_s)
                yield sock, [], [self.coming.pop(number)[1]]


@dataclass(eq=False)
class Socket(nullcontext[Any]):
    number: int

    def __enter__(self) -> Any:
        return self


def _sweep(
    monkeypatch: pytest.MonkeyPatch, wire: Wire, rows: list[range], step_s: float = 0.02
) -> list[list[Reaction]]:
    numbers = iter(range(1000))
    fake = SimpleNamespace(
        source_address=lambda link, address: "192.168.1.10",
        family_of=lambda address: 2,
        udp_socket=lambda link, family: Socket(next(numbers)),
        local_address=lambda sock: ("0.0.0.0", sock.number),
        send_to=wire.send_to,
        arrivals=wire.arrivals,
    )
    monkeypatch.setattr(quotes, "sockets", fake)
    monkeypatch.setattr(quotes, "time", SimpleNamespace(monotonic=lambda: wire.now_s))
    monkeypatch.setattr(Context, "wait", lambda context, seconds: wire.wait(context, seconds))
    monkeypatch.setattr(Context, "wait_until", lambda context, at_s: wire.wait(context, at_s - wire.now_s))
    return sweep(Context(Link(name="l")), [[control(HERE, 2, port) for port in row] for row in rows], 0.02)


def test_a_row_ends_with_the_first_that_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(range(3000, 4000))
    (row,) = _sweep(monkeypatch, wire, [range(2000, 4000, 100)])
    assert [reaction.shot.port for reaction in row][:11] == list(range(2000, 3001, 100))
    assert len(row) == 12, "one more had left before the quote was here"
    assert [reaction.died_on_the_way for reaction in row] == [False] * 10 + [True] * 2


def test_each_row_goes_on_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(range(3000, 4000), refused=range(2000, 2300))
    rows = _sweep(monkeypatch, wire, [range(2000, 2900, 100), range(3500, 3600)])
    assert [len(row) for row in rows] == [9, 2]
    assert [reaction.icmp for reaction in rows[0]] == [REFUSED] * 3 + [None] * 6
    assert wire.now_s - wire.sent[-1][1] >= 0.9, "what was sent last has its time"


def _asked(
    monkeypatch: pytest.MonkeyPatch, desk: Desk, context: Context, now_s: float = 100.0
) -> tuple[list[int], list[Fate]]:
    """The first port of each row that was sent, of six, and what came of it."""
    sent: list[list[Shot]] = []

    def swept(context: Context, rows: list[list[Shot]], step_s: float) -> list[list[Reaction]]:
        del context, step_s
        sent.extend(rows)
        return [[Reaction(row[0], b"x", ("", 0), QUOTE)] for row in rows]

    clock = SimpleNamespace(monotonic=lambda: now_s)
    monkeypatch.setattr(asking, "sweep", swept)
    monkeypatch.setattr(asking, "time", clock)
    rows = [[control(HERE, 2, port)] for port in range(1000, 1006)]
    came, _ = desk.seek(context, rows, (2, 3))
    return [row[0].port for row in sent], [trial.fate for row in came for trial in row]


def test_a_hop_is_asked_for_no_more_rows_than_it_has_errors_for(monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context(Link(name="l"))
    desk = context.shared(Desk)
    assert _asked(monkeypatch, desk, context) == ([], [])  # nothing was quoted by any hop so far
    desk.saw([Reaction(control(HERE, 2, 999), b"x", ("", 0), QUOTE)])
    ration = desk.plan.rations[2]
    ration.is_limited, ration.level, ration.at_s = True, 3.5, 100.0
    assert _asked(monkeypatch, desk, context) == ([1000, 1001], [Fate.PASSED] * 2)
    assert ration.level == pytest.approx(1.5)
    assert _asked(monkeypatch, desk, context) == ([], [])


def test_no_row_is_sent_when_the_time_is_over() -> None:
    context = Context(Link(name="l"))
    assert seek(context, [[control(HERE, 2, 1000)]], 0.0, ttls=(2,)) == []
