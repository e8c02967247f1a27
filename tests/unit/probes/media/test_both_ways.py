"""Two sides that send by themselves: what each direction lost and took is its own, whatever the other one did."""

from collections.abc import Callable

import pytest
from msgspec import structs

from gosip_check.probes.far_end import FarEnd
from gosip_check.probes.media.both_ways import facts_of_both
from gosip_check.probes.media.bounds import Ending, bounds_of
from gosip_check.probes.media.facts import facts_of_stream
from gosip_check.probes.media.one_side import Noted, SidePlan
from gosip_check.probes.media.second_line import path_bounds
from gosip_check.probes.media.stream_facts import StreamFacts
from gosip_check.records import Link
from tests.unit.probes.media.streams import MS, START_NS, sending

CHANNELS, PACKETS, SSID = 2, 1000, 700
PLAN = SidePlan(Link("Internet-1"), 0, CHANNELS, PACKETS, 250, SSID, 46)
Path = Callable[[int], float | None]
"How long a packet of this number takes, in ms; None: it is lost."


def _side(comes: Path, late_s: float = 0.0001, clock_step_ms: float = 0.0, dscp: int = 46) -> Noted:
    """Sends in step with the other side, and gets what comes from there."""
    at_ns = [
        START_NS + number * 20 * MS + channel * 10 * MS for number in range(PACKETS) for channel in range(CHANNELS)
    ]
    arrived = [
        (SSID + index % CHANNELS, index // CHANNELS, sent_ns + 100, sent_ns + int(delay_ms * MS), dscp)
        for index, sent_ns in enumerate(at_ns)
        if (delay_ms := comes(index // CHANNELS)) is not None
    ]
    return Noted(sending([late_s], clock_step_ms=clock_step_ms), at_ns, arrived, 0, 46)


def _facts(up: Path, down: Path) -> StreamFacts:
    return facts_of_both(PLAN, near=_side(down), far=_side(up))


def _losing(every: int, delay_ms: float) -> Path:
    return lambda number: None if number % every == 0 else delay_ms


@pytest.mark.parametrize(("up", "down"), [(20, 10), (10, 20), (20, 20)])
def test_each_direction_is_loaded_and_loses_by_itself(up: int, down: int) -> None:
    stream = _facts(_losing(up, 8.0), _losing(down, 25.0))
    assert (stream.sent, stream.up.lost, stream.down.lost) == (2000, 2000 // up, 2000 // down)
    assert (stream.up.delivered_pct, stream.down.delivered_pct) == (100 - 100 / up, 100 - 100 / down)
    assert (stream.up.rate_kbps, stream.down.rate_kbps) == (200 - 200 / up, 200 - 200 / down)
    assert [(channel.lost_up, channel.lost_down) for channel in stream.per_channel] == [(1000 // up, 1000 // down)] * 2
    assert {channel.rate_down_kbps for channel in stream.per_channel} == {100 - 100 / down}
    # Every tenth packet is every twentieth, too.
    assert stream.received == 2000 - 2000 // min(up, down)
    assert stream.delay_up_ms is not None
    assert stream.delay_down_ms is not None
    assert stream.rtt_ms is not None
    assert (stream.delay_up_ms.p50, stream.delay_down_ms.p50, stream.rtt_ms.p50) == pytest.approx((8.0, 25.0, 33.0))
    # Not the product: down was loaded in full, whatever became of what was sent up.
    assert path_bounds(stream)["delivered_pct"] == (100 - 100 / min(up, down), 100.0)
    said = facts_of_stream("x", FarEnd(True, None, None), stream, (None, Ending.ANSWERED), bounds_of(stream, None))
    assert "Neither direction carries all of it." in said.evidence["delivered_pct"]
    assert "what came up" not in said.evidence["delivered_pct"]


def test_one_direction_may_be_silent() -> None:
    stream = _facts(lambda _: None, lambda _: 9.0)
    assert (stream.up.delivered_pct, stream.down.delivered_pct, stream.received) == (0.0, 100.0, 0)
    assert (stream.delay_up_ms, stream.rtt_ms) == (None, None)
    assert stream.delay_down_ms is not None
    assert path_bounds(stream)["delivered_pct"] == (0.0, 100.0)


def test_what_was_never_sent_is_a_stray_and_what_comes_twice_counts_once() -> None:
    near, far = _side(lambda _: 9.0), _side(_losing(100, 8.0))
    ssid, number, claimed_ns, arrived_ns, dscp = far.arrived[0]
    more = [
        (ssid, number, claimed_ns, arrived_ns + MS, dscp),
        (ssid, 0, START_NS - MS, arrived_ns, dscp),  # lost on the way, and somebody makes one up
        (ssid, PACKETS, claimed_ns, arrived_ns, dscp),
        (SSID + CHANNELS, 0, claimed_ns, arrived_ns, dscp),  # of another flow
    ]
    stream = facts_of_both(PLAN, near, structs.replace(far, arrived=[*far.arrived, *more]))
    assert (stream.up.lost, stream.duplicates, stream.strays, stream.reordered) == (20, 1, 2, 0)


def test_a_packet_that_overtakes_others_is_not_lost() -> None:
    near, far = _side(lambda _: 9.0), _side(lambda _: 8.0)
    swapped = [far.arrived[2], far.arrived[0], far.arrived[1], *far.arrived[3:]]
    stream = facts_of_both(PLAN, near, structs.replace(far, arrived=swapped))
    assert (stream.up.lost, stream.reordered) == (0, 1)


def test_both_sides_are_this_machine() -> None:
    """What either did wrong counts, and a clock that was moved leaves no delay of one direction."""
    near = structs.replace(_side(lambda _: 9.0, clock_step_ms=80.0), drops=2)
    stream = facts_of_both(PLAN, near, structs.replace(_side(lambda _: 8.0, late_s=0.05, dscp=0), drops=1))
    assert (stream.sending.sent_late, stream.own_drops) == (1, 3)
    assert stream.sending.lateness_ms.max == pytest.approx(50.0)
    assert (stream.delay_up_ms, stream.delay_down_ms) == (None, None)
    assert (stream.dscp_at_far_end, stream.dscp_received) == ({0: 2000}, {46: 2000})
