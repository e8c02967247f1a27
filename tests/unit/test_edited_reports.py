"""A report that somebody edited: whatever stands in it, judging and checking it ends in sentences, never in a crash."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gosip_check.checklist import load
from gosip_check.possible import impossible
from gosip_check.probes import PROBES
from gosip_check.probes.probe import fill_options
from gosip_check.records import Readiness, Settings
from gosip_check.rejudge import contradictions, rejudge, unchecked
from gosip_check.report import load as reading
from gosip_check.report.load import ReportError
from gosip_check.report.to_json import to_json
from tests.unit.records import measurement, report

NATIVE = load("go-native")


def _document() -> dict[str, Any]:
    """A report in which every requirement was measured as the checklist asks, and has the facts that it names."""
    trunk = msgspec.structs.asdict(NATIVE.trunk)
    measured = []
    for number, requirement in enumerate(NATIVE.requirements):
        options = fill_options(
            PROBES[requirement.probe], requirement.options, msgspec.structs.asdict(Settings()), trunk
        )
        facts: dict[str, Any] = {"evidence": {}}
        for expectation in requirement.expect + requirement.prefer:
            outer, _, inner = expectation.fact.partition(".")
            facts[outer] = {inner: expectation.value} if inner else expectation.value
        one = replace(measurement(facts), id=f"m{number}", probe=requirement.probe)
        measured.append(replace(one, options=msgspec.to_builtins(options)))
    whole = report(checklist=NATIVE.identity, measurements=measured)
    document: dict[str, Any] = json.loads(to_json(rejudge(whole, NATIVE)))
    return document


DOCUMENT = _document()

Path = tuple[str | int, ...]


def paths(value: Any, so_far: Path = ()) -> Iterator[Path]:
    if so_far:
        yield so_far
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths(inner, (*so_far, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from paths(inner, (*so_far, number))


PLACES = [place for place in paths(DOCUMENT) if place[0] in ("verdicts", "measurements", "links", "form", "skip")]
FACTS = [number for number, measured in enumerate(DOCUMENT["measurements"]) if measured["facts"]]

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "pass", "1e999", "127.0.0.1", "\u202e", "a" * 300]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["between", "evidence", "a"]), inner),
    max_leaves=6,
)


def judged(document: dict[str, Any]) -> None:
    try:
        report = reading.parse(json.dumps(document).encode(), "report.json")
    except ReportError:
        return
    assert all(
        isinstance(sentence, str)
        for sentence in [*contradictions(report, NATIVE), *impossible(report, NATIVE), *unchecked(report)]
    )
    assert rejudge(report, NATIVE).outcome in Readiness


@settings(max_examples=70, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), JSON), min_size=1, max_size=3))
def test_any_value_anywhere(edits: list[tuple[Path, Any]]) -> None:
    document = copy.deepcopy(DOCUMENT)
    for place, value in edits:
        _put(document, place, value)
    judged(document)


@settings(max_examples=70, deadline=None)
@given(st.sampled_from(FACTS), JSON, JSON, JSON)
def test_bounds_of_any_shape_for_any_fact(number: int, low: Any, high: Any, other: Any) -> None:
    """Lists, texts and truths have no order, so nothing lies between two of them."""
    document = copy.deepcopy(DOCUMENT)
    facts = document["measurements"][number]["facts"]
    between = {name: [low, high] for name in facts} | {"not-a-fact": other}
    facts.update(dict.fromkeys(facts), between=between)
    judged(document)


def _put(target: Any, place: Path, value: Any) -> None:
    """Where an earlier edit took the place away, nothing is put."""
    for step in place[:-1]:
        if not _has(target, step):
            return
        target = target[step]
    if _has(target, place[-1]):
        target[place[-1]] = value


def _has(target: Any, step: str | int) -> bool:
    if isinstance(target, dict):
        return step in target
    return isinstance(target, list) and isinstance(step, int) and step < len(target)
