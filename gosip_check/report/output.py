"""Writes a file whole or not at all. Found unwritable before the measuring, not after."""

import contextlib
import fcntl
import os
import stat
import sys
import tempfile
from pathlib import Path


class OutputError(Exception):
    """A file cannot be written. The text is a sentence for the person who named it."""


class Output:
    """A file to be written later. Creating it proves that its folder can be written to; `write` replaces the file.

    A regular file is written under a temporary name in the same folder and renamed. What is no regular file, such as a
    pipe or /dev/null, is written as it is. `-` is standard output.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._path = Path(name)
        self._temporary: Path | None = None
        self._lock: int | None = None
        if name == "-":
            return
        try:
            if self._path.is_dir():
                raise OutputError(f"{name}: is a folder; name a file.")
            if self._path.exists() and not stat.S_ISREG(self._path.stat().st_mode):
                if not os.access(self._path, os.W_OK):  # asked, not opened: a pipe nobody reads yet would block
                    raise OutputError(f"{name}: cannot be written: Permission denied.")
                return
            self._path = Path(os.path.realpath(name))
            self._lock, self._temporary = _temporary_beside(self._path)
            if self._path.exists() and not os.access(self._path, os.W_OK):
                self.discard()
                raise OutputError(f"{name}: cannot be written: it is read-only.")
        except OSError as error:
            raise OutputError(f"{name}: cannot be written: {error.strerror}.") from error

    def write(self, text: str | bytes, mode: int | None = None) -> None:
        """Raises OutputError, and leaves an older file as it was. mode: instead of what a new file would get."""
        content = text if isinstance(text, bytes) else text.encode("utf-8", errors="backslashreplace")
        try:
            if self.name == "-":
                if isinstance(text, bytes):
                    sys.stdout.flush()
                    sys.stdout.buffer.write(text)
                else:
                    sys.stdout.write(text)
                sys.stdout.flush()
                return
            if self._temporary is None:
                self._path.write_bytes(content)
                return
            with self._temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self._temporary.chmod(_mode_of(self._path) if mode is None else mode)
            self._temporary.replace(self._path)
            self._temporary = None
            self._unlock()
        except OSError as error:
            self.discard()
            raise OutputError(f"{self.name}: cannot be written: {error.strerror}.") from error

    def discard(self) -> None:
        """Leave nothing behind. Does nothing once the file is written."""
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink()
            self._temporary = None
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


_LONGEST_PREFIX = 100
"Octets: with what follows, no file system finds the name too long where it takes the file's own."
_OWN = ".gosip-check"
"How temporary files end, so that what a killed run left behind is known."


def _temporary_beside(path: Path) -> tuple[int, Path]:
    """A new file, locked as long as its descriptor is open. What earlier runs left there, which nobody locks, goes."""
    for left in path.parent.glob(f".*{_OWN}"):
        with contextlib.suppress(OSError):
            number = os.open(left, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)  # a pipe of that name would block
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(number)
    while True:
        prefix = os.fsdecode(os.fsencode(f".{path.name}")[:_LONGEST_PREFIX])
        number, temporary = tempfile.mkstemp(prefix=prefix, suffix=_OWN, dir=path.parent)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(number, fcntl.LOCK_EX)
        if Path(temporary).exists():
            return number, Path(temporary)
        os.close(number)  # another run began between the two calls, and took it for one that was left


def _mode_of(path: Path) -> int:
    """The mode of the file that is replaced, or what a new file would get: mkstemp's own is 0600."""
    with contextlib.suppress(OSError):
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
