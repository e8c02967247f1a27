"""The edge device by SNMP against Debian's snmpd, and the vendors' tables by what their MIBs define."""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gosip_check.checklist import parse
from gosip_check.plan import Plan
from gosip_check.probes import PROBES
from gosip_check.probes.edge import device
from gosip_check.probes.edge.access import read_access
from gosip_check.probes.edge.tables import busy_pct, memory_used_pct
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.records import Link, Outcome, Settings
from gosip_check.run import Observer, run

COMMUNITY, AUTH, PRIVACY = "pl4nted-community", "pl4nted-authentication", "pl4nted-privacy"
SECRETS = (COMMUNITY, AUTH, PRIVACY)
UCD = "1.3.6.1.4.1.2021"


@pytest.fixture(scope="module")
def snmpd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    if shutil.which("snmpd") is None or os.geteuid() != 0:
        pytest.skip("needs Debian's snmpd, and root")
    folder = tmp_path_factory.mktemp("snmpd")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = int(sock.getsockname()[1])
    config = folder / "snmpd.conf"
    config.write_text(f"rocommunity {COMMUNITY}\ncreateUser gv SHA-256 {AUTH} AES {PRIVACY}\nrouser gv priv\n")
    argv = ["snmpd", "-f", "-Lf", str(folder / "log"), "-C", "-c", str(config), f"udp:127.0.0.1:{port}"]
    process = subprocess.Popen(argv, env={**os.environ, "SNMP_PERSISTENT_DIR": str(folder)})
    give_up = time.monotonic() + 10
    ask = ["snmpget", "-v2c", "-c", COMMUNITY, "-t", "0.2", "-r", "0", f"127.0.0.1:{port}", "1.3.6.1.2.1.1.3.0"]
    while subprocess.run(ask, capture_output=True).returncode != 0:
        assert time.monotonic() < give_up, (folder / "log").read_text()
    yield port
    process.send_signal(signal.SIGTERM)
    process.wait(10)


def access(folder: Path, port: int, version: str = "2c", community: str = COMMUNITY, key: str = AUTH) -> str:
    file = folder / "edge.toml"
    text = f'host = "127.0.0.1"\nport = {port}\nversion = "{version}"\n'
    if version == "2c":
        text += f'community = "{community}"\n'
    else:
        text += f'user = "gv"\nauth_protocol = "SHA-256"\nauth_key = "{key}"\nprivacy_key = "{PRIVACY}"\n'
    file.write_text(text)
    file.chmod(0o600)
    return str(file)


def ended() -> threading.Event:
    """What a measurement under load is told when the load has ended already."""
    over = threading.Event()
    over.set()
    return over


@pytest.mark.waits
@pytest.mark.parametrize("version", ["2c", "3"])
def test_a_real_device_is_read(snmpd: int, tmp_path: Path, version: str) -> None:
    options = device.Options(edge_snmp=access(tmp_path, snmpd, version), reflector="192.0.2.1")
    facts = device.measure(options, Context(Link(name="x"), beside=ended()))
    assert facts.under_load
    assert facts.readings == 2
    assert facts.memory_used_pct is not None
    assert "UCD-SNMP-MIB" in facts.evidence["memory_used_pct"]
    walk = ["snmpwalk", "-v2c", "-c", COMMUNITY, "-On", f"127.0.0.1:{snmpd}", f"{UCD}.4"]
    told = subprocess.run(walk, capture_output=True, text=True, check=True).stdout
    found = {int(n): int(kib) for n, kib in re.findall(r"\.2021\.4\.(\d+)\.0 = INTEGER: (\d+)", told)}
    used = 100 * (1 - (found[6] + found[14] + found[15]) / found[5])
    assert facts.memory_used_pct == pytest.approx(used, abs=3)
    assert not any(secret in str(facts) for secret in SECRETS)


