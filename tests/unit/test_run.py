"""Order, sharing, needs and what goes wrong in a probe: a run with probes of the test's own."""

import errno
import os
import queue
import resource
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gosip_check import plan as planned
from gosip_check import run as running
from gosip_check.checklist import load
from gosip_check.plan import Plan, budget, select
from gosip_check.probes import probe
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.records import (
    STOPPED,
    FailureKind,
    Link,
    Outcome,
    Readiness,
    Settings,
    Verdict,
)
from gosip_check.run import Observer
from gosip_check.scarce import has_descriptors
from tests.unit.own_probes import Facts, Measure, Options, Put, asks, bad, go, good, make, outcomes, plan
from tests.unit.records import expectation


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts probes of the test's own in the place of the real ones."""

    def put(*own: Probe) -> None:
        for module in (planned, running):
            monkeypatch.setattr(module, "PROBES", {each.name: each for each in own})

    return put


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


def test_the_budget_of_a_whole_run_is_a_minute_and_of_what_is_left_out_nothing() -> None:
    checklist = load("go-native")
    whole = Plan(checklist, checklist.requirements, [Link("x")], Settings())
    assert budget(whole) == {"media ports": 25, "a stream of voice": 12, "the load": 18}
    assert budget(replace(whole, skip=["media.*", "edge.*"])) == {"media ports": 25}
    gentle = replace(whole, settings=Settings(gentle=True), skip=["firewall.*"])
    assert budget(gentle) == {"round trips": 10}
    far_end = replace(whole, settings=Settings(reflector="192.0.2.1", thorough=True))
    assert budget(far_end) == {"media ports": 25, "a silent flow": 330, "all channels at once": 20}


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


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "too few files at once"),
        (MemoryError(), "too little memory"),
        (RuntimeError("can't start new thread"), "too few threads"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/proc/stat"), "does not show /proc/stat"),
    ],
    ids=["descriptors", "memory", "threads", "/proc"],
)
def test_what_this_machine_has_too_little_of_is_neither_a_bug_nor_the_site(
    probes: Put, error: Exception, words: str
) -> None:
    def scarce(options: Options, context: Context) -> Facts:
        try:
            raise error
        except Exception as first:
            raise KeyError("as a library hides it") from first

    probes(make("a", scarce), make("b"))
    report = go(plan(asks("a"), asks("b")))
    assert outcomes(report) == {"a": Outcome.UNKNOWN, "b": Outcome.PASS}
    failure = next(m.failure for m in report.measurements if m.probe == "a")
    assert failure is not None
    assert (failure.kind, words in failure.message) == (FailureKind.UNSUPPORTED, True)


def test_no_probe_begins_where_too_few_descriptors_are_left(probes: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gosip_check.run.has_descriptors", lambda wanted: False)
    probes(make("a"))
    report = go(plan(asks("a")))
    assert report.verdicts[0].reason == (
        "This machine lets the program open too few files at once; `ulimit -n 256` allows more."
    )


def test_descriptors_are_counted_by_opening_them() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 20, hard))
    try:
        assert has_descriptors(10)
        assert not has_descriptors(30)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(os.listdir("/proc/self/fd")) == before


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


def test_what_was_measured_before_the_stop_counts(probes: Put) -> None:
    """Beside one that takes minutes, in the same round."""
    stop = threading.Event()

    def waiting(options: Options, context: Context) -> Facts:
        del options
        stop.set()
        context.wait(600)
        raise AssertionError("was not woken")

    probes(make("a"), make("b", waiting))
    report = go(plan(asks("a"), asks("b")), stop)
    assert outcomes(report) == {"a": Outcome.PASS, "b": Outcome.UNKNOWN}


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


