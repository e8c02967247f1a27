"""Saved reports: read whoever wrote them, judged anew whatever was done to them, compared."""

import copy
import functools
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gosip_check import __version__
from gosip_check.checklist import load, load_file
from gosip_check.judge import judge
from gosip_check.probes import PROBES
from gosip_check.probes.probe import fill_options
from gosip_check.records import Checklist, Outcome, Report
from gosip_check.rejudge import rejudge
from gosip_check.report import FORMATS
from gosip_check.report.changes import changes
from gosip_check.report.figures import figures
from gosip_check.report.load import ReportError, parse
from gosip_check.values import unit_of
from tests.saved import DATA, demo, here, save
from tests.unit.records import expectation, measurement, report, requirement, verdict
from tests.unit.test_forgeries import measurement_of

OLD = DATA / "report-first-minor.json"


def test_a_report_of_the_first_minor_version_is_shown_judged_and_made_a_page(tmp_path: Path) -> None:
    code, printed = here("report", "show", OLD)
    assert code == 1
    assert "NOT READY" in printed
    assert here("report", "html", OLD, tmp_path / "old.html")[0] == 0
    code, printed = here("report", "judge", OLD, "--checklist", DATA / "go-native-first.toml")
    assert code == 1
    assert "2 problems to fix" in printed
    code, _ = here("report", "judge", OLD, "--checklist", "go-gateway")
    assert code == 3  # it does not tell how it was measured, so nothing passes under another checklist
    assert here("report", "check", OLD)[0] == 3
    code, printed = here("report", "check", OLD, "--checklist", DATA / "go-native-first.toml")
    assert "contradiction" not in printed
    assert code == 3
    assert "It was made by the demo" in printed
    assert "It says that gosip-check 0.0.9 wrote it" in printed
    assert here("report", "compare", OLD, OLD)[0] == 0


def test_what_the_provider_is_called_is_no_part_of_how_it_was_measured() -> None:
    """A checklist that gives no name, such as an old one, judges what a run under the shipped one has measured."""
    shipped, old = load("go-gateway"), load_file(DATA / "go-gateway-alone.toml")
    options = fill_options(PROBES["management"], {}, msgspec.structs.asdict(shipped.trunk))
    measured = msgspec.structs.replace(
        measurement({"outbound_open": True, "evidence": {"outbound_open": "4 of 4."}}),
        probe="management",
        options=msgspec.to_builtins(options),
    )
    [asked] = [requirement for requirement in old.requirements if requirement.id == "gateway.management"]
    [judged] = rejudge(report(measurements=[measured]), old, [asked]).verdicts
    assert (judged.outcome, judged.reason) == (Outcome.PASS, "4 of 4.")
    moved = msgspec.structs.replace(old, trunk=msgspec.structs.replace(old.trunk, management_ports=[22]))
    [judged] = rejudge(report(measurements=[measured]), moved, [asked]).verdicts
    assert judged.outcome is Outcome.UNKNOWN


WRONG = {
    "nothing": (b"", "r.json: is not valid JSON: Expecting value (line 1)."),
    "no object": (b"[1]", "r.json: is no report of gosip-check: it is not an object."),
    "foreign": (b'{"schema": "other/1"}', "r.json: is no report of gosip-check: it does not name the format "),
    "no schema": (b"{}", "r.json: is no report of gosip-check: it does not name the format gosip-check/report/1."),
    "newer": (
        b'{"schema": "gosip-check/report/2"}',
        "r.json: was written in the format gosip-check/report/2; this is ",
    ),
    "bytes": (b"{\xff}", "r.json: is not UTF-8 text (byte 1); save it as UTF-8."),
    "twice": (b'{"schema": "x", "schema": "gosip-check/report/1"}', "a name stands twice in one object."),
    "NaN": (b'{"schema": NaN}', "r.json: is not valid JSON: NaN is no JSON."),
    "a little too deep": (b'{"facts": ' + b"[" * 32 + b"]" * 32 + b"}", "r.json: is nested too deeply to be a report."),
    "deep": (b'{"schema": ' + b"[" * 200_000, "r.json: is nested too deeply to be a report."),
    "cut off": (b'{"schema": "gosip-check/report/1"', "r.json: is not valid JSON: "),
    "missing": (b'{"schema": "gosip-check/report/1"}', "is damaged or was edited: Object missing required field id."),
}


