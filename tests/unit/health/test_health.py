"""The light check: polite, bounded, told to Nagios and Prometheus as they want it."""

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from gosip_check.checklist import load, shipped
from gosip_check.health.history import site_of
from gosip_check.health.watch import LONGEST_S, check_once, light
from gosip_check.plan import Plan, select_health
from gosip_check.probes.probe import Context, Turns
from gosip_check.records import Level, Link, Outcome, Readiness, Report, Settings
from gosip_check.report.changes import news
from gosip_check.report.summary import summary_of
from gosip_check.report.to_nagios import state, to_nagios
from gosip_check.report.to_prometheus import to_prometheus
from gosip_check.servers.endpoint import Answers, Peer
from gosip_check.servers.trunk import NETWORKS, Trunk
from tests.saved import here
from tests.screens import kept
from tests.unit.records import WHEN, expectation, measurement, report, verdict

PROMTOOL, NODE_EXPORTER, PROMETHEUS = map(shutil.which, ("promtool", "prometheus-node-exporter", "prometheus"))


class Listening(Trunk):
    """The demo's trunk, which also notes when a packet came to which of its servers."""

    def __enter__(self) -> "Listening":
        self.came: list[tuple[float, str]] = []
        return super().__enter__()

    def _answer_sip(self, data: bytes, peer: Peer, transport: str) -> Answers:
        call_id = next(line for line in data.decode().splitlines() if line.lower().startswith("cseq"))
        self.came.append((time.monotonic(), call_id))
        return super()._answer_sip(data, peer, transport)


def plan_for(trunk: Trunk, *skip: str, name: str = "go-native") -> Plan:
    checklist = load(name)
    checklist = replace(checklist, trunk=replace(checklist.trunk, networks=NETWORKS))
    settings = Settings(dns_servers=[trunk.dns_server], system_resolvers=False)
    return light(Plan(checklist, select_health(checklist), [Link(name="Internet-1")], settings, skip=list(skip)))


@contextmanager
def trunk_of(fault: str | None = None) -> Iterator[Listening]:
    trunk = load("go-native").trunk
    with Listening(trunk.domain, trunk.service, trunk.transport, fault) as served:
        assert isinstance(served, Listening)
        yield served


def test_every_checklist_marks_a_light_subset() -> None:
    for name in shipped():
        ids = [requirement.id for requirement in select_health(load(name))]
        assert {"dns.srv-answers", "firewall.signalling-every-target", "host.cpu"} <= set(ids)


@pytest.mark.waits
@pytest.mark.parametrize("fault", [None, "silent"])
def test_it_is_polite_and_bounded(fault: str | None) -> None:
    """Two light checks on end: never two packets within a second to one server, retransmissions included."""
    with trunk_of(fault) as trunk:
        plan = plan_for(trunk, "host.*")
        begun_s = time.monotonic()
        first = check_once(plan, threading.Event()).report
        assert time.monotonic() - begun_s < LONGEST_S
        if fault is None:
            check_once(plan, threading.Event())
    assert first.outcome is (Readiness.READY if fault is None else Readiness.INCONCLUSIVE)
    count = {None: 2 * 3, "silent": 3}[fault]  # one for signalling and two for the ALG; three tries
    assert len(trunk.came) == 2 * count  # two servers, side by side
    times = sorted(at for at, _ in trunk.came)
    for earlier, later in zip(times, times[2:], strict=False):
        assert later - earlier > 0.9


