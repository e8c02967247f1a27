"""Do several internet links and the provider's two sites make up for each other?

Sends nothing: compares what was found on every link, and works out from the SRV records how long a PBX that follows
them takes to move.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Annotated, Any

from msgspec import Meta

from gosip_check.probes import probe
from gosip_check.probes.lines.form_speed import Speed, parse_speed
from gosip_check.probes.probe import Context, LinkResult, Probe, ProbeFailed
from gosip_check.records import FailureKind

TIMER_F_S = 32
"64 * T1: how long RFC 3261 17.1.2 waits for a server that stays silent, before RFC 3263 4.3 moves to the next."
_KBPS_PER_CHANNEL = 100
"What the media probe sends for each channel, at IP."


class Options(probe.Options, frozen=True):
    """What the links are compared by."""

    networks: list[str]
    reregistration_s: int
    own_networks: list[str] = []
    "The provider's own internet customers; a line in them is its line, another one is not."
    ordered_share_pct: Annotated[float, Meta(ge=0, le=100)] = 80.0
    "A line that carries so much of its speed is as fast as ordered: protocol overhead and shaping take the rest."


class Facts(probe.Facts, frozen=True):
    """Each is None where some line did not tell.

    failover_s: how long a PBX waits for the servers of the first site before it asks one of the other.
    """

    lines: list[str]
    every_line_ready: bool | None
    different_addresses: bool | None
    different_providers: bool | None
    both_sites_from_every_line: bool | None
    failover_s: int | None
    as_fast_as_ordered: bool | None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed(unsupported) with fewer than two lines."""
    links = context.links
    if len(links) < 2:
        raise ProbeFailed(FailureKind.UNSUPPORTED, "There are not two lines to compare.")
    addresses = {link.link.name: _public_address(link) for link in links}
    networks = [ip_network(network) for network in options.own_networks]
    whose = {
        name: None if address is None or not networks else any(ip_address(address) in own for own in networks)
        for name, address in addresses.items()
    }
    sites = {link.link.name: _both_sites(link, options.networks) for link in links}
    speeds = {link.link.name: _as_ordered(link, options.ordered_share_pct) for link in links}
    failover_s, failover = _failover(links, options)
    ready = {link.link.name: link.is_ready for link in links}
    seen = ", ".join(f"{name} as {address or 'nobody said'}" for name, address in addresses.items())
    different = None if None in addresses.values() else len(set(addresses.values())) == len(links)
    providers = _different_providers(list(whose.values()), different)
    return Facts(
        lines=[link.link.name for link in links],
        every_line_ready=_all(ready.values()),
        different_addresses=different,
        different_providers=providers,
        both_sites_from_every_line=_all(found for found, _ in sites.values()),
        failover_s=failover_s,
        as_fast_as_ordered=_all(found for found, _ in speeds.values()),
        evidence={
            "every_line_ready": _each(ready, {True: "is ready", False: "is not ready", None: "is undecided"}),
            "different_addresses": f"Seen from outside: {seen}.",
            "different_providers": _provider_words(whose, providers),
            "both_sites_from_every_line": " ".join(f"{name}: {words}" for name, (_, words) in sites.items()),
            "failover_s": failover,
            "as_fast_as_ordered": " ".join(f"{name}: {words}" for name, (_, words) in speeds.items()),
        },
    )


def _all(found: Iterable[bool | None]) -> bool | None:
    values = list(found)
    return False if False in values else None if None in values else True


def _each(found: Mapping[str, bool | None], words: Mapping[bool | None, str]) -> str:
    return f"{'; '.join(f'{name} {words[value]}' for name, value in found.items())}."


def _public_address(link: LinkResult) -> str | None:
    for name in ("nat", "signalling"):
        address = link.facts.get(name, {}).get("public_address")
        if isinstance(address, str):
            return address
    return None


def _different_providers(own: Sequence[bool | None], different_addresses: bool | None) -> bool | None:
    """One of them the provider's and another not: different. All the provider's, or one address: the same."""
    if different_addresses is False:
        return False
    if None in own:
        return None
    return True if len(set(own)) == 2 else False if all(own) else None


