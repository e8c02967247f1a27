"""A load that only goes up: it names a direction when echoes beside it suffer, never clears one, and never arrives."""

from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from gosip_check.probes.media import echo_load, politeness
from gosip_check.probes.media.dying import DyingStream, open_dying
from gosip_check.probes.media.echo_hops import Answering
from gosip_check.probes.media.echo_load import Echoed, Wanted
from gosip_check.probes.media.echo_rule import Ask, Doubt, Finding, Load, Phase, Shape, Undecided, uplink_suffers
from gosip_check.probes.media.echoes import EchoPlan
from gosip_check.probes.net import sockets
from gosip_check.probes.path.hops import Hop
from gosip_check.records import Link

LINK = Link(name="Internet-1", source="127.0.0.1", interface="lo")
LOAD = Load(1000, 1200)


def _phase(rtts: Sequence[float | None]) -> Phase:
    return Phase(len(rtts), 0, 6.0, list(rtts))


CALM = _phase([16.0, 16.2] * 60)
QUEUED = _phase([16.0 + number for number in range(240)])
POLICED = _phase([16.0, None, 16.2, 16.1] * 60)


def _suffers(control: Phase, loaded: Phase) -> bool | None:
    asks: list[Ask] = []

    def send(ask: Ask) -> Phase:
        asks.append(ask)
        return loaded if ask.is_load else control

    found = uplink_suffers(LOAD, send)
    assert [ask.dying_octets for ask in asks] == [84, 1200]
    assert {ask.octets for ask in asks} == {84}
    return found


@pytest.mark.parametrize("loaded", [QUEUED, POLICED])
def test_echoes_that_suffer_beside_it_name_the_direction(loaded: Phase) -> None:
    assert _suffers(CALM, loaded) is True


@pytest.mark.parametrize(
    ("control", "loaded"),
    [
        (CALM, _phase([16.0, 16.2] * 120)),  # a queue for each flow, or a line that is narrow the other way
        (POLICED, POLICED),  # the router is busy with what dies there, large or small
        (CALM, replace(QUEUED, late=30)),
        (CALM, replace(QUEUED, spoilt=True)),
        (CALM, replace(QUEUED, stopped="elsewhere")),
        (replace(CALM, stopped="elsewhere"), QUEUED),
        (_phase([None] * 120), QUEUED),
    ],
)
def test_what_proves_nothing(control: Phase, loaded: Phase) -> None:
    assert _suffers(control, loaded) is None


def test_more_than_is_polite_is_not_sent() -> None:
    def send(_: Ask) -> Phase:
        raise Undecided(Doubt.LIMIT)

    assert uplink_suffers(LOAD, send) is None


class _Process:
    """Stands in for the process that sends. dying: how what goes up is said to have been sent."""

    def __init__(self, dying: Phase) -> None:
        self.dying, self.plans = dying, list[EchoPlan]()

    def send(self, plan: EchoPlan, _: str) -> list[Phase]:
        self.plans.append(plan)
        return [_phase([16.0] * 100) for _ in plan.streams] + ([self.dying] if plan.dying else [])


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Echoed, _Process]]:
    def measured(shape: Shape, towards: tuple[str, int] | None, dying: Phase) -> tuple[Echoed, _Process]:
        monkeypatch.setattr(politeness, "begin_load", lambda _: None)
        monkeypatch.setattr(echo_load, "judge_load", lambda *_, **__: Finding(shape, short_of=(0.1, 0.1)))
        hop = Answering(Hop(ttl=2, address="192.0.2.1", quoted_bytes=28, kind="public"), 1200, CALM)
        wanted = Wanted(1000, True, False, [hop.hop], None, [], towards)
        process, echoed = _Process(dying), Echoed(hop=hop, load=LOAD)
        echo_load._Measuring(process, wanted, echoed, [], "a run").load()  # type: ignore[arg-type]
        return echoed, process

    return measured


TOWARDS = ("198.51.100.9", 33434)


def test_it_is_sent_where_a_load_was_not_carried_and_dies_at_the_hop(
    measuring: Callable[..., tuple[Echoed, _Process]],
) -> None:
    echoed, process = measuring(Shape.NARROW, TOWARDS, _phase([None] * 100))
    dying = [plan.dying for plan in process.plans]
    assert [each.octets for each in dying if each] == [84, 1200]
    assert {(each.address, each.port, each.ttl, each.hop) for each in dying if each} == {(*TOWARDS, 2, "192.0.2.1")}
    assert all(each.pps + plan.streams[0].pps <= 300 for each, plan in zip(dying, process.plans, strict=True) if each)
    assert echoed.uplink_suffers is None


@pytest.mark.parametrize(("shape", "towards"), [(Shape.CARRIED, TOWARDS), (Shape.LOSSY, TOWARDS), (Shape.NARROW, None)])
def test_it_is_not_sent_where_it_would_say_nothing(
    measuring: Callable[..., tuple[Echoed, _Process]], shape: Shape, towards: tuple[str, int] | None
) -> None:
    assert measuring(shape, towards, CALM)[1].plans == []


@pytest.mark.waits
def test_what_would_arrive_is_not_sent_again() -> None:
    with sockets.udp_socket(LINK) as taken:
        port = sockets.local_address(taken)[1]
        stream = DyingStream("127.0.0.1", port, 2, "192.0.2.1", 100, 84)
        with open_dying(LINK, stream) as dying:
            assert dying.send()
            data, place = taken.recvfrom(2000)
            assert b"gosip-check" in data
            taken.sendto(b"I am here", place)
            assert dying.goes_elsewhere()
            assert not dying.dies_there()
    with open_dying(LINK, stream) as dying:  # nobody is there any more: port unreachable
        assert not dying.dies_there()
