"""The layers of the package, held by walking every import."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent.parent / "gosip_check"

# Layer -> what of our own it may import. A module belongs to the longest name here that it starts with.
MAY_IMPORT: dict[str, set[str]] = {
    "records": set(),
    "wire": {"wire"},
    "servers": {"servers", "wire"},
    "probes": {"probes", "wire", "records"},
    "tomlfile": set(),
    "checklist": {"probes", "records", "tomlfile"},
    "judge": {"records"},
    "remedies": {"records"},
    "run": {"probes", "judge", "records", "remedies"},
    "form": {"records", "tomlfile"},
    "report": {"report", "records"},
    "discover": {"form", "probes", "records"},
    "rejudge": {"checklist", "judge", "probes", "records", "remedies"},
    "signing": {"records"},
    "notify": set(),
    "schedule": set(),
    "history": {"report", "records"},
    "watch": {"run", "report", "history", "notify", "probes", "records"},
    "cli": {
        "cli",
        "discover",
        "history",
        "notify",
        "rejudge",
        "schedule",
        "signing",
        "watch",
        "checklist",
        "form",
        "judge",
        "probes",
        "records",
        "report",
        "run",
        "servers",
        "tomlfile",
    },
    "__main__": {"cli"},
    "__init__": set(),
}


def layer_of(module: str) -> str:
    return max((name for name in MAY_IMPORT if module == name or module.startswith(f"{name}.")), key=len)


def imports(source: str) -> Iterator[str]:
    """The modules of ours that a file imports, anywhere in it, without the leading `gosip_check.`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "gosip_check":
            base = node.module.removeprefix("gosip_check").lstrip(".")
            for alias in node.names:
                if base:
                    yield base
                elif alias.name != "__version__":
                    yield alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "gosip_check":
                    yield alias.name.removeprefix("gosip_check").lstrip(".")


def forbidden(module: str, source: str) -> list[str]:
    """The imports that `module` must not have."""
    allowed = MAY_IMPORT[layer_of(module)]
    return [name for name in imports(source) if layer_of(name) not in allowed]


FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_imports_only_what_its_layer_may(path: Path) -> None:
    assert forbidden(name_of(path), path.read_text()) == []


@pytest.mark.parametrize(
    ("module", "line", "named"),
    [
        ("probes.srv", "from gosip_check.judge import judge", ["judge"]),
        ("probes.srv", "from gosip_check import judge", ["judge"]),
        ("probes.srv", "import gosip_check.report.to_json", ["report.to_json"]),
        ("probes.srv", "def f():\n    from gosip_check.run import run", ["run"]),
        ("wire.sip", "from gosip_check.records import Record", ["records"]),
        ("servers.trunk", "from gosip_check.probes import net", ["probes"]),
        ("report.to_json", "from gosip_check.run import run", ["run"]),
        ("cli.run", "from gosip_check.wire import sip", ["wire"]),
    ],
)
def test_the_walk_sees_a_wrong_import(module: str, line: str, named: list[str]) -> None:
    assert forbidden(module, line) == named


def test_sockets_are_opened_in_one_place() -> None:
    opening = {
        name_of(path)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("socket.socket", "socket.create_connection")
    }
    assert {name for name in opening if not name.startswith("servers.")} == {"probes.net", "notify"}


def test_only_the_run_catches_everything() -> None:
    catching = {
        name_of(path)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
    }
    assert catching == {"run", "probes.probe"}  # the second hands it on to the thread that waits for it
