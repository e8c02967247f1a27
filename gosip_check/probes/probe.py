"""What a probe is: a name, an options record, a facts record and one function. No I/O here, no registry, no base class.

`measure(options, context)` returns facts or raises `ProbeFailed`; anything else that it raises is a bug in the probe
and is recorded as one. Facts say what was seen and carry no judgement. A fact that was looked for and could not be
decided is None; a probe that knows its bounds all the same has a field `between`, fact name -> (low, high), either of
them None where open. Where a fact needs words - who dropped a packet, which address answered what - they stand in
`Facts.evidence` under the fact's name, as one sentence with the numbers in it.
"""

import math
import secrets
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from gosip_check.heard import Heard
from gosip_check.probes.secret import Secret
from gosip_check.records import STOPPED, Failure, FailureKind, Link, Record

Item = TypeVar("Item")
Result = TypeVar("Result")
Brought = TypeVar("Brought", bound="Facts")


class Options(Record, frozen=True):
    """Base of every probe's options. A field comes from the requirement, the settings of the run, or the trunk."""


class Facts(Record, frozen=True):
    """Base of every probe's facts."""

    evidence: dict[str, str]
    "Fact name -> one sentence that says what was seen, with its numbers."


class ProbeFailed(Exception):
    """The probe could not bring facts. `failure` is what the measurement will carry."""

    def __init__(self, kind: FailureKind, message: str, culprit: str | None = None) -> None:
        super().__init__(message)
        self.failure = Failure(kind=kind, message=message, culprit=culprit)


class Turns:
    """Keeps two packets to one server apart, whichever probe sends them. `interval_s` None: probes pace themselves."""

    def __init__(self, interval_s: float | None = None) -> None:
        self.interval_s = interval_s
        self._ended_s: dict[str, float] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._all = threading.Lock()

    @contextmanager
    def turn(self, address: str, context: "Context") -> Iterator[None]:
        """Hold this while talking to a server: one at a time, and each a while after the last."""
        if self.interval_s is None:
            yield
            return
        with self._all:
            lock = self._locks[address]
        while not lock.acquire(timeout=0.1):
            context.check()
        try:
            context.wait_until(self._ended_s.get(address, -math.inf) + self.interval_s)
            yield
        finally:
            self._ended_s[address] = time.monotonic()
            lock.release()


@dataclass(frozen=True)
class LinkResult:
    """One internet link after all that is asked of it alone was judged."""

    link: Link
    is_ready: bool | None
    "None where that is open."
    facts: Mapping[str, Mapping[str, Any]]
    "By probe name, as in a report."
    speed: str = ""
    "What the form says of it, as somebody wrote it."


@dataclass(frozen=True)
class Context:
    """What a probe may know beside its options."""

    link: Link
    "The internet link to measure on; bind sockets to it."
    stop: threading.Event = field(default_factory=threading.Event)
    "Set when the run must end. Long waits use `wait()`, which raises once it is set."
    seen: Mapping[str, Facts] = field(default_factory=dict)
    "Facts that earlier probes brought on this link, by name; only those in `Probe.after` and `Probe.uses`."
    say: Callable[[str], None] = lambda _: None
    "One short line of progress for a person; costs nothing when nobody looks."
    turns: Turns = field(default_factory=Turns)
    "Paces what is sent to the provider's servers."
    password: Secret | None = None
    "Of the account that the run was given; only for probes that log in."
    beside: threading.Event | None = None
    "Set when the measurement that this one accompanies has ended; None where it accompanies none."
    links: Sequence[LinkResult] = ()
    "What came of every link; only for probes that compare them (`Probe.across`)."
    dns_servers: Sequence[str] = ()
    "Resolvers that the run was given, to ask for names beside this machine's own."
    system_resolvers: bool = True
    "False where this machine's own are not asked."
    addresses: dict[str, str] = field(default_factory=dict)
    "What was found for names on this link, so that every probe means the same machine."
    remains: list[str] = field(default_factory=list)
    "Sentences on what may remain at the provider when the run ends; whoever ends it says them last."
    run: str = field(default_factory=secrets.token_hex)
    "Names the run, which may measure several links; what must not be done in every run is counted by it."
    heard: Heard | None = None
    "What PBX and trunk said to each other; only for probes that listen (`Probe.listens`)."

    brought: "list[Facts]" = field(default_factory=list)
    "What this probe would leave if it were stopped now, see `so_far`."
    kept: dict[Callable[[], Any], Any] = field(default_factory=dict)
    "What the probes of this link share, see `shared`."

    def shared(self, kind: Callable[[], Result]) -> Result:
        """The one of this kind that all probes on this link share; made by whoever asks first."""
        one: Result = self.kept.setdefault(kind, kind())
        return one

    def turn(self, address: str) -> AbstractContextManager[None]:
        """Hold this while talking to a server of the provider."""
        return self.turns.turn(address, self)

    def facts_of(self, kind: type[Brought]) -> Brought | None:
        """The facts of this type that an earlier probe brought on this link; None where there are none in `seen`."""
        return next((facts for facts in self.seen.values() if isinstance(facts, kind)), None)

    def so_far(self, facts: Facts) -> None:
        """What counts should the run be stopped: facts that hold whatever would have come later, in place of earlier.

        For a probe that waits for long, as soon as it has something to lose.
        """
        msgspec.json.encode(facts)  # what no report could hold is found here, where it is one probe's fault
        self.brought[:] = [facts]

    @property
    def t1_s(self) -> float:
        """T1 of RFC 3261 17.1.1.1, the pause before the first retransmission."""
        return max(0.5, self.turns.interval_s or 0)

    def wait(self, seconds: float) -> None:
        """Sleep, but wake at once and raise ProbeFailed(interrupted) when the run is stopped."""
        if self.stop.wait(max(0.0, seconds)):
            raise ProbeFailed(FailureKind.INTERRUPTED, STOPPED)

    def check(self) -> None:
        """Raise ProbeFailed(interrupted) when the run is stopped."""
        self.wait(0)

    def wait_until(self, monotonic_s: float) -> None:
        """`wait()` to an absolute time of `time.monotonic()`."""
        self.wait(monotonic_s - time.monotonic())


