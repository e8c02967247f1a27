"""What a second line proves of the first: passes, never a failure; and both ends of one flow, timed by one clock."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec import structs

from gosip_check.probes.far_link.pair import Pair
from gosip_check.probes.media import alone, second_line
from gosip_check.probes.media.facts import Facts
from gosip_check.probes.media.options import Options
from gosip_check.probes.media.second_line import both_bounds, path_bounds, together
from gosip_check.probes.media.stream_facts import StreamFacts
from gosip_check.probes.net import sockets
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import STOPPED, FailureKind, Link
from tests.unit.probes.media.streams import answers, facts

LINK = Link(name="Internet-1", source="127.0.0.1", interface="lo")
CONTEXT = Context(LINK)


def _stream(lost_up: Callable[[int], bool] = lambda _: False) -> StreamFacts:
    return facts(answers(lambda n: None if lost_up(n) else 8.0, lambda _: 9.0), packets=1000)


def _echoes(**more: Any) -> Facts:
    return structs.replace(Facts(channels=1, evidence={"delivered_pct": "The line carried it."}), **more)


def _together(stream: StreamFacts, echoes: Facts, *, carried: bool = False) -> Facts:
    with socket.socket(type=socket.SOCK_DGRAM) as near, socket.socket(type=socket.SOCK_DGRAM) as far:
        both = Pair(near, far, Link("phone", interface="wlan0"), ("192.0.2.1", 4000), ("192.0.2.2", 4001))
        return together(both, stream, path_bounds(stream), echoes, carried=carried)


def test_a_clean_path_proves_the_line() -> None:
    ranges = path_bounds(_stream())
    assert ranges["delivered_pct"] == (100.0, 100.0)
    low, high = ranges["window15_loss_pct"]
    assert low == 0.0
    assert high == pytest.approx(0.299, abs=0.001)  # three in a thousand: so much do a thousand packets prove


def test_a_bad_path_proves_nothing_against_the_line() -> None:
    ranges = path_bounds(_stream(lambda n: n % 10 == 0))
    assert ranges["delivered_pct"] == (90.0, 100.0)
    assert ranges["window15_loss_pct"][0] == 0.0
    assert ranges["worst_jitter_ms"][0] == 0.0
    assert ranges["mos"][1] is None


@pytest.mark.parametrize(
    ("second", "echoes", "left"),
    [
        ((90.0, 100.0), (None, None), (90.0, 100.0)),
        (
            (90.0, 100.0),
            (100.0, 100.0),
            (100.0, 100.0),
        ),  # a hop behind the own edge carried it
        ((90.0, 100.0), (88.0, 91.0), (90.0, 91.0)),  # both saw it: the line is narrow
        ((99.9, 100.0), (88.0, 91.0), (99.9, 99.9)),  # real media went through: that hop was busy
        ((95.4, 100.0), (93.6, 95.3), (95.4, 95.4)),  # both saw a line that is too narrow, almost to the same figure
        ((0.0, 0.3), (1.2, 2.4), (0.3, 0.3)),
        ((3.0, None), (3.5, 4.4), (3.5, 4.4)),
        ((None, None), (None, None), (None, None)),
    ],
)
def test_what_both_methods_leave(second: Any, echoes: Any, left: Any) -> None:
    assert both_bounds(second, echoes) == left


def test_both_in_one_record() -> None:
    lossy = _stream(lambda n: n % 20 == 0)
    by_echoes = _echoes(between={"window15_loss_pct": (0.0, 0.4), "rtt_ms.p95": (0.0, 12.0)}, delivered_pct=100.0)
    made = _together(lossy, by_echoes)
    assert made.delivered_pct == 100.0
    assert made.between["window15_loss_pct"] == (0.0, 0.4)
    assert made.between["rtt_ms.p95"] == (0.0, 12.0)
    assert (made.loss_up_pct, made.loss_down_pct) == (5.0, 0.0)
    assert (made.reflector, made.far_end_link) == (None, "phone (192.0.2.2:4001)")
    assert "The line carried it." in made.evidence["delivered_pct"]


def test_a_marking_that_is_lost_may_be_the_other_lines_doing() -> None:
    bleached = facts(answers(lambda _: 8.0, lambda _: 9.0, far_dscp=0), packets=1000)
    made = _together(bleached, _echoes())
    assert made.dscp_survives is None
    assert "not known" in made.evidence["dscp_survives"]
    assert _together(_stream(), _echoes()).dscp_survives is True


def test_a_stop_during_the_echoes_keeps_what_both_lines_showed(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def paired(*_: object) -> Iterator[Pair]:
        with socket.socket() as near, socket.socket() as far:
            yield Pair(near, far, Link("phone"), ("192.0.2.1", 4000), ("192.0.2.2", 4001))

    def stopped(_: object, context: Context, __: str) -> Facts:
        context.so_far(_echoes())
        raise ProbeFailed(FailureKind.INTERRUPTED, STOPPED)

    monkeypatch.setattr(second_line, "pair", paired)
    monkeypatch.setattr(second_line, "stream_over", lambda *_: _stream())
    monkeypatch.setattr(alone, "measure", stopped)
    brought: list[Any] = []
    options = Options(domain="trunk.example", transport="udp", channels=1, far_end_link="phone=x")
    with pytest.raises(ProbeFailed):
        second_line.measure(options, Context(LINK, brought=brought), "phone=x", "There is no reflector.")
    (facts,) = brought
    assert (facts.far_end_link, facts.delivered_pct) == ("phone (192.0.2.2:4001)", 100.0)


@pytest.mark.waits
def test_all_channels_share_one_flow_and_one_clock() -> None:
    with sockets.udp_socket(LINK) as near, sockets.udp_socket(LINK) as far:
        near.connect(sockets.local_address(far))
        far.connect(sockets.local_address(near))
        near.send(b"left over from before")
        far.send(b"left over from before")
        both = Pair(near, far, LINK, sockets.local_address(near), sockets.local_address(far))
        options = Options(domain="trunk.example", transport="udp", channels=3, duration_s=1)
        stream = second_line.stream_over(both, options, CONTEXT)
    assert (stream.sent, stream.received, stream.strays, stream.up.lost, stream.down.lost) == (150, 150, 0, 0, 0)
    assert [channel.received for channel in stream.per_channel] == [50, 50, 50]
    assert stream.dscp_at_far_end == stream.dscp_received == {46: 150}
    assert stream.delay_up_ms is not None
    assert stream.delay_down_ms is not None
    assert stream.away_ms is not None
    assert 0 < stream.delay_up_ms.min < stream.away_ms.max
    assert 0 < stream.delay_down_ms.min < stream.away_ms.max
