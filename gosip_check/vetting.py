"""Vets a report that was handed in: is it one, does it hold together, and what of it stays undecided? No network.

What it says of a file is data, a `Vetted`: an order desk reads it by the thousand.
"""

import functools
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from gosip_check.checklist import load, load_file, shipped
from gosip_check.form.form import faults as form_faults
from gosip_check.order import NAMES, PARTS, faults, is_order, order_of
from gosip_check.possible import impossible
from gosip_check.records import Checklist, ChecklistIdentity, Readiness, Record, Report
from gosip_check.rejudge import WHOLE, contradictions, unchecked
from gosip_check.report.load import ReportError, bounded, document_of, read, report_of
from gosip_check.report.reading import taken_over
from gosip_check.servers.trunk import NETWORKS
from gosip_check.signing import Key


class Trust(StrEnum):
    """How far a file can be believed, the best first."""

    HOLDS_TOGETHER = "holds-together"
    UNDECIDED = "undecided"
    UNREADABLE = "unreadable"
    NOT_RIGHT = "not-right"


class Vetted(Record, frozen=True, kw_only=True):
    """What is found out about one file. Sentences are for people; all else is for programs.

    error: why it is no report, or cannot be read here. not_filled_in: fields of its form; None: it has no form.
    signed_with: the key whose signature was verified; None: none was. taken_over: what of it an earlier run measured.
    about: when, where and how it was made, for a person to compare with the order. outcomes: of an order, each part's.
    """

    path: str
    id: str | None = None
    site: str | None = None
    outcome: Readiness | None = None
    trust: Trust
    contradictions: list[str] = []
    undecided: list[str] = []
    not_filled_in: list[str] | None = None
    signed_with: str | None = None
    taken_over: str = ""
    about: str = ""
    is_signed: bool = False
    outcomes: dict[str, Readiness] = {}
    error: str | None = None


def vet(path: str, content: bytes | None = None, checklist: str | None = None, key_file: str | None = None) -> Vetted:
    """One file, or `content` where it was read already. Raises nothing for a bad file, however it is damaged.

    checklist: the one that it was made with, by id or path; None: one of those shipped. key_file: must have signed it.
    """
    try:
        content = read(Path(path)) if content is None else bounded(content, path)
        document = document_of(content, path)
        if is_order(document):
            return _vet_order(document, path, checklist, key_file)
        return _vet(report_of(document, content, path), document, path, checklist, key_file)
    except ReportError as error:
        return Vetted(path=path, trust=Trust.UNREADABLE, error=str(error))
    except MemoryError:
        return Vetted(path=path, trust=Trust.UNREADABLE, error=f"{path}: needs more memory than a report may.")


def _vet(
    report: Report,
    document: dict[str, Any],
    path: str,
    checklist: str | None,
    key_file: str | None,
    *,
    in_order: bool = False,
) -> Vetted:
    """One report. in_order: that it covers the PBX only is then as it should be."""
    judged_by = _named(checklist) if checklist else _shipped(report.checklist)
    if checklist and judged_by is not None and judged_by.identity != report.checklist:
        trouble = f"{checklist}: the report names another checklist, with SHA-256 {report.checklist.sha256}."
        return Vetted(path=path, id=report.id, trust=Trust.UNREADABLE, error=trouble)
    key = _key(key_file) if key_file else None
    wrong = _wrong(report, document, judged_by, key)
    undecided = _undecided(report, judged_by, key, in_order=in_order)
    return Vetted(
        path=path,
        id=report.id,
        site=report.site,
        outcome=report.outcome,
        trust=Trust.NOT_RIGHT if wrong else Trust.UNDECIDED if undecided else Trust.HOLDS_TOGETHER,
        contradictions=wrong,
        undecided=undecided,
        not_filled_in=None if report.form is None else report.form.not_filled_in,
        signed_with=key.name or "given" if key and not wrong else None,
        taken_over=taken_over(report),
        about=_about(report),
        is_signed=report.signature is not None,
    )


