"""The import graph of the package: its rooms, how many levels they stand on, the arrows between them, and circles.

    python tests/graph.py [PACKAGE]      # prints a table; PACKAGE is the folder, default gosip_check beside tests/

A room is a folder, or a file that stands beside folders in its parent. An arrow is "a file of one room imports another
room", counted once. Levels: the longest way down. Reads the files as text; imports nothing of them.
"""

import ast
import functools
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "gosip_check"


def files(package: Path = PACKAGE) -> list[Path]:
    """Every Python file of the package."""
    return sorted(package.rglob("*.py"))


def module_of(path: Path, package: Path = PACKAGE) -> str:
    """`probes.net.sockets` for a file; a package is known by its folder's name."""
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


@functools.cache
def _statements(source: str) -> list[ast.Import | ast.ImportFrom]:
    """Every import, anywhere in a file."""
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]


def imports(source: str, modules: Iterable[str]) -> Iterator[str]:
    """The modules of ours that a file imports, anywhere in it, without the leading `gosip_check.`."""
    known = set(modules)
    for node in _statements(source):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "gosip_check":
            base = node.module.removeprefix("gosip_check").lstrip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".lstrip(".")
                if inner in known or (base and base not in known):
                    yield inner
                elif base:
                    yield base
                elif alias.name != "__version__":
                    yield alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "gosip_check":
                    yield alias.name.removeprefix("gosip_check").lstrip(".")


@functools.cache
def module_arrows(package: Path = PACKAGE) -> set[tuple[str, str]]:
    """(importer, imported), module by module."""
    sources = {module_of(path, package): path.read_text() for path in files(package)}
    return {
        (module, target)
        for module, source in sources.items()
        for target in imports(source, sources)
        if target != module and target in sources
    }


def room_of(module: str, folders: Iterable[str], within: str) -> str | None:
    """The room of `within` that a module belongs to: the folder below it, or the file itself. None: another house."""
    if within and not module.startswith(f"{within}."):
        return None
    rest = module.removeprefix(within).lstrip(".")
    return rest.split(".")[0] if rest else None


def arrows(package: Path = PACKAGE, within: str = "") -> set[tuple[str, str]]:
    """(importer, imported), room by room, among the rooms of `within` ("" is the whole package)."""
    rooms = ((room_of(a, (), within), room_of(b, (), within)) for a, b in module_arrows(package))
    return {(a, b) for a, b in rooms if a is not None and b is not None and a != b}


def rooms(package: Path = PACKAGE, within: str = "") -> set[str]:
    """The rooms of `within`; its own `__init__` is none."""
    names = (room_of(module_of(path, package), (), within) for path in files(package))
    return {name for name in names if name not in (None, "__init__")}


def circles(edges: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Rooms that can reach themselves, in groups that reach one another."""
    reach = _reach(edges)
    groups = {tuple(sorted(b for b in reach[a] if a in reach.get(b, ()))) for a in reach if a in reach[a]}
    return sorted(list(group) for group in groups)


def levels(edges: Iterable[tuple[str, str]]) -> int:
    """Rooms on the longest way from one that nobody imports down to one that imports nobody. Circles are cut."""
    below = _below(edges)
    depth: dict[str, int] = {}

    def down(room: str, passed: frozenset[str]) -> int:
        if room not in depth:
            depth[room] = 1 + max((down(r, passed | {room}) for r in below.get(room, ()) if r not in passed), default=0)
        return depth[room]

    return max((down(room, frozenset()) for room in below), default=1)


def _below(edges: Iterable[tuple[str, str]]) -> Mapping[str, set[str]]:
    below: defaultdict[str, set[str]] = defaultdict(set)
    for a, b in edges:
        below[a].add(b)
    return below


def _reach(edges: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    below = _below(edges)
    reach: dict[str, set[str]] = {}
    for start in list(below):
        seen: set[str] = set()
        ahead = [start]
        while ahead:
            for room in below.get(ahead.pop(), ()):
                if room not in seen:
                    seen.add(room)
                    ahead.append(room)
        reach[start] = seen
    return reach


def main() -> None:
    """The table of the package that is named, or of this one."""
    package = Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGE
    lines = sum(len(path.read_text().splitlines()) for path in files(package))
    print(f"{'':10}{'rooms':>7}{'levels':>8}{'arrows':>8}{'circles':>9}")
    houses = {"": "package", **{name: name for name in sorted(rooms(package)) if (package / name).is_dir()}}
    for within, title in houses.items():
        edges = arrows(package, within)
        row = len(rooms(package, within)), levels(edges), len(edges), len(circles(edges))
        print(f"{title:10}{row[0]:7}{row[1]:8}{row[2]:8}{row[3]:9}")
    print(f"{len(files(package))} files, {lines} lines of product code")


if __name__ == "__main__":
    main()
