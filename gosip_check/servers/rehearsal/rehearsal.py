"""The provider's trunk, played for one PBX: DNS, two sites, registrar, keep-alive. It writes down what was said.

One address is served and nothing else gets an answer. No call is relayed: a melody answers it. An emergency call gets
503 at once, so that the PBX takes another way. A REGISTER for another user stops it: a real trunk may live on that PBX.
Other names than the trunk's are asked of one resolver, where one is named, for the PBX alone.
"""

import contextlib
import functools
import secrets
import selectors
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

import dns.rdatatype

from gosip_check.heard import Heard, Lookup, Message, Place, Step
from gosip_check.servers.rehearsal.asking import Ask, Questions, Say
from gosip_check.servers.rehearsal.call import Line
from gosip_check.servers.rehearsal.forward import Forward
from gosip_check.servers.rehearsal.media import Media
from gosip_check.servers.rehearsal.names import Names, read_query
from gosip_check.servers.rehearsal.phases import Phase
from gosip_check.servers.rehearsal.registrar import Registrar
from gosip_check.servers.rehearsal.sites import Sites
from gosip_check.servers.rehearsal.stage import Stage
from gosip_check.servers.rehearsal.tcp import Connection, OverTcp
from gosip_check.servers.rehearsal.transactions import Transactions
from gosip_check.servers.rehearsal.world import THIS_MACHINE, World
from gosip_check.wire import sip
from gosip_check.wire.sip import Request

_KEPT = 20_000
"So many messages, and as many DNS questions, are written down; then the rehearsal stops."

_ANOTHER_USER = "The PBX registers another user than the slip's: a real trunk may be in use on it."


class RehearsalStop(Exception):
    """It must not go on. The text is a sentence for the installer."""


@dataclass(frozen=True)
class Slip:
    """What the installer enters in the PBX. password: made up for this rehearsal, see `made_up_password`.

    numbers: the account's own, in national form, the main number first. Calls go to them, else to the user.
    """

    domain: str
    user: str
    password: str
    numbers: tuple[str, ...] = ()


@dataclass
class _Written:
    messages: list[Message] = field(default_factory=list)
    lookups: list[Lookup] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


