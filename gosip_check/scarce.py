"""What this machine gives the program too little of, in a sentence. It says nothing about a site, nor is it our fault.

Every layer may use it.
"""

import contextlib
import errno
import os

_SENTENCES = {
    errno.EMFILE: "This machine lets the program open too few files at once; `ulimit -n 256` allows more.",
    errno.ENFILE: "This machine has too many files open in all.",
    errno.ENOMEM: "This machine has too little memory for it.",
}
_NO_THREAD = "can't start new thread"
"What CPython says."

_OF_THE_KERNEL = ("/proc/", "/sys/")
TOO_FEW_DESCRIPTORS = _SENTENCES[errno.EMFILE]


def scarcity(error: BaseException | None) -> str | None:
    """The sentence where too little of something is why, or is behind it; None for any other error."""
    while error is not None:
        if isinstance(error, MemoryError):
            return _SENTENCES[errno.ENOMEM]
        if isinstance(error, OSError) and error.errno in _SENTENCES:
            return _SENTENCES[error.errno]
        if isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
            return "This machine lets the program start too few threads, or has too little memory."
        if isinstance(error, FileNotFoundError) and str(error.filename).startswith(_OF_THE_KERNEL):
            return f"This machine does not show {error.filename}, which this needs."
        error = error.__cause__ or error.__context__
    return None


def has_descriptors(wanted: int) -> bool:
    """Whether so many more files could be opened now."""
    opened: list[int] = []
    try:
        while len(opened) < wanted:
            opened.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return False
    finally:
        for number in opened:
            with contextlib.suppress(OSError):
                os.close(number)
    return True
