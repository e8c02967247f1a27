"""Does voice go first on a full uplink, judged by small streams beside the load? Pure; thresholds are the checklist's.

A packet is held up if it is lost, or later than on the idle line by more than a limit. So each stream is one share of
packets, with exact bounds. The line was full only where something unmarked was held up: the load itself, or a small
stream that has no privilege. Echoes may have a queue of their own, so they never prove that voice waits or that the
line is shared; only packets that are sent as voice is (UDP, marked, to the provider's network) do.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import median
from typing import Literal

from gosip_check.probes.media.echo_rule import Phase
from gosip_check.probes.media.proportions import chance_of_more, highest_share, lowest_share

DOUBT = 0.005
FEWEST_QUOTES = 30
_FEWEST_QUOTED = 0.9
_CHANCE = 0.001
"Of a difference between two streams that is none."

Sharing = Literal["priority", "shared fairly", "held up"]
State = Literal["clean", "held up", "doubtful"]


class Stream(Enum):
    """What is sent at the same time. All but the load are equally small and equally often sent.

    Unmarked UDP elsewhere goes by two flows in turn: where a router has a queue for each flow, one of them may share
    the load's.
    """

    MARKED_ECHO = "echoes marked EF"
    PLAIN_ECHO = "unmarked echoes"
    VOICE = "UDP marked EF to the provider's network"
    PROVIDER = "unmarked UDP to the provider's network"
    PLAIN_UDP = "unmarked UDP elsewhere"
    LOAD = "the load"


ECHOES = (Stream.MARKED_ECHO, Stream.PLAIN_ECHO)
VOUCHED = (Stream.VOICE, Stream.PROVIDER, Stream.PLAIN_UDP)


@dataclass(frozen=True)
class Limits:
    """late_ms: so much later than on the idle line is held up. most_pct: so many of 100 packets may be held up."""

    late_ms: float
    most_pct: float


@dataclass(frozen=True)
class Share:
    """One stream beside the load. idle_ms, loaded_ms: medians; None where nothing was timed."""

    sent: int
    held_up: int
    lost: int
    idle_ms: float | None
    loaded_ms: float | None
    state: State


class Why(Enum):
    """What keeps a verdict away."""

    NEVER_FULL = "never full"
    UNQUOTED = "the hop quotes too little"
    UNEVEN = "uneven before the load"
    BETWEEN = "between clean and held up"
    LESS = "held up less than the rest"
    ONLY_LOST = "only what dies at the hop is lost"
    "And nothing comes later: the hop itself may drop them, as a limit on what it answers does."


@dataclass(frozen=True)
class Found:
    """full: something unmarked was held up. by: what priority is given by, as far as that was seen."""

    sharing: Sharing | None
    full: bool
    by: tuple[Literal["mark", "addresses"], ...]
    why: Why | None
    shares: Mapping[Stream, Share]
    vouched: bool


def judge_streams(
    idle: Mapping[Stream, Phase], loaded: Mapping[Stream, Phase], after: Mapping[Stream, Phase], limits: Limits
) -> Found:
    """idle: as many packets without a load. after: once more, right after it: does the hop still quote?

    loaded: without the time in which the line fills. A load of another kind than packets has no phase.
    """
    shares: dict[Stream, Share] = {
        stream: share_of(idle[stream], phase, limits, flows=2 if stream is Stream.PLAIN_UDP else 1)
        for stream, phase in loaded.items()
        if stream is not Stream.LOAD
    }
    vouched = all(is_vouched(idle[stream], after[stream]) for stream in VOUCHED)
    # Where nearly none of the load comes through, its packets may be too large for the way: that fills nothing.
    comes_through = Stream.LOAD in loaded and len(loaded[Stream.LOAD].timed_ms) >= FEWEST_QUOTES
    if comes_through and vouched:
        shares[Stream.LOAD] = share_of(idle[Stream.LOAD], loaded[Stream.LOAD], limits)
    if not vouched:
        shares = {stream: share for stream, share in shares.items() if stream in ECHOES}
    # A hop that answers fewer echoes meanwhile would hold these up alone: they count where there is nothing else.
    unmarked = (Stream.PLAIN_UDP, Stream.LOAD) if vouched else (Stream.PLAIN_ECHO,)
    held_up = [shares[stream] for stream in unmarked if stream in shares and shares[stream].state == "held up"]
    # Quotes that fail may be the hop's own doing: something must come later, or echoes must suffer as well.
    echoes_too = shares[Stream.PLAIN_ECHO].state == "held up"
    full = bool(held_up) and (echoes_too or any(_is_later(share, limits) for share in held_up))

    def found(sharing: Sharing | None, why: Why | None = None, *by: Literal["mark", "addresses"]) -> Found:
        return Found(sharing, full, by, why, shares, vouched)

    if any(is_uneven(idle[stream], limits) for stream in shares):
        return found(None, Why.UNEVEN)
    if not full:
        return found(None, Why.ONLY_LOST if held_up else Why.NEVER_FULL if vouched else Why.UNQUOTED)
    if not vouched:
        first = is_better(shares[Stream.MARKED_ECHO], shares[Stream.PLAIN_ECHO])
        return found("priority", None, "mark") if first else found(None, Why.UNQUOTED)
    return _by_packets_like_voice(shares, found)


def _by_packets_like_voice(shares: Mapping[Stream, Share], found: Callable[..., Found]) -> Found:
    voice, provider, plain = (shares[stream] for stream in VOUCHED)
    if is_better(voice, plain):
        # A rule by address holds for what is unmarked, too; where that waits it is the mark.
        if suffers_less(provider, plain):
            by_mark_too = suffers_less(shares[Stream.MARKED_ECHO], shares[Stream.PLAIN_ECHO])
            return found("priority", None, *(["mark"] if by_mark_too else []), "addresses")
        return found("priority", None, *(["mark"] if provider.state == "held up" else []))
    if voice.state == plain.state == "clean":
        return found("shared fairly")
    if {voice.state, provider.state, plain.state} == {"held up"}:
        return found(None, Why.LESS) if suffers_less(voice, plain) else found("held up")
    return found(None, Why.BETWEEN)


def _is_later(share: Share, limits: Limits) -> bool:
    """Of what was not lost, half is held up all the same."""
    if share.idle_ms is None or share.loaded_ms is None:
        return False
    return share.loaded_ms > share.idle_ms + limits.late_ms


def share_of(idle: Phase, loaded: Phase, limits: Limits, flows: int = 1) -> Share:
    """How much of a stream is held up, against its own median on the idle line.

    flows: it went by so many in turn. It is held up only if each of them is.
    """
    idle_ms = median(idle.timed_ms) if idle.timed_ms else None
    latest_ms = (idle_ms or 0.0) + limits.late_ms
    late = [rtt is None or rtt > latest_ms for rtt in loaded.rtts_ms]
    state: State = "doubtful"
    if idle_ms is not None and loaded.sent >= flows:
        if highest_share(sum(late), loaded.sent, DOUBT) <= limits.most_pct / 100:
            state = "clean"
        elif all(_surely_held_up(late[flow::flows], limits) for flow in range(flows)):
            state = "held up"
    loaded_ms = median(loaded.timed_ms) if loaded.timed_ms else None
    return Share(loaded.sent, sum(late), loaded.lost, idle_ms, loaded_ms, state)


def _surely_held_up(late: Sequence[bool], limits: Limits) -> bool:
    return lowest_share(sum(late), len(late), DOUBT) > limits.most_pct / 100


def is_uneven(idle: Phase, limits: Limits) -> bool:
    """More is held up without a load than may be with one."""
    share = share_of(idle, idle, limits)
    return share.held_up > share.sent * limits.most_pct / 100


def is_vouched(idle: Phase, after: Phase) -> bool:
    """The hop quotes nearly all of as many packets, before the load and after it; so it has not run empty between.

    A ration only shrinks while more is asked than it gets back.
    """
    enough = len(idle.timed_ms) >= FEWEST_QUOTES and after.sent > 0
    return enough and all(1 - phase.loss >= _FEWEST_QUOTED for phase in (idle, after))


def quotes_enough(idle: Mapping[Stream, Phase]) -> bool:
    """As far as an idle line can tell."""
    return all(is_vouched(idle[stream], idle[stream]) for stream in VOUCHED)


def is_better(first: Share, other: Share) -> bool:
    """The first is clean and the other held up, by more than chance."""
    return (first.state, other.state) == ("clean", "held up") and suffers_less(first, other)


def suffers_less(first: Share, other: Share) -> bool:
    """Fewer of the first are held up, by more than chance; neither need be clean."""
    return chance_of_more(other.held_up, other.sent, first.held_up, first.sent) < _CHANCE
