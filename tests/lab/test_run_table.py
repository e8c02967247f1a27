"""State of the site -> what `gosip-check run` must say of it, for both products, beside what sipsak says.

A row tells what differs from a site where all is well. Expectations are what is true of the site, not what the tool
happens to say: silence decides nothing, an ICMP error or a reset names who sent it, and what could not be looked at is
skipped. Every row is held against two sites, one with generous hops and one whose hops ration as Linux does: the
verdicts are the same. What depends on this machine (`host.*`) or
on how the kernel names a cable (`link.wired`) need only be there.
`python -m pytest -v tests/lab/test_run_table.py` prints the table.
"""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.consistency import contradictions

from .site import AS_LINUX, GENEROUS, Hops, Lab, site
from .states import SITES, STATES
from .tool import DEPENDS_ON_THE_MACHINE, PLAIN_USER, gosip_check

RUN_TIMEOUT_S = 120.0

READY, NOT_READY, INCONCLUSIVE = 0, 1, 3
Said = tuple[int, dict[str, Any]]
"Exit code and report of a run."
OUTCOMES = {READY: "ready", NOT_READY: "not-ready", INCONCLUSIVE: "inconclusive"}

PASS, WARN, FAIL, UNKNOWN, SKIPPED = "pass", "warn", "fail", "unknown", "skipped"

ALL_WELL = {
    "dns.srv-answers": PASS,
    "dns.targets-resolve": PASS,
    "dns.targets-in-networks": PASS,
    "dns.ports": PASS,
    "dns.two-sites": PASS,
    "dns.no-alias": PASS,
    "dns.resolvers-agree": PASS,
    "dns.no-rewriting": PASS,
    "dns.ttl": PASS,
    "firewall.signalling": PASS,
    "firewall.signalling-every-target": PASS,
    "firewall.rtp": PASS,
    "alg.absent": PASS,
    "alg.answers-unchanged": PASS,
    "nat.single": PASS,
    "nat.binding-lifetime": UNKNOWN,  # Linux gives out the same port anew, so nothing is ever seen to expire
    "health.latency": PASS,
    "link.go-internet": WARN,
    "link.fixed-address": UNKNOWN,  # no form names one
}
BY_PRODUCT = {
    "go-native": {**ALL_WELL, "firewall.large-sip": PASS, "nat.consistent": PASS, "nat.other-site-comes-in": UNKNOWN},
    "go-gateway": {**ALL_WELL, "nat.consistent": UNKNOWN},  # TCP tells nothing of UDP
}
HAVE_THEIR_OWN_TESTS = {"gateway", "redundancy", "edge", "media", "qos"}
MEDIA_WHERE_HOPS_RATION = {"ready", "all-silent", "drop-5060", "drop-5061", "reject-5060"}
"""States in which `firewall.rtp` is asked there, too. It takes half a minute, as many quotes as it has ports; all other
verdicts are asked everywhere."""


def _signalling(outcome: str) -> dict[str, str]:
    found = {"firewall.signalling": outcome, "firewall.signalling-every-target": outcome}
    return found if outcome == PASS else {**found, "alg.answers-unchanged": SKIPPED, "health.latency": SKIPPED}


@dataclass(frozen=True)
class Product:
    """What one product's run must say: verdicts that differ from ALL_WELL, exit code, and words of a reason by id."""

    verdicts: Mapping[str, str] = field(default_factory=dict)
    exit_code: int = READY
    reasons: Mapping[str, str] = field(default_factory=dict)


