"""Probes of the test's own in a plan of its own."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from gosip_check.plan import Plan
from gosip_check.probes import probe
from gosip_check.probes.probe import Context, Probe
from gosip_check.records import (
    Checklist,
    ChecklistIdentity,
    Link,
    Outcome,
    Report,
    Requirement,
    Settings,
    Trunk,
)
from gosip_check.run import Observer, run
from tests.unit.records import requirement

LINK = Link("Internet-1")


class Options(probe.Options, frozen=True):
    """`domain` comes from the trunk, `dns_servers` from the settings."""

    domain: str
    which: int = 0
    dns_servers: list[str] = []


class Facts(probe.Facts, frozen=True):
    ok: bool | None = True
    number: float | None = 0.0
    options: Options | None = None


Measure = Callable[[Options, Context], Facts]


def good(options: Options, context: Context) -> Facts:
    del context
    return Facts(evidence={"ok": "All is well."}, options=options)


def bad(options: Options, context: Context) -> Facts:
    del options, context
    return Facts(evidence={"ok": "It is broken."}, ok=False)


def make(name: str, measure: Measure = good, **changes: Any) -> Probe:
    return Probe(name, Options, Facts, measure, **changes)


Put = Callable[..., None]


def asks(probe: str, name: str | None = None, **changes: Any) -> Requirement:
    """A requirement that wants the fact `ok` of a probe."""
    return requirement(id=f"group.{name or probe}", probe=probe, **changes)


def plan(*requirements: Requirement, networks: Sequence[str] = ("127.22.184.0/24",), **changes: Any) -> Plan:
    trunk = Trunk(
        domain="trunk.example",
        service="sip",
        transport="udp",
        port=5060,
        networks=list(networks),
        rtp_ports=(1024, 65535),
        codec="PCMA",
        dtmf="telephone-event",
        reregistration_s=295,
        kbps_per_channel=100,
    )
    identity = ChecklistIdentity("own", "Own", "1", "0" * 64)
    checklist = Checklist(identity, "a guide", "2026-11-22", trunk, list(requirements))
    values: dict[str, Any] = {"links": [LINK], "settings": Settings()}
    return Plan(checklist, list(requirements), **{**values, **changes})


def go(of: Plan, stop: threading.Event | None = None, observer: Observer | None = None) -> Report:
    return run(of, stop or threading.Event(), observer or Observer())


def outcomes(report: Report) -> dict[str, Outcome]:
    return {verdict.id.removeprefix("group."): verdict.outcome for verdict in report.verdicts}
