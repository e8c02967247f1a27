"""Voice beside a load: what each pattern of small streams proves, and what proves nothing."""

import random
from collections.abc import Mapping
from itertools import pairwise

import pytest

from gosip_check.probes.media.echo_rule import Phase
from gosip_check.probes.media.qos_rule import Found, Limits, Stream, Why, judge_streams

LIMITS = Limits(late_ms=30, most_pct=5)
GOOD, LATE = 20.0, 120.0


def _phase(held_up: int, of: int, *, lost: bool = False) -> Phase:
    """Spread evenly, so that no half is another."""
    bad = None if lost else LATE
    steps = [number * held_up // of for number in range(of + 1)]
    return Phase(of, 0, 8.0, [GOOD if before == after else bad for before, after in pairwise(steps)])


CLEAN, HELD, SOME = _phase(0, 120), _phase(110, 120), _phase(8, 120)
EVERY_SECOND = _phase(60, 120)
IDLE = dict.fromkeys(Stream, _phase(0, 45))
NO_QUOTES = dict.fromkeys(Stream, _phase(0, 45)) | dict.fromkeys(
    (Stream.VOICE, Stream.PROVIDER, Stream.PLAIN_UDP, Stream.LOAD), _phase(40, 45, lost=True)
)
ALL_HELD = dict.fromkeys(Stream, HELD)
ALL_CLEAN = dict.fromkeys(Stream, CLEAN)
MARKED = dict.fromkeys((Stream.MARKED_ECHO, Stream.VOICE), CLEAN)
TO_PROVIDER = dict.fromkeys((Stream.VOICE, Stream.PROVIDER), CLEAN)
ALL_LOST = dict.fromkeys(Stream, _phase(80, 120, lost=True))
ICMP = dict.fromkeys((Stream.MARKED_ECHO, Stream.PLAIN_ECHO), CLEAN)


def _found(
    loaded: Mapping[Stream, Phase], idle: Mapping[Stream, Phase] = IDLE, after: Mapping[Stream, Phase] = IDLE
) -> Found:
    return judge_streams(idle, loaded, after, LIMITS)


@pytest.mark.parametrize(
    ("loaded", "sharing", "by"),
    [
        (ALL_HELD | MARKED, "priority", ("mark",)),
        (ALL_HELD | TO_PROVIDER, "priority", ("addresses",)),
        (ALL_HELD | MARKED | TO_PROVIDER, "priority", ("mark", "addresses")),
        (ALL_CLEAN | {Stream.LOAD: HELD}, "shared fairly", ()),  # a queue for each flow
        (ALL_HELD, "held up", ()),
        (ALL_HELD | ICMP, "held up", ()),  # ping has a queue of its own; calls have not
        (ALL_LOST, "held up", ()),
        (dict.fromkeys(Stream, _phase(40, 120, lost=True)), "held up", ()),
        # one packet that something else held up makes the mark no worse
        (ALL_HELD | MARKED | TO_PROVIDER | {Stream.MARKED_ECHO: _phase(1, 120)}, "priority", ("mark", "addresses")),
    ],
)
def test_what_a_full_line_shows(loaded: Mapping[Stream, Phase], sharing: str | None, by: tuple[str, ...]) -> None:
    found = _found(loaded)
    assert (found.sharing, found.by, found.full) == (sharing, by, True)


@pytest.mark.parametrize(
    ("loaded", "why"),
    [
        (ALL_CLEAN, Why.NEVER_FULL),
        (ALL_CLEAN | {Stream.PLAIN_ECHO: HELD}, Why.NEVER_FULL),  # the hop answers fewer echoes just then
        ({s: p for s, p in ALL_CLEAN.items() if s is not Stream.LOAD}, Why.NEVER_FULL),  # an upload, full further on
        (ALL_HELD | dict.fromkeys((Stream.VOICE, Stream.PLAIN_UDP), SOME), Why.BETWEEN),
        (ALL_HELD | {Stream.PROVIDER: CLEAN}, Why.BETWEEN),  # the mark makes it worse
        (ALL_HELD | dict.fromkeys(MARKED, _phase(22, 120)), Why.LESS),  # the mark helps, but not enough
        # a queue for each flow, and one of the unmarked ones shares the load's
        (ALL_CLEAN | {Stream.LOAD: HELD, Stream.PLAIN_UDP: EVERY_SECOND}, Why.BETWEEN),
        (ALL_LOST | ICMP, Why.ONLY_LOST),  # the hop limits how much it quotes, by octets
        (ALL_LOST | ICMP | MARKED, Why.ONLY_LOST),
        (ALL_CLEAN | {Stream.LOAD: _phase(400, 1800, lost=True)}, Why.ONLY_LOST),
        (ALL_CLEAN | {Stream.LOAD: _phase(1790, 1800, lost=True)}, Why.NEVER_FULL),  # too large for the way
    ],
)
def test_what_proves_nothing(loaded: Mapping[Stream, Phase], why: Why) -> None:
    found = _found(loaded)
    assert (found.sharing, found.why) == (None, why)


def test_behind_a_hop_that_quotes_little_only_marked_echoes_prove_something() -> None:
    found = _found(ALL_HELD | MARKED, NO_QUOTES, NO_QUOTES)
    assert (found.sharing, found.by, set(found.shares)) == ("priority", ("mark",), set(ICMP))
    for loaded in (ALL_HELD, ALL_CLEAN, ALL_HELD | ICMP, ALL_HELD | TO_PROVIDER):
        found = _found(loaded, NO_QUOTES, NO_QUOTES)
        assert (found.sharing, found.why) == (None, Why.UNQUOTED)


def test_a_hop_that_ran_empty_meanwhile_vouches_for_nothing() -> None:
    """Its quotes fail for all streams at once, which looks like a line without any priority."""
    assert _found(ALL_HELD, after=NO_QUOTES).sharing is None
    assert _found(ALL_HELD).sharing == "held up"


def test_fewer_than_thirty_quotes_are_not_enough() -> None:
    few = dict.fromkeys(Stream, _phase(0, 29))
    assert _found(ALL_HELD, idle=few).why is Why.UNQUOTED


def test_a_line_that_was_uneven_before_is_left_open() -> None:
    assert _found(ALL_HELD, idle=IDLE | {Stream.MARKED_ECHO: _phase(4, 45)}).why is Why.UNEVEN


def test_chance_makes_no_priority() -> None:
    """Every packet waits with the same probability, whatever marks it."""
    chance = random.Random(12)
    wrong = 0
    for _ in range(400):
        share = chance.choice((0.01, 0.03, 0.05, 0.08, 0.15))
        loaded = {
            s: Phase(120, 0, 8.0, [LATE if chance.random() < share else GOOD for _ in range(120)]) for s in Stream
        }
        wrong += _found(loaded).sharing == "priority"
    assert wrong == 0
