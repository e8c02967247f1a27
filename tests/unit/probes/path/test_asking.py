"""Who asks what of hops, in one volley for all, and what is learned from it. The network is a script."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.net.sockets import Datagram
from gosip_check.probes.path import asking
from gosip_check.probes.path.asking import Desk, Fate, Trial, ask, decide, trial_of
from gosip_check.probes.path.plan import Question
from gosip_check.probes.path.quotes import CONTROL_PORTS, SYN_CONTROL_PORTS, Reaction, Shot, control, sip_shot, syn_shot
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind, Link

HERE, THERE, HOP = "198.51.100.1", "198.51.100.2", "192.0.2.1"
QUOTE = IcmpError(4, 11, 0, HOP, b"x")
TAKES_S = 0.5

Answer = Callable[[Shot], IcmpError | Datagram | None]


@dataclass
class Script:
    """What comes back for a shot, and the clock."""

    answer: Answer
    now_s: float = 100.0
    volleys: list[list[Shot]] = field(default_factory=list)

    def volley(self, context: Context, shots: Sequence[Shot]) -> list[Reaction]:
        context.check()
        self.volleys.append(list(shots))
        self.now_s += TAKES_S
        return [self._reaction(shot) for shot in shots]

    def _reaction(self, shot: Shot) -> Reaction:
        came = self.answer(shot)
        icmp, reply = (came, None) if isinstance(came, IcmpError) else (None, came)
        return Reaction(shot, b"x", ("192.168.1.10", 5000), icmp, reply)

    def wait_until(self, at_s: float) -> None:
        self.now_s = max(self.now_s, at_s)

    @property
    def ports(self) -> list[list[int]]:
        return [[shot.port for shot in shots] for shots in self.volleys]


Asks = Callable[..., list[Trial]]


@pytest.fixture
def context() -> Context:
    return Context(Link(name="l"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, context: Context) -> Asks:
    """ask(script, shots, ...) with the script's clock; for `lasts_s` seconds."""

    def run(script: Script, shots: Sequence[Shot], lasts_s: float = 60.0, **options: Any) -> list[Trial]:
        monkeypatch.setattr(asking, "volley", script.volley)
        monkeypatch.setattr(asking, "time", SimpleNamespace(monotonic=lambda: script.now_s))
        monkeypatch.setattr(Context, "wait_until", lambda _, at_s: script.wait_until(at_s))
        return ask(context, shots, script.now_s + lasts_s, **options)

    return run


def shot(port: int, address: str = HERE, ttl: int = 2) -> Shot:
    return control(address, ttl, port)


def quoting(*blocked: int) -> Answer:
    """A hop that quotes freely behind an edge that drops some ports."""
    return lambda one: None if one.port in blocked else QUOTE


def test_open_and_dropped_ports_are_kept_apart(asked: Asks) -> None:
    script = Script(quoting(2000))
    trials = asked(script, [shot(port) for port in (1000, 2000, 3000)])
    assert [trial.fate for trial in trials] == [Fate.PASSED, Fate.DROPPED, Fate.PASSED]
    assert [trial.silences for trial in trials] == [0, 4, 0]
    for ports in script.ports[-4:]:
        assert ports[:-2] == [2000]
        assert set(ports[-2:]) <= {1000, 3000}
    assert trials[1].tries == len(script.volleys)


def test_what_two_probes_ask_goes_out_together(asked: Asks, context: Context) -> None:
    """The other one waits meanwhile: its silence costs no further control."""
    question = Question((HERE, False), (2,))
    other = Trial(sip_shot(HERE, 5060, "trunk.example", "OPTIONS", 2), question)
    context.shared(Desk).enter([other])
    script = Script(quoting(2000, 5060))
    trials = asked(script, [shot(port) for port in (1000, 2000)])
    assert (trials[1].fate, other.fate) == (Fate.DROPPED, Fate.DROPPED)
    assert all(sorted(ports[:-2]) == [2000, 5060] for ports in script.ports[-4:])


def test_sip_is_nobodys_control(asked: Asks) -> None:
    script = Script(quoting(2000))
    sip = sip_shot(HERE, 5060, "trunk.example", "INVITE", 2)
    _, dropped = asked(script, [sip, shot(2000)])
    assert dropped.fate is Fate.DROPPED
    assert {port for ports in script.ports[1:] for port in ports} == {2000, CONTROL_PORTS[0]}


def test_a_control_is_looked_for_where_nothing_was_quoted_yet(asked: Asks) -> None:
    script = Script(lambda one: QUOTE if one.port == CONTROL_PORTS[2] else None)
    (trial,) = asked(script, [shot(5060)])
    assert trial.fate is Fate.DROPPED
    assert [ports for ports in script.ports if len(ports) == 1] == [[5060], *([port] for port in CONTROL_PORTS[:3])]


@pytest.mark.parametrize("is_syn", [False, True])
def test_a_hop_that_says_nothing_decides_nothing_and_is_left_soon(asked: Asks, is_syn: bool) -> None:
    script = Script(lambda _: None)
    (trial,) = asked(script, [syn_shot(HERE, 5061, 2) if is_syn else shot(5060)])
    assert (trial.fate, trial.silences) == (Fate.UNDECIDED, 0)
    assert [ports[0] for ports in script.ports[1:]] == list(SYN_CONTROL_PORTS if is_syn else CONTROL_PORTS)
    assert script.now_s < 100 + 5


def test_only_what_goes_the_same_way_vouches(asked: Asks) -> None:
    """Nothing towards the other address is ever quoted."""
    script = Script(lambda one: QUOTE if one.address == HERE else None)
    trials = asked(script, [shot(1000), shot(1000, THERE)])
    assert [trial.fate for trial in trials] == [Fate.PASSED, Fate.UNDECIDED]


