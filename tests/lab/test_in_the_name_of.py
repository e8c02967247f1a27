"""Something on the way takes SIP, or a management port, in the servers' name: the kernel redirects it to a program of
the room's own.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from .rulesets import divert
from .site import Lab
from .tool import facts_behind, facts_of, run_tool, verdict_of

SIGNALLING = ("firewall.signalling", "firewall.signalling-every-target")
OTHERS = ("media.*", "edge.*", "host.*", "firewall.rtp")
OTHERS_OVER_TCP = (*OTHERS, "nat.*", "gateway.management", "gateway.ntp")
ROOMS = {"cpe": ("to-lan", "192.168.1.1"), "isp": ("to-cpe", "192.88.99.1")}

KAMAILIO = """#!KAMAILIO
dns=no
rev_dns=no
auto_aliases=no
dns_cache_init=off
log_stderror=yes
children=1
tcp_children=1
listen=tcp:{address}:5061
listen=udp:{address}:5060
loadmodule "sl.so"
loadmodule "pv.so"
request_route {{
    sl_send_reply("200", "OK");
}}
"""
ACCEPTS_AND_SAYS_NOTHING = """
import socket
listener = socket.create_server(("0.0.0.0", 5061))
print("ready", flush=True)
kept = []
while True:
    kept.append(listener.accept())
"""
ANSWERS_HTTP = """
import http.server
server = http.server.HTTPServer(("0.0.0.0", 5061), http.server.BaseHTTPRequestHandler)
print("ready", flush=True)
server.serve_forever()
"""
SYN_PROXY = """
table ip state {
    chain untracked {
        type filter hook prerouting priority -300
        iifname "to-lan" tcp dport 5061 tcp flags syn notrack
    }
    chain proxied {
        type filter hook forward priority -10
        iifname "to-lan" tcp dport 5061 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
    }
}
"""


def _run(lab: Lab, checklist: str = "go-gateway", others: Sequence[str] = OTHERS_OVER_TCP) -> dict[str, Any]:
    skip = [word for group in others for word in ("--skip", group)]
    return run_tool(lab, "run", "--checklist", checklist, *skip)


def _redirect(lab: Lab, room: str, what: str = "tcp dport 5061 redirect") -> str:
    interface, address = ROOMS[room]
    lab.nft(room, divert(f'iifname "{interface}" {what}'))
    lab.flush()
    return address


@contextlib.contextmanager
def _program(lab: Lab, room: str, text: str) -> Iterator[None]:
    command = lab.rooms.command(room, [sys.executable, "-c", text])
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.kill()
        process.wait(5)
        process.stdout.close()


@contextlib.contextmanager
def _kamailio(lab: Lab, room: str, folder: Path) -> Iterator[None]:
    """One that answers whatever comes to port 5061 of the room, over plain TCP."""
    address = ROOMS[room][1]
    config = folder / "kamailio.cfg"
    config.write_text(KAMAILIO.format(address=address))
    argv = ["kamailio", "-DD", "-E", "-m", "16", "-M", "4", "-f", str(config), "-Y", str(folder)]
    process = lab.rooms.start(room, argv, folder / "log")
    try:
        asking = ["sipsak", "-D", "1", "-E", "tcp", "-s", f"sip:{address}:5061"]
        until_s = time.monotonic() + 10
        while lab.run(room, asking, check=False).returncode != 0:
            assert time.monotonic() < until_s, (folder / "log").read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(5)


@pytest.mark.parametrize("room", ROOMS)
def test_a_sip_server_in_between_passes_nothing(lab: Lab, room: str, tmp_path: Path) -> None:
    lab.enter("all-silent")
    with _kamailio(lab, room, tmp_path):
        place = _redirect(lab, room)
        report = _run(lab)
    for name in (*SIGNALLING, "gateway.path-mtu"):
        verdict = verdict_of(report, name)
        assert verdict["outcome"] == "unknown", verdict
        assert f"at or before {place}" in verdict["reason"], verdict
    alg = verdict_of(report, "alg.absent")
    assert alg["outcome"] == "fail", alg
    assert f"at or before {place}" in alg["reason"], alg
    assert facts_behind(report, "alg.absent")["culprit"] == place
    assert verdict_of(report, "health.latency")["outcome"] in ("skipped", "unknown")


@pytest.mark.parametrize("room", ROOMS)
def test_a_sip_server_in_between_passes_nothing_over_udp(fresh: Lab, room: str, tmp_path: Path) -> None:
    fresh.enter("all-silent")
    with _kamailio(fresh, room, tmp_path):
        place = _redirect(fresh, room, "udp dport 5060 redirect")
        report = _run(fresh, "go-native", (*OTHERS, "nat.binding-lifetime"))
    for name in SIGNALLING:
        verdict = verdict_of(report, name)
        assert verdict["outcome"] == "unknown", verdict
        assert f"at or before {place}" in verdict["reason"], verdict
    alg = verdict_of(report, "alg.absent")
    assert alg["outcome"] == "fail", alg
    assert facts_behind(report, "alg.absent")["culprit"] == place
    assert verdict_of(report, "firewall.large-sip")["outcome"] == "unknown"
    assert facts_of(report, "nat")["seen_by"] == []
    assert verdict_of(report, "health.latency")["outcome"] in ("skipped", "unknown")


def test_a_management_port_that_the_edge_takes_itself_is_not_open(fresh: Lab) -> None:
    """Port 22 of the provider ends at the edge's own program; port 443 goes where it should."""
    fresh.enter("ready")
    with _program(fresh, "cpe", ACCEPTS_AND_SAYS_NOTHING):
        place = _redirect(fresh, "cpe", "tcp dport 22 redirect to :5061")
        report = _run(fresh, others=(*OTHERS, "firewall.*", "alg.*", "nat.*", "gateway.ntp", "gateway.path-mtu"))
    verdict = verdict_of(report, "gateway.management")
    assert verdict["outcome"] == "unknown", verdict
    assert f"40.130.246.217:22 was accepted by something at or before {place}" in verdict["reason"]
    results = [place["result"] for place in facts_of(report, "management")["places"]]
    assert results == ["stand-in", "open", "stand-in", "open"]