@pytest.mark.parametrize(("content", "sentence"), WRONG.values(), ids=WRONG)
def test_what_is_no_report_is_refused_with_a_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(ReportError) as caught:
        parse(content, "r.json")
    assert sentence in str(caught.value)
    assert str(caught.value).startswith("r.json: ")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("id", "0" * 65, "an id of 65 letters, and a run's has 26"),
        ("links", [{**demo()["links"][0], "name": str(number)} for number in range(65)], "65 internet lines, and a"),
        ("skip", ["host.*"] * 201, "more of what was left out on request"),
        ("skip", ["[" * 201], "more of what was left out on request"),
        ("verdicts", demo()["verdicts"] * 60, "verdicts, and no checklist has so many requirements"),
        ("measurements", demo()["measurements"] * 65, "measurements, and no run makes so many"),
    ],
)
def test_more_of_something_than_a_run_makes_is_no_report(name: str, value: Any, words: str) -> None:
    """Who reads a report takes time for each with each, and a page holds only so long an id."""
    with pytest.raises(ReportError, match=re.escape(words)):
        parse(json.dumps({**demo(), name: value}).encode(), "report.json")


def test_a_newer_minor_version_is_refused_and_told_as_such() -> None:
    document = demo()
    for more in ({}, {"colour": "blue"}):
        document.update(tool_version="9.1.0", **more)
        with pytest.raises(
            ReportError, match=rf"was written by gosip-check 9\.1\.0; this is {re.escape(__version__)}, and older\."
        ):
            parse(json.dumps(document).encode(), "r.json")
    document.update(tool_version=__version__)
    with pytest.raises(ReportError, match=r"is damaged or was edited: Object contains unknown field colour"):
        parse(json.dumps(document).encode(), "r.json")


