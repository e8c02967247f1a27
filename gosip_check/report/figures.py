"""The numbers in a report, by name: what a chart, a comparison, a monitoring system and a history follow over time.

Reads facts as they were saved, whatever their type. Knows no probe's facts but by the units in their names.
"""

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from gosip_check.records import Report

Place = tuple[str, str]
"(link, `probe.fact`): where a figure or a statement belongs."

# Last part of a fact's name -> unit.
UNITS = {"ms": "ms", "s": "s", "pct": "%", "kbps": "kb/s", "mbps": "Mb/s", "mb": "MiB"}

_ASIDE = {"evidence", "between", "series", "rtt_histogram"}
_LARGEST = 1e15
_MOST = 500
"More figures than any probe brings; what is beyond comes from a file that somebody made."


def figures(report: Report) -> dict[Place, float]:
    """Every number that stands by itself, and the median of every list of numbers that has a unit, over all servers."""
    found: dict[Place, float] = {}
    for measurement in report.measurements:
        lists: dict[str, list[float]] = {}
        for name, value in _leaves(measurement.facts or {}, ""):
            place = (measurement.link, f"{measurement.probe}.{name}")
            if isinstance(value, list):
                lists.setdefault(place[1], []).extend(number for number in value if is_number(number))
            elif is_number(value) and len(found) < _MOST:
                found.setdefault(place, float(value))
        for name, numbers in lists.items():
            if numbers and unit_of(name):
                found.setdefault((measurement.link, name), round(float(median(numbers)), 3))
    return found


def statements(report: Report) -> dict[Place, str]:
    """What is told in a word and stands by itself: addresses, media, yes and no."""
    found: dict[Place, str] = {}
    for measurement in report.measurements:
        for name, value in _leaves(measurement.facts or {}, ""):
            if isinstance(value, bool | str) and len(found) < _MOST:
                words = value if isinstance(value, str) else "yes" if value else "no"
                found.setdefault((measurement.link, f"{measurement.probe}.{name}"), words)
    return found


def unit_of(name: str) -> str:
    """The unit that a fact's name ends in; a group's name may stand before the last dot, as in `rtt_ms.p95`."""
    for part in (name.rpartition(".")[2], name.rpartition(".")[0]):
        unit = UNITS.get(part.rpartition("_")[2])
        if unit:
            return unit
    return ""


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
