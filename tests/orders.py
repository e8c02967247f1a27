"""Reports by the hundred, as an order desk gets them: the recorded demos with other ids, sites, times and routers.

They are vetted as the demo's own: nothing in them is wrong, and `report check` calls them undecided for being a demo.
"""

import copy
import functools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from gosip_check.checklist import load
from gosip_check.records import Report
from gosip_check.rejudge import rejudge
from gosip_check.run import report_id
from gosip_check.vetting import as_asked
from tests.saved import RECORDED, demo

ROUTERS = (("Zyxel", "VMG8825"), ("MikroTik", "hEX"), ("TP-Link", "Archer VR400"), ("Fritz", "7590"))
KINDS = (*RECORDED, "alg")
_BEGUN = datetime(2026, 11, 1, tzinfo=UTC)


def order(number: int, kind: str = "") -> dict[str, Any]:
    """The report with this number. kind: one of KINDS; one after the other where none is named."""
    document = copy.deepcopy(_judged(kind or KINDS[number % len(KINDS)], *ROUTERS[number % len(ROUTERS)]))
    started = datetime.fromisoformat(document["started"])
    later = _BEGUN + timedelta(minutes=number) - started
    document |= {"id": report_id(started + later), "site": f"MT-{number // 2:05d}"}
    document["form"]["company_name"] = f"Company {number}"
    for each in (document, *document["measurements"]):
        each["started"] = (datetime.fromisoformat(each["started"]) + later).isoformat().replace("+00:00", "Z")
    return document


@functools.cache
def _judged(kind: str, vendor: str, model: str) -> dict[str, Any]:
    """With this router on its form, which the hints name. No demo has an ALG: one is put where it would be seen."""
    document = demo("ready" if kind == "alg" else kind)
    document["form"] = {"router": {"vendor": vendor, "model": model, "release": "1"}}
    for measurement in document["measurements"]:
        if kind == "alg" and measurement["probe"] == "sip_rewriting":
            facts = measurement["facts"]
            facts |= {"alg_found": True, "looks": [{**facts["looks"][0], "found": True}, *facts["looks"][1:]]}
    report = msgspec.convert(document, Report)
    judged: dict[str, Any] = msgspec.to_builtins(rejudge(report, as_asked(report, load("go-native"))))
    return judged


def save_orders(folder: Path, count: int) -> None:
    """One file each."""
    for number in range(count):
        (folder / f"{number:05d}.json").write_text(json.dumps(order(number)), encoding="utf-8")
