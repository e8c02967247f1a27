"""Starts `stream` as a process of its own, and passes its progress on."""

import msgspec

from gosip_check.probes.media.child import child
from gosip_check.probes.media.pacing import PACKETS_PER_S
from gosip_check.probes.media.stream import StreamPlan
from gosip_check.probes.media.stream_facts import StreamFacts
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import Failure, FailureKind, Record

_LONGEST_EXTRA_S = 60.0
"Starting and waiting for the last answers fit in this."
_ARITHMETIC_S = 50e-6
"For each packet that was sent; a fast machine needs a tenth of that."


class _Message(Record, frozen=True):
    at_s: int | None = None
    facts: StreamFacts | None = None
    failure: Failure | None = None


def run_stream(context: Context, plan: StreamPlan) -> StreamFacts:
    """Raises ProbeFailed: whatever kept the process from measuring, or interrupted."""
    duration_s = plan.packets // PACKETS_PER_S
    within_s = duration_s + _LONGEST_EXTRA_S + _ARITHMETIC_S * plan.packets * plan.channels
    with child(context, "gosip_check.probes.media.stream") as process:
        process.give(plan)
        for line in process.lines(within_s):
            message = msgspec.json.decode(line, type=_Message)
            if message.facts is not None:
                return message.facts
            if message.failure is not None:
                raise ProbeFailed(message.failure.kind, message.failure.message, message.failure.culprit)
            context.say(f"media: {plan.channels} channel(s) both ways, {message.at_s} of {duration_s} s")
    raise ProbeFailed(FailureKind.BUG, "The process that sends media ended without a result.")