@pytest.mark.waits
def test_turns_keep_packets_to_one_server_apart() -> None:
    turns, times = Turns(0.2), []
    context = Context(Link(name="x"), turns=turns)

    def talk() -> None:
        with context.turn("192.0.2.1"):
            times.append(time.monotonic())

    threads = [threading.Thread(target=talk) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(later - earlier >= 0.2 for earlier, later in pairwise(times))
    assert Context(Link(name="x"), turns=Turns(1.0)).t1_s == 1.0
    assert Context(Link(name="x")).t1_s == 0.5


def test_stopped_it_is_interrupted_and_not_kept() -> None:
    stop = threading.Event()
    stop.set()
    with trunk_of() as trunk:
        assert check_once(plan_for(trunk), stop).interrupted


@pytest.mark.waits
def test_a_check_that_its_time_ended_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every line takes its seconds, and four of them more than there are."""
    monkeypatch.setattr("gosip_check.health.watch._STOP_AFTER_S", -1.0)
    history = ["--history", tmp_path / "h.sqlite", "--demo", "ready"]
    lines = ["--link", "Internet-1=127.0.0.1", "--link", "Internet-2=127.0.0.1"]
    words = "A light check may take 10 s, and this one was stopped before everything was measured."
    code, printed = here("health", *history, *lines)
    assert code == 3
    assert f"{words} Lines are measured one after the other: name fewer of them" in " ".join(printed.split())
    assert "CHANGED: A light" not in printed
    alone = " ".join(here("health", *history)[1].split())
    assert words in alone
    assert "Lines are measured" not in alone


NAGIOS = {
    "ok": ("ready", ("pass",), 0, "OK - all 1 required checks passed. | duration=4.000s"),
    "warning": ("ready", ("pass", "warn"), 1, "WARNING - It is not so (group.name). | "),
    "critical": ("not-ready", ("fail", "warn"), 2, "CRITICAL - It is not so (group.name). | "),
    "unknown": ("inconclusive", ("unknown",), 3, "UNKNOWN - It is not so not measured. | "),
}


@pytest.mark.parametrize(("outcome", "verdicts", "code", "line"), NAGIOS.values(), ids=NAGIOS)
def test_nagios(outcome: str, verdicts: tuple[str, ...], code: int, line: str) -> None:
    found = report(*(verdict(each, headline="It is not so") for each in verdicts), outcome=Readiness(outcome))
    assert state(found) == code
    assert to_nagios(found).startswith(line)
    assert to_nagios(found).count("\n") == 1


def test_the_cause_stands_first_and_whole_and_a_change_after_it() -> None:
    """In the first 120 characters, which is what a pager shows."""
    cause = verdict("fail", id="alg.absent", headline="SIP ALG is on in 192.168.1.1", explains=["a.effect"])
    others = [verdict("fail", id="a.effect"), verdict("warn", "should", id="host.cpu", headline="This machine is busy")]
    line = to_nagios(report(*others, cause, outcome=Readiness.NOT_READY), "CHANGED: alg.absent changed.")
    assert line == (
        "CRITICAL - SIP ALG is on in 192.168.1.1 (alg.absent). CHANGED: alg.absent changed. | duration=4.000s\n"
    )


@pytest.mark.parametrize(
    "state_of_site", ["sip-alg", "blocked-5060", "no-dns", "wrong-srv", "cable-out", "unknown-line"]
)
def test_the_worst_cause_is_within_120_characters(state_of_site: str) -> None:
    made = kept(state_of_site)
    summary = summary_of(made)
    first = summary.problems[0].title if summary.problems else summary.gaps[0].titles[0]
    assert first in to_nagios(made)[:120]


def test_a_busy_machine_is_a_figure_and_no_event() -> None:
    facts = {"cpu_pct": 98.0}
    busy = verdict("warn", "should", id="host.cpu", facts=facts, expected=[expectation("cpu_pct", "max", 80)])
    idle = replace(busy, outcome=Outcome.PASS)
    found = report(verdict(), busy)
    assert state(found) == 0
    assert "'host.cpu cpu_pct'=98%;80;" in to_nagios(found)
    assert news(report(idle), report(busy)) == news(report(busy), report(idle)) == []


@pytest.mark.waits
def test_nagios_sees_a_change_of_everything(tmp_path: Path) -> None:
    common = ["health", "--nagios", "--history", tmp_path / "h.sqlite", "--skip", "host.*"]
    here(*common, "--demo", "ready")
    code, line = here(*common, "--demo", "refused")
    assert code == 2
    assert line.count("CHANGED: ") == 2
    assert line.startswith(
        "CRITICAL - A demo, no site. SIP does not get through to GO (5060/UDP) (firewall.signalling). "
        "CHANGED: firewall.signalling on Internet-1 changed from pass to fail; it had "
    )


@pytest.mark.waits
def test_a_demo_says_so_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And stands in nobody's history, but the one that is named."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    json, metrics, page = (tmp_path / name for name in ("r.json", "x.prom", "r.html"))
    code, printed = here("health", "--demo", "nxdomain", "--json", json, "--prometheus", metrics)
    said = " ".join(printed.split())
    assert (code, "NOT READY GO native SIP trunk, Internet-1, health only, a demo, no site" in said) == (1, True)
    assert 'command="health --demo"' in metrics.read_text()
    code, checked = here("report", "check", json)
    assert (code, "NOT RIGHT" in checked) == (3, False)
    assert "It was made by the demo: an emulated trunk, not a site." in checked
    here("report", "html", json, page)
    assert "A demo: an emulated trunk on one machine, not a site" in page.read_text()
    assert here("health", "--demo", "nxdomain", "--nagios")[1].startswith(
        "CRITICAL - A demo, no site. This site's DNS does not find the trunk of GO (dns.srv-answers)."
    )
    assert not (tmp_path / "state").exists()
    assert here("health", "--demo", "nxdomain", "--history", tmp_path / "h.sqlite")[0] == 1
    assert "1 run(s) kept" in here("history", "show", "--history", tmp_path / "h.sqlite")[1]
    here_only = report(verdict("pass"))
    assert site_of(here_only) != site_of(replace(here_only, command="health --demo"))


def test_performance_data_have_thresholds_and_no_second_bar() -> None:
    facts = {"rtt_ms.p95": 12.5, "loss_pct": 0.25, "count": 2}
    expected = [
        expectation("rtt_ms.p95", "max", 300),
        expectation("loss_pct", "max", 1),
        expectation("count", "min", 2),
    ]
    found = report(
        verdict("fail", facts=facts, expected=expected, reason="a | b\n'c'\x1b"), outcome=Readiness.NOT_READY
    )
    line = to_nagios(found)
    assert line.endswith(
        "| duration=4.000s 'group.name rtt_ms.p95'=12.5ms;;300 'group.name loss_pct'=0.25%;;1 "
        "'group.name count'=2;;2:\n"
    )
    assert line.count("|") == 1
    assert "\x1b" not in line
    slow = verdict("warn", level="should", facts=facts, expected=expected[:1])
    slow = replace(slow, preferred=[expectation("rtt_ms.p95", "max", 10)])
    assert to_nagios(report(slow)).endswith("'group.name rtt_ms.p95'=12.5ms;10;\n")
    assert to_nagios(report(replace(slow, level=Level.MUST))).endswith("'group.name rtt_ms.p95'=12.5ms;10;300\n")


@pytest.mark.waits
def test_a_change_is_said_once(tmp_path: Path) -> None:
    common = ["health", "--history", tmp_path / "h.sqlite", "--skip", "host.*", "--quiet"]
    codes, printed = zip(
        *(here(*common, "--demo", fault) for fault in ("ready", "nxdomain", "nxdomain", "ready")), strict=True
    )
    assert codes == (0, 1, 1, 0)
    told = [text.count("CHANGED: ") for text in printed]
    assert told == [0, 1, 0, 1]  # the cause; what is skipped for it is none
    assert "dns.srv-answers on Internet-1 changed from pass to fail; it had been pass in 1 run(s) since" in printed[1]


def example() -> Report:
    return report(
        verdict("pass", id="dns.ttl"),
        verdict("fail", id="alg.absent", link='Internet "2"\n'),
        measurements=[measurement({"rtt_ms": 12.5, "loss_pct": 1.0, "rate_kbps": 100, "ttl_max_s": 300, "count": 7})],
        outcome=Readiness.NOT_READY,
    )


def test_metrics_have_base_units() -> None:
    text = to_prometheus(example(), WHEN).decode()
    for line in (
        'gosip_check_requirement_state{level="must",link="Internet-1",requirement="dns.ttl"} 0.0',
        'gosip_check_requirement_state{level="must",link="Internet \\"2\\"\\\\x0a",requirement="alg.absent"} 2.0',
        "gosip_check_outcome 1.0",
        "gosip_check_last_run_timestamp_seconds 1.7954",
        "gosip_check_last_success_timestamp_seconds 1.7954",
        'gosip_check_p_rtt_seconds{link="Internet-1"} 0.0125',
        'gosip_check_p_loss_ratio{link="Internet-1"} 0.01',
        'gosip_check_p_rate_bytes_per_second{link="Internet-1"} 12500.0',
    ):
        assert line in text
    assert "python_" not in text
    assert "_count" not in text  # a number without a unit is no measured figure
    assert "last_success" not in to_prometheus(example(), None).decode()


@pytest.mark.waits
@pytest.mark.skipif(PROMTOOL is None, reason="needs promtool (Debian package prometheus)")
def test_promtool_finds_nothing_to_complain_of() -> None:
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=to_prometheus(example(), WHEN), capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
