"""Concurrency and deadlines: measures what a checklist asks and has it judged. Whatever happens becomes a record.

What to ask, and in which order, says plan.py. This is the only place that catches every exception: a bug in a probe is
recorded as one, says nothing about the site, and stops nothing.
"""

import itertools
import platform
import queue
import secrets
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from gosip_check import __version__
from gosip_check.again import Key, Known, known, refuse, refuse_other_places, still_true
from gosip_check.judge import counts, readiness, stopped
from gosip_check.links import (
    as_on_form,
    compared_links,
    edge_mac,
    interface_of,
    link_report,
    local_probes,
    of_all_links,
    of_one_link,
    route_of,
    switched_off,
    unmeasured,
)
from gosip_check.plan import Ask, Plan, about_s, add_what_they_come_after, ask_of, batch
from gosip_check.probes import PROBES
from gosip_check.probes.net import interfaces
from gosip_check.probes.probe import Context, Facts, LinkResult, Probe, ProbeFailed
from gosip_check.records import (
    ALL_LINKS,
    STOPPED,
    Asked,
    Failure,
    FailureKind,
    HostIdentity,
    Link,
    LinkReport,
    Measurement,
    Report,
    Requirement,
    Verdict,
)
from gosip_check.scarce import TOO_FEW_DESCRIPTORS, has_descriptors, scarcity
from gosip_check.settle import Circumstances, settle

_DESCRIPTORS = 24
"So many must be free before probes begin; one of them that needs more and gets none says so."
_STOP_GRACE_S = 3.0
"How long a probe may take to notice that the run was stopped, before it is left behind."


@dataclass(frozen=True)
class Observer:
    """Who watches a run. `say`: a line of progress, from any thread; `judged`: a verdict as it falls.

    `begun`: a line is measured now; its name, the ids that are asked, and about how many seconds that takes.
    """

    say: Callable[[str], None] = lambda _: None
    judged: Callable[[Verdict], None] = lambda _: None
    begun: Callable[[str, Sequence[str], float], None] = lambda *_: None


def run(plan: Plan, stop: threading.Event, observer: Observer) -> Report:
    """Measure and judge every requirement on every link. Set `stop` to end early: what was measured is reported.

    Raises again.Refused, before anything is measured, where the plan goes on from a report that it may not go on from.
    """
    started, start_s = datetime.now(UTC), time.monotonic()
    id_ = report_id(started)
    going = _Going(stop, observer, id_)
    host = HostIdentity(name=platform.node(), system=f"{platform.system()} {platform.release()}")
    if plan.again is not None:
        refuse(plan.again.report, plan.checklist.identity, host, started)
        refuse_other_places(plan.again.report, [unmeasured(link, plan.checklist.trunk.networks) for link in plan.links])
    lasted_s = 0.0 if plan.heard is None else plan.heard.lasted_s
    links: list[LinkReport] = []
    verdicts: list[Verdict] = []
    measurements: list[Measurement] = []
    for link in as_on_form(plan.links, plan.form):
        source, trouble = route_of(link, plan.checklist.trunk.networks) if plan.heard is None else (None, None)
        if trouble is not None:
            observer.say(f"{link.name}: {trouble}")
        going.interface = interface_of(link, source)
        logs_in = plan.password is not None and not links
        way = None if plan.heard is None else plan.heard.way
        asked = of_one_link(plan.requirements, PROBES, logs_in=logs_in, way=way)
        on_link = replace(plan, requirements=asked)
        observer.begun(link.name, [requirement.id for requirement in asked], 1.0 if trouble else about_s(on_link))
        judged, measured = _known_or_measured(on_link, link, trouble, going)
        links.append(link_report(link, source, trouble, judged, measured))
        verdicts += judged
        measurements += measured
    if len(links) > 1:
        asked = of_all_links(plan.requirements, PROBES)
        going.interface = None
        observer.begun(ALL_LINKS, [requirement.id for requirement in asked], 1.0)
        going.compared.extend(compared_links(plan.links, links, measurements, plan.form))
        judged, measured = _on_link(replace(plan, requirements=asked), Link(name=ALL_LINKS), None, going, Known())
        verdicts += judged
        measurements += measured
    return Report(
        id=id_,
        tool_version=__version__,
        command=plan.command,
        started=started,
        elapsed_s=round(time.monotonic() - start_s + lasted_s, 3),
        outcome=readiness(verdicts),
        counts=counts(verdicts),
        checklist=plan.checklist.identity,
        form=plan.form,
        links=links,
        verdicts=verdicts,
        measurements=measurements,
        skip=list(plan.skip),
        company=plan.company,
        asked=Asked(settings=plan.settings.without_account, links=list(plan.links)),
        again_of=plan.again.report.id if plan.again and any(m.taken_from for m in measurements) else None,
        host=host,
        site=plan.site,
    )


def report_id(now: datetime) -> str:
    """A ULID: 48 bits of milliseconds and 80 random bits in Crockford's base 32, so that ids sort by time."""
    number = int(now.timestamp() * 1000) << 80 | secrets.randbits(80)
    return "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[number >> shift & 31] for shift in range(125, -1, -5))


