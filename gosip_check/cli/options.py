"""The options that `run` and the group commands share, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from gosip_check.cli.exits import UsageProblem

if TYPE_CHECKING:
    from gosip_check.records import Form, Link, Settings
    from gosip_check.signing import Key


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
    channels: int = 10
    duration: float = 20.0
    reflector: str | None = None
    reflector_key_file: str | None = None
    find_capacity: bool = False
    thorough: bool = False
    html: str | None = None
    sign_key_file: str | None = None


def shared(*options: Callable[[Any], Any]) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Several options as one decorator."""

    def decorate(function: Callable[..., int]) -> Callable[..., int]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


output_options = shared(
    click.option("--form", metavar="FILE", help="The Customer Compliance Form to show beside the result."),
    click.option("--json", metavar="FILE|-", help="Write the report as JSON; - prints it, and nothing else."),
    click.option("--html", metavar="FILE", help="Write the report as a page, to be read, printed or mailed."),
    click.option("--sign-key-file", metavar="FILE", help="Sign the report with this Ed25519 or shared key."),
    click.option("--svg", metavar="FILE", help="Write the summary as a picture."),
    click.option("--skip", metavar="ID", multiple=True, help="Leave out requirements, such as host.* (repeatable)."),
    click.option("--quiet", is_flag=True, help="Print the closing line only."),
)

site_options = shared(
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


reflector_option = click.option(
    "--reflector", metavar="HOST[:PORT]", help="A far end: `gosip-check reflector`; for media any STAMP reflector."
)

reflector_options = shared(
    reflector_option,
    click.option("--reflector-key-file", metavar="FILE", help="The key that the reflector wants packets signed with."),
)

MOST_CHANNEL_SECONDS = 120_000
"""Channels times seconds: 2,000 for a minute, 200 for ten. Each is 50 answers that are kept, some 150 octets each, so
this much takes one gigabyte and some minutes of arithmetic."""


class _Seconds(click.FloatRange):
    """A range of seconds. `nan` lies in every range, and is no time."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = float(super().convert(value, param, ctx))
        if seconds != seconds:
            self.fail(f"{value!r} is no number of seconds.", param, ctx)
        return seconds


duration_option = click.option(
    "--duration",
    metavar="SECONDS",
    type=_Seconds(1, 600),
    default=20,
    show_default=True,
    help="How long media is measured; less proves less.",
)

thorough_option = click.option(
    "--thorough", is_flag=True, help="Wait six minutes to see how long NAT and firewall remember a flow (--reflector)."
)

channels_option = click.option(
    "--channels",
    type=click.IntRange(1, 2000),
    default=10,
    show_default=True,
    help="Calls at the same time that the line must carry.",
)


def settings_of(chosen: Chosen) -> Settings:
    """Raises UsageProblem for a DNS server or a reflector that is none."""
    from gosip_check.probes.dns.resolvers import parse_resolver
    from gosip_check.probes.far_end import host_and_port
    from gosip_check.records import Settings

    try:
        dns_servers = [str(parse_resolver(text)) for text in chosen.dns_server]
    except ValueError as error:
        raise UsageProblem(f"--dns-server {error}") from error
    if chosen.reflector is not None:
        try:
            host_and_port(chosen.reflector)
        except ValueError as error:
            raise UsageProblem(f"--reflector {error}") from error
    if chosen.reflector_key_file is not None:
        read_key("--reflector-key-file", chosen.reflector_key_file)
        if chosen.reflector is None:
            raise UsageProblem("--reflector-key-file is of no use without --reflector.")
    if chosen.reflector is not None and chosen.channels * chosen.duration > MOST_CHANNEL_SECONDS:
        most_s = MOST_CHANNEL_SECONDS // chosen.channels
        raise UsageProblem(
            f"--duration {chosen.duration:g} with --channels {chosen.channels} would keep more answers than this "
            f"machine's memory is good for: {most_s} s would be right for so many channels."
        )
    if chosen.find_capacity and chosen.reflector is None:
        raise UsageProblem("--find-capacity needs a far end to send to: name it with --reflector.")
    if chosen.thorough and chosen.reflector is None:
        raise UsageProblem("--thorough needs a far end that answers late: name it with --reflector.")
    return Settings(
        dns_servers=dns_servers,
        channels=chosen.channels,
        duration_s=chosen.duration,
        reflector=chosen.reflector,
        reflector_key_file=chosen.reflector_key_file,
        find_capacity=chosen.find_capacity,
        thorough=chosen.thorough,
    )


def read_key(option: str, file: str) -> bytes:
    """Raises UsageProblem for a key file that cannot be used."""
    from gosip_check.probes import far_end

    try:
        return far_end.read_key(file)
    except ValueError as error:
        raise UsageProblem(f"{option} {error}") from error


def links_of(chosen: Chosen) -> list[Link]:
    """Raises UsageProblem."""
    return links_from(chosen.link)


def links_from(texts: Sequence[str]) -> list[Link]:
    """One unnamed choice of the system where no line is given. Raises UsageProblem."""
    from gosip_check.probes.host.interface import link_of
    from gosip_check.records import ALL_LINKS, Link

    links: list[Link] = []
    for text in texts:
        name, _, place = text.partition("=")
        if not name.strip() or not place or not text.isprintable():
            raise UsageProblem(
                f"--link {text!r}: NAME=ADDRESS or NAME=INTERFACE would be right, such as Internet-1=eth0."
            )
        if name == ALL_LINKS:
            raise UsageProblem(f"--link {text!r}: {name!r} means all of them together; choose another name.")
        if name in [link.name for link in links]:
            raise UsageProblem(f"--link {text!r}: the name {name!r} is taken; every line needs its own.")
        try:
            links.append(link_of(name, place))
        except ValueError as error:
            raise UsageProblem(f"--link {text!r}: {error}") from error
    return links or [Link(name="Internet-1")]


def key_of(name: str | None, *, signs: bool) -> Key | None:
    """Raises UsageProblem for a key that cannot be used."""
    if name is None:
        return None
    from pathlib import Path

    from gosip_check.signing import Key, SigningError

    try:
        return Key(Path(name), signs=signs)
    except SigningError as error:
        raise UsageProblem(str(error)) from error


def form_of(chosen: Chosen) -> Form | None:
    """Raises UsageProblem for a form that cannot be used."""
    if chosen.form is None:
        return None
    from pathlib import Path

    from gosip_check.form.form import load
    from gosip_check.tomlfile import TomlError

    try:
        return load(Path(chosen.form))
    except TomlError as error:
        raise UsageProblem(str(error)) from error
