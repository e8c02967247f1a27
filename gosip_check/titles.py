"""What a verdict is called and what it shows: texts with {facts}, filled in once something was measured. Pure.

Of several texts the first is taken whose facts are known, so that a text which names the culprit stands before one that
names nobody.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from gosip_check.values import shown, unit_of

FIELD = re.compile(r"\{([^{}]*)\}")


def fields_of(text: str) -> list[str]:
    """The names in braces."""
    return FIELD.findall(text)


def some_filled(text: str | list[str], fill: Callable[[str], str]) -> str | list[str]:
    """Each of several texts, or the one that there is, as `fill` makes it."""
    return fill(text) if isinstance(text, str) else [fill(each) for each in text]


def with_facts(texts: str | list[str], facts: Mapping[str, Any], *, with_bounds: bool = False) -> str:
    """The first text whose facts are all known, with their values and units; empty where there is none.

    with_bounds: a fact is known well enough where its two bounds are.
    """
    for text in [texts] if isinstance(texts, str) else texts:
        values = {name: _fact(facts, name) or (with_bounds and _bounds(facts, name)) for name in fields_of(text)}
        if all(values.values()):
            return "".join(
                part if number % 2 == 0 else values[part] or "" for number, part in enumerate(FIELD.split(text))
            )
    return ""


_LONGEST_FACT = 60


def _fact(facts: Mapping[str, Any], name: str) -> str | None:
    """A fact by its dotted name, as a person reads it; None where it is not known, or no single value."""
    value: Any = facts
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if value is None or isinstance(value, bool | Mapping | list):
        return None
    unit = unit_of(name)
    text = _number(value) if isinstance(value, int | float) else shown(value)
    text += f" {unit}" if unit else ""
    return text if 0 < len(text) <= _LONGEST_FACT else None


def _bounds(facts: Mapping[str, Any], name: str) -> str | None:
    """`0-0.27 %`, of a fact that lies between two values."""
    between = facts.get("between")
    bounds = between.get(name) if isinstance(between, Mapping) else None
    if not isinstance(bounds, list | tuple) or len(bounds) != 2 or not all(isinstance(b, int | float) for b in bounds):
        return None
    low, high = map(_number, bounds)
    unit = unit_of(name)
    return f"{high if low == high else f'{low}-{high}'}{f' {unit}' if unit else ''}"


_SMALLEST = 0.01


def _number(value: float) -> str:
    """Three digits at most, and no more than two behind the point."""
    if 0 < abs(value) < _SMALLEST:
        return f"under {_SMALLEST:g}"
    return shown(value) if isinstance(value, int) else shown(round(value, 2), 3)
