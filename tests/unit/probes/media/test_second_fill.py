"""The load to a second line: grows until the line is full, and ends where nothing arrives."""

from dataclasses import dataclass, field

import pytest

from gosip_check.probes.media.second_fill import FillDone, FillPlan, _Fill
from gosip_check.probes.net.icmp import IcmpError
from gosip_check.records import Link

LINK = Link("Internet-1")
FILL = "gosip_check.probes.media.second_fill"
HOP = "192.0.2.1"
PLAN = FillPlan(LINK, 0, LINK, 0, seconds=6, octets=1400, most_kbps=50_000, dying_pps=20, ttl=2, hop=HOP)
WAY_S = 0.02


@dataclass
class Line:
    """A line of so many kb/s and its clock; both sockets, and nothing that waits. kept: arrival -> packet."""

    kbps: float
    is_open: bool = True
    refuses_dying: bool = False
    now_s: float = 1000.0
    ttl: int = 64
    free_s: float = 0.0
    under_way: list[tuple[float, bytes]] = field(default_factory=list)
    quoted: list[IcmpError] = field(default_factory=list)

    def send(self, data: bytes) -> None:
        if self.refuses_dying and self.ttl == PLAN.ttl:
            raise BlockingIOError
        self.free_s = max(self.free_s, self.now_s) + (len(data) + 28) * 8 / 1000 / self.kbps
        arrives_s = self.free_s + WAY_S
        if self.ttl == PLAN.ttl:
            self.quoted.append(_quote(data, arrives_s))
        elif self.is_open and self.free_s - self.now_s < 0.2:
            self.under_way.append((arrives_s, data))
        else:
            self.free_s -= (len(data) + 28) * 8 / 1000 / self.kbps

    def receive(self, _: object) -> tuple[bytes, int, int] | None:
        if not self.under_way or self.under_way[0][0] > self.now_s:
            return None
        arrived_s, data = self.under_way.pop(0)
        return data, int(arrived_s * 1e9), 0

    def read_quotes(self, _: object) -> list[IcmpError]:
        quoted, self.quoted = self.quoted, []
        return quoted

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def limit_ttl(self, _: object, ttl: int) -> None:
        self.ttl = ttl


def _filled(monkeypatch: pytest.MonkeyPatch, line: Line) -> FillDone:
    monkeypatch.setattr(f"{FILL}.time.monotonic", lambda: line.now_s)
    monkeypatch.setattr(f"{FILL}.time.time_ns", lambda: int(line.now_s * 1e9))
    monkeypatch.setattr(f"{FILL}.time.sleep", line.sleep)
    monkeypatch.setattr(f"{FILL}.flow.receive", line.receive)
    monkeypatch.setattr(f"{FILL}.sockets.read_icmp_errors", line.read_quotes)
    monkeypatch.setattr(f"{FILL}.sockets.limit_ttl", line.limit_ttl)
    return _Fill(PLAN, line, line).run()  # type: ignore[arg-type]


def _quote(data: bytes, arrived_s: float) -> IcmpError:
    return IcmpError(4, 11, 0, HOP, data, arrived_ns=int(arrived_s * 1e9))


@pytest.mark.parametrize("kbps", [2000, 20_000])
def test_it_fills_the_line_and_its_own_packets_show_that_they_wait(monkeypatch: pytest.MonkeyPatch, kbps: int) -> None:
    done = _filled(monkeypatch, Line(kbps))
    assert 0.8 * kbps <= done.kbps <= kbps
    second_half = done.dying.second_half
    assert (done.is_silent, second_half.lost) == (False, 0)
    assert min(second_half.timed_ms) > 60 + WAY_S * 1000
    assert min(done.dying.timed_ms) < 30 + WAY_S * 1000


def test_it_never_sends_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    done = _filled(monkeypatch, Line(1_000_000))
    assert 0.95 * PLAN.most_kbps <= done.kbps <= PLAN.most_kbps
    assert max(done.dying.timed_ms) < 30 + WAY_S * 1000


def test_it_ends_where_nothing_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(20_000, is_open=False)
    assert _filled(monkeypatch, line).is_silent
    assert line.now_s < 1002


def test_what_this_machine_does_not_let_out_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    dying = _filled(monkeypatch, Line(20_000, refuses_dying=True)).dying
    assert (dying.slots, dying.sent, dying.lost) == (120, 0, 0)


def test_what_others_quote_or_send_is_not_the_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(20_000)
    junk = [IcmpError(4, 11, 0, "198.51.100.1", b""), IcmpError(4, 11, 0, HOP, b"short"), _quote(b"\xff" * 40, 1)]
    line.quoted += junk
    line.under_way += [(0.0, b""), (0.0, b"\xff" * 1372)]
    assert _filled(monkeypatch, line).dying.lost == 0
