"""The rehearsal with a PBX that nobody here wrote: baresip registers, is called from both sites, and calls abroad.

What tcpdump captured meanwhile is judged as the rehearsal was, in every row that a trace can see.
"""

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.saved import here

from .foreign_pbx import CABLES, HELD, PBX, RESOLVERS, USER
from .namespaces import rooms

PHASES = "register,incoming,site-b-call,outgoing-international"
PASSES = {
    "pbx.asks-srv",
    "pbx.srv-order",
    "pbx.auth",
    "pbx.register-from",
    "pbx.answers-keepalive",
    "pbx.accepts-site-b",
    "pbx.incoming-call",
    "pbx.tolerates-headers",
    "pbx.session-refreshed",
    "pbx.rtp-both-ways",
    "pbx.ptime",
    "pbx.codec-alaw",
    "pbx.invite-target",
    "pbx.invite-auth",
    "pbx.to-format",
    "pbx.hangs-up",
    "pbx.udp-only",
}
"Each by octets that baresip made, or because it understood ours."
OTHERWISE = {
    "pbx.register-contact": "warn",  # 35621669015-0x55..., its own way to know the account again
    "pbx.ppi": "fail",
    "pbx.session-timer": "warn",
}
"What baresip 1.0 does not do, by its source."


def test_baresip_registers_is_called_and_calls(tmp_path: Path) -> None:
    if shutil.which("baresip") is None:
        pytest.skip("baresip is not installed")
    with rooms(CABLES, HELD, RESOLVERS) as two:
        program = [sys.executable, "-m", "tests.lab.foreign_pbx", "baresip", two.namespace("pbx"), PHASES, "0.1"]
        repository = Path(__file__).parents[2]
        capture, log = tmp_path / "trunk.pcap", tmp_path / "tcpdump"
        heard_beside = two.start("laptop", ["tcpdump", "-i", "to-pbx", "-w", str(capture), "-U", "-Z", "root"], log)
        two.run("laptop", ["sh", "-c", f"until grep -q 'listening on' {log}; do sleep 0.05; done"])
        done = two.run("laptop", ["env", "-C", str(repository), *program], timeout_s=120)
        heard_beside.terminate()
        heard_beside.wait(10)
    came = {id_: outcome for id_, (outcome, _) in json.loads(done.stdout).items()}
    report = tmp_path / "traced.json"
    here("pbx", "trace", capture, "--pbx", PBX, "--numbers", "21669015", "--user", USER, "--json", report)
    traced = {verdict["id"]: verdict["outcome"] for verdict in json.loads(report.read_text())["verdicts"]}
    seen_both_ways = traced.keys() & came.keys()
    assert {id_: traced[id_] for id_ in seen_both_ways} == {id_: came[id_] for id_ in seen_both_ways}
    assert len(seen_both_ways) >= 28
    assert {id_: came[id_] for id_ in PASSES} == dict.fromkeys(PASSES, "pass")
    assert {id_: came[id_] for id_ in OTHERWISE} == OTHERWISE