class Rehearsal:
    """`with Rehearsal(...) as rehearsal: heard = rehearsal.run(PHASES)`. All ports are closed when the block ends.

    pbx: the only address that is served; None: the first that registers the slip's user. places: of DNS (None: no DNS),
    site A and site B; a port 0 takes a free one. resolver: who is asked for other names; None: they are refused.
    signs: what the PBX sent, and when last (by the clock of `world`), which shows that it still points here. began_s:
    when it began to listen, by the same.
    world: whose clock and network it has.
    patience: by how much the time is multiplied that a person gets.
    OSError where a port is taken, or is not allowed to this user.
    """

    def __init__(
        self,
        slip: Slip,
        pbx: str | None,
        dns_place: Place | None,
        sites: tuple[Place, Place],
        keepalive_s: float = 30.0,
        resolver: Place | None = None,
        world: World = THIS_MACHINE,
        patience: float = 1.0,
    ) -> None:
        self._world, self._patience = world, patience
        self.slip, self.pbx, self._keepalive_s = slip, pbx, keepalive_s
        self.signs: dict[str, float] = {}
        self._resolver_place, self._forward = resolver, Forward(self._world.monotonic())
        self._leaves = self._stops = False
        self._registrar = Registrar(slip.domain, slip.user, slip.password)
        self._wanted = (dns_place, *sites)
        self._stack = contextlib.ExitStack()
        self._written = _Written()
        self._questions = Questions(lambda _question, _text: None, self._wake_up, world.later)
        self._say: Say = lambda _: None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._selector = stack.enter_context(self._world.selector())
            self._sites = [stack.enter_context(self._world.bound(place)) for place in self._wanted[1:] if place]
            self._dns = self._resolver = None
            if self._wanted[0] is not None:
                self._dns = stack.enter_context(self._world.bound(self._wanted[0]))
                if self._resolver_place is not None:
                    self._resolver = stack.enter_context(_connected_to(self._resolver_place))
            self._wake, self._woken = (stack.enter_context(sock) for sock in socket.socketpair())
            for sock in (self._dns, self._resolver, self._woken, *self._sites):
                if sock is not None:
                    self._selector.register(sock, selectors.EVENT_READ, sock)
            self._stack = stack.pop_all()
        self.began_s = self._world.monotonic()
        self.dns_place = ("", 0) if self._dns is None else _place_of(self._dns)
        self.sites = (_place_of(self._sites[0]), _place_of(self._sites[1]))
        line = Line(
            self.slip.domain,
            self.sites,
            Transactions(self._send, self._world),
            self._world,
            self._opened,
            self._closed,
        )
        self._trunk = Sites(line, self._registrar, self._keepalive_s)
        for site, place in enumerate(self.sites):
            with contextlib.suppress(OSError):  # the port is taken: then SIP over TCP is not heard
                over_tcp = OverTcp(self._world, self._selector, place, functools.partial(self._over_tcp, site))
                self._stack.callback(over_tcp.close)
        self._names = Names(self.slip.domain, "sip", "udp", self.sites)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(
        self,
        phases: Sequence[Phase],
        began: Callable[[Phase], None] = lambda _: None,
        say: Say = lambda _: None,
        ask: Ask = lambda _question, _text: None,
    ) -> Heard:
        """Every phase, in order. began: called as each begins. Raises RehearsalStop; `heard` then has what was seen.

        say, ask: see asking.py; `say` is called in this thread, `ask` in another.
        """
        self._say, self._questions.ask = say, ask
        for phase in phases:
            self._leaves = self._stops
            if self._stops:
                break
            began(phase)
            began_s = self._world.time()
            took_place = True
            try:
                took_place = self._play(phase)
            finally:
                if took_place:
                    self._written.steps.append(Step(phase.name, began_s, self._world.time()))
        return self.heard()

    def leave(self) -> None:
        """End this phase now. May be called by another thread and by a signal handler."""
        self._leaves = True
        self._wake_up()

    def _wake_up(self) -> None:
        with contextlib.suppress(OSError):  # full, so it wakes up anyway; or closed
            self._wake.send(b"x")

    def stop(self) -> None:
        """End this phase now and begin no other."""
        self._stops = True
        self.leave()

    def watch(self, for_s: float) -> None:
        """Listen on after the end: `signs` grows. Nobody is registered any more, and no password is asked for."""
        self._trunk.is_over, self._trunk.registered.bound = True, None
        self._leaves = self._stops = False
        self._play(Phase("put-back", "registered", for_s))

    def latest(self) -> Heard:
        """Messages and DNS questions until now, and no more. Another thread may ask."""
        return Heard("rehearsal", self._written.messages, self._written.lookups, sites=self._site_names)

    @property
    def _site_names(self) -> list[str]:
        is_shared = self.sites[0][0] == self.sites[1][0]
        return [f"{address}:{port}" if is_shared else address for address, port in self.sites]

    def heard(self) -> Heard:
        """All that was written down until now."""
        return Heard(
            way="rehearsal",
            messages=self._written.messages,
            lookups=self._written.lookups,
            steps=self._written.steps,
            sites=self._site_names,
            user=self.slip.user,
            password=self.slip.password,
            numbers=self.slip.numbers,
            answers=dict(self._questions.answers),
            streams=self._trunk.calls.streams(),
            ends_s=self._world.time(),
            subject=self.pbx or "the PBX",
        )

    def _play(self, phase: Phase) -> bool:
        """False where it did not take place."""
        if phase.forgets_nonces:
            self._registrar.forget()
        stage = Stage(
            self._trunk.calls,
            self._trunk.registered,
            self._questions,
            self._say,
            self.slip.numbers or (self.slip.user,),
            phase.within_s + phase.listens_s,
            self._patience,
            self._world,
        )
        script = phase.play(stage)
        try:
            while not self._leaves:
                self._wait(next(script), phase)
        except StopIteration as ended:
            return ended.value is not False
        finally:
            script.close()
            self._trunk.calls.end()
        return True

    def _wait(self, until_s: float, phase: Phase) -> None:
        """For what comes next: a packet, or the time at which something is to be sent."""
        self._trunk.tick(phase)
        left_s = min(until_s, self._trunk.next_s) - self._world.monotonic()
        for key, _ in self._selector.select(max(0.0, left_s)):
            with contextlib.suppress(OSError):  # an ICMP error for what was sent is no reason to stop
                self._hear(key.data, phase)

    def _opened(self, media: Media) -> None:
        self._selector.register(media.socket, selectors.EVENT_READ, media)

    def _closed(self, media: Media) -> None:
        self._selector.unregister(media.socket)

    def _hear(self, sock: socket.socket | Media | OverTcp | Connection, phase: Phase) -> None:
        if isinstance(sock, Media | OverTcp | Connection):
            sock.receive()
            return
        data, peer = sock.recvfrom(65535) if sock is not self._woken else (sock.recv(4096), ("", 0))
        if sock is self._resolver:
            answer = self._forward.answer(data)
            if answer is not None and self._dns is not None:
                self._dns.sendto(*answer)
        elif sock is self._dns:
            if peer[0] == self.pbx or self.pbx is None:
                self._answer_dns(data, peer, phase)
        elif data.strip(b"\r\n\0") and (peer[0] == self.pbx or self._becomes_the_pbx(data, peer[0])):
            self._answer_sip(sock, data, (peer[0], peer[1]), phase)

    def _becomes_the_pbx(self, data: bytes, address: str) -> bool:
        """Where no address was named: the first that registers is the PBX. With another user it stops the rehearsal."""
        if self.pbx is not None or not data.startswith(b"REGISTER "):
            return False
        self.pbx = address
        return True

    def _answer_dns(self, data: bytes, peer: Place, phase: Phase) -> None:
        query = read_query(data)
        if query is None or self._dns is None:
            return
        if len(self._written.lookups) >= _KEPT:
            raise RehearsalStop(f"The PBX sent more than {_KEPT:,} DNS questions.")
        self.signs["DNS questions"] = self._world.monotonic()
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        is_ours = name == self.slip.domain or name.endswith(f".{self.slip.domain}")
        if not is_ours and self._resolver is not None:
            handed_on = self._forward.question(data, peer, self._world.monotonic()) if self.pbx is not None else None
            if handed_on is not None:
                self._resolver.send(handed_on)
            return
        reply, records = self._names.answer(query, phase.swapped)
        if is_ours:
            kind = dns.rdatatype.to_text(question.rdtype)
            self._written.lookups.append(Lookup(self._world.time(), name, kind, records))
        self._dns.sendto(reply, peer)

    def _answer_sip(self, sock: socket.socket, data: bytes, peer: Place, phase: Phase) -> None:
        if len(self._written.messages) >= _KEPT:
            raise RehearsalStop(f"The PBX sent more than {_KEPT:,} messages.")
        self._write("up", peer, _place_of(sock), data)
        with contextlib.suppress(ValueError):  # a WireError, or a value that no answer can repeat
            message = sip.parse(data)
            if isinstance(message, Request) and message.method == "REGISTER":
                self.signs["REGISTER"] = self._world.monotonic()
                if not self._registrar.is_user(message) and not self._trunk.is_over:
                    self._written.messages.pop()  # of another account: nothing of it is judged
                    raise RehearsalStop(_ANOTHER_USER)
            self._trunk.hear(message, self._sites.index(sock), peer, phase)

    def _is_another_user(self, request: Request) -> bool:
        return request.method == "REGISTER" and not self._registrar.is_user(request)

    def _over_tcp(self, site: int, data: bytes, peer: Place) -> None:
        """Written down, and not answered: this trunk takes UDP alone."""
        if peer[0] != self.pbx and not self._becomes_the_pbx(data, peer[0]):
            return
        self.signs["SIP over TCP"] = self._world.monotonic()
        with contextlib.suppress(ValueError):
            message = sip.parse(data)
            is_another = isinstance(message, Request) and self._is_another_user(message)
            if is_another and not self._trunk.is_over:
                raise RehearsalStop(_ANOTHER_USER)
            if len(self._written.messages) < _KEPT:
                self._write("up", peer, self.sites[site], data, "TCP")

    def _send(self, site: int, data: bytes, peer: Place) -> None:
        self._write("down", self.sites[site], peer, data)
        self._sites[site].sendto(data, peer)

    def _write(
        self,
        direction: Literal["up", "down"],
        source: Place,
        destination: Place,
        data: bytes,
        over: Literal["UDP", "TCP"] = "UDP",
    ) -> None:
        self._written.messages.append(Message(self._world.time(), direction, over, source, destination, data))


def made_up_password() -> str:
    """One for the slip. Without letters that are easily mistaken."""
    return "".join(secrets.choice("abcdefghkmnpqrstuvwxyz23456789") for _ in range(12))


def trouble_at(place: Place) -> OSError | None:
    """Why a rehearsal could not listen there; None where it could."""
    try:
        THIS_MACHINE.bound(place).close()
    except OSError as error:
        return error
    return None


def _connected_to(place: Place) -> socket.socket:
    """Only what comes from there is received."""
    sock = THIS_MACHINE.bound(("", 0))
    sock.connect(place)
    return sock


def _place_of(sock: socket.socket) -> Place:
    address, port = sock.getsockname()[:2]
    return address, port
