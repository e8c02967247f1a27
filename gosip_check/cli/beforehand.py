"""What a run says before it starts: what this user may not do, how long it takes, what people notice, what stands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gosip_check.plan import Plan
    from gosip_check.records import Link

_KBPS_PER_CHANNEL = 100
_ALL_ELSE_S = 2.0
"What is not in a run's budget: names, the way, the first answers."


def say_beforehand(plan: Plan) -> None:
    """All of it on standard error. Of a plan that goes on from a report only what is measured again counts."""
    if plan.again is not None:
        settled = {verdict.id for verdict in plan.again.report.verdicts if plan.again.is_settled(verdict)}
        plan = replace(plan, requirements=[each for each in plan.requirements if each.id not in settled])
    if not plan.settings.gentle and any(each.probe == "media" for each in plan.requirements):
        _say_what_is_not_allowed(plan.links[0])
    if plan.again is None:
        _say_how_long(plan)
    else:
        _say_what_stands(plan)
    _say_what_it_costs(plan)


def _say_what_stands(plan: Plan) -> None:
    """Where a load was sent so often that this run sends none."""
    from gosip_check.plan import is_held

    if is_held(plan):
        click.echo(
            "Runs have sent as many loads within the last hour as are polite, so this one sends none. "
            "What the earlier run saw of the line stands.",
            err=True,
        )


def _say_how_long(plan: Plan) -> None:
    """Before the start, where it takes long."""
    from gosip_check.plan import budget

    takes = budget(plan)
    if takes:
        whole_s = sum(takes.values()) + _ALL_ELSE_S
        each = f" for each of {len(plan.links)} lines" if len(plan.links) > 1 else ""
        parts = ", ".join(f"{what} {seconds:.0f} s" for what, seconds in takes.items())
        click.echo(f"On a line that is well this takes about {whole_s:.0f} s{each}: {parts}.", err=True)


def _say_what_it_costs(plan: Plan) -> None:
    """Before the start, where people notice it, or a second line may be paid for by the megabyte."""
    settings = plan.settings
    if settings.under_load and any(each.probe == "qos" for each in plan.requirements):
        click.echo("--under-load fills the line for ten seconds, and the office will notice.", err=True)
        if settings.far_end_link is not None and settings.upload is None:
            click.echo(f"It sends up to {_fill_megabytes():.0f} MB to the second line.", err=True)
    if settings.far_end_link is None or settings.gentle or all(each.probe != "media" for each in plan.requirements):
        return
    megabytes = 2 * _KBPS_PER_CHANNEL * settings.channels * settings.duration_s / 8000
    name = settings.far_end_link.partition("=")[0]
    click.echo(f"The second line {name} carries up to {megabytes:.0f} MB for it, both ways together.", err=True)


def _fill_megabytes() -> float:
    from gosip_check.probes.media.politeness import SECOND_FILL

    return SECOND_FILL.kbps * SECOND_FILL.seconds / 8000


def _say_what_is_not_allowed(link: Link) -> None:
    """Before the start, because what is then missing cannot be measured later."""
    from gosip_check.probes.net import echo

    if not echo.is_allowed(link):
        click.echo(
            "This user may not send ICMP echoes (ping), so speed, loss and jitter may stay unknown. Allow them:\n"
            f"  sudo {echo.ALLOW_ALL}\n  or run gosip-check with sudo",
            err=True,
        )
