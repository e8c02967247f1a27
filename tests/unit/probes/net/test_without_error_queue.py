"""A system that hides ICMP errors from plain users: what needs them is unknown, the rest is measured."""

import threading

import msgspec
import pytest

from gosip_check.checklist import load
from gosip_check.probes.net import sockets
from gosip_check.records import Link, Outcome, Settings
from gosip_check.run import Observer, Plan, run, select
from gosip_check.servers.trunk import NETWORKS, Trunk


@pytest.mark.waits
def test_methods_that_need_it_are_unknown_and_the_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "HAS_ERROR_QUEUE", False)
    checklist = load("go-native")
    trunk = msgspec.structs.replace(checklist.trunk, networks=NETWORKS)
    checklist = msgspec.structs.replace(checklist, trunk=trunk)
    with Trunk(trunk.domain, trunk.service, trunk.transport) as server:
        plan = Plan(
            checklist=checklist,
            requirements=select(checklist, ["alg.*", "firewall.*", "nat.*"]),
            links=[Link(name="Internet-1")],
            settings=Settings(dns_servers=[server.dns_server], system_resolvers=False),
        )
        report = run(plan, threading.Event(), Observer())
    outcomes = {verdict.id: verdict.outcome for verdict in report.verdicts}
    assert outcomes["firewall.signalling"] is Outcome.PASS
    assert outcomes["firewall.large-sip"] is Outcome.PASS
    assert outcomes["nat.consistent"] is Outcome.PASS
    for needs_it in ("alg.absent", "firewall.rtp", "nat.single"):
        assert outcomes[needs_it] is Outcome.UNKNOWN, needs_it
    failures = {m.probe: m.failure.kind for m in report.measurements if m.failure}
    assert failures == {"path": "unsupported", "firewall_rtp": "unsupported"}
    alg = next(m.facts for m in report.measurements if m.probe == "sip_rewriting")
    assert alg is not None
    looks = {look["method"]: look["found"] for look in alg["looks"]}
    assert looks == {"quotes": None, "paired Via": False, "echo": False}
