"""What becomes of datagrams that die on the way? Every probe of a line asks here, and all share what the hops give.

`plan` says what to send next and what it proves, `quotes` sends it. Nobody stands in between: of those who wait for an
answer one sends for all of them, what its own probe asks and what others do.
"""

import math
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gosip_check.probes.path.plan import Plan, Question, Volley
from gosip_check.probes.path.quotes import (
    CONTROL_PORTS,
    SYN_CONTROL_PORTS,
    Reaction,
    Shot,
    control,
    sweep,
    syn_shot,
    volley,
)
from gosip_check.probes.path.ration import VOUCHERS
from gosip_check.probes.probe import Context

_LOOK_AGAIN_S = 0.25
"What another probe learned may be of use."
_STEP_S = 0.02
_LONGEST_STEP_S = 0.08
"Between two shots of a row: most quotes come back sooner, so that few are sent after the one that ends it."
_STEP_FREELY_S = 0.005
"Of a hop that was not found empty: no more than 300 shots a second."


class Fate(StrEnum):
    """What became of a datagram.

    passed: a hop at its TTL quoted it. refused: an ICMP error other than Time Exceeded. answered: a datagram came back,
    or the connection was accepted. reset: the connection was. dropped: proven by silences that were vouched for.
    undecided: silence, and nobody can say why.
    """

    PASSED = "passed"
    REFUSED = "refused"
    ANSWERED = "answered"
    RESET = "reset"
    DROPPED = "dropped"
    UNDECIDED = "undecided"


@dataclass
class Trial:
    """One shot and what has become of it so far. reaction: to the latest try. tries: how often it was sent."""

    shot: Shot
    question: Question
    fate: Fate = Fate.UNDECIDED
    reaction: Reaction = field(init=False)
    tries: int = 0

    def __post_init__(self) -> None:
        self.reaction = Reaction(self.shot, b"", ("", 0))

    @property
    def silences(self) -> int:
        """How often it was silent, and that was vouched for."""
        return len(self.question.silences)

    @property
    def answered_by(self) -> str | None:
        """Who sent the ICMP error or the datagram that came back."""
        came = self.reaction
        return came.icmp.sender if came.icmp else came.reply.address if came.reply else None

    def take(self, reaction: Reaction) -> None:
        """The reaction to one more try."""
        self.reaction = reaction
        self.tries += 1
        if reaction.reply is not None or reaction.connection == "accepted":
            self.fate = Fate.ANSWERED
        elif reaction.connection == "reset":
            self.fate = Fate.RESET
        elif reaction.icmp is not None:
            self.fate = Fate.PASSED if reaction.died_on_the_way else Fate.REFUSED


def ask(
    context: Context,
    shots: Sequence[Shot],
    until_s: float,
    *,
    ttls: Sequence[int] = (),
    control: Callable[[Shot], Shot] | None = None,
) -> list[Trial]:
    """What becomes of every shot, in their order. Ends a second after time.monotonic() is `until_s`, or earlier.

    ttls: the hops, nearest first, any of which may decide; else each shot's own. control: names the only shot that can
    vouch for a silence of this one, known to be quoted at its TTL; without it any other that the same hop quotes may.
    Raises ProbeFailed as `volley`.
    """
    trials = [trial_of(shot, ttls) for shot in shots]
    decide(context, trials, until_s, control)
    return trials


def trial_of(shot: Shot, ttls: Sequence[int] = (), *, expected: bool = True) -> Trial:
    """Not tried yet. expected: that it is quoted, so it goes without controls until it was silent once."""
    return Trial(shot, Question(_towards(shot), tuple(ttls) or (shot.ttl,), is_new=expected))


def decide(
    context: Context,
    trials: list[Trial],
    until_s: float,
    control: Callable[[Shot], Shot] | None = None,
    *,
    what: str = "",
) -> None:
    """As `ask`; what was decided when it raises ProbeFailed is in the trials. what: the question, for who watches."""
    desk = context.shared(Desk)
    desk.enter(trials, control)
    try:
        while time.monotonic() < until_s and desk.is_open(trials):
            wake_s = desk.turn(context, trials)
            if what:
                known = len(trials) - _undecided(trials)
                context.say(f"{what}: {known} of {len(trials)} known, {until_s - time.monotonic():.0f} s left at most")
            context.wait_until(min(wake_s, until_s, time.monotonic() + _LOOK_AGAIN_S))
    finally:
        desk.leave(trials)


