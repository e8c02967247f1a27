"""TOML files: find those of the tool, read one, fit it to a record, say in a sentence what is wrong and what is right.

Knows nothing of what the files mean.
"""

import difflib
import enum
import functools
import importlib.resources
import re
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from gosip_check.textfile import encoding_trouble, quotes_trouble

LARGEST_FILE = 1024 * 1024
"No file that a person writes for this tool comes near; nor does one have so many parts in a name, or tables."
_MOST_TABLES = 1_000
_MOST_PARTS = 16
_LONG_NAME = re.compile(rf"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){{{_MOST_PARTS},}}""", re.ASCII)
"A name with dots, for which the library takes time by the square of its parts."

_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")
"Where tomllib says that it is."

T = TypeVar("T", bound=msgspec.Struct)


class TomlError(Exception):
    """A file that cannot be used. The text is a sentence for the person who named or wrote it."""


def data_folder() -> Path:
    """Where the data that comes with the tool lies: in the package when installed, beside it in a checkout."""
    inside = Path(str(importlib.resources.files("gosip_check"))) / "checklists"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "checklists"


def load(path: Path, kind: type[T], what: str) -> T:
    """A file as a record; `what` it should be stands in the sentence. Raises TomlError."""
    return convert(parse(read(path, what), str(path)), kind, str(path))


def read(path: Path, what: str) -> bytes:
    """The content of a file; `what` it should be stands in the sentence. Raises TomlError."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise TomlError(f"{path}: cannot be read: {error.strerror}.") from error
    except ValueError as error:  # a name with a NUL in it
        raise TomlError(f"{str(path)!r}: cannot be read: {error}.") from error
    if len(content) > LARGEST_FILE:
        raise TomlError(f"{path}: is larger than {LARGEST_FILE // 1024} KiB, so it is not a {what}.")
    return content


def parse(content: bytes, where: str) -> dict[str, Any]:
    """`where` names the file in sentences. Raises TomlError."""
    if trouble := encoding_trouble(content):
        raise TomlError(f"{where}: {trouble}.")
    text = content.decode("utf-8-sig")
    try:
        if long_name := _LONG_NAME.search(text):
            line = text.count("\n", 0, long_name.start()) + 1
            raise TomlError(f"{where}: line {line}: no name here has more than {_MOST_PARTS} parts with dots between.")
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = _AT_LINE.search(str(error))
        quotes = quotes_trouble(text, int(at[1]) if at else text.count("\n") + 1)
        raise TomlError(f"{where}: is not valid TOML: {error}.{' ' * bool(quotes)}{quotes}") from error
    except RecursionError as error:
        raise TomlError(f"{where}: is nested too deeply.") from error
    except ValueError as error:  # a number of thousands of digits
        raise TomlError(f"{where}: holds a number that is too long.") from error


def convert(table: Mapping[str, Any], kind: type[T], where: str) -> T:
    """The table as a record. A key too many, one that is missing and a wrong value raise TomlError."""
    only(table, kind.__struct_fields__, where)
    for name in _required(kind):
        if name not in table:
            raise TomlError(f"{where}: {name} is missing.")
    hints = types_of(kind)
    for name, value in table.items():
        if isinstance(value, dict) and isinstance(hints[name], type) and issubclass(hints[name], msgspec.Struct):
            only(value, hints[name].__struct_fields__, f"{where}: {name}")
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise TomlError(f"{where}: {sentence(error, kind)}") from error


@functools.cache
def types_of(kind: type) -> Mapping[str, Any]:
    """The type of each field of a record. Kept, because finding them is most of the time that a checklist takes."""
    return types.MappingProxyType(typing.get_type_hints(kind))


@functools.cache
def _required(kind: type[msgspec.Struct]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(kind) if field.required]


def table(document: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    """The table [name]. Raises TomlError where there is none."""
    found = document.get(name)
    if not isinstance(found, dict):
        raise TomlError(f"{where}: has no table [{name}].")
    return found


def tables(document: Mapping[str, Any], name: str, where: str) -> list[dict[str, Any]]:
    """Every table [[name]]; there may be none. Raises TomlError for anything else under this name."""
    found = document.get(name, [])
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise TomlError(f"{where}: {name}: each one starts with a line [[{name}]].")
    if len(found) > _MOST_TABLES:
        raise TomlError(f"{where}: {name}: there are {len(found)}, and {_MOST_TABLES} at most are read.")
    return found


def only(table: Mapping[str, Any], allowed: Iterable[str], where: str) -> None:
    """Raises TomlError for a key that is not allowed."""
    allowed = list(allowed)
    for name in table:
        if name not in allowed:
            raise TomlError(f"{where}: there is no key {name!r}{instead(name, allowed)}")


def instead(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'this'?` where something known is close, else a full stop."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else "."


def sentence(error: msgspec.ValidationError, kind: Any = None) -> str:
    """msgspec's `Expected `int`, got `str` - at `$.port`` as `port: expected int, got str.` and what would be right."""
    words, _, place = str(error).partition(" - at `$")
    words = words.replace("`", "")
    place = place.rstrip("`").lstrip(".")
    right = ""
    if words.startswith("Invalid enum value"):
        allowed = _choices(kind, re.findall(r"[a-z_][a-z0-9_]*", place))
        right = f"; one of {', '.join(allowed)} would be right" if allowed else ""
    elif words.startswith("Expected str, got"):
        right = "; put it in quotes"
    words = f"{words[:1].lower()}{words[1:]}{right}."
    return f"{place}: {words}" if place else words


def _choices(kind: Any, path: list[str]) -> list[str]:
    """The values that a field takes, found by its path from a record; none where it is no choice."""
    for name in path:
        kind = types_of(kind).get(name) if isinstance(kind, type) else None
        if typing.get_origin(kind) is list:
            kind = typing.get_args(kind)[0]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return [str(member.value) for member in kind]
    return [str(value) for value in typing.get_args(kind)] if typing.get_origin(kind) is typing.Literal else []
