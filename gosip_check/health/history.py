"""Kept runs in an SQLite file: every report whole, its figures, and what changed from the run before. Judges nothing.

A run is one transaction: killed at any moment, the file holds every run whose `keep` had returned.
"""

import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from gosip_check.folders import NoHomeFolder, state_folder
from gosip_check.health.database import Database, HistoryError, as_sentence
from gosip_check.records import Outcome, Readiness, Report
from gosip_check.report.changes import (
    FIGURES,
    VerdictChange,
    changes,
    news,
    sentence_of,
    stopped_as_skipped,
    with_known_addresses,
)
from gosip_check.report.figures import figures
from gosip_check.report.load import as_of_today

KEEP_DAYS = 365
_MOST_FORGOTTEN = 10
"Runs that one `keep` may let go: a clock that is wrong for a while costs little."


@dataclass(frozen=True)
class Run:
    """One kept run without its document."""

    number: int
    id: str
    site: str
    started: datetime
    elapsed_s: float
    outcome: Readiness
    counts: dict[Outcome, int]


@dataclass(frozen=True)
class Change:
    """One requirement that was judged otherwise than in the run before.

    before_since, before_runs: since when and in how many runs it had been as before; None and 0 where that is not kept.
    """

    run: Run
    verdict: VerdictChange
    before_since: datetime | None
    before_runs: int


def default_path() -> Path:
    """In systemd's state folder of the unit, else in the user's. Raises HistoryError where the user has no folder."""
    if folder := os.environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(folder) / "history.sqlite"
    try:
        return state_folder() / "history.sqlite"
    except NoHomeFolder as error:
        raise HistoryError(str(error)) from error


def site_of(report: Report) -> str:
    """Runs of the same site follow each other: same id, same checklist, same lines. A demo is a site of its own."""
    place = [report.checklist.id, *sorted(link.name for link in report.links)]
    if report.site:
        place.insert(0, report.site)
    return " ".join([*place, "(demo)"] if report.is_demo else place)


