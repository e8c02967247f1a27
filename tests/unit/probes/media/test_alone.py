"""Without a far end: what the probe makes of hops, of a user who may not ping, and of a run that is to be gentle."""

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from gosip_check.checklist import load
from gosip_check.judge import judge
from gosip_check.probes import probe
from gosip_check.probes.media import alone, channels, echo_load, round_trips
from gosip_check.probes.media.echo_rule import Phase
from gosip_check.probes.media.echoes import EchoPlan
from gosip_check.probes.media.facts import Facts
from gosip_check.probes.media.options import Options
from gosip_check.probes.media.sentences import NO_REFLECTOR
from gosip_check.probes.path import hops
from gosip_check.probes.path.hops import Hop
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import STOPPED, FailureKind, Link
from tests.unit.records import measurement

from .echo_lines import Line, Way
from .test_echo_load import FAR, NEAR, Net

REQUIREMENTS = {r.id: r for r in load("go-native").requirements if r.probe == "media"}


def way(*addresses: str, **changes: Any) -> hops.Facts:
    listed = [Hop(ttl=2 + n, address=address, quoted_bytes=28, kind="public") for n, address in enumerate(addresses)]
    values: dict[str, Any] = {
        "destination": "198.51.100.9",
        "local_address": "192.168.1.10",
        "local_kind": "private",
        "control_port": 33434,
        "hops": listed,
        "reached_at": 6,
        "edge_ttl": 1,
        "evidence": {},
    }
    return hops.Facts(**{**values, **changes})


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Facts]:
    """Of a net made up by hand; None in its place is a user who may not send echoes."""

    def measured(
        net: Net | None, seen: hops.Facts | None, brought: list[probe.Facts] | None = None, **options: Any
    ) -> Facts:
        @contextmanager
        def echoes_of(_: Context) -> Any:
            if net is None:
                raise ProbeFailed(FailureKind.PERMISSION, "no")
            yield net

        stand_in: Callable[[Context], AbstractContextManager[Any]] = echoes_of
        monkeypatch.setattr(echo_load, "echoes_of", stand_in)
        monkeypatch.setattr(round_trips, "measure", lambda *_: [])
        monkeypatch.setattr(alone, "default_gateway", lambda _: None)
        seen_by_name = {} if seen is None else {"path": seen}
        context = Context(Link(name="Internet-1"), seen=seen_by_name, brought=[] if brought is None else brought)
        chosen = Options(domain="trunk.example", transport="udp", **options)
        return channels.measure(chosen, context)

    return measured


def verdicts(found: Facts) -> dict[str, str]:
    made = measurement(channels_facts(found))
    return {id_: judge(requirement, made).outcome.value for id_, requirement in REQUIREMENTS.items()}


def channels_facts(found: Facts) -> dict[str, Any]:
    import msgspec

    return dict(msgspec.json.decode(msgspec.json.encode(found)))


Measured = Callable[..., Facts]


def test_a_good_line_passes_by_its_echoes_and_says_how_far(facts: Measured) -> None:
    found = facts(Net({NEAR: Line(), FAR: Line()}), way(NEAR, FAR))
    said = verdicts(found)
    assert {id_ for id_, outcome in said.items() if outcome == "pass"} == {
        "media.bandwidth",
        "media.loss",
        "media.jitter",
        "media.bursts",
        "media.mos",
    }
    assert found.evidence["delivered_pct"].startswith(
        "The line carried 1000 kb/s for 6 s both ways at once, as far as hop 2, 192.0.2.1, of 6"
    )
    assert found.echoes is not None
    assert (found.echoes.hop, found.echoes.hop_ttl, found.echoes.way_ends_at) == (NEAR, 2, 6)
    assert (found.too_narrow, found.policed, found.lossy) == (False, False, None)


@dataclass
class _StoppedAtTheLoad(Net):
    """Somebody ends the run as soon as the line is filled."""

    def send(self, plan: EchoPlan, label: str) -> list[Phase]:
        if "kb/s both ways" in label:
            raise ProbeFailed(FailureKind.INTERRUPTED, STOPPED)
        return super().send(plan, label)


