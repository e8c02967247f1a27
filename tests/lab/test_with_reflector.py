"""What a far end adds to the verdicts on firewall, NAT and SIP ALG: every port both ways, bindings that were waited
for, and SIP that comes back as it arrived.

The reflector stands in the provider's room, on one of the provider's addresses or on one that is not the provider's.
A smaller media range and waits of seconds make it short; test_media.py asks all 64,512 ports.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gosip_check.checklist import shipped

from . import edges
from .media_rooms import reflector
from .rulesets import forward
from .site import RESOLVER, Lab
from .states import OUTSIDE, SITES
from .tool import facts_behind, facts_of, gosip_check, run_tool, verdict_of

RANGE = (20000, 22999)
ALL_PORTS = ("--all-ports", "--port", "8620", "--no-sip", "--max-rate", "100000")
BLOCK = forward('iifname "to-lan" udp dport 21000-21009 drop')
"Ten ports, which a sample of 28 may miss."
ONLY_TO_GO = forward('iifname "to-lan" ip daddr != 217.22.184.0/23 udp dport 21000-21009 drop')
_OTHERS = ("firewall.signalling", "firewall.signalling-every-target", "firewall.large-sip")


@pytest.fixture
def far(generous: Lab, tmp_path: Path) -> Iterator[Lab]:
    """The site, with a reflector on every port of every address of the provider's room.

    Its hops are generous: what does not come back is settled by quotes; ten ports with controls need more than six.
    """
    with reflector(generous.rooms, "go", tmp_path / "log", *ALL_PORTS):
        yield generous


def _checklist(tmp_path: Path, **trunk: object) -> str:
    """The native checklist with other values in its trunk."""
    path, text = tmp_path / "go-native.toml", shipped()["go-native"].read_text()
    for name, value in trunk.items():
        line = next(line for line in text.splitlines() if line.startswith(f"{name} = "))
        text = text.replace(line, f"{name} = {value}")
    path.write_text(text)
    return str(path)


def _firewall(
    lab: Lab, tmp_path: Path, address: str, rules: str = "", quotes: bool = True
) -> tuple[str, str, dict[str, Any]]:
    lab.enter("ready")
    if rules:
        lab.nft("cpe", rules)
    if not quotes:
        lab.nft("isp", edges.SILENT_HOP)
        lab.nft("go", edges.SILENT_HOP)
    lab.flush()
    skip = [word for other in _OTHERS for word in ("--skip", other)]
    checklist = _checklist(tmp_path, rtp_ports=list(RANGE))
    report = run_tool(lab, "firewall", "--checklist", checklist, "--reflector", f"{address}:8620", *skip)
    verdict = verdict_of(report, "firewall.rtp")
    return verdict["outcome"], verdict["reason"], facts_of(report, "port_range")


def test_every_port_of_an_open_site_is_proven_both_ways(far: Lab, tmp_path: Path) -> None:
    outcome, reason, facts = _firewall(far, tmp_path, SITES[0])
    assert outcome == "pass"
    assert "Every one of 3000 UDP ports was reached and answered" in reason
    assert (facts["proven"], facts["in_networks"], facts["every_port_answers"]) == (3000, True, True)


def test_what_a_sample_misses_is_found_to_the_port(far: Lab, tmp_path: Path) -> None:
    outcome, reason, facts = _firewall(far, tmp_path, SITES[0], BLOCK)
    assert outcome == "fail"
    assert facts["blocked"] == [[21000, 21009]]
    assert "21000-21009 dropped at 192.168.1.1" in reason


def test_a_rule_for_the_provider_alone_is_not_taken_for_a_block(far: Lab, tmp_path: Path) -> None:
    """The reflector stands elsewhere: what does not reach it is tried towards the provider's networks."""
    outcome, reason, facts = _firewall(far, tmp_path, OUTSIDE, ONLY_TO_GO)
    assert outcome == "pass"
    assert facts["blocked"] == [[21000, 21009]]
    assert "outside the provider's networks" in reason
    assert "tried, too" in reason


def test_without_quotes_a_block_towards_another_place_decides_nothing(far: Lab, tmp_path: Path) -> None:
    outcome, reason, _ = _firewall(far, tmp_path, OUTSIDE, BLOCK, quotes=False)
    assert outcome == "unknown"
    assert "could not be seen" in reason


@pytest.mark.parametrize(("address", "outcome"), [(SITES[0], "pass"), (OUTSIDE, "unknown")])
def test_without_quotes_only_a_far_end_of_the_provider_proves_an_open_way(
    far: Lab, tmp_path: Path, address: str, outcome: str
) -> None:
    found, reason, _ = _firewall(far, tmp_path, address, quotes=False)
    assert found == outcome
    assert "Every one of 3000 UDP ports" in reason


