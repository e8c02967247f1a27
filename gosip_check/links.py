"""Several internet links in one run: what is asked on each of them, and what those who compare them get to know."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from gosip_check.heard import Way
from gosip_check.probes.probe import LinkResult, Probe
from gosip_check.records import Form, Link, LinkReport, Measurement, Readiness, Requirement

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


def as_on_form(links: Sequence[Link], form: Form | None) -> list[Link]:
    """The links with what the form says of the first two of them."""
    form = form or Form()
    fixed = [form.internet_1.fixed_address, form.internet_2.fixed_address, *[""] * len(links)]
    return [replace(link, fixed_address=address) for link, address in zip(links, fixed, strict=False)]


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
