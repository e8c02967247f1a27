"""A chronyd in a room: tells this machine's own time on every address of the room, and never sets a clock."""

import time
from pathlib import Path

from .namespaces import Rooms

_READY_WITHIN_S = 5.0

_CONFIG = """
local stratum 3
allow
cmdport 0
pidfile {folder}/pid
bindcmdaddress {folder}/sock
"""


class Chrony:
    """Serves until the rooms are torn down. `tell(False)`: answers, but says that it is not synchronised."""

    def __init__(self, rooms: Rooms, room: str) -> None:
        self.room = room
        self._rooms = rooms
        self._folder = rooms.folder / "chrony"
        self._folder.mkdir(mode=0o700)
        config = self._folder / "chrony.conf"
        config.write_text(_CONFIG.format(folder=self._folder))
        argv = ["chronyd", "-x", "-d", "-U", "-u", "root", "-f", str(config)]
        self._process = rooms.start(room, argv, self._folder / "log")
        self._wait_until(["chronyd", "-Q", "-x", "-t", "2", "-f", "/dev/null", "server 127.0.0.1 iburst maxsamples 1"])

    def tell(self, synchronised: bool) -> None:
        """Whether it claims to know the time."""
        words = ["local", "stratum", "3"] if synchronised else ["local", "off"]
        self._rooms.run(self.room, ["chronyc", "-h", str(self._folder / "sock"), *words])

    def _wait_until(self, argv: list[str]) -> None:
        """Another chronyd asks it. Raises RuntimeError, with the server's log, when it never tells the time."""
        give_up = time.monotonic() + _READY_WITHIN_S
        while self._rooms.run(self.room, argv, check=False).returncode != 0:
            if time.monotonic() > give_up:
                raise RuntimeError(f"chronyd never told the time:\n{self.log()}")

    def log(self) -> str:
        """What the server wrote, for a failing test."""
        return Path(self._folder / "log").read_text(errors="replace")
