"""What to ask which hop next, and what an answer or a silence proves. Pure: opens nothing, reads no clock.

That a datagram was quoted proves that it got there, and needs no control. Silence proves nothing, until it is vouched
for: all that was silent goes to a hop once more in one volley, and two controls right behind it that are both quoted
show that the hop had not run empty, because a ration only shrinks from one datagram to the next. So what a hop gives is
spent on what is new first, two of these vouch as well as controls do, and on controls only for what stays silent: two
for all of them together.

A datagram counts as dropped after as many silences as make bad luck rare at the loss that was measured meanwhile.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gosip_check.probes.path.ration import VOUCHERS, Ration

FEWEST_SILENCES = 4
_MOST_SILENCES = 12
_PORTS = 28
_FALSE = 1e-5
"How likely it may be that a site with so many good ports has one that is called dropped."
_LEAST_LOSS = 0.02
"Few answers prove no smaller one."
_MOST_IN_VAIN = 5
"So often in a row controls may be lost before nothing more is asked of them there."
APART_S = 0.5
"Between two tries of one datagram: a moment's outage must not make two silences."


@dataclass(eq=False)
class Question:
    """One datagram that is asked about. ttls: where it may die, nearest first.

    towards: questions with the same value take the same way. circle: what vouches for it, where nothing else may.
    silences: where it met each that was vouched for.
    doubts: tries that were silent though the hop had not run empty: lost, if it is answered one day.
    """

    towards: Hashable
    ttls: tuple[int, ...]
    circle: Hashable | None = None
    is_new: bool = True
    is_answered: bool = False
    is_dropped: bool = False
    silences: list[int] = field(default_factory=list)
    doubts: int = 0
    last_s: float = -math.inf

    def silences_left(self, enough: int) -> int:
        """How many more make it dropped, where `enough` do."""
        return enough - len(self.silences)


@dataclass(frozen=True)
class Volley:
    """What goes to one hop, in this order. circle: what to send two controls of right behind it; None: none.

    explores: more than the hop is known to give.
    """

    ttl: int
    questions: list[Question]
    circle: Hashable | None
    explores: bool = False


@dataclass
class Plan:
    """All that is asked of all hops. senders: (ttl, towards) -> who quotes there, where somebody did.

    in_vain: (ttl, circle) -> volleys in a row whose controls were lost though the hop should have had something for
    them; where nothing else may vouch, those of which nothing was quoted at all. quoted, lost: datagrams that must have
    been quoted, and were or were not.
    """

    rations: defaultdict[int, Ration] = field(default_factory=lambda: defaultdict(Ration))
    senders: dict[tuple[int, Hashable], Hashable] = field(default_factory=dict)
    in_vain: Counter[tuple[int, Hashable]] = field(default_factory=Counter)
    quoted: int = 0
    lost: int = 0

    @property
    def loss(self) -> float:
        """Of the round trips so far; at least what few of them can show."""
        return max(_LEAST_LOSS, self.lost / max(1, self.lost + self.quoted))

    @property
    def silences_needed(self) -> int:
        """What makes one of 28 good ports look dropped in fewer than one of 100,000 sites."""
        enough = math.floor(math.log(_FALSE / _PORTS) / math.log(self.loss)) + 1
        return min(_MOST_SILENCES, max(FEWEST_SILENCES, enough))

    def surety_s(self, ttls: Sequence[int]) -> float:
        """How long so many silences take at these hops together; a sixth of the volleys may count for nothing."""
        per_s = sum(self.rations[ttl].per_s for ttl in ttls)
        is_free = not all(self.rations[ttl].is_limited for ttl in ttls)
        return 1.2 * self.silences_needed * (1.0 if is_free else max(1.0, VOUCHERS / per_s))

    def usable(self, question: Question) -> list[int]:
        """The hops that it may still be asked at; empty: it cannot be decided."""
        return [ttl for ttl in question.ttls if self.in_vain[ttl, self.circle(question, ttl)] < _MOST_IN_VAIN]

    def circle(self, question: Question, ttl: int) -> Hashable | None:
        """What vouches for its silence there; None where nothing is known yet."""
        return question.circle or self.senders.get((ttl, question.towards))

    def next_volleys(self, questions: Iterable[Question], now_s: float) -> tuple[list[Volley], float]:
        """What to send now, and if that is nothing, when to ask again (infinite: there is nothing left to ask)."""
        left = [question for question in questions if not question.is_answered and not question.is_dropped]
        usable = {question: self.usable(question) for question in left}
        ttls = {ttl for question in left for ttl in usable[question]}
        volleys: list[Volley] = []
        wake_s = math.inf
        for ttl in sorted(ttls, key=lambda ttl: -self.rations[ttl].has(now_s)):
            volley, then_s = self._volley(ttl, {q: usable[q][0] for q in left if ttl in usable[q]}, now_s)
            wake_s = min(wake_s, then_s)
            if volley is not None:
                volleys.append(volley)
                left = [question for question in left if question not in volley.questions]
        return volleys, wake_s

    def _volley(self, ttl: int, asked: Mapping[Question, int], now_s: float) -> tuple[Volley | None, float]:
        """asked: what may be asked there -> the nearest hop where it may be asked."""
        ration = self.rations[ttl]
        enough = self.silences_needed
        new = [question for question in asked if question.is_new]
        waiting = [
            question
            for question, nearest in asked.items()
            if not question.is_new
            # The last silence that it needs is one at the nearest hop: further out something else may drop it.
            and (ttl == nearest or nearest in question.silences or question.silences_left(enough) > 1)
            and self.circle(question, ttl) is not None
        ]
        ready_s = min((question.last_s + APART_S for question in waiting), default=math.inf)
        circle, silent = self._largest_circle([q for q in waiting if q.last_s + APART_S <= now_s], ttl)
        silent = sorted(silent, key=lambda question: question.last_s)[: ration.vouched_at_once()]
        most = ration.may_explore(now_s)
        if circle is None:
            circle = next((c for q in new if (c := self.circle(q, ttl)) is not None), None)
        if most and circle is not None and (new or silent):
            return Volley(ttl, [*silent, *new[: max(0, most - len(silent))]], circle, explores=True), now_s
        ways = {question.towards for question in silent}
        vouching = [question for question in new if question.circle is None and question.towards in ways]
        if silent and silent[0].circle is None and len(vouching) >= VOUCHERS:  # two that are quoted are two controls
            if ration.gives(now_s) >= VOUCHERS:
                return Volley(ttl, [*silent, *vouching[: ration.gives(now_s)]], None), now_s
            return None, ration.has_at(VOUCHERS)
        if new:
            if ration.gives(now_s) >= 1:
                return Volley(ttl, new[: ration.gives(now_s)], None), now_s
            return None, ration.has_at(1)
        if silent:
            if ration.gives(now_s) >= VOUCHERS:
                return Volley(ttl, silent, circle), now_s
            return None, ration.has_at(VOUCHERS)
        return None, ready_s

    def _vouched(self, volley: Volley, quoted: Sequence[bool | None], controls: Sequence[bool]) -> set[Question]:
        """The silent ones behind which two were quoted that may vouch for them: then the hop had not run empty."""
        silent = [question for question, came in zip(volley.questions, quoted, strict=True) if came is False]
        ways = {question.towards for question in silent}  # one of them alone may be down
        behind: Counter[Hashable | None] = Counter({volley.circle: sum(controls)})
        vouched = set()
        for question, came in reversed(list(zip(volley.questions, quoted, strict=True))):
            circle = self.circle(question, volley.ttl)
            if came is False and circle is not None and behind[circle] >= VOUCHERS:
                vouched.add(question)
            behind[circle] += came is True and question.circle is None and question.towards in ways
        return vouched

    def _largest_circle(self, silent: Sequence[Question], ttl: int) -> tuple[Hashable | None, list[Question]]:
        circles: defaultdict[Hashable | None, list[Question]] = defaultdict(list)
        for question in silent:
            circles[self.circle(question, ttl)].append(question)
        return max(circles.items(), key=lambda item: len(item[1]), default=(None, []))

    def take(self, volley: Volley, quoted: Sequence[bool | None], controls: Sequence[bool], sent_s: float) -> None:
        """What came of a volley: did the hop quote each question (None: something else answered), and each control?"""
        ration, given = self.rations[volley.ttl], quoted.count(True) + sum(controls)
        outcome = [*quoted, *controls]
        in_doubt = sum(
            question.is_new and came is False for question, came in zip(volley.questions, quoted, strict=True)
        )
        vouched = self._vouched(volley, quoted, controls)
        for number, (question, came) in enumerate(zip(volley.questions, quoted, strict=True)):
            question.last_s = sent_s
            if came is not False:
                question.is_answered = True
                self.lost += question.doubts if came else 0  # who refuses may ration as well, and not the line lose
                continue
            if question in vouched:
                question.doubts += 1
                question.silences.append(volley.ttl)
            if any(outcome[number + 1 :]) or not controls:
                question.is_new = False
        self.quoted += given
        self.lost += list(controls) == [False, True] and not volley.explores
        if not controls:
            ration.spent(given + 0.2 * in_doubt, sent_s)  # most of these were dropped on the way there
        elif all(controls):
            ration.kept_its_word(given, sent_s, explored=volley.explores)
            self.in_vain[volley.ttl, volley.circle] = 0
        elif controls[-1]:
            ration.spent(given, sent_s)
        elif any(question.circle == volley.circle for question in volley.questions):
            ration.wait_for_more(sent_s)  # what vouches here may have been dropped before the hop
            self.in_vain[volley.ttl, volley.circle] = 0 if given else self.in_vain[volley.ttl, volley.circle] + 1
        else:
            is_less = ration.ran_empty(given, sent_s, explored=volley.explores)
            self.in_vain[volley.ttl, volley.circle] += is_less
        for question in volley.questions:
            question.is_dropped = question.silences_left(self.silences_needed) <= 0 and not question.is_answered
