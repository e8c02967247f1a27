"""A checklist that says `extends`: what it takes over from its parent, and what it changes, adds and drops. Pure.

Works on tables as TOML gives them. Whether the requirements that come out are right is not decided here.
"""

import fnmatch
from dataclasses import dataclass
from typing import Any

import msgspec

from gosip_check.records import Requirement
from gosip_check.tomlfile import TomlError, convert, instead, only, table, tables

_EMPTY: dict[str, Any] = {"trunk": {}, "drop": {}, "change": [], "requirement": []}

_ONLY_IN_A_CHILD = ("drop", "change")

_NEEDED_OF_A_PROVIDER = ("domain", "networks")
_OF_A_PROVIDER = (
    *_NEEDED_OF_A_PROVIDER,
    "guide",
    "data_sheet",
    "own_networks",
    "own_networks_date",
    "country_code",
    "national_digits",
    "management_addresses",
    "management_ports",
    "ntp_servers",
)
"Trunk values that hold for one provider only: a child that names another provider takes none of them over."


@dataclass(frozen=True)
class Demands:
    """What the checklist `id` demands, as its files write it: [trunk] and every [[requirement]], not yet checked."""

    id: str
    trunk: dict[str, Any]
    requirements: list[dict[str, Any]]


class _Drop(msgspec.Struct, forbid_unknown_fields=True):
    requirements: list[str] = []
    trunk: list[str] = []


def alone(id_: str, document: dict[str, Any], where: str) -> Demands:
    """The demands of a file that extends nothing. `where` names it in sentences. Raises TomlError."""
    for name in _ONLY_IN_A_CHILD:
        if name in document:
            raise TomlError(f"{where}: {name!r} needs a line `extends` in [checklist].")
    only(document, ("checklist", "trunk", "requirement"), where)
    return Demands(id_, table(document, "trunk", where), tables(document, "requirement", where))


def extended(id_: str, document: dict[str, Any], parent: Demands, where: str) -> Demands:
    """The demands of a file that extends `parent`. `where` names it in sentences. Raises TomlError."""
    only(document, ("checklist", *_EMPTY), where)
    document = _EMPTY | document
    drop = convert(table(document, "drop", where), _Drop, f"{where}: [drop]")
    dropped = _matching(parent, drop.requirements, f"{where}: [drop]")
    own = table(document, "trunk", where)
    changes_provider = "provider" in own and own["provider"] != parent.trunk.get("provider")
    requirements = [requirement for requirement in parent.requirements if requirement["id"] not in dropped]
    if changes_provider:
        requirements = [_without_the_guide(requirement, parent.id) for requirement in requirements]
    _change(requirements, tables(document, "change", where), where)
    for number, added in enumerate(tables(document, "requirement", where), 1):
        _add(requirements, added, number, where)
    _check_needs(requirements, dropped, f"{where}: [drop]")
    return Demands(id_, _trunk(parent, own, drop.trunk, changes_provider, where), requirements)


def _trunk(
    parent: Demands, own: dict[str, Any], dropped: list[str], changes_provider: bool, where: str
) -> dict[str, Any]:
    for name in dropped:
        if name not in parent.trunk:
            raise TomlError(f"{where}: [drop]: {parent.id} has no {name!r} in [trunk]{instead(name, parent.trunk)}")
    if changes_provider:
        for name in _NEEDED_OF_A_PROVIDER:
            if name not in own:
                raise TomlError(f"{where}: [trunk]: {name} is missing; it differs from provider to provider.")
        dropped = [*dropped, *_OF_A_PROVIDER]
    return {name: value for name, value in parent.trunk.items() if name not in dropped} | own


def _matching(parent: Demands, patterns: list[str], where: str) -> list[str]:
    """The ids that are dropped: by their names, or by a glob such as `pbx.*`."""
    known = [requirement["id"] for requirement in parent.requirements]
    dropped: list[str] = []
    for pattern in patterns:
        matching = fnmatch.filter(known, pattern)
        if not matching:
            raise TomlError(f"{where}: {parent.id} has no requirement {pattern!r}{instead(pattern, known)}")
        dropped += matching
    return dropped


def _without_the_guide(requirement: dict[str, Any], parent_id: str) -> dict[str, Any]:
    """The guide of one provider is no source for what another one demands; a standard beside it is."""
    sources = requirement["source"].split("; ")
    instead_of_it = f"the checklist {parent_id}, which has it from its own provider"
    return requirement | {"source": "; ".join(instead_of_it if "{guide}" in source else source for source in sources)}


def _change(requirements: list[dict[str, Any]], changes: list[dict[str, Any]], where: str) -> None:
    """A key that a change names has the new value, as a whole; every other one stays."""
    at = {requirement["id"]: number for number, requirement in enumerate(requirements)}
    changed = set()
    for number, change in enumerate(changes, 1):
        id_ = _id(change, f"{where}: change {number}")
        place = f"{where}: change {id_!r}"
        only(change, Requirement.__struct_fields__, place)
        if id_ not in at:
            raise TomlError(f"{place}: there is no such requirement to change{instead(id_, at)}")
        if id_ in changed:
            raise TomlError(f"{place}: appears twice; write one change with all that differs.")
        changed.add(id_)
        requirements[at[id_]] = requirements[at[id_]] | change


def _check_needs(requirements: list[dict[str, Any]], dropped: list[str], where: str) -> None:
    ids = [requirement["id"] for requirement in requirements]
    for requirement in requirements:
        needs = requirement.get("needs")
        for id_ in needs if isinstance(needs, list) else []:
            if id_ in dropped and id_ not in ids:
                raise TomlError(f"{where}: {requirement['id']} needs {id_!r}; drop it as well, or change its needs.")


def _add(requirements: list[dict[str, Any]], added: dict[str, Any], number: int, where: str) -> None:
    """Behind the one that it names as `after`, else behind the last of its group, else at the end."""
    id_ = _id(added, f"{where}: requirement {number}")
    place = f"{where}: requirement {id_!r}"
    ids = [requirement["id"] for requirement in requirements]
    if id_ in ids:
        raise TomlError(f"{place}: there is one already; write [[change]] to change what is taken over.")
    after = added.get("after")
    if after is not None and after not in ids:
        raise TomlError(f"{place}: after: there is no requirement {after!r}{instead(str(after), ids)}")
    group = [other for other in ids if other.partition(".")[0] == id_.partition(".")[0]]
    before = [after] if after is not None else group or ids
    at = ids.index(before[-1]) + 1 if before else 0
    requirements.insert(at, {key: value for key, value in added.items() if key != "after"})


def _id(entry: dict[str, Any], where: str) -> str:
    id_ = entry.get("id")
    if not isinstance(id_, str):
        raise TomlError(f'{where}: a line such as id = "dns.ttl" is missing.')
    return id_
