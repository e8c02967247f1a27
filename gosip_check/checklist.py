"""TOML -> Checklist, or one sentence that says where, what is wrong and what would be right. Measures nothing.

Every name that a requirement uses is checked against the probe itself: its options, its facts and their types. A typo
is refused here, never discovered as a verdict that does not come.
"""

import hashlib
import importlib.resources
import re
import types
import typing
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec

from gosip_check import tomlfile
from gosip_check.probes import PROBES
from gosip_check.probes.probe import Probe, fill_options
from gosip_check.records import Checklist, ChecklistIdentity, Expectation, Operator, Requirement, Settings, Trunk
from gosip_check.tomlfile import TomlError, convert, instead, only, sentence

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LONGEST_DOMAIN = 253
"RFC 1035 2.3.4."

_ID = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9][a-z0-9-]*")


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    title: str
    version: str
    source: str
    date: str


def shipped() -> dict[str, Path]:
    """Id -> file of the checklists that come with the tool: in the package when installed, beside it in a checkout.

    Other data of the tool lies in the same folder; a checklist is what has the table [checklist].
    """
    inside = Path(str(importlib.resources.files("gosip_check"))) / "checklists"
    folder = inside if inside.is_dir() else Path(__file__).parent.parent / "checklists"
    return {path.stem: path for path in sorted(folder.glob("*.toml")) if b"\n[checklist]\n" in path.read_bytes()}


def load(name: str) -> Checklist:
    """A checklist by its id, or by the path of its file: anything that has a slash or ends in .toml.

    Raises TomlError.
    """
    known = shipped()
    if name in known:
        return load_file(known[name])
    if "/" in name or "\\" in name or name.endswith(".toml"):
        return load_file(Path(name))
    raise TomlError(
        f"There is no checklist {name!r}{instead(name, known)} Shipped are {', '.join(known)}; "
        "a file of your own is named by its path, such as ./mine.toml."
    )


def load_file(path: Path) -> Checklist:
    """Raises TomlError for whatever keeps the file from being a checklist."""
    return parse(tomlfile.read(path, "checklist"), str(path))


def parse(content: bytes, where: str) -> Checklist:
    """`where` names the file in error sentences. Raises TomlError."""
    document = tomlfile.parse(content, where)
    only(document, ("checklist", "trunk", "requirement"), where)
    head = convert(_table(document, "checklist", where), _Head, f"{where}: [checklist]")
    trunk = _trunk(_table(document, "trunk", where), f"{where}: [trunk]")
    entries = document.get("requirement")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise TomlError(f"{where}: has no requirements; each one starts with a line [[requirement]].")
    requirements: list[Requirement] = []
    for number, entry in enumerate(entries, 1):
        requirements.append(_requirement(entry, f"{where}: requirement {number}", where, trunk, requirements))
    identity = ChecklistIdentity(
        id=head.id, title=head.title, version=head.version, sha256=hashlib.sha256(content).hexdigest()
    )
    return Checklist(identity=identity, source=head.source, date=head.date, trunk=trunk, requirements=requirements)


def _trunk(table: dict[str, Any], where: str) -> Trunk:
    trunk = convert(table, Trunk, where)
    if not trunk.networks:
        raise TomlError(f"{where}: networks is empty; name at least one, such as 192.0.2.0/24.")
    for network in trunk.networks:
        try:
            ip_network(network)
        except ValueError as error:
            raise TomlError(f"{where}: networks: {error}; such as 192.0.2.0/24 would be right.") from error
    first, last = trunk.rtp_ports
    if not 1 <= first <= last <= 65535:
        raise TomlError(f"{where}: rtp_ports: {first}-{last} is not a range; [1024, 65535] would be right.")
    if not 1 <= trunk.port <= 65535:
        raise TomlError(f"{where}: port: {trunk.port} is not a port; 1 to 65535 would be right.")
    if len(trunk.domain) > _LONGEST_DOMAIN or not _DOMAIN.fullmatch(trunk.domain):
        raise TomlError(f"{where}: domain: {trunk.domain!r} is not a domain; trunk.example.net would be right.")
    return trunk


