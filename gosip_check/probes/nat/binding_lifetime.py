"""How long does a NAT, or a stateful firewall, remember a UDP flow that is silent?

With our own reflector: sockets that each wait for an answer that the far end was asked to give late. One that comes
proves that the binding lived that long; one that does not, while a prompt one on the same socket just before did, that
it was gone (RFC 4787 REQ-5, and RFC 5780 4.6 for the method). Other far ends do not know how to answer late.

Without: one binding is left alone and looked at again by the trunk's own server. A changed port proves that it had
expired. An unchanged one proves nothing, because a NAT may give out the same port again.
"""

import secrets
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

from msgspec.structs import replace

from gosip_check.probes import far_end, probe
from gosip_check.probes.dns.servers import servers_inside
from gosip_check.probes.far_end import Reflector
from gosip_check.probes.nat.lifetimes import Lifetimes
from gosip_check.probes.nat.other_side import wait_for_the_other_side
from gosip_check.probes.net import flow, sockets
from gosip_check.probes.path import hops
from gosip_check.probes.path.stand_in import without_stand_ins
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.probes.sip import mapping
from gosip_check.probes.sip.mapping import SeenBy
from gosip_check.records import FailureKind
from gosip_check.wire import stamp
from gosip_check.wire.stamp import Reply
from gosip_check.wire.stamp_tlv import ANSWER_LATER, PROOF, PROOF_OCTETS, StampError, Tlv

WAITS_S = (30.0, 60.0, 120.0, 180.0, 240.0, 300.0, 330.0)
PLAIN_WAITS_S = (5.0, 6.0)
_COPIES = 3
"Late answers asked for on each socket, a moment apart: one lost packet is no lost mapping."
_APART_S = 0.1
_EARLY = 0.99
"What comes before this share of the time that it was asked for did not wait, whatever the far end says of it."
_PROMPT_WITHIN_S = 3.0
_GRACE_S = 3.0
_WITNESSES = 2
"So many waits without answer make an expiry: a single one could be a line that was cut for a moment."
_SAY_EVERY_S = 3.0
"How often the guard speaks: no binding is forgotten so soon, so it shows the line and not the binding."
_GUARD_LOST = 2
_HELP = "A reflector of our own (--reflector, and --thorough) would show it: it can be asked to answer late."


class Options(probe.Options, frozen=True):
    """thorough: wait for as long as the re-registration takes, and longer. idle_s: the wait without a reflector."""

    domain: str
    transport: Literal["udp", "tcp"]
    networks: list[str]
    reregistration_s: int
    reflector: str | None = None
    reflector_key_file: str | None = None
    far_end_link: str | None = None
    stun: list[str] = []
    thorough: bool = False
    idle_s: float = 5.0


