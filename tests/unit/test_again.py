"""`run --again`: what is taken over, what is measured again, and what is refused, with probes of the test's own."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from gosip_check import plan as planned
from gosip_check import run as running
from gosip_check.again import Again, Refused, key_of, says_the_same, still_true
from gosip_check.probes.host import interface
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.records import FailureKind, Link, Measurement, Outcome, Report, Requirement, Settings
from tests.unit.own_probes import Facts, Options, asks, bad, go, good, make, outcomes, plan
from tests.unit.records import expectation, measurement


class Site:
    """Probes that note when they measure; `broken` are those that find a fault, `facts` what each else brings."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.measured: list[str] = []
        self.broken: set[str] = set()
        self.numbers: dict[str, float | None] = {}
        self._probes: dict[str, Probe] = {}
        for module in (planned, running):
            monkeypatch.setattr(module, "PROBES", self._probes)

    def has(self, name: str, **changes: Any) -> None:
        def measure(options: Options, context: Context) -> Facts:
            self.measured.append(name)
            brought = (bad if name in self.broken else good)(options, context)
            return replace(brought, number=self.numbers.get(name, 0.0))

        self._probes[name] = make(name, measure, **changes)

    def run(self, *requirements: Requirement, again: Report | None = None, **changes: Any) -> Report:
        self.measured.clear()
        musts_only = changes.pop("musts_only", False)
        if again is not None:  # as the file gives it back
            again = msgspec.json.decode(msgspec.json.encode(again), type=Report)
        return go(plan(*requirements, again=Again(again, musts_only) if again else None, **changes))


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(monkeypatch)


def test_only_what_did_not_pass_is_measured_again(site: Site) -> None:
    site.has("a")
    site.has("b")
    site.broken = {"b"}
    first = site.run(asks("a"), asks("b"))
    assert first.again_of is None
    site.broken = set()
    second = site.run(asks("a"), asks("b"), again=first)
    assert site.measured == ["b"]
    assert outcomes(second) == {"a": "pass", "b": "pass"}
    assert second.again_of == first.id
    taken, fresh = (next(m for m in second.measurements if m.probe == name) for name in ("a", "b"))
    assert (taken.taken_from, fresh.taken_from) == (first.id, None)
    assert taken.started == first.measurements[0].started
    assert second.verdicts[0].reason == (
        f"All is well. Measured on {taken.started:%Y-%m-%d at %H:%M} UTC, in an earlier run."
    )
    assert second.verdicts[1].reason == "All is well."
    assert len({m.id for m in second.measurements}) == 2


def test_a_third_run_still_knows_when_it_was_measured(site: Site) -> None:
    site.has("a")
    site.has("b")
    site.broken = {"b"}
    first = site.run(asks("a"), asks("b"))
    second = site.run(asks("a"), asks("b"), again=first)
    third = site.run(asks("a"), asks("b"), again=second)
    assert next(m for m in third.measurements if m.probe == "a").taken_from == first.id
    assert third.again_of == second.id


def test_what_was_skipped_for_it_is_looked_at(site: Site) -> None:
    site.has("a")
    site.has("b")
    site.broken = {"a"}
    requirements = (asks("a"), asks("b", needs=["group.a"]))
    first = site.run(*requirements)
    assert outcomes(first) == {"a": "fail", "b": "skipped"}
    site.broken = set()
    assert outcomes(site.run(*requirements, again=first)) == {"a": "pass", "b": "pass"}
    assert site.measured == ["a", "b"]


def test_a_measurement_that_one_requirement_passed_and_another_did_not_is_made_again(site: Site) -> None:
    site.has("a")
    requirements = (asks("a", "one"), asks("a", "two", expect=[expectation("number", "max", -1)]))
    first = site.run(*requirements)
    site.run(*requirements, again=first)
    assert site.measured == ["a"]


@pytest.mark.parametrize(("number", "measured"), [(0.5, ["a"]), (None, ["a", "b"])])
def test_what_rests_on_something_that_changed_is_made_again(
    site: Site, number: float | None, measured: list[str]
) -> None:
    """A figure that moves is no change; one that is gone is."""
    site.has("a")
    site.has("b", after=("a",))
    requirements = (asks("a", expect=[expectation("number", "max", -1)]), asks("b"))
    first = site.run(*requirements)
    assert outcomes(first) == {"a": "fail", "b": "pass"}
    site.numbers = {"a": number}
    site.run(*requirements, again=first)
    assert site.measured == measured


