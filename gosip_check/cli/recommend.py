"""`recommend`: what to order, from what the customer has. Needs no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gosip_check.cli.commands import example
from gosip_check.cli.exits import EXIT_READY, UsageProblem
from gosip_check.cli.inputs import load_report_or_order

if TYPE_CHECKING:
    from gosip_check.records import Report


@click.command(epilog=example("recommend --phones 40 --lines 6 --pbx bri"))
@click.option("--lines", type=click.IntRange(1, 10_000), help="Lines that the customer has today, a call each.")
@click.option("--phones", type=click.IntRange(1, 50_000), help="Telephones that make calls over the trunk.")
@click.option(
    "--calls",
    type=click.FloatRange(0, 10_000, min_open=True),
    help="Calls at the same time, on average in the busiest hour (Erlang).",
)
@click.option(
    "--erlang-per-phone", type=click.FloatRange(0, 1, min_open=True), help="Instead of what the data assumes."
)
@click.option(
    "--blocking",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of calls that may find all channels taken; 0.01 is 1 in 100.",
)
@click.option("--pbx", show_default="sip", help="sip, sip-without-srv, bri, pri or pstn.")
@click.option("--report", "name", metavar="REPORT", help="Of a PBX, or an order: does that PBX ask for SRV records?")
@click.option(
    "--trunks", type=click.IntRange(1, 4), default=1, show_default=True, help="Trunks that share the calls, as 2."
)
@click.option("--json", "as_json", is_flag=True, help="Print the recommendation as JSON, and nothing else.")
def recommend(
    lines: int | None,
    phones: int | None,
    calls: float | None,
    erlang_per_phone: float | None,
    blocking: float | None,
    pbx: str | None,
    name: str | None,
    trunks: int,
    as_json: bool,
) -> int:
    """How many channels to order, and which bandwidth and gateway."""
    import msgspec

    from gosip_check.recommend import Need, kind_of_pbx, load_orders
    from gosip_check.recommend import recommend as reckon
    from gosip_check.report.text import visible
    from gosip_check.tomlfile import TomlError, data_folder

    if pbx and name:
        raise UsageProblem("--pbx and --report both say which PBX it is; leave one out.")
    try:
        kind, reason = kind_of_pbx(_of_pbx(name)) if name else (None, "")
        orders = load_orders(data_folder() / "orders.toml")
        need = Need(lines, phones, calls, erlang_per_phone, blocking, pbx or kind or "sip", trunks)
        advice = reckon(need, orders)
    except (ValueError, TomlError) as error:
        raise UsageProblem(f"{str(error)[:1].upper()}{str(error)[1:].rstrip('.')}.") from error
    if reason:
        advice = msgspec.structs.replace(advice, reasons=[reason, *advice.reasons])
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(advice), indent=2).decode())
        return EXIT_READY
    for reason in advice.reasons:
        click.echo(visible(reason))
    click.echo()
    if advice.step is None:
        ask = visible(orders.tariff.provider)
        click.echo(f"Order: {advice.channels} channels are more than the largest step; ask {ask} for several trunks.")
    else:
        click.echo(f"Order: {advice.step} channels (of {', '.join(map(str, orders.tariff.channels))}).")
    click.echo(f"Bandwidth: {advice.kbps / 1000:g} Mb/s in each direction, for voice alone.")
    for sharing in advice.sharing:
        steps = " + ".join("more than the largest step" if step is None else str(step) for step in sharing.channels)
        rates = " and ".join(f"{kbps / 1000:g}" for kbps in sharing.kbps)
        click.echo(f"{need.trunks} trunks, {sharing.use}: {steps} channels, {rates} Mb/s.")
        click.echo(f"  {sharing.meaning.capitalize()}.")
    if advice.blocking is not None:
        click.echo(f"With them {advice.blocking:.2%} of calls in the busiest hour find every channel taken.")
    click.echo()
    for source in advice.sources:
        click.echo(visible(f"Source: {source}"))
    return EXIT_READY


def _of_pbx(name: str) -> Report:
    """The report that was named, or that of the PBX in an order."""
    from gosip_check.records import Report

    loaded = load_report_or_order(name)
    return loaded if isinstance(loaded, Report) else loaded.pbx
