"""`--under-load` from the plan to the verdict, with a process made up by hand; and that nothing is sent without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace as changed

from gosip_check.checklist import load
from gosip_check.judge import judge
from gosip_check.links import switched_off
from gosip_check.probes import PROBES
from gosip_check.probes.media import facts as media_facts
from gosip_check.probes.media import politeness, qos, qos_load
from gosip_check.probes.media.dying import DyingStream
from gosip_check.probes.media.echo_rule import Phase
from gosip_check.probes.media.echoes import EchoPlan, EchoStream
from gosip_check.probes.media.facts import EchoFacts, EchoPhase
from gosip_check.probes.media.transfer import Transfer
from gosip_check.probes.probe import Context
from gosip_check.records import Link, Settings

from .test_alone import channels_facts, way
from .test_echo_load import FAR, NEAR

REQUIREMENT = next(r for r in load("go-native").requirements if r.id == "qos.voice-first")


@dataclass
class Uplink:
    """Stands in for the process. first: marks or addresses that are never held up. stopped: how the load ends."""

    first: tuple[int | str, ...] = ()
    kbps: float = 2000
    stopped: Any = ""
    less: tuple[int, ...] = ()
    "Marks that are held up one time in five."
    unsent: float = 0.0
    late: int = 0
    quote: tuple[str, ...] = (NEAR, FAR)
    is_filled: bool = False
    "By something else, from the second plan on."
    plans: list[EchoPlan] = field(default_factory=list)

    def send(self, plan: EchoPlan, _: str) -> list[Phase]:
        self.plans.append(plan)
        is_loaded = self.is_filled and len(self.plans) > 2
        streams: list[EchoStream | DyingStream] = [*plan.streams, *plan.quoted]
        offered = sum(stream.pps * stream.octets * 8 / 1000 for stream in streams)
        is_full = offered > self.kbps or is_loaded
        return [self._phase(stream, plan.seconds, is_full=is_full) for stream in streams]

    def _phase(self, stream: EchoStream | DyingStream, seconds: float, *, is_full: bool) -> Phase:
        slots = round(stream.pps * seconds)
        waits = is_full and stream.dscp not in self.first and stream.address not in self.first
        every = 5 if stream.dscp in self.less else 1
        sent = round(slots * (1 - self.unsent))
        rtts: list[float | None] = [220.0 if waits and n % every == 0 else 20.0 for n in range(sent)]
        if isinstance(stream, DyingStream) and stream.hop not in self.quote:
            rtts = [None] * len(rtts)
        return Phase(slots, self.late, seconds, rtts, stopped=self.stopped if is_full else "")


def _measured(
    monkeypatch: pytest.MonkeyPatch, uplink: Uplink, media: media_facts.Facts | None = None, **options: Any
) -> qos.Facts:
    @contextmanager
    def echoes_of(_: Context) -> Iterator[Uplink]:
        yield uplink

    monkeypatch.setattr(qos, "echoes_of", echoes_of)
    monkeypatch.setattr(qos_load, "transfer", lambda *_: Transfer("up", "http://x/", 20000.0, 5.0))
    seen: dict[str, Any] = {"path": way(NEAR, FAR)} | ({} if media is None else {"media": media})
    return qos.measure(qos.Options(**options), Context(Link(name="Internet-1"), seen=seen))


def _outcome(facts: qos.Facts) -> str:
    from tests.unit.records import measurement

    return judge(REQUIREMENT, measurement(channels_facts(facts))).outcome.value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("uplink", "outcome", "sentence"),
    [
        (Uplink(), "warn", "Voice waits behind the load on a full uplink"),
        (Uplink(first=(46,)), "pass", "Voice goes first on a full uplink, by its mark EF."),
        (Uplink(first=("198.51.100.9",)), "pass", "by the provider's addresses."),
        (Uplink(kbps=10_000), "unknown", "`gosip-check run --under-load --upload URL` fills a faster line."),
        (Uplink(stopped="silent"), "unknown", "fell silent under the load, so it was ended at once."),
        (Uplink(stopped="elsewhere"), "unknown", "were not seen to die there"),
        (Uplink(unsent=0.15), "unknown", "This machine was too busy to send evenly."),
        (Uplink(late=50, less=(46,)), "unknown", "This machine was too busy to send evenly."),
        (Uplink(less=(46,)), "unknown", "Voice waits less than the rest on a full uplink, but still too often."),
        (Uplink(kbps=10_000, late=50), "unknown", "The line was never seen to be full"),
        (Uplink(late=50), "warn", "Voice waits behind the load on a full uplink"),
    ],
)
def test_a_verdict_follows_from_the_streams(
    monkeypatch: pytest.MonkeyPatch, uplink: Uplink, outcome: str, sentence: str
) -> None:
    facts = _measured(monkeypatch, uplink)
    assert _outcome(facts) == outcome
    assert sentence in facts.evidence["sharing"]


def test_a_hop_that_rations_its_quotes_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the next one quotes; else the nearest one is as good."""
    uplink = Uplink(quote=(FAR,))
    facts = _measured(monkeypatch, uplink)
    assert (facts.sharing, facts.hop, facts.hop_ttl) == ("held up", FAR, 3)
    assert sum(plan.seconds for plan in uplink.plans[1:]) <= politeness.FILL.seconds
    facts = _measured(monkeypatch, Uplink(quote=()))
    assert (facts.sharing, facts.hop) == (None, NEAR)
    assert "quotes fewer than 30 packets of each kind" in facts.evidence["sharing"]


