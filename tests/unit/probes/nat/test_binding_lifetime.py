"""What waits and mappings say of a binding: nothing is claimed that was not waited for, or that one loss may do."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest

from gosip_check.probes import far_end
from gosip_check.probes.nat import other_side
from gosip_check.probes.nat.binding_lifetime import (
    WAITS_S,
    Facts,
    Options,
    facts_of_mappings,
    facts_of_waits,
    measure,
    stopped_after,
    wait_for_answers,
)
from gosip_check.probes.nat.lifetimes import Lifetimes
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.probes.sip.mapping import SeenBy
from gosip_check.records import Link
from gosip_check.servers.reflector import Reflector, ReflectorOptions

LOCAL = "192.168.1.10"


def _waits(alive: Sequence[float], gone: Sequence[float] = (), same_line: bool = True, thorough: bool = True) -> Facts:
    found = Lifetimes(list(alive), list(gone), True)
    return facts_of_waits(found, "192.0.2.1:862", 295, thorough=thorough, same_line=same_line)


@pytest.mark.parametrize(
    ("alive", "gone", "outlives", "said"),
    [
        ((30, 60, 120), (), None, "Towards x a binding was still there after 120 s of silence."),
        ((30,), (60, 120), None, "of silence, and no answer came after 60, 120 s."),
        ((), (30,), None, "Towards x no answer came after 30 s."),
        ((30, 300), (60,), True, "still there after 300 s"),
    ],
)
def test_what_waits_that_were_stopped_prove(
    alive: Sequence[float], gone: Sequence[float], outlives: bool | None, said: str
) -> None:
    """No expiry: a longer wait might have been answered."""
    facts = stopped_after(Lifetimes(list(alive), list(gone), True), "x", 295)
    assert (facts.outlives_reregistration, facts.expired_before_s, facts.alive_s) == (outlives, None, list(alive))
    assert said in facts.evidence["outlives_reregistration"]


@pytest.mark.parametrize(
    ("alive", "gone", "outlives", "expired", "words"),
    [
        (WAITS_S, (), True, None, "still there after 330 s"),
        ((30, 60, 120, 180, 240, 300), (330,), True, None, "still there after 300 s"),
        ((30, 60), (120, 180, 240, 300, 330), False, 120, "gone after 120 s"),
        ((), WAITS_S, False, 30, "it was gone after 30 s"),
        # between two waits lies the re-registration
        ((30, 60, 120, 180, 240), (300, 330), None, 300, "gone after 300 s"),
        # an answer lost for other reasons: a longer wait was answered
        ((30, 120, 300, 330), (60, 180, 240), True, None, "still there after 330 s"),
        ((30, 60, 120), (180,), None, None, "one loss"),
    ],
)
def test_what_the_waits_say(
    alive: Sequence[float], gone: Sequence[float], outlives: bool | None, expired: float | None, words: str
) -> None:
    facts = _waits(alive, gone)
    assert (facts.outlives_reregistration, facts.expired_before_s) == (outlives, expired)
    assert words in facts.evidence["outlives_reregistration"]


def test_a_line_that_was_cut_meanwhile_is_no_expiry() -> None:
    facts = _waits((30, 60), (120, 180, 240, 300, 330), same_line=False)
    assert facts.outlives_reregistration is None
    assert "cut" in facts.evidence["outlives_reregistration"]
    assert _waits(WAITS_S, same_line=False).outlives_reregistration is True


def test_the_plain_run_says_what_it_did_not_wait_for() -> None:
    facts = _waits((5, 6), thorough=False)
    assert (facts.outlives_reregistration, facts.not_waited_s) == (None, list(WAITS_S))
    assert "30, 60, 120, 180, 240, 300, 330 s" in facts.evidence["outlives_reregistration"]
    assert "--thorough" in facts.evidence["outlives_reregistration"]
    assert _waits((), (5, 6), thorough=False).outlives_reregistration is False


def _seen(address: str, port: int) -> list[SeenBy]:
    return [SeenBy(server="a", address=address, port=port)]


def _mappings(before: list[SeenBy], later: list[SeenBy]) -> Facts:
    return facts_of_mappings(before, later, LOCAL, 5.0, 295)


def test_without_a_far_end_only_a_changed_port_proves_an_expiry() -> None:
    seen = _seen("192.88.99.2", 40000)
    assert _mappings(seen, seen).outlives_reregistration is None
    expired = _mappings(seen, _seen("192.88.99.2", 40001))
    assert (expired.outlives_reregistration, expired.expired_before_s) == (False, 5.0)
    assert _mappings([], []).outlives_reregistration is None


def test_where_nothing_is_translated_a_firewall_may_forget_all_the_same() -> None:
    facts = _mappings(_seen(LOCAL, 5062), [])
    assert facts.outlives_reregistration is None
    assert "stateful firewall" in facts.evidence["outlives_reregistration"]


@pytest.mark.waits
def test_a_far_end_that_is_silent_says_nothing() -> None:
    silent = far_end.Reflector("127.0.0.2", 9)  # nobody listens there
    assert wait_for_answers(Context(Link(name="l")), silent, (0.1,)) == Lifetimes([], [], None)


def test_a_far_end_on_this_machine_needs_no_waiting() -> None:
    options = Options(domain="x", transport="udp", networks=[], reregistration_s=295, reflector="127.0.0.1:9")
    assert measure(options, Context(Link(name="l"))).outlives_reregistration is True


@contextmanager
def reflecting(port: int = 0) -> Iterator[int]:
    stop = threading.Event()
    with Reflector.open(ReflectorOptions(addresses=("127.0.0.1",), ports=(port,))) as reflector:
        thread = threading.Thread(target=reflector.serve, args=(stop,))
        thread.start()
        try:
            yield reflector.stamp_ports[0]
        finally:
            stop.set()
            thread.join()


@pytest.mark.waits
@pytest.mark.parametrize("restarts", [False, True])
def test_a_reflector_that_restarts_meanwhile_is_no_expiry(restarts: bool) -> None:
    """It forgets who waits for an answer, which looks like a binding that is gone."""
    waits = (0.3, 0.6, 0.9, 1.2, 3.0, 3.5)
    found: list[Lifetimes] = []
    on_the_way: list[Lifetimes] = []
    with ExitStack() as first:
        port = first.enter_context(reflecting())
        context = Context(Link(name="l"))
        asking = threading.Thread(
            target=lambda: found.append(
                wait_for_answers(context, far_end.Reflector("127.0.0.1", port), waits, on_the_way.append)
            )
        )
        asking.start()
        if restarts:
            asking.join(3.2)  # six sockets have asked by then, 0.3 s each, and the first waits are over
            first.close()
            first.enter_context(reflecting(port))
        asking.join(30)
    (told,) = found
    assert told.steady is not restarts
    assert [each.alive + each.gone for each in on_the_way][:2] == [[0.3], [0.3, 0.6]]
    assert (on_the_way[-1].alive, on_the_way[-1].gone) == (told.alive, told.gone)
    facts = facts_of_waits(told, "x", 3, thorough=True, same_line=told.steady)
    assert facts.outlives_reregistration is (None if restarts else True)


def test_a_second_line_that_is_stopped_has_told_what_it_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def paired(*_: object) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(near=None, far=None)

    monkeypatch.setattr(other_side, "pair", paired)
    monkeypatch.setattr(other_side, "_passes", lambda *_: True)
    context = Context(Link(name="l"))
    on_the_way: list[Lifetimes] = []

    def so_far(waited: Lifetimes) -> None:
        on_the_way.append(waited)
        context.stop.set()

    with pytest.raises(ProbeFailed):
        other_side.wait_for_the_other_side(context, "phone=x", [], "trunk.example", [], (0.0, 600.0), so_far)
    assert [each.alive for each in on_the_way] == [[0.0]]


def test_a_second_line_is_called_by_its_name() -> None:
    asked = Lifetimes([30.0], [60.0, 120.0], True)
    facts = facts_of_waits(asked, None, 295, thorough=True, same_line=True, far_end="the second line phone")
    assert facts.reflector is None
    assert facts.outlives_reregistration is False
    sentence = facts.evidence["outlives_reregistration"]
    assert sentence.startswith("Towards the second line phone a binding was still there after 30 s of silence")
