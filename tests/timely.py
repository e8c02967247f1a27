"""A machine that keeps time, for tests whose subject is a line: asked of the scheduler, and measured by the tool.

Media is sent every 20 ms. On a machine that is busy with something else the tool finds that it sent late, and says
rightly that nothing is decided. So a test that needs a machine in time goes first where that is allowed (root), looks
at the tool's count of packets that were late, and measures again, a few times. What it then asserts stays as it is.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

TRIES = 4
Measured = TypeVar("Measured")


@contextlib.contextmanager
def going_first() -> Iterator[None]:
    """For a while this thread, and the threads and programs that it starts, run before what does not ask for it."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def kept_time(report: dict[str, Any]) -> bool:
    """Whether nothing of this machine's own making stands in a report's media, as far as it measured any."""
    media = [m["facts"] for m in report["measurements"] if m["probe"] == "media" and m["facts"]]
    return not any(facts[name] for facts in media for name in ("sent_late", "unsent", "own_drops", "far_late"))


def in_time(measure: Callable[[], Measured], kept: Callable[[Measured], bool]) -> Measured:
    """What `measure` brings, the first time that the machine kept time; else what it brought last."""
    for _ in range(TRIES - 1):
        measured = measure()
        if kept(measured):
            return measured
    return measure()
