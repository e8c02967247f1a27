"""Datagrams that die on the way, and what the hop where they died quotes of them. Says what became of each, not why.

A datagram with a small TTL makes the hop where it runs out send an ICMP Time Exceeded that quotes it (RFC 792), and the
socket's error queue brings sender and quote to a plain user (ip(7)). So a hop behind the site's edge proves that the
edge let the datagram out, without any server seeing it.

That no quote came proves nothing by itself: hops ration their errors (Linux: six, then one a second), some send none.
So a silence counts only where two controls that left right behind it to the same hop were both quoted: a ration only
shrinks from one datagram to the next, so there was one for it as well. A single control proves less: the hop may have
got one error to give just before it. A datagram counts as dropped after several such silences.

TCP connections that cannot get further than the hop are tried and vouched for in the same way, by their SYNs.
"""

import random
import secrets
import select
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from gosip_check.probes.net import segments, sockets
from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.net.sockets import Datagram
from gosip_check.probes.probe import Context
from gosip_check.records import FailureKind
from gosip_check.wire import bait
from gosip_check.wire.icmp_quote import payload_of

Payload = Callable[[str, int], bytes]
"The datagram, given the local address and port that it is sent from."

Control = Callable[["Shot"], "Shot | None"]

_GAP_S = 0.003
_WAIT_S = 0.9
_SHORTEST_GRACE_S = 0.08
"How long quotes may arrive after the quote of a datagram that was sent later; twice the round trip where that is more."

STRIKES = 4
"Where 2 % of the round trips are lost, one of 28 good ports is called dropped in fewer than 1 of 100,000 sites."
_LARGEST_GROUP = 32
_PAUSE_S = 0.02
_APART_S = 0.5
"Between two silences that count: a moment's outage must not make both."
_REFILL_S = 2.2
"Linux gives out one more ICMP error a second to each destination (icmp_ratelimit); the controls take two."


@dataclass(frozen=True)
class Shot:
    """One datagram to send: from a socket of its own, to `address`:`port`, to die after `ttl` hops. whole: sets DF.

    is_syn: a TCP connection is tried instead.
    """

    payload: Payload
    address: str
    port: int
    ttl: int
    whole: bool = False
    is_syn: bool = False


@dataclass(frozen=True)
class Reaction:
    """What came back for a shot. `sent` is the datagram, `local` where it left from. All None: silence.

    connection: the SYN was accepted, or reset without an ICMP error.
    """

    shot: Shot
    sent: bytes
    local: tuple[str, int]
    icmp: IcmpError | None = None
    reply: Datagram | None = None
    connection: Literal["accepted", "reset"] | None = None

    @property
    def died_on_the_way(self) -> bool:
        """A hop quoted it, so every device before that hop has let it through."""
        return self.icmp is not None and self.icmp.is_time_exceeded

    @property
    def quoted(self) -> bytes:
        """What the hop saw of the payload, as far as it quoted it."""
        return payload_of(self.icmp.quoted, self.icmp.quoted_length) if self.icmp else b""


class Fate(StrEnum):
    """What became of a datagram.

    passed: a hop at its TTL quoted it. refused: an ICMP error other than Time Exceeded. answered: a datagram came back,
    or the connection was accepted. reset: the connection was. dropped: proven against controls. undecided: silence,
    and the controls do not say why.
    """

    PASSED = "passed"
    REFUSED = "refused"
    ANSWERED = "answered"
    RESET = "reset"
    DROPPED = "dropped"
    UNDECIDED = "undecided"


@dataclass
class Trial:
    """One shot and what has become of it so far.

    reaction: to the latest try. tries: how often it was sent; strikes: how often it was lost right before two controls
    that were not.
    """

    shot: Shot
    fate: Fate = Fate.UNDECIDED
    reaction: Reaction = field(init=False)
    tries: int = 0
    strikes: int = 0

    def __post_init__(self) -> None:
        self.reaction = Reaction(self.shot, b"", ("", 0))

    @property
    def hop(self) -> tuple[str, int]:
        """Where it should die: towards an address, after so many hops."""
        return self.shot.address, self.shot.ttl

    @property
    def answered_by(self) -> str | None:
        """Who sent the ICMP error or the datagram that came back."""
        came = self.reaction
        return came.icmp.sender if came.icmp else came.reply.address if came.reply else None

    def take(self, reaction: Reaction) -> None:
        """The reaction to one more try."""
        self.reaction = reaction
        self.tries += 1
        if reaction.reply is not None or reaction.connection == "accepted":
            self.fate = Fate.ANSWERED
        elif reaction.connection == "reset":
            self.fate = Fate.RESET
        elif reaction.icmp is not None:
            self.fate = Fate.PASSED if reaction.died_on_the_way else Fate.REFUSED


