"""Every record that crosses a layer. Frozen data: no I/O, no clock, no behaviour beyond properties.

A probe fills a `Measurement`, the judge turns it into a `Verdict`, a report carries both. Units stand in the names
(`rtt_ms`, `loss_pct`); wall-clock times say when, `elapsed_s` (monotonic) says how long. The JSON of a `Report` is the
public, versioned format: `gosip-check schema` prints its JSON Schema.
"""

from gosip_check.records.base import Record
from gosip_check.records.demand import (
    THE_PROVIDER,
    Checklist,
    ChecklistIdentity,
    Expectation,
    Level,
    Operator,
    Requirement,
    Titles,
    Trunk,
)
from gosip_check.records.form import Equipment, Form, InternetLine, SecondTrunk
from gosip_check.records.report import (
    ALL_LINKS,
    DEMO,
    STOPPED,
    Asked,
    Failure,
    FailureKind,
    HostIdentity,
    Link,
    LinkReport,
    Measurement,
    Outcome,
    Readiness,
    Report,
    Series,
    Settings,
    Signature,
    Verdict,
)

__all__ = [
    "ALL_LINKS", "DEMO", "STOPPED", "THE_PROVIDER", "Asked", "Checklist", "ChecklistIdentity", "Equipment",
    "Expectation", "Failure", "FailureKind", "Form", "HostIdentity", "InternetLine", "Level", "Link", "LinkReport",
    "Measurement", "Operator", "Outcome", "Readiness", "Record", "Report", "Requirement", "SecondTrunk", "Series",
    "Settings", "Signature", "Titles", "Trunk", "Verdict",
]  # fmt: skip
