"""`explain`: what one requirement or remedy is about. From the checklists and the remedies; no network, no report."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from gosip_check.cli.commands import example
from gosip_check.cli.complete import explained_ids
from gosip_check.cli.exits import EXIT_READY, UsageProblem
from gosip_check.cli.options import checklist_option

if TYPE_CHECKING:
    from gosip_check.records import Requirement
    from gosip_check.remedies import Remedy

_LEVELS = {"must": "required", "should": "advised", "info": "for information"}
_CONFIDENCE = {
    "vendor": "the vendor's own document",
    "several": "several independent sources",
    "single": "one source only",
    "unconfirmed": "not confirmed",
}
_WIDTH = 79
_NO_BREAK = "\N{NO-BREAK SPACE}"


@click.command(epilog=example("explain alg.absent --device MikroTik", "explain mikrotik-routeros", "explain"))
@click.argument("id", required=False, shell_complete=explained_ids)
@click.option("--device", metavar="NAME", help="Only the steps for this router, firewall or PBX, such as Zyxel or 3CX.")
@checklist_option
def explain(id: str | None, device: str | None, checklist: str) -> int:
    """What a check is for, how it measures, how to fix what it finds.

    ID is a requirement, such as alg.absent, or a remedy, such as openwrt. Without it, all are listed. No network.
    """
    from gosip_check.report.text import visible

    for line in _lines(id, device, checklist):
        click.echo(visible(line))
    return EXIT_READY


def _lines(id_: str | None, device: str | None, checklist: str) -> Iterator[str]:
    from gosip_check.cli.inputs import load_checklist
    from gosip_check.remedies import remedies
    from gosip_check.tomlfile import instead

    requirements = {requirement.id: requirement for requirement in load_checklist(checklist).requirements}
    if id_ not in requirements:
        requirements = {**_shipped(), **requirements}
    named = {remedy.id: remedy for remedy in remedies()}
    if id_ is None:
        return _all(requirements.values(), remedies())
    if id_ in requirements:
        return _requirement(requirements[id_], _steps_for(id_, device))
    if id_ in named:
        return _remedy(named[id_])
    raise UsageProblem(
        f"There is no requirement or remedy {id_!r}{instead(id_, [*requirements, *named])} "
        "`gosip-check explain` lists them."
    )


def _shipped() -> dict[str, Requirement]:
    """Of every checklist that comes with the tool: an id that only another product has is explained as well."""
    from gosip_check.checklist import load_file, shipped

    return {each.id: each for path in reversed(shipped().values()) for each in load_file(path).requirements}


def _steps_for(id_: str, device: str | None) -> Sequence[Remedy]:
    from gosip_check.remedies import remedies_for, steps_on

    rows = remedies_for(id_)
    if device is None:
        return rows
    if not rows:
        raise UsageProblem(f"--device: {id_} has no steps for one device.")
    found = [remedy for remedy in rows if remedy.id == device] or steps_on(device, id_)
    if not found:
        known = ", ".join(dict.fromkeys(remedy.device for remedy in rows))
        raise UsageProblem(f"--device {device!r}: no steps are known for it. Known are {known}.")
    return found


def _all(requirements: Iterable[Requirement], remedies: Iterable[Remedy]) -> Iterator[str]:
    """In the groups of their ids, a line each where it fits."""
    groups: dict[str, list[Requirement]] = {}
    for requirement in requirements:
        groups.setdefault(requirement.group, []).append(requirement)
    rows = [(requirement.id, requirement.title) for group in groups.values() for requirement in group]
    width = max(len(id_) for id_, _ in rows) + 2
    yield "Requirements"
    for id_, title in rows:
        yield from _wrapped(f"{id_:{width}}{title}", "  ", " " * (width + 2))
    yield ""
    yield "Remedies"
    for remedy in remedies:
        yield f"  {remedy.id:{width}}{remedy.device}"


def _requirement(requirement: Requirement, remedies: Sequence[Remedy]) -> Iterator[str]:
    yield f"{requirement.id} ({_LEVELS[requirement.level]})"
    yield from _wrapped(requirement.title, "  ")
    yield from _part("Why", requirement.why, f"Source: {requirement.source}")
    yield from _part("How it is measured", requirement.how)
    yield from _part("What this cannot see", requirement.unseen)
    yield from _part("When it is not so", *dict.fromkeys([requirement.hint, *requirement.hint_if.values()]))
    yield from _part("How to prove it by hand", requirement.by_hand)
    if requirement.needs:
        yield from _part("Looked at only after", ", ".join(requirement.needs))
    if remedies:
        yield ""
        yield "Steps for each device"
    for remedy in remedies:
        yield f"  {remedy.device} ({_CONFIDENCE[remedy.confidence]})"
        yield from _wrapped(_sentence(remedy.steps), "    ")


def _remedy(remedy: Remedy) -> Iterator[str]:
    from gosip_check.remedies import AND_AGAIN

    yield f"{remedy.id} (remedy)"
    yield from _wrapped(remedy.device, "  ")
    yield from _part("Steps", _sentence(remedy.steps), AND_AGAIN if remedy.is_of_alg else "")
    source = "" if remedy.source == "none" else f": {remedy.source}"
    yield from _part("How sure", _sentence(f"{_CONFIDENCE[remedy.confidence]}{source} ({remedy.date})"))
    yield from _part("Taken for devices named", ", ".join([*remedy.makers, *remedy.match]))
    yield from _part("Fixes", ", ".join(remedy.fixes))


def _part(heading: str, *paragraphs: str) -> Iterator[str]:
    """A heading and its indented text; nothing where there is no text, as in an older checklist."""
    texts = [text for text in paragraphs if text]
    if texts:
        yield ""
        yield heading
    for text in texts:
        yield from _wrapped(text, "  ")


def _sentence(text: str) -> str:
    """What a remedy says, as a sentence. A command in front keeps its letters."""
    return f"{text[:1].upper()}{text[1:]}."


def _wrapped(text: str, indent: str, later: str | None = None) -> list[str]:
    """Lines of a screen's width. What stands in backticks is typed as it is, so it stays on one line."""

    whole = re.sub("`[^`]*`", lambda command: command[0].replace(" ", _NO_BREAK), text)
    lines = textwrap.wrap(
        whole,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if later is None else later,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_NO_BREAK, " ") for line in lines]
