"""What a verdict is called: the loader demands it of every outcome; the first that can be filled in is taken."""

from typing import Any

import msgspec
import pytest

from gosip_check.checklist import load_file, parse, shipped
from gosip_check.judge import judge
from gosip_check.probes.net.echo import ALLOW_ALL
from gosip_check.records import Level, Outcome, Titles
from gosip_check.titles import with_facts
from gosip_check.tomlfile import TomlError
from tests.unit.records import expectation, measurement, requirement
from tests.unit.test_checklist import GOOD, HEAD, TRUNK
from tests.unit.test_checklist import requirement as written

FULL = '{ fail = "DNS does not know {domain}", unknown = "The trunk in DNS" }'


def refused(*requirements: str) -> str:
    with pytest.raises(TomlError) as caught:
        parse((HEAD + TRUNK + "\n".join(requirements)).encode(), "w.toml")
    return str(caught.value)


def test_a_title_knows_the_values_of_the_trunk_and_the_facts_of_its_probe() -> None:
    titles = '{ fail = ["{site_count} sites", "DNS does not know {domain}"], unknown = "x" }'
    [made] = parse((HEAD + TRUNK + written(titles=titles)).encode(), "w.toml").requirements
    assert isinstance(made.titles.fail, list)
    assert made.titles.fail[0] == "{site_count} sites"
    assert "{" not in made.titles.fail[1]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"titles": '{ fail = "x" }'}, "titles: unknown is empty; say what is so then."),
        ({"titles": '{ unknown = "x" }'}, "titles: fail is empty; say what is so then."),
        ({"titles": '{ fail = [], unknown = "x" }'}, "titles: fail is empty; say what is so then."),
        ({"titles": '{ warn = "x", unknown = "x" }', "level": '"must"'}, "titles: fail is empty"),
        ({"titles": '{ fail = "x", unknown = "x" }', "level": '"should"'}, "titles: warn is empty"),
        (
            {"titles": '{ fail = "{site_count}", unknown = "x" }'},
            "the last one must name no fact, which may be unknown.",
        ),
        ({"titles": '{ fail = ["{colour}", "x"], unknown = "x" }'}, "has no fact 'colour'"),
        ({"titles": '{ fails = "x" }'}, "titles: there is no key 'fails'; did you mean 'fail'?"),
        ({"titles": FULL, "means": '"{colour}"'}, "has no fact 'colour'"),
        ({"titles": FULL, "explains": '["dns.gone"]'}, "explains 'dns.gone', which is no requirement"),
        ({"titles": FULL, "explained_if": "{ ttl_max_s = [] }"}, "explained_if: ttl_max_s is neither true nor false."),
    ],
)
def test_a_wrong_title_is_refused_with_a_sentence(changes: dict[str, str], sentence: str) -> None:
    assert sentence in refused(written(**changes))


def test_in_a_file_with_titles_none_may_be_missing_and_an_older_file_has_none() -> None:
    other = GOOD.replace("dns.srv-answers", "dns.other")
    assert "requirement 'dns.other': titles is missing." in refused(written(titles=FULL), other)
    [old] = parse((HEAD + TRUNK + GOOD).encode(), "w.toml").requirements
    assert old.titles == Titles()
    assert judge(old, measurement({"srv_found": False})).headline == ""


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_requirement_is_titled_for_what_it_may_be(name: str) -> None:
    for each in load_file(shipped()[name]).requirements:
        assert each.titles.unknown
        assert each.titles.fail if each.level is Level.MUST else each.titles.warn
        assert each.means
        assert each.titles.fail != each.title


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"at": "192.0.2.1", "rtt_ms": {"p95": 12.3456}}, "blocked at 192.0.2.1 (12.3 ms)"),
        ({"at": "192.0.2.1", "rtt_ms": None}, "blocked"),
        ({"at": None}, "blocked"),
        ({"at": ["a"], "rtt_ms": {"p95": 1}}, "blocked"),
        ({"at": "x" * 99, "rtt_ms": {"p95": 1}}, "blocked"),
        ({"at": "{rtt_ms.p95}", "rtt_ms": {"p95": 1}}, "blocked at {rtt_ms.p95} (1 ms)"),
    ],
)
def test_the_first_text_whose_facts_are_known(facts: dict[str, Any], text: str) -> None:
    assert with_facts(["blocked at {at} ({rtt_ms.p95})", "blocked"], facts) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(33430.0, "33430 kb/s"), (0.0, "0 kb/s"), (0.0012, "under 0.01 kb/s"), (99.987, "100 kb/s"), (7, "7 kb/s")],
)
def test_figures_have_their_unit_and_no_exponent(value: float, text: str) -> None:
    assert with_facts("{rate_kbps}", {"rate_kbps": value}) == text


