"""(Requirement, Measurement) -> Verdict. Pure: no network, no clock, no probe. Judges and never measures.

Nothing that was not measured passes. A failure that is ours or this machine's, and a fact that was looked for and could
not be decided, are `unknown`; a failure of the site counts as a miss. A missed `must` fails, any other miss warns.
Where this machine was disturbed meanwhile, a miss may be its own and is `unknown`. A fact that is None but known to lie
between two values (`Facts.between`) is judged where either value would be judged the same. Facts may come from a file
that anybody has edited: one of the wrong type is `unknown`, nothing fails on it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from types import MappingProxyType
from typing import Any

import msgspec

from gosip_check.records import (
    STOPPED,
    Expectation,
    FailureKind,
    Level,
    Measurement,
    Operator,
    Outcome,
    Readiness,
    Requirement,
    Titles,
    Verdict,
)
from gosip_check.titles import with_facts
from gosip_check.values import shown, unit_of, without_unit


def judge(requirement: Requirement, measurement: Measurement) -> Verdict:
    """The verdict on one requirement. Facts that the measurement does not have are `unknown`, as in an old report."""
    judged = _judged(requirement, measurement)
    if measurement.taken_from is not None:
        when = f"Measured on {measurement.started.astimezone(UTC):%Y-%m-%d at %H:%M} UTC, in an earlier run."
        judged = msgspec.structs.replace(judged, reason=f"{judged.reason} {when}")
    if measurement.disturbance is None or judged.outcome is Outcome.PASS:
        return judged
    reason = f"{judged.reason} {measurement.disturbance}"
    return msgspec.structs.replace(judged, outcome=Outcome.UNKNOWN, reason=reason)


def _judged(requirement: Requirement, measurement: Measurement) -> Verdict:
    if measurement.failure is not None:
        failure = measurement.failure
        outcome = Outcome.UNKNOWN if failure.kind.says_nothing_about_the_site else missed(requirement.level)
        judged = verdict(requirement, measurement.link, outcome, failure.message, measurement=measurement.id)
        is_stopped = failure.kind is FailureKind.INTERRUPTED
        options = _options_not_given(requirement, measurement) if outcome is Outcome.UNKNOWN else {}
        return msgspec.structs.replace(judged, stopped=is_stopped, decided_by=options)
    facts = measurement.facts or {}
    found = {
        expectation.fact: _found(facts, expectation.fact) for expectation in requirement.expect + requirement.prefer
    }
    misses = [e for e in requirement.expect if _holds(e, found[e.fact]) is False]
    undecided = [e for e in requirement.expect if _holds(e, found[e.fact]) is None]
    not_preferred = [e for e in requirement.prefer if _holds(e, found[e.fact]) is False]
    if misses:
        outcome, telling = missed(requirement.level), misses
    elif undecided:
        outcome, telling = Outcome.UNKNOWN, undecided
    elif not_preferred:
        outcome, telling = Outcome.WARN, not_preferred
    else:
        outcome, telling = Outcome.PASS, requirement.expect
    sentences = list(dict.fromkeys(_evidence(facts, e.fact) or _reason(e, found[e.fact]) for e in telling))
    if measurement.stopped and outcome is not Outcome.PASS:
        sentences.append("The run was stopped before the end of this.")
    judged = verdict(requirement, measurement.link, outcome, " ".join(sentences), found, measurement.id, facts)
    hint = next((hint for fact, hint in requirement.hint_if.items() if facts.get(fact) is True), requirement.hint)
    explained_by = [id_ for fact, ids in requirement.explained_if.items() if facts.get(fact) is True for id_ in ids]
    return msgspec.structs.replace(
        judged,
        hint=hint,
        stopped=measurement.stopped and outcome is Outcome.UNKNOWN,
        explained_by=[] if outcome is Outcome.PASS else explained_by,
        decided_by=_what_decides(requirement, measurement, facts) if outcome is Outcome.UNKNOWN else {},
    )


_MISSED = (Outcome.FAIL, Outcome.WARN)


def _what_decides(requirement: Requirement, measurement: Measurement, facts: Mapping[str, Any]) -> dict[str, str]:
    here = (decides for fact, decides in requirement.decided_if.items() if facts.get(fact) is True)
    return next(here, None) or _options_not_given(requirement, measurement)


def _options_not_given(requirement: Requirement, measurement: Measurement) -> dict[str, str]:
    """Of the options that would decide it, those that it was measured without: `--reflector HOST` sets `reflector`."""
    options = measurement.options or {}
    return {
        option: what
        for option, what in requirement.decided_by.items()
        if not options.get(option.removeprefix("--").partition(" ")[0].replace("-", "_"))
    }


def stopped(requirement: Requirement, link: str) -> Verdict:
    """A verdict on what a stopped run did not get to."""
    return msgspec.structs.replace(verdict(requirement, link, Outcome.UNKNOWN, STOPPED), stopped=True)


def verdict(
    requirement: Requirement,
    link: str,
    outcome: Outcome,
    reason: str,
    facts: dict[str, Any] | None = None,
    measurement: str | None = None,
    known: Mapping[str, Any] = MappingProxyType({}),
) -> Verdict:
    """A verdict that carries what the requirement says of itself. known: facts for its texts."""
    is_missed = outcome in _MISSED
    return Verdict(
        id=requirement.id,
        group=requirement.group,
        title=requirement.title,
        link=link,
        level=requirement.level,
        outcome=outcome,
        reason=reason,
        facts=facts or {},
        expected=requirement.expect,
        preferred=requirement.prefer,
        measurement=measurement,
        hint=requirement.hint,
        source=requirement.source,
        headline=_headline(requirement, outcome, known),
        means=with_facts(requirement.means, known) if is_missed else "",
        figure=with_facts(requirement.figure, known, with_bounds=True) if outcome is Outcome.PASS else "",
        explains=requirement.explains if is_missed or outcome is Outcome.UNKNOWN else [],
    )


def _headline(requirement: Requirement, outcome: Outcome, known: Mapping[str, Any]) -> str:
    titles = requirement.titles
    if titles == Titles():
        return ""
    by_outcome = {Outcome.PASS: requirement.title, Outcome.FAIL: titles.fail, Outcome.WARN: titles.warn}
    return with_facts(by_outcome.get(outcome, titles.unknown), known)


def missed(level: Level) -> Outcome:
    """What missing a requirement of this level amounts to."""
    return Outcome.FAIL if level is Level.MUST else Outcome.WARN


def counts(verdicts: Sequence[Verdict]) -> dict[Outcome, int]:
    """How many verdicts have each outcome."""
    return {outcome: sum(verdict.outcome is outcome for verdict in verdicts) for outcome in Outcome}


def readiness(verdicts: Iterable[Verdict]) -> Readiness:
    """Not ready when a `must` failed; inconclusive when one is unknown or was skipped; else ready."""
    musts = [verdict.outcome for verdict in verdicts if verdict.level is Level.MUST]
    if Outcome.FAIL in musts:
        return Readiness.NOT_READY
    return Readiness.INCONCLUSIVE if {Outcome.UNKNOWN, Outcome.SKIPPED} & set(musts) else Readiness.READY


def _look_up(facts: Mapping[str, Any], dotted: str) -> Any:
    value: Any = facts
    for name in dotted.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _found(facts: Mapping[str, Any], dotted: str) -> Any:
    """The fact; where it is None and its bounds are known, `{"between": [low, high]}`, either of them None if open."""
    value = _look_up(facts, dotted)
    bounds = facts.get("between")
    known = bounds.get(dotted) if isinstance(bounds, Mapping) else None
    return {"between": list(known)} if value is None and isinstance(known, list | tuple) and len(known) == 2 else value


def _holds(expectation: Expectation, found: Any) -> bool | None:
    """None: cannot be decided, because the fact is None, of a type that cannot be compared, or not known enough."""
    value, kind = expectation.value, _kind(found)
    bounds = found.get("between") if isinstance(found, Mapping) else None
    if isinstance(bounds, list) and len(bounds) == 2:
        return _holds_between(expectation, *bounds)
    match expectation.operator:
        case Operator.IS:
            return bool(found == value) if kind == _kind(value) else None
        case Operator.ONE_OF:
            return found in value if kind in map(_kind, value) else None
        case Operator.MIN:
            return bool(found >= value) if kind == "number" else None
        case Operator.MAX:
            return bool(found <= value) if kind == "number" else None
        case Operator.INCLUDES:
            return value in found if kind == "list" else None


def _holds_between(expectation: Expectation, low: Any, high: Any) -> bool | None:
    """Decided only where every value from low to high would be judged the same."""
    if _kind(expectation.value) != "number":
        return None
    above = _kind(low) == "number" and low > expectation.value
    below = _kind(high) == "number" and high < expectation.value
    match expectation.operator:
        case Operator.MAX:
            return False if above else True if below or high == expectation.value else None
        case Operator.MIN:
            return False if below else True if above or low == expectation.value else None
    return None


def _kind(value: Any) -> str:
    """What may be compared with what. NaN is no number."""
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number" if value == value else "nothing"
    return "nothing" if value is None else "list" if isinstance(value, list | tuple) else type(value).__name__


def _evidence(facts: Mapping[str, Any], fact: str) -> str | None:
    evidence = facts.get("evidence")
    words = evidence.get(fact) if isinstance(evidence, Mapping) else None
    return words if isinstance(words, str) else None


def _reason(expectation: Expectation, found: Any) -> str:
    """A plain sentence for a fact whose probe wrote none: `rtt p95 is 12.3 ms (at most 100 wanted).`"""
    name, unit = without_unit(expectation.fact).replace(".", " ").replace("_", " "), unit_of(expectation.fact)
    if found is None or isinstance(found, dict):
        return f"{name}: looked for, and could not be decided."
    if _holds(expectation, found) is None:
        return f"{name}: {shown(found)} is not what this measures, so nothing can be said."
    wanted = {Operator.MIN: "at least ", Operator.MAX: "at most "}.get(expectation.operator, "")
    return f"{name} is {shown(found)}{f' {unit}' if unit else ''} ({wanted}{shown(expectation.value)} wanted)."