class Facts(probe.Facts, frozen=True):
    """outlives_reregistration: None where it was not waited for so long, or nobody could see it.

    alive_s, gone_s: waits after which an answer came, or none did. not_waited_s: what only a thorough run waits for.
    expired_before_s: after so much silence the binding was gone.
    """

    reflector: str | None
    alive_s: list[float]
    gone_s: list[float]
    not_waited_s: list[float]
    expired_before_s: float | None
    outlives_reregistration: bool | None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when this machine cannot send, or the run was stopped."""
    path = context.facts_of(hops.Facts)
    if options.reflector is None:
        if path is not None and path.is_this_machine:
            return _facts(True, f"{path.destination} is this machine itself: nothing on the way forgets a flow.")
        return _without_reflector(options, context)
    reflector = far_end.reflector_of(context, options.reflector, options.reflector_key_file)
    if ip_address(reflector.address).is_loopback:
        return _facts(True, f"{reflector.address} is this machine itself: nothing on the way forgets a flow.")
    before = far_end.ask(context, reflector)
    if before is None:
        return _without_reflector(options, context, f"The reflector at {reflector} does not answer. ")
    reregistration_s, thorough = options.reregistration_s, options.thorough

    def so_far(waited: Lifetimes) -> None:
        context.so_far(stopped_after(waited, f"the reflector at {reflector}", reregistration_s, str(reflector)))

    lifetimes = wait_for_answers(context, reflector, WAITS_S if thorough else PLAIN_WAITS_S, so_far)
    if not lifetimes.understood:
        context.brought.clear()
        what = "cannot be asked to answer late" if lifetimes.understood is False else "stopped answering"
        return _without_reflector(options, context, f"The reflector at {reflector} {what}. ")
    after = far_end.ask(context, reflector)
    same = after is not None and (before.mapped is None or after.mapped is None or before.mapped[0] == after.mapped[0])
    same = same and lifetimes.steady
    return facts_of_waits(lifetimes, str(reflector), reregistration_s, thorough=thorough, same_line=same)


def _without_reflector(options: Options, context: Context, why: str = "") -> Facts:
    """By a second line, where one is named and there is time; else by the trunk. why: see `_seen_by_the_trunk`."""
    if options.far_end_link is None or not options.thorough:
        return _seen_by_the_trunk(options, context, why)
    servers = servers_inside(context, options.networks) if options.transport == "udp" else []
    far_end = f"the second line {options.far_end_link.partition('=')[0]}"

    def so_far(waited: Lifetimes) -> None:
        context.so_far(stopped_after(waited, far_end, options.reregistration_s))

    try:
        lifetimes = wait_for_the_other_side(
            context, options.far_end_link, options.stun, options.domain, servers, WAITS_S, so_far
        )
    except ProbeFailed as failed:
        if failed.failure.kind in (FailureKind.INTERRUPTED, FailureKind.BUG):
            raise
        return _seen_by_the_trunk(options, context, f"{why}{failed.failure.message} ")
    return facts_of_waits(
        lifetimes,
        None,
        options.reregistration_s,
        thorough=True,
        same_line=lifetimes.steady,
        far_end=far_end,
    )


@dataclass
class _Guard:
    """A flow that speaks every few seconds. The far end counts its packets, from 0 for a new mapping or session."""

    context: Context
    sock: socket.socket
    key: bytes | None
    ssid: int = field(default_factory=lambda: secrets.randbelow(65535) + 1)
    sent: int = 0
    counted: int = 0
    answered: int = 0

    def speak(self) -> None:
        """One packet, and the answers that have come so far."""
        octets = stamp.AUTHENTICATED_OCTETS if self.key else 52
        _send(self.sock, self.ssid, octets, [], self.key, self.sent)
        self.sent += 1
        self.listen(time.monotonic())

    def listen(self, until_s: float) -> None:
        """Answers until then, or until all have come."""
        while self.answered < self.sent and (replies := _replies(self.context, self.sock, self.key, until_s)):
            self.answered += len(replies)
            self.counted = replies[-1][0].sequence + 1

    @property
    def is_steady(self) -> bool:
        """Hardly a packet is missing, here or in the far end's count."""
        return min(self.answered, self.counted) >= self.sent - _GUARD_LOST


def wait_for_answers(
    context: Context,
    reflector: Reflector,
    waits_s: Sequence[float],
    so_far: Callable[[Lifetimes], None] = lambda _: None,
) -> Lifetimes:
    """Takes as long as the longest wait. so_far: called after each.

    Raises ProbeFailed when this machine cannot send, or was stopped.
    """
    ssid, key = secrets.randbelow(65535) + 1, reflector.key
    octets = stamp.AUTHENTICATED_OCTETS + 40 if key else 64
    alive: list[float] = []
    gone: list[float] = []
    understood: bool | None = None
    with ExitStack() as opened:

        def fresh_flow() -> socket.socket:
            return opened.enter_context(flow.open_flow(context.link, reflector.address, reflector.port, 0))

        socks = {wait: fresh_flow() for wait in waits_s}
        asked_s: dict[float, float] = {}
        for wait, sock in socks.items():
            _send(sock, ssid, octets, [Tlv(ANSWER_LATER, bytes(4)), Tlv(PROOF, bytes(PROOF_OCTETS))], key, 0)
            prompt = _replies(context, sock, key, time.monotonic() + _PROMPT_WITHIN_S)
            if not prompt:
                continue
            understood = prompt[0][0].tlv(ANSWER_LATER) is not None
            if not understood:
                return Lifetimes([], [], False)
            late = Tlv(ANSWER_LATER, round(wait * 1000).to_bytes(4, "big"))
            proof = Tlv(PROOF, (prompt[0][0].tlv(PROOF) or b"")[:PROOF_OCTETS].ljust(PROOF_OCTETS, b"\0"))
            asked_s[wait] = time.monotonic()
            for number in range(_COPIES):
                _send(sock, ssid, octets, [late, proof], key, number + 1)
                context.wait(_APART_S)
        longest_s = max(asked_s, default=0.0)
        guard = _Guard(context, fresh_flow(), key)
        for wait in sorted(asked_s):
            until_s = asked_s[wait] + wait + _GRACE_S
            replies: list[tuple[Reply, float]] = []
            while not replies and time.monotonic() < until_s:
                guard.speak()
                left_s = max(0.0, asked_s[longest_s] + longest_s - time.monotonic())
                context.say(f"NAT: waiting for answers that were asked to come late, {left_s:.0f} s to go")
                replies = _replies(context, socks[wait], key, min(until_s, time.monotonic() + _SAY_EVERY_S))
            waited_s = [read_s - asked_s[wait] for reply, read_s in replies if reply.sender_sequence]
            if any(seconds < wait * _EARLY for seconds in waited_s):
                return Lifetimes([], [], False)
            (alive if waited_s else gone).append(wait)
            so_far(Lifetimes(list(alive), list(gone), understood))
        guard.listen(time.monotonic() + _PROMPT_WITHIN_S)
    return Lifetimes(alive, gone, understood, guard.is_steady)


