"""What a stream proves, worked out by hand: two channels of 1000 packets, and one thing at a time that is not well."""

from typing import Any

import pytest
from msgspec.structs import replace

from gosip_check.probes.media.bounds import (
    Ending,
    Range,
    bounds_of,
    bounds_of_round_trips,
    own_trouble,
    sustained_pct,
)
from gosip_check.probes.media.round_trips import Responder
from gosip_check.probes.media.stream_facts import StreamFacts
from gosip_check.probes.media.summary import RoundTrip, Spread
from gosip_check.wire.stamp_tlv import FarDrops

from .streams import answers, constant, facts

CLEAN = facts(*[answers(constant(10.0), constant(10.0))] * 2)
SENT = 2000
IN_15_S, IN_200_MS = 2 * 750, 2 * 10
"Packets of both channels in a window."


def stream(
    up: dict[str, Any] | None = None,
    down: dict[str, Any] | None = None,
    sending: dict[str, Any] | None = None,
    **changes: Any,
) -> StreamFacts:
    """The clean stream, but for what is named."""
    assert (CLEAN.channels, CLEAN.packets, CLEAN.sent, CLEAN.received) == (2, 1000, SENT, SENT)
    return replace(
        CLEAN,
        up=replace(CLEAN.up, **{"jitter_ms": Spread(p50=1, p99=3, max=9), **(up or {})}),
        down=replace(CLEAN.down, **{"jitter_ms": Spread(p50=2, p99=5, max=8), **(down or {})}),
        sending=replace(CLEAN.sending, **(sending or {})),
        **changes,
    )


def jitter(made: StreamFacts) -> Range:
    return bounds_of(made, None)["worst_jitter_ms"]


def delivered(made: StreamFacts, drops: FarDrops | None = None, ending: Ending = Ending.ANSWERED) -> Range:
    low, high = bounds_of(made, drops, ending)["delivered_pct"]
    return (None if low is None else round(low, 6)), (None if high is None else round(high, 6))


def test_a_clean_stream_is_known() -> None:
    found = bounds_of(stream(), None)
    low, high = found.pop("mos")
    assert found == {
        "window15_loss_pct": (0, 0), "burst200_loss_pct": (0, 0), "delivered_pct": (100, 100), "worst_jitter_ms": (5, 5)
    }  # fmt: skip
    assert low == high
    assert own_trouble(stream(), None) == []


# What may have been our own fault, and how many packets it may have cost.
SPOILT: dict[str, tuple[StreamFacts, FarDrops | None, Ending, int]] = {
    "sent late": (stream(sending={"sent_late": 3}), None, Ending.ANSWERED, 6),
    "answered late": (stream(sending={"sent_late": 3}, far_late=1), None, Ending.ANSWERED, 8),
    "not sent": (stream(sending={"unsent": 5}), None, Ending.ANSWERED, 5),
    "no room at the own interface": (stream(sending={"queue_full": 6}), None, Ending.ANSWERED, 6),
    "dropped here": (stream(own_drops=4), None, Ending.ANSWERED, 4),
    "dropped there": (stream(received=SENT - 12), FarDrops(2, 7), Ending.ANSWERED, 9),
    "no more dropped there than is missing": (stream(received=SENT - 5), FarDrops(2, 7), Ending.ANSWERED, 5),
    "a restart": (stream(received=1990, up={"lost": None}), None, Ending.RESTARTED, 10),
    "a restart that the stream shows": (
        stream(received=1990, restarted=True, lost_at_restart=3), None, Ending.RESTARTED, 3),
    "an end in silence": (stream(lost_at_end=12), None, Ending.SILENT, 12),
    "no end in silence": (stream(lost_at_end=12), None, Ending.ANSWERED, 0),
    "all together": (
        stream(sending={"sent_late": 1, "unsent": 5}, own_drops=4, lost_at_end=12, received=SENT - 12),
        FarDrops(2, 7), Ending.SILENT, 32),
}  # fmt: skip


@pytest.mark.parametrize(("made", "drops", "ending", "spoilt"), SPOILT.values(), ids=SPOILT)
def test_losses_in_a_window_are_at_least_what_we_did_not_spoil(
    made: StreamFacts, drops: FarDrops | None, ending: Ending, spoilt: int
) -> None:
    lossy = replace(made, up=replace(made.up, window15_loss_pct=50.0, burst200_loss_pct=100.0, delivered_pct=90.0))
    found = bounds_of(lossy, drops, ending)
    assert found["window15_loss_pct"] == pytest.approx((50 - 100 * spoilt / IN_15_S, 50))
    assert found["burst200_loss_pct"] == pytest.approx((max(0, 100 - 100 * spoilt / IN_200_MS), 100))
    assert delivered(lossy, drops, ending) == (90, 90 + 100 * spoilt / SENT)


