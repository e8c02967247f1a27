"""What this machine says of itself is not the line's doing: its interface goes down, its cable is out, its own firewall
or its reverse path filter is in the way. The same faults further out are the line's.
"""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.timely import going_first, in_time

from .media_rooms import FAR, near_and_far, reflector
from .namespaces import Rooms
from .second_line import SECOND, SECOND_INTERFACE, SECOND_ROUTER, both_lead_out, two_lines
from .site import Lab
from .tool import facts_of, gosip_check, run_tool, verdict_of

CHANNELS, DURATION_S, AWAY_S = 2, 6, 2.0
LEAST_LOST, LEAST_WAIT_MS = 50, 1000
"""Of the 200 packets that are due while the line is away. Where only the cable is out, the kernel forgets the
neighbour, keeps some 160 of them, and sends them when it is back."""

BLOCK = """
table inet away {
    chain in {
        type filter hook prerouting priority -300
        drop
    }
}
"""
OWN_FIREWALL = """
table ip own {{
    chain out {{
        type filter hook output priority 0
        {rule}
    }}
}}
"""


WATCH = 'while kill -0 "$1" && read packets < "$2" && [ "$packets" -lt "$3" ]; do sleep 0.02; done'
"""Of sh: until a process has ended, or so many packets have left. In one program, which sees it at once."""


@pytest.fixture(scope="module", autouse=True)
def _first() -> Iterator[None]:
    """The tool and who pulls its plug go before what the machine does besides: both must keep the same time."""
    with going_first():
        yield


@pytest.fixture(scope="module")
def ends(_possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rooms]:
    log = tmp_path_factory.mktemp("reflector") / "log"
    with near_and_far() as built, reflector(built, "far", log, "--no-sip"):
        yield built


@contextmanager
def _away(rooms: Rooms, room: str, interface: str) -> Iterator[None]:
    """The interface of a room is down; or what comes in there is dropped, where it is none."""
    if interface == "nobody hears":
        rooms.nft(room, BLOCK)
    else:
        rooms.link_down(room, interface)
    yield
    if interface == "nobody hears":
        rooms.nft(room, "delete table inet away\n")
    else:
        rooms.link_up(room, interface)


def _report(rooms: Rooms, folder: Path, run: str, tool: list[str], packets: int, away: tuple[str, str]) -> Any:
    """What the tool says, run in a room: once so many packets have left it, something is away for two seconds.

    run: the room and its interface.
    """
    room, interface = run.split()
    file, log = folder / "report.json", folder / "log"
    process = rooms.start(room, gosip_check(*tool, "--json", str(file), "--quiet"), log)
    sent = f"/sys/class/net/{interface}/statistics/tx_packets"
    enough = int(rooms.run(room, ["cat", sent]).stdout) + packets
    rooms.run(room, ["sh", "-c", WATCH, "sh", str(process.pid), sent, str(enough)], timeout_s=60)
    assert process.poll() is None, log.read_text()
    with _away(rooms, *away):
        time.sleep(AWAY_S)
    process.wait(90)
    return json.loads(file.read_text())


def _media(ends: Rooms, folder: Path, *away: str) -> dict[str, Any]:
    """Measured again where something else kept this machine busy for so long that the media missed those seconds."""
    options = ["--reflector", FAR, "--duration", str(DURATION_S), "--channels", str(CHANNELS)]

    def run() -> dict[str, Any]:
        report: dict[str, Any] = _report(ends, folder, "near to-far", ["bandwidth", *options], 100, (away[0], away[1]))
        return report

    return in_time(run, _was_away)


def _was_away(report: dict[str, Any]) -> bool:
    """The line was away while media ran: packets were lost or not sent, or waited here until it was back."""
    facts = facts_of(report, "media")
    lost = (facts["lost_up"] or 0) + (facts["lost_undecided"] or 0) + facts["unsent"]
    return bool(lost > LEAST_LOST or facts["rtt_ms"]["max"] > LEAST_WAIT_MS)


@pytest.mark.parametrize("away", [("near", "to-far"), ("far", "to-near")], ids=["interface", "cable"])
def test_media_while_the_interface_is_down_for_two_seconds(ends: Rooms, tmp_path: Path, away: tuple[str, str]) -> None:
    report = _media(ends, tmp_path, *away)
    assert _was_away(report)
    outcomes = {v["id"]: v["outcome"] for v in report["verdicts"] if v["id"].startswith("media.")}
    assert "fail" not in outcomes.values()
    assert outcomes["media.loss"] == outcomes["media.bursts"] == "unknown"
    for id_ in ("media.loss", "media.bursts"):
        assert "Meanwhile the interface to-far of this machine went down" in verdict_of(report, id_)["reason"]
    assert report["outcome"] == "inconclusive"