class History(Database):
    """Kept runs. Raises HistoryError wherever the file cannot be used."""

    def keep(self, report: Report, keep_days: int | None = KEEP_DAYS) -> list[Change]:
        """Keep a run, and say what changed from the one before it. Runs that are more than `keep_days` older go."""
        document = zlib.compress(msgspec.json.encode(report), 6)
        with as_sentence(self.path), self.transaction():
            last = self._last(site_of(report))
            before = self._as_looked_at(last) if last else None
            cursor = self.db.execute(
                "INSERT INTO run (id, site, started_s, elapsed_s, outcome, counts, report) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    report.id,
                    site_of(report),
                    report.started.timestamp(),
                    report.elapsed_s,
                    report.outcome.value,
                    msgspec.json.encode(report.counts).decode(),
                    document,
                ),
            )
            number = int(cursor.lastrowid or 0)
            for (link, name), value in figures(report).items():
                self.db.execute("INSERT OR IGNORE INTO name (name) VALUES (?)", (f"{link} {name}",))
                self.db.execute(
                    "INSERT INTO figure SELECT ?, number, ? FROM name WHERE name = ?", (number, value, f"{link} {name}")
                )
            found = news(before, report) if before else []
            cut = stopped_as_skipped(report)
            left_out = [c for c in changes(last, cut).verdicts if c.after is Outcome.SKIPPED] if last else []
            for change in [*found, *left_out]:
                self.db.execute(
                    "INSERT INTO change VALUES (?, ?, ?, ?)",
                    (number, change.id, change.link, msgspec.json.encode(change).decode()),
                )
            if keep_days is not None:
                self._forget(keep_days)
            return self._since(number, found)

    def _forget(self, keep_days: int) -> None:
        """Counted from the earlier of the last two runs: a clock that was years ahead once costs nothing."""
        self.db.execute(
            "DELETE FROM run WHERE number IN (SELECT number FROM run WHERE started_s < (SELECT min(started_s) FROM "
            "(SELECT started_s FROM run ORDER BY number DESC LIMIT 2)) - ? ORDER BY started_s LIMIT ?)",
            (keep_days * 86400, _MOST_FORGOTTEN),
        )

    def _as_looked_at(self, last: Report) -> Report:
        """The last run, with what it skipped as it was before that: `change` holds since when it is skipped."""
        verdicts = []
        for verdict in stopped_as_skipped(last).verdicts:
            if verdict.outcome is Outcome.SKIPPED:
                for _, change in self._changes_of(verdict.id, verdict.link, site_of(last)):
                    if change.after is Outcome.SKIPPED and change.before is not None:
                        verdict = replace(verdict, outcome=change.before, reason=change.reason_before)
                    break
            verdicts.append(verdict)
        return replace(self._with_known_addresses(last), verdicts=verdicts)

    def _with_known_addresses(self, last: Report) -> Report:
        """The last run; a link whose public address nobody said then has that of the run before, up to nine back."""
        for earlier in self._readable(site_of(last)):
            if all(link.public_address for link in last.links):
                break
            last = with_known_addresses(last, earlier)
        return last

    def since(self, report: Report, found: Sequence[VerdictChange]) -> list[Change]:
        """Changes that were found elsewhere, and how long all had been as before a kept run."""
        with as_sentence(self.path):
            row = self.db.execute("SELECT number FROM run WHERE id = ?", (report.id,)).fetchone()
            return self._since(row[0], found) if row else []

    def _last(self, site: str) -> Report | None:
        """The last run that can still be read."""
        return next(self._readable(site), None)

    def _readable(self, site: str) -> Iterator[Report]:
        """The last nine runs, those that can still be read, the latest first."""
        rows = self.db.execute("SELECT report FROM run WHERE site = ? ORDER BY number DESC LIMIT 9", (site,))
        return (report for (document,) in rows if (report := report_of(document)) is not None)

    def _since(self, number: int, found: Sequence[VerdictChange]) -> list[Change]:
        (run,) = self._runs("WHERE number = ?", (number,))
        return [self._change(run, change) for change in found]

    def _change(self, run: Run, change: VerdictChange) -> Change:
        """With how long it had been as before: from where it became so, or the first kept run, to where it ended."""
        first, end = 0, run.number
        for number, earlier in self._changes_of(change.id, change.link, run.site, run.number):
            if earlier.after is change.before:
                first = number
                break
            if earlier.before is change.before:  # another process may have seen the end before
                end = number
        started_s, count = self.db.execute(
            "SELECT min(started_s), count(*) FROM run WHERE site = ? AND number >= ? AND number < ?",
            (run.site, first, end),
        ).fetchone()
        before_since = None if started_s is None else datetime.fromtimestamp(started_s, UTC)
        return Change(run, change, before_since, int(count))

    def _changes_of(
        self, requirement: str, link: str, site: str, until: int = sys.maxsize
    ) -> Iterator[tuple[int, VerdictChange]]:
        """What became of one requirement, latest first."""
        rows = self.db.execute(
            "SELECT run, change FROM change JOIN run ON run.number = change.run "
            "WHERE requirement = ? AND link = ? AND site = ? AND run <= ? ORDER BY run DESC",
            (requirement, link, site, until),
        )
        for number, document in rows:
            yield number, msgspec.json.decode(document, type=VerdictChange)

    def runs(self, last: int) -> list[Run]:
        """The last runs, latest first."""
        with as_sentence(self.path):
            return self._runs("ORDER BY number DESC LIMIT ?", (last,))

    def _runs(self, where: str, values: Sequence[object]) -> list[Run]:
        rows = self.db.execute(
            f"SELECT number, id, site, started_s, elapsed_s, outcome, counts FROM run {where}", values
        ).fetchall()
        return [
            Run(
                number=row[0],
                id=row[1],
                site=row[2],
                started=datetime.fromtimestamp(row[3], UTC),
                elapsed_s=row[4],
                outcome=Readiness(row[5]),
                counts=msgspec.json.decode(row[6], type=dict[Outcome, int]),
            )
            for row in rows
        ]

    def changes(self, last: int) -> list[Change]:
        """All that changed in the last runs in which something did, latest first."""
        with as_sentence(self.path):
            rows = self.db.execute(
                "SELECT run, change FROM change WHERE run IN "
                "(SELECT DISTINCT run FROM change ORDER BY run DESC LIMIT ?) ORDER BY run DESC, requirement, link",
                (last,),
            ).fetchall()
            found = []
            for number, document in rows:
                change = msgspec.json.decode(document, type=VerdictChange)
                if change.after is not Outcome.SKIPPED and change.id not in FIGURES:  # older versions kept these, too
                    found += self._since(number, [change])
            return found

    def sites(self) -> list[str]:
        """Whose runs are kept here."""
        with as_sentence(self.path):
            return [site for (site,) in self.db.execute("SELECT DISTINCT site FROM run ORDER BY site")]

    def trend(self, last: int, site: str | None = None) -> dict[str, list[float]]:
        """Figure -> its values over the last runs, oldest first; a run that did not bring it has none."""
        of_site, asked = ("", []) if site is None else ("WHERE site = ? ", [site])
        with as_sentence(self.path):
            first = self.db.execute(
                f"SELECT number FROM run {of_site}ORDER BY number DESC LIMIT 1 OFFSET ?", (*asked, last - 1)
            ).fetchone()
            rows = self.db.execute(
                "SELECT name.name, value FROM figure JOIN name ON name.number = figure.name WHERE run >= ? "
                f"{'AND run IN (SELECT number FROM run WHERE site = ?) ' if site else ''}ORDER BY name.name, run",
                (first[0] if first else 0, *asked),
            )
            found: dict[str, list[float]] = {}
            for name, value in rows:
                found.setdefault(name, []).append(float(value))
            return found

    def last_ready(self, site: str) -> datetime | None:
        """When the last run began whose outcome was ready."""
        with as_sentence(self.path):
            row = self.db.execute(
                "SELECT started_s FROM run WHERE site = ? AND outcome = ? ORDER BY number DESC LIMIT 1",
                (site, Readiness.READY.value),
            ).fetchone()
            return datetime.fromtimestamp(row[0], UTC) if row else None

    def reports(self) -> Iterator[bytes]:
        """Every kept report as JSON, oldest first."""
        with as_sentence(self.path):
            for (document,) in self.db.execute("SELECT report FROM run ORDER BY number"):
                yield zlib.decompress(document)

    def count(self) -> int:
        """How many runs are kept."""
        with as_sentence(self.path):
            return int(self.db.execute("SELECT count(*) FROM run").fetchone()[0])


def sentences(changes: Sequence[Change]) -> list[str]:
    """One for each change, what became worse first, and the network before all that it explains."""
    first = sorted(changes, key=lambda change: (not change.verdict.is_worse, change.verdict.id != "network"))
    return [sentence(change) for change in first]


def sentence(change: Change) -> str:
    """What changed, and how long it had been otherwise."""
    return sentence_of(change.verdict, change.before_since, change.before_runs)


def report_of(document: bytes) -> Report | None:
    """None for one that this version cannot read: nothing can be compared with it then."""
    try:
        return as_of_today(msgspec.json.decode(zlib.decompress(document), type=Report))
    except (msgspec.DecodeError, zlib.error):
        return None
