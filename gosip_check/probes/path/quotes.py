"""Datagrams that die on the way, and what the hop where they died says of them. Asks; never tells what it means.

A datagram with a small TTL makes the hop where it runs out send an ICMP Time Exceeded that quotes it (RFC 792), and the
socket's error queue brings sender and quote to a plain user (ip(7)). So a hop behind the site's edge proves that the
edge let the datagram out, without any server seeing it.

That no quote came proves nothing by itself: hops ration their errors (Linux: six, then one a second), some send none. A
datagram counts as dropped only when, several times, control datagrams to the same hop around it were quoted and it was
not.
"""

import random
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gosip_check.probes.net import sockets
from gosip_check.probes.net.sockets import Datagram, IcmpError
from gosip_check.probes.probe import Context
from gosip_check.wire import bait
from gosip_check.wire.icmp_quote import payload_of

TIME_EXCEEDED = 11

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
    """One datagram to send: from a socket of its own, to `address`:`port`, to die after `ttl` hops."""

    payload: Payload
    address: str
    port: int
    ttl: int


@dataclass(frozen=True)
class Heard:
    """What came back. `sent` is the datagram, `local` where it left from. Both None: silence."""

    shot: Shot
    sent: bytes
    local: tuple[str, int]
    icmp: IcmpError | None = None
    reply: Datagram | None = None

    @property
    def silent(self) -> bool:
        return self.icmp is None and self.reply is None

    @property
    def died_on_the_way(self) -> bool:
        """A hop quoted it, so every device before that hop has let it through."""
        return self.icmp is not None and self.icmp.type == TIME_EXCEEDED

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


@dataclass(frozen=True)
class Told:
    """The fate of one shot. `tries`: how often it was sent; `controls`: how many controls were quoted around it."""

    shot: Shot
    fate: Fate
    heard: Heard
    tries: int
    controls: int


def sip_shot(address: str, port: int, domain: str, message: str, ttl: int) -> Shot:
    """One of the SIP requests that are meant to die on the way, with ids of its own."""
    ids = bait.Ids(f"z9hG4bK{secrets.token_hex(6)}", secrets.token_hex(4), secrets.token_hex(3))

    def payload(host: str, own_port: int) -> bytes:
        return bait.bait(message, domain, host, own_port, ids)

    return Shot(payload, address, port, ttl)


def volley(context: Context, shots: Sequence[Shot], wait_s: float = _WAIT_S) -> list[Heard]:
    """Send every shot once, a few milliseconds apart, and listen until all are heard of or `wait_s` is over.

    Raises ProbeFailed: what this machine refuses; interrupted.
    """
    socks = []
    try:
        heard: list[Heard] = []
        sources = {address: sockets.source_address(context.link, address) for address in {s.address for s in shots}}
        for shot in shots:
            sock = sockets.udp_socket(context.link, sockets.family_of(shot.address))
            socks.append(sock)
            local = (sources[shot.address], sockets.local_address(sock)[1])
            heard.append(Heard(shot, shot.payload(*local), local))
        for sock, one in zip(socks, heard, strict=True):
            sockets.send_to(sock, one.sent, one.shot.address, one.shot.port, ttl=one.shot.ttl)
            context.wait(_GAP_S)
        sent_s = time.monotonic()
        until_s = sent_s + wait_s
        waiting = dict(zip(socks, range(len(heard)), strict=True))
        while waiting and time.monotonic() < until_s:
            for sock in sockets.wait_readable(context, list(waiting), until_s):
                index = waiting[sock]
                errors, replies = sockets.read_icmp_errors(sock), sockets.read_datagrams(sock)
                if errors or replies:
                    del waiting[sock]
                    one = heard[index]
                    icmp, reply = next(iter(errors), None), next(iter(replies), None)
                    heard[index] = Heard(one.shot, one.sent, one.local, icmp, reply)
                    if index == len(heard) - 1:
                        now_s = time.monotonic()
                        until_s = min(until_s, now_s + max(_SHORTEST_GRACE_S, 2 * (now_s - sent_s)))
        return heard
    finally:
        for sock in socks:
            sock.close()


