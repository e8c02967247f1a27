"""Order, sharing, deadlines and stopping of a run, with probes of the test's own."""

import math
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from gosip_check import run as running
from gosip_check.judge import judge
from gosip_check.probes import net, probe
from gosip_check.probes.probe import STOPPED, Context, Probe, ProbeFailed
from gosip_check.records import (
    Checklist,
    ChecklistIdentity,
    FailureKind,
    Link,
    Outcome,
    Readiness,
    Report,
    Requirement,
    Settings,
    Trunk,
    Verdict,
)
from gosip_check.run import Observer, Plan, report_id, run, select

from .records import WHEN, expectation, requirement

LINK = Link("Internet-1")


class Options(probe.Options, frozen=True):
    """`domain` comes from the trunk, `dns_servers` from the settings."""

    domain: str
    which: int = 0
    dns_servers: list[str] = []


class Facts(probe.Facts, frozen=True):
    ok: bool | None = True
    number: float | None = 0.0
    options: Options | None = None


Measure = Callable[[Options, Context], Facts]


def good(options: Options, context: Context) -> Facts:
    del context
    return Facts(evidence={"ok": "All is well."}, options=options)


def bad(options: Options, context: Context) -> Facts:
    del options, context
    return Facts(evidence={"ok": "It is broken."}, ok=False)


def make(name: str, measure: Measure = good, **changes: Any) -> Probe:
    return Probe(name, Options, Facts, measure, **changes)


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts probes of the test's own in the place of the real ones."""

    def put(*own: Probe) -> None:
        monkeypatch.setattr(running, "PROBES", {each.name: each for each in own})

    return put


Put = Callable[..., None]


def asks(probe: str, name: str | None = None, **changes: Any) -> Requirement:
    """A requirement that wants the fact `ok` of a probe."""
    return requirement(id=f"group.{name or probe}", probe=probe, **changes)


def plan(*requirements: Requirement, networks: Sequence[str] = ("127.22.184.0/24",), **changes: Any) -> Plan:
    trunk = Trunk(
        domain="trunk.example",
        service="sip",
        transport="udp",
        port=5060,
        networks=list(networks),
        rtp_ports=(1024, 65535),
        codec="PCMA",
        dtmf="telephone-event",
        reregistration_s=295,
        kbps_per_channel=100,
    )
    identity = ChecklistIdentity("own", "Own", "1", "0" * 64)
    checklist = Checklist(identity, "a guide", "2026-11-22", trunk, list(requirements))
    values: dict[str, Any] = {"links": [LINK], "settings": Settings()}
    return Plan(checklist, list(requirements), **{**values, **changes})


def go(of: Plan, stop: threading.Event | None = None, observer: Observer | None = None) -> Report:
    return run(of, stop or threading.Event(), observer or Observer())


def outcomes(report: Report) -> dict[str, Outcome]:
    return {verdict.id.removeprefix("group."): verdict.outcome for verdict in report.verdicts}


def test_a_good_run(probes: Put) -> None:
    probes(make("a"))
    judged: list[Verdict] = []
    said: list[str] = []
    report = go(plan(asks("a")), observer=Observer(said.append, judged.append))
    assert (report.outcome, report.counts[Outcome.PASS]) == (Readiness.READY, 1)
    assert report.verdicts == judged
    assert report.verdicts[0].reason == "All is well."
    assert report.verdicts[0].measurement == report.measurements[0].id == "m1"
    assert (report.links[0].outcome, report.links[0].trouble) == (Readiness.READY, None)
    assert report.links[0].source is not None
    assert report.links[0].source.startswith("127.")
    assert report.counts == {outcome: int(outcome is Outcome.PASS) for outcome in Outcome}


def test_requirements_that_ask_the_same_share_one_measurement(probes: Put) -> None:
    calls: list[Options] = []

    def measure(options: Options, context: Context) -> Facts:
        calls.append(options)
        return good(options, context)

    probes(make("a", measure))
    report = go(
        plan(
            asks("a", "one"),
            asks("a", "two", expect=[expectation("number", "max", 1)]),
            asks("a", "late", needs=["group.one"]),
            asks("a", "other", options={"which": 7}),
        )
    )
    assert sorted(options.which for options in calls) == [0, 7]
    shared = {verdict.id: verdict.measurement for verdict in report.verdicts}
    assert shared["group.one"] == shared["group.two"] == shared["group.late"] != shared["group.other"]
    assert len(report.measurements) == 2