_NOBODY_ANSWERS = {
    "firewall.large-sip": UNKNOWN,
    "alg.absent": UNKNOWN,  # what leaves was seen, what comes back was not
    "nat.consistent": UNKNOWN,
    "nat.other-site-comes-in": UNKNOWN,
    "link.go-internet": UNKNOWN,
}
_NOBODY_TO_ASK = {
    "firewall.large-sip": SKIPPED,
    "alg.absent": UNKNOWN,
    "nat.consistent": SKIPPED,
    "nat.other-site-comes-in": SKIPPED,
    "nat.binding-lifetime": SKIPPED,
    "link.go-internet": SKIPPED,
    "link.fixed-address": SKIPPED,
}
FINE = Product()
SECOND_SITE_SILENT = Product(
    {"firewall.signalling-every-target": UNKNOWN, "nat.consistent": UNKNOWN, "nat.other-site-comes-in": UNKNOWN},
    INCONCLUSIVE,
    {"firewall.signalling-every-target": SITES[1]},
)
SILENT = Product(
    {**_signalling(UNKNOWN), **_NOBODY_ANSWERS},
    INCONCLUSIVE,
    {"firewall.signalling": "it left the site: 192.88.99.1 saw it pass"},
)
BLOCKED = Product({**_signalling(FAIL), **_NOBODY_ANSWERS}, NOT_READY, {"firewall.signalling": "192.168.1.1"})
# 5060 is one of the media ports, too.
UDP_5060_BLOCKED = Product({**BLOCKED.verdicts, "firewall.rtp": FAIL}, NOT_READY, BLOCKED.reasons)
MEDIA_5060_BLOCKED = Product({"firewall.rtp": FAIL}, NOT_READY, {"firewall.rtp": "Blocked: 5060 "})
NO_RECORDS = Product(
    {
        "dns.srv-answers": FAIL,
        "dns.targets-resolve": SKIPPED,
        "dns.targets-in-networks": SKIPPED,
        "dns.ports": SKIPPED,
        "dns.two-sites": SKIPPED,
        "dns.no-alias": SKIPPED,
        "dns.ttl": SKIPPED,
        **_signalling(SKIPPED),
        **_NOBODY_TO_ASK,
    },
    NOT_READY,
)
NO_ADDRESSES = Product(
    {
        "dns.targets-resolve": FAIL,
        "dns.targets-in-networks": SKIPPED,
        "dns.two-sites": SKIPPED,
        "dns.no-alias": SKIPPED,
        **_signalling(SKIPPED),
        **_NOBODY_TO_ASK,
    },
    NOT_READY,
)
# An answer from a server that is not the provider's would prove nothing, so nobody is asked.
OUTSIDE_NETWORKS = {
    "dns.targets-in-networks": FAIL,
    "dns.two-sites": WARN,
    **_signalling(SKIPPED),
    **_NOBODY_TO_ASK,
}
HIJACKED = Product(OUTSIDE_NETWORKS, NOT_READY, {"dns.targets-in-networks": "10.1.2.3"})
DEAD_RESOLVERS = Product(
    {
        **NO_RECORDS.verdicts,
        "dns.resolvers-agree": WARN,  # neither answers
        "dns.no-rewriting": UNKNOWN,  # nobody was there to invent anything
    },
    NOT_READY,
    {"dns.srv-answers": "192.168.1.1"},
)
# A refusal says nothing about the records; yet no PBX will find the trunk this way.
REFUSING_RESOLVERS = Product(DEAD_RESOLVERS.verdicts, NOT_READY, {"dns.srv-answers": "192.168.1.1: REFUSED"})
NO_NETWORK = Product(
    dict.fromkeys(BY_PRODUCT["go-native"], SKIPPED), INCONCLUSIVE, {"firewall.signalling": "no network"}
)


@dataclass(frozen=True)
class Row:
    """sipsak: what `sipsak` makes of the first site's server over UDP: its exit code (0 fine, 1 a status it dislikes,
    2 cannot send, 3 no answer) and something it says."""

    native: Product = FINE
    gateway: Product = FINE
    sipsak: tuple[int, str] = (0, "200 OK")


def _both(product: Product) -> Row:
    return Row(product, product)


