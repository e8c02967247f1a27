"""Does a line carry a load both ways at once, judged by the echoes of one hop behind it? Pure; thresholds are its own.

A load of large echoes is held against a control of as many small ones a second: what differs is what the bits did. A
line that is too narrow must store the rest or drop it, so what it is short of is the share that was lost more, plus the
share of the time by which packets are later in the end. One clean load proves that the load was carried. A bad one
proves little: only two that agree, a clean control, a tool that was on time, and then six short loads that all queue
(too narrow), or losses that a load of half the rate does not have (policed), do. Routers limit echoes as well, so the
latter counts only where packets that are no echoes make up for the other half.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from statistics import median
from typing import Literal

from gosip_check.probes.media import summary
from gosip_check.probes.media.proportions import chance_of_more, lowest_share
from gosip_check.records import Record

SMALL_OCTETS = 84
"What ping sends: of an echo with its IP header."
SLOW_PPS = 20.0
UPLINK_PPS = 40.0
CONTROL_S, SLOW_S = 3.0, 3.0
_HALF_LEAST_S, _BESIDE_LEAST_S = 8.0, 9.0
"So long as the load, and at least so long."
SHORT_LOADS, SHORT_LOAD_S, SHORT_CONTROL_S = 6, 2.0, 1.5

LATE_MS = 5.0
"An echo that leaves this much late is counted as late."
_MOST_LATE, _FEWEST_SENT = 0.05, 0.98
_ALWAYS_MS = 10.0
"A round trip that grows by less is never called a queue."
_SURELY_NOT = 0.6
_RATIONS, _SURELY_LOSES, _MAY_LOSE = 0.001, 0.001, 0.01
_LEAST_MORE_LOST = 0.01
_AGREE, _AGREE_SHARE = 0.01, 0.2
_LOSSY, _DOUBT = 0.005, 0.05
_FEWEST_TIMED, _FEWEST_OF_A_FLOOD = 10, 3
"A line of a tenth of the rate brings back a few of a short load, and each of them was in its queue."
AT_ITS_END = 0.75
"The median of the second half of a load comes when so much of it was sent; a queue that grows is smaller by then."


@dataclass(frozen=True)
class Ask:
    """What to send next: echoes of `octets` at IP, `pps` a second. is_load: they may fill the line."""

    name: str
    seconds: float
    pps: float
    octets: int
    is_load: bool = False
    to_witness: bool = False
    "To the second hop, not to the one that is judged by."
    dying_octets: int | None = None
    dying_pps: float = 0.0
    "Beside it go so many packets a second of so many octets, which die at the hop. None: nothing does."


Stopped = Literal["", "silent", "loses", "elsewhere"]


class Phase(Record, frozen=True):
    """What came of one ask. rtts_ms: of every echo that was sent, in order; None for one that was not answered.

    slots: how many were due. late: those that left late. spoilt: this machine lost answers, or its clock was moved.
    stopped: before the end, because a host that had answered fell silent, too many were lost, or what should have died
    on the way did not.
    """

    slots: int
    late: int
    lasted_s: float
    rtts_ms: list[float | None]
    spoilt: bool = False
    stopped: Stopped = ""

    @property
    def sent(self) -> int:
        return len(self.rtts_ms)

    @property
    def lost(self) -> int:
        return self.rtts_ms.count(None)

    @property
    def loss(self) -> float:
        return self.lost / self.sent if self.sent else 0.0

    @property
    def timed_ms(self) -> list[float]:
        """The round trips of those that were answered."""
        return [rtt for rtt in self.rtts_ms if rtt is not None]

    @property
    def second_half(self) -> "Phase":
        """What a queue does shows at the end."""
        return Phase(self.slots, self.late, self.lasted_s, self.rtts_ms[self.sent // 2 :], self.spoilt)

    @property
    def on_time(self) -> bool:
        """The load was offered as it should be: as many, as evenly, and every answer that came was taken."""
        enough = self.sent >= _FEWEST_SENT * self.slots
        return enough and self.late <= _MOST_LATE * self.sent and not self.spoilt


def together(*phases: Phase) -> Phase:
    """Several phases as one."""
    return Phase(
        slots=sum(phase.slots for phase in phases),
        late=sum(phase.late for phase in phases),
        lasted_s=sum(phase.lasted_s for phase in phases),
        rtts_ms=[rtt for phase in phases for rtt in phase.rtts_ms],
        spoilt=any(phase.spoilt for phase in phases),
    )


@dataclass(frozen=True)
class Load:
    """What is tried: `kbps` at IP each way, for `seconds`, in echoes of `octets`."""

    kbps: float
    octets: int
    seconds: float = 6.0

    @property
    def pps(self) -> float:
        return self.kbps * 1000 / 8 / self.octets

    @property
    def serialisation_ms(self) -> float:
        """How much longer a large packet than a small one takes to be sent, there and back, if the line has `kbps`."""
        return 2 * (self.octets - SMALL_OCTETS) * 8 / self.kbps


@dataclass(frozen=True)
class Contrast:
    """A load against its control. queues, loses: None in doubt. short_of: the share of the load that was not carried.

    unseen: so large a share would not have been seen.
    """

    queues: bool | None
    loses: bool | None
    short_of: float
    unseen: float

    @property
    def is_bad(self) -> bool:
        return self.queues is True or self.loses is True

    @property
    def is_clean(self) -> bool:
        return self.queues is False and self.loses is False


class Shape(Enum):
    """What the load met."""

    CARRIED = "carried"
    NARROW = "too narrow"
    "Round trips rise with the load and fall after it."
    POLICED = "policed"
    "Packets are lost above a rate, and round trips stay flat."
    LOSSY = "lossy"
    "Large packets are lost at any rate."
    UNKNOWN = "unknown"


class Doubt(Enum):
    """Why nothing can be said."""

    LATE = "late"
    SILENT = "silent"
    "The hop, or a host beside it that had answered."
    RATIONS = "rations"
    UNSTEADY = "unsteady"
    "The controls before and after the load differ, or the loads do."
    COMES_AND_GOES = "comes and goes"
    "Some of the short loads met a queue."
    TWICE_IN_DOUBT = "in doubt twice"
    ECHOES = "echoes"
    "Losses above a rate, but of echoes alone, as far as can be seen."
    LIMIT = "limit"
    "More may not be sent in one run."


@dataclass(frozen=True)
class Finding:
    """short_of: of the load, by the first and by the second try; empty where nothing was short.

    unseen: a load that was carried may have been short of so much without anything to be seen. by_witness: it was
    carried to the second hop; what the first one showed was its own doing.
    """

    shape: Shape
    doubt: Doubt | None = None
    short_of: tuple[float, ...] = ()
    unseen: float = 0.0
    by_witness: bool = False


class Undecided(Exception):
    """The rule ends here. `doubt` says why."""

    def __init__(self, doubt: Doubt) -> None:
        super().__init__(doubt.value)
        self.doubt = doubt


Send = Callable[[Ask], Phase]
"Sends what is asked for, waits for the answers, and brings them. May raise Undecided."


def judge_load(load: Load, send: Send, *, has_witness: bool = False, may_die: bool = False) -> Finding:
    """Sends until it knows, or knows that it cannot.

    has_witness: there is a second hop that may be loaded as well. may_die: packets that only go up can be sent.
    """
    try:
        return _judged(load, send, has_witness, may_die)
    except Undecided as undecided:
        return Finding(Shape.UNKNOWN, undecided.doubt)


def uplink_suffers(load: Load, send: Send) -> bool | None:
    """Do echoes suffer beside a load that only goes up? True names the direction.

    None proves nothing: in a router with a queue for each flow small echoes ride past the load. Everything but the bits
    is the same in the control, so a router that is busy with dying packets is busy in both.
    """
    try:
        small = Ask(
            "uplink control", CONTROL_S, UPLINK_PPS, SMALL_OCTETS, dying_octets=SMALL_OCTETS, dying_pps=load.pps
        )
        control = send(small)
        loaded = send(replace(small, name="uplink load", seconds=load.seconds, is_load=True, dying_octets=load.octets))
    except Undecided:
        return None
    if control.stopped or loaded.stopped or not control.on_time or not loaded.on_time or not control.timed_ms:
        return None
    return True if contrast(control, loaded, load).is_bad else None


def contrast(control: Phase, loaded: Phase, load: Load) -> Contrast:
    """What the bits did: `loaded` against `control`, as many packets a second, but small."""
    calm, end = control.timed_ms, loaded.second_half.timed_ms
    more_lost = loaded.loss - control.loss
    chance = chance_of_more(loaded.lost, loaded.sent, control.lost, control.sent)
    loses = None
    if chance < _SURELY_LOSES and more_lost > _LEAST_MORE_LOST:
        loses = True
    elif chance > _MAY_LOSE:
        loses = False
    if len(calm) < _FEWEST_TIMED or len(end) < (_FEWEST_OF_A_FLOOD if loses else _FEWEST_TIMED):
        return Contrast(None, loses, max(0.0, more_lost), 1.0)
    # A line of just the rate that is needed takes that much longer for a large packet, and has no queue.
    grown_ms = median(end) - median(calm) - load.serialisation_ms
    threshold_ms = _ALWAYS_MS + _spread_ms(calm)
    queues = True if grown_ms > threshold_ms else False if grown_ms < _SURELY_NOT * threshold_ms else None
    stored = max(0.0, grown_ms) / 1000 / loaded.lasted_s
    unseen = _SURELY_NOT * threshold_ms / 1000 / (AT_ITS_END * loaded.lasted_s)
    return Contrast(queues, loses, max(0.0, more_lost) + stored, unseen)


def _judged(load: Load, send: Send, has_witness: bool, may_die: bool) -> Finding:
    slow = send(Ask("slow", SLOW_S, SLOW_PPS, SMALL_OCTETS))
    before = _control(load, CONTROL_S, send)
    first = _on_time(send, Ask("load", load.seconds, load.pps, load.octets, is_load=True))
    after = _control(load, CONTROL_S, send)
    _check_controls(slow, before, after)
    one = contrast(together(before, after), first, load)
    if one.is_clean:
        return _carried(one, first)
    again = Ask("second load", load.seconds, load.pps, load.octets, is_load=True, to_witness=has_witness)
    second = _on_time(send, again)
    if has_witness:  # it has no control from before, so this one is as long as both
        last = _control(load, 2 * CONTROL_S, send, to_witness=True)
        two = contrast(last, second, load)
    else:
        last = _control(load, CONTROL_S, send)
        two = contrast(together(after, last), second, load)
    if two.is_clean:
        return _carried(two, second, by_witness=has_witness)
    if not (one.is_bad and two.is_bad):
        raise Undecided(Doubt.TWICE_IN_DOUBT)
    short_of = (one.short_of, two.short_of)
    if one.queues and two.queues:
        _check_agreement(short_of)
        calm = _control(load, SHORT_CONTROL_S, send) if has_witness else last
        if not _always_queues(load, calm, send):
            raise Undecided(Doubt.COMES_AND_GOES)
        return Finding(Shape.NARROW, short_of=short_of)
    half = _half(load, send)
    shape = _of_losses(together(first, second), half)
    if shape is Shape.POLICED:
        _check_agreement(short_of)
        if not may_die or not _loses_beside_others(load, half, send):
            raise Undecided(Doubt.ECHOES)
    return Finding(shape, short_of=short_of)


def _control(load: Load, seconds: float, send: Send, *, to_witness: bool = False) -> Phase:
    """Once more where this machine's clock was moved meanwhile, or it lost answers."""
    ask = Ask("control", seconds, load.pps, SMALL_OCTETS, to_witness=to_witness)
    for _ in range(2):
        phase = send(ask)
        if not phase.spoilt:
            return phase
    raise Undecided(Doubt.LATE)


