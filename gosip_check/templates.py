"""Titles, hints and sources of a checklist are templates: {provider} and the like stand for values of its trunk. Pure.

Knows which fields there are; a file with one that there is not is refused, with a sentence.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from gosip_check.records import Trunk
from gosip_check.titles import FIELD
from gosip_check.tomlfile import TomlError, instead


def values_of(trunk: Trunk) -> dict[str, str]:
    """Field -> what stands in its place; empty where the trunk does not name it."""
    return {
        "provider": trunk.provider,
        "guide": trunk.guide,
        "data_sheet": trunk.data_sheet,
        "device": trunk.device,
        "domain": trunk.domain,
        "srv_name": f"_{trunk.service}._{trunk.transport}.{trunk.domain}",
        "transport": trunk.transport.upper(),
        "port": str(trunk.port),
        "networks": _and(trunk.networks),
        "all_networks": _all(len(trunk.networks)),
        "rtp_first": str(trunk.rtp_ports[0]),
        "rtp_last": str(trunk.rtp_ports[1]),
        "reregistration_s": str(trunk.reregistration_s),
        "kbps_per_channel": str(trunk.kbps_per_channel),
        "management_addresses": _and(trunk.management_addresses),
        "management_ports": _and([str(port) for port in trunk.management_ports]),
    }


def filled(text: str, values: Mapping[str, str], where: str, is_fact: Callable[[str], bool] = lambda _: False) -> str:
    """The text with every {field} filled in, but for those that are facts: they are known once it was measured.

    Raises TomlError for one that there is not, or that has no value.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values and is_fact(name):
            return match[0]
        if name not in values:
            there_are = ", ".join(f"{{{known}}}" for known in values)
            raise TomlError(f"{where}: there is no field {match[0]}{instead(name, values)} There are {there_are}.")
        if not values[name]:
            raise TomlError(f"{where}: {match[0]} stands for nothing: [trunk] does not name it.")
        return values[name]

    return FIELD.sub(value, text)


def _and(items: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def _all(count: int) -> str:
    return {1: "the network", 2: "both networks"}.get(count, f"all {count} networks")
