"""What only the trunk with gateway asks for: its management, the path MTU, and the time as chronyd tells it.

MTUs and rule sets are the kernel's own. Segmentation is done by the laptop, not by a network card that is not there.
"""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from .rulesets import forward
from .site import Lab
from .tool import facts_of, run_tool, verdict_of

OTHERS = ("link.*", "firewall.*", "alg.*", "nat.*", "media.*", "edge.*")
SMALLER_BEYOND_ISP = [["ip", "link", "set", "to-go", "mtu", "1400"]]
SWALLOWS = forward("ip daddr 217.22.184.0/23 ip length > 1400 drop")
NO_ICMP_AT_ALL = """
table ip state {
    chain forward {
        type filter hook forward priority -10
        ip protocol icmp drop
    }
    chain output {
        type filter hook output priority -10
        oifname "to-lan" ip protocol icmp drop
    }
}
"""
NO_TYPE_3_CODE_4 = forward("icmp type destination-unreachable icmp code 4 drop")
CLAMPS = forward("tcp flags & (syn | rst) == syn tcp option maxseg size set 1360")


@pytest.fixture
def ready(lab: Lab) -> Iterator[Lab]:
    """A clean start; whatever MTU a test sets at `isp` is put back, and what the laptop learnt is forgotten."""
    lab.enter("ready")
    for room, interface in (("lan", "to-cpe"), ("cpe", "to-lan"), ("isp", "to-cpe")):
        lab.run(room, ["ethtool", "-K", interface, "tso", "off", "gso", "off", "gro", "off"])
    lab.run("lan", ["ip", "route", "flush", "cache"])
    yield lab
    lab.run("isp", ["ip", "link", "set", "to-go", "mtu", "1500"])
    lab.chrony.tell(synchronised=True)


def _run(lab: Lab, *only: str) -> dict[str, Any]:
    """Verdicts by id, of a run of the gateway's checklist that leaves out what is not asked for here."""
    skip = [word for group in (*OTHERS, "host.*", *only) for word in ("--skip", group)]
    return {verdict["id"]: verdict for verdict in _report(lab, skip)["verdicts"]}


def _report(lab: Lab, skip: list[str]) -> dict[str, Any]:
    return run_tool(lab, "run", "--checklist", "go-gateway", *skip)


@pytest.mark.parametrize(
    ("rules", "commands", "outcome", "state", "says"),
    [
        ({}, [], "pass", "clean", "packets of 1500 octets arrive"),
        ({"cpe": CLAMPS}, [], "pass", "clean", "segments of 1348 octets arrive"),
        ({}, SMALLER_BEYOND_ISP, "pass", "smaller", "192.88.99.1 says that the path takes 1400 octets and not 1500"),
        ({"isp": SWALLOWS}, [], "fail", "black-hole", "at or behind 192.88.99.1"),
        ({"cpe": NO_TYPE_3_CODE_4}, SMALLER_BEYOND_ISP, "fail", "black-hole", "at or behind 192.88.99.1"),
        ({"cpe": NO_ICMP_AT_ALL}, SMALLER_BEYOND_ISP, "fail", "icmp-filtered", "a firewall stops ICMP"),
        ({"cpe": forward("tcp dport 5061 drop")}, [], "unknown", None, "nothing could be tried"),
    ],
    ids=["clean", "clamped", "smaller", "black hole", "type 3 code 4 dropped", "ICMP dropped", "no connection"],
)
def test_path_mtu(
    ready: Lab, rules: dict[str, str], commands: list[list[str]], outcome: str, state: str | None, says: str
) -> None:
    for room, text in rules.items():
        ready.nft(room, text)
    for argv in commands:
        ready.run("isp", argv)
    skip = [word for name in ("gateway.ntp", "gateway.management") for word in ("--skip", name)]
    skip += [word for group in (*OTHERS, "host.*") for word in ("--skip", group)]
    report = _report(ready, skip)
    verdict = verdict_of(report, "gateway.path-mtu")
    assert verdict["outcome"] == outcome, verdict
    assert says in verdict["reason"], verdict
    facts = facts_of(report, "path_mtu")
    assert [path["state"] for path in facts["paths"]] == [state, state]
    if state in ("black-hole", "icmp-filtered"):
        largest = [path["largest"] for path in facts["paths"]]
        assert all(1400 - 8 <= size <= 1400 for size in largest), largest


