"""The series that a site makes: bounded, with its id, and with numbers in place of addresses."""

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gosip_check.records import Report
from gosip_check.report.to_prometheus import MOST_SERIES, stamped, to_prometheus
from tests.saved import demo


def series(text: bytes) -> dict[str, float]:
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines}


def report_of(site: str = "MT-1", fault: str = "ready") -> Report:
    return msgspec.structs.replace(msgspec.convert(demo(fault), Report), site=site)


def test_every_series_has_the_site_and_they_are_counted() -> None:
    found = series(to_prometheus(report_of(), None))
    assert all('site="MT-1"' in name for name in found)
    assert found['gosip_check_series{site="MT-1"}'] == len(found)
    assert not any("site=" in name for name in series(to_prometheus(report_of(""), None)))


def test_no_more_than_the_bound_whatever_a_report_holds() -> None:
    report = report_of()
    many = [msgspec.structs.replace(v, id=f"{v.id}{n}") for v in report.verdicts for n in range(100)]
    found = series(to_prometheus(msgspec.structs.replace(report, verdicts=many), None))
    assert len(found) == MOST_SERIES
    assert found['gosip_check_series{site="MT-1"}'] > len(many)


def test_a_fingerprint_changes_with_what_it_is_of_and_with_nothing_else() -> None:
    report = report_of()
    name = 'gosip_check_srv_fingerprint{link="Internet-1",site="MT-1"}'
    before = series(to_prometheus(report, None))[name]
    changes: list[tuple[Callable[[Any], object], bool]] = [
        (lambda facts: facts["targets"].reverse(), False),
        (lambda facts: facts["targets"][0]["addresses"].clear(), False),
        (lambda facts: facts["targets"][0].update(port=5099), True),
        (lambda facts: facts["targets"].pop(), True),
    ]
    for change, is_another in changes:
        document = demo()
        change(next(m["facts"] for m in document["measurements"] if m["probe"] == "srv"))
        changed = msgspec.structs.replace(msgspec.convert(document, Report), site="MT-1")
        assert (series(to_prometheus(changed, None))[name] != before) is is_another
    text = to_prometheus(report, None).decode()
    assert not re.search(r'="[^"]*\d+\.\d+\.\d+\.\d+', text)


@pytest.mark.parametrize("targets", [None, [], "x", [1], [{}], [[]]])
def test_facts_that_somebody_edited_make_no_trouble(targets: object) -> None:
    document = demo()
    next(m["facts"] for m in document["measurements"] if m["probe"] == "srv")["targets"] = targets
    to_prometheus(msgspec.convert(document, Report), None)


def test_a_stamp_is_the_time_of_the_run() -> None:
    report = report_of()
    lines = stamped([(report, None)]).decode().splitlines()
    at_ms = int(report.started.timestamp() * 1000)
    assert lines
    assert all(line.endswith(f" {at_ms}") for line in lines)