def test_a_far_end_elsewhere_proves_nothing_of_rules_for_the_provider(far: Lab, tmp_path: Path) -> None:
    """What was true of the site: everything is let out but media towards the provider."""
    rules = forward('iifname "to-lan" ip daddr 217.22.184.0/23 udp dport 20000-22999 drop')
    outcome, reason, _ = _firewall(far, tmp_path, OUTSIDE, rules, quotes=False)
    assert outcome == "unknown"
    assert "could not be seen" in reason


@pytest.fixture
def forgetful(lab: Lab) -> Iterator[Lab]:
    """The edge forgets a flow after five seconds."""
    lab.enter("ready")
    names = ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream")
    before = [lab.run("cpe", ["sysctl", "-n", f"net.netfilter.{name}"]).stdout.strip() for name in names]
    for name in names:
        lab.run("cpe", ["sysctl", "-qw", f"net.netfilter.{name}=5"])
    yield lab
    for name, value in zip(names, before, strict=True):
        lab.run("cpe", ["sysctl", "-qw", f"net.netfilter.{name}={value}"])


def _nat(lab: Lab, tmp_path: Path, *more: str) -> tuple[str, str, dict[str, Any]]:
    """With the re-registration of a trunk that is in more of a hurry."""
    checklist = _checklist(tmp_path, reregistration_s=10)
    options = ["nat", "--checklist", checklist, "--reflector", SITES[0], "--json", "-", "--quiet", *more]
    command = gosip_check(*options, module="tests.lab.in_a_hurry")
    report = json.loads(lab.run("lan", command, check=False, timeout_s=60).stdout)
    verdict = verdict_of(report, "nat.binding-lifetime")
    return verdict["outcome"], verdict["reason"], facts_of(report, "binding_lifetime")


def test_a_binding_that_was_waited_for_passes(lab: Lab, tmp_path: Path) -> None:
    lab.enter("ready")
    with reflector(lab.rooms, "go", tmp_path / "log", "--bind", SITES[0], "--no-sip"):
        outcome, reason, facts = _nat(lab, tmp_path, "--thorough")
        plain = _nat(lab, tmp_path)
    assert (outcome, facts["gone_s"]) == ("pass", [])
    assert "still there after 11 s" in reason
    assert plain[0] == "unknown"
    assert "--thorough" in plain[1]


def test_a_firewall_that_forgets_is_caught_between_two_waits(forgetful: Lab, tmp_path: Path) -> None:
    with reflector(forgetful.rooms, "go", tmp_path / "log", "--bind", SITES[0], "--no-sip"):
        outcome, reason, facts = _nat(forgetful, tmp_path, "--thorough")
    assert (facts["alive_s"], facts["gone_s"]) == ([1.0, 2.0, 3.0], [8.0, 9.0, 10.0, 11.0])
    assert (outcome, facts["expired_before_s"]) == ("warn", 8.0)
    assert "still there after 3 s of silence, it was gone after 8 s" in reason


@pytest.fixture
def mirror(lab: Lab, tmp_path: Path) -> Iterator[Lab]:
    """The provider's own servers are silent; at another of its addresses somebody runs our mirror."""
    lab.enter("all-silent")
    with reflector(lab.rooms, "go", tmp_path / "log", "--bind", RESOLVER, "--port", "8620"):
        yield lab


def _alg(lab: Lab, reflector: str) -> tuple[str, str, dict[str, Any]]:
    report = run_tool(lab, "alg", "--reflector", reflector, "--skip", "alg.answers-unchanged")
    verdict = verdict_of(report, "alg.absent")
    return verdict["outcome"], verdict["reason"], facts_behind(report, "alg.absent")


def test_the_mirror_proves_both_ways_where_the_servers_are_silent(mirror: Lab) -> None:
    outcome, reason, facts = _alg(mirror, f"{RESOLVER}:8620")
    assert (outcome, facts["alg_found"]) == ("pass", False)
    assert "a reflector got 3 requests unchanged" in reason


def test_the_mirror_sees_what_the_kernels_alg_writes(mirror: Lab) -> None:
    mirror.nft("cpe", edges.kernel_alg())
    mirror.flush()
    outcome, _, facts = _alg(mirror, f"{RESOLVER}:8620")
    look = next(look for look in facts["looks"] if look["method"] == "mirror")
    assert (outcome, look["found"]) == ("fail", True)
    assert "A SIP ALG changed" in look["words"]


def test_a_reflector_without_an_address_is_no_fault_of_the_site(mirror: Lab) -> None:
    outcome, _, facts = _alg(mirror, "no.such.host.invalid")
    assert outcome == "unknown"
    assert any(look["method"] == "mirror" and look["found"] is None for look in facts["looks"])