def test_under_another_checklist_what_was_measured_otherwise_is_unknown(tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    code, _ = here("report", "judge", save(demo(), tmp_path), "--checklist", "go-gateway", "--json", again)
    judged = json.loads(again.read_text())
    assert code == 3
    assert judged["checklist"]["id"] == "go-gateway"
    outcomes = {v["id"]: v["outcome"] for v in judged["verdicts"]}
    assert outcomes["dns.srv-answers"] == "unknown"  # that trunk has other SRV records, which nobody asked for
    passed = {
        name for name, outcome in outcomes.items() if outcome == "pass" and not name.startswith(("host.", "link."))
    }
    assert passed == {"firewall.rtp"}  # both trunks have the same media ports and networks


TYPES: list[Any] = [None, True, False, 0, 1, -1.5, 10**30, "true", "", [], ["x"], {}, {"between": 1}, [[1]]]


@pytest.mark.parametrize(
    ("operator", "wanted"),
    [("is", True), ("is", 5), ("is", "x"), ("one_of", ["x", 1]), ("min", 5), ("max", 0.5), ("includes", "x")],
)
def test_a_fact_of_the_wrong_type_is_unknown_and_no_crash(operator: str, wanted: Any) -> None:
    asked = requirement(expectation("ok", operator, wanted))
    for found in TYPES:
        outcome = judge(asked, measurement({"ok": found, "evidence": {}})).outcome
        if found is None:
            assert outcome is Outcome.UNKNOWN
        if operator in ("min", "max") and (isinstance(found, bool) or not isinstance(found, int | float)):
            assert outcome is Outcome.UNKNOWN
        if operator == "includes" and not isinstance(found, list):
            assert outcome is Outcome.UNKNOWN
        if operator == "is" and isinstance(found, bool) != isinstance(wanted, bool):
            assert outcome is Outcome.UNKNOWN
    assert judge(requirement(), measurement({"ok": "true", "evidence": 5})).outcome is Outcome.UNKNOWN
    assert judge(requirement(), measurement({"ok": 1, "evidence": {"ok": 7}})).outcome is Outcome.UNKNOWN


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
NAMES = [
    "servers", "rtts_ms", "hops", "series", "per_channel", "changes", "culprit", "blocked", "evidence", "ttl_max_s",
]  # fmt: skip


@functools.cache
def _checklist() -> Checklist:
    return load("go-native")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(facts=st.dictionaries(st.sampled_from(NAMES), ANYTHING), place=st.integers(0, 3))
def test_no_saved_facts_break_anything(facts: dict[str, Any], place: int) -> None:
    document = demo()
    chosen = document["measurements"][place % len(document["measurements"])]
    chosen["facts"] = {**(chosen["facts"] or {}), **facts}
    chosen["failure"] = None
    loaded = parse(json.dumps(document).encode(), "r.json")
    checklist = _checklist()
    again = rejudge(loaded, checklist)
    asked = [r for r in checklist.requirements if r.group not in ("redundancy", "account", "pbx")]
    on_one_line = [r for r in asked if r.probe != "registration"]  # that one needs a login
    assert [verdict.id for verdict in again.verdicts] == [requirement.id for requirement in on_one_line]
    for name in ("html", "svg"):
        assert FORMATS[name](loaded)
    changes(loaded, again)
    figures(loaded)


def test_what_changed_is_told_by_requirement_and_by_figure(tmp_path: Path) -> None:
    before, after = save(demo(), tmp_path, "a.json"), save(demo("malformed"), tmp_path, "b.json")
    code, printed = here("report", "compare", before, after)
    assert code == 1
    assert printed.startswith(
        "fixed 0, worse 4, still open 0, not looked at any more 2 (READY before, NOT READY now)\n"
    )
    assert "firewall.signalling: pass -> fail" in printed
    assert "signalling.any_server_answers" not in printed
    assert "signalling.any_server_answers: yes -> no" in here("report", "compare", before, after, "--all")[1]
    assert "dns.srv-answers" not in printed
    code, printed = here("report", "compare", after, before)
    assert code == 0
    assert printed.startswith("fixed 2, worse 0, still open 0, decided now 2 (NOT READY before, READY now)\n")
    assert here("report", "compare", before, before) == (
        0,
        "fixed 0, worse 0, still open 0 (READY before, READY now)\n",
    )
    assert "Nothing changed." in here("report", "compare", before, before, "--all")[1]


def test_two_runs_of_the_same_site_say_nothing_changed(tmp_path: Path) -> None:
    """Ports, seeds and microseconds are others every time."""
    first, second = demo(), copy.deepcopy(demo())
    for measured in second["measurements"]:
        facts = measured["facts"] or {}
        for name, value in facts.items():
            if name in ("local_port", "seed"):
                facts[name] = (value or 0) + 4321
        if measured["probe"] == "media":
            facts.update(reflector="127.0.0.1:9", mapped_address="127.0.0.1:10", worst_jitter_ms=0.9)
            facts["rtt_ms"].update(p50=0.8)
    found = changes(msgspec.convert(first, Report), msgspec.convert(second, Report))
    assert found.statements == []
    assert [figure.name for figure in found.figures if figure.is_marked] == []
    assert "media.worst_jitter_ms" in [figure.name for figure in found.figures]
    facts = measurement_of(second, "media")["facts"]
    facts.update(reflector="192.0.2.1:862", window15_loss_pct=0.5)
    found = changes(msgspec.convert(first, Report), msgspec.convert(second, Report))
    assert [(s.name, s.after) for s in found.statements] == [("media.reflector", "192.0.2.1")]
    assert "media.window15_loss_pct" in [figure.name for figure in found.figures if figure.is_marked]


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_time_that_no_clock_showed_is_no_report(when: str) -> None:
    document = demo()
    document["started"] = when
    with pytest.raises(ReportError, match="is damaged or was edited: it was made in the year"):
        parse(json.dumps(document).encode(), "r.json")
    document = demo()
    document["measurements"][0]["started"] = when
    with pytest.raises(ReportError, match="is damaged or was edited: it was made in the year"):
        parse(json.dumps(document).encode(), "r.json")


def test_a_computer_that_has_lost_its_clock_makes_a_report_all_the_same() -> None:
    document = demo()
    document["started"] = "1970-01-01T00:00:07Z"
    assert parse(json.dumps(document).encode(), "r.json").started.year == 1970


def test_figures_and_their_units() -> None:
    facts = {
        "rtt_ms": {"p95": 12.5},
        "servers": [{"address": "a", "port": 5060, "rtts_ms": [1.0, 3.0]}, {"rtts_ms": [5.0, "x", None]}],
        "is_up": True,
        "huge": 10**400,
        "evidence": {"rtt_ms": "words"},
    }
    found = figures(report(measurements=[measurement(facts)]))
    assert found == {("Internet-1", "p.rtt_ms.p95"): 12.5, ("Internet-1", "p.rtts_ms"): 3.0}
    assert [unit_of(name) for name in ("p.rtt_ms.p95", "p.loss_pct", "p.count", "p.ttl_max_s")] == ["ms", "%", "", "s"]


def test_small_moves_of_a_figure_are_not_marked() -> None:
    def one(value: float) -> Report:
        return report(verdict(), measurements=[measurement({"rtt_ms": value})])

    (small,) = changes(one(100), one(110)).figures
    (large,) = changes(one(100), one(130)).figures
    assert (small.is_marked, large.is_marked) == (False, True)
    assert changes(one(100), report(verdict(), measurements=[])).figures[0].after is None


def test_the_report_is_never_overwritten_by_its_own_page(tmp_path: Path) -> None:
    path = save(demo(), tmp_path)
    code, printed = here("report", "html", path, path)
    assert code == 2
    assert "is the report itself" in printed
    assert json.loads(path.read_text())


def test_a_run_says_who_measured_and_what_was_left_out() -> None:
    document = demo()
    assert document["host"]["name"]
    assert document["skip"] == ["host.*"]
    assert document["links"][0]["source"] == "127.0.0.1"
    assert all(m["options"] is not None for m in document["measurements"])
    assert document["checklist"]["sha256"]
    assert msgspec.convert(document, Report).started <= datetime.now(UTC)
