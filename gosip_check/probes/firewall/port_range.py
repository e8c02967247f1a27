"""Which UDP ports of the media range reach a far end that answers on all of them, and come back? Every port is asked.

Needs a reflector with `--all-ports`. An answer proves both directions: it came back from the very port that was asked,
and says which port the packet reached. Silence may be loss, so ports that have answered before are asked in between:
what they lose is what the line loses at this pace, and slows the sending down. A port is called blocked only when so
much silence cannot be bad luck.

A NAT on the way keeps an entry for every port that is asked, for half a minute or so.
"""

import random
import secrets
import socket
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from gosip_check.probes import far_end, probe
from gosip_check.probes.far_end import Reflector
from gosip_check.probes.net import sockets
from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.net.sockets import Datagram
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.records import FailureKind
from gosip_check.wire import stamp
from gosip_check.wire.stamp_tlv import LOCATION, StampError, Tlv

PACKETS_PER_S = 6_000
"Together with the answers less than ten channels of a thousand; a home router takes it, a slow line does not."
_SLOWEST_PER_S = 300
_LONGEST_S = 90.0
_FIRST_LOOK = 64
_FIRST_LOOKS = 3
_FEWEST_FOUND = 2
"Ports to try before all of them, how often, and how many must answer: one may be open there for a reason of its own."
_ROUNDS = 12
_SILENT_ROUNDS = 3
"No port is called blocked before it was silent so often: losses of one round need not be independent."
_CONTROL_EVERY = 16
_FEWEST_CONTROLS = 64
_CONTROL_WITHIN_S = 1.0
_CONTROLS_AT_ONCE = 20
_CONTROLS_LOST = 0.1
"With a larger share of so many controls lost, or late, the line is too narrow for this pace."
_DOUBT = 0.001
"How likely it may be that a single one of all ports that were asked is called blocked for bad luck only."
_ANSWERS_WITHIN_S = 1.0
_LONGEST_TAIL_S = 5.0
"A round ends when no new answer came for the first of these, and however many come after the second."
_BATCH_S = 0.005
_OCTETS = 52
_MOST_LISTED = 8

Range = tuple[int, int]
"First and last port."


class Options(probe.Options, frozen=True):
    """reflector: HOST[:PORT]; without one nothing is asked. networks: the provider's, to see whose far end it is."""

    rtp_ports: tuple[int, int]
    networks: list[str]
    reflector: str | None = None
    reflector_key_file: str | None = None