def test_what_appears_under_it_has_it_made_again(site: Site) -> None:
    """What it uses was not looked at then, and is now."""
    site.has("gate")
    site.has("a")
    site.has("b", uses=("a",))
    requirements = (asks("gate"), asks("a", needs=["group.gate"]), asks("b"))
    site.broken = {"gate"}
    first = site.run(*requirements)
    assert outcomes(first) == {"gate": "fail", "a": "skipped", "b": "pass"}
    site.broken = set()
    site.run(*requirements, again=first)
    assert site.measured == ["gate", "a", "b"]


def test_what_only_serves_others_is_as_fresh_as_they_are(site: Site) -> None:
    site.has("path")
    site.has("a", after=("path",))
    site.has("b", after=("path",))
    first = site.run(asks("a"), asks("b"))
    assert site.run(asks("a"), asks("b"), again=first).again_of == first.id
    assert site.measured == []
    site.broken = {"b"}
    first = site.run(asks("a"), asks("b"))
    site.run(asks("a"), asks("b"), again=first)
    assert site.measured == ["path", "b"]


def test_what_may_not_be_made_so_soon_again_is_taken_over_whatever_came_of_it(site: Site) -> None:
    """Six runs an hour send a load. The next one says what the last one saw, and how old that is."""
    site.has("a")
    site.has("load", uses=("a",), may_begin=lambda options: options.which != 0)
    site.broken = {"a", "load"}
    first = site.run(asks("a"), asks("load"), asks("load", "other", options={"which": 1}))
    site.broken, site.numbers = set(), {"a": None}
    second = site.run(asks("a"), asks("load"), asks("load", "other", options={"which": 1}), again=first)
    assert site.measured == ["a", "load"]
    assert outcomes(second) == {"a": "pass", "load": "fail", "other": "pass"}
    assert second.verdicts[1].reason.startswith("It is broken. Measured on ")


def test_other_options_are_another_measurement(site: Site) -> None:
    site.has("a")
    site.has("b")
    first = site.run(asks("a"), asks("b", options={"dns_servers": ["192.0.2.1"]}))
    second = site.run(
        asks("a"), asks("b", options={"dns_servers": ["192.0.2.1"]}), again=first,
        settings=Settings(dns_servers=["127.0.0.1"]),
    )  # fmt: skip
    assert site.measured == ["a"]
    assert outcomes(second) == {"a": "pass", "b": "pass"}


def test_what_watches_another_is_measured_with_it(site: Site) -> None:
    site.has("load", alone=True)
    site.has("watch", beside="load")
    site.broken = {"watch"}
    first = site.run(asks("load"), asks("watch"))
    site.run(asks("load"), asks("watch"), again=first)
    assert sorted(site.measured) == ["load", "watch"]


def test_what_cannot_watch_here_makes_nothing_be_measured(site: Site) -> None:
    def cannot(options: Options, context: Context) -> Facts:
        raise ProbeFailed(FailureKind.UNSUPPORTED, "No SNMP.")

    site.has("load", alone=True)
    site._probes["watch"] = make("watch", cannot, beside="load")
    first = site.run(asks("load"), asks("watch"))
    second = site.run(asks("load"), asks("watch"), again=first)
    assert site.measured == []
    assert outcomes(second) == outcomes(first) == {"load": "pass", "watch": "unknown"}


@pytest.mark.parametrize("trouble", ["interrupted", "disturbed", "too old"])
def test_what_proves_nothing_any_more_is_made_again(site: Site, trouble: str) -> None:
    site.has("a")
    first = site.run(asks("a"))
    (measured,) = first.measurements
    troubles: dict[str, dict[str, Any]] = {
        "interrupted": {"facts": None, "failure": {"kind": "interrupted", "message": "Stopped."}},
        "disturbed": {"disturbance": "The cable was out."},
        "too old": {"started": measured.started - timedelta(hours=25)},
    }
    document = msgspec.to_builtins(first)
    document["measurements"][0].update(msgspec.to_builtins(troubles[trouble]))
    site.run(asks("a"), again=msgspec.convert(document, Report))
    assert site.measured == ["a"]


