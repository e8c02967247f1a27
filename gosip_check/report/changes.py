"""What is different between two reports: requirements, figures, statements. Pure; decides nothing."""

import re
from typing import TypeVar

from gosip_check.records import Outcome, Readiness, Record, Report, Verdict
from gosip_check.report.figures import Place, figures, statements, unit_of

T = TypeVar("T")

_WORSE = [Outcome.PASS, Outcome.WARN, Outcome.UNKNOWN, Outcome.SKIPPED, Outcome.FAIL]

_NOISE_PCT = 20.0
"A figure that moved by less has stayed, for those who only want to see what changed."
_NOISE = {"ms": 1.0, "s": 1.0, "%": 5.0, "kb/s": 10.0, "Mb/s": 1.0, "MiB": 100.0}
"So has one that moved by less than this, whatever its share."
_NOISE_OF_LOSS_PCT = 0.1

_BY_CHANCE = re.compile(r"[._](port|seed|id)$")
"Names of what is another one every time."
_PORT = re.compile(r"^([^:\s]+|\[[^\s]+\]):[0-9]{1,5}$")


class VerdictChange(Record, frozen=True):
    """One requirement on one link. An outcome is None where only the other report has the requirement."""

    id: str
    link: str
    title: str
    before: Outcome | None
    after: Outcome | None
    reason_before: str
    reason_after: str

    @property
    def is_worse(self) -> bool:
        """Only among outcomes that both reports have."""
        if self.before is None or self.after is None:
            return False
        return _WORSE.index(self.after) > _WORSE.index(self.before)


class FigureChange(Record, frozen=True):
    """One number. None where only the other report has it."""

    link: str
    name: str
    unit: str
    before: float | None
    after: float | None

    @property
    def is_marked(self) -> bool:
        """It moved by more than a fifth and by more than nothing, or appeared, or went."""
        if self.before is None or self.after is None:
            return True
        noise = _NOISE.get(self.unit, 0.0)
        if self.unit == "%" and re.search("loss|late", self.name):
            noise = _NOISE_OF_LOSS_PCT
        share = max(abs(self.before), abs(self.after)) * _NOISE_PCT / 100
        return abs(self.after - self.before) > max(share, noise)


class StatementChange(Record, frozen=True):
    """One thing told in a word, such as an address. None where only the other report has it."""

    link: str
    name: str
    before: str | None
    after: str | None


class Changes(Record, frozen=True):
    """Everything that is different. Verdicts whose outcome stayed are not among them, whatever their reasons say."""

    outcome_before: Readiness
    outcome_after: Readiness
    verdicts: list[VerdictChange]
    figures: list[FigureChange]
    statements: list[StatementChange]


def changes(before: Report, after: Report) -> Changes:
    """From one report to another, in the order of the later one."""
    return Changes(
        outcome_before=before.outcome,
        outcome_after=after.outcome,
        verdicts=_verdicts(before, after),
        figures=[
            FigureChange(link=link, name=name, unit=unit_of(name), before=was, after=now)
            for (link, name), was, now in _differing(figures(before), figures(after))
        ],
        statements=[
            StatementChange(link=link, name=name, before=was, after=now)
            for (link, name), was, now in _differing(_places(before), _places(after))
        ],
    )


def _verdicts(before: Report, after: Report) -> list[VerdictChange]:
    was = {(verdict.id, verdict.link): verdict for verdict in before.verdicts}
    now = {(verdict.id, verdict.link): verdict for verdict in after.verdicts}
    found = []
    for place in dict.fromkeys([*now, *was]):
        old, new = was.get(place), now.get(place)
        if (old and old.outcome) != (new and new.outcome):
            found.append(
                VerdictChange(
                    id=place[0],
                    link=place[1],
                    title=_title(old, new),
                    before=old.outcome if old else None,
                    after=new.outcome if new else None,
                    reason_before=old.reason if old else "",
                    reason_after=new.reason if new else "",
                )
            )
    return found


def _title(old: Verdict | None, new: Verdict | None) -> str:
    return new.title if new else old.title if old else ""


def _differing(before: dict[Place, T], after: dict[Place, T]) -> list[tuple[Place, T | None, T | None]]:
    """What another run would have again, were everything the same."""
    places = [place for place in dict.fromkeys([*after, *before]) if not _BY_CHANCE.search(place[1])]
    return [(place, before.get(place), after.get(place)) for place in places if before.get(place) != after.get(place)]


def _places(report: Report) -> dict[Place, str]:
    """Statements; of `address:port` the address, because the port is another one every time."""
    return {place: _PORT.sub(r"\1", words) for place, words in statements(report).items()}