def test_options_come_from_requirement_settings_and_trunk(probes: Put) -> None:
    probes(make("a"))
    report = go(plan(asks("a", options={"which": 3}), settings=Settings(dns_servers=["127.0.0.1"])))
    assert report.measurements[0].facts is not None
    assert report.measurements[0].facts["options"] == {
        "domain": "trunk.example",
        "which": 3,
        "dns_servers": ["127.0.0.1"],
    }


def test_what_needs_something_that_did_not_pass_is_skipped(probes: Put) -> None:
    probes(make("a", bad), make("b"))
    report = go(plan(asks("a"), asks("b", needs=["group.a"]), asks("b", "third", needs=["group.b"])))
    assert outcomes(report) == {"a": Outcome.FAIL, "b": Outcome.SKIPPED, "third": Outcome.SKIPPED}
    assert report.verdicts[1].reason == "Not looked at, because group.a did not pass."
    assert report.verdicts[2].reason == "Not looked at, because group.b did not pass."
    assert [measurement.probe for measurement in report.measurements] == ["a"]
    assert report.outcome is Readiness.NOT_READY


@pytest.mark.parametrize("pattern", ["group.a", "group.*", "*.a", "group.[a]"])
def test_skip_globs(probes: Put, pattern: str) -> None:
    probes(make("a"))
    report = go(plan(asks("a"), skip=[pattern]))
    assert outcomes(report) == {"a": Outcome.SKIPPED}
    assert report.verdicts[0].reason == f"Skipped on request (--skip {pattern})."
    assert (report.measurements, report.outcome) == ([], Readiness.INCONCLUSIVE)


def test_a_glob_that_fits_nothing_skips_nothing(probes: Put) -> None:
    probes(make("a"))
    assert outcomes(go(plan(asks("a"), skip=["a", "Group.a", "group"]))) == {"a": Outcome.PASS}


def test_select_takes_along_what_is_needed() -> None:
    first, second = asks("a", "first"), asks("a", "second", needs=["group.first"])
    third, other = asks("a", "third", needs=["group.second"]), asks("a", "other")
    checklist = plan(first, second, other, third).checklist
    assert select(checklist, ["group.third"]) == [first, second, third]
    assert select(checklist, ["group.o*", "group.first"]) == [first, other]
    assert select(checklist, ["nothing"]) == []


def test_a_bug_in_a_probe_is_told_judged_unknown_and_stops_nothing(probes: Put) -> None:
    def buggy(options: Options, context: Context) -> Facts:
        del options, context
        raise KeyError("missing")

    probes(make("a", buggy), make("b"))
    report = go(plan(asks("a"), asks("b"), asks("b", "after", needs=["group.a"])))
    assert outcomes(report) == {"a": Outcome.UNKNOWN, "b": Outcome.PASS, "after": Outcome.SKIPPED}
    failure = next(m.failure for m in report.measurements if m.probe == "a")
    assert failure is not None
    assert failure.kind is FailureKind.BUG
    assert "KeyError: 'missing' (buggy, line " in failure.message
    assert report.outcome is Readiness.INCONCLUSIVE


@pytest.mark.parametrize("kind", list(FailureKind))
def test_a_failure_is_recorded_and_judged(probes: Put, kind: FailureKind) -> None:
    def failing(options: Options, context: Context) -> Facts:
        raise ProbeFailed(kind, "It did not work.", "192.0.2.1")

    probes(make("a", failing))
    report = go(plan(asks("a")))
    (measurement,) = report.measurements
    assert measurement.facts is None
    assert measurement.failure is not None
    assert (measurement.failure.kind, measurement.failure.culprit) == (kind, "192.0.2.1")
    expected = Outcome.UNKNOWN if kind.says_nothing_about_the_site else Outcome.FAIL
    assert (report.verdicts[0].outcome, report.verdicts[0].reason) == (expected, "It did not work.")


def test_a_stopped_run_still_reports_what_it_measured(probes: Put) -> None:
    stop = threading.Event()

    def waiting(options: Options, context: Context) -> Facts:
        del options
        stop.set()
        context.wait(600)
        raise AssertionError("was not woken")

    probes(make("a"), make("b", waiting))
    report = go(
        plan(
            asks("a"),
            asks("b", needs=["group.a"]),
            asks("a", "needing", needs=["group.b"]),
            asks("a", "different", options={"which": 1}, needs=["group.b"]),
            asks("a", "further", needs=["group.different"]),
        ),
        stop,
    )
    unknown = dict.fromkeys(("b", "needing", "different", "further"), Outcome.UNKNOWN)
    assert outcomes(report) == {"a": Outcome.PASS, **unknown}
    assert {verdict.reason for verdict in report.verdicts[1:]} == {STOPPED}
    assert [measurement.probe for measurement in report.measurements] == ["a", "b"]
    assert report.outcome is Readiness.INCONCLUSIVE