def _on_time(send: Send, ask: Ask) -> Phase:
    """A load that this machine was too late for proves nothing, so it is sent once more."""
    for _ in range(2):
        phase = send(ask)
        if phase.on_time:
            return phase
    raise Undecided(Doubt.LATE)


def _check_controls(slow: Phase, before: Phase, after: Phase) -> None:
    """Raises Undecided where the hop itself, or others on the line, would be taken for the load."""
    control = together(before, after)
    if slow.loss > 0.5 or not before.timed_ms or not after.timed_ms:
        raise Undecided(Doubt.SILENT)
    if chance_of_more(control.lost, control.sent, slow.lost, slow.sent) < _RATIONS:
        raise Undecided(Doubt.RATIONS)
    moved_ms = abs(median(before.timed_ms) - median(after.timed_ms))
    if moved_ms > _ALWAYS_MS + _spread_ms(control.timed_ms):
        raise Undecided(Doubt.UNSTEADY)


def _carried(seen: Contrast, loaded: Phase, *, by_witness: bool = False) -> Finding:
    """Raises Undecided where the load ended early: it was not carried for as long as it was meant to be."""
    if loaded.stopped:
        raise Undecided(Doubt.SILENT)
    return Finding(Shape.CARRIED, unseen=seen.unseen, by_witness=by_witness)


