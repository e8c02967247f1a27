"""The options that `run` and the group commands share, and what they come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from gosip_check.cli.exits import UsageProblem

if TYPE_CHECKING:
    from gosip_check.records import Form, Link, Settings


@dataclass(frozen=True)
class Chosen:
    """The shared options as given."""

    checklist: str
    link: tuple[str, ...]
    dns_server: tuple[str, ...]
    form: str | None
    json: str | None
    svg: str | None
    skip: tuple[str, ...]
    quiet: bool


def _shared(*options: Callable[[Any], Any]) -> Callable[[Callable[..., int]], Callable[..., int]]:
    def decorate(function: Callable[..., int]) -> Callable[..., int]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


output_options = _shared(
    click.option("--form", metavar="FILE", help="The Customer Compliance Form to show beside the result."),
    click.option("--json", metavar="FILE|-", help="Write the report as JSON; - prints it, and nothing else."),
    click.option("--svg", metavar="FILE", help="Write the summary as a picture."),
    click.option("--skip", metavar="ID", multiple=True, help="Leave out requirements, such as host.* (repeatable)."),
    click.option("--quiet", is_flag=True, help="Print the closing line only."),
)

site_options = _shared(
    click.option(
        "--checklist", metavar="ID|PATH", default="go-native", show_default=True, help="What the site is held against."
    ),
    click.option(
        "--link",
        metavar="NAME=ADDRESS|INTERFACE",
        multiple=True,
        help="An internet line to test, such as Internet-1=eth0 (repeatable).",
    ),
    click.option(
        "--dns-server",
        metavar="ADDRESS[:PORT]",
        multiple=True,
        help="A resolver to ask beside this machine's own (repeatable).",
    ),
)


def settings_of(chosen: Chosen) -> Settings:
    """Raises UsageProblem for a DNS server that is none."""
    from gosip_check.probes.resolvers import parse_resolver
    from gosip_check.records import Settings

    try:
        return Settings(dns_servers=[str(parse_resolver(text)) for text in chosen.dns_server])
    except ValueError as error:
        raise UsageProblem(f"--dns-server {error}") from error


def links_of(chosen: Chosen) -> list[Link]:
    """One unnamed choice of the system where no line is given. Raises UsageProblem."""
    from gosip_check.probes.interface import link_of
    from gosip_check.records import ALL_LINES, Link

    links: list[Link] = []
    for text in chosen.link:
        name, _, place = text.partition("=")
        if not name.strip() or not place or not text.isprintable():
            raise UsageProblem(
                f"--link {text!r}: NAME=ADDRESS or NAME=INTERFACE would be right, such as Internet-1=eth0."
            )
        if name == ALL_LINES:
            raise UsageProblem(f"--link {text!r}: {name!r} means all of them together; choose another name.")
        if name in [link.name for link in links]:
            raise UsageProblem(f"--link {text!r}: the name {name!r} is taken; every line needs its own.")
        try:
            links.append(link_of(name, place))
        except ValueError as error:
            raise UsageProblem(f"--link {text!r}: {error}") from error
    return links or [Link(name="Internet-1")]


def form_of(chosen: Chosen) -> Form | None:
    """Raises UsageProblem for a form that cannot be used."""
    if chosen.form is None:
        return None
    from pathlib import Path

    from gosip_check.form import load
    from gosip_check.tomlfile import TomlError

    try:
        return load(Path(chosen.form))
    except TomlError as error:
        raise UsageProblem(str(error)) from error