def sip_shot(address: str, port: int, domain: str, message: str, ttl: int) -> Shot:
    """One of the SIP requests that are meant to die on the way, with ids of its own."""
    ids = bait.Ids(f"z9hG4bK{secrets.token_hex(6)}", secrets.token_hex(4), secrets.token_hex(3))

    def payload(host: str, own_port: int) -> bytes:
        return bait.bait(message, domain, host, own_port, ids)

    return Shot(payload, address, port, ttl)


def syn_shot(address: str, port: int, ttl: int) -> Shot:
    """A TCP connection that cannot get further than `ttl` hops."""
    return Shot(lambda *_: b"", address, port, ttl, is_syn=True)


def volley(context: Context, shots: Sequence[Shot], wait_s: float = _WAIT_S) -> list[Reaction]:
    """Send every shot once, a few milliseconds apart, and listen until each had a reaction or `wait_s` is over.

    Datagrams and connections not mixed. Raises ProbeFailed: what this machine refuses; interrupted.
    """
    if any(shot.is_syn for shot in shots):
        return _connections(context, shots, wait_s)
    sources = {address: sockets.source_address(context.link, address) for address in {s.address for s in shots}}
    reactions: dict[socket.socket, Reaction] = {}
    with ExitStack() as opened:
        for shot in shots:
            sock = opened.enter_context(sockets.udp_socket(context.link, sockets.family_of(shot.address)))
            if shot.whole:
                segments.forbid_fragments(sock)
            local = (sources[shot.address], sockets.local_address(sock)[1])
            reactions[sock] = Reaction(shot, shot.payload(*local), local)
        for sock, reaction in reactions.items():
            shot = reaction.shot
            sockets.send_to(sock, reaction.sent, shot.address, shot.port, ttl=shot.ttl)
            context.wait(_GAP_S)
        sent_s = time.monotonic()
        until_s = sent_s + wait_s
        silent, last = dict(reactions), next(reversed(reactions), None)
        while silent and time.monotonic() < until_s:
            for sock, replies, errors in sockets.arrivals(context, silent, until_s):
                if not errors and not replies:
                    continue
                icmp, reply = next(iter(errors), None), next(iter(replies), None)
                reactions[sock] = replace(silent.pop(sock), icmp=icmp, reply=reply)
                if sock is last:
                    now_s = time.monotonic()
                    until_s = min(until_s, now_s + max(_SHORTEST_GRACE_S, 2 * (now_s - sent_s)))
                    break
    return list(reactions.values())


def _connections(context: Context, shots: Sequence[Shot], wait_s: float) -> list[Reaction]:
    """The same for SYNs, in their order; the kernel sends each once more after a second, so it listens no longer."""
    reactions: dict[socket.socket, Reaction] = {}
    with ExitStack() as opened:
        for shot in shots:
            sock = opened.enter_context(sockets.begin_connecting(context.link, shot.address, shot.port, ttl=shot.ttl))
            reactions[sock] = Reaction(shot, b"", sockets.local_address(sock))
            context.wait(_GAP_S)
        until_s = time.monotonic() + wait_s
        silent = dict(reactions)
        while silent and (ready := sockets.wait_ready(context, silent, until_s, select.POLLOUT)):
            for sock in ready:
                reactions[sock] = _of_connection(sock, silent.pop(sock))
    return list(reactions.values())


def _of_connection(sock: socket.socket, reaction: Reaction) -> Reaction:
    try:
        sockets.check_connected(sock, reaction.shot.address, reaction.shot.port)
    except sockets.ConnectFailed as failed:
        if failed.icmp is not None:
            return replace(reaction, icmp=failed.icmp)
        return replace(reaction, connection="reset") if failed.failure.kind is FailureKind.REFUSED else reaction
    return replace(reaction, connection="accepted")


