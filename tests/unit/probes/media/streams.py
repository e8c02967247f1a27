"""Streams made up by hand: what a path, a far end and clocks would have brought back, packet by packet."""

from collections.abc import Callable, Iterable

from gosip_check.probes.media.answer import Answer, ChannelLog
from gosip_check.probes.media.stream_facts import SendingFacts, StreamFacts, facts_of

PACKETS = 1000
START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
CLOCK_OFFSET_MS = 12_345.0


def sending(late_s: Iterable[float] = (0.0001,), unsent: int = 0, clock_step_ms: float = 0.0) -> SendingFacts:
    return SendingFacts.of(sorted(late_s), unsent=unsent, queue_full=0, lasted_s=20.0, clock_step_ms=clock_step_ms)


def answers(
    up_ms: Callable[[int], float | None],
    down_ms: Callable[[int], float | None],
    stateful: bool = True,
    far_dscp: int | None = 46,
    packets: int = PACKETS,
) -> list[Answer]:
    """One channel through a path that takes `up_ms` and `down_ms` for a packet, None to lose it. A tail follows."""
    found = []
    far = 0
    for number in range(packets + 3):
        up = up_ms(number) if number < packets else 10.0
        down = down_ms(number) if number < packets else 10.0
        if up is None:
            continue
        count, far = far, far + 1
        if down is None:
            continue
        far_ns = START_NS + int((number * 20 + up + CLOCK_OFFSET_MS) * MS)
        home_ns = START_NS + int((number * 20 + up + down) * MS)
        found.append(
            Answer(
                number,
                count if stateful else number,
                up + CLOCK_OFFSET_MS,
                down - CLOCK_OFFSET_MS,
                0.05,
                far_ns,
                home_ns,
                far_dscp,
                46,
            )
        )
    return found


def facts(
    *channels: list[Answer],
    stateful: bool = True,
    sent: SendingFacts | None = None,
    drops: int = 0,
    short: int = 0,
    packets: int = PACKETS,
) -> StreamFacts:
    logs = [ChannelLog(sent=packets + 3, answers=channel) for channel in channels]
    return facts_of_logs(*logs, stateful=stateful, sent=sent, drops=drops, short=short, packets=packets)


def facts_of_logs(
    *logs: ChannelLog,
    stateful: bool = True,
    sent: SendingFacts | None = None,
    drops: int = 0,
    short: int = 0,
    packets: int = PACKETS,
) -> StreamFacts:
    return facts_of(logs, len(logs), packets, 250, stateful, sent or sending(), drops, short)


def constant(ms: float) -> Callable[[int], float | None]:
    return lambda _: ms


def every(step: int, ms: float) -> Callable[[int], float | None]:
    return lambda number: None if number % step == step - 1 else ms


def with_far_clock_moved(channel: list[Answer], at: int, ms: float) -> list[Answer]:
    """The far end's clock jumps by `ms` before it answers packet `at`."""
    return [
        a if a.sequence < at else a._replace(up_ms=a.up_ms + ms, down_ms=a.down_ms - ms, far_ns=a.far_ns + int(ms * MS))
        for a in channel
    ]


def with_own_clock_moved(channel: list[Answer], at: int, ms: float) -> list[Answer]:
    """This machine's clock jumps by `ms` before it sends packet `at`."""
    return [
        a
        if a.sequence < at
        else a._replace(up_ms=a.up_ms - ms, down_ms=a.down_ms + ms, arrived_ns=a.arrived_ns + int(ms * MS))
        for a in channel
    ]


def restarted(channel: list[Answer], at: int, back: int) -> list[Answer]:
    """The far end is down from packet `at` on, and counts from zero again when packet `back` comes."""
    first = next(a.far_sequence for a in channel if a.sequence >= back)
    return [
        a if a.sequence < at else a._replace(far_sequence=a.far_sequence - first)
        for a in channel
        if not at <= a.sequence < back
    ]