class Facts(probe.Facts, frozen=True):
    """every_port_answers: None where the far end answers on no port of the range, or some could not be decided.

    proven, undecided: numbers of ports. blocked: ranges that no packet passed, there or back. elsewhere: ports whose
    packets reached another port. rejected_by: who sent ICMP errors. in_networks: the far end is in the provider's.
    """

    reflector: str
    in_networks: bool
    asked: int
    proven: int
    undecided: int
    blocked: list[Range]
    elsewhere: list[Range]
    rejected_by: list[str]
    every_port_answers: bool | None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed without a reflector elsewhere, when this machine cannot send, or was stopped."""
    if options.reflector is None:
        raise ProbeFailed(FailureKind.UNSUPPORTED, "There is no reflector to ask.")
    reflector = far_end.reflector_of(context, options.reflector, options.reflector_key_file)
    address = ip_address(reflector.address)
    is_inside = any(address in ip_network(network) for network in options.networks)
    if address.is_loopback and not is_inside:  # a demo has the provider's networks there
        raise ProbeFailed(FailureKind.UNSUPPORTED, f"{address} is this machine itself: no port can be blocked.")
    first, last = options.rtp_ports
    return _facts(reflector.address, is_inside, reach(context, reflector, range(first, last + 1)))


@dataclass(frozen=True)
class Reached:
    """proven: ports that were reached and answered. elsewhere: port asked -> port that the packet reached instead.

    blocked, undecided: of those that stayed silent. rejected: sender of ICMP errors -> how many. `proven` empty means
    that the far end answers on none of these ports.
    """

    asked: int
    proven: frozenset[int]
    elsewhere: dict[int, int]
    blocked: frozenset[int]
    undecided: frozenset[int]
    rejected: dict[str, int]
    elapsed_s: float


def reach(context: Context, reflector: Reflector, ports: Sequence[int]) -> Reached:
    """Ask every port, and the silent ones again. Raises ProbeFailed when this machine cannot send, or was stopped."""
    survey = _Survey(context, reflector)
    context.say(f"RTP ports: does {reflector.address} answer on them?")
    started_s = time.monotonic()
    until_s = started_s + _LONGEST_S
    chance = 1.0
    others = [port for port in ports if port != reflector.port]
    some = random.sample(others, min(_FIRST_LOOK, len(others)))
    for _ in range(_FIRST_LOOKS):
        if len(survey.reached) < _FEWEST_FOUND and reflector.address not in survey.rejected:
            survey.ask_all(some)
    if len(survey.reached) < _FEWEST_FOUND:
        survey.reached.clear()
    silent = [port for port in ports if port not in survey.reached] if survey.reached else []
    is_sure = False
    for number in range(_ROUNDS):
        is_sure = number >= _SILENT_ROUNDS and chance * len(ports) < _DOUBT
        if not silent or is_sure:
            break
        context.say(f"RTP ports: asking {len(silent)}, round {number + 1}")
        controls, lost = survey.ask_all(silent, until_s)
        silent = [port for port in silent if port not in survey.reached]
        if time.monotonic() > until_s:  # the round was cut short: not all of them were asked
            break
        chance *= (lost + 1) / (controls + 2)  # the rule of succession: none lost of few proves little
    return Reached(
        asked=len(ports),
        proven=frozenset(port for port, arrived in survey.reached.items() if port == arrived),
        elsewhere={port: arrived for port, arrived in survey.reached.items() if port != arrived},
        blocked=frozenset(silent if is_sure else ()),
        undecided=frozenset(() if is_sure else silent),
        rejected=dict(survey.rejected),
        elapsed_s=time.monotonic() - started_s,
    )


def ranges(ports: Iterable[int]) -> list[Range]:
    """The ports as ranges, in order."""
    joined: list[Range] = []
    for port in sorted(ports):
        if joined and port == joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], port)
        else:
            joined.append((port, port))
    return joined


def listed(ports: Sequence[Range]) -> str:
    """Ranges in words, the first ones only where there are many."""
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in ports[:_MOST_LISTED]]
    return ", ".join(texts) + (f" and {len(ports) - _MOST_LISTED} more ranges" if len(ports) > _MOST_LISTED else "")


@dataclass
class _Survey:
    """What has been asked and what answered so far. reached: port asked -> port that the packet arrived at.

    _ports: the port of every packet sent, by its number. _answered: by number, too. _proven: ports that answered.
    _pending: controls (number, when sent) without answer so far.
    """

    context: Context
    reflector: Reflector
    reached: dict[int, int] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)
    per_s: float = PACKETS_PER_S
    _ports: list[int] = field(default_factory=list)
    _answered: bytearray = field(default_factory=bytearray)
    _proven: list[int] = field(default_factory=list)
    _pending: deque[tuple[int, float]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        key = self.reflector.key
        octets = _OCTETS if key is None else stamp.AUTHENTICATED_OCTETS + 28
        ssid, location = secrets.randbelow(65535) + 1, Tlv(LOCATION, bytes(4))
        self._packet = stamp.SenderPacket(length=octets, ssid=ssid, tlvs=[location], key=key)

    def ask_all(self, ports: Sequence[int], until_s: float = float("inf")) -> tuple[int, int]:
        """One packet to every port, in random order, controls in between: how many of these, and how many were lost."""
        self._pending.clear()
        controls: list[int] = []
        plan: list[int | None] = [*ports, *[None] * max(_FEWEST_CONTROLS, len(ports) // _CONTROL_EVERY)]
        random.shuffle(plan)
        # A fresh socket each round: whatever a NAT made of the last flow, it makes something else of this one.
        with sockets.udp_socket(self.context.link, sockets.family_of(self.reflector.address)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            at, due = 0, 0.0
            while at < len(plan) and time.monotonic() < until_s:
                due += self.per_s * _BATCH_S
                batch, at = plan[at : at + int(due)], at + int(due)
                due -= int(due)
                started_s = time.monotonic()
                for port in batch:
                    if port is not None:
                        self._send(sock, port)
                    elif self._proven:
                        controls.append(self._send(sock, random.choice(self._proven)))
                        self._pending.append((controls[-1], started_s))
                self._listen(sock, started_s)
                self._pace()
                self.context.wait(started_s + _BATCH_S - time.monotonic())
            end_s = time.monotonic() + _LONGEST_TAIL_S
            while (now_s := time.monotonic()) < end_s and self._listen(sock, min(end_s, now_s + _ANSWERS_WITHIN_S)):
                pass
        return len(controls), sum(not self._answered[number] for number in controls)

    def _send(self, sock: socket.socket, port: int) -> int:
        """The packet's number."""
        number = len(self._ports)
        self._ports.append(port)
        self._answered.append(0)
        try:
            sockets.send_to(sock, bytes(self._packet.fill(number, time.time_ns())), self.reflector.address, port)
        except ProbeFailed:  # a full queue is a loss; a machine that cannot send at all is not
            if not self.reached:
                raise
        return number

    def _pace(self) -> None:
        """Half as fast where controls get lost or late, a little faster again where they do not."""
        due_s = time.monotonic() - _CONTROL_WITHIN_S
        if len(self._pending) < _CONTROLS_AT_ONCE or self._pending[_CONTROLS_AT_ONCE - 1][1] > due_s:
            return
        lost = sum(not self._answered[self._pending.popleft()[0]] for _ in range(_CONTROLS_AT_ONCE))
        if lost > _CONTROLS_LOST * _CONTROLS_AT_ONCE:
            self.per_s = max(_SLOWEST_PER_S, self.per_s / 2)
            self._pending.clear()  # the others were sent at the old pace, too
        else:
            self.per_s = min(PACKETS_PER_S, self.per_s * 1.05)

    def _listen(self, sock: socket.socket, until_s: float) -> bool:
        """Whether a new answer came until then; returns with the first."""
        arrivals = sockets.arrivals(self.context, [sock], until_s)
        return any(self._take(datagrams, errors) for _, datagrams, errors in arrivals)

    def _take(self, datagrams: Iterable[Datagram], errors: Iterable[IcmpError]) -> bool:
        """Whether a new answer is among them; each must come from the port that its number was sent to."""
        kinds = (FailureKind.PROHIBITED, FailureKind.REFUSED)
        self.rejected.update(error.sender for error in errors if error.kind in kinds)
        is_new = False
        for datagram in datagrams:
            try:
                reply = stamp.parse_reply(datagram.data, self.reflector.key)
            except StampError:
                continue
            number = reply.sender_sequence
            if number >= len(self._ports) or self._ports[number] != datagram.port or self._answered[number]:
                continue
            is_new = True
            self._answered[number] = 1
            if datagram.port not in self.reached:
                location = reply.location
                self.reached[datagram.port] = location.destination_port if location else datagram.port
                self._proven.append(datagram.port)
        return is_new


