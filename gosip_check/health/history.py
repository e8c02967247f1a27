"""Kept runs in an SQLite file: every report whole, its figures, and what changed from the run before. Judges nothing.

Write-ahead logging, and a run is one transaction: killed at any moment, the file opens again and holds every run whose
`keep` had returned. Two writers wait for each other. A file of a newer version is refused, never guessed at.
"""

import contextlib
import os
import sqlite3
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from gosip_check.folders import NoHomeFolder, state_folder
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

VERSION = 1
"PRAGMA user_version of the files that this version writes."

KEEP_DAYS = 365
_BUSY_S = 15.0

_MOST_FORGOTTEN = 10
"Runs that one `keep` may let go: a clock that is wrong for a while costs little."

_TABLES = """
CREATE TABLE run (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, site TEXT NOT NULL, started_s REAL NOT NULL,
  elapsed_s REAL NOT NULL, outcome TEXT NOT NULL, counts TEXT NOT NULL, report BLOB NOT NULL
);
CREATE INDEX run_site ON run (site, number);
CREATE INDEX run_started ON run (started_s);
CREATE INDEX run_outcome ON run (site, outcome, number);
CREATE TABLE name (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE figure (
  run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE, name INTEGER NOT NULL REFERENCES name (number),
  value REAL NOT NULL, PRIMARY KEY (name, run)
) WITHOUT ROWID;
CREATE INDEX figure_run ON figure (run);
CREATE TABLE change (
  run INTEGER NOT NULL REFERENCES run (number) ON DELETE CASCADE, requirement TEXT NOT NULL, link TEXT NOT NULL,
  change TEXT NOT NULL, PRIMARY KEY (run, requirement, link)
) WITHOUT ROWID;
CREATE INDEX change_requirement ON change (requirement, link, run);
"""


class HistoryError(Exception):
    """The history cannot be used. The text is a sentence."""


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
    """In systemd's state folder of the unit, else in the user's. Raises HistoryError where there is none."""
    if folder := os.environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(folder) / "history.sqlite"
    try:
        return state_folder() / "history.sqlite"
    except NoHomeFolder as error:
        raise HistoryError(str(error)) from error


def site_of(report: Report) -> str:
    """Runs of the same site follow each other: same id, same checklist, same lines. A demo is none."""
    place = [report.checklist.id, *sorted(link.name for link in report.links)]
    if report.site:
        place.insert(0, report.site)
    return " ".join([*place, "(demo)"] if report.is_demo else place)