@pytest.mark.waits
def test_without_a_load_nothing_is_known(snmpd: int, tmp_path: Path) -> None:
    for options, beside in (
        (device.Options(edge_snmp=access(tmp_path, snmpd)), ended()),
        (device.Options(edge_snmp=access(tmp_path, snmpd), reflector="192.0.2.1"), None),
    ):
        facts = device.measure(options, Context(Link(name="x"), beside=beside))
        assert (facts.cpu_pct, facts.memory_used_pct, facts.under_load) == (None, None, False)
        assert "no media ran meanwhile" in facts.evidence["memory_used_pct"]


@pytest.mark.waits
@pytest.mark.parametrize(("version", "wrong"), [("2c", "wrong-community"), ("3", "wrong-pass-phrase")])
def test_a_wrong_secret_says_nothing_about_the_site(snmpd: int, tmp_path: Path, version: str, wrong: str) -> None:
    options = device.Options(edge_snmp=access(tmp_path, snmpd, version, wrong, wrong))
    with pytest.raises(ProbeFailed) as caught:
        device.measure(options, Context(Link(name="x")))
    assert caught.value.failure.kind.says_nothing_about_the_site
    assert "gives no answer by SNMP" in caught.value.failure.message
    assert wrong not in caught.value.failure.message


def test_without_access_it_is_unknown() -> None:
    with pytest.raises(ProbeFailed, match="--edge-snmp FILE") as caught:
        device.measure(device.Options(), Context(Link(name="x")))
    assert caught.value.failure.kind.says_nothing_about_the_site


CHECKLIST = b"""
[checklist]
id = "x"
title = "x"
version = "1"
source = "x"
date = "2026-11-23"
[trunk]
domain = "trunk.example.net"
service = "sip"
transport = "udp"
port = 5060
networks = ["127.0.0.0/8"]
rtp_ports = [1024, 65535]
codec = "PCMA"
dtmf = "telephone-event"
reregistration_s = 295
kbps_per_channel = 100
[[requirement]]
id = "edge.memory"
title = "x"
level = "info"
probe = "edge"
options = { reflector = "192.0.2.1" }
expect = [{ fact = "memory_used_pct", operator = "max", value = 100 }]
hint = "x"
source = "x"
[[requirement]]
id = "media.loss"
title = "x"
level = "info"
probe = "media"
expect = [{ fact = "system", operator = "is", value = "x" }]
hint = "x"
source = "x"
"""


