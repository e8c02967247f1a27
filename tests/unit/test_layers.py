"""The layers of the package, its rooms, and their doors, held by walking every import."""

import ast
import functools
import re

import pytest

from tests.graph import PACKAGE, arrows, circles, files, imports, module_of

# Layer -> what of our own it may import. A module belongs to the longest name here that it starts with.
MAY_IMPORT: dict[str, set[str]] = {
    "records": {"records"},
    "values": set(),
    "scarce": set(),
    "textfile": set(),
    "wire": {"wire"},
    "heard": {"records", "wire"},
    "trace": {"trace", "heard", "wire"},
    "servers": {"heard", "servers", "wire"},
    "probes": {"probes", "wire", "records", "heard", "folders", "tomlfile"},
    "tomlfile": set(),
    "folders": set(),
    "extends": {"records", "tomlfile"},
    "titles": set(),
    "form_fields": set(),
    "templates": {"records", "titles", "tomlfile"},
    "checklist": {"extends", "probes", "ranges", "records", "templates", "titles", "tomlfile"},
    "ranges": {"probes"},
    "judge": {"records", "titles"},
    "settle": {"judge", "records", "remedies"},
    "remedies": {"records", "tomlfile"},
    "links": {"heard", "judge", "probes", "records"},
    "again": {"links", "probes", "records"},
    "plan": {"again", "heard", "probes", "records"},
    "run": {"again", "links", "plan", "probes", "judge", "records", "settle"},
    "recommend": {"records", "tomlfile"},
    "form": {"form", "form_fields", "probes", "records", "tomlfile"},
    "report": {"report", "form_fields", "records"},
    "agreement": {"probes", "records"},
    "possible": {"agreement", "records"},
    "rejudge": {"again", "heard", "judge", "links", "probes", "records", "settle"},
    "order": {"heard", "records", "rejudge", "report"},
    "signing": {"records"},
    "kept": {"folders", "records", "report"},
    "vetting": {"checklist", "form", "order", "possible", "records", "rejudge", "report", "servers", "signing"},
    "cores": set(),
    "fleet": set(),
    "health": {"health", "plan", "run", "report", "probes", "records", "folders"},
    "cli": {
        "again",
        "cli",
        "checklist",
        "cores",
        "fleet",
        "folders",
        "form",
        "form_fields",
        "health",
        "heard",
        "judge",
        "kept",
        "order",
        "plan",
        "probes",
        "recommend",
        "records",
        "rejudge",
        "remedies",
        "report",
        "run",
        "servers",
        "signing",
        "tomlfile",
        "trace",
        "vetting",
    },
    "__main__": {"cli"},
    "__init__": set(),
}

# What every layer may import; they import none.
FOR_ALL = {"scarce", "textfile", "values"}

# Room of probes/ -> the rooms that it may use. Every room may use those of EVERYWHERE.
EVERYWHERE = {"probe", "secret", "net"}
MAY_USE: dict[str, set[str]] = {
    "probe": set(),
    "secret": set(),
    "net": set(),
    "far_end": {"dns"},
    "dns": set(),
    "path": {"dns"},
    "host": {"dns"},
    "sip": {"dns", "path"},
    "far_link": {"dns", "far_end", "host", "path", "sip"},
    "firewall": {"dns", "far_end", "path"},
    "alg": {"dns", "far_end", "far_link", "path", "sip"},
    "nat": {"dns", "far_end", "far_link", "host", "path", "sip"},
    "account": {"sip"},
    "media": {"dns", "far_end", "far_link", "host", "path", "sip"},
    "edge": {"dns"},
    "lines": set(),
    "pbx": set(),
}

# Room of probes/ -> its doors: the files that other rooms may import. A room that is not here is a file, or has none.
DOORS: dict[str, set[str]] = {
    "net": {"echo", "flow", "icmp", "interfaces", "peers", "ping", "segments", "sockets"},
    "dns": {"names", "resolvers", "servers", "srv"},
    "path": {"asking", "hops", "own_request", "plan", "quotes", "stand_in", "syns"},
    "far_link": {"pair", "stun"},
    "host": {"interface"},
    "sip": {"exchange", "mapping", "signalling", "stream", "tls", "transactions"},
}

