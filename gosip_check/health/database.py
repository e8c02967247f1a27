"""The file of the history: opened by one process or several, with tables of one version, a transaction at a time.

Write-ahead logging, so that a process that is killed at any moment leaves a file that opens again. Two writers wait for
each other. A file of a newer version is refused, never guessed at. Knows nothing of what is kept in it.
"""

import contextlib
import sqlite3
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

VERSION = 1
"PRAGMA user_version of the files that this version writes."

_BUSY_S = 15.0


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


class Database:
    """`with` one; create=False only reads, and what another user has written, too.

    Raises HistoryError wherever the file cannot be used.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        try:
            if create:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            elif not path.exists():
                raise HistoryError(f"{path}: there is no history yet; `gosip-check health` begins one.")
            with as_sentence(path):
                if create:
                    self.db = sqlite3.connect(path.absolute(), timeout=_BUSY_S, isolation_level=None)
                    self._open()
                else:
                    self.db = _read_only(path)
                    self._check(self._version())
        except OSError as error:
            raise HistoryError(f"{path}: cannot be used: {error.strerror}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.db.close()

    def _open(self) -> None:
        version = self._version()
        if version == 0:
            with self.transaction():  # another process may have made the tables meanwhile
                version = self._version()
                if version == 0:
                    if self.db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
                        raise HistoryError(f"{self.path}: is a database of something else; name another file.")
                    for statement in filter(str.strip, _TABLES.split(";")):
                        self.db.execute(statement)
                    self.db.execute(f"PRAGMA user_version = {VERSION}")
                    version = VERSION
        self._check(version)
        self._log_ahead()
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.execute("PRAGMA foreign_keys = ON")

    def _log_ahead(self) -> None:
        """SQLite waits for nobody here, so that a second writer that opens the file in this moment has to be.

        Where the file system cannot do it, SQLite says nothing and stays as it was.
        """
        until_s = time.monotonic() + _BUSY_S
        while self.db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                if self.db.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
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
        return int(self.db.execute("PRAGMA user_version").fetchone()[0])

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        finally:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """The database in one transaction, for what keeps a table of its own here."""
        with as_sentence(self.path), self.transaction():
            yield self.db


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


@contextlib.contextmanager
def as_sentence(path: Path) -> Iterator[None]:
    """SQLite's own errors as a sentence, and rows that hold what no run of ours has written."""
    try:
        yield
    except (sqlite3.Error, zlib.error, msgspec.MsgspecError, ValueError, TypeError, OverflowError) as error:
        raise HistoryError(f"{path}: the history cannot be used: {error}.") from error
