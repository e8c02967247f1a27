"""A report as metrics, for node_exporter's textfile collector and for a scrape. Base units, as Prometheus wants them.

Always a registry of its own: the library's default one adds metrics of this very process.

What is a label has few values: requirements, lines, a site's id. What may be anything, such as an address or a reason,
is none: a series for each would never end. Of addresses there is a fingerprint, a number that changes when they do.
"""

import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from gosip_check.records import Outcome, Readiness, Report
from gosip_check.report.figures import figures
from gosip_check.report.text import visible
from gosip_check.values import unit_of, without_unit

OUTCOMES = {Outcome.PASS: 0, Outcome.WARN: 1, Outcome.FAIL: 2, Outcome.UNKNOWN: 3, Outcome.SKIPPED: 4}
_READINESS = {Readiness.READY: 0, Readiness.NOT_READY: 1, Readiness.INCONCLUSIVE: 3}

# Unit of a figure -> (suffix of the metric, factor).
_BASE = {
    "ms": ("seconds", 0.001),
    "s": ("seconds", 1.0),
    "%": ("ratio", 0.01),
    "kb/s": ("bytes_per_second", 125.0),
    "Mb/s": ("bytes_per_second", 125000.0),
    "MiB": ("bytes", 1048576.0),
}


MOST_SERIES = 400
"Of one site: a whole checklist on three lines. What is beyond is left out, figures first; `gosip_check_series` tells."


class _Collected(Collector):
    """What the latest report says, each time that somebody asks."""

    def __init__(
        self, latest: "Callable[[], tuple[Report, datetime | None] | None]", at_s: float | None = None
    ) -> None:
        self._latest = latest
        self._at_s = at_s

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        latest = self._latest()
        return [] if latest is None else _metrics(*latest, self._at_s)


def registry(latest: "Callable[[], tuple[Report, datetime | None] | None]") -> CollectorRegistry:
    """A registry that serves (latest report, when a run last was ready), or nothing yet."""
    own = CollectorRegistry(auto_describe=False)
    own.register(_Collected(latest))
    return own


def to_prometheus(report: Report, last_success: datetime | None) -> bytes:
    """The text format, as node_exporter's textfile collector reads it. last_success: the last run that was ready."""
    return generate_latest(registry(lambda: (report, last_success)))


def stamped(reports: Iterable[tuple[Report, datetime | None]]) -> bytes:
    """The text format with the time of each run, as an import endpoint reads it. Comments, which it skips, go."""
    documents = []
    for report, last_success in reports:
        own = CollectorRegistry(auto_describe=False)
        own.register(_Collected(partial(_same, report, last_success), report.started.timestamp()))
        documents.append(re.sub(rb"(?m)^#.*\n", b"", generate_latest(own)))
    return b"".join(documents)


def _same(report: Report, last_success: datetime | None) -> tuple[Report, datetime | None]:
    return report, last_success


def _metrics(report: Report, last_success: datetime | None, at_s: float | None = None) -> list[Metric]:
    """At most MOST_SERIES samples, each with the site where one is named, and with a time where one is given."""
    labels = {"site": report.site} if report.site else {}
    metrics = [*_states(report, last_success), *_fingerprints(report), *_figures(report)]
    count = GaugeMetricFamily(
        "gosip_check_series", f"How many series this site makes; {MOST_SERIES} at most are given."
    )
    count.add_metric([], 1 + sum(len(metric.samples) for metric in metrics))
    left = MOST_SERIES
    for metric in [count, *metrics]:
        metric.samples = [
            sample._replace(labels={**labels, **sample.labels}, timestamp=at_s) for sample in metric.samples[:left]
        ]
        left -= len(metric.samples)
    return [metric for metric in [count, *metrics] if metric.samples]


def _fingerprints(report: Report) -> Iterable[Metric]:
    """Numbers that change when the SRV records or a line's public address do; none where they were not found."""
    srv = GaugeMetricFamily(
        "gosip_check_srv_fingerprint", "Changes when the SRV records do: a checksum of them.", labels=["link"]
    )
    for measurement in report.measurements:
        targets = (measurement.facts or {}).get("targets")
        if measurement.probe == "srv" and isinstance(targets, list) and targets:
            srv.add_metric([_plain(measurement.link)], _fingerprint(sorted(map(_record, targets))))
    address = GaugeMetricFamily(
        "gosip_check_public_address_fingerprint", "Changes when the line's public address does.", labels=["link"]
    )
    for link in report.links:
        if link.public_address:
            address.add_metric([_plain(link.name)], _fingerprint(link.public_address))
    return [srv, address]


def _record(target: Any) -> str:
    """One SRV record without what is looked up behind it: an address that is missing once is no other record."""
    fields = target if isinstance(target, Mapping) else {}
    return json.dumps([fields.get(name) for name in ("target", "port", "priority", "weight")])


def _fingerprint(of: list[str] | str) -> int:
    return zlib.crc32(json.dumps(of).encode())


def _states(report: Report, last_success: datetime | None) -> list[Metric]:
    state = GaugeMetricFamily(
        "gosip_check_requirement_state",
        "How a requirement was judged: 0 pass, 1 warn, 2 fail, 3 unknown, 4 skipped.",
        labels=["requirement", "link", "level"],
    )
    for verdict in report.verdicts:
        state.add_metric([_plain(verdict.id), _plain(verdict.link), verdict.level.value], OUTCOMES[verdict.outcome])
    outcome = GaugeMetricFamily(
        "gosip_check_outcome", "What the run says, as its exit code: 0 ready, 1 not ready, 3 inconclusive."
    )
    outcome.add_metric([], _READINESS[report.outcome])
    duration = GaugeMetricFamily("gosip_check_run_duration_seconds", "How long the last run took.")
    duration.add_metric([], report.elapsed_s)
    last_run = GaugeMetricFamily("gosip_check_last_run_timestamp_seconds", "When the last run began.")
    last_run.add_metric([], report.started.timestamp())
    about = GaugeMetricFamily(
        "gosip_check_info",
        "Which tool and checklist this is; a command that ends in --demo has looked at no site.",
        labels=["version", "checklist", "checklist_version", "command"],
    )
    checklist = report.checklist
    about.add_metric([report.tool_version, *map(_plain, (checklist.id, checklist.version, report.command))], 1)
    metrics: list[Metric] = [state, outcome, duration, last_run, about]
    if last_success is not None:
        success = GaugeMetricFamily(
            "gosip_check_last_success_timestamp_seconds", "When the last run began whose outcome was ready."
        )
        success.add_metric([], last_success.timestamp())
        metrics.append(success)
    return metrics


def _figures(report: Report) -> list[Metric]:
    """A gauge for each figure that has a unit: those are the measured ones."""
    gauges: dict[str, GaugeMetricFamily] = {}
    written: set[tuple[str, str]] = set()
    for (link, name), value in figures(report).items():
        base = _BASE.get(unit_of(name))
        if base is None:
            continue
        suffix, factor = base
        stem = re.sub("[^a-z0-9]+", "_", without_unit(name).lower()).strip("_")
        metric = f"gosip_check_{stem}_{suffix}"
        if (metric, link) in written:
            continue
        written.add((metric, link))
        gauge = gauges.setdefault(metric, GaugeMetricFamily(metric, f"Measured: {_plain(name)}.", labels=["link"]))
        gauge.add_metric([_plain(link)], value * factor)
    return list(gauges.values())


def _plain(text: str) -> str:
    return visible(text, 200)