# Room of another layer -> its doors, which are for every file outside it; those of probes/ are for its rooms alone.
OTHER_DOORS: dict[str, set[str]] = {
    "cli.rehearsal": {"rehearse", "screen"},
    "servers.emulated": {"behaviour", "faults", "rehearsal"},
    "servers.rehearsal": {"media", "phases", "rehearsal", "scripts", "world"},
}


def layer_of(module: str) -> str:
    return max((name for name in MAY_IMPORT if module == name or module.startswith(f"{name}.")), key=len)


def forbidden(module: str, source: str) -> list[str]:
    """The imports that `module` must not have: of another layer, of a room it may not use, or past a room's door."""
    return [name for name in imports(source, MODULES) if not _may(module, name)]


def _may(module: str, name: str) -> bool:
    if layer_of(name) not in MAY_IMPORT[layer_of(module)] | FOR_ALL:
        return False
    own, other = module.split("."), name.split(".")
    room = ".".join(other[:2])
    if room in OTHER_DOORS and own[:2] != other[:2]:
        return len(other) == 3 and other[2] in OTHER_DOORS[room]
    if own[0] != "probes" or other[0] != "probes" or len(own) == 1:
        return True
    if len(other) == 1 or (len(own) > 1 and own[1] == other[1]):
        return len(other) > 1
    everywhere = {"secret"} if own[1] == "probe" else EVERYWHERE
    if other[1] not in MAY_USE[own[1]] | everywhere:
        return False
    return (len(other) == 2 and other[1] not in DOORS) or (len(other) == 3 and other[2] in DOORS.get(other[1], set()))


FILES = files()
MODULES = [module_of(path) for path in FILES]


@functools.cache
def nodes() -> list[tuple[str, ast.AST]]:
    """(module, node) of all that the package says."""
    return [(module_of(path), node) for path in FILES for node in ast.walk(ast.parse(path.read_text()))]


def calls() -> list[tuple[str, str]]:
    """(module, the last two names of what it calls)."""
    names = [(module, node.func) for module, node in nodes() if isinstance(node, ast.Call)]
    return [(module, _last_names(name)) for module, name in names]


def _last_names(name: ast.expr) -> str:
    if isinstance(name, ast.Attribute):
        return f"{_last_names(name.value).split('.')[-1]}.{name.attr}"
    return name.id if isinstance(name, ast.Name) else ""


def test_a_file_imports_only_what_its_layer_and_its_room_may() -> None:
    wrong = {module_of(path): forbidden(module_of(path), path.read_text()) for path in FILES}
    assert {module: names for module, names in wrong.items() if names} == {}


@pytest.mark.parametrize(
    ("module", "line", "named"),
    [
        ("probes.dns.srv", "from gosip_check.judge import judge", ["judge"]),
        ("probes.dns.srv", "from gosip_check import judge", ["judge"]),
        ("probes.dns.srv", "import gosip_check.report.to_json", ["report.to_json"]),
        ("probes.dns.srv", "def f():\n    from gosip_check.run import run", ["run"]),
        ("wire.sip", "from gosip_check.records import Record", ["records"]),
        ("servers.trunk", "from gosip_check.probes.net import sockets", ["probes.net.sockets"]),
        ("report.to_json", "from gosip_check.run import run", ["run"]),
        ("cli.run", "from gosip_check.wire import sip", ["wire.sip"]),
        ("values", "from gosip_check.records import Record", ["records"]),
    ],
)
def test_the_walk_sees_a_wrong_import(module: str, line: str, named: list[str]) -> None:
    assert forbidden(module, line) == named


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("probes.dns.srv", "from gosip_check.probes.sip import signalling"),  # a room that it may not use
        ("probes.net.sockets", "from gosip_check.probes.dns.srv import Facts"),  # upwards
        ("probes.media.stream", "from gosip_check.probes.sip.leaving import over_tcp"),  # past the door
        ("probes.sip.leaving", "from gosip_check.probes.path import mtu"),  # past the door, as a module
        ("probes.probe", "from gosip_check.probes.net import sockets"),  # what all use uses none
        ("probes.lines.redundancy", "from gosip_check.probes import PROBES"),  # the table of them all
        ("cli.pbx", "from gosip_check.servers.rehearsal.stage import Stage"),  # past the door, from another layer
        ("servers.trunk", "from gosip_check.servers.emulated import pbx"),  # past the door, in the same layer
    ],
)
def test_the_walk_sees_a_wrong_room_or_door(module: str, line: str) -> None:
    assert len(forbidden(module, line)) == 1


