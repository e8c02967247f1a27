"""Starts `echoes` as a process of its own, gives it one plan after the other, and passes its progress on."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from gosip_check.probes.media.child import Child, child
from gosip_check.probes.media.echo_rule import Phase
from gosip_check.probes.media.echoes import EchoMessage, EchoPlan
from gosip_check.probes.net.echo import open_echo
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind

_LONGEST_EXTRA_S = 30.0
"Starting and waiting for the last answers fit in this."


class Echoes:
    """The running process. Made by `echoes_of` only."""

    def __init__(self, context: Context, process: Child) -> None:
        self._context, self._process = context, process

    def send(self, plan: EchoPlan, label: str) -> list[Phase]:
        """A phase for each stream of the plan. label: what a person is told is going on.

        Raises ProbeFailed: permission where this user may not send ICMP echoes, bug, interrupted.
        """
        self._context.say(f"media: {label}, {plan.seconds:.0f} s left")
        self._process.give(plan)
        for line in self._process.lines(plan.seconds + _LONGEST_EXTRA_S):
            message = msgspec.json.decode(line, type=EchoMessage)
            if message.failure is not None:
                raise ProbeFailed(message.failure.kind, message.failure.message)
            if message.phases is not None:
                return message.phases
            self._context.say(f"media: {label}, {_so_far(message)}, {plan.seconds - (message.at_s or 0):.0f} s left")
        raise ProbeFailed(FailureKind.BUG, "The process that sends echoes ended without a result.")


@contextmanager
def echoes_of(context: Context) -> Iterator[Echoes]:
    """Echoes of the context's link. Raises ProbeFailed(permission) where this user may not send any."""
    open_echo(context.link).close()  # so that no process is started for nothing
    with child(context, "gosip_check.probes.media.echoes") as process:
        process.give(context.link)
        yield Echoes(context, process)


def _so_far(message: EchoMessage) -> str:
    trip = "no answer yet" if message.rtt_ms is None else f"round trip {message.rtt_ms:.0f} ms"
    return f"{trip}, {message.lost} lost"
