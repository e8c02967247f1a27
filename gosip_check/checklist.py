"""TOML -> Checklist, or one sentence that says where, what is wrong and what would be right. Measures nothing.

Every name that a requirement uses is checked against the probe itself: its options, its facts and their types. A typo
is refused here, never discovered as a verdict that does not come.
"""

import hashlib
import itertools
import re
import types
import typing
from pathlib import Path
from typing import Any

import msgspec

from gosip_check import extends, tomlfile
from gosip_check.probes import PROBES, RENAMED
from gosip_check.probes.probe import Probe, fill_options
from gosip_check.ranges import wrong_value
from gosip_check.records import (
    Checklist,
    ChecklistIdentity,
    Expectation,
    Level,
    Operator,
    Requirement,
    Settings,
    Titles,
    Trunk,
)
from gosip_check.templates import filled, values_of
from gosip_check.titles import fields_of, some_filled
from gosip_check.tomlfile import TomlError, convert, data_folder, instead, only, sentence, table, tables, types_of

_ID = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9][a-z0-9-]*")


_BEFORE_A_PASSWORD = ("firewall.signalling", "alg.absent")
"A requirement that logs in needs these, as far as the checklist has them: an ALG may break the answer to a challenge."


EXPLAINING = ("why", "how", "unseen", "by_hand")
"What a requirement may say of itself beside what a report needs."


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    title: str
    version: str
    source: str
    date: str
    extends: str | None = None
    includes: list[str] = []


def shipped() -> dict[str, Path]:
    """Id -> file of the checklists that come with the tool.

    Other data of the tool lies in the same folder; a checklist is what has the table [checklist].
    """
    return {path.stem: path for path in sorted(data_folder().glob("*.toml")) if b"\n[checklist]\n" in path.read_bytes()}


def load(name: str) -> Checklist:
    """A checklist by its id, or by the path of its file: anything that has a slash or ends in .toml.

    Raises TomlError.
    """
    return load_file(_file(name, Path()))


def load_file(path: Path) -> Checklist:
    """Raises TomlError for whatever keeps the file from being a checklist."""
    return parse(tomlfile.read(path, "checklist"), str(path))


def parse(content: bytes, where: str) -> Checklist:
    """`where` is the path of the file: it names it in error sentences, and a parent is looked for beside it.

    Raises TomlError.
    """
    return _parse(content, where, ())[0]


def _file(name: str, folder: Path) -> Path:
    """Where the checklist of this id is, or of this path from `folder`."""
    known = shipped()
    if name in known:
        return known[name]
    if "/" in name or "\\" in name or name.endswith(".toml"):
        return folder / name
    raise TomlError(
        f"There is no checklist {name!r}{instead(name, known)} Shipped are {', '.join(known)}. "
        "Name a file of your own by its path, such as ./mine.toml."
    )


def _parse(content: bytes, where: str, children: tuple[Path, ...]) -> tuple[Checklist, extends.Demands]:
    """The checklist, and what it demands as its own children take it over. children: the files that extend this one."""
    document = tomlfile.parse(content, where)
    head = convert(table(document, "checklist", where), _Head, f"{where}: [checklist]")
    digest = hashlib.sha256(content).hexdigest()
    for name in head.includes:
        included = _included(name, document, where)
        digest = hashlib.sha256(digest.encode() + b"\n" + included).hexdigest()
    if head.extends is None:
        parent_id, demands = None, extends.alone(head.id, document, where)
    else:
        parent, taken_over = _parent(head.extends, where, children)
        parent_id, demands = taken_over.id, extends.extended(head.id, document, taken_over, where)
        digest = hashlib.sha256(parent.identity.sha256.encode() + b"\n" + content).hexdigest()
    _check_all_are_titled(document, where)
    trunk = _trunk(demands.trunk, f"{where}: [trunk]")
    if not demands.requirements:
        raise TomlError(f"{where}: has no requirements; each one starts with a line [[requirement]].")
    requirements: list[Requirement] = []
    for number, entry in enumerate(demands.requirements, 1):
        requirements.append(_requirement(entry, f"{where}: requirement {number}", where, trunk, requirements))
    checklist = Checklist(
        identity=ChecklistIdentity(id=head.id, title=head.title, version=head.version, sha256=digest),
        source=head.source,
        date=head.date,
        trunk=trunk,
        requirements=requirements,
        extends=parent_id,
    )
    _check_what_is_explained(document, {requirement.id for requirement in requirements}, where)
    return checklist, demands


