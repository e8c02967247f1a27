"""Datagrams that die on the way, and what the hop where they died quotes of them. Says what became of each, not why.

A datagram with a small TTL makes the hop where it runs out send an ICMP Time Exceeded that quotes it (RFC 792), and the
socket's error queue brings sender and quote to a plain user (ip(7)). So a hop behind the site's edge proves that the
edge let the datagram out, without any server seeing it.

That no quote came proves nothing by itself: hops ration their errors (Linux: six, then one a second), some send none. A
datagram counts as dropped only when, several times, control datagrams to the same hop around it were quoted and it was
not.
"""

import random
import secrets
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gosip_check.probes.net import segments, sockets
from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.net.sockets import Datagram
from gosip_check.probes.probe import Context
from gosip_check.wire import bait
from gosip_check.wire.icmp_quote import payload_of

Payload = Callable[[str, int], bytes]
"The datagram, given the local address and port that it is sent from."

Control = Callable[["Shot"], "Shot | None"]

_GAP_S = 0.003
_WAIT_S = 0.9
_SHORTEST_GRACE_S = 0.08
"How long quotes may arrive after the quote of a datagram that was sent later; twice the round trip where that is more."

STRIKES = 3
_FURTHER_STRIKES_AT_A_RATIONED_HOP = 2
_LARGEST_GROUP = 32
_PAUSE_S = 0.02
_REFILL_S = 1.05
"Linux gives out one more ICMP error a second to each destination (icmp_ratelimit)."


@dataclass(frozen=True)
class Shot:
    """One datagram to send: from a socket of its own, to `address`:`port`, to die after `ttl` hops. whole: sets DF."""

    payload: Payload
    address: str
    port: int
    ttl: int
    whole: bool = False


@dataclass(frozen=True)
class Reaction:
    """What came back for a shot. `sent` is the datagram, `local` where it left from. Both None: silence."""

    shot: Shot
    sent: bytes
    local: tuple[str, int]
    icmp: IcmpError | None = None
    reply: Datagram | None = None

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

    passed: a hop at its TTL quoted it. refused: an ICMP error other than Time Exceeded. answered: a datagram came back.
    dropped: proven against controls. undecided: silence, and the controls do not say why.
    """

    PASSED = "passed"
    REFUSED = "refused"
    ANSWERED = "answered"
    DROPPED = "dropped"
    UNDECIDED = "undecided"


@dataclass
class Trial:
    """One shot and what has become of it so far.

    reaction: to the latest try. tries: how often it was sent; strikes: how often in a row it was lost between controls
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
        if reaction.reply is not None:
            self.fate = Fate.ANSWERED
        elif reaction.icmp is not None:
            self.fate = Fate.PASSED if reaction.died_on_the_way else Fate.REFUSED


def sip_shot(address: str, port: int, domain: str, message: str, ttl: int) -> Shot:
    """One of the SIP requests that are meant to die on the way, with ids of its own."""
    ids = bait.Ids(f"z9hG4bK{secrets.token_hex(6)}", secrets.token_hex(4), secrets.token_hex(3))

    def payload(host: str, own_port: int) -> bytes:
        return bait.bait(message, domain, host, own_port, ids)

    return Shot(payload, address, port, ttl)


def volley(context: Context, shots: Sequence[Shot], wait_s: float = _WAIT_S) -> list[Reaction]:
    """Send every shot once, a few milliseconds apart, and listen until each had a reaction or `wait_s` is over.

    Raises ProbeFailed: what this machine refuses; interrupted.
    """
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

    control: names a shot to the same address with the same TTL that is known to be quoted there; None where none is
    known, and then silence stays undecided. strikes: how many times a shot must be lost between controls that are not.
    With fewer than STRIKES a loss on the way may look like a drop; the caller has to make sure later. suspected: most
    shots are expected to be dropped, so there is no first try without controls.
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
    missed: int = 0


@dataclass(frozen=True)
class _Entry:
    """One datagram of a round: a shot that is tried, or a control (None)."""

    trial: Trial | None
    shot: Shot


@dataclass
class _Series:
    """Several shots that are tried in rounds, each round between controls."""

    trials: list[Trial]
    control: Control
    strikes: int
    hops: dict[tuple[str, int], _Hop] = field(default_factory=lambda: defaultdict(_Hop))

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
        """Some of a hop's pending shots in random order, between two controls; at a rationed hop before one."""
        own = [trial for trial in self.pending if trial.hop == hop]
        size = self.hops[hop].size
        chosen = [_Entry(trial, trial.shot) for trial in random.sample(own, min(size, len(own)))]
        passed = (trial.shot for trial in self.trials if trial.hop == hop and trial.fate is Fate.PASSED)
        known = next(passed, None) or self.control(chosen[0].shot)
        if known is None:
            return chosen
        closing = [_Entry(None, known)]
        return [*([] if size == 1 else closing), *chosen, *closing]

    def take_round(self, round_: Sequence[_Entry], reactions: Sequence[Reaction]) -> None:
        """Silence between controls that were quoted is a strike; a lost control makes the strikes so far void."""
        pairs = list(zip(round_, reactions, strict=True))
        controls = [reaction.died_on_the_way for entry, reaction in pairs if entry.trial is None]
        clean = bool(controls) and all(controls)
        hop = self.hops[round_[0].shot.address, round_[0].shot.ttl]
        hop.size = min(2 * hop.size, _LARGEST_GROUP) if clean else max(1, hop.size // 4)
        hop.missed += not clean
        for entry, reaction in pairs:
            trial = entry.trial
            if trial is None:
                continue
            trial.take(reaction)
            trial.strikes = trial.strikes + 1 if clean else 0
            enough = self.strikes + (_FURTHER_STRIKES_AT_A_RATIONED_HOP if hop.missed else 0)
            if trial.fate is Fate.UNDECIDED and trial.strikes >= enough:
                trial.fate = Fate.DROPPED

    def period_s(self) -> float:
        """From one round to the next: at hops that ration, until they may have something to give again."""
        return _REFILL_S if all(self.hops[trial.hop].size == 1 for trial in self.pending) else 0.0