def test_a_stop_during_the_load_keeps_what_the_stream_of_voice_showed(facts: Measured) -> None:
    brought: list[Any] = []
    with pytest.raises(ProbeFailed):
        facts(_StoppedAtTheLoad({NEAR: Line(), FAR: Line()}), way(NEAR, FAR), brought)
    said = verdicts(brought[-1])
    assert said["media.bandwidth"] == "unknown"
    assert {id_ for id_, outcome in said.items() if outcome == "pass"} == {
        "media.loss",
        "media.jitter",
        "media.bursts",
        "media.mos",
    }


def test_a_narrow_line_fails_once_and_is_called_narrow(facts: Measured) -> None:
    found = facts(Net({NEAR: Line(up=Way(900)), FAR: Line(up=Way(900))}), way(NEAR, FAR))
    said = verdicts(found)
    assert [id_ for id_, outcome in said.items() if outcome in ("fail", "warn")] == ["media.bandwidth"]
    assert found.too_narrow is True
    assert "order a faster line" in judge(REQUIREMENTS["media.bandwidth"], measurement(channels_facts(found))).hint


def test_a_lossy_line_fails_once_and_nobody_is_told_to_order_a_faster_one(facts: Measured) -> None:
    lossy = Way(5000, loss=0.06)
    found = facts(Net({NEAR: Line(up=lossy, seed=3), FAR: Line(up=Way(5000, loss=0.06), seed=4)}), way(NEAR, FAR))
    made = measurement(channels_facts(found))
    judged = {id_: judge(requirement, made) for id_, requirement in REQUIREMENTS.items()}
    assert [id_ for id_, verdict in judged.items() if verdict.outcome == "fail"] == ["media.loss"]
    assert judged["media.bandwidth"].outcome in ("pass", "unknown")
    assert found.lossy is True
    assert "a faster line does not help" in judged["media.loss"].hint
    assert not [verdict for verdict in judged.values() if "order a line" in verdict.hint and verdict.outcome == "fail"]


def test_who_may_not_ping_is_told_how_and_nothing_else_is_lost(facts: Measured) -> None:
    found = facts(None, way(NEAR, FAR))
    assert "sysctl -w net.ipv4.ping_group_range='0 2147483647'" in found.evidence["delivered_pct"]
    assert set(verdicts(found).values()) == {"unknown"}


def test_a_gentle_run_sends_no_echo_at_all(facts: Measured) -> None:
    net = Net({NEAR: Line(), FAR: Line()})
    found = facts(net, way(NEAR, FAR), gentle=True, reflector="127.0.0.1:9")
    assert net.plans == []
    assert "--gentle" in found.evidence["delivered_pct"]


@pytest.mark.parametrize(
    "seen",
    [None, way(), way(NEAR, edge_ttl=2), way(NEAR, destination="127.0.0.1")],
    ids=["no path", "no hop", "the edge only", "this machine"],
)
def test_without_a_hop_behind_the_edge_nothing_is_sent(facts: Measured, seen: hops.Facts | None) -> None:
    net = Net({NEAR: Line()})
    found = facts(net, seen)
    assert net.plans == []
    assert found.echoes is None
    assert "No router behind the edge" in found.evidence["delivered_pct"]


@pytest.mark.waits
def test_a_named_reflector_that_is_silent_takes_nothing_away(facts: Measured) -> None:
    """Nothing listens on that port of loopback; what is measured without it is measured all the same."""
    found = facts(Net({NEAR: Line(), FAR: Line()}), way(NEAR, FAR), reflector="127.0.0.1:9")
    assert verdicts(found)["media.bandwidth"] == "pass"
    assert verdicts(found)["media.jitter"] == "pass"
    assert "127.0.0.1:9 did not answer" in found.evidence["dscp_survives"]


def test_without_a_reflector_the_reason_is_its_absence(facts: Measured) -> None:
    found = facts(Net({NEAR: Line(), FAR: Line()}), way(NEAR, FAR))
    assert found.evidence["dscp_survives"] == NO_REFLECTOR


def test_more_than_is_polite_to_a_hop_is_not_claimed(facts: Measured) -> None:
    found = facts(Net({NEAR: Line(), FAR: Line()}), way(NEAR, FAR), channels=60)
    assert verdicts(found)["media.bandwidth"] == "unknown"
    assert found.evidence["delivered_pct"].startswith("The line carried 2880 kb/s for 6 s")
    assert "6000 kb/s are needed" in found.evidence["delivered_pct"]
