"""A demo sends nothing beyond its machine: the far side of its only cable hears nothing, whatever fault is shown.

The kernel counts what leaves, tcpdump shows it. The machine has a default route and a resolver, both on that cable.
"""

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gosip_check.servers import demo_reflector, trunk

from .namespaces import Cable, Rooms, rooms

REPOSITORY = Path(__file__).parents[2]
OUTSIDE = "192.168.1.1"
FAULTS = [*trunk.FAULTS, *demo_reflector.FAULTS]
AT_ONCE = 10

STRAY = """
[[requirement]]
id = "stray.{probe}-{number}"
title = "Asks somebody outside"
titles = {{ warn = "Stray", unknown = "Stray" }}
level = "info"
probe = "{probe}"
options = {options}
expect = [{{ fact = "{fact}", operator = "{operator}", value = {value} }}]
hint = "None."
source = "this test"
"""
SRV, TIME, MEDIA = ("srv_found", "is", "true"), ("any_server_tells_time", "is", "true"), ("delivered_pct", "min", "99")
ASKED_OUTSIDE = [
    ("srv", f'{{ dns_servers = ["{OUTSIDE}", "198.51.100.1"], system_resolvers = true }}', SRV),
    ("ntp", f'{{ ntp_servers = ["{OUTSIDE}", "198.51.100.1", "ntp.example"], ntp_port = 123 }}', TIME),
    ("media", f'{{ reflector = "{OUTSIDE}" }}', MEDIA),
    ("media", '{ reflector = "far.example" }', MEDIA),
    (
        "management",
        f'{{ management_addresses = ["{OUTSIDE}", "198.51.100.1"], management_ports = [22] }}',
        ("outbound_open", "is", "true"),
    ),
]
"Probe, options and expectation of requirements that would leave the machine."


@pytest.fixture(scope="module")
def built() -> Iterator[Rooms]:
    with rooms([Cable("site", "192.168.1.10", "world", OUTSIDE)], {}, {"site": [OUTSIDE]}) as two:
        yield two


@pytest.fixture
def heard(built: Rooms, tmp_path: Path) -> Path:
    """What tcpdump shows at the far side, from now on."""
    log = tmp_path / "heard"
    built.start("world", ["tcpdump", "-n", "-l", "-i", "to-site", "--immediate-mode"], log)
    wait_for("listening on", log)
    return log


def wait_for(text: str, log: Path) -> None:
    until_s = time.monotonic() + 20
    while text not in log.read_text():
        assert time.monotonic() < until_s, f"{text!r} is not in: {log.read_text()}"
        time.sleep(0.05)


def sent(built: Rooms) -> int:
    """Frames that ever left the site, by the kernel's count."""
    return int(built.run("site", ["cat", "/sys/class/net/to-world/statistics/tx_packets"]).stdout)


def packets(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if re.match(r"[0-9:.]+ ", line)]


def tool(built: Rooms, folder: Path, *arguments: object, seconds: int = 0) -> "subprocess.CompletedProcess[str]":
    """seconds: stopped after so many, where it does not end by itself."""
    limit = ["timeout", "--preserve-status", str(seconds)] if seconds else []
    command = [
        "env",
        f"PYTHONPATH={REPOSITORY}",
        f"XDG_STATE_HOME={folder}",
        *limit,
        sys.executable,
        "-m",
        "gosip_check",
    ]
    return built.run("site", [*command, *map(str, arguments)], check=False, timeout_s=180)


def test_nothing_leaves_whatever_the_demo_shows(built: Rooms, heard: Path, tmp_path: Path) -> None:
    stray = tmp_path / "stray.toml"
    requirements = [
        STRAY.format(probe=probe, number=number, options=options, fact=fact, operator=operator, value=value)
        for number, (probe, options, (fact, operator, value)) in enumerate(ASKED_OUTSIDE)
    ]
    stray.write_text((REPOSITORY / "checklists" / "go-native.toml").read_text() + "".join(requirements))
    commands: list[Sequence[object]] = [
        ["demo"],
        ["demo", "--checklist", "go-gateway"],
        ["demo", "--checklist", stray],
        ["demo", "--pbx"],
        *(["demo", "--fault", fault] for fault in FAULTS),
        *(["health", "--no-history", "--demo", which] for which in ("ready", "silent", "outside-networks")),
        ["health", "--no-history", "--demo", "ready", "--checklist", "go-gateway", "--link", "A=127.0.0.1"],
    ]
    before = sent(built)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(lambda command: tool(built, tmp_path, *command), commands))
    done.append(tool(built, tmp_path, "watch", "--demo", "ready", "--every", "1s", seconds=30))
    assert [(run.args, run.stderr) for run in done if run.returncode not in (0, 1, 3)] == []
    assert sent(built) == before, packets(heard)
    assert packets(heard) == []


def test_a_link_that_leads_out_is_refused(built: Rooms, heard: Path, tmp_path: Path) -> None:
    for link in ("A=to-world", "A=192.168.1.10"):
        refused = tool(built, tmp_path, "health", "--no-history", "--demo", "ready", "--link", link)
        assert refused.returncode == 2
        assert refused.stderr.endswith("Error: --link A: a demo stays on this machine; use A=127.0.0.1.\n")
    assert packets(heard) == []


def test_the_far_side_would_hear_it(built: Rooms, heard: Path, tmp_path: Path) -> None:
    """The same commands without a demo: the resolver is asked, and both witnesses see it."""
    before = sent(built)
    assert tool(built, tmp_path, "srv").returncode == 1
    assert sent(built) > before
    wait_for(f"> {OUTSIDE}.53: ", heard)
