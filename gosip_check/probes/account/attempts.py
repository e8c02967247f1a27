"""How often in a row did an account's password fail on this machine? The provider locks an account after three
failures, and only its engineers unlock it. Holds a hash of the account's name and a count; never a password.

One count for all users: two files, because a plain user can write only where systems clear up (/var/tmp, often after
thirty days), and root can keep it for good. Every run locks both, adds up what both say, and believes them whoever owns
them: this guards against accident, not against malice. An attempt is written down before it is made, and struck out
only when it succeeded: what is killed, cut or timed out half way counts as used.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gosip_check.folders import MACHINE_FOLDER
from gosip_check.probes.probe import ProbeFailed
from gosip_check.records import FailureKind

LOCKS = 3
"The failure in a row with which the provider locks the account."

MOST = LOCKS - 1
"Failures in a row that are ever risked."

ROOTS_FILE = MACHINE_FOLDER / "attempts.json"
ANYBODYS_FILE = Path("/var/tmp/gosip-check-attempts.json")

_MODE = 0o666
"Whoever tries next must be able to write it, whichever user made it."

_OTHERS = "*"
"In a file that could not be read, which counts as one failure: the count of every account that is not named."

_LONGEST_FILE = 1 << 20


class AttemptRunning(ProbeFailed):
    """Another run holds the count at this moment."""


@dataclass
class _File:
    """One file of the count, open and locked. counts: hash of a name -> failures in a row."""

    path: Path
    descriptor: int
    counts: dict[str, int]

    def failures(self, key: str) -> int:
        return self.counts.get(key, self.counts.get(_OTHERS, 0))

    def is_unread(self, keys: Sequence[str]) -> bool:
        """It could not be read, and nothing was written down for these since."""
        return _OTHERS in self.counts and not any(key in self.counts for key in keys)

    def keep(self, changed: Mapping[str, int]) -> None:
        """Written in place: in a sticky folder nobody may replace another user's file."""
        counts = {**self.counts, **changed}
        self.counts = {key: count for key, count in counts.items() if count or _OTHERS in counts}
        content = json.dumps(self.counts).encode()
        try:
            if os.pwrite(self.descriptor, content, 0) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.ftruncate(self.descriptor, len(content))
            os.fsync(self.descriptor)
        except OSError as error:
            raise _unusable(self.path, error.strerror or str(error)) from error


class Attempts:
    """The failures of one account. Made by `attempts()` only, which keeps every other run out meanwhile."""

    def __init__(self, keys: Sequence[str], files: Sequence[_File]) -> None:
        self._keys, self._files = keys, files

    @property
    def failures(self) -> int:
        return max(sum(file.failures(key) for file in self._files) for key in self._keys)

    def why_not(self, provider: str, *, again: bool) -> str | None:
        """Why no password may be sent; None where it may. `again`: one failure is no reason."""
        if self.failures >= MOST:
            paths = [str(file.path) for file in self._files if any(map(file.failures, self._keys))]
            return (
                f"Not tried: the last {self.failures} attempts on this machine did not succeed. A third failure in a "
                f"row locks the account. Ask {provider} whether it is locked, and have the PBX register with it. "
                f"When that works, forget the count: sudo rm {' '.join(paths)}."
            )
        if not self.failures or again:
            return None
        last = "the last attempt did not succeed"
        unread = [str(file.path) for file in self._files if file.is_unread(self._keys)]
        if unread:
            last = f"{' '.join(unread)} could not be read, and that counts as a failed attempt"
        return (
            f"Not tried: {last}. Check user name and password, and ask {provider} whether the account is locked. Then "
            "allow one more with gosip-check register --i-know."
        )

    def begin(self) -> None:
        """One more, for good unless `succeeded`. Raises ProbeFailed where it cannot be written down."""
        if self.failures >= MOST:
            raise ProbeFailed(FailureKind.PERMISSION, "A third attempt in a row would lock the account.")
        first = self._files[0]
        first.keep({key: first.failures(key) + 1 for key in self._keys})

    def succeeded(self) -> None:
        """The provider counts from the start again, and so do we."""
        for file in self._files:
            if any(map(file.failures, self._keys)):
                file.keep(dict.fromkeys(self._keys, 0))


