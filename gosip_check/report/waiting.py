"""Does a report wait for the provider only, to let this line in? The usual visit before the order. Decides nothing.

What says so is a fact of the signalling probe; the address to give to the provider is one of the `nat` probe.
"""

from collections.abc import Mapping
from typing import Any

from gosip_check.records import Readiness, Report

_BY_ROUTER = " (your router says so, nobody confirms it)"
_NOT_KNOWN = "the public address of this line (ask your internet provider for it)"


def waiting_for(report: Report) -> str:
    """What the provider must whitelist, a clause such as `whitelist 192.0.2.1`; empty where nothing waits for that."""
    waits = [link.name for link in report.links if _facts(report, link.name, "signalling").get("waits_for_provider")]
    if report.outcome is not Readiness.INCONCLUSIVE or not waits:
        return ""
    named = [outside_address(report, name) or _NOT_KNOWN for name in waits]
    if len(report.links) > 1:
        named = [f"{address} on {name}" for name, address in zip(waits, named, strict=True)]
    return f"whitelist {' and '.join(named)}"


def outside_address(report: Report, link: str) -> str:
    """The public address by whoever knows it, and who that is where nobody confirms it; empty where nobody does."""
    nat = _facts(report, link, "nat")
    address = nat.get("outside_address")
    return f"{address}{_BY_ROUTER * (nat.get('outside_address_from') == 'router')}" if address else ""


def _facts(report: Report, link: str, probe: str) -> Mapping[str, Any]:
    """Of the first measurement of that probe on the link; nothing where it brought none."""
    return next((m.facts for m in report.measurements if (m.link, m.probe) == (link, probe) and m.facts), {})