def test_a_run_that_was_stopped_before_it_began_measures_nothing(probes: Put) -> None:
    probes(make("a"))
    stop = threading.Event()
    stop.set()
    report = go(plan(asks("a"), asks("a", "skipped"), skip=["group.skipped"]), stop)
    assert outcomes(report) == {"a": Outcome.UNKNOWN, "skipped": Outcome.SKIPPED}
    assert (report.verdicts[0].reason, report.measurements) == (STOPPED, [])


def test_a_probe_that_does_not_heed_stop_is_left_behind(probes: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_STOP_GRACE_S", 0.0)
    stop, release = threading.Event(), threading.Event()

    def deaf(options: Options, context: Context) -> Facts:
        stop.set()
        assert release.wait(timeout=60)
        return good(options, context)

    probes(make("a", deaf))
    report = go(plan(asks("a")), stop)
    release.set()
    (measurement,) = report.measurements
    assert measurement.failure is not None
    assert (measurement.failure.kind, measurement.failure.message) == (FailureKind.INTERRUPTED, STOPPED)
    assert outcomes(report) == {"a": Outcome.UNKNOWN}


def test_a_probe_that_takes_longer_than_it_may_is_left_behind(probes: Put) -> None:
    release = threading.Event()

    def endless(options: Options, context: Context) -> Facts:
        assert release.wait(timeout=60)
        return good(options, context)

    probes(make("a", endless, deadline_s=0.0), make("b"))
    report = go(plan(asks("a"), asks("b"), asks("b", "after", needs=["group.a"])))
    release.set()
    assert outcomes(report) == {"a": Outcome.UNKNOWN, "b": Outcome.PASS, "after": Outcome.SKIPPED}
    assert report.verdicts[0].reason == (
        "The measurement did not end in the time that it may take, and was left behind."
    )


def test_independent_probes_run_side_by_side(probes: Put) -> None:
    met = threading.Barrier(3)

    def meeting(options: Options, context: Context) -> Facts:
        met.wait(timeout=60)  # broken, which raises, unless all three are here
        return good(options, context)

    probes(*(make(name, meeting) for name in "abc"))
    assert outcomes(go(plan(asks("a"), asks("b"), asks("c")))) == dict.fromkeys("abc", Outcome.PASS)


def test_probes_that_run_alone_never_overlap_another(probes: Put) -> None:
    active = 0
    together: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
    lock, others_met = threading.Lock(), threading.Barrier(2)

    def watched(name: str) -> Measure:
        def measure(options: Options, context: Context) -> Facts:
            nonlocal active
            with lock:
                active += 1
                together.put((name, active))
            if name in ("a", "b"):
                others_met.wait(timeout=60)
            with lock:
                together.put((name, active))
                active -= 1
            return good(options, context)

        return measure

    probes(*(make(name, watched(name), alone=name.startswith("alone")) for name in ("alone1", "a", "alone2", "b")))
    report = go(
        plan(asks("alone1"), asks("a"), asks("alone2"), asks("b"), asks("alone1", "more", options={"which": 1}))
    )
    assert set(outcomes(report).values()) == {Outcome.PASS}
    seen = [together.get() for _ in range(together.qsize())]
    assert len(seen) == 10
    assert [count for name, count in seen if name.startswith("alone")] == [1] * 6
    assert [name for name, _ in seen[:4]].count("alone1") == 0  # those that may run together come first


def test_facts_are_handed_to_the_probes_that_build_on_them(probes: Put) -> None:
    seen: list[dict[str, probe.Facts]] = []

    def building(options: Options, context: Context) -> Facts:
        seen.append(dict(context.seen))
        return good(options, context)

    probes(make("a"), make("b"), make("c", building, after=("a",)))
    go(plan(asks("a"), asks("b"), asks("c", needs=["group.a", "group.b"])))
    ((name, facts),) = seen[0].items()  # and no facts that were not asked for
    assert name == "a"
    assert isinstance(facts, Facts)


def test_a_probe_knows_its_link_and_can_say_something(probes: Put) -> None:
    said: list[str] = []

    def talking(options: Options, context: Context) -> Facts:
        context.say(f"on {context.link.name}")
        return good(options, context)

    probes(make("a", talking))
    go(plan(asks("a")), observer=Observer(said.append))
    assert said == ["on Internet-1"]


def test_two_links_are_measured_apart(probes: Put) -> None:
    def one_is_broken(options: Options, context: Context) -> Facts:
        return (bad if context.link.name == "Internet-2" else good)(options, context)

    probes(make("a", one_is_broken), make("b", after=("a",)))
    links = [Link("Internet-1", source="127.0.0.1"), Link("Internet-2", source="127.0.0.2")]
    report = go(plan(asks("a"), asks("b", needs=["group.a"]), links=links))
    assert [(v.link, v.id, v.outcome) for v in report.verdicts] == [
        ("Internet-1", "group.a", Outcome.PASS),
        ("Internet-1", "group.b", Outcome.PASS),
        ("Internet-2", "group.a", Outcome.FAIL),
        ("Internet-2", "group.b", Outcome.SKIPPED),
    ]
    assert [(link.name, link.source, link.outcome) for link in report.links] == [
        ("Internet-1", "127.0.0.1", Readiness.READY),
        ("Internet-2", "127.0.0.2", Readiness.NOT_READY),
    ]
    assert [measurement.id for measurement in report.measurements] == ["m1", "m2", "m3"]
    assert report.outcome is Readiness.NOT_READY


def no_route(link: Link, towards: str) -> str:
    raise ProbeFailed(FailureKind.UNREACHABLE, f"There is no route to {towards}.")


def test_without_a_network_there_is_one_trouble_and_no_cascade(probes: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net, "source_address", no_route)
    asked: list[str] = []

    def remote(options: Options, context: Context) -> Facts:
        asked.append("remote")
        return good(options, context)

    probes(make("a", remote), make("here", local=True))
    report = go(plan(asks("a"), asks("here"), asks("a", "b", needs=["group.a"])))
    assert outcomes(report) == {"a": Outcome.SKIPPED, "here": Outcome.PASS, "b": Outcome.SKIPPED}
    assert asked == []
    assert {report.verdicts[0].reason, report.verdicts[2].reason} == {"There is no network towards the provider."}
    assert report.links[0].trouble == (
        "Could not run: no network towards the provider. There is no route to 127.22.184.1."
    )
    assert (report.outcome, report.links[0].outcome) == (Readiness.INCONCLUSIVE, Readiness.INCONCLUSIVE)


def test_a_link_whose_address_is_gone_is_in_trouble(probes: Put) -> None:
    probes(make("a"))
    report = go(plan(asks("a"), links=[Link("Internet-1", source="192.0.2.77"), Link("Internet-2")]))
    assert [verdict.outcome for verdict in report.verdicts] == [Outcome.SKIPPED, Outcome.PASS]
    assert report.links[0].trouble is not None
    assert report.links[1].trouble is None


@pytest.mark.parametrize("network", ["127.22.184.27/32", "127.22.184.26/31", "::1/128"])
def test_a_network_of_one_address(probes: Put, network: str) -> None:
    probes(make("a"))
    report = go(plan(asks("a"), networks=[network]))
    if network == "::1/128" and report.links[0].trouble:
        pytest.skip("this machine has no IPv6 loopback")
    assert outcomes(report) == {"a": Outcome.PASS}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("operator", ["min", "max", "is"])
def test_a_number_that_is_none_decides_nothing(probes: Put, number: float, operator: str) -> None:
    probes(make("a", lambda options, context: Facts(evidence={}, number=number)))
    wanted = asks("a", expect=[expectation("number", operator, 5.0)])
    report = go(plan(wanted))
    assert outcomes(report) == {"a": Outcome.UNKNOWN}
    # the saved report is judged as the run was
    saved = msgspec.json.decode(msgspec.json.encode(report), type=Report)
    assert judge(wanted, saved.measurements[0]) == report.verdicts[0]


def test_facts_that_cannot_be_written_are_a_bug_of_that_probe(probes: Put) -> None:
    probes(make("a", lambda options, context: Facts(evidence={"ok": "\ud800"})), make("b"))
    report = go(plan(asks("a"), asks("b")))
    assert outcomes(report) == {"a": Outcome.UNKNOWN, "b": Outcome.PASS}
    assert msgspec.json.encode(report)


def test_ids_sort_by_time() -> None:
    ids = [report_id(WHEN), report_id(WHEN.replace(hour=11)), report_id(WHEN.replace(year=2027))]
    assert ids == sorted(ids)
    assert {len(one) for one in ids} == {26}
    assert ids[0][:10] == report_id(WHEN)[:10]
    assert ids[0] != report_id(WHEN)
