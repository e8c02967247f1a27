"""A far end that says what cannot be true says something of itself: no figure of the line rests on it.

Lies against paths made up by hand, judged by the shipped checklist.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gosip_check import checklist
from gosip_check.judge import judge
from gosip_check.probes.far_end import FarEnd
from gosip_check.probes.media.bounds import Ending, bounds_of
from gosip_check.probes.media.facts import facts_of_stream
from gosip_check.probes.media.far_clock import Doubt
from gosip_check.probes.media.stream_facts import StreamFacts
from gosip_check.wire.stamp_tlv import FarDrops
from tests.unit.probes.media import lying
from tests.unit.probes.media.lying import Asked, Delay, Lie, Packet, by_clock, ntp, truth
from tests.unit.probes.media.streams import MS, constant, every, facts_of_logs
from tests.unit.records import measurement

CHECKLIST = checklist.load("go-native")
REFLECTOR = FarEnd(stateful=True, mapped=None, drops=None)
ECHO = FarEnd(stateful=False, mapped=None, drops=None, is_echo=True)
GOOD = constant(10)
SECOND_NS = 10**9


def changed(**fields: Callable[[Packet, Asked], int]) -> Lie:
    """A lie about some fields of every answer."""

    def lie(packet: Packet, asked: Asked) -> Packet:
        new = {name: make(packet, asked) for name, make in fields.items()}
        return Packet(**{**vars(packet), **new})

    return lie


def now_and_then(lie: Lie, step: int) -> Lie:
    """A lie in one answer of so many."""
    return lambda packet, asked: lie(packet, asked) if asked.count % step == step - 1 else packet


def brought_back(lie: Lie, up: Delay = GOOD, down: Delay = GOOD, channels: int = 4, **options: Any) -> StreamFacts:
    """Every channel the same."""
    return facts_of_logs(*[lying.channel(lie, up, down)] * channels, **options)


def verdicts(
    stream: StreamFacts,
    far_end: FarEnd = REFLECTOR,
    drops: FarDrops | None = None,
    ending: Ending = Ending.ANSWERED,
) -> dict[str, tuple[str, str]]:
    end = drops, ending
    seen = measurement(msgspec.to_builtins(facts_of_stream("h:1", far_end, stream, end, bounds_of(stream, *end))))
    judged = [judge(r, seen) for r in CHECKLIST.requirements if r.probe == "media"]
    return {v.id.removeprefix("media."): (v.outcome.value, v.reason) for v in judged}


def outcomes(stream: StreamFacts, *args: Any) -> dict[str, str]:
    return {name: outcome for name, (outcome, _) in verdicts(stream, *args).items()}


@dataclass(frozen=True)
class WrongClock:
    lie: Lie
    doubt: Doubt


HALF_NS = SECOND_NS // 2
WRONG_CLOCKS = {
    "T3 is missing": WrongClock(changed(sent=lambda *_: 0), Doubt.NO_TIME),
    "neither is there": WrongClock(changed(sent=lambda *_: 0, received=lambda *_: 0), Doubt.NO_TIME),
    "NTP time, said to be PTP": WrongClock(changed(estimate=lambda *_: 0x4001), Doubt.NO_TIME),
    "PTP time, said to be NTP": WrongClock(lying.in_ptp(z_bit=False), Doubt.PACE),
    "T3 is T1": WrongClock(changed(sent=lambda packet, _: packet.sender_sent), Doubt.BACKWARDS),
    "T2 an era ahead": WrongClock(changed(received=lambda packet, _: packet.received + 2**62), Doubt.BACKWARDS),
    "kept for longer than away": WrongClock(changed(sent=lambda packet, _: packet.sent + 2**32), Doubt.TOO_LONG),
    "T2 is that of the first": WrongClock(changed(received=lambda *_: ntp(lying.FAR_CLOCK_NS)), Doubt.TOO_LONG),
    "stands still": WrongClock(by_clock(lambda ns: 1_800_000_000 * SECOND_NS), Doubt.PACE),
    "2 % fast": WrongClock(by_clock(lambda ns: ns + ns % (3600 * SECOND_NS) // 50), Doubt.PACE),
    "half as fast": WrongClock(by_clock(lambda ns: ns // 2), Doubt.PACE),
    "runs backwards": WrongClock(by_clock(lambda ns: 4 * 10**18 - ns), Doubt.BACKWARDS),
    "whole seconds": WrongClock(by_clock(lambda ns: ns // SECOND_NS * SECOND_NS), Doubt.PACE),
    "ticks of 64 ms": WrongClock(by_clock(lambda ns: ns // (64 * MS) * 64 * MS), Doubt.PACE),
    "swings by 30 ms": WrongClock(by_clock(lambda ns: ns + (30 * MS if ns // HALF_NS % 2 else 0)), Doubt.PACE),
}


@pytest.mark.parametrize("clock", WRONG_CLOCKS.values(), ids=WRONG_CLOCKS)
def test_a_clock_that_cannot_be_right_neither_fails_a_good_line_nor_times_it(clock: WrongClock) -> None:
    stream = brought_back(clock.lie)
    assert stream.clock_doubt is clock.doubt
    judged = verdicts(stream)
    assert {judged[name][0] for name in ("bandwidth", "loss", "latency", "bursts", "jitter", "mos")} == {"pass"}
    for name in ("jitter", "latency"):
        assert f"The reflector's clock {clock.doubt}" in judged[name][1]
    assert stream.up.jitter_ms is stream.down.jitter_ms is None
    assert {c.jitter_up_ms for c in stream.per_channel} == {None}
    assert bounds_of(stream, None)["worst_jitter_ms"][0] == 0
    assert stream.rtt_ms is not None
    assert (stream.rtt_ms.min, stream.rtt_ms.max) == pytest.approx((20.05, 20.05), abs=0.01)
    assert (stream.far_late, stream.far_clock_step_ms) == (0, 0)


@pytest.mark.parametrize("clock", WRONG_CLOCKS.values(), ids=WRONG_CLOCKS)
def test_a_clock_that_cannot_be_right_passes_no_bad_line(clock: WrongClock) -> None:
    """Late by half a second, one packet in ten lost, and as rough as a bad Wi-Fi."""
    chance = random.Random(3)
    rough = [chance.expovariate(1 / 60) for _ in range(1003)]
    judged = outcomes(brought_back(clock.lie, lambda n: 250 + rough[n], every(10, 250)))
    assert judged["loss"] == judged["latency"] == judged["bandwidth"] == "fail"
    assert judged["jitter"] != "pass"
    assert judged["mos"] != "pass"


@pytest.mark.parametrize("trip_ms", [1.0, 400.0, 1200.0])
def test_ptp_time_is_read_where_it_is_said_to_be_and_is_doubted_where_not(trip_ms: float) -> None:
    """On a long path the swing of the misread clock alone breaks no order of events."""
    half = constant(trip_ms / 2)
    right = brought_back(lying.in_ptp(z_bit=True), half, half)
    assert right.clock_doubt is None
    assert right.rtt_ms is not None
    assert right.rtt_ms.max == pytest.approx(trip_ms, abs=0.01)
    assert right.up.jitter_ms is not None
    assert right.up.jitter_ms.max < 0.01
    assert brought_back(lying.in_ptp(z_bit=False), half, half).clock_doubt is Doubt.PACE


def test_real_jitter_queues_and_a_drift_are_no_wrong_clock() -> None:
    chance = random.Random(8)

    def wide(_: int) -> float:
        return 5 + chance.uniform(0, 60)

    def long_tailed(_: int) -> float:
        return 5 + chance.expovariate(1 / 15)

    for _ in range(2):
        assert brought_back(truth, wide, long_tailed).clock_doubt is None
        assert brought_back(truth, wide, GOOD).clock_doubt is None
    assert brought_back(truth, lambda n: 10 + n * 0.5, GOOD).clock_doubt is None
    one_fills_while_the_other_drains = brought_back(
        truth, lambda n: 10.0 if n < 500 else 400.0, lambda n: 400.0 if n < 400 else 10.0
    )
    assert one_fills_while_the_other_drains.clock_doubt is None
    slow = by_clock(lambda ns: ns + ns % (3600 * SECOND_NS) // 2000)
    assert brought_back(slow).clock_doubt is None


def test_a_far_end_that_answers_at_fixed_moments_is_believed() -> None:
    """It keeps a packet the shorter the later it came, so that all come back after the same time."""
    chance = random.Random(5)
    late = [chance.uniform(0, 15) for _ in range(1003)]

    def polled(packet: Packet, asked: Asked) -> Packet:
        packet.sent = packet.received + int((18 - late[asked.count]) / 1000 * 2**32)
        return packet

    stream = brought_back(polled, lambda n: 10 + late[n], lambda n: 10 + 18 - late[n], channels=1)
    assert stream.clock_doubt is None
    assert stream.up.jitter_ms is not None
    assert stream.up.jitter_ms.p50 > 3


def test_a_few_impossible_times_are_left_out_and_the_rest_is_believed() -> None:
    stream = brought_back(now_and_then(changed(received=lambda *_: 0), 250))
    assert stream.clock_doubt is None
    assert stream.up.jitter_ms is not None
    assert stream.up.jitter_ms.max < 0.01
    assert stream.received == stream.sent
    assert set(outcomes(stream).values()) == {"pass", "unknown"}  # nothing is known of the marking


def test_a_single_time_that_is_an_hour_off_makes_no_jitter() -> None:
    hour = 3600 << 32
    off = now_and_then(changed(received=lambda p, _: p.received + hour, sent=lambda p, _: p.sent + hour), 700)
    judged = verdicts(brought_back(off))
    assert judged["jitter"][0] == "pass"
    assert "does not run at the pace of ours" in judged["jitter"][1]


@pytest.mark.parametrize(
    ("claims_ms", "takes_ms", "outcome"), [(150, 200, "pass"), (250, 400, "unknown"), (40, 70, "pass")]
)
def test_a_long_time_that_a_far_end_says_it_kept_packets_is_its_own_word(
    claims_ms: int, takes_ms: int, outcome: str
) -> None:
    lie = changed(sent=lambda packet, _: packet.received + int(claims_ms / 1000 * 2**32))
    stream = brought_back(lie, constant(takes_ms / 2), constant(takes_ms / 2))
    judged = verdicts(stream)
    assert judged["latency"][0] == outcome
    assert "With the time that the reflector says it kept packets" in judged["latency"][1]
    low, high = bounds_of(stream, None)["rtt_ms.p95"]
    assert (low, high) == pytest.approx((takes_ms - claims_ms + 0.05, takes_ms + 0.05), abs=0.01)


def test_a_busy_far_end_that_keeps_some_packets_for_long_leaves_the_round_trip_known() -> None:
    def busy(packet: Packet, asked: Asked) -> Packet:
        packet.sent = packet.received + int(asked.count % 5 == 0) * 30 * 2**32 // 1000
        return packet

    stream = brought_back(busy, constant(20), lambda n: 20 + 30 * (n % 5 == 0))
    assert "rtt_ms.p95" not in bounds_of(stream, None)
    assert stream.rtt_ms is not None
    assert stream.rtt_ms.max == pytest.approx(40, abs=0.1)


NUMBERS = {
    "of another packet": changed(sender_sequence=lambda packet, _: packet.sender_sequence ^ 1),
    "never sent": changed(sender_sequence=lambda packet, _: packet.sender_sequence + 5_000),
    "the reflector's own": changed(sender_sequence=lambda _, asked: asked.count),
    "one in three the first": now_and_then(changed(sender_sequence=lambda *_: 0), 3),
    "as they should be, without T1": changed(sender_sent=lambda *_: 0),
    "as they should be, T1 in PTP time": changed(
        sender_sent=lambda packet, _: packet.sender_sent - (2_208_988_800 << 32)
    ),
}


@pytest.mark.parametrize("lie", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("step", [0, 20])
def test_what_came_back_is_counted_by_what_was_sent(lie: Lie, step: int) -> None:
    up = every(step, 10) if step else GOOD
    stream = brought_back(lie, up)
    lost = 4 * 50 if step else 0
    assert stream.sent - stream.received == lost
    assert stream.strays == 0
    assert stream.rtt_ms is not None
    assert stream.rtt_ms.max == pytest.approx(20, abs=0.01)
    assert outcomes(stream)["loss"] == ("fail" if lost else "pass")


FORGED = {
    "always the same": changed(sender_sequence=lambda *_: 500, sender_sent=lambda *_: 1),
    "never sent": changed(sender_sequence=lambda packet, _: packet.sender_sequence + 5_000, sender_sent=lambda *_: 1),
    "twenty before": changed(sender_sequence=lambda packet, _: packet.sender_sequence - 20, sender_sent=lambda *_: 1),
    "the next": changed(sender_sequence=lambda packet, _: packet.sender_sequence + 1, sender_sent=lambda *_: 1),
    "at random": changed(
        sender_sequence=lambda _, asked: random.Random(asked.count).getrandbits(32), sender_sent=lambda *_: 1
    ),
}


@pytest.mark.parametrize("lie", FORGED.values(), ids=FORGED)
def test_answers_that_belong_to_no_packet_are_no_loss_and_no_round_trip(lie: Lie) -> None:
    stream = brought_back(lie)
    judged = verdicts(stream)
    assert judged["loss"][0] == judged["bandwidth"][0] == judged["latency"][0] == judged["mos"][0] == "unknown"
    assert "came from the reflector that answer none that is missing" in judged["loss"][1]
    assert stream.rtt_ms is None


def test_the_first_answer_again_and_again_is_no_answer_to_others() -> None:
    """Number and T1 fit, and its round trip would seem to grow as long as the stream."""
    kept: dict[str, bytes] = {}

    def replay(packet: Packet, _: Asked) -> bytes:
        return kept.setdefault("first", bytes(packet))

    stream = facts_of_logs(lying.channel(replay, GOOD, GOOD))
    assert (stream.received, stream.strays) == (1, 1002)
    assert verdicts(stream)["loss"][0] == "unknown"
    assert stream.rtt_ms is not None
    assert stream.rtt_ms.max == pytest.approx(20, abs=0.1)
    some = now_and_then(replay, 15)
    kept.clear()
    stream = facts_of_logs(lying.channel(some, GOOD, GOOD))
    assert stream.rtt_ms is not None
    assert stream.rtt_ms.max == pytest.approx(20, abs=0.1)


def test_a_line_that_loses_more_than_strays_explain_still_fails() -> None:
    garbage = now_and_then(lambda *_: b"busy", 20)
    stream = brought_back(garbage, every(5, 10))
    judged = verdicts(stream)
    assert judged["loss"][0] == "fail"
    assert "160 packets came from the reflector that answer none that is missing" in judged["bandwidth"][1]


COUNTS = {
    "always 7": changed(sequence=lambda *_: 7),
    "falls": changed(sequence=lambda _, asked: 2_000 - asked.count),
    "begins again every 20": changed(sequence=lambda _, asked: asked.count % 20),
    "at random": changed(sequence=lambda _, asked: random.Random(asked.count).getrandbits(10)),
    "0 now and then": now_and_then(changed(sequence=lambda *_: 0), 90),
    "jumps": changed(sequence=lambda _, asked: asked.count + (asked.count > 300) * 600),
    "one in two": changed(sequence=lambda _, asked: asked.count // 2),
}


@pytest.mark.parametrize("lie", COUNTS.values(), ids=COUNTS)
def test_numbers_that_are_no_count_hide_no_loss_and_give_it_no_direction(lie: Lie) -> None:
    stream = brought_back(lie, lambda n: None if n % 12 == 5 else 10.0)
    assert not stream.restarted
    assert (stream.up.lost, stream.down.lost) == (None, None)
    outcome, reason = verdicts(stream)["loss"]
    assert outcome == "fail"
    assert "restarted" not in reason


def test_a_restart_that_the_count_disproves_is_none() -> None:
    """Its own counters went back, yet it counted on to the last packet."""
    stream = brought_back(truth, every(20, 10))
    outcome, reason = verdicts(stream, REFLECTOR, FarDrops(0, 0), Ending.RESTARTED)["loss"]
    assert (outcome, "restarted" in reason) == ("fail", False)
    undirected = brought_back(COUNTS["always 7"], every(20, 10))
    outcome, reason = verdicts(undirected, REFLECTOR, FarDrops(0, 0), Ending.RESTARTED)["loss"]
    assert (outcome, "restarted" in reason) == ("unknown", True)


def test_a_device_on_the_way_that_forgets_the_flows_is_no_restart_of_the_far_end() -> None:
    """The far end counts anew for a new port, and says which port it saw."""

    def seen_by(port_before: int, port_after: int) -> StreamFacts:
        def lie(packet: Packet, asked: Asked) -> Packet:
            is_after = asked.count >= 500
            port = port_after if is_after else port_before
            service = bytes([0x80, 4, 0, 4]) + bytes(4)
            packet.tail = service + bytes([0, 2, 0, 4]) + (862).to_bytes(2, "big") + port.to_bytes(2, "big")
            packet.sequence = asked.count - 500 if is_after else asked.count
            return packet

        return brought_back(lie, lambda n: None if 500 <= n < 600 else 10.0)

    moved, restarted = seen_by(40_000, 41_000), seen_by(40_000, 40_000)
    assert (moved.ports_changed, moved.restarted, moved.lost_at_restart) == (4, False, 0)
    outcome, reason = verdicts(moved)["loss"]
    assert (outcome, "the port of 4 of 4 channels change" in reason) == ("fail", True)
    assert (restarted.ports_changed, restarted.restarted, restarted.lost_at_restart) == (0, True, 400)
    assert verdicts(restarted)["loss"][0] == "unknown"


def test_a_far_end_cannot_have_refused_more_than_is_missing() -> None:
    claims = FarDrops(4_000_000_000, 70_000)
    assert outcomes(brought_back(truth), REFLECTOR, claims)["jitter"] == "pass"
    few = verdicts(brought_back(truth, every(100, 10)), REFLECTOR, claims)["loss"]
    assert few[0] == "unknown"
    assert "rate limit refused 40 packets" in few[1]


def test_an_echo_loses_nothing_and_tells_no_direction() -> None:
    stream = brought_back(lying.echo, stateful=False)
    judged = verdicts(stream, ECHO)
    assert {judged[name][0] for name in ("bandwidth", "loss", "latency", "bursts", "jitter", "mos")} == {"pass"}
    for name in ("loss", "jitter", "latency"):
        assert "the far end echoes, it is not a STAMP reflector" in judged[name][1].replace("The far", "the far")
    lossy = brought_back(lying.echo, every(10, 10), stateful=False)
    assert (lossy.up.lost, lossy.lost_undecided) == (None, 400)
    assert verdicts(lossy, ECHO)["loss"][0] == "fail"


@pytest.mark.parametrize("octets", [38, 40, 41])
def test_a_short_answer_is_one(octets: int) -> None:
    stream = brought_back(lying.first_octets(octets), every(50, 10))
    assert (stream.up.lost, stream.down.lost, stream.clock_doubt) == (80, 0, None)


def test_marks_that_answer_another_question_are_not_read() -> None:
    def tlv(asked: int, seen: int) -> Lie:
        value = (asked << 26 | seen << 20).to_bytes(4, "big")
        return lambda packet, _: bytes(packet)[:44] + bytes([0, 4, 0, 4]) + value

    assert brought_back(tlv(46, 46)).dscp_at_far_end == {46: 4000}
    assert brought_back(tlv(0, 46)).dscp_at_far_end == {}


_WORD = st.integers(0, 2**64 - 1)
_LIES = st.fixed_dictionaries(
    {},
    optional={
        "sequence": st.integers(0, 2**32 - 1),
        "sent": _WORD,
        "estimate": st.integers(0, 2**16 - 1),
        "ssid": st.integers(0, 2**16 - 1),
        "received": _WORD,
        "sender_sequence": st.integers(0, 2**32 - 1),
        "sender_sent": _WORD,
        "ttl": st.integers(0, 255),
    },
)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(_LIES, min_size=1, max_size=6), st.integers(0, 2**32), st.sampled_from([0, 7, 40]), st.sampled_from([0, 9])
)
def test_no_lie_takes_a_figure_beyond_what_is_possible(
    lies: list[dict[str, int]], seed: int, lose_up: int, lose_down: int
) -> None:
    """Each answer takes one of the lies by chance, some as a number of its own and some added to the truth."""
    chance = random.Random(seed)
    picks = [(chance.choice(lies), chance.random() < 0.5) for _ in range(203)]

    def lie(packet: Packet, asked: Asked) -> Packet:
        fields, is_added = picks[asked.count]
        old = vars(packet)
        return Packet(**{**old, **{name: value + (old[name] if is_added else 0) for name, value in fields.items()}})

    up = every(lose_up, 10) if lose_up else GOOD
    down = every(lose_down, 15) if lose_down else constant(15)
    logs = [lying.channel(lie, up, down, packets=200) for _ in range(2)]
    stream = facts_of_logs(*logs, packets=200)
    missing = sum(up(n) is None or down(n) is None for n in range(200)) * 2
    assert stream.sent - stream.received >= missing
    assert stream.sent - stream.received - missing <= stream.strays
    if stream.rtt_ms is not None and stream.away_ms is not None:
        assert 0 <= stream.rtt_ms.min <= stream.rtt_ms.max <= stream.away_ms.max
        if stream.clock_doubt is not None:
            assert stream.rtt_ms == stream.away_ms
    for direction in (stream.up, stream.down):
        for share in (direction.loss_pct, direction.delivered_pct, direction.window15_loss_pct, direction.too_late_pct):
            assert share is None or 0 <= share <= 100
    for low, high in bounds_of(stream, None).values():
        assert low is None or high is None or 0 <= low <= high
    judged = outcomes(stream)
    if missing > 50:
        assert judged["loss"] != "pass"
    if not missing:
        assert "fail" not in (judged["loss"], judged["bandwidth"])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(_WORD, _WORD), min_size=1, max_size=4), st.integers(0, 2**32), st.booleans())
def test_no_lie_about_times_fails_a_good_line(times: list[tuple[int, int]], seed: int, is_added: bool) -> None:
    chance = random.Random(seed)
    picks = [chance.choice([*times, (0, 0)]) for _ in range(203)]

    def lie(packet: Packet, asked: Asked) -> Packet:
        received, sent = picks[asked.count]
        packet.received, packet.sent = (
            (packet.received + received, packet.sent + sent) if is_added else (received, sent)
        )
        return packet

    stream = facts_of_logs(lying.channel(lie, GOOD, GOOD, packets=200), packets=200)
    judged = outcomes(stream)
    assert {judged[name] for name in ("bandwidth", "loss", "latency", "bursts")} == {"pass"}
    assert judged["jitter"] != "fail"