def test_controls_go_to_the_address_that_is_asked_about(asked: Asks) -> None:
    script = Script(quoting(2000))
    asked(script, [shot(1000), shot(1000, THERE), shot(2000, THERE)])
    assert {one.address for shots in script.volleys[-3:] for one in shots} == {THERE}


@pytest.mark.parametrize(("quoted", "fate"), [(True, Fate.DROPPED), (False, Fate.UNDECIDED)])
def test_a_control_of_its_own_is_the_only_one_that_vouches(asked: Asks, quoted: bool, fate: Fate) -> None:
    """As where the edge drops what it cannot read, or any SIP at the moment."""
    invite, options = (sip_shot(HERE, 5060, "trunk.example", message, 2) for message in ("INVITE", "OPTIONS"))
    script = Script(lambda one: QUOTE if one.port != 5060 or (one is options and quoted) else None)
    _, dropped = asked(script, [shot(1000), shot(2000)])
    assert dropped.fate is Fate.PASSED
    (trial,) = asked(script, [invite], control=lambda _: options)
    assert (trial.fate, trial.silences) == (fate, 4 if quoted else 0)
    assert {tuple(ports) for ports in script.ports[1:]} <= {(5060,), (5060, 5060, 5060)}


def test_a_refusal_an_answer_and_a_reset_decide_at_once_and_cost_the_hop_nothing(asked: Asks, context: Context) -> None:
    refused, reply = IcmpError(4, 3, 13, "192.168.1.1"), Datagram(b"SIP/2.0 200 OK\r\n\r\n", HERE, 5060, 0.0)
    script = Script(lambda one: refused if one.port == 1 else reply)
    trials = asked(script, [shot(1), shot(2)])
    assert [trial.fate for trial in trials] == [Fate.REFUSED, Fate.ANSWERED]
    assert [trial.answered_by for trial in trials] == ["192.168.1.1", HERE]
    assert context.shared(Desk).plan.rations[2].has(script.now_s) == 6


def test_any_of_several_hops_may_decide(asked: Asks) -> None:
    script = Script(lambda one: QUOTE if one.ttl == 3 else None)
    trials = asked(script, [shot(port) for port in range(1000, 1020)], ttls=(2, 3))
    assert {trial.fate for trial in trials} == {Fate.PASSED}
    assert {trial.reaction.shot.ttl for trial in trials} == {3}


def test_what_others_were_quoted_is_spent_and_known(asked: Asks, context: Context) -> None:
    script = Script(quoting(2000))
    desk = context.shared(Desk)
    desk.saw([Reaction(shot(1000), b"x", ("", 0), QUOTE)])
    assert desk.plan.rations[2].burst - desk.plan.rations[2].level == pytest.approx(1)
    (trial,) = asked(script, [shot(2000)])
    assert (trial.fate, trial.tries) == (Fate.DROPPED, 4)  # its control is known, so the first silence counts


def test_what_is_expected_to_be_silent_costs_controls_and_nothing_else(asked: Asks, context: Context) -> None:
    context.shared(Desk).saw([Reaction(shot(1000), b"x", ("", 0), QUOTE)])
    script = Script(quoting(*range(2000, 2040)))
    trials = [trial_of(shot(port), expected=False) for port in range(2000, 2040)]
    asked(script, [])
    decide(context, trials, script.now_s + 10)
    assert {(trial.fate, trial.tries) for trial in trials} == {(Fate.DROPPED, 4)}
    assert [len(ports) for ports in script.ports] == [42] * 4


def test_who_watches_sees_how_many_are_known_and_how_long_it_may_take(asked: Asks, context: Context) -> None:
    said: list[str] = []
    object.__setattr__(context, "say", said.append)
    script = Script(quoting(2000))
    asked(script, [], lasts_s=0)  # by its clock
    decide(context, [trial_of(shot(port)) for port in (1000, 2000, 3000)], script.now_s + 60, what="Ports")
    assert said[0].startswith("Ports: 2 of 3 known, ")
    assert said[-1].startswith("Ports: 3 of 3 known, ")
    assert said[-1].endswith(" s left at most")


def test_when_the_time_is_over_nothing_more_is_sent(asked: Asks) -> None:
    script = Script(quoting(2000))
    (trial,) = asked(script, [shot(2000)], lasts_s=0)
    assert (trial.fate, trial.tries, script.volleys) == (Fate.UNDECIDED, 0, [])


def test_a_run_that_is_stopped_asks_no_more(asked: Asks, context: Context) -> None:
    context.stop.set()
    with pytest.raises(ProbeFailed) as failed:
        asked(Script(quoting()), [shot(1000)])
    assert failed.value.failure.kind is FailureKind.INTERRUPTED


def test_what_a_line_learned_is_not_another_lines(context: Context) -> None:
    assert context.shared(Desk) is context.shared(Desk)
    assert context.shared(Desk) is not Context(Link(name="other")).shared(Desk)


def test_a_control_is_looked_for_at_the_nearest_hop_though_a_further_one_quotes(asked: Asks, context: Context) -> None:
    """The last silence counts at the nearest hop alone, and nothing was quoted there towards this address so far."""
    context.shared(Desk).saw([Reaction(shot(1000, ttl=3), b"x", ("", 0), replace(QUOTE, sender="192.0.2.2"))])
    (trial,) = asked(Script(quoting(2000)), [shot(2000)], ttls=(2, 3))
    assert trial.fate is Fate.DROPPED
    assert 2 in trial.question.silences
