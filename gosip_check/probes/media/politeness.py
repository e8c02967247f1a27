"""What each way to measure sends, to whom, at most how fast and how long: one table, and what is kept of it on disk.

No router on the way has agreed to answer us. So loads are few and short, every run leaves a note of the ones it made,
and a router that shows that it is busy is left alone for a quarter of an hour. docs/politeness.md has the same table.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gosip_check.folders import NoHomeFolder, state_folder


@dataclass(frozen=True)
class Manner:
    """One way to measure. to: who gets it; at most so many packets and kb/s a second, for so many seconds in a run."""

    what: str
    to: str
    pps: float
    kbps: float
    seconds: float
    thorough_s: float


LOOK = Manner("small and large echoes, to see which hop answers", "up to four hops behind the edge", 15, 60, 4, 4)
REHEARSAL = Manner("small echoes at the pace of the load", "up to two of these hops", 300, 202, 2, 2)
VOICE = Manner("echoes of a voice packet's size", "one hop behind the edge", 50, 80, 100, 100)
LOAD = Manner(
    "large echoes at the rate that is needed, and as many small ones", "one or two of these hops", 300, 3000, 60, 120
)
UPLINK = Manner(
    "large packets that only go up, and as many small ones, where a load was not carried",
    "the same hop, where they die on their way to the provider",
    300,
    3000,
    9,
    20,
)
WITNESS = Manner(
    "small echoes beside voice and load", "the edge, a second hop and one server of the trunk", 5, 4, 160, 220
)
ROUND_TRIPS = Manner(
    "SIP OPTIONS once a second, small echoes five times",
    "the servers of the trunk, the edge, a hop behind it",
    6,
    9,
    10,
    10,
)
FILL = Manner(
    "with --under-load: packets that only go up and fill the line, beside five small streams",
    "one hop behind the edge, where they die; small ones a second hop too",
    300,
    3000,
    17,
    17,
)
FILLING_UPLOAD = Manner(
    "with --under-load and --upload: twelve uploads as fast as they go, up to this, beside what the line above says",
    "the URL that was named",
    20000,
    200000,
    10,
    10,
)
SECOND_FILL = Manner(
    "with --under-load and --far-end-link: packets, a little more than the line carries, beside five small streams",
    "a line that was named as the far end; the streams go to one hop behind the edge",
    4500,
    50000,
    10,
    10,
)

OUTSIDE = Manner(
    "STUN requests or SIP OPTIONS, to learn an outside address",
    "the STUN servers that were named, else the servers of the trunk",
    4,
    20,
    16,
    72,
)
OPENING = Manner(
    "small packets that open two NATs; the first die behind the edge",
    "a line that was named as the far end",
    10,
    6,
    10,
    45,
)
SECOND_LINE = Manner(
    "packets of a call's size for each channel, both ways", "a line that was named as the far end", 50, 100, 600, 600
)

TRANSFER = Manner(
    "a download and an upload at the rate of the calls, for each channel", "the URLs that were named", 10, 110, 11, 32
)

TABLE = (
    LOOK,
    REHEARSAL,
    VOICE,
    LOAD,
    UPLINK,
    WITNESS,
    ROUND_TRIPS,
    FILL,
    FILLING_UPLOAD,
    SECOND_FILL,
    OUTSIDE,
    OPENING,
    SECOND_LINE,
    TRANSFER,
)

LARGEST_ECHO = 1200
RUNS_AN_HOUR = 6
"With a load, over all lines and hops."
MOST_LOST = 0.2
"A hop that loses more of the small echoes of one second is busy: half the rate, and nothing after the second time."
BACK_OFF_S = 15 * 60.0
"As long as carriers' routers hold a grudge: IOS XR's excessive punt flow trap."
SILENCE_S = 2.0
"A load ends at once when the edge or the second hop, which had answered, is silent for so long."
_HOUR_S = 3600.0
_LONGEST_FILE = 1 << 16


class Impolite(Exception):
    """No load may be sent now. The text is a sentence."""


@dataclass
class Ledger:
    """What earlier runs did. loads: run -> Unix time of its first load; left_alone: hop -> until when."""

    loads: dict[str, float] = field(default_factory=dict)
    left_alone: dict[str, float] = field(default_factory=dict)

    def current(self, now: float) -> "Ledger":
        """Without what is over, or lies further ahead than it can: a clock was set."""
        return Ledger(
            {run: at for run, at in self.loads.items() if now - _HOUR_S < at <= now},
            {hop: until for hop, until in self.left_alone.items() if now < until <= now + BACK_OFF_S},
        )

    def next_load_in_s(self, now: float) -> float:
        """How long until one more run may send a load; 0 where it may now."""
        if len(self.loads) < RUNS_AN_HOUR:
            return 0.0
        return sorted(self.loads.values())[-RUNS_AN_HOUR] + _HOUR_S - now


def begin_load(run: str) -> None:
    """Write down that a run sends a load, on one line of the site or on several. Raises Impolite where it may not."""
    now = time.time()
    with _ledger() as ledger:
        if run in ledger.loads:
            return
        wait_s = ledger.next_load_in_s(now)
        if wait_s > 0:
            at = time.strftime("%H:%M", time.localtime(now + wait_s + 60))
            raise Impolite(f"{RUNS_AN_HOUR} runs have sent a load within the last hour; from {at} on, one more may.")
        ledger.loads[run] = now


def may_begin_load() -> bool:
    """Whether a new run may send a load now, as far as can be known."""
    try:
        with _ledger() as ledger:
            return ledger.next_load_in_s(time.time()) <= 0
    except Impolite:
        return False


def leave_alone(hop: str) -> None:
    """This hop was busy twice: nobody sends it anything for a quarter of an hour."""
    with contextlib.suppress(Impolite), _ledger() as ledger:
        ledger.left_alone[hop] = time.time() + BACK_OFF_S


def left_alone() -> dict[str, float]:
    """Hop -> Unix time until which it gets nothing. Empty where that cannot be known."""
    try:
        with _ledger() as ledger:
            return dict(ledger.left_alone)
    except Impolite:
        return {}


@contextlib.contextmanager
def _ledger() -> Iterator[Ledger]:
    """The ledger, kept again after the block unless that raised. Raises Impolite where it cannot be kept."""
    try:
        folder = state_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "loads.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except NoHomeFolder as error:
        raise Impolite(f"How often loads were sent cannot be kept. {error}") from error
    except OSError as error:
        raise _not_kept(error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = folder / "loads.json"
        ledger = _read(path).current(time.time())
        yield ledger
        _write(path, ledger)
    except OSError as error:
        raise _not_kept(error) from error
    finally:
        os.close(lock)


def _read(path: Path) -> Ledger:
    """Whatever is no ledger counts as an empty one: the worst that comes of it is one load more."""
    try:
        with path.open("rb") as file:
            kept = json.loads(file.read(_LONGEST_FILE))
        return Ledger(
            {str(run): float(at) for run, at in kept["loads"].items()},
            {str(hop): float(at) for hop, at in kept["left_alone"].items()},
        )
    except FileNotFoundError:
        return Ledger()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Ledger()


def _write(path: Path, ledger: Ledger) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({"loads": ledger.loads, "left_alone": ledger.left_alone}))
    temporary.replace(path)


def _not_kept(error: OSError) -> Impolite:
    return Impolite(f"How often loads were sent cannot be kept: {error.filename or ''} {error.strerror or error}.")