def test_the_kernel_agrees_about_the_path(ready: Lab) -> None:
    """ping with DF says of the same path what the tool says."""
    ready.run("isp", SMALLER_BEYOND_ISP[0])
    ping = ["ping", "-c", "1", "-W", "2", "-M", "do", "-s"]
    assert "mtu = 1400" in ready.run("lan", [*ping, "1472", "217.22.184.27"], check=False).stdout
    assert " 0% packet loss" in ready.run("lan", [*ping, "1372", "217.22.184.27"]).stdout


@pytest.mark.parametrize(
    ("rule", "outcome", "says"),
    [
        (
            None,
            "pass",
            "4 of 4 time servers tell the time: 0.patton.pool.ntp.org (192.31.196.120, stratum 3): this clock",
        ),
        ("udp dport 123 drop", "warn", "0 of 4 time servers tell the time"),
        (
            "udp dport 123 reject with icmp type admin-prohibited",
            "warn",
            "192.168.1.1 says administratively prohibited",
        ),
        ("ip daddr 192.31.196.120 udp dport 123 drop", "pass", "3 of 4 time servers"),
    ],
    ids=["answers", "dropped", "rejected", "one of four silent"],
)
def test_ntp(ready: Lab, rule: str | None, outcome: str, says: str) -> None:
    if rule:
        ready.nft("cpe", forward(rule))
    verdict = _run(ready, "gateway.path-mtu", "gateway.management")["gateway.ntp"]
    assert verdict["outcome"] == outcome, verdict
    assert says in verdict["reason"], verdict


def test_a_server_that_does_not_know_the_time_tells_none(ready: Lab) -> None:
    ready.chrony.tell(synchronised=False)
    verdict = _run(ready, "gateway.path-mtu", "gateway.management")["gateway.ntp"]
    assert verdict["outcome"] == "unknown"
    assert "not synchronised" in verdict["reason"]


def test_the_clock_is_judged_by_a_time_server(ready: Lab) -> None:
    skip = [word for group in ("dns.*", *OTHERS) for word in ("--skip", group)]
    clock = verdict_of(_report(ready, skip), "host.clock")
    assert clock["outcome"] == "pass", clock
    assert "by a time server" in clock["reason"]


@pytest.mark.parametrize(
    ("rule", "outcome", "says"),
    [
        (None, "pass", "4 of 4 connections opened."),
        (
            "ip daddr 40.130.246.217 tcp dport 22 drop",
            "unknown",
            "3 of 4 connections opened: 40.130.246.217:22 no answer",
        ),
        (
            "tcp dport 443 reject with icmp type admin-prohibited",
            "warn",
            "192.168.1.1 says administratively prohibited",
        ),
        ("tcp dport 443 reject with tcp reset", "unknown", "40.130.246.218:443 answered with a reset"),
    ],
    ids=["open", "dropped", "rejected", "reset"],
)
def test_management(ready: Lab, rule: str | None, outcome: str, says: str) -> None:
    if rule:
        ready.nft("cpe", forward(rule))
    verdict = _run(ready, "gateway.path-mtu", "gateway.ntp")["gateway.management"]
    assert verdict["outcome"] == outcome, verdict
    assert says in verdict["reason"], verdict
    assert "only GO can try" in verdict["reason"]


def test_nothing_is_asked_without_a_network(ready: Lab) -> None:
    ready.enter("no-network")
    outcomes = {id_: verdict["outcome"] for id_, verdict in _run(ready).items() if id_.startswith("gateway.")}
    ready.enter("ready")
    assert set(outcomes.values()) == {"skipped"}


def test_nmap_sees_the_same_management_ports(ready: Lab) -> None:
    ready.nft("cpe", forward("ip daddr 40.130.246.217 tcp dport 22 drop"))
    nmap = ["nmap", "-n", "-Pn", "-sT", "-p", "22,443", "--max-retries", "1", "40.130.246.217"]
    seen: subprocess.CompletedProcess[str] = ready.run("lan", nmap)
    assert "22/tcp  filtered" in seen.stdout
    assert "443/tcp open" in seen.stdout
