"""Every packet of a run leaves by the line that it is about, and every line gets its own figures.

Two lines, two default routes, two rates. The kernel counts what leaves by which interface; it is asked as a user
without any privilege, and in turn of each line alone. The default route leads over the first one.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from gosip_check.probes import PROBES
from tests.timely import going_first, in_time, kept_time

from .kamailio import PASSWORD, USER
from .machine import Machine, machine
from .media_rooms import reflector
from .second_line import (
    CHANNELS,
    FAR,
    FIRST_INTERFACE,
    LOAD_KBPS,
    SECOND,
    SECOND_INTERFACE,
    both_lead_out,
    count_packets,
    counted,
    measured,
    two_lines,
    two_rates,
)
from .site import RESOLVER, Lab
from .tool import PLAIN_USER, gosip_check

COMMUNITY = "pl4nted-community"
NOBODY = 65534


@pytest.fixture(scope="module", autouse=True)
def _first() -> Iterator[None]:
    """Tool, reflector and routers go before what the machine does besides: all tests here are about lines."""
    with going_first():
        yield


@pytest.fixture(scope="module")
def lines(_possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Both lines, with a reflector and an SNMP agent that have a name."""
    folder = tmp_path_factory.mktemp("far")
    with two_lines() as lab, reflector(lab.rooms, "go", folder / "log", "--bind", RESOLVER):
        config = folder / "snmpd.conf"
        config.write_text(f"rocommunity {COMMUNITY}\n")
        agent = ["env", f"SNMP_PERSISTENT_DIR={folder}", "snmpd", "-f", "-Lf", str(folder / "snmpd.log"), "-C"]
        lab.rooms.start("go", [*agent, "-c", str(config), f"udp:{RESOLVER}:161"], folder / "snmpd")
        lab.run("lan", ["sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647"])
        yield lab


@pytest.fixture
def both(lines: Lab) -> Lab:
    lines.enter("ready")
    both_lead_out(lines)
    count_packets(lines)
    return lines


@pytest.fixture
def laptop() -> Iterator[Machine]:
    with machine() as built:
        yield built


def _private(laptop: Machine, name: str, text: str) -> str:
    path = laptop.private(name, text)
    os.chown(path, NOBODY, NOBODY)
    os.chown(path.parent, NOBODY, NOBODY)
    return str(path)


def _run(lab: Lab, laptop: Machine, *options: str) -> dict[str, Any]:
    tool = [*PLAIN_USER, *gosip_check("run", *options, "--json", "-", "--quiet")]
    done = lab.run("lan", laptop.command(tool), check=False, timeout_s=180)
    assert done.returncode in (0, 1, 3), done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize(
    ("own", "other"),
    [(SECOND_INTERFACE, FIRST_INTERFACE), (FIRST_INTERFACE, SECOND_INTERFACE)],
    ids=["second", "first"],
)
def test_every_packet_of_every_probe_leaves_by_its_line(both: Lab, laptop: Machine, own: str, other: str) -> None:
    snmp = _private(laptop, "edge.toml", f'host = "{FAR}"\nversion = "2c"\ncommunity = "{COMMUNITY}"\n')
    account = _private(laptop, "account.toml", f'user = "{USER}"\npassword = "{PASSWORD}"\n')
    both.kamailio.register("none")
    with_far_end = [
        "--under-load",
        "--reflector",
        FAR,
        "--edge-snmp",
        snmp,
        "--account",
        account,
        "--duration",
        "2",
        "--channels",
        "2",
    ]
    walked: set[str] = set()
    for options in (["--checklist", "go-native", *with_far_end], ["--checklist", "go-gateway", "--duration", "5"]):
        report = _run(both, laptop, "--link", f"Internet={own}", *options)
        packets = counted(both)
        assert packets[other] == 0, packets
        assert packets[own] > 300, packets
        walked |= {measured["probe"] for measured in report["measurements"]}
        facts = {measured["probe"]: measured["facts"] for measured in report["measurements"]}
        if "--reflector" in options:
            assert facts["media"]["reflector"] == f"{RESOLVER}:862"
            assert facts["edge"]["memory_used_pct"] is not None
            assert facts["registration"]["registered"] is True
        else:
            assert {asked["method"] for asked in facts["media"]["round_trips"] if asked["answered"]} == {"sip", "icmp"}
            assert facts["ntp"]["any_server_tells_time"] is True
    assert walked == {name for name, probe in PROBES.items() if not probe.across and not probe.listens}


def test_what_is_not_bound_is_counted_too(both: Lab) -> None:
    """The counters would see a socket that has the address of its line only."""
    send = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
    send += f'; s.bind(("{SECOND}", 0)); s.sendto(b"x", ("{RESOLVER}", 9))'
    both.run("lan", ["python3", "-c", send])
    assert counted(both) == {FIRST_INTERFACE: 1, SECOND_INTERFACE: 0}


@pytest.mark.parametrize(("narrow", "wide"), [(1, 2), (2, 1)])
def test_every_line_has_its_own_rate(both: Lab, narrow: int, wide: int) -> None:
    two_rates(both, narrow)
    report = in_time(lambda: measured(both, PLAIN_USER), kept_time)
    verdicts = {v["link"]: v["outcome"] for v in report["verdicts"] if v["id"] == "media.bandwidth"}
    assert verdicts == {f"Internet-{narrow}": "fail", f"Internet-{wide}": "pass"}
    facts = {m["link"]: m["facts"] for m in report["measurements"] if m["probe"] == "media"}
    assert facts[f"Internet-{narrow}"]["rate_down_kbps"] < 0.7 * LOAD_KBPS
    assert facts[f"Internet-{wide}"]["rate_down_kbps"] == pytest.approx(LOAD_KBPS, rel=0.01)
    packets = counted(both)
    for interface in (FIRST_INTERFACE, SECOND_INTERFACE):
        assert packets[interface] > CHANNELS * 50 * 2, packets