@contextlib.contextmanager
def attempts(*names: str, make: bool = True) -> Iterator[Attempts]:
    """The count of an account by its names (user name, authentication name); nobody else reads or writes it meanwhile.

    make: a file that is not there is made. Raises ProbeFailed(permission) where the count cannot be kept: without it no
    attempt would be safe. AttemptRunning where another run holds it.
    """
    with contextlib.ExitStack() as opened:
        files = [file for path in (ROOTS_FILE, ANYBODYS_FILE) if (file := _opened(path, make, opened)) is not None]
        if make and not files:
            raise _unusable(ANYBODYS_FILE, "it cannot be made")
        yield Attempts(sorted({_key(name) for name in names}), files)


def refusal(provider: str, *names: str, again: bool) -> str | None:
    """Why an attempt will certainly be refused; None where it may be made, or may be by the time that it is."""
    try:
        with attempts(*names, make=False) as record:
            return record.why_not(provider, again=again)
    except AttemptRunning:
        return None
    except ProbeFailed as failed:
        return failed.failure.message


def _key(name: str) -> str:
    """One for every way to write an account: the domain goes, a number is written with its country and digits only."""
    account = re.sub(r"^(sips?|tel):", "", name.strip(), flags=re.IGNORECASE).partition("@")[0].casefold()
    digits = re.sub(r"[\s().\-/]", "", account).removeprefix("+")
    if digits.isascii() and digits.isdigit():
        digits = digits.lstrip("0")
        account = f"356{digits}" if len(digits) == 8 else digits
    return hashlib.sha256(account.encode("utf-8", "surrogateescape")).hexdigest()


def _opened(path: Path, make: bool, opened: contextlib.ExitStack) -> _File | None:
    """None where the file is missing and is not, or cannot be, made. Raises ProbeFailed: it cannot be used."""
    try:
        descriptor = _existing(path)
        if descriptor is None and make:
            descriptor = _made(path)
        if descriptor is None:
            return None
        opened.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:
            raise _unusable(path, "it is not a plain file with one name")
        if stat.S_IMODE(about.st_mode) != _MODE:
            with contextlib.suppress(PermissionError):
                os.fchmod(descriptor, _MODE)
    except BlockingIOError as error:
        raise AttemptRunning(FailureKind.PERMISSION, "Another run is trying an account at this moment.") from error
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    return _File(path, descriptor, _read(descriptor))


def _existing(path: Path) -> int | None:
    """Opened without O_CREAT: fs.protected_regular refuses that for another user's file in a sticky folder."""
    try:
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _made(path: Path) -> int | None:
    """Made under another name, and linked when it is whole and locked: nobody ever sees a half of it."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        if path == ROOTS_FILE and os.geteuid() == 0 and not path.parent.exists():
            path.parent.mkdir()
            path.parent.chmod(0o755)  # whatever the umask says: others must get to the file
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        os.fchmod(descriptor, _MODE)
        os.pwrite(descriptor, b"{}", 0)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.link(temporary, path)
    except OSError as error:
        os.close(descriptor)
        return _existing(path) if isinstance(error, FileExistsError) else None
    finally:
        temporary.unlink()
    return descriptor


def _read(descriptor: int) -> dict[str, int]:
    """What cannot be read counts as one failure of every account."""
    unread = {_OTHERS: 1}
    try:
        content = os.pread(descriptor, _LONGEST_FILE + 1, 0)
        counts = json.loads(content) if len(content) <= _LONGEST_FILE else None
    except (OSError, ValueError, RecursionError):
        return unread
    if not isinstance(counts, dict) or not all(type(count) is int and count >= 0 for count in counts.values()):
        return unread
    return counts


def _unusable(path: Path, why: str) -> ProbeFailed:
    sentence = f"Not tried: the count of failed attempts cannot be kept in {path}: {why}."
    return ProbeFailed(
        FailureKind.PERMISSION, f"{sentence} Without it no attempt is safe; have root put that file right."
    )
