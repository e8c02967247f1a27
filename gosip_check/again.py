"""What of an earlier report need not be measured again, for `run --again`: whether any may be taken over, and which.

A measurement is taken over where every verdict that rests on it passed, it is no day old, this run would make it with
the same options, and whatever it rests on itself is as it was. One that may not be made so soon again is taken over
whatever came of it. Sends nothing and judges nothing.
"""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from gosip_check import __version__
from gosip_check.links import first_found
from gosip_check.probes.probe import Probe
from gosip_check.records import (
    ChecklistIdentity,
    FailureKind,
    HostIdentity,
    Level,
    LinkReport,
    Measurement,
    Outcome,
    Report,
    Verdict,
)
from gosip_check.values import unit_of

OLDEST_S = 24 * 3600.0
"How old a measurement may be that is taken over. RFC 3339 times, by this machine's clock."

Key = tuple[str, bytes]
"A probe's name and its options as JSON. What has the same key is the same exchange."

_OTHER_EVERY_TIME = {"evidence", "series", "rtt_histogram", "local_port", "rport", "seed", "sent", "retransmissions"}
"Facts that differ between two runs of which everything is the same."


class Refused(Exception):
    """Nothing of the earlier report may be taken over. The text is a sentence that says why."""


@dataclass(frozen=True)
class Again:
    """An earlier report, and what is measured again of it: what did not pass, or only what keeps a site from ready."""

    report: Report
    musts_only: bool = False

    def is_settled(self, verdict: Verdict) -> bool:
        """What it rests on need not be looked at again."""
        return verdict.outcome is Outcome.PASS or (self.musts_only and verdict.level is not Level.MUST)


def refuse(report: Report, checklist: ChecklistIdentity, host: HostIdentity, now: datetime) -> None:
    """Raises Refused where nobody could go on from this report, whatever is asked."""
    age_s = (now - report.started).total_seconds()
    if report.command != "run":
        raise Refused(f"It is no report of `gosip-check run`, but of {report.command}.")
    if report.tool_version != __version__:
        raise Refused(f"gosip-check {report.tool_version} measured it, and this is {__version__}.")
    if report.checklist != checklist:
        raise Refused(f"It was made with another checklist, {report.checklist.id} {report.checklist.sha256[:12]}.")
    if report.host is None or report.host.name != host.name:
        raise Refused("Another computer measured it.")
    if age_s < 0:
        raise Refused("It is of a later time than now: is this computer's clock right?")
    if age_s > OLDEST_S:
        raise Refused(f"It is {age_s / 3600:.0f} h old; {OLDEST_S / 3600:.0f} h is the most.")


def refuse_other_places(report: Report, now: Sequence[LinkReport]) -> None:
    """Raises Refused where the lines are not those of the report. now: the lines before anything is measured."""
    if [link.name for link in report.links] != [link.name for link in now]:
        names = ", ".join(link.name for link in report.links)
        raise Refused(f"It has other lines: {names}.")
    for was, is_ in zip(report.links, now, strict=True):
        if is_.trouble is not None:
            raise Refused(f"{is_.name} has no network now.")
        if was.trouble is not None:  # nothing was measured on it, so nothing is taken over
            continue
        if was.source != is_.source or (was.interface is not None and was.interface != is_.interface):
            raise Refused(f"{is_.name} is another line: it was {_place(was)}, and is {_place(is_)}.")
        if was.edge_mac != is_.edge_mac:
            raise Refused(
                f"There is another router on {is_.name}: its MAC address was {was.edge_mac or 'not seen'}, "
                f"and is {is_.edge_mac or 'not seen'}."
            )


def key_of(measurement: Measurement) -> Key:
    """The key of what was measured, as a run of this version has it."""
    return measurement.probe, msgspec.json.encode(measurement.options)


@dataclass
class Known:
    """What need not be measured on one link. `taken` shrinks where something turns out to have changed.

    rested_on: probe -> its facts in the earlier report; None: nothing has to be compared. helpers: probes that no
    requirement asks for: where they are measured again, what passed on their old facts stays. held: may not be
    made now.
    """

    taken: dict[Key, Measurement] = field(default_factory=dict)
    rested_on: Mapping[str, Mapping[str, Any]] | None = None
    helpers: Collection[str] = ()
    held: Collection[Key] = ()

    def ready(
        self, asks: Iterable[tuple[Key, Probe]], to_come: Container[str], measured: Collection[Measurement]
    ) -> list[tuple[Key, Measurement]]:
        """What of `asks` is taken over now. One that rests on what is still to come waits; one that rests on what has
        changed is forgotten, so it is measured.
        """
        found = []
        for key, probe in asks:
            rests_on = probe.after + probe.uses
            if key not in self.taken or any(name in to_come for name in rests_on):
                continue
            if key in self.held or all(self._is_as_before(name, measured) for name in rests_on):
                found.append((key, self.taken[key]))
            else:
                del self.taken[key]
        return found

    def _is_as_before(self, name: str, measured: Collection[Measurement]) -> bool:
        if self.rested_on is None or name in self.helpers:
            return True
        now = next((measurement for measurement in measured if measurement.probe == name), None)
        if now is None or name not in self.rested_on:
            return now is None and name not in self.rested_on
        return now.taken_from is not None or says_the_same(self.rested_on[name], now.facts)


