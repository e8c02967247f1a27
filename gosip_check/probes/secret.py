"""A secret on its way from a private file or a person to the one request that needs it. Shows itself nowhere."""

import os
import stat
from typing import NoReturn

_LONGEST = 16384


class Secret:
    """`take()` gives the text once; printing, copying and pickling give nothing."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text: str | None = text

    def take(self) -> str | None:
        """The text the first time, None ever after: one run makes one attempt."""
        text, self._text = self._text, None
        return text

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not copied")


def read_private(file: str) -> bytes:
    """What a file holds that only its owner can read.

    Raises ValueError with the end of a sentence that says what is wrong with the file.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as opened:
            about = os.fstat(opened.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise ValueError("is no file.")
            if about.st_mode & 0o077:
                raise ValueError("others can read it; chmod 600 would be right.")
            content = opened.read(_LONGEST + 1)
            if len(content) > _LONGEST:
                raise ValueError(f"is longer than {_LONGEST // 1024} KiB.")
            return content
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}.") from error
