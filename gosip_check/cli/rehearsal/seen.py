"""What came last in a rehearsal, one line for each, as the installer reads it while it plays. Judges nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace

from gosip_check.heard import Heard, Transaction

_LOOKED_AT = 40
"Messages, and as many DNS questions: it is drawn again and again."


def seen(heard: Heard, after_s: float = 0.0, until_s: float = math.inf) -> list[str]:
    """The newest last. Repeated lines are one, with how often. after_s, until_s: seconds since 1970."""
    last = replace(heard, messages=list(heard.messages[-_LOOKED_AT:]))
    lines = [(lookup.time_s, f"DNS  {lookup.kind} {lookup.name}") for lookup in heard.lookups[-_LOOKED_AT:]]
    lines += [
        (each.sent_s[0], _line(heard, each)) for each in last.transactions if each.sent_s and each.method != "ACK"
    ]
    return list(_once(sorted(line for line in lines if after_s < line[0] <= until_s)))


def _line(heard: Heard, each: Transaction) -> str:
    statuses = [Transaction.status_of(response) for response in each.responses]
    said = ", ".join(map(str, dict.fromkeys(statuses))) or "no answer"
    times = f" ({len(each.sent_s)} times)" if len(each.sent_s) > 1 else ""
    way = f"{each.method} to {_site(heard, each)}" if each.goes_up else f"our {each.method} from {_site(heard, each)}"
    return f"SIP  {way}{times}: {said}"


def _site(heard: Heard, each: Transaction) -> str:
    names = dict(zip(heard.sites, ("site A", "site B"), strict=False))
    site = heard.site_of(each) or "?"
    return names.get(site, site)


def _once(lines: list[tuple[float, str]]) -> Iterator[str]:
    begun: list[tuple[float, str, int]] = []
    for time_s, line in lines:
        if begun and begun[-1][1] == line:
            begun[-1] = (time_s, line, begun[-1][2] + 1)
        else:
            begun.append((time_s, line, 1))
    for time_s, line, count in begun:
        yield f"{time.strftime('%H:%M:%S', time.localtime(time_s))}  {line}{f'  x {count}' if count > 1 else ''}"
