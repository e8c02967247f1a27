"""DNS as this machine's libc asks it: glibc itself is the witness; runs with resolvers that fail, or that do DNS64."""

import itertools
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gosip_check.probes.dns import query
from tests.unit.far_ends import from_zone
from tests.unit.probes.dns.resolv_confs import OPTIONS, RESOLVERS
from tests.unit.probes.dns.srv_sites import SITES, Answer, failing, seen_by

from .site import RESOLVER, Lab
from .tool import run_tool, verdict_of

HERE = Path(__file__).parent
SERVERS = "217.22.184.27", "217.22.185.27"


@contextmanager
def resolv_conf(lab: Lab, text: str) -> Iterator[None]:
    """What `/etc/resolv.conf` says in `lan` for this while."""
    file = Path("/etc/netns") / lab.rooms.namespace("lan") / "resolv.conf"
    before = file.read_bytes()
    file.write_text(text, encoding="utf-8", newline="")
    try:
        yield
    finally:
        file.write_bytes(before)


@pytest.fixture(scope="module", autouse=True)
def ipv6_on_loopback(lab: Lab) -> None:
    lab.run("lan", ["sysctl", "-qw", "net.ipv6.conf.lo.disable_ipv6=0"])


def glibc(lab: Lab, text: str, *names: str) -> list[tuple[bool, list[tuple[str, int]]]]:
    """With this resolv.conf, for each name: did glibc find records, and whom did it ask, with how much EDNS?"""
    with resolv_conf(lab, text):
        said = lab.run("lan", [sys.executable, str(HERE / "glibc_asks.py"), *names]).stdout
    lines = [json.loads(line) for line in said.splitlines()]
    return [(found, [(address, edns) for address, edns in asked]) for found, asked in lines]


@pytest.mark.parametrize(("text", "resolvers"), RESOLVERS.items())
def test_whom_glibc_asks(lab: Lab, text: str, resolvers: list[str]) -> None:
    ((_, asked),) = glibc(lab, f"{text}\n", "s.example")
    assert [address for address, _ in asked] == resolvers * 2


@pytest.mark.parametrize(("text", "expected"), OPTIONS.items())
def test_how_often_and_with_what_glibc_asks(lab: Lab, text: str, expected: tuple[int, int]) -> None:
    ((_, asked),) = glibc(lab, f"{text}nameserver 127.0.0.1\n", "s.example")
    assert (len(asked), asked[0][1]) == expected


def test_with_rotate_the_first_changes(lab: Lab) -> None:
    both = "nameserver 127.0.0.1\nnameserver 127.0.0.2\noptions rotate\n"
    first = [asked[0][0] for _, asked in glibc(lab, both, *(f"a-a.{number}.example" for number in range(4)))]
    assert set(first) == {"127.0.0.1", "127.0.0.2"}


