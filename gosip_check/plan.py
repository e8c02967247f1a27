"""What a run asks, in which order, and about how long that takes. Measures nothing.

Requirements that ask the same thing share one measurement. Independent probes run side by side; probes that load or
time the path run alone, after the others.
"""

import fnmatch
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gosip_check.again import Again, Key
from gosip_check.heard import Heard
from gosip_check.probes import PROBES
from gosip_check.probes.probe import Options, Probe, Turns, fill_options
from gosip_check.probes.secret import Secret
from gosip_check.records import Checklist, Form, Link, Measurement, Requirement, Settings


@dataclass(frozen=True)
class Plan:
    """What to run. `requirements`: in checklist order, with whatever they need; `skip`: globs on ids.

    turns: paces what is sent to the provider's servers, over several runs where they share it.
    """

    checklist: Checklist
    requirements: Sequence[Requirement]
    links: Sequence[Link]
    settings: Settings
    skip: Sequence[str] = ()
    form: Form | None = None
    command: str = "run"
    company: str = ""
    site: str = ""
    password: Secret | None = None
    "Of `settings.account`; without one nothing that logs in is asked, whatever the checklist holds."
    turns: Turns = field(default_factory=Turns)
    again: Again | None = None
    "An earlier report, to measure again only what did not pass there."
    heard: Heard | None = None
    "What a PBX said, from a rehearsal or a trace: then that alone is judged, and no network is needed."
    remains: list[str] = field(default_factory=list)
    "What may remain at the provider after the run, in sentences: filled by probes, to be said last."


def select(checklist: Checklist, patterns: Iterable[str]) -> list[Requirement]:
    """The requirements whose id matches a glob, and whatever they need, in checklist order."""
    wanted = {r.id for r in checklist.requirements for pattern in patterns if fnmatch.fnmatchcase(r.id, pattern)}
    for requirement in reversed(checklist.requirements):
        if requirement.id in wanted:
            wanted.update(requirement.needs)
    return [requirement for requirement in checklist.requirements if requirement.id in wanted]


def select_health(checklist: Checklist) -> list[Requirement]:
    """The light subset for scheduled runs, and whatever it needs, in checklist order."""
    return select(checklist, [requirement.id for requirement in checklist.requirements if requirement.health])


def budget(plan: Plan) -> dict[str, float]:
    """What takes long of each line, if it is well: seconds, by what a person calls it."""
    return {what: seconds for ask in _not_skipped(plan) for what, seconds in ask.probe.takes(ask.options).items()}


def is_held(plan: Plan) -> bool:
    """Whether something may not be measured now, because it was so often lately."""
    return not all(ask.probe.may_begin(ask.options) for ask in _not_skipped(plan))


def about_s(plan: Plan) -> float:
    """About how long a line takes that is well: round after round, as they will be measured."""
    asks = {ask.key: ask for ask in _not_skipped(plan)}
    add_what_they_come_after(plan, asks, {})
    seconds = 0.0
    while asked := batch(asks.values(), {ask.probe.name for ask in asks.values()}, ()):
        seconds += max(sum(ask.probe.takes(ask.options).values()) + ask.probe.rest_s(ask.options) for ask in asked)
        for ask in asked:
            del asks[ask.key]
    return seconds


@dataclass(frozen=True)
class Ask:
    """One measurement to make. Asks with the same key are the same exchange."""

    probe: Probe
    options: Options

    @property
    def key(self) -> Key:
        return self.probe.name, msgspec.json.encode(self.options)


def ask_of(plan: Plan, requirement: Requirement) -> Ask:
    return _filled(plan, PROBES[requirement.probe], requirement.options)


def _not_skipped(plan: Plan) -> list[Ask]:
    left = [r for r in plan.requirements if not any(fnmatch.fnmatchcase(r.id, glob) for glob in plan.skip)]
    asks = [ask_of(plan, requirement) for requirement in left]
    return [ask for ask in asks if not ask.probe.only_with or getattr(plan.settings, ask.probe.only_with)]


def _filled(plan: Plan, probe: Probe, chosen: Mapping[str, Any]) -> Ask:
    settings, trunk = msgspec.structs.asdict(plan.settings), msgspec.structs.asdict(plan.checklist.trunk)
    return Ask(probe, fill_options(probe, chosen, settings, trunk))


def add_what_they_come_after(plan: Plan, asks: dict[Key, Ask], measurements: Mapping[Key, Measurement]) -> None:
    """A probe whose facts another one needs is measured even where no requirement asks for it."""
    waiting = list(asks.values())
    while waiting:
        for name in waiting.pop().probe.after:
            if not any(key[0] == name for key in [*asks, *measurements]):
                ask = _filled(plan, PROBES[name], {})
                if ask.probe.wanted(ask.options):
                    asks[ask.key] = ask
                    waiting.append(ask)


def batch(asks: Iterable[Ask], still_to_come: Container[str | None], waiting: Container[Key]) -> list[Ask]:
    """What to measure next: everything that may run side by side, else one of those that run alone.

    A probe waits as long as one whose facts it takes is still to be measured, and for the one that it accompanies.
    waiting: what may yet be taken over instead.
    """
    left = list(asks)
    names = {ask.probe.name for ask in left}
    ready = [ask for ask in left if not names.intersection(ask.probe.after + ask.probe.uses)]
    ready = [ask for ask in ready if ask.key not in waiting]
    together = [ask for ask in ready if not ask.probe.alone and ask.probe.beside not in still_to_come]
    if together:
        return together
    lead = [ask for ask in ready if ask.probe.alone][:1]
    return lead + [ask for ask in ready if lead and ask.probe.beside == lead[0].probe.name]