def test_a_hop_gets_no_more_than_is_polite_and_the_load_is_not_the_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    uplink = Uplink()
    facts = _measured(monkeypatch, uplink)
    assert (facts.hop, facts.hop_ttl, facts.load) == (NEAR, 2, "packets")
    assert (
        "as far as hop 2, 192.0.2.1: echoes marked EF 160 of 160 held up, 20 ms to 220 ms" in facts.evidence["sharing"]
    )
    for plan in uplink.plans[1:]:
        streams: list[EchoStream | DyingStream] = [*plan.streams, *plan.quoted]
        assert sum(stream.pps for stream in streams) <= politeness.FILL.pps
        assert sum(stream.pps * stream.octets * 8 / 1000 for stream in streams) <= politeness.FILL.kbps
        assert plan.at_random
        assert plan.quoted[-1].address == FAR
        assert {(dying.ttl, dying.hop) for dying in plan.quoted} == {(2, NEAR)}
    assert sum(plan.seconds for plan in uplink.plans[1:]) <= politeness.FILL.seconds
    assert [plan.seconds for plan in uplink.plans].count(10) == 1


def test_a_router_of_the_provider_gets_no_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule by address would give it priority as well."""
    uplink = Uplink(first=(FAR, "198.51.100.9"))
    facts = _measured(monkeypatch, uplink, networks=[f"{FAR}/32", "198.51.100.0/24"])
    assert (facts.sharing, facts.by) == ("priority", ["addresses"])
    assert {plan.quoted[-1].address for plan in uplink.plans[1:]} == {NEAR}


def test_an_upload_fills_a_faster_line(monkeypatch: pytest.MonkeyPatch) -> None:
    uplink = Uplink(first=(46,), kbps=20_000, is_filled=True)
    facts = _measured(monkeypatch, uplink, upload="http://x/")
    assert (facts.sharing, facts.load, facts.load_kbps) == ("priority", "upload", 240_000)
    assert len(uplink.plans[2].quoted) == 4, "what dies at the hop is sent beside it"


def _second_line(monkeypatch: pytest.MonkeyPatch, rtt_ms: float) -> None:
    """It opens, and what of its load dies at the hop comes back after so long."""

    @contextmanager
    def pair(*_: object) -> Iterator[None]:
        yield

    @contextmanager
    def to_second_line(*_: object) -> Iterator[qos_load.Load]:
        yield qos_load.Load("second line", lambda s: qos_load.Sent(19_000, Phase(200, 0, s, [rtt_ms] * 200)))

    monkeypatch.setattr(qos, "pair", pair)
    monkeypatch.setattr(qos_load, "to_second_line", to_second_line)


@pytest.mark.parametrize(
    ("uplink", "rtt_ms", "sharing"),
    [
        (Uplink(first=(46,), kbps=20_000, is_filled=True), 220.0, "priority"),
        (Uplink(kbps=20_000), 220.0, "shared fairly"),  # the load alone waits in the line
        (Uplink(kbps=20_000), 20.0, None),  # the second line was full, not this one
    ],
)
def test_a_second_line_fills_a_faster_line(
    monkeypatch: pytest.MonkeyPatch, uplink: Uplink, rtt_ms: float, sharing: str | None
) -> None:
    _second_line(monkeypatch, rtt_ms)
    facts = _measured(monkeypatch, uplink, far_end_link="phone=wlan0")
    assert (facts.sharing, facts.load, facts.load_kbps) == (sharing, "second line", 19_000)
    assert len(uplink.plans[2].quoted) == 3, "the load is not the hop's"
    assert "Beside 19000 kb/s to the second line, as far as hop 2" in facts.evidence["sharing"]


def test_without_its_second_line_the_line_is_filled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = _measured(monkeypatch, Uplink(), far_end_link="phone=nowhere0")
    assert (facts.sharing, facts.load) == ("held up", "packets")
    assert "The second line cannot be used" in facts.evidence["sharing"]


def test_loads_of_a_run_stay_under_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    phase = EchoPhase("load", NEAR, 100, 1200, 4700, 0, 0, 0, None, None, "")
    echoes = EchoFacts(NEAR, 2, None, None, None, None, None, None, [], [phase])
    media = media_facts.Facts(channels=1, evidence={}, echoes=echoes)
    uplink = Uplink()
    said = _measured(monkeypatch, uplink, media).evidence["sharing"]
    assert "--skip 'media.*'` measures it alone" in said
    assert uplink.plans == []
    shorter = changed(media, echoes=changed(echoes, phases=[changed(phase, sent=4300)]))
    assert _measured(monkeypatch, uplink, shorter).sharing == "held up"


def test_without_the_switch_it_is_not_asked() -> None:
    assert switched_off(PROBES, Settings()) == {"qos": "--under-load"}
    assert switched_off(PROBES, Settings(under_load=True)) == {}
