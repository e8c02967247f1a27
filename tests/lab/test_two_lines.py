"""Two internet lines, each of them broken in turn."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .quick import quick_checklist
from .rulesets import forward
from .second_line import SECOND, both_lead_out, two_lines
from .site import Lab
from .tool import gosip_check, run_tool

BLOCK_SECOND = forward('iifname "second" meta l4proto { tcp, udp } th dport { 5060, 5061 } reject')
BLOCK_FIRST = forward("meta l4proto { tcp, udp } th dport { 5060, 5061 } reject")
HALF_FIRST = forward("ip daddr 217.22.185.0/24 meta l4proto { tcp, udp } th dport { 5060, 5061 } reject")


@pytest.fixture(scope="module")
def lines() -> Iterator[Lab]:
    with two_lines() as lab:
        yield lab


@pytest.fixture
def both(lines: Lab) -> Lab:
    lines.enter("ready")
    both_lead_out(lines)
    return lines


def _run(lab: Lab, folder: Path, checklist: str = "go-native", *options: str) -> tuple[dict[str, Any], str]:
    tool = gosip_check("run", "--checklist", str(quick_checklist(checklist, folder)))
    tool += ["--link", "Internet-1=to-cpe", "--link", f"Internet-2={SECOND}"]
    tool += ["--json", str(folder / "report.json"), "--all"]
    done = lab.run("lan", [*tool, *options], check=False, timeout_s=60, environment={"COLUMNS": "120"})
    return json.loads((folder / "report.json").read_text()), done.stdout + done.stderr


def _here(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """What needs no network: outside the lab's rooms."""
    return subprocess.run(gosip_check(*arguments), capture_output=True, text=True, timeout=60, cwd=folder)


def _outcomes(report: dict[str, Any], link: str) -> dict[str, str]:
    return {v["id"]: v["outcome"] for v in report["verdicts"] if v["link"] == link}


@pytest.mark.parametrize("checklist", ["go-native", "go-gateway"])
def test_both_lines_work(both: Lab, tmp_path: Path, checklist: str) -> None:
    report, shown = _run(both, tmp_path, checklist)
    together = _outcomes(report, "all lines")
    assert together["redundancy.two-lines"] == "pass"
    assert together["redundancy.two-sites"] == "pass"
    assert together["redundancy.failover"] == "pass"
    assert together["redundancy.speed"] == "unknown"  # no form, and nothing measured
    told = {v["id"]: v["reason"] for v in report["verdicts"]}
    assert "moves on after 32 s. That is Timer F" in told["redundancy.failover"]
    assert [link["name"] for link in report["links"]] == ["Internet-1", "Internet-2"]
    assert "Side by side" in shown
    page = _here(tmp_path, "report", "html", "report.json", "--all")
    written = page.stdout + "".join(path.read_text() for path in tmp_path.glob("*.html"))
    assert "<h2>Side by side</h2>" in written, page.stderr
    assert "<h2>The lines together</h2>" in written
    _here(tmp_path, "report", "judge", "report.json", "--checklist", f"{checklist}.toml", "--json", "again.json")
    assert _outcomes(json.loads((tmp_path / "again.json").read_text()), "all lines") == together
    if checklist == "go-native":  # over TLS Kamailio tells nobody's address unless asked by rport, which it is over UDP
        assert together["redundancy.addresses"] == "pass"
        assert f"Internet-1 as 192.88.99.2, Internet-2 as {SECOND}" in told["redundancy.addresses"]


@pytest.mark.parametrize(
    ("room", "rules", "broken", "fine"),
    [("cpe", BLOCK_FIRST, "Internet-1", "Internet-2"), ("isp", BLOCK_SECOND, "Internet-2", "Internet-1")],
    ids=["first", "second"],
)
def test_one_line_is_broken(both: Lab, tmp_path: Path, room: str, rules: str, broken: str, fine: str) -> None:
    both.nft(room, rules)
    report, _ = _run(both, tmp_path)
    assert _outcomes(report, broken)["firewall.signalling"] == "fail"
    assert _outcomes(report, fine)["firewall.signalling"] == "pass"
    assert [link["outcome"] for link in report["links"] if link["name"] == fine] == ["ready"]
    together = _outcomes(report, "all lines")
    assert together["redundancy.two-lines"] == "warn"
    assert together["redundancy.two-sites"] == "warn"
    assert report["outcome"] == "not-ready"


def test_one_site_is_out_of_reach_from_one_line(both: Lab, tmp_path: Path) -> None:
    both.nft("cpe", HALF_FIRST)
    report, _ = _run(both, tmp_path)
    reason = next(v["reason"] for v in report["verdicts"] if v["id"] == "redundancy.two-sites")
    assert _outcomes(report, "all lines")["redundancy.two-sites"] == "warn"
    assert "Internet-1: 1 of 2 sites answer" in reason
    assert "Internet-2: 2 of 2 sites answer" in reason


def test_a_line_that_cannot_route_says_so_at_once(both: Lab, tmp_path: Path) -> None:
    both.run("lan", ["ip", "route", "del", "default", "dev", "second", "metric", "200"])
    report, shown = _run(both, tmp_path)
    second = report["links"][1]
    assert "no network towards the provider" in second["trouble"]
    assert set(_outcomes(report, "Internet-2").values()) == {"skipped"}
    assert _outcomes(report, "Internet-1")["firewall.signalling"] == "pass"
    assert _outcomes(report, "all lines")["redundancy.two-lines"] == "unknown"
    assert "Could not run: no network towards the provider." in shown


def test_one_line_is_compared_with_nothing(both: Lab, tmp_path: Path) -> None:
    report = run_tool(both, "run", "--checklist", str(quick_checklist("go-native", tmp_path)))
    assert [v for v in report["verdicts"] if v["group"] == "redundancy"] == []