def try_shots(
    context: Context,
    shots: Sequence[Shot],
    control: Control,
    until_s: float,
    *,
    strikes: int = STRIKES,
    suspected: bool = False,
) -> list[Trial]:
    """What becomes of every shot, in their order. Ends a second or two after time.monotonic() is `until_s`, or earlier.

    control: names a shot to the same address with the same TTL that should be quoted there, another one each time where
    it does not know; None where there is none, and then silence stays undecided. strikes: how many times a shot must
    be lost before controls that are not. With fewer than STRIKES a loss on the way may look like a drop; the caller has
    to make sure later. suspected: most shots are expected to be dropped, so there is no first try without controls.
    """
    series = _Series([Trial(shot) for shot in shots], control, strikes)
    if not suspected:
        for start in range(0, len(shots), _LARGEST_GROUP):
            group = series.trials[start : start + _LARGEST_GROUP]
            for trial, reaction in zip(group, volley(context, [each.shot for each in group]), strict=True):
                trial.take(reaction)
    while series.pending and time.monotonic() < until_s:
        began_s = time.monotonic()
        rounds = [series.next_round(hop) for hop in series.next_hops()]
        reactions = iter(volley(context, [entry.shot for round_ in rounds for entry in round_]))
        for round_ in rounds:
            series.take_round(round_, [next(reactions) for _ in round_])
        if series.pending and time.monotonic() < until_s:
            period_s = series.period_s() * random.uniform(1, 1.2)  # never in step with a hop that counts seconds
            context.wait_until(max(began_s + period_s, time.monotonic() + _PAUSE_S))
    return series.trials


@dataclass
class _Hop:
    """How a hop has answered its controls so far. `size`: how many shots are tried at it at a time."""

    size: int = 16


@dataclass(frozen=True)
class _Entry:
    """One datagram of a round: a shot that is tried, or a control (None)."""

    trial: Trial | None
    shot: Shot


@dataclass
class _Series:
    """Several shots that are tried in rounds, each round before two controls. vouched: a control that was quoted."""

    trials: list[Trial]
    control: Control
    strikes: int
    hops: dict[tuple[str, int], _Hop] = field(default_factory=lambda: defaultdict(_Hop))
    vouched: dict[tuple[str, int], Shot] = field(default_factory=dict)

    @property
    def pending(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.fate is Fate.UNDECIDED]

    def next_hops(self) -> list[tuple[str, int]]:
        """The hops to ask in a round. Of those that ration only one at each TTL: they may be one router."""
        hops = list(dict.fromkeys(trial.hop for trial in self.pending))
        random.shuffle(hops)
        rationed = {ttl: (address, ttl) for address, ttl in hops if self.hops[address, ttl].size == 1}
        return [hop for hop in hops if self.hops[hop].size > 1 or rationed[hop[1]] == hop]

    def next_round(self, hop: tuple[str, int]) -> list[_Entry]:
        """Some of a hop's pending shots in random order, and two controls right behind them."""
        own = [trial for trial in self.pending if trial.hop == hop]
        size = self.hops[hop].size
        chosen = [_Entry(trial, trial.shot) for trial in random.sample(own, min(size, len(own)))]
        passed = (trial.shot for trial in self.trials if trial.hop == hop and trial.fate is Fate.PASSED)
        known = next(passed, None) or self.vouched.get(hop) or self.control(chosen[0].shot)
        if known is None:
            return chosen
        return [*chosen, _Entry(None, known), _Entry(None, known)]

    def take_round(self, round_: Sequence[_Entry], reactions: Sequence[Reaction]) -> None:
        """Silence before two controls that were quoted is a strike; where one of these was lost, it says nothing."""
        pairs = list(zip(round_, reactions, strict=True))
        controls = [reaction.died_on_the_way for entry, reaction in pairs if entry.trial is None]
        clean = bool(controls) and all(controls)
        where = (round_[0].shot.address, round_[0].shot.ttl)
        if clean:
            self.vouched[where] = round_[-1].shot
        hop = self.hops[where]
        hop.size = min(2 * hop.size, _LARGEST_GROUP) if clean else max(1, hop.size // 4)
        for entry, reaction in pairs:
            trial = entry.trial
            if trial is None:
                continue
            trial.take(reaction)
            trial.strikes += clean and trial.fate is Fate.UNDECIDED
            if trial.fate is Fate.UNDECIDED and trial.strikes >= self.strikes:
                trial.fate = Fate.DROPPED

    def period_s(self) -> float:
        """From one round to the next: at hops that ration, until they may have enough to give again."""
        if all(self.hops[trial.hop].size == 1 for trial in self.pending):
            return _REFILL_S
        return _APART_S if self.strikes > 1 else 0.0