def known(again: Again, link: str, probes: Mapping[str, Probe], asked: Collection[Key], now: datetime) -> Known:
    """What of the earlier report may stand for the link. asked: of the requirements of this run."""
    report = again.report
    on_link = {key_of(m): m for m in report.measurements if m.link == link and m.probe in probes}
    not_settled = {v.measurement for v in report.verdicts if v.link == link and not again.is_settled(v)}
    standing = {key: m for key, m in on_link.items() if _may_stand(m, now)}
    held = {key for key, m in standing.items() if not _may_begin(probes[m.probe], m)}
    usable = {key: m for key, m in standing.items() if key in held or m.id not in not_settled}
    to_measure = {name for name, options in asked if (name, options) not in usable}
    helpers = {name for name, _ in on_link} - {name for name, _ in asked}
    idle = {m.probe for m in on_link.values() if m.failure and m.failure.kind is FailureKind.UNSUPPORTED}
    with_them = {lead for name in to_measure - idle if (lead := probes[name].beside)}  # watched while it measures
    while more := (helpers - with_them) & _rested_on_by(to_measure | with_them, probes):
        with_them |= more  # what only serves others is as fresh as they are
    taken = {key: replace(m, taken_from=m.taken_from or report.id) for key, m in usable.items()}
    return Known(
        taken={key: m for key, m in taken.items() if key[0] not in with_them},
        rested_on={m.probe: m.facts or {} for m in on_link.values()},
        helpers=helpers,
        held=held,
    )


def _may_begin(probe: Probe, measurement: Measurement) -> bool:
    """Options that this version does not have are those of another measurement."""
    try:
        return probe.may_begin(msgspec.convert(measurement.options, probe.options))
    except msgspec.ValidationError:
        return True


def _rested_on_by(names: Iterable[str], probes: Mapping[str, Probe]) -> set[str]:
    return {other for name in names for other in probes[name].after + probes[name].uses}


def still_true(report: Report, link: str, measured: Sequence[Measurement], edge_mac: str | None) -> Known:
    """What of `measured` holds for sure, some of it being taken over from the report: all of it, unless the line turned
    out to have another public address or router. An address that only what was taken over names is not this line's.
    """
    was = next(each for each in report.links if each.name == link)
    fresh = [measurement for measurement in measured if measurement.taken_from is None]
    address = first_found(fresh, "public_address")
    known_before = was.public_address if was.public_address != was.source else None  # a SIP ALG hides it
    if edge_mac != was.edge_mac or (address and known_before and address != known_before):
        holds = fresh
    else:
        holds = [m for m in measured if m in fresh or not address or _address_of(m) in (None, address)]
    return Known({key_of(measurement): measurement for measurement in holds})


def _address_of(measurement: Measurement) -> str | None:
    return (measurement.facts or {}).get("public_address")


def says_the_same(before: Any, now: Any) -> bool:
    """Facts without what differs each time: figures with a unit, and what chance decides."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        names = {name for name in [*before, *now] if name not in _OTHER_EVERY_TIME and not unit_of(name)}
        return all(says_the_same(before.get(name), now.get(name)) for name in names)
    if isinstance(before, list) and isinstance(now, list):
        return len(before) == len(now) and all(map(says_the_same, before, now))
    return (isinstance(before, float) and isinstance(now, float)) or bool(before == now)


def _may_stand(measurement: Measurement, now: datetime) -> bool:
    age_s = (now - measurement.started).total_seconds()
    cut_short = measurement.failure and measurement.failure.kind in (FailureKind.INTERRUPTED, FailureKind.BUG)
    return 0 <= age_s <= OLDEST_S and not cut_short and measurement.disturbance is None


def _place(link: LinkReport) -> str:
    return " ".join(filter(None, (link.interface, link.source))) or "unknown"
