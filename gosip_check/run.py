"""Order, concurrency, deadlines: measures what a checklist asks and has it judged. Whatever happens becomes a record.

Requirements that ask the same thing share one measurement. Independent probes run side by side; probes that load or
time the path run alone, after the others. This is the only place that catches every exception: a bug in a probe is
recorded as one, says nothing about the site, and stops nothing.
"""

import fnmatch
import itertools
import queue
import secrets
import threading
import time
import traceback
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import msgspec

from gosip_check import __version__
from gosip_check.judge import judge, readiness, skipped, verdict
from gosip_check.probes import PROBES, net
from gosip_check.probes.probe import STOPPED, Context, Facts, Line, Options, Probe, ProbeFailed, fill_options
from gosip_check.probes.secret import Secret
from gosip_check.records import (
    ALL_LINES,
    Checklist,
    Failure,
    FailureKind,
    Form,
    Link,
    LinkReport,
    Measurement,
    Outcome,
    Readiness,
    Report,
    Requirement,
    Settings,
    Verdict,
)
from gosip_check.remedies import with_remedy

_STOP_GRACE_S = 3.0
"How long a probe may take to notice that the run was stopped, before it is left behind."


@dataclass(frozen=True)
class Observer:
    """Who watches a run. `say`: a line of progress, from any thread; `judged`: a verdict as it falls."""

    say: Callable[[str], None] = lambda _: None
    judged: Callable[[Verdict], None] = lambda _: None


@dataclass(frozen=True)
class Plan:
    """What to run. `requirements`: in checklist order, with whatever they need; `skip`: globs on ids.

    password: of `settings.account`; without one nothing that logs in is asked, whatever the checklist holds.
    """

    checklist: Checklist
    requirements: Sequence[Requirement]
    links: Sequence[Link]
    settings: Settings
    skip: Sequence[str] = ()
    form: Form | None = None
    command: str = "run"
    password: Secret | None = None


def select(checklist: Checklist, patterns: Iterable[str]) -> list[Requirement]:
    """The requirements whose id matches a glob, and whatever they need, in checklist order."""
    wanted = {r.id for r in checklist.requirements for pattern in patterns if fnmatch.fnmatchcase(r.id, pattern)}
    for requirement in reversed(checklist.requirements):
        if requirement.id in wanted:
            wanted.update(requirement.needs)
    return [requirement for requirement in checklist.requirements if requirement.id in wanted]


def run(plan: Plan, stop: threading.Event, observer: Observer) -> Report:
    """Measure and judge every requirement on every link. Set `stop` to end early: what was measured is reported."""
    started, start_s = datetime.now(UTC), time.monotonic()
    ids = (f"m{number}" for number in itertools.count(1))
    links: list[LinkReport] = []
    verdicts: list[Verdict] = []
    measurements: list[Measurement] = []
    for link in plan.links:
        source, trouble = _route(plan, link)
        if trouble is not None:
            observer.say(f"{link.name}: {trouble}")
        own = replace(plan, requirements=_of_a_line(plan, first=not links))
        judged, measured = _on_link(own, link, trouble, stop, observer, ids)
        links.append(_link_report(link, source, trouble, judged, measured))
        verdicts += judged
        measurements += measured
    judged, measured = _across(plan, links, measurements, stop, observer, ids)
    verdicts += judged
    measurements += measured
    return Report(
        id=report_id(started),
        tool_version=__version__,
        command=plan.command,
        started=started,
        elapsed_s=round(time.monotonic() - start_s, 3),
        outcome=readiness(verdicts),
        counts={outcome: sum(v.outcome is outcome for v in verdicts) for outcome in Outcome},
        checklist=plan.checklist.identity,
        form=plan.form,
        links=links,
        verdicts=verdicts,
        measurements=measurements,
    )


def report_id(now: datetime) -> str:
    """A ULID: 48 bits of milliseconds and 80 random bits in Crockford's base 32, so that ids sort by time."""
    number = int(now.timestamp() * 1000) << 80 | secrets.randbits(80)
    return "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[number >> shift & 31] for shift in range(125, -1, -5))


def _route(plan: Plan, link: Link) -> tuple[str | None, str | None]:
    """The local address towards the provider, and why there is none: the one trouble that makes all else pointless."""
    towards = str(next(iter(ip_network(plan.checklist.trunk.networks[0]).hosts())))
    try:
        return net.source_address(link, towards), None
    except ProbeFailed as failed:
        return link.source, f"Could not run: no network towards the provider. {failed.failure.message}"


def _of_a_line(plan: Plan, *, first: bool) -> list[Requirement]:
    """What is asked on one line: not what compares lines; what logs in only once, and only with an account."""
    logs_in = first and plan.password is not None
    probes = {requirement.id: PROBES[requirement.probe] for requirement in plan.requirements}
    return [r for r in plan.requirements if not probes[r.id].across and (logs_in or not probes[r.id].account)]