@dataclass
class _Going:
    """What lasts as long as the run. left_behind: threads of probes that run alone and did not end in time.

    compared: what was found on each link, once all of them have been looked at. interface: of the link at hand.
    """

    stop: threading.Event
    observer: Observer
    run: str
    left_behind: list[threading.Thread] = field(default_factory=list)
    compared: list[LinkResult] = field(default_factory=list)
    interface: str | None = None
    ids: Iterator[str] = field(default_factory=lambda: (f"m{number}" for number in itertools.count(1)))


def _known_or_measured(
    plan: Plan, link: Link, trouble: str | None, going: _Going
) -> tuple[list[Verdict], list[Measurement]]:
    """What was measured, with what may be taken over from the plan's earlier report.

    Whether the line still has its public address and its router is sure only afterwards; if not, the rest is measured.
    """
    if plan.again is None:
        return _on_link(plan, link, trouble, going, Known())
    asked = [ask_of(plan, requirement).key for requirement in plan.requirements]
    judged, measured = _on_link(
        plan, link, trouble, going, known(plan.again, link.name, PROBES, asked, datetime.now(UTC))
    )
    still = still_true(plan.again.report, link.name, measured, edge_mac(going.interface))
    if len(still.taken) == len(measured):
        return judged, measured
    going.observer.say(f"{link.name} is not as it was: what was taken over is measured as well")
    return _on_link(plan, link, trouble, going, still)


def _on_link(
    plan: Plan, link: Link, trouble: str | None, going: _Going, known: Known
) -> tuple[list[Verdict], list[Measurement]]:
    """Rounds: judge what needs no measuring, measure what has all it needs, judge that; until every requirement is."""
    verdicts: dict[str, Verdict] = {}
    measurements: dict[Key, Measurement] = {}
    facts: dict[Key, Facts | None] = {}
    asks: dict[Key, Ask] = {}
    off = switched_off(PROBES, plan.settings)
    around = Circumstances(link.name, plan.skip, trouble is not None, local_probes(PROBES), plan.form, off)

    def measurement_of(requirement: Requirement) -> Measurement | None:
        return measurements.get(ask_of(plan, requirement).key)

    def unmeasured(requirement: Requirement) -> Verdict | None:
        if going.stop.is_set():
            return stopped(requirement, link.name)
        ask = ask_of(plan, requirement)
        asks[ask.key] = ask
        return None

    base = Context(
        link,
        going.stop,
        say=going.observer.say,
        turns=plan.turns,
        password=plan.password,
        links=going.compared,
        dns_servers=plan.settings.dns_servers,
        system_resolvers=plan.settings.system_resolvers,
        remains=plan.remains,
        run=going.run,
        heard=plan.heard,
    )
    pending = list(plan.requirements)
    while pending:
        asks.clear()
        for verdict in settle(pending, verdicts, around, measurement_of, unmeasured):
            going.observer.judged(verdict)
        add_what_they_come_after(plan, asks, measurements)
        still_to_come: set[str | None] = {one.probe for one in pending if one.id not in verdicts}
        to_come = {str(name) for name in still_to_come} | {key[0] for key in asks}
        ready = known.ready([(ask.key, ask.probe) for ask in asks.values()], to_come, measurements.values())
        for key, measurement in ready:
            measurements[key] = msgspec.structs.replace(measurement, id=next(going.ids))
            facts[key] = _facts_again(asks[key].probe, measurement)
        if ready:
            continue
        # In the order of the checklist, so that a probe that is asked twice has one answer for those that come later.
        facts.update(dict.fromkeys(key for key in asks if key not in facts))
        seen = {key[0]: brought for key, brought in reversed(facts.items()) if brought is not None}
        side_by_side = batch(asks.values(), still_to_come, known.taken)
        if asks and not side_by_side:  # each waits for what another would have brought
            known.taken.clear()
        for ask, measurement, brought in _measure(side_by_side, base, seen, going):
            measurements[ask.key] = measurement
            facts[ask.key] = brought
        pending = [requirement for requirement in pending if requirement.id not in verdicts]
    return [verdicts[requirement.id] for requirement in plan.requirements], list(measurements.values())


