"""What the shell offers after Tab: checklists, requirement ids, links. Click calls these; nothing is measured.

Whatever goes wrong, nothing is offered: a sentence would land in the middle of the line that is being typed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

Completion = Callable[[click.Context, click.Parameter, str], list[str]]


def of(names: Callable[[click.Context], Iterable[str]]) -> Completion:
    """The names that begin as what was typed."""

    def complete(context: click.Context, option: click.Parameter, typed: str) -> list[str]:
        del option
        try:
            return [name for name in names(context) if name.startswith(typed)]
        except (OSError, ValueError, LookupError, click.ClickException):
            return []

    return complete


def _checklists(context: click.Context) -> Iterable[str]:
    from gosip_check.checklist import shipped

    del context
    return shipped()


def _requirements(context: click.Context) -> Iterable[str]:
    from gosip_check.cli.inputs import load_checklist

    return [requirement.id for requirement in load_checklist(context.params["checklist"]).requirements]


def _explained(context: click.Context) -> Iterable[str]:
    from gosip_check.checklist import load_file, shipped
    from gosip_check.remedies import remedies

    others = (requirement.id for path in shipped().values() for requirement in load_file(path).requirements)
    return dict.fromkeys([*_requirements(context), *others, *(remedy.id for remedy in remedies())])


def _links(context: click.Context) -> Iterable[str]:
    """An interface for the next line: Internet-2=eth1 where one was given already."""
    from gosip_check.probes.net.interfaces import addresses

    number = len(context.params.get("links") or ()) + 1
    return [f"Internet-{number}={name}" for name in addresses() if name != "lo"]


checklists = of(_checklists)
requirement_ids = of(_requirements)
explained_ids = of(_explained)
links = of(_links)