def _always_queues(load: Load, before: Phase, send: Send) -> bool:
    """Six short loads, and each meets a queue that the control after it has not: traffic of others would not."""
    for _ in range(SHORT_LOADS):
        loaded = _on_time(send, Ask("short load", SHORT_LOAD_S, load.pps, load.octets, is_load=True))
        if contrast(before.second_half, loaded, load).queues is not True:
            return False
        before = _control(load, SHORT_CONTROL_S, send)
    return True


def _half(load: Load, send: Send) -> Phase:
    ask = Ask("half the rate", max(load.seconds, _HALF_LEAST_S), load.pps / 2, load.octets, is_load=True)
    return _on_time(send, ask)


def _loses_beside_others(load: Load, half: Phase, send: Send) -> bool:
    """The other half of the load only goes up. It is no echoes, so a limit on echoes lets as many pass as without it.

    A limit of less than half the rate loses more and more while its bucket empties, so it is looked at afterwards, too.
    """
    pps, seconds = load.pps / 2, max(load.seconds, _BESIDE_LEAST_S)
    ask = Ask("half beside others", seconds, pps, load.octets, is_load=True, dying_octets=load.octets, dying_pps=pps)
    beside = _on_time(send, ask)
    if beside.stopped or contrast(half, beside, load).loses is not True:
        return False
    return not half.lost or contrast(_half(load, send), beside, load).loses is True


def _of_losses(full: Phase, half: Phase) -> Shape:
    chance = chance_of_more(full.lost, full.sent, half.lost, half.sent)
    if chance < _MAY_LOSE:
        return Shape.POLICED
    if lowest_share(half.lost, half.sent, _DOUBT) > _LOSSY:
        return Shape.LOSSY
    raise Undecided(Doubt.TWICE_IN_DOUBT)


def _check_agreement(short_of: Sequence[float]) -> None:
    if max(short_of) - min(short_of) > max(_AGREE, _AGREE_SHARE * max(short_of)):
        raise Undecided(Doubt.UNSTEADY)


def _spread_ms(rtts_ms: Sequence[float]) -> float:
    """The 90th percentile over the median: how far round trips vary without the load."""
    return summary.percentile(sorted(rtts_ms), 90) - median(rtts_ms)
