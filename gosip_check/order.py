"""An order's document: the report of a site and that of its PBX, each whole, in one JSON. Pure; judges nothing.

The outcome is the worse of the two, and both stay as they were written: a signature still fits. Two reports that are
not about the same order are refused, with a sentence.
"""

import json
from dataclasses import dataclass
from typing import Any

from gosip_check.heard import WAYS
from gosip_check.records import Form, Readiness, Report
from gosip_check.rejudge import WHOLE
from gosip_check.report.load import ORDER_SCHEMA, ReportError, document_of, report_of
from gosip_check.report.to_json import safe

PARTS = ("site", "pbx")
NAMES = {"site": "Site", "pbx": "PBX"}
"Part -> what people call it."

_WORST_FIRST = (Readiness.NOT_READY, Readiness.INCONCLUSIVE, Readiness.READY)


@dataclass(frozen=True)
class Order:
    """Both reports. The form is the site's, else the PBX's."""

    site: Report
    pbx: Report

    @property
    def reports(self) -> list[Report]:
        """In the order of PARTS."""
        return [self.site, self.pbx]

    @property
    def outcome(self) -> Readiness:
        """The worse one."""
        return min(self.site.outcome, self.pbx.outcome, key=_WORST_FIRST.index)

    @property
    def form(self) -> Form | None:
        return self.site.form or self.pbx.form


def is_order(document: dict[str, Any]) -> bool:
    """Or says that it is one."""
    return document.get("schema") == ORDER_SCHEMA


def order_of(document: dict[str, Any], where: str) -> Order:
    """Whether the two belong together is asked of `faults`. Raises ReportError."""
    if set(document) != {"schema", *PARTS} or not all(isinstance(document[part], dict) for part in PARTS):
        raise ReportError(f"{where}: is damaged or was edited: an order holds the reports `site` and `pbx`, no more.")
    parts = ((document[part], f"{where} ({NAMES[part]})") for part in PARTS)
    return Order(*(report_of(part, json.dumps(part).encode(), name) for part, name in parts))


def reports_in(content: bytes, where: str) -> list[Report]:
    """The report of these bytes, or both of an order that belong together. Raises ReportError."""
    document = document_of(content, where)
    if not is_order(document):
        return [report_of(document, content, where)]
    order = order_of(document, where)
    for fault in faults(order):
        raise ReportError(f"{where}: {fault}")
    return order.reports


def bundle(first: bytes, second: bytes, names: tuple[str, str]) -> tuple[Order, str]:
    """The order of two reports, whichever is the PBX's, and its JSON. Raises ReportError."""
    both = list(zip((first, second), names, strict=True))
    documents = [document_of(content, name) for content, name in both]
    reports = [report_of(document, *each) for document, each in zip(documents, both, strict=True)]
    of_pbx = [_is_of_pbx(report) for report in reports]
    if of_pbx[0] and not of_pbx[1]:
        reports.reverse()
        documents.reverse()
    order = Order(*reports)
    for fault in faults(order):
        raise ReportError(fault)
    text = json.dumps({"schema": ORDER_SCHEMA, **dict(zip(PARTS, documents, strict=True))}, indent=2)
    return order, f"{safe(text)}\n"


def faults(order: Order) -> list[str]:
    """Why the two are not one order, a sentence each."""
    site, pbx = order.site, order.pbx
    if _is_of_pbx(site):
        return ["Both reports are of a PBX; an order takes one of `gosip-check run` and one of `gosip-check pbx`."]
    if not _is_of_pbx(pbx):
        return ["Neither report is of a PBX; an order takes one of `gosip-check run` and one of `gosip-check pbx`."]
    wrong = []
    if site.command not in WHOLE:
        wrong.append(f"The site's report covers a part only ({site.command}); take one of `gosip-check run`.")
    if site.is_demo is not pbx.is_demo:
        wrong.append(f"The {'site' if site.is_demo else 'PBX'}'s report is of a demo, and the other one is not.")
    if site.checklist.id != pbx.checklist.id:
        wrong.append(f"They are about two products: {site.checklist.id} and {pbx.checklist.id}.")
    if site.site and pbx.site and site.site != pbx.site:
        wrong.append(f"They are of two sites: {site.site} and {pbx.site}.")
    return wrong + _two_forms(site.form, pbx.form)


def _is_of_pbx(report: Report) -> bool:
    return report.part in WAYS


def _two_forms(of_site: Form | None, of_pbx: Form | None) -> list[str]:
    """What both forms hold, and not the same."""
    if of_site is None or of_pbx is None:
        return []
    both = {
        "customers": (of_site.company_name, of_pbx.company_name),
        "PBXs": (_device(of_site), _device(of_pbx)),
    }
    return [
        f"Their forms name two {what}: {first.strip()} and {second.strip()}."
        for what, (first, second) in both.items()
        if first.strip() and second.strip() and first.strip().casefold() != second.strip().casefold()
    ]


def _device(form: Form) -> str:
    return f"{form.pbx.vendor.strip()} {form.pbx.model.strip()}"