@pytest.mark.waits
def test_a_run_reads_the_device_while_media_runs(snmpd: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The media of this run ends only after the device has been read for the first time."""
    read = threading.Event()
    real = device._read

    async def reading(*args: object) -> object:
        found = await real(*args)  # type: ignore[arg-type]
        read.set()
        return found

    def media(options: object, context: Context) -> object:
        assert read.wait(20), "nobody read the device while media ran"
        return PROBES["host"].measure(PROBES["host"].options(), context)

    host = PROBES["host"]
    monkeypatch.setattr(device, "_read", reading)
    monkeypatch.setitem(PROBES, "media", Probe("media", host.options, host.facts, media, alone=True))  # type: ignore[arg-type]
    checklist = parse(CHECKLIST, "test")
    plan = Plan(
        checklist=checklist,
        requirements=checklist.requirements,
        links=[Link(name="Internet-1")],
        settings=Settings(edge_snmp=access(tmp_path, snmpd)),
    )
    report = run(plan, threading.Event(), Observer())
    verdict = next(v for v in report.verdicts if v.id == "edge.memory")
    assert verdict.outcome is Outcome.PASS, verdict
    assert "while media ran" in verdict.reason


def test_processor_ticks_come_before_averages() -> None:
    def ticks(user: int, idle: int) -> dict[str, int | str]:
        known: dict[str, int | str] = {f"{UCD}.11.{number}.0": 0 for number in (51, 52, 54)}
        return known | {f"{UCD}.11.50.0": user, f"{UCD}.11.53.0": idle, "1.3.6.1.2.1.25.3.3.1.2.1": 1}

    assert busy_pct(ticks(100, 500), ticks(400, 600)) == (75.0, "UCD-SNMP-MIB, processor ticks")
    assert busy_pct(ticks(2**32 - 100, 0), ticks(200, 100)) == (75.0, "UCD-SNMP-MIB, processor ticks")
    still = busy_pct(ticks(1, 1), ticks(1, 1))
    assert still == (1.0, "HOST-RESOURCES-MIB, last minute")


@pytest.mark.parametrize(
    ("found", "cpu", "memory"),
    [
        (
            {
                "1.3.6.1.4.1.9.9.109.1.1.1.1.6.1": 42,
                "1.3.6.1.4.1.9.9.48.1.1.1.5.1": 30,
                "1.3.6.1.4.1.9.9.48.1.1.1.6.1": 70,
            },
            42.0,
            30.0,
        ),
        ({"1.3.6.1.4.1.12356.101.4.1.3.0": 12, "1.3.6.1.4.1.12356.101.4.1.4.0": 55}, 12.0, 55.0),
        (
            {
                "1.3.6.1.2.1.25.3.3.1.2.1": 10,
                "1.3.6.1.2.1.25.3.3.1.2.2": 30,
                "1.3.6.1.2.1.25.2.3.1.2.65536": "1.3.6.1.2.1.25.2.1.2",
                "1.3.6.1.2.1.25.2.3.1.5.65536": 1000,
                "1.3.6.1.2.1.25.2.3.1.6.65536": 250,
            },
            20.0,
            25.0,
        ),
        ({"1.3.6.1.2.1.25.3.3.1.2.1": 4_000_000_000}, None, None),
        ({}, None, None),
    ],
    ids=["Cisco", "Fortinet", "HOST-RESOURCES", "nonsense", "nothing"],
)
def test_the_tables_of_the_vendors(found: dict[str, int | str], cpu: float | None, memory: float | None) -> None:
    load, used = busy_pct(found, found), memory_used_pct(found)
    assert (load[0] if load else None) == cpu
    assert (used[0] if used else None) == memory


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        (f'host = "x"\nversion = "2c"\ncommunity = "{COMMUNITY}"', 0o644, "others can read it; chmod 600"),
        (f'host = "x"\nversion = "2c"\ncommunity = {COMMUNITY}', 0o600, "is not TOML"),
        (f'host = "{COMMUNITY}"\nversion = {"[" * 10_000}', 0o600, "is not TOML"),
        (f'host = "x"\nversion = "1"\ncommunity = "{COMMUNITY}"', 0o600, "would be right"),
        (f'host = "x"\nversion = "{COMMUNITY}"', 0o600, "version is missing or cannot be that; host, version and"),
        (f'host = "x"\nversion = "3"\nauth_protocol = "{PRIVACY}"', 0o600, "auth_protocol is missing or"),
        (f'host = "x"\nversion = "3"\nport = "{PRIVACY}"', 0o600, "port is missing or cannot be that"),
        ('version = "2c"', 0o600, "host is missing or cannot be that"),
        (f'host = "x"\nversion = "2c"\n{COMMUNITY} = "x"', 0o600, "holds a name that means nothing here"),
        (f'host = "x"\nversion = "2c"\n"`{COMMUNITY} - at `$.port" = "x"', 0o600, "port is missing or"),
        ('host = "x"\nversion = "2c"', 0o600, "version 2c needs a community"),
        ('host = ""\nversion = "2c"\ncommunity = "c"', 0o600, "host and port"),
        (f'host = "x"\nversion = "3"\nuser = "u"\nprivacy_key = "{PRIVACY}"', 0o600, "needs an auth_key"),
    ],
)
def test_an_access_file_that_is_wrong_tells_no_secret(tmp_path: Path, text: str, mode: int, says: str) -> None:
    file = tmp_path / "edge.toml"
    file.write_text(text)
    file.chmod(mode)
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        read_access(str(file))
    assert not any(secret in str(caught.value) for secret in SECRETS)
    assert caught.value.__cause__ is None or isinstance(caught.value.__cause__, OSError)