@pytest.mark.parametrize(
    ("own_drops", "low"),
    [(1, 5), (2, 2), (100, 2), (101, 0)],
    ids=["one in two thousand", "more", "one in twenty", "still more"],
)
def test_jitter_is_its_median_where_we_spoilt_packets_and_open_where_many(own_drops: int, low: float) -> None:
    assert jitter(stream(own_drops=own_drops)) == (low, 5)


@pytest.mark.parametrize(("step_ms", "low"), [(20.0, 5), (-20.0, 5), (20.1, 0), (-31.0, 0)])
def test_a_clock_that_was_moved_leaves_jitter_open(step_ms: float, low: float) -> None:
    made = stream(sending={"clock_step_ms": step_ms})
    assert jitter(made) == (low, 5)
    moved = [f"this machine's clock was moved by {step_ms:.0f} ms meanwhile"] if low == 0 else []
    assert own_trouble(made, None) == moved


@pytest.mark.parametrize("way", ["up", "down"])
def test_jitter_of_one_direction_alone_is_none(way: str) -> None:
    made = stream(**{way: {"jitter_ms": None}})
    assert jitter(made) == (None, None)
    assert jitter(replace(made, own_drops=10)) == (None, None)


@pytest.mark.parametrize(
    ("up", "down", "round_trip", "undecided", "expected"),
    [
        (1.0, 2.0, 9.0, 0, (2, 2)),
        (None, None, 3.0, 5, (1.5, 3)),
        (None, 2.0, 3.0, 5, (1.5, 3)),
        (1.0, None, 3.0, 5, (1.5, 3)),
        (1.0, 2.0, 5.0, 5, (2.5, 5)),
        (4.0, 2.0, 5.0, 5, (4, 5)),
        (1.0, 6.0, 5.0, 5, (6, 6)),
    ],
)
def test_loss_without_a_direction_lies_between_half_in_each_and_all_in_one(
    up: float | None, down: float | None, round_trip: float, undecided: int, expected: Range
) -> None:
    made = stream(
        up={"window15_loss_pct": up, "burst200_loss_pct": up},
        down={"window15_loss_pct": down, "burst200_loss_pct": down},
        round_trip_window15_pct=round_trip, round_trip_burst200_pct=round_trip, lost_undecided=undecided,
    )  # fmt: skip
    found = bounds_of(made, None)
    assert (found["window15_loss_pct"], found["burst200_loss_pct"]) == (expected, expected)


@pytest.mark.parametrize(("late_ms", "known"), [(1000.0, True), (1000.5, False)])
def test_a_sender_that_fell_a_second_behind_offered_no_load(late_ms: float, known: bool) -> None:
    made = stream(sending={"lateness_ms": Spread(p50=0, p99=0, max=late_ms)})
    assert delivered(made) == ((100, 100) if known else (None, None))


@pytest.mark.parametrize(
    ("up", "down", "expected"),
    [
        (100.0, 40.0, (40, 40)),
        (99.1, 40.0, (40, 40)),
        (99.0, 40.0, (39.6, 40)),  # down was offered 99 % of the load, and carried 40 % of that
        (50.0, 80.0, (40, 50)),
        (None, 80.0, (90, 95)),
        (80.0, None, (90, 95)),
        (None, None, (90, 95)),
    ],
)
def test_down_is_loaded_with_what_came_up(up: float | None, down: float | None, expected: Range) -> None:
    made = stream(up={"delivered_pct": up}, down={"delivered_pct": down}, round_trip_loss_pct=10.0)
    assert delivered(made) == expected


def test_what_was_lost_in_no_known_direction_did_not_arrive() -> None:
    assert delivered(stream(lost_undecided=20)) == (99, 100)
    assert delivered(stream(down={"delivered_pct": 0.5}, lost_undecided=20)) == (0, 0.5)


def test_what_we_spoilt_and_what_a_moved_clock_made_late_may_have_been_delivered() -> None:
    late: dict[str, Any] = {"up": {"late": 20, "delivered_pct": 90.0}, "down": {"late": 40}}
    assert delivered(stream(**late, own_drops=20)) == (90, 91)
    assert delivered(stream(**late, own_drops=20, sending={"clock_step_ms": 50.0})) == (90, 93)
    assert delivered(stream(own_drops=20)) == (100, 100)


