"""A saved report judged anew from its own measurements, and what in it does not follow from them. No network, no clock.

`rejudge` gives the report as a checklist makes it today; `contradictions` names every place where a file says something
else than its measurements do, and `unchecked` what of a file cannot be looked at here. Who edits measurements as well
is only caught by a signature.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from gosip_check import __version__
from gosip_check.again import OLDEST_S
from gosip_check.heard import WAYS
from gosip_check.judge import counts, readiness, stopped, verdict
from gosip_check.links import first_found, local_probes, of_all_links, of_one_link, switched_off
from gosip_check.probes import PROBES, RENAMED
from gosip_check.probes.probe import Probe, fill_options
from gosip_check.records import (
    ALL_LINKS,
    Checklist,
    Form,
    LinkReport,
    Measurement,
    Outcome,
    Report,
    Requirement,
    Settings,
    Verdict,
)
from gosip_check.settle import Circumstances, settle

_CLOCK_SET_S = 3600.0
"By how much a machine's clock may be set while it measures: a wrong time zone, put right, is an hour."

WHOLE = ("run", "demo")
"Commands whose reports must hold every requirement of their checklist."


def rejudge(report: Report, checklist: Checklist, requirements: Sequence[Requirement] | None = None) -> Report:
    """The same measurements under `checklist` (only `requirements` of it, in its order). What was not measured, or
    measured with other options than it asks for, is unknown; the signature does not fit any more and goes.
    """
    asked = checklist.requirements if requirements is None else requirements
    verdicts: list[Verdict] = []
    links: list[LinkReport] = []
    for link in report.links:
        said = {verdict.id for verdict in report.verdicts if verdict.link == link.name}
        logs_in = any(PROBES[requirement.probe].account for requirement in asked if requirement.id in said)
        on_link = of_one_link(asked, PROBES, logs_in=logs_in and not links, way=WAYS.get(report.part))
        judged = _on_link(report, link, checklist, on_link)
        verdicts += judged
        links.append(msgspec.structs.replace(link, outcome=readiness(judged)))
    if len(links) > 1:
        together = msgspec.structs.replace(links[0], name=ALL_LINKS, trouble=None)
        verdicts += _on_link(report, together, checklist, of_all_links(asked, PROBES))
    return msgspec.structs.replace(
        report,
        outcome=readiness(verdicts),
        counts=counts(verdicts),
        checklist=checklist.identity,
        links=links,
        verdicts=verdicts,
        signature=None,
    )


def with_form(report: Report, form: Form, checklist: Checklist) -> Report:
    """The report with another form, and the hints that follow from it: steps for the router that it names. What was
    measured by the form stays as it was. The signature does not fit any more and goes.
    """
    changed = msgspec.structs.replace(report, form=form, signature=None)
    again = {(v.id, v.link, v.outcome): v for v in rejudge(changed, checklist).verdicts}
    verdicts = []
    for stated in report.verdicts:
        like = again.get((stated.id, stated.link, stated.outcome), stated)
        verdicts.append(msgspec.structs.replace(stated, hint=like.hint, steps=like.steps))
    return msgspec.structs.replace(changed, verdicts=verdicts)


def contradictions(report: Report, checklist: Checklist) -> list[str]:
    """What in a report does not follow from its measurements under the checklist that it names; a sentence each."""
    return [*_inside(report), *_on_lines(report), *_shapes(report), *_against(report, checklist)]


def unchecked(report: Report) -> list[str]:
    """What `contradictions` cannot find out about a file of another version, a sentence each; none for one of this."""
    if report.tool_version == __version__:
        return []
    found = [
        f"It says that gosip-check {report.tool_version} wrote it, and this is {__version__}. Not checked: whether its "
        "facts, options and reasons are its own, and whether each measurement was asked for."
    ]
    if any(measurement.options is None for measurement in report.measurements):
        found.append(
            "It does not say how it was measured. Not checked: whether as the checklist asks, "
            "or against an emulated trunk."
        )
    return found


def _on_link(
    report: Report, link: LinkReport, checklist: Checklist, requirements: Sequence[Requirement]
) -> list[Verdict]:
    was_stopped = {v.id for v in report.verdicts if v.link == link.name and v.stopped}
    off = switched_off(PROBES, report.asked.settings if report.asked else Settings())
    around = Circumstances(link.name, report.skip, link.trouble is not None, local_probes(PROBES), report.form, off)

    def measurement_of(requirement: Requirement) -> Measurement | None:
        return _measurement(report, link.name, checklist, requirement)

    def unmeasured(requirement: Requirement) -> Verdict:
        if requirement.id in was_stopped:
            return stopped(requirement, link.name)
        return verdict(requirement, link.name, Outcome.UNKNOWN, _NOT_MEASURED)

    return list(settle(requirements, {}, around, measurement_of, unmeasured))


_NOT_MEASURED = "This report holds no measurement of it that was made as the checklist asks; run the check again."


def _measurement(report: Report, link: str, checklist: Checklist, requirement: Requirement) -> Measurement | None:
    """The measurement that was made as the requirement asks. One that does not say how it was made is taken under its
    own checklist only, and not where the report's own verdict was taken from another.
    """
    probe = PROBES[requirement.probe]
    taken_from = {v.measurement for v in report.verdicts if v.id == requirement.id and v.link == link}
    for measurement in report.measurements:
        name, options = _as_today(measurement)
        if measurement.link != link or name != requirement.probe:
            continue
        if options is None:
            if report.checklist.sha256 == checklist.identity.sha256 and taken_from <= {measurement.id}:
                return measurement
            continue
        settings = {name: options[name] for name in _SETTINGS if name in options}
        trunk = msgspec.structs.asdict(checklist.trunk)
        try:
            wanted = fill_options(probe, requirement.options, settings, trunk)
        except msgspec.ValidationError:  # options that no run can have had
            continue
        as_saved = msgspec.json.decode(msgspec.json.encode(wanted))
        # An option that is newer than the report: it was measured as the option's default says.
        known = _defaults(probe) | options
        if all(known.get(name, as_saved[name]) == as_saved[name] for name in as_saved.keys() - _NAMES):
            return measurement
    return None


def _defaults(probe: Probe) -> dict[str, Any]:
    fields = msgspec.structs.fields(probe.options)
    return {field.name: field.default for field in fields if field.default is not msgspec.NODEFAULT}


def _as_today(measurement: Measurement) -> tuple[str, dict[str, Any] | None]:
    """The name of its probe and its options as this version has them."""
    name, chosen = RENAMED.get(measurement.probe, (measurement.probe, {}))
    return name, None if measurement.options is None else {**measurement.options, **chosen}


_SETTINGS = Settings.__struct_fields__
_NAMES = {"provider"}
"Options that only stand in texts: whatever they are, the same was measured."

_WITHOUT_OPTIONS = "0.0."
"What the versions begin with that wrote no options."


def _inside(report: Report) -> Iterator[str]:
    """What contradicts itself without any checklist."""
    if not _id_fits(report):
        yield f"The report says that it was started at {report.started.isoformat()}, and its id says another time."
    ids = [measurement.id for measurement in report.measurements]
    if len(set(ids)) != len(ids):
        yield "Two measurements have the same id."
    for measurement in report.measurements:
        if (measurement.facts is None) == (measurement.failure is None):
            yield f"Measurement {measurement.id} must hold either facts or a failure."
    if report.elapsed_s < 0 or any(measurement.elapsed_s < 0 for measurement in report.measurements):
        yield "Something took less than no time."
    yield from _taken_over(report)
    for measurement in report.measurements:
        if measurement.taken_from is not None:
            continue
        after_s = measurement.started.timestamp() - report.started.timestamp()
        if not -_CLOCK_SET_S <= after_s <= report.elapsed_s + _CLOCK_SET_S:
            yield f"Measurement {measurement.id} was made at {measurement.started.isoformat()}, not during this check."


def _taken_over(report: Report) -> Iterator[str]:
    """What was not measured during this check must have been measured before it, and no day before."""
    taken = [measurement for measurement in report.measurements if measurement.taken_from is not None]
    if bool(taken) is not (report.again_of is not None):
        yield "It does not fit together what was taken over, and from which report."
    for measurement in taken:
        age_s = report.started.timestamp() - measurement.started.timestamp()
        if not 0 <= age_s <= OLDEST_S + _CLOCK_SET_S:
            yield f"Measurement {measurement.id} was taken over, but made at {measurement.started.isoformat()}."
        if not _is_id(measurement.taken_from) or measurement.taken_from == report.id:
            yield f"Measurement {measurement.id} was taken over from {measurement.taken_from!r}, which is no report."


def _on_lines(report: Report) -> Iterator[str]:
    """What the report says of its lines, beside what was measured on them."""
    names = {link.name for link in report.links}
    if not names or len(names) != len(report.links):
        yield "The report names no internet line, or one of them twice."
    if ALL_LINKS in names:
        yield f"A line is named {ALL_LINKS!r}, which stands for what compares them."
    measured: defaultdict[str, list[Measurement]] = defaultdict(list)
    for measurement in report.measurements:
        measured[measurement.link].append(measurement)
        if measurement.link not in names and (measurement.link != ALL_LINKS or len(names) < 2):
            yield f"Measurement {measurement.id} belongs to {measurement.link!r}, which is no line of this report."
    for link in report.links:
        public = first_found(measured[link.name], "public_address")
        if link.public_address != public:
            yield f"{link.name} says that its public address is {link.public_address}; {public or 'none'} was measured."
        interface = first_found(measured[link.name], "interface")
        if interface is not None and link.interface != interface:  # one that was named stands there unmeasured, too
            yield f"{link.name} says that it is {link.interface}; {interface} was measured."


def _id_fits(report: Report) -> bool:
    """The first ten characters of an id are the milliseconds of the start, in Crockford's base 32."""
    if not _is_id(report.id):
        return False
    milliseconds = 0
    for digit in report.id[:10]:
        milliseconds = milliseconds * 32 + _DIGITS.index(digit)
    return abs(milliseconds - report.started.timestamp() * 1000) <= 1


