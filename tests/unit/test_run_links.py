"""A run on several links, on a machine without a network, and with facts that are hard to write down."""

import math
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from gosip_check import plan as planned
from gosip_check import run as running
from gosip_check.judge import judge
from gosip_check.probes.host import interface
from gosip_check.probes.net import interfaces, sockets
from gosip_check.probes.probe import Context, LinkResult, Probe, ProbeFailed
from gosip_check.records import (
    FailureKind,
    Link,
    Outcome,
    Readiness,
    Report,
)
from gosip_check.run import report_id
from tests.unit.own_probes import Facts, Options, Put, asks, bad, go, good, make, outcomes, plan
from tests.unit.records import WHEN, expectation


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts probes of the test's own in the place of the real ones."""

    def put(*own: Probe) -> None:
        for module in (planned, running):
            monkeypatch.setattr(module, "PROBES", {each.name: each for each in own})

    return put


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


def test_while_an_interface_goes_down_and_up_nothing_fails(
    probes: Put, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What looks at this machine only is judged as ever; what compares lines knows nothing of what was disturbed."""
    compared: list[LinkResult] = []
    count = tmp_path / "lo" / "carrier_changes"
    count.parent.mkdir()
    count.write_text("2\n")
    monkeypatch.setattr(interfaces.Carrier.__init__, "__defaults__", (tmp_path,))

    def flapping(options: Options, context: Context) -> Facts:
        if context.link.name == "Internet-1":
            count.write_text("4\n")
        return bad(options, context)

    def comparing(options: Options, context: Context) -> Facts:
        compared.extend(context.links)
        return good(options, context)

    probes(make("a", flapping), make("here", bad, local=True), make("all", comparing, across=True))
    links = [Link("Internet-1", source="127.0.0.1"), Link("Internet-2", source="127.0.0.2")]
    report = go(plan(asks("a"), asks("here"), asks("all"), links=links))
    assert [(v.link, v.id, v.outcome) for v in report.verdicts[:4]] == [
        ("Internet-1", "group.a", Outcome.UNKNOWN),
        ("Internet-1", "group.here", Outcome.FAIL),
        ("Internet-2", "group.a", Outcome.FAIL),
        ("Internet-2", "group.here", Outcome.FAIL),
    ]
    assert report.verdicts[0].reason.startswith("It is broken. Meanwhile the interface lo of this machine went down")
    assert [set(result.facts) for result in compared] == [{"here"}, {"a", "here"}]
    assert report.verdicts[4].outcome is Outcome.PASS


def no_route(link: Link, towards: str) -> str:
    raise ProbeFailed(FailureKind.UNREACHABLE, f"There is no route to {towards}.")


def test_without_a_network_there_is_one_trouble_and_no_cascade(probes: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "source_address", no_route)
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


def test_through_a_vpn_nothing_is_measured_unless_it_is_named_as_the_line(
    probes: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes(make("a"))
    monkeypatch.setattr(interface, "medium", lambda name: "vpn")
    report = go(plan(asks("a")))
    assert outcomes(report) == {"a": Outcome.SKIPPED}
    assert report.outcome is Readiness.INCONCLUSIVE
    assert report.links[0].trouble is not None
    assert "a VPN of this computer (lo) leads to the provider" in report.links[0].trouble
    assert outcomes(go(plan(asks("a"), links=[Link("Internet-1", interface="lo")]))) == {"a": Outcome.PASS}


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