def _provider_words(whose: Mapping[str, bool | None], decided: bool | None) -> str:
    states = {True: "has an address of the provider's own networks", False: "has another's", None: "is not known"}
    words = _each(whose, states)
    if decided is None:
        words += " Compare the names of the providers on the bills: two lines of one provider often fail together."
    return words


def _both_sites(link: LinkResult, networks: Sequence[str]) -> tuple[bool | None, str]:
    """Does a server in each of two networks of the provider answer on this line?"""
    servers: list[dict[str, Any]] = link.facts.get("signalling", {}).get("servers", [])
    if not servers:
        return None, "no server was asked."
    inside = [ip_network(network) for network in networks]
    states: dict[str, list[str]] = {}
    for server in servers:
        site = next((str(own) for own in inside if ip_address(server["address"]) in own), server["address"])
        states.setdefault(site, []).append(server["first"]["result"])
    answering = [site for site, results in states.items() if "answered" in results]
    words = f"{len(answering)} of {len(states)} sites answer ({', '.join(states)})."
    if len(answering) >= 2:
        return True, words
    silent = any("silent" in results or "closed" in results for results in states.values())
    return (None if silent and len(states) >= 2 else False), words


def _failover(links: Sequence[LinkResult], options: Options) -> tuple[int | None, str]:
    """Of the first line that knows the SRV targets: Timer F for each address that is asked before the other site."""
    targets = next((found for link in links if (found := link.facts.get("srv", {}).get("targets"))), None)
    if not targets:
        return None, "No line knows the SRV targets."
    inside = [ip_network(network) for network in options.networks]
    places = [(target["target"], address) for target in targets for address in target["addresses"]]
    sites = [next((str(own) for own in inside if ip_address(address) in own), address) for _, address in places]
    before = next((number for number, site in enumerate(sites) if site != sites[0]), None)
    order = ", then ".join(f"{name} ({address})" for name, address in places)
    if before is None:
        return None, f"There is one site only to go to: {order}."
    seconds = before * TIMER_F_S
    return seconds, (
        f"In the order of the SRV records: {order}. When the first site is silent, a PBX that follows them moves on "
        f"after {seconds} s. That is Timer F, {TIMER_F_S} s for each address of the site. "
        "When a line fails, calls come in again with the next registration, within "
        f"{options.reregistration_s} s."
    )


def _as_ordered(link: LinkResult, asked_pct: float) -> tuple[bool | None, str]:
    """What was measured both ways against the speed on the form, of which so much is asked for."""
    ordered = parse_speed(link.speed)
    if ordered is None:
        return None, "the form says no speed that can be read." if link.speed else "the form says no speed."
    measured = _measured(link)
    if measured is None:
        return None, f"{ordered} on the form, and nothing was measured."
    pairs = (measured.up_kbps, ordered.up_kbps), (measured.down_kbps, ordered.down_kbps)
    share_pct = min((100 * came / wanted for came, wanted in pairs if wanted), default=100.0)
    sentence = (
        f"{measured} measured, {ordered} on the form: {math.floor(10 * share_pct) / 10:g} % of it in the worse "
        f"direction, where {asked_pct:g} % is asked for."
    )
    if share_pct >= asked_pct:
        return True, sentence
    if link.facts.get("media", {}).get("capacity_channels") is None:
        return None, f"{sentence} No more was tried; --find-capacity looks for more."
    return False, sentence


def _measured(link: LinkResult) -> Speed | None:
    """What went through, or what a search for more found to go through both ways."""
    media = link.facts.get("media", {})
    up, down, channels = (media.get(name) for name in ("rate_up_kbps", "rate_down_kbps", "capacity_channels"))
    if not isinstance(up, int | float) or not isinstance(down, int | float):
        return None
    found = channels * _KBPS_PER_CHANNEL if isinstance(channels, int) else 0
    return Speed(up_kbps=max(int(up), found), down_kbps=max(int(down), found))


PROBE = Probe(
    "redundancy",
    Options,
    Facts,
    measure,
    subject=lambda options: "the lines compared",
    across=True,
    local=True,
)