@dataclass(frozen=True)
class Probe:
    """One question, and when it may be asked."""

    name: str
    options: type[Options]
    facts: type[Facts]
    measure: Callable[[Any, Context], Facts]
    subject: Callable[[Any], str] = lambda _: "this machine"
    "What a measurement with these options is about, in a few words."
    after: tuple[str, ...] = ()
    "Probes whose facts it needs."
    uses: tuple[str, ...] = ()
    "Probes whose facts it takes where they were measured before."
    alone: bool = False
    "It loads or times the path, so it runs by itself."
    local: bool = False
    "It looks at this machine only, so it works without a network."
    beside: str | None = None
    "It watches while this other probe measures, and starts with it."
    across: bool = False
    "It compares the links, so it is asked once, after all of them."
    account: bool = False
    "It logs in, so it is asked only where the run was given an account, and on the first link only."
    only_with: str = ""
    "A switch of the run without which it is not asked: what it does disturbs the people at the site."
    listens: bool = False
    "It reads what a PBX said, so it is asked by `gosip-check pbx` alone."
    deadline_s: float = 60.0
    "Longer than it can ever take; one that is not done by then is left behind, as a fault of ours."
    takes: Callable[[Any], Mapping[str, float]] = lambda _: {}
    "What takes long on a line that is well: seconds, by what a person calls it."
    rest_s: Callable[[Any], float] = lambda _: 1.0
    "About how long all the rest of it takes on such a line; for the bar that somebody watches."
    may_begin: Callable[[Any], bool] = lambda _: True
    "False where it was made so often lately that it may not be now; what an earlier run saw of it then stands."
    wanted: Callable[[Any], bool] = lambda _: True
    "False where, with these options, it has nothing for a probe that would take its facts."


def fill_options(probe: Probe, chosen: Mapping[str, Any], *sources: Mapping[str, Any]) -> Options:
    """The probe's options: what the requirement chose, and each other field from the first source that has its name.

    Raises msgspec.ValidationError when a value does not fit its field.
    """
    values = dict(chosen)
    for name in probe.options.__struct_fields__:
        for source in sources:
            if name not in values and name in source:
                values[name] = source[name]
    return msgspec.convert(values, probe.options)


def side_by_side(function: Callable[[Item], Result], items: Sequence[Item], at_once: int = 16) -> list[Result]:
    """`function` of every item, in threads, in the order of the items. Raises what the first one to fail raised.

    The threads are daemons, unlike those of concurrent.futures: one that hangs does not keep the program from ending.
    """
    waiting = deque(enumerate(items))
    results: dict[int, Result] = {}
    failures: list[BaseException] = []

    def work() -> None:
        while not failures:
            try:
                number, item = waiting.popleft()
            except IndexError:
                return
            try:
                results[number] = function(item)
            except BaseException as failure:  # not dealt with here: the caller gets it
                failures.append(failure)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(at_once, len(items)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [results[number] for number in range(len(items))]