TABLE: Mapping[str, Row] = {
    "ready": Row(),
    "load-sharing": Row(),
    "plain-sip-on-5061": Row(),
    "options-403": Row(sipsak=(1, "403 Forbidden")),
    "options-404": Row(sipsak=(1, "404 Not Found")),
    "options-405": Row(sipsak=(1, "405 Method Not Allowed")),
    "site-2-cut": _both(SECOND_SITE_SILENT),
    "site-2-silent": _both(SECOND_SITE_SILENT),
    "all-silent": Row(SILENT, SILENT, sipsak=(3, "no final response")),
    "drop-5060": Row(UDP_5060_BLOCKED, MEDIA_5060_BLOCKED, sipsak=(3, "no final response")),
    "drop-5061": Row(FINE, BLOCKED),
    "reject-5060": Row(UDP_5060_BLOCKED, MEDIA_5060_BLOCKED, sipsak=(3, "send failure")),
    "reject-5061": Row(FINE, BLOCKED),
    "reset-5061": Row(FINE, Product(BLOCKED.verdicts, NOT_READY, {"firewall.signalling": "forged"})),
    "one-site": _both(Product({"dns.two-sites": WARN, "nat.consistent": UNKNOWN, "nat.other-site-comes-in": UNKNOWN})),
    "nxdomain": _both(NO_RECORDS),
    "no-addresses": _both(NO_ADDRESSES),
    "aliases": _both(Product({"dns.no-alias": WARN}, reasons={"dns.no-alias": "real.gotel.com.mt"})),
    "long-ttl": _both(Product({"dns.ttl": WARN}, reasons={"dns.ttl": "86400"})),
    "targets-outside-networks": _both(
        Product({**OUTSIDE_NETWORKS, "alg.absent": PASS}, NOT_READY, {"dns.targets-in-networks": "192.31.196.60"})
    ),
    "dns-hijacked": _both(HIJACKED),
    "dns-forwarder-poisoned": _both(
        Product({**OUTSIDE_NETWORKS, "dns.resolvers-agree": WARN}, NOT_READY, HIJACKED.reasons)
    ),
    "dns-second-poisoned": _both(
        Product(
            {
                "dns.targets-in-networks": FAIL,
                "dns.resolvers-agree": WARN,
                **_signalling(SKIPPED),
                **_NOBODY_TO_ASK,
                "alg.absent": PASS,  # the other target is the provider's
            },
            NOT_READY,
            HIJACKED.reasons,
        )
    ),
    "dns-inventing": _both(Product({"dns.no-rewriting": WARN})),
    "dns-refused": _both(REFUSING_RESOLVERS),
    "dns-dead": _both(DEAD_RESOLVERS),
    "no-network": Row(NO_NETWORK, NO_NETWORK, sipsak=(2, "unreachable")),
}


def _run(
    state: str, product: str, hops: Hops, *, before: tuple[str, ...] = (), beside: Callable[[Lab], object] | None = None
) -> Said:
    """A run in a new site. `before` stands before the tool's command line; `beside` is asked first, in that site."""
    with site(hops=hops) as lab:
        lab.enter(state)
        if beside is not None:
            beside(lab)
            lab.flush()
        skip = [] if hops == GENEROUS or state in MEDIA_WHERE_HOPS_RATION else ["--skip", "firewall.rtp"]
        asked = ["run", "--checklist", product, "--duration", "1", "--gentle", "--json", "-", "--quiet", *skip]
        command = gosip_check(*asked)
        ended = lab.run("lan", [*before, *command], check=False, timeout_s=RUN_TIMEOUT_S)
    assert ended.returncode in OUTCOMES, f"exit code {ended.returncode}:\n{ended.stdout}\n{ended.stderr}"
    report = json.loads(ended.stdout)
    assert contradictions(report) == []
    return ended.returncode, report


def _where_hops_ration(state: str, expected: Product) -> Product:
    """The same verdicts, but for the media range where it was left out."""
    if state in MEDIA_WHERE_HOPS_RATION:
        return expected
    return replace(expected, verdicts={**expected.verdicts, "firewall.rtp": SKIPPED})


def _assert_says(said: Said, expected: Product) -> None:
    """Every verdict is the true one."""
    report = said[1]
    outcomes, reasons, told = _read(report)
    assert outcomes == _true_of(report, expected), told
    assert {v["id"] for v in report["verdicts"] if v["group"] not in HAVE_THEIR_OWN_TESTS} == {
        *outcomes,
        *DEPENDS_ON_THE_MACHINE,
    }
    # Loss and bandwidth need a reflector, and there is none here: no run ends ready (test_media.py has one that does).
    expected_code = expected.exit_code or INCONCLUSIVE
    assert (said[0], report["outcome"]) == (expected_code, OUTCOMES[expected_code]), told
    for id_, words in expected.reasons.items():
        assert words in reasons[id_], told


def _true_of(report: dict[str, Any], expected: Product) -> dict[str, str]:
    well = BY_PRODUCT[report["checklist"]["id"]]
    return {**well, **{id_: outcome for id_, outcome in expected.verdicts.items() if id_ in well}}


def _read(report: dict[str, Any]) -> tuple[dict[str, str], dict[str, str], str]:
    """Outcomes and reasons by id, and both to be read by people."""
    asked = [v for v in report["verdicts"] if v["group"] not in HAVE_THEIR_OWN_TESTS]
    outcomes = {v["id"]: v["outcome"] for v in asked if v["id"] not in DEPENDS_ON_THE_MACHINE}
    reasons = {v["id"]: v["reason"] for v in asked}
    return outcomes, reasons, "\n".join(f"{v['outcome']:8} {v['id']}: {v['reason']}" for v in asked)