_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _is_id(text: str | None) -> bool:
    return text is not None and len(text) == 26 and not set(text) - set(_DIGITS)


def _shapes(report: Report) -> Iterator[str]:
    """Facts and options that the probes of this version could not have brought."""
    for measurement in report.measurements:
        name, options = _as_today(measurement)
        probe = PROBES.get(name)
        if probe is None:
            yield f"Measurement {measurement.id} is of {measurement.probe!r}, which is no probe."
            continue
        if options is None and not report.tool_version.startswith(_WITHOUT_OPTIONS):
            yield f"Measurement {measurement.id} does not say how it was made."
        if report.tool_version != __version__:
            continue  # an older version's facts may lack what this one's have; `unchecked` says so
        if options is not None and (untold := set(probe.options.__struct_fields__) - set(options)):
            yield f"Measurement {measurement.id} does not say how it was made: {', '.join(sorted(untold))}."
        try:
            if measurement.facts is not None:
                msgspec.convert(measurement.facts, probe.facts, str_keys=True)
            if options is not None:
                msgspec.convert(options, probe.options, str_keys=True)
        except msgspec.ValidationError as error:
            words = str(error).replace("`", "")
            yield f"Measurement {measurement.id} is nothing that {measurement.probe} could have brought: {words}."


def _against(report: Report, checklist: Checklist) -> Iterator[str]:
    """What the checklist makes of the measurements, beside what the report says."""
    known = {requirement.id for requirement in checklist.requirements}
    names = {link.name for link in report.links}
    again = rejudge(report, checklist, _asked(report, checklist))
    follows = {(v.id, v.link) for v in again.verdicts}
    for (name, link_name), times in Counter((v.id, v.link) for v in report.verdicts).items():
        if name not in known:
            yield f"{name} is no requirement of {checklist.identity.id}."
        elif link_name not in names and link_name != ALL_LINKS:
            yield f"{name} is judged on {link_name!r}, which is no line of this report."
        elif (name, link_name) not in follows:
            yield f"{name} is judged on {link_name}, where nothing asks for it."
        if times > 1:
            yield f"{name} is judged twice on {link_name}."
    said = {(v.id, v.link): v for v in report.verdicts}
    for derived in again.verdicts:
        stated = said.get((derived.id, derived.link))
        if stated is None:
            yield f"{derived.id} on {derived.link} is missing; its measurements say {derived.outcome}."
        elif stated.outcome is not derived.outcome:
            yield (
                f"{derived.id} on {derived.link} says {stated.outcome}, but its measurements say {derived.outcome}: "
                f"{derived.reason}"
            )
        elif _without_words(stated) != _without_words(derived):
            fields = [name for name in stated.__struct_fields__ if getattr(stated, name) != getattr(derived, name)]
            yield f"{derived.id} on {derived.link} does not follow from its measurements: {', '.join(fields)}."
        elif stated.reason != derived.reason and report.tool_version == __version__:
            yield f"{derived.id} on {derived.link} gives a reason that its measurements do not: {derived.reason}"
    yield from _unasked(report, again, checklist)
    if again.outcome is not report.outcome:
        yield f"The report says {report.outcome}; what follows from its measurements is {again.outcome}."
    for link, derived_link in zip(report.links, again.links, strict=True):
        if link.outcome is not derived_link.outcome:
            yield f"{link.name} says {link.outcome}; what follows from its measurements is {derived_link.outcome}."
    if {k: n for k, n in report.counts.items() if n} != {k: n for k, n in again.counts.items() if n}:
        yield "The numbers of verdicts are not those that follow from the measurements."