def facts_of_waits(
    lifetimes: Lifetimes,
    reflector: str | None,
    reregistration_s: int,
    *,
    thorough: bool,
    same_line: bool,
    far_end: str = "",
) -> Facts:
    """What the waits say. same_line: the far end answered all the time, and saw the same address.

    far_end: what it is, where it is no reflector.
    """
    longest = max(lifetimes.alive, default=0.0)
    gone = [wait for wait in lifetimes.gone if wait > longest]
    not_waited = [] if thorough else [wait for wait in WAITS_S if wait > longest]
    outlives, expired = None, None
    alive = f"Towards {far_end or f'the reflector at {reflector}'}"
    alive += f" a binding was still there after {longest:g} s of silence" if longest else ""
    if longest >= reregistration_s:
        outlives = True
        sentence = f"{alive}."
    elif gone and not same_line:
        sentence = (
            f"{alive}, later no answer came. But a flow beside it that was never silent was cut as well. "
            "The line or the far end was away for a while: run it again."
        )
    elif len(gone) >= _WITNESSES:
        outlives, expired = (False if gone[0] <= reregistration_s else None), gone[0]
        sentence = f"{alive}{',' if longest else ''} it was gone after {gone[0]:g} s (and after {_list(gone[1:])})."
        if outlives is False:
            sentence += f" The re-registration every {reregistration_s} s needs more."
        else:
            sentence += f" Whether it lasts the {reregistration_s} s between two re-registrations was not looked at."
    elif gone:
        sentence = f"{alive}, but no answer came after {_list(gone)}, which one loss may do. Run it again."
    else:
        sentence = f"{alive}. Not waited for: {_list(not_waited)}; --thorough does, and takes some six minutes."
    return _facts(outlives, sentence, reflector, lifetimes, not_waited if outlives is None else [], expired)


def stopped_after(lifetimes: Lifetimes, far_end: str, reregistration_s: int, reflector: str | None = None) -> Facts:
    """What the waits have proven so far: a binding that was there was there, whatever longer waits would have shown.

    That none came says nothing yet: a longer wait that is answered makes it a loss.
    """
    longest = max(lifetimes.alive, default=0.0)
    silent = f"no answer came after {_list(lifetimes.gone)}" if lifetimes.gone else ""
    alive = f"a binding was still there after {longest:g} s of silence" if lifetimes.alive else ""
    sentence = f"Towards {far_end} {', and '.join(filter(None, [alive, silent]))}."
    return _facts(True if longest >= reregistration_s else None, sentence, reflector, lifetimes)


