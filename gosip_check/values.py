"""How a figure is read: the unit that its name ends in, and a value as text. Knows no probe and no format.

Names of facts carry their units, as in `rtt_ms` and `loss_up_pct`; here they are taken apart again. Every layer may
import this, and it imports none.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

UNITS = {"ms": "ms", "s": "s", "pct": "%", "kbps": "kb/s", "mbps": "Mb/s", "mb": "MiB"}
"Last part of a fact's name -> the unit that a person reads."

_UNIT = re.compile(rf"_({'|'.join(UNITS)})(?=\.[^.]*$|$)")
"At the end of a name, or of the group that the last part belongs to, as in `rtt_ms.p95`."


def unit_of(fact: str) -> str:
    """The unit in a fact's name; empty where there is none."""
    endings = _UNIT.findall(fact)
    return UNITS[endings[-1]] if endings else ""


def without_unit(fact: str) -> str:
    """The name without its unit: `rtt.p95` of `rtt_ms.p95`."""
    return _UNIT.sub("", fact)


def shown(value: Any, digits: int = 4, text: Callable[[str], str] = str) -> str:
    """A fact as a person reads it. digits: how many of a number count. text: what is done to every name and word."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.0f}" if 10**digits <= abs(value) < 1e15 else f"{value:.{digits}g}"
        case list():
            return ", ".join(shown(item, digits, text) for item in value) or "none"
        case Mapping():
            return f"({shown_record(value, digits, text)})" if value else "none"
        case _:
            return text(str(value))


def shown_record(facts: Mapping[str, Any], digits: int = 4, text: Callable[[str], str] = str) -> str:
    """Several facts in one line, name and value, without those that are None."""
    return ", ".join(f"{text(name)} {shown(value, digits, text)}" for name, value in facts.items() if value is not None)
