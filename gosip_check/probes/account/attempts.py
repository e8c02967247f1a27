"""How often in a row did an account's password fail? Kept between runs: the provider locks an account after three
failures, and only its engineers unlock it. Holds a hash of the account's name and a count; never a password.

An attempt is written down before it is made, and struck out only when it succeeded: what is killed, cut or timed out
half way counts as used.
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from gosip_check.folders import NoHomeFolder, state_folder
from gosip_check.probes.probe import ProbeFailed
from gosip_check.records import FailureKind

MOST = 2
"Failures in a row that are ever risked; the third would lock the account."

_LONGEST_FILE = 1 << 20


class Attempts:
    """The failures of one account. Made by `attempts()` only, which keeps every other run out meanwhile."""

    def __init__(self, path: Path, key: str, counts: dict[str, int]) -> None:
        self.path = path
        self._key, self._counts = key, counts

    @property
    def failures(self) -> int:
        return self._counts.get(self._key, 0)

    def begin(self) -> None:
        """One more, for good unless `succeeded`. Raises ProbeFailed where it cannot be written down."""
        if self.failures >= MOST:
            raise ProbeFailed(FailureKind.PERMISSION, "A third attempt in a row would lock the account.")
        self._counts[self._key] = self.failures + 1
        self._save()

    def succeeded(self) -> None:
        """The provider counts from the start again, and so do we."""
        self._counts.pop(self._key, None)
        self._save()

    def _save(self) -> None:
        temporary = self.path.with_suffix(".new")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                json.dump(self._counts, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except OSError as error:
            raise _not_kept(self.path, error.strerror or str(error)) from error


@contextlib.contextmanager
def attempts(user: str, domain: str) -> Iterator[Attempts]:
    """The record of an account; nobody else reads or writes it inside the block.

    Raises ProbeFailed(permission) where it cannot be kept or read: without it no attempt would be safe.
    """
    try:
        folder = state_folder()
    except NoHomeFolder as error:
        raise ProbeFailed(FailureKind.PERMISSION, f"No record of failed attempts can be kept. {error}") from error
    path = folder / "attempts.json"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "attempts.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _not_kept(path, error.strerror or str(error)) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ProbeFailed(FailureKind.PERMISSION, "Another run is trying an account at this moment.") from error
        yield Attempts(path, hashlib.sha256(f"{user}@{domain}".lower().encode()).hexdigest(), _read(path))
    finally:
        os.close(lock)


def _read(path: Path) -> dict[str, int]:
    try:
        with path.open("rb") as file:
            counts = json.loads(file.read(_LONGEST_FILE))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _not_kept(path, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _not_kept(path, "it is damaged, so earlier failures are not known") from error
    if not isinstance(counts, dict) or not all(type(count) is int and count >= 0 for count in counts.values()):
        raise _not_kept(path, "it is damaged, so earlier failures are not known")
    return counts


def _not_kept(path: Path, why: str) -> ProbeFailed:
    return ProbeFailed(FailureKind.PERMISSION, f"The record of failed attempts {path} cannot be used: {why}.")