def _seen_by_the_trunk(options: Options, context: Context, why: str = "") -> Facts:
    """why: a sentence about a reflector that cannot be used."""
    if options.transport != "udp":
        tcp = "Signalling is TCP here, and says nothing of UDP bindings, so how long one lives is not known. "
        return _facts(None, f"{why}{tcp}{_HELP}")
    servers = without_stand_ins(context, servers_inside(context, options.networks))
    before, later, local = [], [], ""
    if servers:
        local = sockets.source_address(context.link, servers[0].address)
        with sockets.udp_socket(context.link) as sock:
            before = mapping.ask(context, sock, options.domain, servers)
            if before and before[0].address != local:
                context.say("NAT: leaving one binding alone")
                context.wait(options.idle_s)
                same = [server for server in servers if server.address == before[0].server]
                later = mapping.ask(context, sock, options.domain, same)
    facts = facts_of_mappings(before, later, local, options.idle_s, options.reregistration_s)
    return replace(facts, evidence={name: why + sentence for name, sentence in facts.evidence.items()})


def facts_of_mappings(
    before: Sequence[SeenBy], later: Sequence[SeenBy], local_address: str, idle_s: float, reregistration_s: int
) -> Facts:
    """What a server's view of one socket, before and after a silence, says. Only a changed port proves something."""
    wanted = f"The re-registration every {reregistration_s} s asks for a longer one"
    if before and before[0].address == local_address:
        return _facts(None, f"No address is translated, but a stateful firewall forgets flows as a NAT does. {_HELP}")
    if not later:
        silent = "No server answered and said where our requests came from, so nothing is known of it."
        return _facts(None, f"{silent} {_HELP}")
    first = next(seen for seen in before if seen.server == later[0].server)
    if (later[0].address, later[0].port) != (first.address, first.port):
        is_too_short = idle_s <= reregistration_s
        if not is_too_short:
            wanted = f"Whether it outlives the {reregistration_s} s between two re-registrations was not looked at"
        sentence = (
            f"After {idle_s:g} s of silence the binding {first.address}:{first.port} had become "
            f"{later[0].address}:{later[0].port}: it expired before {idle_s:g} s. {wanted}."
        )
        return _facts(False if is_too_short else None, sentence, expired_before_s=idle_s)
    sentence = (
        f"After {idle_s:g} s of silence the port was still {first.port}. A NAT may also have given it out again, so "
        f"that proves nothing. {wanted} or for keep-alives. {_HELP}"
    )
    return _facts(None, sentence)


def _facts(
    outlives: bool | None,
    sentence: str,
    reflector: str | None = None,
    lifetimes: Lifetimes | None = None,
    not_waited_s: Sequence[float] = (),
    expired_before_s: float | None = None,
) -> Facts:
    return Facts(
        reflector=reflector,
        alive_s=lifetimes.alive if lifetimes else [],
        gone_s=lifetimes.gone if lifetimes else [],
        not_waited_s=list(not_waited_s),
        expired_before_s=expired_before_s,
        outlives_reregistration=outlives,
        evidence={"outlives_reregistration": sentence},
    )


def _list(waits_s: Sequence[float]) -> str:
    return f"{', '.join(f'{wait:g}' for wait in waits_s)} s"


def _send(sock: socket.socket, ssid: int, octets: int, tlvs: list[Tlv], key: bytes | None, number: int) -> None:
    packet = stamp.SenderPacket(length=octets, ssid=ssid, tlvs=tlvs, key=key)
    try:
        flow.send(sock, packet.fill(number, time.time_ns()))
    except OSError as error:
        raise sockets.local_trouble(error, "sending to the reflector") from error


def _replies(context: Context, sock: socket.socket, key: bytes | None, until_s: float) -> list[tuple[Reply, float]]:
    """The first answers that come, all that wait at that moment, and when they were read; empty when the time is up."""
    for _, datagrams, _ in sockets.arrivals(context, [sock], until_s):
        replies = []
        for datagram in datagrams:
            with suppress(StampError):
                replies.append((stamp.parse_reply(datagram.data, key), datagram.at_s))
        if replies:
            return replies
    return []


PROBE = Probe(
    "binding_lifetime",
    Options,
    Facts,
    measure,
    subject=lambda options: f"how long a UDP flow is remembered, {options.reflector or options.domain}",
    after=("srv", "path", "stand_in"),
    takes=lambda options: (
        {"a silent flow": WAITS_S[-1]} if (options.reflector or options.far_end_link) and options.thorough else {}
    ),
    rest_s=lambda options: 40.0 if options.thorough else 6.5,
    deadline_s=480.0,
)
