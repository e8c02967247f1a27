"""When packets leave: at absolute deadlines, spread evenly over the channels. Counts how well this machine kept them.

Sends nothing itself and never spins. Arrivals carry the kernel's time, so whoever sends reads now and then meanwhile.
"""

import errno
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass

from gosip_check.probes.media.stream_facts import SendingFacts

PACKETS_PER_S = 50
INTERVAL_S = 1 / PACKETS_PER_S
GRACE_S, QUIET_S = 2.0, 0.5
"After the last packet, others are waited for until none has come for QUIET_S, and never longer than the grace."
_SLEEP_FROM_S = 20e-6
_QUEUE_FULL = (errno.ENOBUFS, errno.EAGAIN)
"The interface of this machine took no more: it is slower than the load, or its cable was out for a moment."


@dataclass(frozen=True)
class Paced:
    """late_s: how late each packet left. unsent: packets that did not leave this machine; queue_full: no room."""

    late_s: "array[float]"
    unsent: int
    queue_full: int
    lasted_s: float

    def facts(self, clock_step_ms: float) -> SendingFacts:
        """clock_step_ms: how far the clock was moved meanwhile."""
        return SendingFacts.of(
            sorted(self.late_s),
            unsent=self.unsent,
            queue_full=self.queue_full,
            lasted_s=self.lasted_s,
            clock_step_ms=clock_step_ms,
        )


def send_paced(
    packets: int,
    channels: int,
    start_s: float,
    send: Callable[[int, int], None],
    say: Callable[[int], None] = lambda _: None,
) -> Paced:
    """packets: of each channel. start_s: of time.monotonic(). say: once a second, how many seconds have passed.

    send: channel and number of a packet; raises OSError where it does not leave this machine.
    """
    spacing_s = INTERVAL_S / channels
    late_s = array("f")
    unsent = queue_full = 0
    for number in range(packets * channels):
        sequence, channel = divmod(number, channels)
        deadline_s = start_s + number * spacing_s
        sleep_until(deadline_s)
        late_s.append(time.monotonic() - deadline_s)
        try:
            send(channel, sequence)
        except OSError as error:
            queue_full += error.errno in _QUEUE_FULL
            unsent += error.errno not in _QUEUE_FULL
        if channel == channels - 1 and (sequence + 1) % PACKETS_PER_S == 0:
            say((sequence + 1) // PACKETS_PER_S)
    return Paced(late_s, unsent, queue_full, time.monotonic() - start_s)


def sleep_until(deadline_s: float) -> None:
    """By time.monotonic(). A moment that is too short for the system to wake us is left out."""
    wait_s = deadline_s - time.monotonic()
    if wait_s > _SLEEP_FROM_S:
        time.sleep(wait_s)


def read_until_quiet(read: Callable[[], int], expected: int) -> None:
    """read: takes what has arrived; how many packets that makes so far. Ends with the expected ones, too."""
    until_s = time.monotonic() + GRACE_S
    heard_s, before = time.monotonic(), 0
    while (now_s := time.monotonic()) < until_s and now_s - heard_s < QUIET_S:
        time.sleep(0.02)
        kept = read()
        if kept >= expected:
            return
        if kept != before:
            heard_s, before = time.monotonic(), kept
