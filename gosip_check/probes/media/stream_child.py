"""Starts `stream` as a process of its own, passes its progress on, and ends it when the run is stopped."""

import select
import subprocess
import sys
import time

import msgspec

from gosip_check.probes.media.stream import PACKETS_PER_S, StreamPlan
from gosip_check.probes.media.stream_facts import StreamFacts
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import Failure, FailureKind, Record

_LONGEST_EXTRA_S = 60.0
"Starting and waiting for the last answers fit in this."
_ARITHMETIC_S = 50e-6
"For each packet that was sent; a fast machine needs a tenth of that."
_STOP_LATENCY_S = 0.1


class _Message(Record, frozen=True):
    at_s: int | None = None
    facts: StreamFacts | None = None
    failure: Failure | None = None


def run_stream(context: Context, plan: StreamPlan) -> StreamFacts:
    """Raises ProbeFailed: whatever kept the process from measuring, or interrupted."""
    child = subprocess.Popen(
        [sys.executable, "-m", "gosip_check.probes.media.stream"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        return _watch(context, child, plan)
    finally:
        child.kill()
        child.communicate()


def _watch(context: Context, child: "subprocess.Popen[bytes]", plan: StreamPlan) -> StreamFacts:
    assert child.stdin is not None
    assert child.stdout is not None
    duration_s = plan.packets // PACKETS_PER_S
    until_s = time.monotonic() + duration_s + _LONGEST_EXTRA_S + _ARITHMETIC_S * plan.packets * plan.channels
    child.stdin.write(msgspec.json.encode(plan))
    child.stdin.close()
    child.stdin = None
    buffer = b""
    while time.monotonic() < until_s:
        context.check()
        if not select.select([child.stdout], [], [], _STOP_LATENCY_S)[0]:
            continue
        chunk = child.stdout.read1(1 << 16)  # type: ignore[attr-defined]
        if not chunk:
            break
        buffer += chunk
        while b"\n" in buffer:
            text, _, buffer = buffer.partition(b"\n")
            message = msgspec.json.decode(text, type=_Message)
            if message.facts is not None:
                return message.facts
            if message.failure is not None:
                raise ProbeFailed(message.failure.kind, message.failure.message, message.failure.culprit)
            context.say(f"media: {plan.channels} channel(s) both ways, {message.at_s} of {duration_s} s")
    child.kill()
    _, errors = child.communicate()
    last_lines = errors.decode(errors="replace").strip().splitlines()[-1:] or ["it ended without a word"]
    raise ProbeFailed(FailureKind.BUG, f"The process that sends media broke down: {last_lines[0]}")