def _across(
    plan: Plan,
    links: Sequence[LinkReport],
    measurements: Sequence[Measurement],
    stop: threading.Event,
    observer: Observer,
    ids: Iterator[str],
) -> tuple[list[Verdict], list[Measurement]]:
    """What compares the lines, asked once all of them have been looked at."""
    own = replace(plan, requirements=[r for r in plan.requirements if PROBES[r.probe].across])
    everything = Link(name=ALL_LINES)
    if len(links) < 2:
        return [], []  # there is nothing to compare
    form = plan.form or Form()
    speeds = [form.internet_1.speed, form.internet_2.speed]
    lines = [
        Line(
            link=link,
            is_ready={Readiness.READY: True, Readiness.NOT_READY: False, Readiness.INCONCLUSIVE: None}[told.outcome],
            facts={m.probe: m.facts for m in measurements if m.link == link.name and m.facts is not None},
            speed=speeds[number] if number < len(speeds) else "",
        )
        for number, (link, told) in enumerate(zip(plan.links, links, strict=True))
    ]
    return _on_link(own, everything, None, stop, observer, ids, lines)


def _on_link(
    plan: Plan,
    link: Link,
    trouble: str | None,
    stop: threading.Event,
    observer: Observer,
    ids: Iterator[str],
    lines: Sequence[Line] = (),
) -> tuple[list[Verdict], list[Measurement]]:
    """Rounds: judge what needs no measuring, measure what has all it needs, judge that; until every requirement is."""
    verdicts: dict[str, Verdict] = {}
    measurements: dict[_Key, Measurement] = {}
    facts: dict[str, Facts] = {}

    def judged(verdict: Verdict) -> None:
        verdicts[verdict.id] = verdict
        observer.judged(verdict)

    pending = list(plan.requirements)
    while pending:
        asks: dict[_Key, _Ask] = {}
        for requirement in pending:
            if not all(need in verdicts for need in requirement.needs):
                continue
            reason = _reason_to_skip(plan, requirement, trouble, verdicts)
            if reason:
                judged(skipped(requirement, link.name, reason))
            elif stop.is_set():
                judged(verdict(requirement, link.name, Outcome.UNKNOWN, STOPPED))
            else:
                ask = _ask(plan, requirement)
                if ask.key in measurements:
                    measured = measurements[ask.key]
                    judged(with_remedy(judge(requirement, measured), measured, plan.form))
                else:
                    asks[ask.key] = ask
        _add_what_they_come_after(plan, asks, measurements)
        still_to_come: set[str | None] = {
            requirement.probe for requirement in pending if requirement.id not in verdicts
        }
        batch = _batch(asks.values(), still_to_come)
        context = Context(link, stop, facts, observer.say, plan.password, None, lines)
        for ask, measurement, brought in _measure(batch, context, ids):
            measurements[ask.key] = measurement
            if brought is not None:
                facts[ask.probe.name] = brought
        pending = [requirement for requirement in pending if requirement.id not in verdicts]
    return [verdicts[requirement.id] for requirement in plan.requirements], list(measurements.values())


def _reason_to_skip(
    plan: Plan, requirement: Requirement, trouble: str | None, verdicts: dict[str, Verdict]
) -> str | None:
    for pattern in plan.skip:
        if fnmatch.fnmatchcase(requirement.id, pattern):
            return f"Skipped on request (--skip {pattern})."
    if trouble is not None and not PROBES[requirement.probe].local:
        return "There is no network towards the provider."
    for need in requirement.needs:
        if verdicts[need].outcome is Outcome.UNKNOWN and verdicts[need].reason == STOPPED:
            return None  # the run was stopped; this one is as unknown as what it needs
        if verdicts[need].outcome is not Outcome.PASS:
            return f"Not looked at, because {need} did not pass."
    return None


_Key = tuple[str, bytes]


@dataclass(frozen=True)
class _Ask:
    """One measurement to make. Asks with the same key are the same exchange."""

    probe: Probe
    options: Options

    @property
    def key(self) -> _Key:
        return self.probe.name, msgspec.json.encode(self.options)


def _ask(plan: Plan, requirement: Requirement) -> _Ask:
    return _filled(plan, PROBES[requirement.probe], requirement.options)


def _filled(plan: Plan, probe: Probe, chosen: Mapping[str, Any]) -> _Ask:
    settings, trunk = msgspec.structs.asdict(plan.settings), msgspec.structs.asdict(plan.checklist.trunk)
    return _Ask(probe, fill_options(probe, chosen, settings, trunk))


def _add_what_they_come_after(plan: Plan, asks: dict[_Key, _Ask], measurements: Mapping[_Key, Measurement]) -> None:
    """A probe whose facts another one needs is measured even where no requirement asks for it."""
    waiting = list(asks.values())
    while waiting:
        for name in waiting.pop().probe.after:
            if not any(key[0] == name for key in [*asks, *measurements]):
                ask = _filled(plan, PROBES[name], {})
                asks[ask.key] = ask
                waiting.append(ask)


