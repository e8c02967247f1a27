"""What stands in a report and no run at a site can have brought: a demo sold as a run, times that cannot be, facts that
contradict each other. Pure.

Every sentence is about something in the file itself. It says nothing of an odd date that a wrong clock may show.
"""

import json
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

from gosip_check import __version__
from gosip_check.agreement import disagreements
from gosip_check.records import Checklist, Measurement, Report

_YEARS = (1970, 2262)
"Linux counts nanoseconds from the first in 63 bits, and takes no time before it (clock_settime(2))."
_ROUNDED_S = 0.01
_DNS_PORT = 53
_ANSWERED = "answered"


def impossible(report: Report, checklist: Checklist) -> Iterator[str]:
    """A sentence each. checklist: the one that the report was made with."""
    yield from _times(report)
    yield from _measured_twice(report)
    if report.tool_version == __version__:  # of another version's facts it is not known what they mean
        for measurement in report.measurements:
            yield from disagreements(measurement)
    if not report.is_demo:
        yield from _of_a_demo(report)
        networks = [ip_network(network) for network in checklist.trunk.networks]
        for measurement in report.measurements:
            yield from _of_servers(measurement, networks)


def _times(report: Report) -> Iterator[str]:
    for year in sorted({report.started.year, *(measurement.started.year for measurement in report.measurements)}):
        if not _YEARS[0] <= year <= _YEARS[1]:
            yield f"It was made in the year {year}, which no clock of Linux shows."
    took_s = report.elapsed_s
    if took_s == 0 and any(
        measurement.elapsed_s > _ROUNDED_S and measurement.taken_from is None for measurement in report.measurements
    ):
        yield "The whole check took no time, and its measurements did."
        return
    for measurement in report.measurements:
        what = f"Measurement {measurement.id} ({measurement.probe})"
        if measurement.taken_from is None and measurement.elapsed_s > took_s + _ROUNDED_S:
            yield f"{what} took {measurement.elapsed_s:g} s, longer than the whole check ({took_s:g} s)."


def _measured_twice(report: Report) -> Iterator[str]:
    asked = Counter(
        (measurement.probe, measurement.link, json.dumps(measurement.options, sort_keys=True))
        for measurement in report.measurements
        if measurement.options is not None
    )
    for (probe, link, _), times in asked.items():
        if times > 1:
            yield f"{probe} was measured {times} times on {link} in the same way; a run does so once."


def _of_a_demo(report: Report) -> Iterator[str]:
    """An emulated trunk stands on loopback, and this machine's own resolvers do not know it."""
    for link in report.links:
        if _is_loopback(link.source) and any(_answered(m) for m in report.measurements if m.link == link.name):
            yield f"{link.name} leaves from {link.source}, this machine itself, and a server answered."
    for measurement in report.measurements:
        options = measurement.options or {}
        if options.get("system_resolvers") is False:
            yield f"Measurement {measurement.id} left out this machine's own resolvers, which only a demo does."


def _of_servers(measurement: Measurement, networks: list[Any]) -> Iterator[str]:
    facts = measurement.facts or {}
    what = f"Measurement {measurement.id} ({measurement.probe})"
    named = _texts((measurement.options or {}).get("dns_servers"))
    ports = {_DNS_PORT, *map(_port_of, named)} if measurement.options else None
    for answer in _records(facts, "answers"):
        resolver = answer.get("resolver")
        if ports and isinstance(resolver, str) and _port_of(resolver) not in ports:
            yield f"{what} asked the resolver {resolver}, which was not named: this machine's own listen on port 53."
    targets = _records(facts, "targets")
    addresses = [address for target in targets for address in _texts(target.get("addresses"))]
    outside = [address for address in addresses if not _is_inside(address, networks)]
    if facts.get("targets_in_networks") is True and outside:
        yield f"{what} says that every target lies in the provider's networks, and {outside[0]} does not."
    for address in _answered(measurement):
        if _is_loopback(address):
            yield f"{what} had an answer from {address}, which is this machine itself."


def _answered(measurement: Measurement) -> list[str]:
    """The addresses of servers that answered the first request."""
    servers = _records(measurement.facts or {}, "servers")
    first = [(server.get("address"), server.get("first")) for server in servers]
    return [
        address
        for address, exchange in first
        if isinstance(address, str) and isinstance(exchange, dict) and exchange.get("result") == _ANSWERED
    ]


def _records(facts: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = facts.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _texts(found: Any) -> list[str]:
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def _port_of(resolver: str) -> int:
    """53 where it names none, and where it cannot be read."""
    host, colon, port = resolver.rpartition(":")
    named = colon and (host.endswith("]") or ":" not in host) and port.isascii() and port.isdigit() and len(port) < 6
    return int(port) if named else _DNS_PORT


def _is_loopback(address: str | None) -> bool:
    try:
        return ip_address((address or "").partition("%")[0]).is_loopback
    except ValueError:
        return False


def _is_inside(address: str, networks: list[Any]) -> bool:
    """Of what is no address nothing is said."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return True
    return any(found in network for network in networks)