def test_answers_that_are_shorter_than_what_was_sent_load_nothing() -> None:
    assert delivered(stream(short_answers=1)) == (0, 100)


@pytest.mark.parametrize(
    ("up_ms", "down_ms", "expected"),
    [(0, 0, 100), (80, 0, 100), (0, 80, 100), (160, 0, 100 * 16_000 / 16_160), (0, 16_000, 50)],
)
def test_a_queue_that_grew_is_load_that_was_not_carried(up_ms: float, down_ms: float, expected: float) -> None:
    """Over four fifths of 1000 packets of 20 ms. Less than half a percent is a delay that varies."""
    made = stream(up={"growth_ms": up_ms}, down={"growth_ms": down_ms})
    assert sustained_pct(made) == pytest.approx(expected)
    assert delivered(made) == pytest.approx((expected, 100), abs=1e-6)


def test_the_score_is_open_upwards_where_we_spoilt_packets_or_a_clock_was_moved() -> None:
    lossy: dict[str, Any] = {"up": {"loss_pct": 3.0, "too_late_pct": 1.0}}
    low, high = bounds_of(stream(**lossy, own_drops=1), None)["mos"]  # too few to matter
    assert low is not None
    assert (high, round(low, 3)) == (low, low)
    spoilt_low, spoilt_high = bounds_of(stream(**lossy, own_drops=60), None)["mos"]
    assert spoilt_high is not None
    assert spoilt_low == low < spoilt_high == round(spoilt_high, 3)
    moved_low, moved_high = bounds_of(stream(**lossy, sending={"clock_step_ms": 50.0}), None)["mos"]
    assert moved_high is not None
    assert moved_low == low < moved_high < spoilt_high
    undirected = stream(up={"loss_pct": None}, down={"loss_pct": None}, round_trip_loss_pct=3.0)
    low, high = bounds_of(undirected, None)["mos"]
    assert low is not None
    assert high is not None
    assert low < high
    assert bounds_of(stream(rtt_ms=None), None)["mos"] == (None, None)


def trip(low: float, p95: float, high: float) -> RoundTrip:
    return RoundTrip(min=low, p50=low, p95=p95, p99=high, max=high)


def responder(address: str, rtt_ms: RoundTrip | None, **changes: Any) -> Responder:
    made = Responder(role="target", address=address, method="sip", asked=20, answered=20, rtt_ms=rtt_ms)
    return replace(made, **changes)


def test_round_trips_are_those_of_the_worse_server_by_its_better_method() -> None:
    near, far = trip(5, 10, 12), trip(20, 30, 31)
    expected = {"rtt_ms.p95": (0, 30), "worst_jitter_ms": (0, 11)}
    by_sip = [responder("192.0.2.1", near), responder("192.0.2.2", far)]
    by_icmp = [responder("192.0.2.1", trip(1, 40, 90), method="icmp")]
    assert bounds_of_round_trips(by_sip + by_icmp) == expected
    assert bounds_of_round_trips(by_icmp + by_sip) == expected
    swapped = [responder("192.0.2.1", trip(20, 30, 80)), responder("192.0.2.2", trip(5, 10, 12))]
    assert bounds_of_round_trips(swapped) == {"rtt_ms.p95": (0, 30), "worst_jitter_ms": (0, 60)}


def test_our_own_troubles_are_told_with_their_number() -> None:
    made = stream(
        sending={"sent_late": 1, "unsent": 2, "queue_full": 7},
        far_late=3,
        own_drops=4,
        restarted=True,
        lost_at_end=2,
        received=SENT - 20,
    )
    assert own_trouble(made, FarDrops(5, 6), Ending.SILENT) == [
        "this machine sent 1 packet more than 10 ms late",
        "the reflector's machine answered 3 packets more than 10 ms late",
        "this machine could not send 2 packets",
        "this machine's own interface had no room for 7 packets",
        "this machine was too busy to take 4 packets that had arrived",
        "the reflector's machine was too busy to take 5 packets",
        "the reflector's rate limit refused 6 packets",
        "the reflector began to count again on every channel: it was restarted, or a device forgot the flows",
        "the reflector had stopped answering by the end (2 packets since its last answer), "
        "because it or the line went down",
    ]
    again = stream(received=SENT - 1, lost_undecided=1)
    restarted = ["the reflector began to count again: it was restarted, or a device forgot the flows"]
    assert own_trouble(again, None, Ending.RESTARTED) == restarted
    assert own_trouble(stream(), None, Ending.RESTARTED) == []  # it counted on to the end
    assert own_trouble(stream(), FarDrops(0, 0)) == []
