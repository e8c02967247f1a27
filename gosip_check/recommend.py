"""What to order: channels, tariff step, bandwidth, and what stands between the trunk and an old PBX. Measures nothing.

Every figure that could change is data (checklists/orders.toml); here is only Erlang's formula and how it is applied.
"""

import itertools
import math
from pathlib import Path

import msgspec

from gosip_check import tomlfile
from gosip_check.records import Outcome, Report

MOST_ERLANG = 10_000.0
MOST_CHANNELS = 20_000
ASKS_SRV = "pbx.asks-srv"
"The requirement that tells a PBX without SRV, which needs an SBC, from one that needs nothing."


class Tariff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """provider: the name that people know. channels: the steps that can be ordered, rising."""

    provider: str
    source: str
    date: str
    channels: list[int]
    kbps_per_channel: int


class Traffic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is assumed where nothing is given: Erlang of a telephone in the busiest hour, share of calls lost."""

    source: str
    erlang_per_phone: float
    blocking: float


class Gateways(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    date: str


class Gateway(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """ports: what it offers the PBX; empty where the source names none."""

    model: str
    ports: str
    channels: int


class Pbx(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    words: str
    needs: str


class Orders(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tariff: Tariff
    traffic: Traffic
    gateways: Gateways
    gateway: list[Gateway]
    pbx: list[Pbx]


class Need(msgspec.Struct, frozen=True):
    """What the customer has or wants. calls: on average at the same time in the busiest hour, in Erlang.

    lines: of today, each for one call. erlang_per_phone, blocking: None for what the data assumes.
    """

    lines: int | None = None
    phones: int | None = None
    calls: float | None = None
    erlang_per_phone: float | None = None
    blocking: float | None = None
    pbx: str = "sip"
    trunks: int = 1


class Sharing(msgspec.Struct, frozen=True):
    """One way to spread the calls over several trunks. channels: to order for each; None above the largest step."""

    use: str
    meaning: str
    channels: list[int | None]
    kbps: list[int]
    "For each trunk, in each direction; for the channels needed where there is no such step."


class Recommendation(msgspec.Struct, frozen=True):
    """channels: needed. step: to order, None above the largest. kbps: both ways at once, for the channels of the step.

    blocking: the share of calls that finds every channel of the step taken; None without a traffic to compute it from.
    """

    channels: int
    step: int | None
    kbps: int
    erlang: float | None
    blocking_wanted: float
    blocking: float | None
    gateway: str | None
    reasons: list[str]
    sources: list[str]
    sharing: list[Sharing] = []
    "Empty for one trunk."


def kind_of_pbx(report: Report) -> tuple[str | None, str]:
    """The kind of PBX that a PBX's report shows, None where that is open; and a sentence for the reasons.

    ValueError where the report does not look at that at all.
    """
    verdict = next((verdict for verdict in report.verdicts if verdict.id == ASKS_SRV), None)
    if verdict is None:
        raise ValueError("the report does not say whether the PBX asks for SRV records; take one of gosip-check pbx")
    match verdict.outcome:
        case Outcome.PASS:
            return "sip", f"The PBX asks DNS for SRV records (report {report.id})."
        case Outcome.FAIL:
            return "sip-without-srv", f"The PBX does not ask DNS for SRV records (report {report.id})."
        case _:
            return None, f"Whether the PBX asks for SRV records is open (report {report.id}): look again, or use --pbx."


def load_orders(path: Path) -> Orders:
    """Raises TomlError."""
    return tomlfile.load(path, Orders, "list of what can be ordered")


def erlang_b(erlang: float, channels: int) -> float:
    """The share of calls that finds all channels taken (Erlang 1917), by its recursion, which is exact and stable."""
    blocked = 1.0
    for number in range(1, channels + 1):
        blocked = erlang * blocked / (number + erlang * blocked)
    return blocked


def channels_for(erlang: float, blocking: float) -> int:
    """The fewest channels with at most this blocking. ValueError outside 0 < blocking < 1 and 0 <= erlang <= 10 000."""
    if not 0 < blocking < 1 or not 0 <= erlang <= MOST_ERLANG or math.isnan(erlang):
        raise ValueError(f"{erlang} Erlang at a blocking of {blocking} cannot be computed")
    blocked, number = 1.0, 0
    while blocked > blocking and erlang > 0:
        number += 1
        blocked = erlang * blocked / (number + erlang * blocked)
    return number


def recommend(need: Need, orders: Orders) -> Recommendation:
    """ValueError where nothing is given to reckon from, or a kind of PBX is unknown."""
    blocking = orders.traffic.blocking if need.blocking is None else need.blocking
    per_phone = orders.traffic.erlang_per_phone if need.erlang_per_phone is None else need.erlang_per_phone
    reasons, found = [], []
    erlang = need.calls
    sources = [f"{orders.tariff.source} ({orders.tariff.date})"]
    if erlang is None and need.phones is not None:
        erlang = need.phones * per_phone
        reasons.append(
            f"{need.phones} telephones with {per_phone:g} Erlang each in the busiest hour: {erlang:g} Erlang."
        )
        sources.append(orders.traffic.source)
    if erlang is not None:
        number = channels_for(erlang, blocking)
        if need.phones is not None and number > need.phones:
            number = need.phones
        found.append(number)
        reasons.append(
            f"Erlang B: {erlang:g} Erlang need {number} channels so that at most {blocking:.2%} of calls fail."
        )
    if need.lines is not None:
        found.append(need.lines)
        reasons.append(f"{need.lines} lines of today carry {need.lines} calls.")
    if not found:
        raise ValueError("say how many lines or phones there are, or how many calls at the same time")
    channels = max(1, *found)
    step = _step(channels, orders)
    kind = next((pbx for pbx in orders.pbx if pbx.kind == need.pbx), None)
    if kind is None:
        raise ValueError(f"{need.pbx!r} is no kind of PBX; there are {', '.join(pbx.kind for pbx in orders.pbx)}")
    reasons.append(f"For {kind.words}: {kind.needs}")
    gateway = None
    if any(device.ports == kind.kind for device in orders.gateway):
        gateway, told = _gateway(kind.kind, channels, orders)
        reasons.append(told)
        sources.append(f"{orders.gateways.source} ({orders.gateways.date})")
    return Recommendation(
        channels=channels,
        step=step,
        kbps=(step or channels) * orders.tariff.kbps_per_channel,
        erlang=erlang,
        blocking_wanted=blocking,
        blocking=None if erlang is None else round(erlang_b(erlang, step or channels), 6),
        gateway=gateway,
        reasons=reasons,
        sources=sources,
        sharing=_sharing(need, channels, erlang, blocking, orders) if need.trunks > 1 else [],
    )


def _step(channels: int, orders: Orders) -> int | None:
    return next((step for step in orders.tariff.channels if step >= channels), None)


def _sharing(need: Need, channels: int, erlang: float | None, blocking: float, orders: Orders) -> list[Sharing]:
    """The ways to use several trunks that the guide names (overflow, load sharing), and that one alone is enough.

    Trunks that share the load without overflow each carry a part of the traffic with a part of the channels, and small
    groups block more: so Erlang B is asked for the part, not the channels divided.
    """
    lines = math.ceil((need.lines or 0) / need.trunks)
    even = max(1, lines, channels_for(erlang / need.trunks, blocking) if erlang is not None else 0)
    overflow = _together(channels, need.trunks, orders)
    ways = [
        ("load-sharing", "calls are spread evenly, and none moves over when a trunk is full", [even] * need.trunks),
        ("overflow", "the next trunk takes what the one before has no channel for", overflow),
        ("each carries all", "one trunk may fail and no call is lost for want of a channel", [channels] * need.trunks),
    ]
    return [
        Sharing(
            use=use,
            meaning=meaning,
            channels=[_step(wanted, orders) for wanted in each],
            kbps=[(_step(wanted, orders) or wanted) * orders.tariff.kbps_per_channel for wanted in each],
        )
        for use, meaning, each in ways
    ]


def _together(channels: int, trunks: int, orders: Orders) -> list[int]:
    """Steps that together have the channels, as few in all as can be, the largest first; beyond them even parts."""
    choices = itertools.combinations_with_replacement(sorted(orders.tariff.channels, reverse=True), trunks)
    enough = [choice for choice in choices if sum(choice) >= channels]
    if not enough:
        return [math.ceil(channels / trunks)] * trunks
    return list(min(enough, key=lambda choice: (sum(choice), [-step for step in choice])))


def _gateway(ports: str, channels: int, orders: Orders) -> tuple[str | None, str]:
    """The smallest that fits: with the PBX's ports, else one of which the source names no ports."""
    ask = orders.tariff.provider
    for wanted in (ports, ""):
        fitting = [device for device in orders.gateway if device.ports == wanted and device.channels >= channels]
        if fitting:
            device = min(fitting, key=lambda device: device.channels)
            unsure = "" if wanted else f" The guide names no ports for it: ask {ask} whether it fits the PBX."
            return device.model, f"Gateway: model {device.model}, up to {device.channels} channels.{unsure}"
    return None, f"No gateway of the guide carries {channels} channels: ask {ask}."