def test_until_ready_repeats_only_what_keeps_it_from_ready(site: Site) -> None:
    site.has("a")
    site.has("b")
    site.broken = {"a", "b"}
    requirements = (asks("a"), asks("b", level="should"))
    first = site.run(*requirements)
    assert outcomes(first) == {"a": "fail", "b": "warn"}
    site.broken = set()
    assert outcomes(site.run(*requirements, again=first, musts_only=True)) == {"a": "pass", "b": "warn"}
    assert site.measured == ["a"]


def test_what_waits_for_each_other_is_measured(site: Site) -> None:
    """A need and a use that lie crosswise would wait for ever."""
    site.has("gate")
    site.has("a", uses=("b",))
    site.has("b")
    requirements = (asks("a"), asks("gate", needs=["group.a"]), asks("b", needs=["group.gate"]))
    site.broken = {"gate"}
    first = site.run(*requirements)
    site.broken = set()
    assert set(outcomes(site.run(*requirements, again=first)).values()) == {Outcome.PASS}


@pytest.fixture
def router(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    seen: dict[str, str | None] = {"mac": "00:00:5e:00:53:01"}
    monkeypatch.setattr(interface, "edge_mac", lambda name, link=None: seen["mac"])
    return seen


def test_the_router_is_known_by_its_mac_address(site: Site, router: dict[str, str | None]) -> None:
    site.has("a")
    first = site.run(asks("a"))
    assert first.links[0].edge_mac == "00:00:5e:00:53:01"
    assert site.run(asks("a"), again=first).again_of == first.id
    for other, words in (("00:00:5e:00:53:02", "and is 00:00:5e:00:53:02"), (None, "and is not seen")):
        router["mac"] = other
        with pytest.raises(Refused, match=f"There is another router on Internet-1: .*{words}"):
            site.run(asks("a"), again=first)
        assert site.measured == []


def test_a_router_that_changes_meanwhile_has_everything_measured(site: Site, router: dict[str, str | None]) -> None:
    site.has("a")
    site.has("b")
    site.broken = {"b"}
    first = site.run(asks("a"), asks("b"))
    site.broken = set()
    site.measured = _Swapping(router)
    second = site.run(asks("a"), asks("b"), again=first)
    assert second.again_of is None
    assert [m.taken_from for m in second.measurements] == [None, None]
    assert second.links[0].edge_mac == "00:00:5e:00:53:09"


class _Swapping(list[str]):
    """The router is another one as soon as something is measured."""

    def __init__(self, router: dict[str, str | None]) -> None:
        super().__init__()
        self._router = router

    def append(self, name: str) -> None:
        super().append(name)
        self._router["mac"] = "00:00:5e:00:53:09"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"command": "health"}, "It is no report of `gosip-check run`, but of health."),
        ({"command": "demo"}, "It is no report of `gosip-check run`, but of demo."),
        ({"tool_version": "0.1.0"}, "gosip-check 0.1.0 measured it, and this is "),
        ({"host": {"name": "other", "system": "Linux"}}, "Another computer measured it."),
        ({"host": None}, "Another computer measured it."),
        (
            {"checklist": {"id": "b", "title": "", "version": "1", "sha256": "1" * 64}},
            "with another checklist, b 1111",
        ),
        ({"started": "2026-01-01T00:00:00Z"}, " h old; 24 h is the most."),
        ({"started": "2099-01-01T00:00:00Z"}, "It is of a later time than now: is this computer's clock right?"),
    ],
)
def test_a_report_that_cannot_be_gone_on_from_is_refused(site: Site, changes: dict[str, Any], sentence: str) -> None:
    site.has("a")
    first = msgspec.to_builtins(site.run(asks("a")))
    with pytest.raises(Refused) as refused:
        site.run(asks("a"), again=msgspec.convert({**first, **changes}, Report))
    assert sentence in str(refused.value)
    assert site.measured == []