def test_a_verdict_carries_what_fits_its_outcome() -> None:
    titles = Titles(fail="It is on in {culprit}", warn="It may be on", unknown="The check")
    asked = requirement(
        expectation("ok", "is", True), titles=titles, means="Calls drop.", figure="{count} seen", explains=["a.b"],
        explained_if={"small": ["a.c"]}, decided_by={"--reflector HOST": "a far end"},
    )  # fmt: skip
    failed = judge(asked, measurement({"ok": False, "culprit": "192.0.2.1", "small": True}))
    assert (failed.headline, failed.means, failed.figure) == ("It is on in 192.0.2.1", "Calls drop.", "")
    assert (failed.explains, failed.explained_by, failed.decided_by) == (["a.b"], ["a.c"], {})
    passed = judge(asked, measurement({"ok": True, "count": 3, "small": True}))
    assert (passed.headline, passed.means, passed.figure) == ("All is well", "", "3 seen")
    assert (passed.explains, passed.explained_by, passed.outcome) == ([], [], Outcome.PASS)
    without = measurement({"ok": None})
    assert judge(asked, without).decided_by == {"--reflector HOST": "a far end"}
    with_it = msgspec.structs.replace(without, options={"reflector": "192.0.2.1"})
    assert judge(asked, with_it).decided_by == {}
    assert judge(asked, without).headline == "The check"


def test_what_would_decide_it_may_be_something_nearer_than_an_option() -> None:
    nearer = {"no_ping": {"sudo allow ping": "ping"}, "before_the_line": {"--again": "a cable"}}
    asked = requirement(decided_by={"--reflector HOST": "a far end"}, decided_if=nearer)
    for fact, decides in nearer.items():
        assert judge(asked, measurement({"ok": None, fact: True})).decided_by == decides
        assert judge(asked, measurement({"ok": False, fact: True})).decided_by == {}
    assert judge(asked, measurement({"ok": None, "no_ping": None})).decided_by == {"--reflector HOST": "a far end"}


def test_where_ping_is_not_allowed_the_last_screen_says_what_the_run_said_before() -> None:
    decided = [
        each.decided_if["ping_not_allowed"]
        for each in load_file(shipped()["go-native"]).requirements
        if each.decided_if
    ]
    assert {command for decides in decided for command in decides} == {f"sudo {ALLOW_ALL}"}


def test_the_figure_of_what_passes_between_two_values_is_both() -> None:
    bounds = {"loss_pct": [0.0, 0.27], "mos": (4.351, 4.375), "jitter_ms": [0.5, 0.5], "rtt_ms.p95": [None, 3.0]}
    facts = {"loss_pct": None, "mos": None, "between": bounds}
    assert with_facts("loss {loss_pct}", facts, with_bounds=True) == "loss 0-0.27 %"
    assert with_facts("MOS {mos}", facts, with_bounds=True) == "MOS 4.35-4.38"
    assert with_facts("jitter {jitter_ms}", facts, with_bounds=True) == "jitter 0.5 ms"
    assert with_facts("delay {rtt_ms.p95}", facts, with_bounds=True) == ""
    assert with_facts("loss {loss_pct}", facts) == ""
    assert with_facts("loss {loss_pct}", {"loss_pct": 0.1, "between": bounds}, with_bounds=True) == "loss 0.1 %"
