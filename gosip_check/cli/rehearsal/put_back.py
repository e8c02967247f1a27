"""What a rehearsal leaves at the site: a list of what to put back, kept until it was seen to be put back.

The list is noted in this user's state folder before the PBX is touched, so that the next start prints it where this
program was killed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol, Self

import click
import msgspec
from rich.live import Live
from rich.text import Text

from gosip_check.cli.outputs import console
from gosip_check.folders import NoHomeFolder, state_folder
from gosip_check.probes.net import interfaces
from gosip_check.records import Record
from gosip_check.report.output import Output, OutputError
from gosip_check.servers.rehearsal.rehearsal import Rehearsal, RehearsalStop

QUIET_S = 60.0
"A PBX that points here registers within the minute that it was granted."
_LOOK_S = 1.0
_MODE = 0o600


class Stopping(Protocol):
    """Who hears signals."""

    def stopping(self, *stop: Callable[[], None]) -> AbstractContextManager[None]:
        """Meanwhile a signal calls these."""


class Begun(Record, frozen=True):
    """A rehearsal that may not be put back. address: of the laptop; second: of site B, where the laptop got one."""

    began: datetime
    domain: str
    address: str
    has_dns: bool
    second: str | None = None


def steps(begun: Begun) -> list[str]:
    """What the installer puts back, in the order in which it is quickest."""
    addresses = " and ".join(filter(None, (begun.address, begun.second)))
    return [
        f"DNS server of the PBX: the old one, not {begun.address}."
        if begun.has_dns
        else f"Server and outbound proxy of the trunk: {begun.domain} and none, not {begun.address}.",
        "Password: the provider's, never the slip's; or leave the trunk off.",
        f"Trusted addresses of the PBX: take {addresses} out.",
        "Outbound route: back to the line that carried the calls before.",
        "Forwarding on the test extension: off.",
        "A registration that was refused: some PBXs need the trunk off and on again.",
    ]


def say(begun: Begun) -> None:
    """The list, on stderr. A terminal that is gone is no reason to stop; the list stays noted."""
    with contextlib.suppress(OSError):
        click.echo("\nPUT BACK", err=True)
        for number, step in enumerate(steps(begun), 1):
            click.echo(f"  {number}  {step}", err=True)


class PutBack:
    """`with PutBack(begun) as to_put_back`: noted before, and said when the block ends, however it ends."""

    def __init__(self, begun: Begun) -> None:
        self._begun, self._is_said = begun, False

    def __enter__(self) -> Self:
        _note(self._begun)
        return self

    def __exit__(self, *_: object) -> None:
        self.say()

    def say(self) -> None:
        """Once."""
        if not self._is_said:
            self._is_said = True
            say(self._begun)

    def watch(self, rehearsal: Rehearsal, signals: Stopping) -> None:
        """Until nothing of the PBX has come for a minute, or a signal; without a terminal for a minute."""
        terminal = console(to_stderr=True)
        left = threading.Event()

        def leave() -> None:
            left.set()
            rehearsal.leave()

        with signals.stopping(leave), Live(console=terminal, transient=True, auto_refresh=False) as live:
            is_put_back = _is_quiet(
                rehearsal, left, lambda text: live.update(Text(text), refresh=True), waits=terminal.is_terminal
            )
        if is_put_back:
            _forget()
            click.echo("Nothing of the PBX has come for a minute: put back, as far as can be seen.", err=True)
        else:
            click.echo(
                f"The PBX still points here: {pointing(rehearsal)}. The next start shows this list again.", err=True
            )


def _note(begun: Begun) -> None:
    """Keep it for the next start. Where that cannot be, it is said: then only this run prints the list."""
    try:
        path = _path()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        Output(str(path)).write(msgspec.json.encode(begun), _MODE)
    except (OutputError, NoHomeFolder, OSError) as error:
        click.echo(f"What to put back cannot be noted for a next start: {error}", err=True)


def _forget() -> None:
    """It is put back."""
    with contextlib.suppress(OSError, NoHomeFolder):
        _path().unlink()


def left() -> Begun | None:
    """The one that was begun and not seen to be put back. None where the file is something else."""
    try:
        return msgspec.json.decode(_path().read_bytes(), type=Begun)
    except (OSError, NoHomeFolder, msgspec.DecodeError):
        return None


def say_what_was_left() -> None:
    """Before anything else at a start."""
    begun = left()
    if begun is not None:
        click.echo(f"The rehearsal of {begun.began:%Y-%m-%d %H:%M} UTC was not seen to be put back.", err=True)
        say(begun)
        for name, here in interfaces.addresses().items():
            for each in here:
                if begun.second == str(each.ip):
                    click.echo(
                        f"  {len(steps(begun)) + 1}  This laptop: sudo ip address del {each} dev {name}", err=True
                    )
        click.echo(err=True)


def _is_quiet(rehearsal: Rehearsal, left: threading.Event, show: Callable[[str], None], *, waits: bool) -> bool:
    """Was there a minute without a DNS question and a REGISTER? Looks for a minute, or until there was (`waits`)."""
    began_s = time.monotonic()
    while not left.is_set():
        now_s = time.monotonic()
        quiet_s = now_s - max([rehearsal.began_s, *rehearsal.signs.values()])
        if quiet_s >= QUIET_S:
            return True
        if not waits and now_s - began_s >= QUIET_S:
            return False
        show(f"Quiet for {quiet_s:.0f} of {QUIET_S:.0f} s. Last of the PBX: {pointing(rehearsal)}. Ctrl-C leaves.")
        try:
            rehearsal.watch(_LOOK_S)
        except RehearsalStop:  # it sends and sends
            return False
    return False


def pointing(rehearsal: Rehearsal) -> str:
    """What of the PBX came last, and when."""
    now_s = time.monotonic()
    return ", ".join(f"{what} {now_s - at_s:.0f} s ago" for what, at_s in rehearsal.signs.items()) or "nothing"


def _path() -> Path:
    return state_folder() / "rehearsal.json"