def seek(context: Context, rows: Sequence[Sequence[Shot]], until_s: float, *, ttls: Sequence[int]) -> list[list[Trial]]:
    """Where in each row of shots does it begin that a hop quotes them? What came of those that were sent, row by row.

    A row ends with the first that is quoted, so each costs the hop one error and not many more, however long it is.
    As many rows as a hop has errors for, the first ones; none where it has none by `until_s`. A silence proves nothing.
    Raises ProbeFailed as `volley`.
    """
    desk = context.shared(Desk)
    while time.monotonic() < until_s:
        came, wake_s = desk.seek(context, rows, ttls)
        if came:
            return came
        context.wait_until(min(wake_s, until_s))
    return []


class Desk:
    """All that is asked on one line. Used by several threads; whoever has its lock sends."""

    def __init__(self) -> None:
        self.plan = Plan()
        self._lock = threading.Lock()
        self._asked: list[list[Trial]] = []
        self._controls: defaultdict[tuple[int, Hashable], dict[Hashable, Shot]] = defaultdict(dict)
        self._sought: dict[tuple[int, Hashable], list[Trial]] = {}
        self._way_s = 0.0

    @property
    def loss(self) -> float:
        """Of the round trips to hops so far, of what they must have quoted; at least what can be shown."""
        return self.plan.loss

    def surety_s(self, ttls: Sequence[int]) -> float:
        """How long it takes at these hops to make sure of all that is silent."""
        with self._lock:
            return self.plan.surety_s([ttl for ttl in ttls if self._quotes(ttl)])

    def _quotes(self, ttl: int) -> bool:
        return any(ttl == own for own, _ in self.plan.senders)

    def enter(self, trials: list[Trial], own_control: Callable[[Shot], Shot] | None = None) -> None:
        with self._lock:
            self._asked.append(trials)
            if own_control is not None:
                for trial in trials:
                    shot = own_control(trial.shot)
                    trial.question.circle = ("own", shot.address, shot.port)
                    self._controls[shot.ttl, trial.question.circle][_towards(shot)] = shot

    def leave(self, trials: list[Trial]) -> None:
        with self._lock:
            self._asked = [others for others in self._asked if others is not trials]

    def saw(self, reactions: Sequence[Reaction]) -> None:
        """What was quoted to somebody who did not ask here."""
        with self._lock:
            for reaction in reactions:
                if reaction.died_on_the_way:
                    self.plan.rations[reaction.shot.ttl].spent(1, time.monotonic())
                    self._learn(reaction)

    def is_open(self, trials: Sequence[Trial]) -> bool:
        """Some of them are undecided and may still be decided."""
        return any(trial.fate is Fate.UNDECIDED and not self._is_hopeless(trial) for trial in trials)

    def turn(self, context: Context, trials: Sequence[Trial]) -> float:
        """Send what the plan wants to be sent, for all who ask. When to come again."""
        with self._lock:
            if not self.is_open(trials):  # another one's turn has decided them
                return time.monotonic()
            self._seek_controls()
            # Who asks least goes first; he that asks much waits anyhow.
            groups = [*self._sought.values(), *sorted(self._asked, key=_undecided)]
            asked = {trial.question: trial for group in groups for trial in group}
            now_s = time.monotonic()
            volleys, wake_s = self.plan.next_volleys(asked, now_s)
            if not volleys:
                return wake_s
            self._send(context, volleys, asked)
            return time.monotonic()

    def seek(
        self, context: Context, rows: Sequence[Sequence[Shot]], ttls: Sequence[int]
    ) -> tuple[list[list[Trial]], float]:
        """What came of the first rows, at the hop that has most to give; if none has enough, when to come again."""
        with self._lock:
            now_s = time.monotonic()
            quoting = [ttl for ttl in ttls if self._quotes(ttl)]
            if not quoting:
                return [], math.inf
            ttl = max(quoting, key=lambda ttl: self.plan.rations[ttl].has(now_s))
            ration = self.plan.rations[ttl]
            count = ration.rows(now_s)
            if count < 1:
                return [], ration.has_at(2)
            step_s = min(max(_STEP_S, self._way_s), _LONGEST_STEP_S) if ration.is_limited else _STEP_FREELY_S
            reactions = sweep(context, [[replace(shot, ttl=ttl) for shot in row] for row in rows[:count]], step_s)
            for reaction in [reaction for row in reactions for reaction in row]:
                self._learn(reaction)
            given = sum(reaction.died_on_the_way for row in reactions for reaction in row)
            ration.spent(given, time.monotonic())
            return [[_tried(reaction) for reaction in row] for row in reactions], now_s

    def _send(self, context: Context, volleys: Sequence[Volley], asked: dict[Question, Trial]) -> None:
        shots: list[Shot] = []
        for each in volleys:
            shots += [replace(asked[question].shot, ttl=each.ttl) for question in each.questions]
            if each.circle is not None:
                shots += self._vouchers(each)
        sent_s = time.monotonic()
        came = volley(context, shots)
        if all(reaction.died_on_the_way for reaction in came):  # it ended with the last quote
            self._way_s = time.monotonic() - sent_s
        reactions = iter(came)
        for each in volleys:
            answers: list[bool | None] = []
            for question in each.questions:
                reaction = next(reactions)
                asked[question].take(reaction)
                self._learn(reaction)
                silent = asked[question].fate is Fate.UNDECIDED
                answers.append(False if silent else True if reaction.died_on_the_way else None)
            controls = [next(reactions).died_on_the_way for _ in range(VOUCHERS if each.circle is not None else 0)]
            self.plan.take(each, answers, controls, sent_s)
            for question in each.questions:
                if question.is_dropped:
                    asked[question].fate = Fate.DROPPED

    def _vouchers(self, asked: Volley) -> list[Shot]:
        """Two that the hop has quoted, towards addresses that are asked about: a way may have changed meanwhile."""
        known = self._controls[asked.ttl, asked.circle]
        towards = {question.towards for question in asked.questions}
        chosen = [shot for way, shot in known.items() if way in towards] or list(known.values())
        return random.sample(chosen * VOUCHERS if len(chosen) < VOUCHERS else chosen, VOUCHERS)

    def _learn(self, reaction: Reaction) -> None:
        """Who quotes there, and what can be a control: no SIP, which an ALG may hold back."""
        shot = reaction.shot
        if reaction.icmp is not None and reaction.died_on_the_way and not shot.is_sip:
            self.plan.senders[shot.ttl, _towards(shot)] = reaction.icmp.sender
            self._controls[shot.ttl, reaction.icmp.sender][_towards(shot)] = shot

    def _seek_controls(self) -> None:
        """For silences that nothing vouches for: is anything quoted on this way? One port after the other is tried."""
        for trial in [trial for group in self._asked for trial in group if self._needs_control(trial)]:
            question = trial.question
            for ttl in self.plan.usable(question):
                tried = self._sought.setdefault((ttl, question.towards), [])
                if any(each.question.is_new for each in tried):
                    break
                if len(tried) < len(_control_ports(trial.shot)):
                    tried.append(_control(trial.shot, ttl, _control_ports(trial.shot)[len(tried)]))
                    break

    def _needs_control(self, trial: Trial) -> bool:
        question = trial.question
        known = [self.plan.circle(question, ttl) for ttl in self.plan.usable(question)[:1]]  # its last silence is there
        return trial.fate is Fate.UNDECIDED and not question.is_new and known in ([], [None])

    def _is_hopeless(self, trial: Trial) -> bool:
        """No hop is left that quotes controls, or all of these have been tried."""
        sought = [self._sought.get((ttl, trial.question.towards), []) for ttl in self.plan.usable(trial.question)]
        most = len(_control_ports(trial.shot))
        all_tried = all(len(tried) == most and not tried[-1].question.is_new for tried in sought)
        return all_tried and (not sought or self._needs_control(trial))


def _tried(reaction: Reaction) -> Trial:
    trial = trial_of(reaction.shot)
    trial.take(reaction)
    return trial


def _undecided(trials: Sequence[Trial]) -> int:
    return sum(trial.fate is Fate.UNDECIDED for trial in trials)


def _towards(shot: Shot) -> Hashable:
    return shot.address, shot.is_syn


def _control_ports(shot: Shot) -> tuple[int, ...]:
    return SYN_CONTROL_PORTS if shot.is_syn else CONTROL_PORTS


def _control(shot: Shot, ttl: int, port: int) -> Trial:
    other = syn_shot(shot.address, port, ttl) if shot.is_syn else control(shot.address, ttl, port)
    return Trial(other, Question(_towards(other), (ttl,)))