def test_what_accepts_and_says_nothing_is_not_taken_for_the_server(lab: Lab) -> None:
    lab.enter("ready")
    with _program(lab, "cpe", ACCEPTS_AND_SAYS_NOTHING):
        place = _redirect(lab, "cpe")
        report = _run(lab)
    for name in (*SIGNALLING, "gateway.path-mtu", "alg.absent"):
        verdict = verdict_of(report, name)
        assert verdict["outcome"] == "unknown", verdict
        assert f"at or before {place}" in verdict["reason"], verdict


def test_a_web_page_in_between_is_the_devices(lab: Lab) -> None:
    lab.enter("ready")
    with _program(lab, "cpe", ANSWERS_HTTP):
        place = _redirect(lab, "cpe")
        report = _run(lab)
    for name in SIGNALLING:
        verdict = verdict_of(report, name)
        assert verdict["outcome"] == "fail", verdict
        assert f"at or before {place}" in verdict["reason"], verdict
    assert verdict_of(report, "alg.absent")["outcome"] != "pass"


def test_a_firewall_that_only_vouches_for_connections_is_no_stand_in(lab: Lab) -> None:
    """The kernel's SYNPROXY: it accepts in the server's name, and what is said then comes from the server."""
    lab.enter("ready")
    lab.run("cpe", ["sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_loose=0"])
    try:
        lab.nft("cpe", SYN_PROXY)
        lab.flush()
        report = _run(lab)
    finally:
        lab.run("cpe", ["sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_loose=1"])
    assert facts_of(report, "stand_in")["stand_ins"]
    for name in SIGNALLING:
        verdict = verdict_of(report, name)
        assert verdict["outcome"] == "pass", verdict
    assert verdict_of(report, "alg.absent")["outcome"] != "fail"


@pytest.mark.parametrize("state", ["ready", "plain-sip-on-5061"])
def test_a_server_that_answers_by_itself_passes_as_before(lab: Lab, state: str) -> None:
    lab.enter(state)
    report = _run(lab)
    for name in (*SIGNALLING, "gateway.path-mtu", "alg.absent"):
        verdict = verdict_of(report, name)
        assert verdict["outcome"] == "pass", verdict