def _measure(
    asks: list[Ask], base: Context, facts: Mapping[str, Facts], going: _Going
) -> Iterator[tuple[Ask, Measurement, Facts | None]]:
    """Measure side by side, one thread each; yields as they end. A probe that does not heed `stop` is left behind."""
    ended: queue.SimpleQueue[tuple[Ask, Facts | Failure, datetime, float]] = queue.SimpleQueue()
    subjects: dict[Key, str] = {}
    over = {ask.probe.name: threading.Event() for ask in asks}
    began_s = time.monotonic()
    carrier = interfaces.Carrier(going.interface)
    so_far: dict[Key, list[Facts]] = {ask.key: [] for ask in asks}

    def work(ask: Ask) -> None:
        started, start_s = datetime.now(UTC), time.monotonic()
        seen = {name: facts[name] for name in ask.probe.after + ask.probe.uses if name in facts}
        password = base.password if ask.probe.account else None
        beside, brought = over.get(ask.probe.beside or ""), so_far[ask.key]
        context = replace(base, seen=seen, password=password, beside=beside, brought=brought)
        ended.put((ask, _facts_or_failure(ask, context, subjects), started, time.monotonic() - start_s))
        over[ask.probe.name].set()

    def record(
        ask: Ask, started: datetime, elapsed_s: float, result: Facts | Failure
    ) -> tuple[Ask, Measurement, Facts | None]:
        """What a probe that was stopped had brought by then counts."""
        stopped = isinstance(result, Failure) and result.kind is FailureKind.INTERRUPTED and bool(so_far[ask.key])
        if stopped:
            result = so_far[ask.key][-1]
        measurement = Measurement(
            id=next(going.ids),
            probe=ask.probe.name,
            link=base.link.name,
            subject=subjects.get(ask.key, ask.probe.name),
            started=started,
            elapsed_s=round(elapsed_s, 3),
            facts=_as_written(result) if isinstance(result, Facts) else None,
            failure=result if isinstance(result, Failure) else None,
            options=msgspec.to_builtins(ask.options),
            disturbance=None if ask.probe.local else carrier.disturbance(),
            stopped=stopped,
        )
        return ask, measurement, result if isinstance(result, Facts) else None

    keeps_from_it = None
    if any(ask.probe.alone for ask in asks) and any(thread.is_alive() for thread in going.left_behind):
        keeps_from_it = _NOT_ALONE
    elif not has_descriptors(_DESCRIPTORS):
        keeps_from_it = Failure(kind=FailureKind.UNSUPPORTED, message=TOO_FEW_DESCRIPTORS)
    if keeps_from_it is not None:
        for ask in asks:
            yield record(ask, datetime.now(UTC), 0.0, keeps_from_it)
        return
    running = {ask.key: ask for ask in asks}
    threads = {ask.key: threading.Thread(target=work, args=(ask,), name=ask.probe.name, daemon=True) for ask in asks}
    for key, thread in threads.items():
        try:
            thread.start()
        except RuntimeError as error:
            ended.put((running[key], _bug(running[key], error), datetime.now(UTC), 0.0))
    stopped_s: float | None = None
    while running:
        try:
            ask, result, started, elapsed_s = ended.get(timeout=0.1)
        except queue.Empty:
            now_s = time.monotonic()
            stopped_s = stopped_s or (now_s if going.stop.is_set() else None)
            late = [a for a in running.values() if now_s - began_s > a.probe.deadline_s]
            if stopped_s is not None and now_s - stopped_s > _STOP_GRACE_S:
                late = list(running.values())
            for ask in late:
                del running[ask.key]
                over[ask.probe.name].set()
                if ask.probe.alone:
                    going.left_behind.append(threads[ask.key])
                failure = _INTERRUPTED if stopped_s else _OVERDUE
                yield record(ask, datetime.now(UTC), now_s - began_s, failure)
            continue
        if running.pop(ask.key, None) is not None:
            yield record(ask, started, elapsed_s, result)


_INTERRUPTED = Failure(kind=FailureKind.INTERRUPTED, message=STOPPED)
_OVERDUE = Failure(
    kind=FailureKind.BUG, message="The measurement did not end in the time that it may take, and was left behind."
)
_NOT_ALONE = Failure(
    kind=FailureKind.BUG,
    message="Not measured: it must run alone, and one that was left behind is still running. Run the tool again.",
)


def _facts_or_failure(ask: Ask, context: Context, subjects: dict[Key, str]) -> Facts | Failure:
    """Notes what it is about before it looks, so that it can be told of one that is left behind, too."""
    try:
        subjects[ask.key] = ask.probe.subject(ask.options)
        facts = ask.probe.measure(ask.options, context)
        _as_written(facts)  # what no report could hold is found here, where it is one probe's fault
        return facts
    except ProbeFailed as failed:
        return failed.failure
    except Exception as error:  # a bug of ours must neither end the run nor count as a finding
        return _bug(ask, error)


def _bug(ask: Ask, error: Exception) -> Failure:
    """Where this machine has too little of something it is no bug, and says nothing about the site either."""
    sentence = scarcity(error)
    if sentence is not None:
        return Failure(kind=FailureKind.UNSUPPORTED, message=sentence)
    place = traceback.extract_tb(error.__traceback__)[-1]
    words = "its words are kept back" if ask.probe.account else str(error)  # they could hold a password
    what = f"{type(error).__name__}: {words} ({place.name}, line {place.lineno})"
    return Failure(kind=FailureKind.BUG, message=f"A fault of gosip-check itself: {what}.")


def _facts_again(probe: Probe, measurement: Measurement) -> Facts | None:
    """The facts of a measurement that was taken over, as the probe brought them."""
    return None if measurement.facts is None else msgspec.convert(measurement.facts, probe.facts, str_keys=True)


def _as_written(facts: Facts) -> dict[str, Any]:
    """Facts as JSON gives them back, so that a saved report is judged as the run was: no number (NaN) becomes None."""
    written: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(facts))
    return written
