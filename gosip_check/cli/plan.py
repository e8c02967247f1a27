"""From the options of a command to the plan of a run. Finds out all that can be wrong with them; measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gosip_check.cli.account import check_edge_access
from gosip_check.cli.exits import UsageProblem, input_errors
from gosip_check.cli.inputs import load_checklist, load_form, reflector_key

if TYPE_CHECKING:
    from gosip_check.plan import Plan
    from gosip_check.records import Checklist, Link, Requirement, Settings

_LONGEST_COMPANY = 100

MOST_CHANNEL_SECONDS = 120_000
"""Channels times seconds: 2,000 for a minute, 200 for ten. Each is 50 answers that are kept, some 150 octets each, so
this much takes one gigabyte and some minutes of arithmetic."""


def plan_of(command: str, options: Mapping[str, Any], choose: Callable[[Checklist], list[Requirement]]) -> Plan:
    """What to run on which lines. choose: the requirements of the checklist that are meant. Raises UsageProblem."""
    from gosip_check.plan import Plan

    checklist = load_checklist(options["checklist"])
    form = options.get("form")
    plan = Plan(
        checklist=checklist,
        requirements=choose(checklist),
        links=links_of(options.get("links", ())),
        settings=settings_of(options),
        skip=options["skip"],
        form=None if form is None else load_form(form),
        command=command,
        company=_company(options.get("company")),
        site=site_of(options.get("site", "")),
    )
    _check_skip(plan)
    return plan


def site_of(text: str) -> str:
    """The id of a site. Raises UsageProblem for one that no table, label or file name can carry as it stands."""
    import re

    if text and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise UsageProblem(
            f"--site {text!r}: use at most 64 letters, digits, dots, dashes and underscores, such as MT-0017."
        )
    return text


def settings_of(options: Mapping[str, Any]) -> Settings:
    """The options that have the name of a setting, and the defaults of the others. Raises UsageProblem."""
    from gosip_check.probes.dns.resolvers import parse_resolver
    from gosip_check.probes.far_end import host_and_port
    from gosip_check.records import Settings

    with input_errors(ValueError, prefix="--dns-server "):
        dns_servers = [str(parse_resolver(text)) for text in options.get("dns_servers", ())]
    chosen = {name: options[name] for name in Settings.__struct_fields__ if name in options}
    stun = list(options.get("stun", ()))
    settings = Settings(**{**chosen, "dns_servers": dns_servers, "stun": stun})
    if settings.reflector is not None:
        with input_errors(ValueError, prefix="--reflector "):
            host_and_port(settings.reflector)
    _check_reflector(settings)
    _check_far_end_link(settings)
    _check_urls(settings)
    if settings.under_load and settings.gentle:
        raise UsageProblem("--under-load fills the line, and --gentle sends next to nothing: leave one of them out.")
    if settings.reflector_key_file is not None:
        reflector_key("--reflector-key-file", settings.reflector_key_file)
    if settings.edge_snmp is not None:
        check_edge_access(settings.edge_snmp)
    return settings


def _company(name: str | None) -> str:
    """Raises UsageProblem for what no page can show."""
    if name is not None and not (name.isprintable() and name.strip() and len(name) <= _LONGEST_COMPANY):
        raise UsageProblem(f"--company: use a name of at most {_LONGEST_COMPANY} characters, in one line.")
    return name or ""


def _check_reflector(settings: Settings) -> None:
    """Raises UsageProblem for what needs a reflector and has none, or asks too much of one."""
    if settings.reflector is None:
        if settings.reflector_key_file is not None:
            raise UsageProblem("--reflector-key-file needs --reflector.")
        if settings.find_capacity:
            raise UsageProblem("--find-capacity needs a far end to send to: name it with --reflector.")
    elif settings.channels * settings.duration_s > MOST_CHANNEL_SECONDS:
        most_s = MOST_CHANNEL_SECONDS // settings.channels
        raise UsageProblem(
            f"--duration {settings.duration_s:g} with --channels {settings.channels} would need too much memory. "
            f"Use at most {most_s} s for so many channels."
        )


def _check_far_end_link(settings: Settings) -> None:
    """Raises UsageProblem for a second line that is not one of this machine, and for what is no STUN server."""
    from gosip_check.probes.far_end import host_and_port
    from gosip_check.probes.far_link.pair import line_of

    for server in settings.stun:
        with input_errors(ValueError, prefix="--stun "):
            host_and_port(server)
    if settings.far_end_link is not None:
        with input_errors(ValueError, prefix="--far-end-link "):
            line_of(settings.far_end_link)


def _check_urls(settings: Settings) -> None:
    """Raises UsageProblem for what is not a URL."""
    from gosip_check.probes.media.transfer import place_of

    for option, url in (("--download", settings.download), ("--upload", settings.upload)):
        if url is not None:
            with input_errors(ValueError, prefix=f"{option} "):
                place_of(url)


def links_of(texts: Sequence[str]) -> list[Link]:
    """One unnamed choice of the system where no line is given. Raises UsageProblem."""
    from gosip_check.probes.host.interface import link_of
    from gosip_check.records import ALL_LINKS, Link
    from gosip_check.report.load import MOST_LINKS

    links: list[Link] = []
    if len(texts) > MOST_LINKS:
        raise UsageProblem(f"--link: {len(texts)} are too many; {MOST_LINKS} at most in one run.")
    for text in texts:
        name, _, source = text.partition("=")
        if not name.strip() or not source or not text.isprintable():
            raise UsageProblem(
                f"--link {text!r}: NAME=ADDRESS or NAME=INTERFACE would be right, such as Internet-1=eth0."
            )
        if name == ALL_LINKS:
            raise UsageProblem(f"--link {text!r}: {name!r} means all of them together; choose another name.")
        if name in [link.name for link in links]:
            raise UsageProblem(f"--link {text!r}: the name {name!r} is taken; every line needs its own.")
        with input_errors(ValueError, prefix=f"--link {text!r}: "):
            links.append(link_of(name, source))
    return links or [Link(name="Internet-1")]


def _check_skip(plan: Plan) -> None:
    """Raises UsageProblem for a pattern that would leave nothing out: what it was meant for would be looked at."""
    import fnmatch

    from gosip_check.report.load import LONGEST_SKIPPED, MOST_SKIPPED

    if len(plan.skip) > MOST_SKIPPED or any(len(pattern) > LONGEST_SKIPPED for pattern in plan.skip):
        raise UsageProblem(f"--skip: at most {MOST_SKIPPED} patterns of {LONGEST_SKIPPED} letters each.")
    for pattern in plan.skip:
        if not any(fnmatch.fnmatchcase(requirement.id, pattern) for requirement in plan.requirements):
            known = ", ".join(requirement.id for requirement in plan.requirements)
            raise UsageProblem(f"--skip {pattern!r} matches nothing; there are {known}.")