@pytest.mark.parametrize("heeds_stop", [True, False])
def test_what_a_probe_had_brought_when_it_was_stopped_counts(
    heeds_stop: bool, probes: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of one that is left behind. What it leaves open is as unknown as what was never looked at."""
    monkeypatch.setattr(running, "_STOP_GRACE_S", 0.0)
    stop, release = threading.Event(), threading.Event()

    def waiting(options: Options, context: Context) -> Facts:
        context.so_far(bad(options, context))
        context.so_far(Facts(evidence={"ok": "All is well."}, number=None))
        stop.set()
        if heeds_stop:
            context.wait(600)
        assert release.wait(timeout=60)
        raise AssertionError("was left behind")

    probes(make("a", waiting))
    report = go(plan(asks("a"), asks("a", "open", expect=[expectation("number", "max", 1)])), stop)
    release.set()
    (measurement,) = report.measurements
    assert (measurement.failure, measurement.stopped) == (None, True)
    assert [(verdict.outcome, verdict.stopped) for verdict in report.verdicts] == [
        (Outcome.PASS, False),
        (Outcome.UNKNOWN, True),
    ]
    assert report.verdicts[1].reason.endswith("The run was stopped before the end of this.")


def test_what_no_report_can_hold_is_a_fault_of_the_probe_that_hands_it_over(probes: Put) -> None:
    stop = threading.Event()

    def writes_nonsense(options: Options, context: Context) -> Facts:
        del options
        stop.set()
        context.so_far(Facts(evidence={"ok": "\ud800"}))
        raise AssertionError("was taken")

    probes(make("a", writes_nonsense))
    (measurement,) = go(plan(asks("a")), stop=stop).measurements
    assert measurement.failure is not None
    assert measurement.failure.kind is FailureKind.BUG
    assert "UnicodeEncodeError" in measurement.failure.message


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


@pytest.mark.parametrize("slower", [1, 2])
def test_of_a_probe_that_is_asked_twice_the_first_of_the_checklist_is_handed_on(slower: int, probes: Put) -> None:
    """Whichever of them ends first."""
    seen: list[dict[str, Any]] = []
    other_ended = threading.Event()

    def twice(options: Options, context: Context) -> Facts:
        if options.which == slower:
            assert other_ended.wait(timeout=60)
        other_ended.set()
        return good(options, context)

    def building(options: Options, context: Context) -> Facts:
        seen.append(dict(context.seen))
        return good(options, context)

    probes(make("a", twice), make("c", building, after=("a",)))
    go(plan(asks("a", "one", options={"which": 1}), asks("a", "two", options={"which": 2}), asks("c")))
    assert [facts["a"].options.which for facts in seen] == [1]


def test_a_probe_knows_its_link_and_can_say_something(probes: Put) -> None:
    said: list[str] = []

    def talking(options: Options, context: Context) -> Facts:
        context.say(f"on {context.link.name}")
        return good(options, context)

    probes(make("a", talking))
    go(plan(asks("a")), observer=Observer(said.append))
    assert said == ["on Internet-1"]


def test_a_subject_that_cannot_be_told_is_a_bug_of_that_probe(probes: Put) -> None:
    def broken(options: Options) -> str:
        raise KeyError(options.domain)

    probes(make("a", subject=broken), make("b"))
    report = go(plan(asks("a"), asks("b")))
    assert outcomes(report) == {"a": Outcome.UNKNOWN, "b": Outcome.PASS}
    failure = next(m.failure for m in report.measurements if m.probe == "a")
    assert failure is not None
    assert failure.kind is FailureKind.BUG


def test_beside_one_that_was_left_behind_nothing_runs_alone(probes: Put) -> None:
    release = threading.Event()
    asked: list[str] = []

    def endless(options: Options, context: Context) -> Facts:
        assert release.wait(timeout=60)
        return good(options, context)

    def counted(options: Options, context: Context) -> Facts:
        asked.append(context.link.name)
        return good(options, context)

    probes(make("a", endless, alone=True, deadline_s=0.0), make("b", counted, alone=True), make("c", counted))
    links = [Link("Internet-1"), Link("Internet-2")]
    report = go(plan(asks("a"), asks("b"), asks("c"), links=links))
    release.set()
    alone = [verdict for verdict in report.verdicts if verdict.id in ("group.a", "group.b")]
    assert [verdict.outcome for verdict in alone] == [Outcome.UNKNOWN] * 4
    assert "was left behind" in alone[0].reason
    assert {verdict.reason for verdict in alone[1:]} == {
        "Not measured: it must run alone, and one that was left behind is still running. Run the tool again."
    }
    assert asked == ["Internet-1", "Internet-2"]  # what need not run alone went on
