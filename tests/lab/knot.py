"""A Knot DNS server in a room: authoritative for gotel.com.mt and time servers, asked directly or by a forwarder."""

import itertools
import time
from pathlib import Path

from .namespaces import Rooms

DOMAIN = "gotel.com.mt"
TIME_DOMAIN = "patton.pool.ntp.org"
TIME_SERVERS = ("192.31.196.120", "192.31.196.121", "192.31.196.122", "192.31.196.123")

_READY_WITHIN_S = 5.0

_HEAD = """$ORIGIN {domain}.
$TTL 300
@ SOA ns hostmaster {serial} 3600 600 86400 60
@ NS ns
ns A {address}
"""

_SERVER = """server:
  rundir: "{folder}"
  listen: "{address}@53"
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
- target: stderr
  any: warning
database:
  storage: "{folder}"
"""

_ZONE = """- domain: {domain}
  file: "{file}"
  zonefile-load: whole
  zonefile-sync: -1
  journal-content: none
"""


class Knot:
    """`serve()` may be called again at any time; it returns once the server answers with what it was given."""

    def __init__(self, rooms: Rooms, room: str, address: str) -> None:
        """Start a server that holds no zone yet, and so refuses every question."""
        self.room, self.address = room, address
        self._rooms = rooms
        self._serials = itertools.count(1)
        self._folder = rooms.folder / f"knot-{address}"
        self._folder.mkdir()
        self._configure(with_zone=False)
        config = str(self._folder / "knot.conf")
        self._process = rooms.start(room, ["knotd", "--config", config], self._folder / "log")
        self._wait_until("REFUSED", ["SOA", DOMAIN])

    def serve(self, records: str | None) -> None:
        """Serve these lines of a zone file. None: no zone at all (REFUSED); empty text: a zone without the trunk."""
        if records is None:
            self._configure(with_zone=False)
            self._control("reload")
            self._wait_until("REFUSED", ["SOA", DOMAIN])
            return
        serial = next(self._serials)
        zone = _HEAD.format(domain=DOMAIN, serial=serial, address=self.address) + records
        (self._folder / "zone").write_text(zone)
        self._configure(with_zone=True)
        self._control("reload")
        self._wait_until(f" {serial} 3600 ", ["SOA", DOMAIN])

    def _configure(self, *, with_zone: bool) -> None:
        text = _SERVER.format(folder=self._folder, address=self.address)
        if with_zone:
            text += "zone:\n" + _ZONE.format(domain=DOMAIN, file=self._folder / "zone")
            time_zone = _HEAD.format(domain=TIME_DOMAIN, serial=1, address=self.address)
            time_zone += "".join(f"{number} A {server}\n" for number, server in enumerate(TIME_SERVERS))
            (self._folder / "time").write_text(time_zone)
            text += _ZONE.format(domain=TIME_DOMAIN, file=self._folder / "time")
        (self._folder / "knot.conf").write_text(text)

    def _control(self, action: str) -> None:
        socket = str(self._folder / "knot.sock")
        self._rooms.run(self.room, ["knotc", "--socket", socket, action])

    def _wait_until(self, expected: str, question: list[str]) -> None:
        """Ask until the answer holds `expected`. Raises RuntimeError, with the server's log, when it never does."""
        give_up = time.monotonic() + _READY_WITHIN_S
        answer = ""
        while time.monotonic() < give_up:
            asking = ["dig", f"@{self.address}", "+time=1", "+tries=1", "+norecurse", *question]
            answer = self._rooms.run(self.room, asking, check=False).stdout
            if expected in answer:
                return
            time.sleep(0.02)
        raise RuntimeError(f"Knot on {self.address} never said {expected!r}:\n{answer}\n{self.log()}")

    def log(self) -> str:
        """What the server wrote, for a failing test."""
        return Path(self._folder / "log").read_text(errors="replace")