def test_we_find_the_records_just_where_glibc_does(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two resolvers, asked twice: each time each of them fails, denies or answers, in all the ways that there are."""
    monkeypatch.setattr(query, "_PAUSE_S", 0.0)
    good, denying, bad = from_zone(SITES), from_zone({}), failing("SERVFAIL")
    answers = {"a": good, "n": denying, "s": bad}
    ways = ["".join(letters) for letters in itertools.product("ans", repeat=2)]
    pairs = list(itertools.product(ways, repeat=2))
    both = "nameserver 127.0.0.1\nnameserver 127.0.0.2\n"
    found = [found for found, _ in glibc(lab, both, *(f"{one}-{other}.example" for one, other in pairs))]
    ours = [seen_by(*(turning(answers, way) for way in pair)).srv_found for pair in pairs]
    assert dict(zip(pairs, ours, strict=True)) == dict(zip(pairs, found, strict=True))


def turning(answers: Mapping[str, Answer], way: str) -> Answer:
    """A resolver that answers every question the first time by the first letter, and later by the second."""
    asked: set[Any] = set()

    def answer(query: Any, peer: Any, transport: str) -> Any:
        question = query.question[0].to_text()
        letter = way[question in asked]
        asked.add(question)
        return answers[letter](query, peer, transport)

    return answer


@contextmanager
def forwarder(lab: Lab, address: str, failures: int) -> Iterator[None]:
    """A forwarder in `lan` that fails so often before it answers a question."""
    argv = [sys.executable, str(HERE / "dns_program.py"), address, RESOLVER, str(failures)]
    process = lab.rooms.start("lan", argv, lab.rooms.folder / f"forwarder-{address}-{failures}")
    give_up = time.monotonic() + 10
    while f"{address}:53 " not in lab.run("lan", ["ss", "-uln"]).stdout:
        assert time.monotonic() < give_up
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def outcomes(report: dict[str, Any], *groups: str) -> dict[str, str]:
    return {v["id"]: v["outcome"] for v in report["verdicts"] if not groups or v["group"] in groups}


def _that_are(outcome: str, report: dict[str, Any]) -> set[str]:
    return {id_ for id_, each in outcomes(report).items() if each == outcome}


def test_one_servfail_neither_fails_the_site_nor_alarms(lab: Lab) -> None:
    lab.enter("ready")
    with forwarder(lab, "127.0.0.2", failures=1), resolv_conf(lab, "nameserver 127.0.0.2\n"):
        report = run_tool(lab, "srv")
    assert set(outcomes(report, "dns").values()) == {"pass"}
    with forwarder(lab, "127.0.0.2", failures=1), resolv_conf(lab, "nameserver 127.0.0.2\n"):
        tool = [sys.executable, "-m", "gosip_check", "health", "--nagios", "--skip", "host.*"]
        health = lab.run("lan", ["env", f"PYTHONPATH={HERE.parents[1]}", *tool], check=False, timeout_s=90)
    assert health.returncode == 0, health.stdout + health.stderr


def test_a_failure_that_lasts_fails_the_site_in_words_of_its_own(lab: Lab) -> None:
    lab.enter("ready")
    with forwarder(lab, "127.0.0.2", failures=100), resolv_conf(lab, "nameserver 127.0.0.2\n"):
        report = run_tool(lab, "srv")
    verdict = verdict_of(report, "dns.srv-answers")
    assert verdict["outcome"] == "fail"
    assert "127.0.0.2: SERVFAIL" in verdict["reason"]
    assert "could not find out" in verdict["reason"]


def test_of_one_that_fails_for_good_the_other_decides(lab: Lab) -> None:
    lab.enter("ready")
    both = f"nameserver 127.0.0.2\nnameserver {RESOLVER}\n"
    with forwarder(lab, "127.0.0.2", failures=100), resolv_conf(lab, both):
        report = run_tool(lab, "srv")
    expected = dict.fromkeys(outcomes(report, "dns"), "pass") | {"dns.resolvers-agree": "warn"}
    assert outcomes(report, "dns") == expected
    assert "127.0.0.2: SERVFAIL" in verdict_of(report, "dns.resolvers-agree")["reason"]


def test_no_resolver_at_all_says_nothing_of_the_site(lab: Lab) -> None:
    lab.enter("ready")
    with resolv_conf(lab, "search corp.example\n"):
        report = run_tool(lab, "srv")
        verdict = verdict_of(report, "dns.srv-answers")
        assert (verdict["outcome"], "no DNS resolver configured" in verdict["reason"]) == ("unknown", True)
        named = run_tool(lab, "srv", "--dns-server", RESOLVER)
        assert verdict_of(named, "dns.srv-answers")["outcome"] == "pass"
        with forwarder(lab, "127.0.0.1", failures=0):  # where libc looks for one
            assert verdict_of(run_tool(lab, "srv"), "dns.srv-answers")["outcome"] == "pass"


UNBOUND = """\
server:
    directory: "{folder}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    interface: 127.0.0.3
    do-ip6: no
    module-config: "dns64 iterator"
    dns64-prefix: 64:ff9b::/96
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-addr: {resolver}
"""


def test_behind_dns64_a_run_says_what_it_says_without(lab: Lab) -> None:
    lab.enter("ready")
    folder = lab.rooms.folder
    (folder / "unbound.conf").write_text(UNBOUND.format(folder=folder, resolver=RESOLVER))
    lab.rooms.start("lan", ["unbound", "-d", "-c", str(folder / "unbound.conf")], folder / "unbound.log")
    give_up = time.monotonic() + 10
    asking = ["dig", "+short", "+time=1", "+tries=1", "@127.0.0.3", "AAAA", "zt.trunk.gotel.com.mt"]
    while "64:ff9b::d916:b81b" not in lab.run("lan", asking, check=False).stdout:
        assert time.monotonic() < give_up, (folder / "unbound.log").read_text()
    without = run_tool(lab, "run", "--duration", "1")
    with resolv_conf(lab, f"nameserver 127.0.0.3\nnameserver {RESOLVER}\n"):
        behind = run_tool(lab, "run", "--duration", "1")
    # What a hop that rations does not quote may be undecided in one run and not in the other.
    for said in ("skipped", "fail"):
        assert _that_are(said, behind) == _that_are(said, without)
    assert set(outcomes(behind, "dns").values()) == {"pass"}
    assert "DNS64: 64:ff9b::d916:b81b" in verdict_of(behind, "dns.targets-resolve")["reason"]


SMALL = """\
[checklist]
id = "small"
title = "Networks of one address and of two, and one port for media"
version = "1"
source = "a test"
date = "2026-01-01"
extends = "go-native"

[trunk]
networks = ["217.22.184.27/32", "217.22.185.26/31"]
rtp_ports = [40000, 40000]
reregistration_s = 1
"""


def test_networks_as_small_as_can_be(lab: Lab, tmp_path: Path) -> None:
    lab.enter("ready")
    file = tmp_path / "small.toml"
    file.write_text(SMALL)
    report = run_tool(lab, "run", "--duration", "1", "--checklist", str(file))
    assert [m["failure"] for m in report["measurements"] if (m["failure"] or {}).get("kind") == "bug"] == []
    assert _that_are("fail", report) == set()
    assert set(outcomes(report, "dns").values()) == {"pass"}
    passed = _that_are("pass", report)
    assert passed >= {"firewall.signalling-every-target", "firewall.rtp", "nat.single"}