def _vet_order(document: dict[str, Any], path: str, checklist: str | None, key_file: str | None) -> Vetted:
    """Both reports, and whether they are one order; sentences say which part they are about. Raises ReportError."""
    order = order_of(document, path)
    parts = {
        NAMES[part]: _vet(report, document[part], f"{path} ({NAMES[part]})", checklist, key_file, in_order=True)
        for part, report in zip(PARTS, order.reports, strict=True)
    }
    for vetted in parts.values():
        if vetted.error is not None:
            raise ReportError(vetted.error)
    wrong = [*faults(order), *(f"{name}: {text}" for name, each in parts.items() for text in each.contradictions)]
    undecided = [f"{name}: {text}" for name, each in parts.items() for text in each.undecided]
    signed_with = {each.signed_with for each in parts.values()}
    return Vetted(
        path=path,
        id=order.site.id,
        site=order.site.site or order.pbx.site,
        outcome=order.outcome,
        outcomes={name: each.outcome for name, each in parts.items() if each.outcome is not None},
        trust=Trust.NOT_RIGHT if wrong else Trust.UNDECIDED if undecided else Trust.HOLDS_TOGETHER,
        contradictions=wrong,
        undecided=undecided,
        not_filled_in=None if order.form is None else order.form.not_filled_in,
        signed_with=signed_with.pop() if len(signed_with) == 1 else None,
        taken_over=" ".join(filter(None, (each.taken_over for each in parts.values()))),
        about="; ".join(f"{name}: {each.about}" for name, each in parts.items()),
        is_signed=all(each.is_signed for each in parts.values()),
    )


def _about(report: Report) -> str:
    options = [measurement.options or {} for measurement in report.measurements]
    channels = next((each["channels"] for each in options if "channels" in each), None)
    facts = [
        f"{report.started:%Y-%m-%d %H:%M} UTC",
        f"host {report.host.name}" if report.host else "",
        f"checklist {report.checklist.id}",
        f"{channels} channels" if channels else "",
        *(f"{link.name} ({link.public_address or link.source or 'no address'})" for link in report.links),
    ]
    return ", ".join(filter(None, facts))


def _wrong(report: Report, document: dict[str, Any], judged_by: Checklist | None, key: Key | None) -> list[str]:
    wrong: list[str] = []
    if key is not None:
        wrong += filter(None, [key.verify(document, report.signature)])
    if judged_by is not None:
        wrong += contradictions(report, as_asked(report, judged_by))
        wrong += impossible(report, judged_by)
    if report.form is not None:
        wrong += [f"The tool cannot have written its form: {fault}" for fault in form_faults(report.form)]
    return wrong


def _undecided(report: Report, judged_by: Checklist | None, key: Key | None, *, in_order: bool) -> list[str]:
    undecided: list[str] = []
    if judged_by is None:
        undecided.append(
            f"Its checklist {report.checklist.id!r} (version {report.checklist.version}, SHA-256 "
            f"{report.checklist.sha256}) is not one of those shipped here; name the file with --checklist."
        )
    undecided += unchecked(report)
    if report.is_demo:
        undecided.append("It was made by the demo: an emulated trunk, not a site.")
    elif report.command not in WHOLE and not in_order:
        undecided.append(f"It covers a part only ({report.command}); an order needs a report of `gosip-check run`.")
    if report.skip:
        undecided.append(f"Left out on request: {', '.join(report.skip)}.")
    if report.signature is not None and key is None:
        undecided.append("It is signed, and nobody has verified that: name the key with --verify-key-file.")
    return undecided


_MOVED = ("port", "rtp_ports", "management_addresses", "management_ports", "ntp_servers", "ntp_port")


def as_asked(report: Report, checklist: Checklist) -> Checklist:
    """The demo moves the provider's networks and ports to loopback, so those its measurements were asked for."""
    if not report.is_demo:
        return checklist
    asked = [measurement.options or {} for measurement in report.measurements]
    values = {name: next((options[name] for options in asked if name in options), None) for name in _MOVED}
    moved = {name: value for name, value in values.items() if value is not None}
    trunk = msgspec.structs.replace(checklist.trunk, networks=NETWORKS, **moved)
    return msgspec.structs.replace(checklist, trunk=trunk)


def _shipped(identity: ChecklistIdentity) -> Checklist | None:
    """The shipped checklist that a report was made with, to the byte."""
    return next((checklist for checklist in _all_shipped() if checklist.identity == identity), None)


# A process vets thousands of files: what all of them need is read once.


@functools.cache
def _all_shipped() -> list[Checklist]:
    return [load_file(path) for path in shipped().values()]


@functools.cache
def _named(checklist: str) -> Checklist:
    return load(checklist)


@functools.cache
def _key(file: str) -> Key:
    return Key(Path(file), signs=False)
