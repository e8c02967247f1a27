"""Which hop is measured by, what it gets, and when it gets no more: the whole course, on lines made up by hand."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from msgspec import structs

from gosip_check.probes.media import echo_load, politeness
from gosip_check.probes.media.echo_facts import more_would_help
from gosip_check.probes.media.echo_load import Echoed, Wanted
from gosip_check.probes.media.echo_rule import Ask, Doubt, Phase, Shape
from gosip_check.probes.media.echoes import EchoPlan
from gosip_check.probes.path.hops import Hop
from gosip_check.probes.probe import Context
from gosip_check.records import Link

from .echo_lines import Line, Way

NEAR, FAR, SERVER, GATEWAY = "192.0.2.1", "192.0.2.2", "198.51.100.1", "192.168.1.1"


@dataclass
class Net:
    """Stands in for the process: address -> line. most: octets that a host answers. Who is not here is silent.

    What dies on the way leaves all else as it is: see test_uplink.py.
    """

    lines: dict[str, Line]
    most: dict[str, int] = field(default_factory=dict)
    plans: list[EchoPlan] = field(default_factory=list)

    def send(self, plan: EchoPlan, label: str) -> list[Phase]:
        assert label
        self.plans.append(plan)
        phases = [self._phase(plan, stream.address, stream.pps, stream.octets) for stream in plan.streams]
        if plan.dying is not None:
            slots = round(plan.seconds * plan.dying.pps)
            phases.append(Phase(slots, 0, plan.seconds, [None] * slots))
        return phases

    def _phase(self, plan: EchoPlan, address: str, pps: float, octets: int) -> Phase:
        line = self.lines.get(address)
        slots = round(plan.seconds * pps)
        if line is None or octets > self.most.get(address, 1200):
            return Phase(slots, 0, plan.seconds, [None] * slots)
        phase = line.send(Ask("", plan.seconds, pps, octets, is_load=octets > 300))
        if plan.most_lost is not None and address == plan.streams[0].address and phase.loss > plan.most_lost:
            return replace_stopped(phase)
        return phase

    def seconds_of(self, address: str) -> float:
        return sum(plan.seconds for plan in self.plans if plan.streams[0].address == address)


def replace_stopped(phase: Phase) -> Phase:
    return Phase(phase.slots, phase.late, phase.lasted_s, phase.rtts_ms, stopped="loses")


def hop(ttl: int, address: str) -> Hop:
    return Hop(ttl=ttl, address=address, quoted_bytes=28, kind="public")


WANTED = Wanted(1000, True, False, [hop(2, NEAR), hop(3, FAR)], GATEWAY, [SERVER])


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Echoed]:
    def measured(net: Net, wanted: Wanted = WANTED, limit_pct: float = 1.0) -> Echoed:
        @contextmanager
        def echoes_of(_: Context) -> Iterator[Net]:
            yield net

        monkeypatch.setattr(echo_load, "echoes_of", echoes_of)
        trips: list[str] = []
        echoed = echo_load.measure(
            Context(Link(name="x")),
            wanted,
            lambda: trips.append("done"),
            lambda one: more_would_help(one, [], limit_pct),
        )
        assert trips == ["done"]
        return echoed

    return measured


def everyone(make: Callable[[], Line] = Line) -> dict[str, Line]:
    return {address: make() for address in (NEAR, FAR, SERVER, GATEWAY)}


Measure = Callable[..., Echoed]


def test_a_good_line_takes_under_half_a_minute_and_the_nearest_hop(measure: Measure) -> None:
    net = Net(everyone())
    echoed = measure(net)
    assert echoed.finding is not None
    assert echoed.finding.shape is Shape.CARRIED
    assert echoed.hop is not None
    assert (echoed.hop.hop.address, echoed.witness) == (NEAR, FAR)
    assert sum(plan.seconds for plan in net.plans) == sum(echo_load.takes(True, False).values()) == 30
    assert {stream.address for plan in net.plans[2:] for stream in plan.streams} == {NEAR, FAR, SERVER, GATEWAY}
    assert not any(s.address == SERVER and s.octets > 84 for plan in net.plans for s in plan.streams)


def test_a_hop_that_is_silent_or_small_only_makes_way_for_the_next(measure: Measure) -> None:
    lines = everyone()
    del lines[NEAR]
    silent = measure(Net(lines))
    assert silent.hop is not None
    assert (silent.hop.hop.address, silent.witness) == (FAR, SERVER)
    small = measure(Net(everyone(), most={NEAR: 84}))
    assert small.hop is not None
    assert small.hop.hop.address == FAR
    assert small.finding is not None


def test_the_largest_echo_that_a_hop_answers_is_taken(measure: Measure) -> None:
    echoed = measure(Net(everyone(), most={NEAR: 800, FAR: 800}))
    assert echoed.load is not None
    assert echoed.load.octets == 700
    assert echoed.load.pps == pytest.approx(178.6, abs=0.1)


def test_hops_that_answer_small_echoes_only_leave_the_load_out(measure: Measure) -> None:
    echoed = measure(Net(everyone(), most={NEAR: 84, FAR: 84}))
    assert echoed.finding is None
    assert [sent.ask.octets for sent in echoed.own("voice")] == [84]


def test_without_a_hop_nothing_is_sent_and_the_reason_is_a_sentence(measure: Measure) -> None:
    for wanted, lines in ((replace(WANTED, hops=[]), everyone()), (WANTED, {})):
        echoed = measure(Net(lines), wanted)
        assert echoed.hop is None
        assert echoed.trouble.endswith(".")


def test_a_hop_that_rations_makes_way_and_is_left_alone_where_both_do(measure: Measure) -> None:
    lines = everyone()
    lines[NEAR] = Line(ration=50)
    echoed = measure(Net(lines))
    assert echoed.hop is not None
    assert echoed.hop.hop.address == FAR
    net = Net({NEAR: Line(ration=20), FAR: Line(ration=20), SERVER: Line(), GATEWAY: Line()})
    echoed = measure(net)
    assert echoed.hop is None
    assert f"{NEAR} answers echoes, but not 52 a second" in echoed.trouble
    assert set(politeness.left_alone()) == {NEAR}
    again = Net({NEAR: Line(), FAR: Line(), SERVER: Line()})
    measure(again)
    assert not any(stream.address == NEAR for plan in again.plans for stream in plan.streams)


def test_where_only_half_the_pace_is_answered_half_the_load_is_sent(measure: Measure) -> None:
    echoed = measure(Net({NEAR: Line(ration=70), SERVER: Line()}), replace(WANTED, hops=[hop(2, NEAR)]))
    assert echoed.load is not None
    assert echoed.load.kbps == 500
    assert echoed.finding is not None
    assert echoed.finding.shape is Shape.CARRIED


def test_a_hop_that_becomes_busy_gets_half_and_then_nothing_for_a_while(measure: Measure) -> None:
    class Tires(Line):
        """Answers the rehearsal, and half of what comes after it."""

        def send(self, ask: Ask) -> Phase:
            phase = super().send(ask)
            if ask.pps > 25 and len(self.asked) > 6 and ask.octets == 84:
                return Phase(phase.slots, 0, phase.lasted_s, [None if n % 2 else 5.0 for n in range(phase.slots)])
            return phase

    net = Net({NEAR: Tires(), SERVER: Line()})
    echoed = measure(net, replace(WANTED, hops=[hop(2, NEAR)]))
    assert echoed.finding is not None
    assert echoed.finding.doubt is Doubt.RATIONS
    assert echoed.load is not None
    assert echoed.load.kbps == 500
    assert set(politeness.left_alone()) == {NEAR}


def test_nothing_is_sent_beyond_the_limit(measure: Measure) -> None:
    """Every load is late once, so each is sent twice; that of half the rate would be too much, for being late."""

    class Late(Line):
        def send(self, ask: Ask) -> Phase:
            phase = super().send(ask)
            loads = sum(one.is_load and one.seconds > 2 for one in self.asked)
            is_late = ask.is_load and loads % 2 == 1
            return Phase(phase.slots, phase.sent if is_late else 0, phase.lasted_s, phase.rtts_ms)

    net = Net(everyone(lambda: Late(up=Way(900, bucket_octets=15_000))))
    echoed = measure(net, replace(WANTED, thorough=True))
    assert echoed.finding is not None
    assert echoed.finding.doubt is Doubt.LATE
    voice_s = sum(sent.ask.seconds for sent in echoed.own("voice"))
    assert net.seconds_of(NEAR) - voice_s <= politeness.LOAD.thorough_s + 3


def test_a_stream_of_voice_that_this_machine_spoilt_is_sent_once_more(measure: Measure) -> None:
    class Spoilt(Net):
        def send(self, plan: EchoPlan, label: str) -> list[Phase]:
            phases = super().send(plan, label)
            is_first = len([each for each in self.plans if each.seconds == echo_load.VOICE_S]) == 1
            return [structs.replace(phase, spoilt=is_first) for phase in phases]

    echoed = measure(Spoilt(everyone()))
    assert [sent.phase.spoilt for sent in echoed.sent if sent.ask.name == "voice"] == [True, False]
    assert len(echoed.own("voice")) == 1


def test_a_stream_of_voice_that_was_ended_for_its_losses_is_not_followed_by_more(measure: Measure) -> None:
    class Busy(Net):
        def send(self, plan: EchoPlan, label: str) -> list[Phase]:
            phases = super().send(plan, label)
            is_voice = plan.seconds == echo_load.VOICE_S
            return [replace_stopped(phases[0]), *phases[1:]] if is_voice else phases

    echoed = measure(Busy(everyone()), limit_pct=0.001)
    assert len(echoed.own("voice")) == 1
    assert echoed.load is not None
    assert echoed.load.kbps == 1000


def test_a_seventh_run_sends_no_load_and_still_measures_voice(measure: Measure) -> None:
    for number in range(politeness.RUNS_AN_HOUR):
        politeness.begin_load(f"run {number}")
    echoed = measure(Net(everyone()))
    assert echoed.finding is None
    assert "6 runs have sent a load" in echoed.trouble
    assert echoed.own("voice")


def test_what_repeats_runs_sends_no_more_loads_than_who_starts_them(measure: Measure) -> None:
    """`--until-ready` runs again and again in one process."""
    loads = [measure(Net(everyone())).finding is not None for _ in range(politeness.RUNS_AN_HOUR + 1)]
    assert loads == [True] * politeness.RUNS_AN_HOUR + [False]


@pytest.mark.parametrize("seed", range(5))
def test_losses_that_decide_nothing_yet_get_more_voice_and_never_more_than_a_hundred_seconds(
    measure: Measure, seed: int
) -> None:
    """Also where the second host has lost none of its few echoes yet: it may lose some of the next ones."""
    hosts = enumerate((NEAR, FAR, SERVER, GATEWAY))
    net = Net({address: Line(up=Way(loss=0.011), seed=10 * seed + number) for number, address in hosts})
    net.lines[GATEWAY] = Line()
    echoed = measure(net)
    assert 80 < sum(sent.ask.seconds for sent in echoed.own("voice")) <= politeness.VOICE.seconds


def test_what_is_decided_gets_no_more_voice(measure: Measure) -> None:
    clean = measure(Net(everyone()))
    assert [sent.ask.seconds for sent in clean.own("voice")] == [12]
    own_doing = {NEAR: Line(up=Way(loss=0.06)), FAR: Line(), SERVER: Line(), GATEWAY: Line()}
    busy = measure(Net(own_doing))
    assert [sent.ask.seconds for sent in busy.own("voice")] == [12]


def test_without_the_load_a_call_is_tried_all_the_same(measure: Measure) -> None:
    echoed = measure(Net(everyone()), replace(WANTED, with_load=False))
    assert echoed.finding is None
    assert {sent.ask.name for sent in echoed.sent} == {"rehearsal", "voice"}


def test_thorough_loads_for_twenty_seconds(measure: Measure) -> None:
    net = Net(everyone())
    echoed = measure(net, replace(WANTED, thorough=True))
    assert [sent.ask.seconds for sent in echoed.own("load")] == [20]
    assert sum(plan.seconds for plan in net.plans) == sum(echo_load.takes(True, True).values()) == 44
