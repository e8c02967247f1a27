"""What the script of a phase sees and does. A script is a generator: it yields until when it waits, and never blocks.

def outgoing(stage):
    stage.say("Dial 79019648 from any phone.")
    call = yield from stage.next_call()
    if call is not None:
        yield from stage.finish(call)
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from gosip_check.heard import Place
from gosip_check.servers.rehearsal.asking import Questions, Say
from gosip_check.servers.rehearsal.call import Call
from gosip_check.servers.rehearsal.calls import Calls
from gosip_check.servers.rehearsal.from_pbx import FromPbx, Plan
from gosip_check.servers.rehearsal.to_pbx import ToPbx
from gosip_check.servers.rehearsal.world import World

Script = Generator[float, None, bool | None]
"It yields the time at which it wants to go on at the latest. False: it did not take place."

ANSWER_S = 60.0
"So long a phase waits for an answer of the installer."
_PERSON_S = 45.0
_BYE_S = 5.0


@dataclass(frozen=True)
class Bound:
    """Where the PBX is: its contact as registered, where its packets come from, at which site."""

    contact: str
    peer: Place
    site: int


@dataclass
class Registered:
    """What the registrar has seen. bound: None while nobody is registered. renewed: times granted, and then renewed."""

    bound: Bound | None = None
    granted_s: int = 0
    successes: list[tuple[float, int]] = field(default_factory=list)
    "(when, site) of each."
    refused_s: list[float] = field(default_factory=list)
    ignored_s: list[float] = field(default_factory=list)
    "When the silent site got a REGISTER."
    taken_back_s: float | None = None
    renewed: set[int] = field(default_factory=set)


class Stage:
    """One phase. patience: by how much the time is multiplied that a person gets.

    Times are those of the clock that never goes back.
    """

    def __init__(
        self,
        calls: Calls,
        registered: Registered,
        questions: Questions,
        say: Say,
        numbers: tuple[str, ...],
        within_s: float,
        patience: float,
        world: World,
    ) -> None:
        self._world = world
        self._calls, self.registered, self._questions, self.say = calls, registered, questions, say
        self.numbers, self._patience = numbers, patience
        self.began_s = self._world.monotonic()
        self._ends_s = self.began_s + within_s
        self._seen = set(calls.made)
        calls.plan = Plan()

    # Waiting

    def until(self, happened: Callable[[], object], within_s: float) -> Generator[float, None, bool]:
        """True when it has happened. Never longer than the phase may last."""
        ends_s = min(self._world.monotonic() + within_s, self._ends_s)
        while not happened():
            if self._world.monotonic() >= ends_s:
                return False
            yield ends_s
        return True

    def until_done(self, happened: Callable[[], object], within_s: float = _PERSON_S) -> Generator[float, None, bool]:
        """The same for what a person does."""
        return (yield from self.until(happened, within_s * self._patience))

    def pause(self, for_s: float) -> Generator[float, None, bool]:
        return (yield from self.until(lambda: False, for_s))

    # The installer

    def ask(self, question: str, **values: str) -> None:
        self._questions.put(question, **values)

    def answer(self, question: str) -> Generator[float, None, bool | None]:
        """What he said; None where he has not in time."""
        yield from self.until(lambda: question not in self._questions.is_open, ANSWER_S)
        return self._questions.answers.get(question)

    def is_yes(self, question: str) -> bool:
        return self._questions.answers.get(question) is True

    # Registrations in this phase

    def has_registered(self, site: int | None = None) -> bool:
        return any(at_s >= self.began_s and site in (None, at) for at_s, at in self.registered.successes)

    def has_moved(self) -> bool:
        """To the second site, after the first did not answer."""
        ignored_s = next((at_s for at_s in self.registered.ignored_s if at_s >= self.began_s), None)
        return ignored_s is not None and any(
            site == 1 and at_s >= ignored_s for at_s, site in self.registered.successes
        )

    def was_refused(self) -> bool:
        """A REGISTER with credentials was."""
        return any(at_s >= self.began_s for at_s in self.registered.refused_s)

    def is_taken_back(self) -> bool:
        return (self.registered.taken_back_s or 0.0) >= self.began_s

    # Calls

    def plan(self, plan: Plan) -> None:
        """How the next calls of the PBX are answered, in this phase."""
        self._calls.plan = plan

    def call(self, caller: str, number: str, *, site: int | None = None, is_plain: bool = False) -> ToPbx | None:
        """A call to the PBX, from the site at which it is registered. None where it is not, or that cannot be."""
        bound = self.registered.bound
        if bound is None:
            return None
        at = bound.site if site is None else site
        call = self._calls.to_pbx(at, bound.peer, bound.contact, caller, number, is_plain=is_plain)
        self._seen.update([] if call is None else [call])
        return call

    def next_call(self, within_s: float = _PERSON_S) -> Generator[float, None, FromPbx | None]:
        """The next call of the PBX that was not given out yet; with a challenge, the one that answers it."""
        yield from self.until_done(self.new_calls, within_s)
        new = self.new_calls()
        if not new:
            return None
        self._seen.add(new[0])
        return new[0]

    def new_calls(self) -> list[FromPbx]:
        """Those of the PBX in this phase that `next_call` has not given out."""
        return [call for call in self._calls.made if isinstance(call, FromPbx) and call not in self._seen]

    def answered(self, call: Call, within_s: float = _PERSON_S) -> Generator[float, None, bool]:
        """It is, and not already over."""
        yield from self.until_done(lambda: call.is_answered or call.is_over, within_s)
        return call.is_answered and not call.is_over

    def finish(self, *calls: Call | None, after_s: float = 0.0) -> Generator[float, None, None]:
        """Each ends: by the PBX within after_s, else by the trunk. None is no call."""
        for call in calls:
            if call is not None:
                yield from self.until_done(lambda call=call: call.is_over, after_s)  # type: ignore[misc]
                call.hang_up()
        yield from self.until(lambda: not any(call and not call.is_over for call in calls), _BYE_S)
        yield from self.pause(0.2)
