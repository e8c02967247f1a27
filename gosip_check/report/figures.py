"""The numbers in a report, by name: what a chart, a comparison, a monitoring system and a history follow over time.

Reads facts as they were saved, whatever their type. Knows no probe's facts but by the units in their names.
"""

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from gosip_check.records import Report
from gosip_check.values import shown, unit_of

FactKey = tuple[str, str]
"(link, `probe.fact`): which figure or statement of a report is meant."

_ASIDE = {"evidence", "between", "series", "rtt_histogram"}
_LARGEST = 1e15
_MOST = 500
"More figures than any probe brings; what is beyond comes from a file that somebody made."


def figures(report: Report) -> dict[FactKey, float]:
    """Every number that stands by itself, and the median of every list of numbers that has a unit, over all servers."""
    by_key: dict[FactKey, float] = {}
    for measurement in report.measurements:
        lists: dict[str, list[float]] = {}
        for name, value in _leaves(measurement.facts or {}, ""):
            fact = f"{measurement.probe}.{name}"
            if isinstance(value, list):
                lists.setdefault(fact, []).extend(number for number in value if is_number(number))
            elif is_number(value) and len(by_key) < _MOST:
                by_key.setdefault((measurement.link, fact), float(value))
        for fact, numbers in lists.items():
            if numbers and unit_of(fact):
                by_key.setdefault((measurement.link, fact), round(float(median(numbers)), 3))
    return by_key


def statements(report: Report) -> dict[FactKey, str]:
    """What is one word and stands by itself: addresses, media, yes and no."""
    by_key: dict[FactKey, str] = {}
    for measurement in report.measurements:
        for name, value in _leaves(measurement.facts or {}, ""):
            if isinstance(value, bool | str) and len(by_key) < _MOST:
                by_key.setdefault((measurement.link, f"{measurement.probe}.{name}"), shown(value))
    return by_key


def is_number(value: Any) -> bool:
    """A finite number, which True is not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


def _leaves(facts: Mapping[str, Any], prefix: str, in_list: bool = False) -> Iterator[tuple[str, Any]]:
    """(dotted name, value). Of what stands in lists of records only the lists of numbers are followed."""
    for name, value in facts.items():
        if name in _ASIDE or not isinstance(name, str):
            continue
        if isinstance(value, Mapping):
            if not in_list:
                yield from _leaves(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            if value and all(isinstance(item, Mapping) for item in value):
                for item in value:
                    yield from _leaves(item, prefix, in_list=True)
            else:
                yield f"{prefix}{name}", value
        elif not in_list:
            yield f"{prefix}{name}", value
