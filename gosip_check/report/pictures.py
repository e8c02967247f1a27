"""Which pictures a report gives cause for. Reads facts as they were saved: what has another shape is not drawn.

The shapes below name the few facts that a picture needs, whichever probe of whichever version brought them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from markupsafe import Markup

from gosip_check.records import Measurement, Operator, Report, Series
from gosip_check.report import charts
from gosip_check.report.charts import Curve, Limit, Step
from gosip_check.report.figures import is_number

T = TypeVar("T")

_MOST_CURVES = 8
_FEWEST_POINTS = 4
"A curve through fewer shows no more than their numbers do."
_MOST_CHANGES = 40

_JUDGED_BY = {
    "round trip": {
        "rtt_ms.p50": "half of the round trips",
        "rtt_ms.p95": "95 % of the round trips",
        "rtt_ms.p99": "99 % of the round trips",
        "rtt_ms.max": "every round trip",
    },
    "loss up": {"window15_loss_pct": "in any 15 s", "window15_loss_up_pct": "in any 15 s"},
    "loss down": {"window15_loss_pct": "in any 15 s", "window15_loss_down_pct": "in any 15 s"},
    "loss, both ways": {"window15_loss_pct": "in any 15 s, one way"},
}
"Series -> the facts that are taken from it, and how a limit names them. A limit of any other fact is not drawn."


@dataclass(frozen=True)
class Picture:
    """A chart with the line that it is about."""

    link: str
    svg: Markup


@dataclass(frozen=True)
class Rewriting:
    """Lines of a SIP message before and after somebody on the way changed them; None where there was no such line."""

    link: str
    culprit: str
    message: str
    lines: Sequence[tuple[str | None, str | None]]


class _Server(msgspec.Struct):
    address: str
    rtts_ms: list[float]


class _Hop(msgspec.Struct):
    ttl: int
    address: str
    kind: str = ""


class _Path(msgspec.Struct):
    destination: str
    hops: list[_Hop]
    local_address: str = "this machine"
    edge_ttl: int | None = None
    reached_at: int | None = None


class _Blocked(msgspec.Struct):
    first: int
    last: int
    by: str | None = None


class _Channel(msgspec.Struct):
    received: int
    lost_up: int = 0
    lost_down: int = 0
    lost_undecided: int = 0


class _Histogram(msgspec.Struct):
    low: float
    high: float
    max: float
    counts: list[int]
    beyond: int


class _Change(msgspec.Struct):
    before: str | None
    after: str | None


def pictures(report: Report) -> list[Picture]:
    """In the order of the measurements: over time, distribution, channels; and the path of each line."""
    drawn = []
    for measurement in report.measurements:
        drawn += [Picture(measurement.link, svg) for svg in _of_measurement(report, measurement)]
    for link in report.links:
        svg = _path(report, link.name)
        if svg is not None:
            drawn.append(Picture(link.name, svg))
    return drawn


def rewritings(report: Report) -> list[Rewriting]:
    """What a SIP ALG changed, line by line."""
    rewritten = []
    for measurement in report.measurements:
        facts = measurement.facts or {}
        changes = _as(facts.get("changes"), list[_Change])
        if changes:
            lines = [(change.before, change.after) for change in changes[:_MOST_CHANGES]]
            culprit, message = _as(facts.get("culprit"), str), _as(facts.get("message"), str)
            rewritten.append(Rewriting(measurement.link, culprit or "", message or "SIP message", lines))
    return rewritten


def _of_measurement(report: Report, measurement: Measurement) -> Iterator[Markup]:
    facts = measurement.facts or {}
    curves: dict[str, list[Curve]] = {}
    for series in _as(facts.get("series"), list[Series]) or []:
        if len(series.points) >= _FEWEST_POINTS and all(is_number(x) and is_number(y) for x, y in series.points):
            curves.setdefault(series.unit, []).append(Curve(series.name, series.points))
    for unit, drawn in curves.items():
        title = f"{', '.join(curve.name for curve in drawn[:3])} over time, {measurement.probe}"
        yield charts.line_chart(title, unit, drawn[:_MOST_CURVES], _limits(report, measurement, unit, drawn))
    servers = [s for s in _as(facts.get("servers"), list[_Server]) or [] if len(s.rtts_ms) >= _FEWEST_POINTS]
    asked = [Curve(s.address, list(enumerate(s.rtts_ms, 1))) for s in servers if all(map(is_number, s.rtts_ms))]
    if asked:
        title = f"Round trip of one request after the other, {measurement.probe}"
        yield charts.line_chart(title, "ms", asked[:_MOST_CURVES], start=1, across="request {:g}")
    counted = _as(facts.get("rtt_histogram"), _Histogram)
    if counted and any(counted.counts) and all(map(is_number, (counted.low, counted.high, *counted.counts))):
        beyond = f"{sum(counted.counts)} round trips"
        if counted.beyond:
            beyond += f", and {counted.beyond} longer ones, up to {counted.max:.4g} ms"
        title = f"Distribution of the round trips, {measurement.probe}"
        yield charts.histogram(
            title, "ms", counted.low, counted.high, [max(0, n) for n in counted.counts[:100]], beyond
        )
    channels = _as(facts.get("per_channel"), list[_Channel]) or []
    if channels:
        yield charts.strip(f"Loss of each channel, {measurement.probe}", [_lost_pct(channel) for channel in channels])


def _limits(report: Report, measurement: Measurement, unit: str, curves: Sequence[Curve]) -> list[Limit]:
    """What the verdicts on this measurement allow at most of what is drawn, and what they would rather see."""
    judged = {fact: name for curve in curves for fact, name in _JUDGED_BY.get(curve.name, {}).items()}
    limits: dict[tuple[str, float], Limit] = {}
    for verdict in report.verdicts:
        if verdict.measurement != measurement.id:
            continue
        for asked, how in ((verdict.expected, "at most"), (verdict.preferred, "better")):
            for expectation in asked:
                name, value = judged.get(expectation.fact), expectation.value
                if name and expectation.operator is Operator.MAX and is_number(value):
                    limits[name, value] = Limit(float(value), f"{name}: {how} {value:g} {unit}")
    return list(limits.values())


def _lost_pct(channel: _Channel) -> float:
    lost = max(0, channel.lost_up) + max(0, channel.lost_down) + max(0, channel.lost_undecided)
    sent = lost + max(0, channel.received)
    return 100 * lost / sent if sent else 0.0


def _path(report: Report, link: str) -> Markup | None:
    """The stations that answered, and at which of them something was blocked or rewritten."""
    facts = next((m.facts for m in report.measurements if m.link == link and m.facts and "hops" in m.facts), None)
    shape = _as(facts, _Path)
    if shape is None:
        return None
    troubles = _troubles(report, link)
    steps = [Step(shape.local_address, "this machine")]
    for hop in sorted(shape.hops, key=lambda hop: hop.ttl)[:30]:
        edge = ", the site's edge" if hop.ttl == shape.edge_ttl else ""
        steps.append(Step(hop.address, f"hop {hop.ttl} {hop.kind}{edge}", troubles.pop(hop.address, "")))
    end = "answered" if shape.reached_at is not None else "the provider"
    steps.append(Step(shape.destination, end, troubles.pop(shape.destination, "")))
    steps += [Step(culprit, "somewhere on the way", trouble) for culprit, trouble in troubles.items()]
    return charts.way("The way to the provider", steps)


def _troubles(report: Report, link: str) -> dict[str, str]:
    """Address -> what happened there."""
    happened: dict[str, str] = {}
    for measurement in report.measurements:
        if measurement.link != link:
            continue
        facts = measurement.facts or {}
        culprit = _as(facts.get("culprit"), str)
        if culprit and facts.get("alg_found") is True:
            happened[culprit] = "rewrites SIP: the SIP ALG sits here"
        for blocked in _as(facts.get("blocked"), list[_Blocked]) or []:
            if blocked.by:
                happened[blocked.by] = f"blocks UDP ports {blocked.first} to {blocked.last}"
        if measurement.failure is not None and measurement.failure.culprit:
            happened[measurement.failure.culprit] = f"{measurement.probe}: {measurement.failure.kind}"
    return happened


def _as(value: Any, kind: type[T]) -> T | None:
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError):
        return None
