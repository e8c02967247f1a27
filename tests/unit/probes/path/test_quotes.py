"""What becomes of a datagram is seen in quotes, against hops that ration, lose, or say nothing. No packet is sent."""

import random
import socket
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import pytest

from gosip_check.probes.net import sockets
from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.path import quotes
from gosip_check.probes.path.quotes import Fate, Reaction, Shot, try_shots
from gosip_check.probes.probe import Context
from gosip_check.records import FailureKind, Link

CONTROL_PORT = 33434
HOP = "192.0.2.1"


def _shot(port: int, ttl: int = 2) -> Shot:
    return Shot(lambda *_: b"x", "198.51.100.1", port, ttl)


def _control(shot: Shot) -> Shot:
    return _shot(CONTROL_PORT, shot.ttl)


def _exceeded(shot: Shot) -> Reaction:
    icmp = IcmpError(4, 11, 0, HOP, b"x")
    return Reaction(shot, b"x", ("192.168.1.10", 5000), icmp)


def _silent(shot: Shot) -> Reaction:
    return Reaction(shot, b"x", ("192.168.1.10", 5000))


class Network:
    """Answers volleys: `blocked` ports are dropped at the edge; `quotes` says whether the hop quotes the next one."""

    def __init__(self, blocked: set[int], quotes: Callable[["Network"], bool]) -> None:
        self.blocked, self.quotes = blocked, quotes
        self.now_s = 0.0
        self.tokens = 6.0

    def volley(self, context: Context, shots: Sequence[Shot], wait_s: float = 1.0) -> list[Reaction]:
        reactions: list[Reaction] = []
        for shot in shots:
            self.pass_time(0.003)
            passes = shot.port not in self.blocked and self.quotes(self)
            reactions.append(_exceeded(shot) if passes else _silent(shot))
        self.pass_time(0.9)
        return reactions

    def pass_time(self, seconds: float) -> None:
        self.now_s += seconds
        self.tokens = min(6.0, self.tokens + seconds)

    def take_token(self) -> bool:
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def _fates(monkeypatch: pytest.MonkeyPatch, network: Network, ports: Sequence[int], until_s: float) -> dict[int, Fate]:
    context = Context(Link(name="l"))
    monkeypatch.setattr(quotes, "volley", network.volley)
    monkeypatch.setattr(quotes, "time", SimpleNamespace(monotonic=lambda: network.now_s))
    monkeypatch.setattr(Context, "wait_until", lambda _, at_s: network.pass_time(max(0.0, at_s - network.now_s)))
    trials = try_shots(context, [_shot(port) for port in ports], _control, until_s)
    return {trial.shot.port: trial.fate for trial in trials}


def test_open_and_dropped_ports_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network({2000, 3000}, lambda _: True)
    fates = _fates(monkeypatch, network, [1000, 2000, 3000, 4000], 30)
    assert fates == {1000: Fate.PASSED, 2000: Fate.DROPPED, 3000: Fate.DROPPED, 4000: Fate.PASSED}


def test_a_hop_that_says_nothing_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network({2000}, lambda _: False)
    assert set(_fates(monkeypatch, network, [1000, 2000], 30).values()) == {Fate.UNDECIDED}


@pytest.mark.parametrize("seed", range(40))
def test_a_hop_that_rations_is_never_taken_for_a_block(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Linux: six quotes, then one a second. Open ports end as passed or undecided, however short the time."""
    random.seed(seed)
    network = Network(set(), Network.take_token)
    network.tokens = random.uniform(0, 6)
    fates = _fates(monkeypatch, network, list(range(1000, 1028)), random.uniform(3, 40))
    assert Fate.DROPPED not in fates.values()


def test_a_blocked_port_behind_a_rationed_hop_is_found_given_time(monkeypatch: pytest.MonkeyPatch) -> None:
    random.seed(3)
    network = Network({1001}, Network.take_token)
    assert _fates(monkeypatch, network, [1000, 1001, 1002], 60) == {
        1000: Fate.PASSED,
        1001: Fate.DROPPED,
        1002: Fate.PASSED,
    }


@pytest.mark.parametrize("seed", range(40))
def test_quotes_that_get_lost_are_no_blocks(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """One in ten is lost at random."""
    draw = random.Random(seed)
    network = Network(set(), lambda _: draw.random() > 0.1)
    fates = _fates(monkeypatch, network, list(range(1000, 1028)), 60)
    assert set(fates.values()) == {Fate.PASSED}


def test_a_refusal_and_an_answer_decide_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = IcmpError(4, 3, 13, "192.168.1.1")
    reply = sockets.Datagram(b"SIP/2.0 200 OK\r\n\r\n", "198.51.100.1", 5060, 0.0)
    answers = [
        Reaction(_shot(1), b"x", ("192.168.1.10", 5000), refused),
        Reaction(_shot(2), b"x", ("192.168.1.10", 5000), None, reply),
    ]
    monkeypatch.setattr(quotes, "volley", lambda *_: answers)
    trials = try_shots(Context(Link(name="l")), [_shot(1), _shot(2)], _control, 0)
    assert [trial.fate for trial in trials] == [Fate.REFUSED, Fate.ANSWERED]
    assert [trial.answered_by for trial in trials] == ["192.168.1.1", "198.51.100.1"]


def test_a_volley_on_loopback_hears_refusals_and_answers() -> None:
    context = Context(Link(name="l"))
    with sockets.udp_socket(Link(name="l", source="127.0.0.1")) as free:
        closed = sockets.local_address(free)[1]
    with sockets.udp_socket(Link(name="l", source="127.0.0.1")) as listening:
        port = sockets.local_address(listening)[1]
        shots = [Shot(lambda *_: b"hello", "127.0.0.1", own, 1) for own in (closed, port)]
        refused, silent = quotes.volley(context, shots, 0.2)
        received = sockets.read_datagrams(listening)
    assert refused.icmp is not None
    assert refused.icmp.kind is FailureKind.REFUSED
    assert refused.quoted == b"hello"
    assert (silent.icmp, silent.reply) == (None, None)
    assert [datagram.data for datagram in received] == [b"hello"]


def test_connections_on_loopback_are_accepted_or_reset() -> None:
    context = Context(Link(name="l"))
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as free:
        port, closed = server.getsockname()[1], free.getsockname()[1]
        free.close()
        reactions = quotes.volley(context, [quotes.syn_shot("127.0.0.1", own, 1) for own in (closed, port)], 0.5)
    assert [reaction.connection for reaction in reactions] == ["reset", "accepted"]
    trials = [quotes.Trial(reaction.shot) for reaction in reactions]
    for trial, reaction in zip(trials, reactions, strict=True):
        trial.take(reaction)
    assert [trial.fate for trial in trials] == [Fate.RESET, Fate.ANSWERED]