def _included(name: str, document: dict[str, Any], where: str) -> bytes:
    """Append the requirements of a file that lies beside `where`, else of a shipped one; the content of that file."""
    place = f"{where}: [checklist]: includes"
    if "/" in name or "\\" in name:
        raise TomlError(f'{place}: {name!r}: names a file beside this one, such as "pbx.toml".')
    beside = Path(where).parent / name
    path = beside if beside.is_file() else data_folder() / name
    try:
        content = tomlfile.read(path, "list of requirements")
    except TomlError as error:
        raise TomlError(f"{place}: {error}") from error
    added = tomlfile.parse(content, str(path))
    only(added, ("requirement",), str(path))
    document["requirement"] = [*tables(document, "requirement", where), *tables(added, "requirement", str(path))]
    return content


def _check_what_is_explained(document: dict[str, Any], known: set[str], where: str) -> None:
    """Of what this file writes; what a parent's file names may have been dropped here."""
    known = known.union(document.get("drop", {}).get("requirements", []))
    for entry in [*document.get("requirement", []), *document.get("change", [])]:
        ids = [*entry.get("explains", []), *itertools.chain(*entry.get("explained_if", {}).values())]
        for id_ in ids:
            if id_ not in known:
                raise TomlError(
                    f"{where}: requirement {entry.get('id')!r}: explains {id_!r}, "
                    f"which is no requirement{instead(id_, known)}"
                )


def _parent(name: str, where: str, children: tuple[Path, ...]) -> tuple[Checklist, extends.Demands]:
    """What the file `where` extends. Errors in the parent itself name the parent."""
    place = f"{where}: [checklist]: extends"
    try:
        path = _file(name, Path(where).parent)
        content = tomlfile.read(path, "checklist")
    except TomlError as error:
        raise TomlError(f"{place}: {error}") from error
    line = (*children, Path(where).resolve())
    if path.resolve() in line:
        circle = [*line[line.index(path.resolve()) :], path]
        raise TomlError(f"{place}: goes in a circle: {', '.join(file.name for file in circle)}.")
    return _parse(content, str(path), line)


def _trunk(values: dict[str, Any], where: str) -> Trunk:
    trunk = convert(values, Trunk, where)
    for name in ("provider", "device"):
        if not getattr(trunk, name).strip():
            raise TomlError(f"{where}: {name} is empty; name it, or leave the line out.")
    wrong = wrong_value(trunk)
    if wrong is not None:
        raise TomlError(f"{where}: {wrong}")
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
    texts: dict[str, str] = {}
    values = values_of(trunk)
    for field in ("title", "hint", "source"):
        texts[field] = filled(getattr(requirement, field), values, f"{where}: {field}")
        if not texts[field].strip():
            raise TomlError(f"{where}: {field} is empty; an installer needs it.")
    texts |= {field: filled(getattr(requirement, field), values, f"{where}: {field}") for field in EXPLAINING}
    hint_if = {fact: filled(hint, values, f"{where}: hint_if: {fact}") for fact, hint in requirement.hint_if.items()}
    requirement = msgspec.structs.replace(requirement, **texts, hint_if=hint_if)
    for need in requirement.needs:
        if need not in known:
            raise TomlError(f"{where}: needs {need!r}, which is no earlier requirement{instead(need, known)}")
    if requirement.probe in RENAMED:
        name, chosen = RENAMED[requirement.probe]
        requirement = msgspec.structs.replace(requirement, probe=name, options={**chosen, **requirement.options})
    if requirement.probe not in PROBES:
        raise TomlError(
            f"{where}: there is no probe {requirement.probe!r}{instead(requirement.probe, PROBES)} "
            f"There are {', '.join(sorted(PROBES))}."
        )
    probe = PROBES[requirement.probe]
    if probe.account:
        requirement = msgspec.structs.replace(
            requirement,
            needs=list(dict.fromkeys([*requirement.needs, *(id_ for id_ in _BEFORE_A_PASSWORD if id_ in known)])),
        )
    _check_options(requirement, probe, trunk, where)
    if probe.listens != bool(requirement.ways):
        right = "say which ways can show it" if probe.listens else "are for what a PBX says alone"
        raise TomlError(f'{where}: ways: {right}, such as ["rehearsal", "trace"].')
    if not requirement.expect:
        raise TomlError(f"{where}: expects nothing, so it could never fail.")
    for expectation in requirement.expect + requirement.prefer:
        _check_expectation(expectation, probe, where)
    for name in ("hint_if", "explained_if", "decided_if"):
        for fact in getattr(requirement, name):
            if bool not in _type_of(probe, fact, f"{where}: {name}"):
                raise TomlError(f"{where}: {name}: {fact} is neither true nor false.")
    return _with_texts(requirement, probe, values, where)