def test_every_state_has_its_row() -> None:
    assert set(TABLE) == set(STATES)


@pytest.mark.parametrize("state", TABLE)
def test_run_says_what_is_true(state: str, record_property: Callable[[str, object], None]) -> None:
    """Both products, with generous and with rationing hops, at the same time: each run in a site of its own."""
    row = TABLE[state]
    compared: list[subprocess.CompletedProcess[str]] = []

    def sipsak(lab: Lab) -> None:
        asked = ["sipsak", "-D", "1", "-vv", "-s", f"sip:{SITES[0]}:5060"]
        compared.append(lab.run("lan", asked, check=False))

    with ThreadPoolExecutor(4) as pool:
        native = pool.submit(_run, state, "go-native", GENEROUS, beside=sipsak)
        others = [("go-gateway", GENEROUS), ("go-native", AS_LINUX), ("go-gateway", AS_LINUX)]
        gateway, native_rationed, gateway_rationed = (pool.submit(_run, state, *other) for other in others)
    runs = {
        "native": native.result(),
        "gateway": gateway.result(),
        "native, hops ration": native_rationed.result(),
        "gateway, hops ration": gateway_rationed.result(),
    }
    record_property("run table", "\n".join([state, *(_line(name, said) for name, said in runs.items())]))
    _assert_says(runs["native"], row.native)
    _assert_says(runs["gateway"], row.gateway)
    _assert_says(runs["native, hops ration"], _where_hops_ration(state, row.native))
    _assert_says(runs["gateway, hops ration"], _where_hops_ration(state, row.gateway))
    assert compared[0].returncode == row.sipsak[0]
    assert row.sipsak[1] in compared[0].stdout + compared[0].stderr


def _line(name: str, said: Said) -> str:
    code, report = said
    found = []
    for outcome in (FAIL, UNKNOWN, SKIPPED, WARN):
        ids = [v["id"] for v in report["verdicts"] if v["outcome"] == outcome and v["id"] in ALL_WELL]
        if ids:
            found.append(f"{outcome} {', '.join(ids) if len(ids) < len(ALL_WELL) else 'everything'}")
    return f"    {name + ':':22}{code}, {report['elapsed_s']:.1f} s, {'; '.join(found) or 'all pass'}"


def test_a_plain_user_gets_the_same_verdicts() -> None:
    """No privilege on the network at all."""
    row = TABLE["reject-5060"]
    with ThreadPoolExecutor(2) as pool:
        native = pool.submit(_run, "reject-5060", "go-native", GENEROUS, before=PLAIN_USER)
        gateway = pool.submit(_run, "reject-5060", "go-gateway", GENEROUS, before=PLAIN_USER)
    _assert_says(native.result(), row.native)
    _assert_says(gateway.result(), row.gateway)


def test_interrupted_half_way_reports_what_it_has(lab: Lab, tmp_path: Path) -> None:
    """DNS has been judged, the servers stay silent, and then somebody presses Ctrl-C."""
    lab.enter("all-silent")
    report_file = tmp_path / "report.json"
    tool = gosip_check("run", "--checklist", "go-native", "--gentle", "--json", str(report_file), "--quiet")
    process = lab.rooms.start("lan", tool, tmp_path / "log")
    give_up = time.monotonic() + 20
    while "dport=5060" not in lab.run("cpe", ["conntrack", "-L", "-p", "udp", "--dport", "5060"]).stdout:
        assert process.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < give_up
    process.send_signal(signal.SIGINT)
    exit_code = process.wait(10)
    report = json.loads(report_file.read_text())
    outcomes = {verdict["id"]: verdict["outcome"] for verdict in report["verdicts"]}
    reasons = {verdict["id"]: verdict["reason"] for verdict in report["verdicts"]}
    assert (exit_code, report["outcome"]) == (INCONCLUSIVE, OUTCOMES[INCONCLUSIVE])
    assert {outcomes[id_] for id_ in outcomes if id_.startswith("dns.")} == {PASS}
    for id_ in ("firewall.signalling", "firewall.signalling-every-target", "alg.absent"):
        assert (outcomes[id_], "stopped" in reasons[id_]) == (UNKNOWN, True), reasons[id_]
    assert FAIL not in outcomes.values()
