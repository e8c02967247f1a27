"""The internet links of a run: where each leads, what is asked on each of them, how a report describes one, and what
those who compare them get to know.
"""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_network

from msgspec.structs import replace

from gosip_check.heard import Way
from gosip_check.judge import readiness
from gosip_check.probes.host import interface
from gosip_check.probes.net import interfaces, sockets
from gosip_check.probes.probe import LinkResult, Probe, ProbeFailed
from gosip_check.records import Form, Link, LinkReport, Measurement, Readiness, Requirement, Settings, Verdict

_IS_READY = {Readiness.READY: True, Readiness.NOT_READY: False, Readiness.INCONCLUSIVE: None}


def of_one_link(
    requirements: Iterable[Requirement], probes: Mapping[str, Probe], *, logs_in: bool, way: Way | None = None
) -> list[Requirement]:
    """What is asked on a link: nothing that compares links, and what logs in only where it may.

    way: how a PBX was heard; then that alone is asked which this way can show. None: nothing that needs a PBX.
    """
    if way is not None:
        return [requirement for requirement in requirements if way in requirement.ways]
    chosen = [r for r in requirements if not probes[r.probe].across and not probes[r.probe].listens]
    return [requirement for requirement in chosen if logs_in or not probes[requirement.probe].account]


def of_all_links(requirements: Iterable[Requirement], probes: Mapping[str, Probe]) -> list[Requirement]:
    """What compares the links."""
    return [requirement for requirement in requirements if probes[requirement.probe].across]


def switched_off(probes: Mapping[str, Probe], settings: Settings) -> dict[str, str]:
    """Probes that are asked only where the run was given a switch, and was not: name -> the option."""
    wanting = {name: probe.only_with for name, probe in probes.items() if probe.only_with}
    return {name: f"--{switch.replace('_', '-')}" for name, switch in wanting.items() if not getattr(settings, switch)}


def as_on_form(links: Sequence[Link], form: Form | None) -> list[Link]:
    """The links with what the form says of the first two of them."""
    form = form or Form()
    fixed = [form.internet_1.fixed_address, form.internet_2.fixed_address, *[""] * len(links)]
    return [replace(link, fixed_address=address) for link, address in zip(links, fixed, strict=False)]


def route_of(link: Link, networks: Sequence[str]) -> tuple[str | None, str | None]:
    """The local address towards the provider, and what makes all else useless: no way there, or a VPN's, which nobody
    named as a line. What is measured through a VPN says nothing of this site.
    """
    towards = str(next(iter(ip_network(networks[0]).hosts())))
    try:
        source = sockets.source_address(link, towards)
    except ProbeFailed as failed:
        return link.source, f"Could not run: no network towards the provider. {failed.failure.message}"
    name = interface_of(link, source)
    if link.interface is None and link.source is None and name is not None and interface.medium(name) == "vpn":
        return source, (
            f"Could not run: a VPN of this computer ({name}) leads to the provider, so this site is not seen. "
            "Switch it off, or name the line: --link NAME=INTERFACE."
        )
    return source, None


def interface_of(link: Link, source: str | None) -> str | None:
    """The interface that it leaves by."""
    return link.interface or (interfaces.interface_with(source) if source else None)


def edge_mac(name: str | None) -> str | None:
    """The MAC address of the router that an interface leads to, as far as this machine has seen it."""
    return None if name is None else interface.edge_mac(name)


def unmeasured(link: Link, networks: Sequence[str]) -> LinkReport:
    """A link before anything is measured on it. May send one datagram to the router, to see its MAC address."""
    source, trouble = route_of(link, networks)
    name = interface_of(link, source)
    mac = None if name is None or trouble is not None else interface.edge_mac(name, link)
    return LinkReport(link.name, source, name, None, trouble, Readiness.INCONCLUSIVE, mac)


def link_report(
    link: Link, source: str | None, trouble: str | None, verdicts: list[Verdict], measurements: list[Measurement]
) -> LinkReport:
    """A link after everything was measured on it."""
    return LinkReport(
        name=link.name,
        source=source,
        interface=link.interface or first_found(measurements, "interface"),
        public_address=first_found(measurements, "public_address"),
        trouble=trouble,
        outcome=readiness(verdicts),
        edge_mac=edge_mac(interface_of(link, source)),
    )


def local_probes(probes: Mapping[str, Probe]) -> set[str]:
    """The names of those that look at this machine only."""
    return {name for name, probe in probes.items() if probe.local}


def first_found(measurements: Iterable[Measurement], name: str) -> str | None:
    """What the first measurement that tells it says, such as the `public_address` of a link."""
    return next((m.facts[name] for m in measurements if m.facts and m.facts.get(name)), None)


def compared_links(
    links: Sequence[Link], reports: Sequence[LinkReport], measurements: Sequence[Measurement], form: Form | None
) -> list[LinkResult]:
    """The links in their order, with what was found on each; the form knows the first two."""
    form = form or Form()
    speeds = [form.internet_1.speed, form.internet_2.speed, *[""] * len(links)]
    return [
        LinkResult(
            link=link,
            is_ready=_IS_READY[report.outcome],
            facts={m.probe: m.facts for m in measurements if m.link == link.name and m.facts and not m.disturbance},
            speed=speed,
        )
        for link, report, speed in zip(links, reports, speeds, strict=False)
    ]