def test_media_while_the_line_is_down_for_two_seconds(ends: Rooms, tmp_path: Path) -> None:
    report = _media(ends, tmp_path, "far", "nobody hears")
    assert _was_away(report)
    assert facts_of(report, "media")["unsent"] == 0
    assert verdict_of(report, "media.loss")["outcome"] == "fail"
    assert "Meanwhile" not in verdict_of(report, "media.loss")["reason"]


@pytest.mark.parametrize("checklist", ["go-native", "go-gateway"])
@pytest.mark.parametrize("packets", [1, 30, 90])
def test_a_whole_run_while_the_interface_is_down_for_two_seconds(
    lab: Lab, tmp_path: Path, checklist: str, packets: int
) -> None:
    """Whatever was going on just then."""
    lab.enter("ready")
    tool = ["run", "--checklist", checklist, "--duration", "3"]
    report = _report(lab.rooms, tmp_path, "lan to-cpe", tool, packets, ("lan", "to-cpe"))
    failed = {v["id"]: v["reason"] for v in report["verdicts"] if v["outcome"] == "fail"}
    assert failed == {}
    assert report["outcome"] == "inconclusive"


@pytest.mark.parametrize(
    ("checklist", "rule", "words"),
    [
        ("go-native", "udp dport 5060 reject", "Operation not permitted"),
        ("go-native", "udp dport 5060 drop", "Operation not permitted"),
        ("go-gateway", "tcp dport 5061 drop", "nothing left it"),
        ("go-gateway", "tcp dport 5061 reject", "port unreachable"),
        ("go-gateway", "tcp dport 5061 reject with icmp type admin-prohibited", "administratively prohibited"),
    ],
)
@pytest.mark.parametrize("link", [[], ["--link", "Internet-1=to-cpe"]], ids=["any line", "bound"])
def test_its_own_firewall_is_not_the_sites(lab: Lab, checklist: str, rule: str, words: str, link: list[str]) -> None:
    """An ICMP error of this machine's own is no word of the way."""
    lab.enter("ready")
    lab.nft("lan", OWN_FIREWALL.format(rule=rule))
    report = run_tool(lab, "run", "--checklist", checklist, "--skip", "media.*", "--skip", "firewall.rtp", *link)
    verdict = verdict_of(report, "firewall.signalling")
    assert verdict["outcome"] == "unknown", verdict["reason"]
    assert "This machine refused" in verdict["reason"]
    assert words in verdict["reason"]
    assert "fail" not in {v["outcome"] for v in report["verdicts"] if v["level"] == "must"}


@pytest.mark.parametrize("checklist", ["go-native", "go-gateway"])
def test_the_same_rule_on_the_edge_fails(lab: Lab, checklist: str) -> None:
    lab.enter("reject-5060" if checklist == "go-native" else "reject-5061")
    report = run_tool(lab, "firewall", "--checklist", checklist, "--link", "Internet-1=to-cpe")
    assert verdict_of(report, "firewall.signalling")["outcome"] == "fail"
    assert "192.168.1.1 says administratively prohibited" in verdict_of(report, "firewall.signalling")["reason"]


@pytest.fixture(scope="module")
def lines(_possible: None) -> Iterator[Lab]:
    with two_lines() as lab:
        both_lead_out(lab)
        yield lab


@pytest.fixture
def strict(lines: Lab) -> Iterator[Lab]:
    """Linux drops what comes in over the second line, because it would not go out there."""
    setting = f"net.ipv4.conf.{SECOND_INTERFACE}.rp_filter"
    lines.run("lan", ["sysctl", "-qw", f"{setting}=1"])
    yield lines
    lines.run("lan", ["sysctl", "-qw", f"{setting}=0"])


def _second(lab: Lab) -> dict[str, Any]:
    return run_tool(lab, "srv", "--link", f"Internet-2={SECOND_INTERFACE}")


def test_a_reverse_path_filter_is_said_and_not_taken_for_a_dead_line(strict: Lab) -> None:
    report = _second(strict)
    assert {v["outcome"] for v in report["verdicts"]} == {"skipped"}
    trouble = report["links"][0]["trouble"]
    assert f"This machine drops what comes back over {SECOND_INTERFACE}" in trouble
    strict.run("lan", re.findall(r"`(.*?)`", trouble)[0].split())
    assert verdict_of(_second(strict), "dns.srv-answers")["outcome"] == "pass"


def test_a_routing_table_of_the_lines_own_gets_past_the_filter(strict: Lab) -> None:
    for command in (f"rule add from {SECOND} table 7", f"route add default via {SECOND_ROUTER} table 7"):
        strict.run("lan", ["ip", *command.split()])
    try:
        assert verdict_of(_second(strict), "dns.srv-answers")["outcome"] == "pass"
    finally:
        strict.run("lan", ["ip", "rule", "del", "from", SECOND, "table", "7"])