def test_other_lines_are_refused(site: Site) -> None:
    site.has("a")
    first = site.run(asks("a"), links=[Link("Internet-1"), Link("Internet-2")])
    for links in ([Link("Internet-1")], [Link("Internet-2"), Link("Internet-1")]):
        with pytest.raises(Refused, match="It has other lines: Internet-1, Internet-2"):
            site.run(asks("a"), again=first, links=links)
    one = site.run(asks("a"))
    with pytest.raises(Refused, match=r"is another line: it was 127\.0\.0\.1, and is lo 127\.0\.0\.3\."):
        site.run(asks("a"), again=one, links=[Link("Internet-1", "127.0.0.3")])
    with pytest.raises(Refused, match="Internet-1 has no network now"):
        site.run(asks("a"), again=one, links=[Link("Internet-1", "192.0.2.1")])


def test_a_line_that_had_no_network_may_have_one_now(site: Site) -> None:
    site.has("a")
    first = site.run(asks("a"), links=[Link("Internet-1", "192.0.2.1")])
    assert first.links[0].trouble is not None
    second = site.run(asks("a"), again=first)
    assert (second.again_of, outcomes(second)) == (None, {"a": "pass"})


def address(name: str, seen: str | None, taken_from: str | None = None) -> Measurement:
    return replace(measurement({"public_address": seen}), probe=name, options={}, taken_from=taken_from)


@pytest.mark.parametrize(
    ("before", "fresh", "taken", "holds"),
    [
        ("198.51.100.1", "198.51.100.1", "198.51.100.1", ["taken", "fresh"]),
        ("198.51.100.1", "198.51.100.2", "198.51.100.1", ["fresh"]),
        ("198.51.100.1", "198.51.100.2", None, ["fresh"]),
        ("198.51.100.1", None, "198.51.100.1", ["taken", "fresh"]),
        (None, "198.51.100.1", None, ["taken", "fresh"]),
        ("192.168.1.10", "198.51.100.1", None, ["taken", "fresh"]),  # a SIP ALG had changed the answer
        ("192.168.1.10", "198.51.100.1", "192.168.1.10", ["fresh"]),
    ],
)
def test_what_another_public_address_leaves(
    site: Site, before: str | None, fresh: str | None, taken: str | None, holds: list[str]
) -> None:
    site.has("a")
    report = site.run(asks("a"))
    link = replace(report.links[0], public_address=before, source="192.168.1.10")
    measured = [address("taken", taken, report.id), address("fresh", fresh)]
    still = still_true(replace(report, links=[link]), link.name, measured, link.edge_mac)
    assert [each.probe for each in still.taken.values()] == holds
    other_router = still_true(replace(report, links=[link]), link.name, measured, "00:00:5e:00:53:01")
    assert [each.probe for each in other_router.taken.values()] == ["fresh"]


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        (
            {"ok": True, "rtt_ms": 1.0, "evidence": {"a": "b"}},
            {"ok": True, "rtt_ms": 9.0, "evidence": {}},
            True,
        ),
        ({"ok": True}, {"ok": False}, False),
        ({"ok": True}, {"ok": None}, False),
        ({"servers": ["a"]}, {"servers": ["a", "b"]}, False),
        ({"servers": [{"address": "a", "rport": 1}]}, {"servers": [{"address": "a", "rport": 2}]}, True),
        ({"servers": [{"address": "a"}]}, {"servers": [{"address": "b"}]}, False),
        ({"share": 0.1}, {"share": 0.9}, True),
        ({"share": 0.1}, {"share": None}, False),
        ({}, None, False),
    ],
)
def test_what_is_the_same_but_for_chance(before: Any, now: Any, same: bool) -> None:
    assert says_the_same(before, now) is same


def test_a_saved_measurement_has_the_key_of_its_run(site: Site) -> None:
    site.has("a")
    report = site.run(asks("a", options={"which": 3}), settings=Settings(dns_servers=["127.0.0.1"]))
    (saved,) = msgspec.json.decode(msgspec.json.encode(report), type=Report).measurements
    assert key_of(saved) == ("a", b'{"domain":"trunk.example","which":3,"dns_servers":["127.0.0.1"]}')


def test_what_was_chosen_is_kept_but_nothing_of_an_account(site: Site) -> None:
    site.has("a")
    settings = Settings(channels=30, account="356", auth_user="secret", account_bind=True)
    report = site.run(asks("a"), settings=settings)
    assert report.asked is not None
    assert report.asked.settings == Settings(channels=30)
    assert report.asked.links == [Link("Internet-1")]
