"""What some messages show, as a fact with its sentence: the last kind in a list of kinds decides. Judges nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from gosip_check.heard import Heard
from gosip_check.probes.probe import Context, Facts, ProbeFailed
from gosip_check.records import FailureKind

Kind = TypeVar("Kind", bound=Facts)


@dataclass(frozen=True)
class Seen:
    """value: None where it was looked for and cannot be decided; the sentence says why."""

    value: Any
    sentence: str


def furthest(kinds: Sequence[str], seen: Iterable[Seen], nothing: str, heard: Heard) -> Seen:
    """Of what several messages show, what stands last in `kinds`. `nothing`: the sentence where none shows it."""
    every = list(seen)
    decided = [each for each in every if each.value is not None]
    if decided:
        return max(decided, key=lambda each: kinds.index(each.value))
    return unseen(every[0].sentence if every else nothing, heard)


def unseen(sentence: str, heard: Heard) -> Seen:
    """It cannot be decided: why, and what is missing altogether."""
    return Seen(None, " ".join([sentence, *heard.gaps]))


def facts_of(kind: type[Kind], **seen: Seen) -> Kind:
    """The facts of a probe, with their sentences."""
    values = {name: each.value for name, each in seen.items()}
    return kind(**values, evidence={name: each.sentence for name, each in seen.items()})


def heard_by(context: Context) -> Heard:
    """What this run listens to. Raises ProbeFailed where it is no such run."""
    if context.heard is None:
        raise ProbeFailed(FailureKind.UNSUPPORTED, "This is asked by `gosip-check pbx` alone.")
    return context.heard
