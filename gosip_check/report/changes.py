"""What is different between two reports: requirements, figures, statements. Pure; decides nothing."""

import re
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from gosip_check.records import Outcome, Readiness, Record, Report, Verdict
from gosip_check.report.figures import FactKey, figures, statements
from gosip_check.report.sentences import first_sentence
from gosip_check.report.text import visible
from gosip_check.values import unit_of

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
    headline: str = ""
    "What it is called now; empty where a report has only what is so of a ready site."

    @property
    def what(self) -> str:
        """What is so now, as one whole sentence."""
        return f"{visible(self.headline, 200)}." if self.headline else visible(first_sentence(self.reason_after), 120)

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
    """One word, such as an address. None where only the other report has it."""

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
            for (link, name), was, now in _differing(_statements(before), _statements(after))
        ],
    )


FIGURES = ("host.cpu", "host.memory", "edge.cpu", "edge.memory")
"Requirements whose outcome comes and goes with a second's load: figures to be drawn, no events."


def news(before: Report, after: Report) -> list[VerdictChange]:
    """What somebody who watches wants to hear: the network of a line and its public address, then requirements that
    both reports looked at, and what is new and does not pass.

    What is a figure only is left out. So is what is not looked at any more: on request, or because something before it
    failed or took all the time.
    """
    before, after = stopped_as_skipped(before), stopped_as_skipped(after)
    changed = [change for change in _verdicts(before, after) if change.id not in FIGURES]
    looked_at = [change for change in changed if change.after not in (None, Outcome.SKIPPED)]
    seen = [
        replace(change, before=None) if change.before is Outcome.SKIPPED else change
        for change in looked_at
        if change.after is not Outcome.PASS or change.before not in (None, Outcome.SKIPPED)
    ]
    return [*_networks(before, after), *_public_addresses(before, after), *seen]


def as_looked_at(before: Report, after: Report) -> Report:
    """The later report, with what it skipped as it was before: what the one after it is to be compared with."""
    after = stopped_as_skipped(after)
    was = {(verdict.id, verdict.link): verdict for verdict in before.verdicts}
    return replace(
        with_known_addresses(after, before),
        verdicts=[was.get((v.id, v.link), v) if v.outcome is Outcome.SKIPPED else v for v in after.verdicts],
    )


def with_known_addresses(after: Report, before: Report) -> Report:
    """The later report; a link whose public address nobody said this time has the one of before."""
    known = {link.name: link.public_address for link in before.links}
    return replace(
        after,
        links=[replace(x, public_address=x.public_address or known.get(x.name)) for x in after.links],
    )


def stopped_as_skipped(report: Report) -> Report:
    """What a run that was cut short did not get to, it did not look at."""
    return replace(
        report,
        verdicts=[replace(v, outcome=Outcome.SKIPPED, stopped=False) if v.stopped else v for v in report.verdicts],
    )


def sentence_of(change: VerdictChange, before_since: datetime | None = None, before_runs: int = 0) -> str:
    """What changed, and how long it had been otherwise where that is known."""
    if change.id == PUBLIC_ADDRESS:
        since = f"It had been so since {before_since:%Y-%m-%d %H:%M} UTC. " if before_since and before_runs else ""
        return (
            f"The public address of {change.link} changed from {change.reason_before} to {change.reason_after}. "
            f"{since}Tell the provider: it may refuse an address that it does not know."
        )
    if change.before is None:
        return f"{change.id} on {change.link} is {change.after}, and had not been looked at before. {change.what}"
    sentence = f"{change.id} on {change.link} changed from {change.before} to {change.after}"
    if before_since is not None and before_runs:
        sentence += f"; it had been {change.before} in {before_runs} run(s) since {before_since:%Y-%m-%d %H:%M} UTC"
    if not change.is_worse:
        return f"{sentence}."
    return f"{sentence}. {change.what} It was better before: look at what was reset, replaced or updated since."


PUBLIC_ADDRESS = "public-address"
"The id of the news that a link is seen at another address. It is an event, so its outcome stays."


def _public_addresses(before: Report, after: Report) -> list[VerdictChange]:
    """Links that are seen at another public address than before; `reason_before` and `reason_after` are the two."""
    was = {link.name: link.public_address for link in before.links}
    return [
        VerdictChange(
            id=PUBLIC_ADDRESS,
            link=link.name,
            title="The public address stays the same",
            before=Outcome.PASS,
            after=Outcome.PASS,
            reason_before=known,
            reason_after=link.public_address,
        )
        for link in after.links
        if (known := was.get(link.name)) and link.public_address and link.public_address != known
    ]


def _networks(before: Report, after: Report) -> list[VerdictChange]:
    """A line that lost its network, or has it back, as the one change that explains all others."""
    was = {link.name: link.trouble for link in before.links}
    return [
        VerdictChange(
            id="network",
            link=link.name,
            title="There is a network towards the provider",
            before=Outcome.FAIL if was[link.name] else Outcome.PASS,
            after=Outcome.FAIL if link.trouble else Outcome.PASS,
            reason_before=was[link.name] or "",
            reason_after=link.trouble or "",
        )
        for link in after.links
        if link.name in was and bool(was[link.name]) is not bool(link.trouble)
    ]


def _verdicts(before: Report, after: Report) -> list[VerdictChange]:
    was = {(verdict.id, verdict.link): verdict for verdict in before.verdicts}
    now = {(verdict.id, verdict.link): verdict for verdict in after.verdicts}
    changed = []
    for id_, link in dict.fromkeys([*now, *was]):
        old, new = was.get((id_, link)), now.get((id_, link))
        if (old and old.outcome) != (new and new.outcome):
            changed.append(
                VerdictChange(
                    id=id_,
                    link=link,
                    title=_title(old, new),
                    before=old.outcome if old else None,
                    after=new.outcome if new else None,
                    reason_before=old.reason if old else "",
                    reason_after=new.reason if new else "",
                    headline=new.headline if new else "",
                )
            )
    return changed


def _title(old: Verdict | None, new: Verdict | None) -> str:
    return new.title if new else old.title if old else ""


def _differing(before: dict[FactKey, T], after: dict[FactKey, T]) -> list[tuple[FactKey, T | None, T | None]]:
    """What another run would have again, were everything the same."""
    keys = [key for key in dict.fromkeys([*after, *before]) if not _BY_CHANCE.search(key[1])]
    return [(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]


def _statements(report: Report) -> dict[FactKey, str]:
    """Of `address:port` only the address, because the port is another one every time."""
    return {key: _PORT.sub(r"\1", statement) for key, statement in statements(report).items()}