def test_every_room_is_in_the_table_and_says_what_it_answers() -> None:
    rooms = {module.split(".")[1] for module in MODULES if module.startswith("probes.")}
    assert rooms == set(MAY_USE)
    for init in PACKAGE.glob("*/**/__init__.py"):
        words = ast.get_docstring(ast.parse(init.read_text()))
        assert words is not None, init
        assert len(words) > 40, init


def test_no_door_stands_open_for_nobody() -> None:
    used = set()
    for path in FILES:
        room = module_of(path).split(".")[:2]
        others = [name for name in imports(path.read_text(), MODULES) if name.split(".")[:2] != room]
        used.update(others if module_of(path) != "probes" else [])
    assert {f"probes.{room}.{door}" for room, doors in DOORS.items() for door in doors} <= used
    assert {f"{room}.{door}" for room, doors in OTHER_DOORS.items() for door in doors} <= used
    assert {(room, other) for room, others in MAY_USE.items() for other in others} <= arrows(within="probes")


@pytest.mark.parametrize("within", ["", "probes", "report", "cli", "servers", "wire", *OTHER_DOORS])
def test_no_circles(within: str) -> None:
    assert circles(arrows(within=within)) == []


def test_the_walk_sees_a_circle() -> None:
    assert circles([("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")]) == [["a", "b", "c"]]


def test_sockets_are_opened_in_one_place() -> None:
    opening = {module for module, call in calls() if call in ("socket.socket", "socket.create_connection")}
    assert {name for name in opening if not name.startswith("servers.")} == {"probes.net.sockets", "health.notify"}


def test_no_probe_makes_up_a_link() -> None:
    """A link with half of what it names would lead by another line: only what reaches this machine has none of it."""
    making = {module for module, call in calls() if call.split(".")[-1] == "Link"}
    allowed = {"probes.host.interface", "probes.net.interfaces", "probes.dns.srv"}
    assert {name for name in making if name.startswith("probes.")} == allowed


def test_no_name_is_looked_up_past_the_link() -> None:
    past = re.compile(r"\b(getaddrinfo|gethostby\w+|create_connection|create_datagram_endpoint|urlopen)\(")
    found = {module_of(path) for path in FILES if past.search(path.read_text())}
    assert {name for name in found if not name.startswith("servers.")} == set()


@pytest.mark.parametrize("imported", [r"tomllib", r"importlib(\.| import )resources"])
def test_toml_is_read_and_the_data_folder_found_in_one_place(imported: str) -> None:
    importing = re.compile(rf"^ *(import|from) {imported}\b", re.MULTILINE)
    assert [module_of(path) for path in FILES if importing.search(path.read_text())] == ["tomlfile"]


def test_a_provider_is_data() -> None:
    """No name and no address of one stands in code, nor in a page that it fills."""
    for path in [*FILES, PACKAGE / "report" / "page.html", PACKAGE / "report" / "page.typ"]:
        assert re.findall(r"\bGO\b|217\.22\b", path.read_text()) == [], path


def test_only_the_run_catches_everything() -> None:
    catching = {
        module
        for module, node in nodes()
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
    }
    assert catching == {"run", "probes.probe"}  # the second hands it on to the thread that waits for it
