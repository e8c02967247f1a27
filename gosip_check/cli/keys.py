"""Single keys of a terminal, without Return. Where standard input is no terminal, nobody presses any."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator

_LOOK_S = 0.1


@contextlib.contextmanager
def pressed(on_key: Callable[[str], None]) -> Iterator[None]:
    """`on_key` is called with each key, in lower case, by another thread. The terminal is as before when it ends."""
    if not sys.stdin.isatty():
        yield
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    ended = threading.Event()
    thread = threading.Thread(target=_read, args=(terminal, ended, on_key), name="keys", daemon=True)
    tty.setcbreak(terminal)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with contextlib.suppress(termios.error):  # it was closed
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _read(terminal: int, ended: threading.Event, on_key: Callable[[str], None]) -> None:
    with contextlib.suppress(OSError):  # it was closed
        while not ended.is_set():
            if select.select([terminal], [], [], _LOOK_S)[0]:
                text = os.read(terminal, 64).decode(errors="replace")
                if not text:
                    return
                for key in text.lower():
                    on_key(key)