def tell(
    context: Context,
    shots: Sequence[Shot],
    control: Control,
    until_s: float,
    *,
    strikes: int = STRIKES,
    suspected: bool = False,
) -> list[Told]:
    """The fate of every shot, in their order. Ends at the latest a second or two after time.monotonic() is `until_s`.

    control: names a shot to the same address with the same TTL that is known to be quoted there; None where none is
    known, and then silence stays undecided. strikes: how many times a shot must be lost between controls that are not.
    With fewer than STRIKES a loss on the way may look like a drop; the caller has to make sure later. suspected: most
    shots are expected to be dropped, so there is no first try without controls.
    """
    asking = _Asking([_Asked(shot) for shot in shots], control, strikes)
    if not suspected:
        for start in range(0, len(shots), _LARGEST_GROUP):
            group = asking.asked[start : start + _LARGEST_GROUP]
            for one, heard in zip(group, volley(context, [one.shot for one in group]), strict=True):
                one.take(heard)
    while asking.pending and time.monotonic() < until_s:
        began_s = time.monotonic()
        rounds = [asking.next_round(hop) for hop in asking.next_hops()]
        heards = iter(volley(context, [entry.shot for round_ in rounds for entry in round_]))
        for round_ in rounds:
            asking.take_round(round_, [next(heards) for _ in round_])
        if asking.pending and time.monotonic() < until_s:
            period_s = asking.period_s() * random.uniform(1, 1.2)  # never in step with a hop that counts seconds
            context.wait_until(max(began_s + period_s, time.monotonic() + _PAUSE_S))
    return [one.told() for one in asking.asked]


@dataclass
class _Asked:
    """One shot and what has come of it so far."""

    shot: Shot
    fate: Fate = Fate.UNDECIDED
    heard: Heard | None = None
    tries: int = 0
    controls: int = 0
    strikes: int = 0

    @property
    def hop(self) -> tuple[str, int]:
        return self.shot.address, self.shot.ttl

    def take(self, heard: Heard) -> None:
        self.heard = heard
        self.tries += 1
        if heard.reply is not None:
            self.fate = Fate.ANSWERED
        elif heard.icmp is not None:
            self.fate = Fate.PASSED if heard.died_on_the_way else Fate.REFUSED

    def told(self) -> Told:
        heard = self.heard or Heard(self.shot, b"", ("", 0))
        return Told(self.shot, self.fate, heard, self.tries, self.controls)


@dataclass
class _Hop:
    """How a hop has answered its controls so far. `size`: how many shots it is asked about at a time."""

    size: int = 16
    missed: int = 0


@dataclass(frozen=True)
class _Entry:
    """One datagram of a round: a shot that is asked about, or a control (None)."""

    asked: _Asked | None
    shot: Shot


@dataclass
class _Asking:
    asked: list[_Asked]
    control: Control
    strikes: int
    hops: dict[tuple[str, int], _Hop] = field(default_factory=lambda: defaultdict(_Hop))

    @property
    def pending(self) -> list[_Asked]:
        return [one for one in self.asked if one.fate is Fate.UNDECIDED]

    def next_hops(self) -> list[tuple[str, int]]:
        """The hops to ask in a round. Of those that ration only one at each TTL: they may be one router."""
        hops = list(dict.fromkeys(one.hop for one in self.pending))
        random.shuffle(hops)
        rationed = {ttl: (address, ttl) for address, ttl in hops if self.hops[address, ttl].size == 1}
        return [hop for hop in hops if self.hops[hop].size > 1 or rationed[hop[1]] == hop]

    def next_round(self, hop: tuple[str, int]) -> list[_Entry]:
        """Some of a hop's pending shots in random order, between two controls; at a rationed hop before one."""
        own = [one for one in self.pending if one.hop == hop]
        size = self.hops[hop].size
        chosen = [_Entry(one, one.shot) for one in random.sample(own, min(size, len(own)))]
        passed = (one.shot for one in self.asked if one.hop == hop and one.fate is Fate.PASSED)
        known = next(passed, None) or self.control(chosen[0].shot)
        if known is None:
            return chosen
        closing = [_Entry(None, known)]
        return [*([] if size == 1 else closing), *chosen, *closing]

    def take_round(self, round_: Sequence[_Entry], heards: Sequence[Heard]) -> None:
        """Silence between controls that were quoted is a strike; a lost control makes the strikes so far void."""
        pairs = list(zip(round_, heards, strict=True))
        controls = [heard.died_on_the_way for entry, heard in pairs if entry.asked is None]
        clean = bool(controls) and all(controls)
        state = self.hops[round_[0].shot.address, round_[0].shot.ttl]
        state.size = min(2 * state.size, _LARGEST_GROUP) if clean else max(1, state.size // 4)
        state.missed += not clean
        for entry, heard in pairs:
            one = entry.asked
            if one is None:
                continue
            one.take(heard)
            one.strikes = one.strikes + 1 if clean else 0
            one.controls += len(controls) if clean else 0
            enough = self.strikes + (_FURTHER_STRIKES_AT_A_RATIONED_HOP if state.missed else 0)
            if one.fate is Fate.UNDECIDED and one.strikes >= enough:
                one.fate = Fate.DROPPED

    def period_s(self) -> float:
        """From one round to the next: at hops that ration, until they may have something to give again."""
        return _REFILL_S if all(self.hops[one.hop].size == 1 for one in self.pending) else 0.0
