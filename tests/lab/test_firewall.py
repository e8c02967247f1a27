"""`firewall.rtp` against random outbound firewalls, and who is named for signalling that does not get through.

Five firewalls here; tests/bench/bench_firewall.py tries a hundred, beside nmap. A sample of 28 ports asks for more
quotes than a hop gives that rations as Linux does, so what is found to the port is found where hops are generous.
"""

from typing import Any

import pytest

from .firewalls import as_text, is_blocked, random_firewall
from .rulesets import forward
from .site import AS_LINUX, GENEROUS, Lab, site
from .tool import facts_of, run_tool, verdict_of


def _enter(lab: Lab, rules: str) -> None:
    lab.enter("ready")
    if rules:
        lab.nft("cpe", rules)
        lab.flush()


def _skip_all_but(*wanted: str) -> list[str]:
    others = {"firewall.signalling", "firewall.signalling-every-target", "firewall.rtp", "firewall.large-sip"} - {
        *wanted
    }
    return [word for other in sorted(others) for word in ("--skip", other)]


def _claims(lab: Lab, seed: int) -> tuple[str, dict[str, Any]]:
    """Verdict and facts behind a random firewall; asserts that every port that is called blocked is blocked."""
    rules = random_firewall(seed)
    _enter(lab, as_text(rules))
    report = run_tool(lab, "firewall", *_skip_all_but("firewall.rtp"))
    facts = facts_of(report, "firewall_rtp")
    for claim in facts["blocked"]:
        wrong = [
            port
            for port in range(claim["first"], claim["last"] + 1)
            if not is_blocked(rules, claim["destination"], port)
        ]
        assert wrong == [], f"seed {seed}: {rules}, {claim}"
    return verdict_of(report, "firewall.rtp")["outcome"], facts


@pytest.mark.parametrize("seed", range(5))
def test_a_port_that_is_called_blocked_is_blocked(generous: Lab, seed: int) -> None:
    outcome, facts = _claims(generous, seed)
    assert outcome == ("fail" if facts["blocked"] else "pass"), facts["evidence"]


@pytest.mark.parametrize("seed", range(2))
def test_a_port_that_is_called_blocked_is_blocked_where_hops_ration_too(fresh: Lab, seed: int) -> None:
    outcome, facts = _claims(fresh, seed)
    assert outcome in (("fail",) if facts["blocked"] else ("pass", "unknown")), facts["evidence"]


def test_an_open_firewall_passes_and_says_what_was_tried(generous: Lab) -> None:
    _enter(generous, "")
    report = run_tool(generous, "firewall", *_skip_all_but("firewall.rtp"))
    verdict = verdict_of(report, "firewall.rtp")
    assert verdict["outcome"] == "pass"
    assert "28 of 28 sampled ports" in verdict["reason"]
    assert str(facts_of(report, "firewall_rtp")["seed"]) in verdict["reason"]


def test_a_blocked_range_is_found_to_the_port_and_its_device_named(generous: Lab) -> None:
    _enter(generous, forward('iifname "to-lan" udp dport 20000-20999 drop'))
    reason = verdict_of(run_tool(generous, "firewall", *_skip_all_but("firewall.rtp")), "firewall.rtp")["reason"]
    assert "20000-20999 dropped at 192.168.1.1" in reason


def test_a_rationed_hop_behind_an_open_firewall_is_never_a_block(fresh: Lab) -> None:
    _enter(fresh, "")
    report = run_tool(fresh, "firewall", *_skip_all_but("firewall.rtp"))
    assert facts_of(report, "firewall_rtp")["blocked"] == []
    assert verdict_of(report, "firewall.rtp")["outcome"] in ("pass", "unknown")


_SIGNALLING: dict[str, tuple[str, str, str, str, str]] = {
    "5060 dropped": ("drop-5060", "", "go-native", "fail", "edge drops it, at 192.168.1.1"),
    "5061 dropped": ("drop-5061", "", "go-gateway", "fail", "edge drops it, at 192.168.1.1"),
    "5061 reset": ("reset-5061", "", "go-gateway", "fail", "forged"),
    "5060 rejected": ("reject-5060", "", "go-native", "fail", "192.168.1.1"),
    "5061 rejected": ("reject-5061", "", "go-gateway", "fail", "192.168.1.1"),
    "server silent": ("all-silent", "", "go-native", "unknown", "left the site: 192.88.99.1 saw it pass"),
    "connection lost further on": (
        "ready",
        forward("tcp dport 5061 drop"),
        "go-gateway",
        "unknown",
        "left the site: 192.88.99.1 saw it pass",
    ),
    "reset by the provider": (
        "ready",
        forward("tcp dport 5061 reject with tcp reset"),
        "go-gateway",
        "fail",
        "reset",
    ),
}


_NEED_MORE_QUOTES = {"5060 dropped", "5061 dropped"}
"That the edge swallows a request is told by controls before and after it, and six quotes are spent before that."


@pytest.mark.parametrize("case", _SIGNALLING)
def test_silence_is_decided_by_who_saw_it_pass(case: str) -> None:
    state, at_isp, checklist, outcome, words = _SIGNALLING[case]
    with site(hops=GENEROUS if case in _NEED_MORE_QUOTES else AS_LINUX) as lab:
        lab.enter(state)
        if at_isp:
            lab.nft("isp", at_isp)
        report = run_tool(lab, "firewall", "--checklist", checklist, *_skip_for(checklist))
    verdict = verdict_of(report, "firewall.signalling")
    assert (verdict["outcome"], words in verdict["reason"]) == (outcome, True), verdict["reason"]
    if case == "reset by the provider":
        assert "forged" not in verdict["reason"]


def _skip_for(checklist: str) -> list[str]:
    skipped = ["--skip", "firewall.rtp"]
    return skipped if checklist == "go-gateway" else [*skipped, "--skip", "firewall.large-sip"]


_NO_FRAGMENTS = """
table ip pieces {
    chain early {
        type filter hook prerouting priority -450
        ip frag-off & 0x3fff != 0 drop
    }
}
"""


def _sizes(report: dict[str, Any]) -> dict[int, bool]:
    return {size["octets"]: size["answered"] for size in facts_of(report, "large_sip")["sizes"]}


@pytest.mark.parametrize("where", ["cpe", "isp"])
def test_lost_fragments_are_named(lab: Lab, where: str) -> None:
    _enter(lab, "")
    lab.nft(where, _NO_FRAGMENTS)
    report = run_tool(lab, "firewall", *_skip_all_but("firewall.large-sip"))
    verdict = verdict_of(report, "firewall.large-sip")
    assert _sizes(report) == {500: True, 1200: True, 1400: True, 1600: False, 2800: False}
    assert verdict["outcome"] == "fail"
    assert "fragments" in verdict["reason"]


def test_large_messages_get_through_a_sound_edge(lab: Lab) -> None:
    _enter(lab, "")
    report = run_tool(lab, "firewall", *_skip_all_but("firewall.large-sip"))
    assert set(_sizes(report).values()) == {True}
    assert verdict_of(report, "firewall.large-sip")["outcome"] == "pass"
