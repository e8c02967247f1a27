"""Read a small file that holds a secret, and that nobody but its owner can read. Shows nothing of what it holds."""

import os
import stat

_LONGEST = 16384


def read_private(file: str) -> bytes:
    """Raises ValueError with the end of a sentence that says what is wrong with the file."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as opened:
            about = os.fstat(opened.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise ValueError("is no file.")
            if about.st_mode & 0o077:
                raise ValueError("others can read it; chmod 600 would be right.")
            return opened.read(_LONGEST)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}.") from error