def _facts(address: str, in_networks: bool, reached: Reached) -> Facts:
    blocked, elsewhere = ranges(reached.blocked), ranges(reached.elsewhere)
    where = f"the reflector {address}, {'in' if in_networks else 'outside'} the provider's networks"
    share = f"{len(reached.proven)} of {reached.asked} UDP ports"
    every: bool | None = None
    if not reached.proven:
        sentence = f"None of the UDP ports that were tried answers at {where}"
        sentence += ": it does not serve them (--all-ports), or none gets through."
    elif blocked or elsewhere:
        every = False
        sentence = f"{share} were reached and answered, there and back, at {where}."
        if blocked:
            sentence += f" Nothing came back from {listed(blocked)}, asked again and again while the others answered."
        if elsewhere:
            sentence += f" Packets to {listed(elsewhere)} reached another port than was asked."
    elif reached.undecided:
        sentence = (
            f"{share} were reached and answered, there and back, at {where}. Too many packets "
            f"to the others were lost in {reached.elapsed_s:.0f} s. Run it again with nothing else on the line."
        )
    else:
        every = True
        sentence = f"Every one of {reached.asked} UDP ports was reached and answered, there and back, at {where}."
    return Facts(
        reflector=address,
        in_networks=in_networks,
        asked=reached.asked,
        proven=len(reached.proven),
        undecided=len(reached.undecided),
        blocked=blocked,
        elsewhere=elsewhere,
        rejected_by=sorted(reached.rejected, key=lambda sender: -reached.rejected[sender])[:_MOST_LISTED],
        every_port_answers=every,
        evidence={"every_port_answers": sentence},
    )


PROBE = Probe(
    "port_range",
    Options,
    Facts,
    measure,
    subject=lambda options: f"every UDP port {options.rtp_ports[0]}-{options.rtp_ports[1]} of {options.reflector}",
    alone=True,
    wanted=lambda options: options.reflector is not None,
    deadline_s=180.0,
)