_CALLED_BY = {Level.MUST: ("fail", "unknown"), Level.SHOULD: ("warn", "unknown"), Level.INFO: ("warn", "unknown")}
"The outcomes beside pass that a requirement of this level may have, as fields of Titles."


def _with_texts(requirement: Requirement, probe: Probe, values: dict[str, str], where: str) -> Requirement:
    """Its titles and what goes with them, filled in but for the facts; a field that is neither is refused."""

    def fill(name: str, texts: str | list[str]) -> str | list[str]:
        place = f"{where}: {name}"

        def one(text: str) -> str:
            return filled(text, values, place, lambda field: bool(_type_of(probe, field, place)))

        return some_filled(texts, one)

    titles = requirement.titles
    if titles != Titles():
        needed = (*_CALLED_BY[requirement.level], *(["warn"] if requirement.prefer else []))
        for name in needed:
            texts = getattr(titles, name)
            last = texts if isinstance(texts, str) else (texts or [""])[-1]
            if not last.strip():
                raise TomlError(f"{where}: titles: {name} is empty; say what is so then.")
            if set(fields_of(last)) - set(values):
                raise TomlError(f"{where}: titles: {name}: the last one must name no fact, which may be unknown.")
        filled_in = {name: fill(f"titles: {name}", getattr(titles, name)) for name in Titles.__struct_fields__}
        titles = msgspec.structs.replace(titles, **filled_in)
    return msgspec.structs.replace(
        requirement,
        titles=titles,
        means=fill("means", requirement.means),
        figure=fill("figure", requirement.figure),
        decided_by={
            option: filled(what, values, f"{where}: decided_by") for option, what in requirement.decided_by.items()
        },
        decided_if={
            fact: {option: filled(what, values, f"{where}: decided_if: {fact}") for option, what in decides.items()}
            for fact, decides in requirement.decided_if.items()
        },
    )


def _check_all_are_titled(document: dict[str, Any], where: str) -> None:
    """Either every requirement that a file writes has titles, or, as in an older file, none has."""
    entries = tables(document, "requirement", where)
    without = [entry.get("id") for entry in entries if "titles" not in entry]
    if without and len(without) < len(entries):
        raise TomlError(
            f"{where}: requirement {without[0]!r}: titles is missing. Use a line such as "
            'titles = { fail = "It is not so", unknown = "The check" }.'
        )


def _check_options(requirement: Requirement, probe: Probe, trunk: Trunk, where: str) -> None:
    only(requirement.options, probe.options.__struct_fields__, f"{where}: options")
    try:
        options = fill_options(
            probe, requirement.options, msgspec.structs.asdict(Settings()), msgspec.structs.asdict(trunk)
        )
    except msgspec.ValidationError as error:
        raise TomlError(f"{where}: options: {sentence(error)}") from error
    wrong = wrong_value(options)
    if wrong is not None:
        raise TomlError(f"{where}: options: {wrong}")


def _check_expectation(expectation: Expectation, probe: Probe, where: str) -> None:
    fact, operator, value = expectation.fact, expectation.operator, expectation.value
    kind = _type_of(probe, fact, where)
    place = f"{where}: {fact} {operator}"
    if operator in (Operator.MIN, Operator.MAX):
        if not kind & {int, float}:
            raise TomlError(f"{place}: {fact} is not a number; use 'is'.")
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
            raise TomlError(f"{place}: {fact} is not a list; use 'is'.")
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
        known = types_of(record) if isinstance(record, type) else {}
        hints = {field: kind for field, kind in known.items() if field not in ("evidence", "between")}
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