def _unasked(report: Report, again: Report, checklist: Checklist) -> Iterator[str]:
    """Measurements that no run makes beside these verdicts: what failed may not be called skipped, and stay."""
    without_network = {link.name for link in report.links if link.trouble is not None}
    probe_of = {requirement.id: requirement.probe for requirement in checklist.requirements}
    asked = {(probe_of[v.id], v.link) for v in again.verdicts if v.outcome is not Outcome.SKIPPED}
    waiting = list(asked)
    while waiting:
        name, link = waiting.pop()
        come_after = {(before, link) for before in PROBES[name].after} - asked
        asked |= come_after
        waiting += come_after
    for measurement in report.measurements:
        probe = PROBES.get(_as_today(measurement)[0])
        if probe is None:
            continue  # `_shapes` says so
        what = f"Measurement {measurement.id} ({probe.name}) was made on {measurement.link}"
        if measurement.link in without_network and not probe.local:
            yield f"{what}, which had no network."
        elif report.tool_version == __version__ and (probe.name, measurement.link) not in asked:
            yield f"{what}, where nothing that was looked at asks for it."


def _asked(report: Report, checklist: Checklist) -> list[Requirement]:
    """What such a report must hold: everything after a whole run, the light subset after health, else what it names
    and whatever that needs.
    """
    if report.command in WHOLE or report.part in WAYS:
        return list(checklist.requirements)
    wanted = {verdict.id for verdict in report.verdicts}
    if report.part == "health":
        wanted = {requirement.id for requirement in checklist.requirements if requirement.health}
    for requirement in reversed(checklist.requirements):
        if requirement.id in wanted:
            wanted.update(requirement.needs)
    return [requirement for requirement in checklist.requirements if requirement.id in wanted]


def _without_words(verdict: Verdict) -> Verdict:
    """Reasons may be worded otherwise in another version; a measurement's id only has to lead somewhere."""
    return msgspec.structs.replace(verdict, reason="")
