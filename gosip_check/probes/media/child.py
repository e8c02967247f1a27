"""A process of our own that measures: what it is given goes in as lines of JSON, what it says comes out as lines."""

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind, Record

_STOP_LATENCY_S = 0.1
_NICE = -10


class Child:
    """Made by `child` only."""

    def __init__(self, context: Context, process: "subprocess.Popen[bytes]") -> None:
        self._context, self._process, self._buffer = context, process, b""

    def give(self, record: Record) -> None:
        """One line in. Raises ProbeFailed(bug) where the process has ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(record) + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._broke_down() from error

    def lines(self, within_s: float) -> Iterator[bytes]:
        """What it says, line by line, without end.

        Raises ProbeFailed: bug once the process has ended, or when it takes longer; interrupted.
        """
        assert self._process.stdout is not None
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s:
            while b"\n" in self._buffer:
                line, _, self._buffer = self._buffer.partition(b"\n")
                yield line
            self._context.check()
            if not select.select([self._process.stdout], [], [], _STOP_LATENCY_S)[0]:
                continue
            chunk = self._process.stdout.read1(1 << 16)  # type: ignore[attr-defined]
            if not chunk:
                break
            self._buffer += chunk
        raise self._broke_down()

    def _broke_down(self) -> ProbeFailed:
        self._process.kill()
        _, errors = self._process.communicate()
        last_lines = errors.decode(errors="replace").strip().splitlines()[-1:] or ["it ended without a word"]
        return ProbeFailed(FailureKind.BUG, f"The process that sends media broke down: {last_lines[0]}")


@contextmanager
def child(context: Context, module: str, descriptors: Sequence[int] = ()) -> Iterator[Child]:
    """Runs `python -m MODULE`, and ends it with the block. descriptors: open sockets that it gets as well."""
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        pass_fds=descriptors,
    )
    try:
        yield Child(context, process)
    finally:
        process.kill()
        process.communicate()


def go_first() -> None:
    """In the process itself: before what else runs here, where this user may (root)."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)


def say(message: object) -> None:
    """In the process itself: one line out."""
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()
