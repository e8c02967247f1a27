"""State of the site -> what `gosip-check run` must say of it, for both products, beside what sipsak says.

A row tells what differs from a site where all is well. Expectations are what is true of the site, not what the tool
happens to say: silence decides nothing, an ICMP error or a reset names who sent it, and what could not be looked at is
skipped. What depends on this machine (`host.*`) or on how the kernel names a cable (`link.*`) need only be there.
`python -m pytest -v tests/lab/test_run_table.py` prints the table.
"""

import json
import signal
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from .site import Lab
from .states import SITES, STATES

REPOSITORY = Path(__file__).parents[2]
RUN_TIMEOUT_S = 60.0

READY, NOT_READY, INCONCLUSIVE = 0, 1, 3
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
}
BY_PRODUCT = {
    "go-native": {**ALL_WELL, "firewall.large-sip": PASS, "nat.consistent": PASS},
    "go-gateway": {**ALL_WELL, "nat.consistent": UNKNOWN},  # TCP tells nothing of UDP
}
HAVE_THEIR_OWN_TESTS = {"gateway", "redundancy", "edge", "media"}
DEPENDS_ON_THE_MACHINE = {"host.cpu", "host.memory", "host.clock", "link.wired"}


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
    "link.go-internet": UNKNOWN,
}
_NOBODY_TO_ASK = {
    "firewall.large-sip": SKIPPED,
    "alg.absent": UNKNOWN,
    "nat.consistent": SKIPPED,
    "nat.binding-lifetime": SKIPPED,
    "link.go-internet": SKIPPED,
}
FINE = Product()
SECOND_SITE_SILENT = Product(
    {"firewall.signalling-every-target": UNKNOWN, "nat.consistent": UNKNOWN},
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
REFUSING_RESOLVERS = Product(DEAD_RESOLVERS.verdicts, NOT_READY, {"dns.srv-answers": "192.168.1.1: refused"})
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
    "one-site": _both(Product({"dns.two-sites": WARN, "nat.consistent": UNKNOWN})),
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


def _gosip_check(*arguments: str) -> list[str]:
    tool = [sys.executable, "-m", "gosip_check", *arguments]
    return ["env", f"PYTHONPATH={REPOSITORY}", "PYTHONDONTWRITEBYTECODE=1", *tool]


def _run(lab: Lab, checklist: str, *before: str) -> tuple[int, dict[str, Any]]:
    """Exit code and report of a run in `lan`; `before` stands before the tool's own command line."""
    tool = _gosip_check("run", "--checklist", checklist, "--duration", "1", "--json", "-", "--quiet")
    ended = lab.run("lan", [*before, *tool], check=False, timeout_s=RUN_TIMEOUT_S)
    assert ended.returncode in OUTCOMES, f"exit code {ended.returncode}:\n{ended.stdout}\n{ended.stderr}"
    return ended.returncode, json.loads(ended.stdout)


def _assert_says(said: tuple[int, dict[str, Any]], expected: Product) -> None:
    exit_code, report = said
    outcomes = {v["id"]: v["outcome"] for v in report["verdicts"] if v["group"] not in HAVE_THEIR_OWN_TESTS}
    reasons = {verdict["id"]: verdict["reason"] for verdict in report["verdicts"]}
    told = "\n".join(f"{outcomes[id_]:8} {id_}: {reasons[id_]}" for id_ in outcomes)
    well = BY_PRODUCT[report["checklist"]["id"]]
    verdicts = {**well, **{id_: outcome for id_, outcome in expected.verdicts.items() if id_ in well}}
    assert {id_: outcomes.get(id_) for id_ in well} == verdicts, told
    assert set(outcomes) == {*well, *DEPENDS_ON_THE_MACHINE}
    # Loss and bandwidth need a reflector, and there is none here: no run ends ready (test_media.py has one that does).
    expected_code = expected.exit_code or INCONCLUSIVE
    assert (exit_code, report["outcome"]) == (expected_code, OUTCOMES[expected_code]), told
    for id_, words in expected.reasons.items():
        assert words in reasons[id_], told


def test_every_state_has_its_row() -> None:
    assert set(TABLE) == set(STATES)


@pytest.mark.parametrize("state", TABLE)
def test_run_says_what_is_true(lab: Lab, state: str, record_property: Callable[[str, object], None]) -> None:
    row = TABLE[state]
    lab.enter(state)
    sipsak = ["sipsak", "-D", "1", "-vv", "-s", f"sip:{SITES[0]}:5060"]
    with ThreadPoolExecutor(3) as pool:
        asked = pool.submit(lab.run, "lan", sipsak, check=False)
        native, gateway = pool.map(lambda checklist: _run(lab, checklist), ["go-native", "go-gateway"])
        compared = asked.result()
    record_property("run table", _line(state, native, gateway, compared.returncode))
    _assert_says(native, row.native)
    _assert_says(gateway, row.gateway)
    assert compared.returncode == row.sipsak[0]
    assert row.sipsak[1] in compared.stdout + compared.stderr


def _line(state: str, native: tuple[int, dict[str, Any]], gateway: tuple[int, dict[str, Any]], sipsak: int) -> str:
    words = []
    for exit_code, report in (native, gateway):
        found = []
        for outcome in (FAIL, UNKNOWN, SKIPPED, WARN):
            ids = [v["id"] for v in report["verdicts"] if v["outcome"] == outcome and v["id"] in ALL_WELL]
            if ids:
                found.append(f"{outcome} {', '.join(ids) if len(ids) < len(ALL_WELL) else 'everything'}")
        words.append(f"{exit_code}, {report['elapsed_s']:.1f} s, {'; '.join(found) or 'all pass'}")
    return f"{state}\n    native:  {words[0]}\n    gateway: {words[1]}\n    sipsak:  {sipsak}"


def test_a_plain_user_gets_the_same_verdicts(lab: Lab) -> None:
    """No privilege on the network at all. The one that is left lets the user read a checkout in somebody's home."""
    lab.enter("reject-5060")
    caps = ["--inh-caps", "-all,+dac_read_search", "--ambient-caps", "+dac_read_search"]
    caps += ["--bounding-set", "-all,+dac_read_search"]
    plain = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *caps]
    _assert_says(_run(lab, "go-native", *plain), TABLE["reject-5060"].native)
    _assert_says(_run(lab, "go-gateway", *plain), TABLE["reject-5060"].gateway)


def test_interrupted_half_way_reports_what_it_has(lab: Lab, tmp_path: Path) -> None:
    """DNS has been judged, the servers stay silent, and then somebody presses Ctrl-C."""
    lab.enter("all-silent")
    report_file = tmp_path / "report.json"
    tool = _gosip_check("run", "--checklist", "go-native", "--json", str(report_file), "--quiet")
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