class History:
    """`with History(path) as history`; create=False only reads, and what another user has written, too.

    Raises HistoryError wherever the file cannot be used.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        try:
            if create:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            elif not path.exists():
                raise HistoryError(f"{path}: there is no history yet; `gosip-check health` begins one.")
            with _told(path):
                if create:
                    self._db = sqlite3.connect(path.absolute(), timeout=_BUSY_S, isolation_level=None)
                    self._open()
                else:
                    self._db = _read_only(path)
                    self._check(self._version())
        except OSError as error:
            raise HistoryError(f"{path}: cannot be used: {error.strerror}.") from error

    def __enter__(self) -> "History":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def _open(self) -> None:
        version = self._version()
        if version == 0:
            with self._transaction():  # another process may have made the tables meanwhile
                version = self._version()
                if version == 0:
                    if self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                        raise HistoryError(f"{self.path}: is a database of something else; name another file.")
                    for statement in filter(str.strip, _TABLES.split(";")):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version = {VERSION}")
                    version = VERSION
        self._check(version)
        self._log_ahead()
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")

    def _log_ahead(self) -> None:
        """SQLite waits for nobody here, so that a second writer that opens the file in this moment has to be.

        Where the file system cannot do it, SQLite says nothing and stays as it was.
        """
        until_s = time.monotonic() + _BUSY_S
        while self._db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                if self._db.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                    raise HistoryError(f"{self.path}: cannot be kept on this file system; name a file on a local disk.")
            except sqlite3.OperationalError:
                if time.monotonic() > until_s:
                    raise
                time.sleep(0.02)

    def _check(self, version: int) -> None:
        if version == 0:
            raise HistoryError(f"{self.path}: is no history.")
        if version > VERSION:
            raise HistoryError(
                f"{self.path}: was written by a newer gosip-check. It has version {version}, and this one knows "
                f"{VERSION}. Use that one, or name another file."
            )

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The database in one transaction, for what keeps a table of its own here."""
        with _told(self.path), self._transaction():
            yield self._db

    def keep(self, report: Report, keep_days: int | None = KEEP_DAYS) -> list[Change]:
        """Keep a run, and say what changed from the one before it. Runs that are more than `keep_days` older go."""
        document = zlib.compress(msgspec.json.encode(report), 6)
        with _told(self.path), self._transaction():
            last = self._last(site_of(report))
            before = self._as_looked_at(last) if last else None
            cursor = self._db.execute(
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
                self._db.execute("INSERT OR IGNORE INTO name (name) VALUES (?)", (f"{link} {name}",))
                self._db.execute(
                    "INSERT INTO figure SELECT ?, number, ? FROM name WHERE name = ?", (number, value, f"{link} {name}")
                )
            found = news(before, report) if before else []
            cut = stopped_as_skipped(report)
            left_out = [c for c in changes(last, cut).verdicts if c.after is Outcome.SKIPPED] if last else []
            for change in [*found, *left_out]:
                self._db.execute(
                    "INSERT INTO change VALUES (?, ?, ?, ?)",
                    (number, change.id, change.link, msgspec.json.encode(change).decode()),
                )
            if keep_days is not None:
                self._forget(keep_days)
            return self._since(number, found)

    def _forget(self, keep_days: int) -> None:
        """Counted from the earlier of the last two runs: a clock that was years ahead once costs nothing."""
        self._db.execute(
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
        with _told(self.path):
            row = self._db.execute("SELECT number FROM run WHERE id = ?", (report.id,)).fetchone()
            return self._since(row[0], found) if row else []

    def _last(self, site: str) -> Report | None:
        """The last run that can still be read."""
        return next(self._readable(site), None)

    def _readable(self, site: str) -> Iterator[Report]:
        """The last nine runs, those that can still be read, the latest first."""
        rows = self._db.execute("SELECT report FROM run WHERE site = ? ORDER BY number DESC LIMIT 9", (site,))
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
        started_s, count = self._db.execute(
            "SELECT min(started_s), count(*) FROM run WHERE site = ? AND number >= ? AND number < ?",
            (run.site, first, end),
        ).fetchone()
        before_since = None if started_s is None else datetime.fromtimestamp(started_s, UTC)
        return Change(run, change, before_since, int(count))

    def _changes_of(
        self, requirement: str, link: str, site: str, until: int = sys.maxsize
    ) -> Iterator[tuple[int, VerdictChange]]:
        """What became of one requirement, latest first."""
        rows = self._db.execute(
            "SELECT run, change FROM change JOIN run ON run.number = change.run "
            "WHERE requirement = ? AND link = ? AND site = ? AND run <= ? ORDER BY run DESC",
            (requirement, link, site, until),
        )
        for number, document in rows:
            yield number, msgspec.json.decode(document, type=VerdictChange)

    def runs(self, last: int) -> list[Run]:
        """The last runs, latest first."""
        with _told(self.path):
            return self._runs("ORDER BY number DESC LIMIT ?", (last,))

    def _runs(self, where: str, values: Sequence[object]) -> list[Run]:
        rows = self._db.execute(
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
        with _told(self.path):
            rows = self._db.execute(
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
        with _told(self.path):
            return [site for (site,) in self._db.execute("SELECT DISTINCT site FROM run ORDER BY site")]

    def trend(self, last: int, site: str | None = None) -> dict[str, list[float]]:
        """Figure -> its values over the last runs, oldest first; a run that did not bring it has none."""
        of_site, asked = ("", []) if site is None else ("WHERE site = ? ", [site])
        with _told(self.path):
            first = self._db.execute(
                f"SELECT number FROM run {of_site}ORDER BY number DESC LIMIT 1 OFFSET ?", (*asked, last - 1)
            ).fetchone()
            rows = self._db.execute(
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
        with _told(self.path):
            row = self._db.execute(
                "SELECT started_s FROM run WHERE site = ? AND outcome = ? ORDER BY number DESC LIMIT 1",
                (site, Readiness.READY.value),
            ).fetchone()
            return datetime.fromtimestamp(row[0], UTC) if row else None

    def reports(self) -> Iterator[bytes]:
        """Every kept report as JSON, oldest first."""
        with _told(self.path):
            for (document,) in self._db.execute("SELECT report FROM run ORDER BY number"):
                yield zlib.decompress(document)

    def count(self) -> int:
        """How many runs are kept."""
        with _told(self.path):
            return int(self._db.execute("SELECT count(*) FROM run").fetchone()[0])


def sentences(changes: Sequence[Change]) -> list[str]:
    """One for each change, what became worse first, and the network before all that it explains."""
    first = sorted(changes, key=lambda change: (not change.verdict.is_worse, change.verdict.id != "network"))
    return [sentence(change) for change in first]


def sentence(change: Change) -> str:
    """What changed, and how long it had been otherwise."""
    return sentence_of(change.verdict, change.before_since, change.before_runs)


def _read_only(path: Path) -> sqlite3.Connection:
    """Where the files of a write-ahead log are missing and may not be made, nobody has it open: read as it stands."""
    address = path.absolute().as_uri()
    database = sqlite3.connect(f"{address}?mode=ro", timeout=_BUSY_S, isolation_level=None, uri=True)
    try:
        database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError:
        database.close()
        if path.with_name(f"{path.name}-wal").exists():
            raise
        return sqlite3.connect(f"{address}?immutable=1", isolation_level=None, uri=True)
    return database


def report_of(document: bytes) -> Report | None:
    """None for one that this version cannot read: nothing can be compared with it then."""
    try:
        return as_of_today(msgspec.json.decode(zlib.decompress(document), type=Report))
    except (msgspec.DecodeError, zlib.error):
        return None


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """SQLite's own errors as a sentence, and rows that hold what no run of ours has written."""
    try:
        yield
    except (sqlite3.Error, zlib.error, msgspec.MsgspecError, ValueError, TypeError, OverflowError) as error:
        raise HistoryError(f"{path}: the history cannot be used: {error}.") from error