def _requirement(entry: dict[str, Any], where: str, file: str, trunk: Trunk, earlier: list[Requirement]) -> Requirement:
    name = entry.get("id")
    if isinstance(name, str):
        where = f"{file}: requirement {name!r}"
    requirement = convert(entry, Requirement, where)
    if not _ID.fullmatch(requirement.id):
        raise TomlError(f"{where}: the id must be group.name in lower case, such as 'dns.ttl'.")
    known = [other.id for other in earlier]
    if requirement.id in known:
        raise TomlError(f"{where}: appears twice; every id must be its own.")
    for field in ("title", "hint", "source"):
        if not getattr(requirement, field).strip():
            raise TomlError(f"{where}: {field} is empty; an installer needs it.")
    for need in requirement.needs:
        if need not in known:
            raise TomlError(f"{where}: needs {need!r}, which is no earlier requirement{instead(need, known)}")
    if requirement.probe not in PROBES:
        raise TomlError(
            f"{where}: there is no probe {requirement.probe!r}{instead(requirement.probe, PROBES)} "
            f"There are {', '.join(sorted(PROBES))}."
        )
    probe = PROBES[requirement.probe]
    _check_options(requirement, probe, trunk, where)
    if not requirement.expect:
        raise TomlError(f"{where}: expects nothing, so it could never fail.")
    for expectation in requirement.expect + requirement.prefer:
        _check_expectation(expectation, probe, where)
    return requirement


def _check_options(requirement: Requirement, probe: Probe, trunk: Trunk, where: str) -> None:
    only(requirement.options, probe.options.__struct_fields__, f"{where}: options")
    try:
        fill_options(probe, requirement.options, msgspec.structs.asdict(Settings()), msgspec.structs.asdict(trunk))
    except msgspec.ValidationError as error:
        raise TomlError(f"{where}: options: {sentence(error)}") from error


def _check_expectation(expectation: Expectation, probe: Probe, where: str) -> None:
    fact, operator, value = expectation.fact, expectation.operator, expectation.value
    kind = _type_of(probe, fact, where)
    place = f"{where}: {fact} {operator}"
    if operator in (Operator.MIN, Operator.MAX):
        if not kind & {int, float}:
            raise TomlError(f"{place}: {fact} is no number, so it has no {operator}; 'is' would be right.")
        kind = {int, float}
    elif operator is Operator.ONE_OF:
        if not isinstance(value, list) or not value:
            raise TomlError(f"{place}: takes a list of values, such as [1, 2].")
        for item in value:
            _check_value(item, kind, place)
        return
    elif operator is Operator.INCLUDES:
        inner = {argument for each in kind if typing.get_origin(each) is list for argument in typing.get_args(each)}
        if not inner:
            raise TomlError(f"{place}: {fact} is no list, so it includes nothing; 'is' would be right.")
        kind = inner
    _check_value(value, kind, place)


def _check_value(value: Any, kind: set[Any], place: str) -> None:
    try:
        msgspec.convert(value, typing.Union[tuple(kind)])  # noqa: UP007 - a union of types known only now
    except msgspec.ValidationError as error:
        raise TomlError(f"{place}: {sentence(error)}") from error


def _type_of(probe: Probe, fact: str, where: str) -> set[Any]:
    """The types that a fact may have, None left out."""
    record: Any = probe.facts
    kinds: set[Any] = set()
    path = fact.split(".")
    for depth, name in enumerate(path, 1):
        hints = typing.get_type_hints(record) if isinstance(record, type) else {}
        for aside in ("evidence", "between"):
            hints.pop(aside, None)
        if name not in hints:
            raise TomlError(f"{where}: probe {probe.name!r} has no fact {fact!r}{instead(name, hints)}")
        hint = hints[name]
        is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
        kinds = set(typing.get_args(hint)) - {types.NoneType} if is_union else {hint}
        record = next(iter(kinds)) if len(kinds) == 1 else None
        if depth == len(path) and isinstance(record, type) and issubclass(record, msgspec.Struct):
            inner = ", ".join(f"{fact}.{field}" for field in record.__struct_fields__)
            raise TomlError(f"{where}: {fact!r} is a group of facts; {inner} would be right.")
    return kinds


def _table(document: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    table = document.get(name)
    if not isinstance(table, dict):
        raise TomlError(f"{where}: has no table [{name}].")
    return table