def _batch(asks: Iterable[_Ask], still_to_come: Container[str | None]) -> list[_Ask]:
    """What to measure next: everything that may run side by side, else one of those that run alone.

    A probe waits as long as one that it comes after is still to be measured, and for the one that it accompanies.
    """
    left = list(asks)
    names = {ask.probe.name for ask in left}
    ready = [ask for ask in left if not names.intersection((*ask.probe.after, *ask.probe.glad_of))]
    together = [ask for ask in ready if not ask.probe.alone and ask.probe.beside not in still_to_come]
    if together:
        return together
    lead = [ask for ask in ready if ask.probe.alone][:1]
    return lead + [ask for ask in ready if lead and ask.probe.beside == lead[0].probe.name]


def _measure(asks: list[_Ask], known: Context, ids: Iterator[str]) -> Iterator[tuple[_Ask, Measurement, Facts | None]]:
    """Measure side by side, one thread each; yields as they end. A probe that does not heed `stop` is left behind."""
    ended: queue.SimpleQueue[tuple[_Ask, Facts | Failure, datetime, float]] = queue.SimpleQueue()
    began_s = time.monotonic()

    def work(ask: _Ask) -> None:
        started, start_s = datetime.now(UTC), time.monotonic()
        context = replace(
            known,
            seen={name: known.seen[name] for name in (*ask.probe.after, *ask.probe.glad_of) if name in known.seen},
            password=known.password if ask.probe.account else None,
            beside=over.get(ask.probe.beside or ""),
        )
        ended.put((ask, _facts_or_failure(ask, context), started, time.monotonic() - start_s))
        over[ask.probe.name].set()

    over = {ask.probe.name: threading.Event() for ask in asks}
    running = {ask.key: ask for ask in asks}
    for ask in asks:
        threading.Thread(target=work, args=(ask,), name=ask.probe.name, daemon=True).start()
    stopped_s: float | None = None
    while running:
        try:
            ask, result, started, elapsed_s = ended.get(timeout=0.1)
        except queue.Empty:
            now_s = time.monotonic()
            stopped_s = stopped_s or (now_s if known.stop.is_set() else None)
            late = [a for a in running.values() if now_s - began_s > a.probe.deadline_s]
            if stopped_s is not None and now_s - stopped_s > _STOP_GRACE_S:
                late = list(running.values())
            for ask in late:
                del running[ask.key]
                over[ask.probe.name].set()
                failure = Failure(kind=FailureKind.INTERRUPTED, message=STOPPED if stopped_s else _OVERDUE)
                yield ask, _measurement(next(ids), ask, known.link, datetime.now(UTC), now_s - began_s, failure), None
            continue
        if running.pop(ask.key, None) is not None:
            brought = result if isinstance(result, Facts) else None
            yield ask, _measurement(next(ids), ask, known.link, started, elapsed_s, result), brought


_OVERDUE = "The measurement did not end in the time that it may take, and was left behind."


def _facts_or_failure(ask: _Ask, context: Context) -> Facts | Failure:
    try:
        facts = ask.probe.measure(ask.options, context)
        _as_written(facts)  # what no report could hold is found here, where it is one probe's fault
        return facts
    except ProbeFailed as failed:
        return failed.failure
    except Exception as error:  # a bug of ours must neither end the run nor count as a finding
        place = traceback.extract_tb(error.__traceback__)[-1]
        words = "its words are kept back" if ask.probe.account else str(error)  # they could hold a password
        what = f"{type(error).__name__}: {words} ({place.name}, line {place.lineno})"
        return Failure(kind=FailureKind.BUG, message=f"A fault of gosip-check itself: {what}.")


def _as_written(facts: Facts) -> dict[str, Any]:
    """Facts as JSON gives them back, so that a saved report is judged as the run was: no number (NaN) becomes None."""
    written: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(facts))
    return written


def _measurement(
    measurement_id: str, ask: _Ask, link: Link, started: datetime, elapsed_s: float, result: Facts | Failure
) -> Measurement:
    return Measurement(
        id=measurement_id,
        probe=ask.probe.name,
        link=link.name,
        subject=ask.probe.subject(ask.options),
        started=started,
        elapsed_s=round(elapsed_s, 3),
        facts=_as_written(result) if isinstance(result, Facts) else None,
        failure=result if isinstance(result, Failure) else None,
    )


def _link_report(
    link: Link, source: str | None, trouble: str | None, verdicts: list[Verdict], measurements: list[Measurement]
) -> LinkReport:
    def first(name: str) -> str | None:
        return next((m.facts[name] for m in measurements if m.facts and m.facts.get(name)), None)

    return LinkReport(
        name=link.name,
        source=source,
        interface=link.interface or first("interface"),
        public_address=first("public_address"),
        trouble=trouble,
        outcome=readiness(verdicts),
    )
