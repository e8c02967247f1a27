"""The far end that anybody can run: a STAMP reflector, and beside it a SIP mirror. Judges nothing, keeps no record.

    with Reflector.open(ReflectorOptions()) as reflector:
        reflector.serve(stop, say=print)

Everything that decides about a packet is in `stamp_reflector` and `mirror`; here are sockets and the clock.
"""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from gosip_check.servers import mirror_streams
from gosip_check.servers.arrivals import UdpEnd
from gosip_check.servers.limits import Limits, Prefix
from gosip_check.servers.mirror import Mirror
from gosip_check.servers.stamp_reflector import Counters, StampReflector
from gosip_check.wire import stamp

_AT_ONCE = 64
"Packets read from one socket before the others have their turn."
_LONGEST_SLEEP_S = 0.2
_EXPIRE_EVERY_S = 10.0
_SAY_EVERY_S = 60.0


@dataclass(frozen=True)
class ReflectorOptions:
    """addresses: local ones to listen on. ports, sip_ports: 0 takes any free one. SIP's ports answer STAMP as well.

    allow: prefixes that get an answer, empty for everybody. packets_per_s: for one source address; 600 channels need
    30,000. stateful: False makes it answer like a stateless reflector, which cannot tell the directions of loss apart.
    marks: the packets' marks hold the port they were sent to (see `all_ports`).
    """

    addresses: Sequence[str] = ("0.0.0.0",)
    ports: Sequence[int] = (stamp.PORT,)
    sip_ports: Sequence[int] = ()
    key: bytes | None = None
    allow: Sequence[Prefix] = ()
    packets_per_s: float = 30_000
    stateful: bool = True
    marks: bool = False


@dataclass
class Reflector:
    """Bound sockets, ready to serve. Open one with `open`, close it with `close` or as a context manager."""

    stamp_ports: list[int]
    sip_ports: list[int]
    _core: StampReflector
    _udp: dict[int, UdpEnd]
    _mirrors: dict[int, UdpEnd]
    _mirror: Mirror
    _epoll: select.epoll = field(default_factory=select.epoll)

    @classmethod
    def open(cls, options: ReflectorOptions) -> Self:
        """Bind everything. Raises OSError whose text names the address and port."""
        with contextlib.ExitStack() as undo:
            udp: dict[int, UdpEnd] = {}
            mirrors: dict[int, UdpEnd] = {}
            listening: list[socket.socket] = []
            limits = Limits(options.allow, options.packets_per_s)
            for address in options.addresses:
                for port in options.ports:
                    end = _udp_end(undo, address, port, options.marks)
                    udp[end.number] = end
                for port in options.sip_ports:
                    listener = _listener(undo, address, port)
                    listening.append(listener)
                    end = _udp_end(undo, address, int(listener.getsockname()[1]))
                    mirrors[end.number] = end
            undo.pop_all()
        stamp_ports = [end.port for end in udp.values()]
        sip_ports = [end.port for end in mirrors.values()]
        core = StampReflector(limits, options.key, options.stateful)
        reflector = cls(stamp_ports, sip_ports, core, udp, mirrors, Mirror(listening, options.allow))
        for number in [*udp, *mirrors]:
            reflector._epoll.register(number, select.EPOLLIN)
        return reflector

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every socket."""
        self._epoll.close()
        self._mirror.close()
        for end in [*self._udp.values(), *self._mirrors.values()]:
            end.close()

    @property
    def counters(self) -> Counters:
        """What became of the STAMP packets so far."""
        return self._core.counters

    @property
    def kernel_drops(self) -> int:
        """Packets that the kernel dropped because this process did not read them in time."""
        return sum(end.drops() for end in self._udp.values())

    @property
    def mirrored(self) -> int:
        """SIP requests that were answered."""
        return self._mirror.mirrored

    @property
    def not_mirrored(self) -> int:
        """Datagrams that came to a port of SIP and were not."""
        return self._mirror.not_mirrored + sum(end.too_long for end in self._mirrors.values())

    def serve(self, stop: threading.Event, say: Callable[[str], None] = lambda _: None) -> None:
        """Answer until `stop` is set, once. `say` gets one line of counters a minute."""
        if self._mirrors:
            self._mirror.start()
        expire_s = time.monotonic() + _EXPIRE_EVERY_S
        say_s = time.monotonic() + _SAY_EVERY_S
        while not stop.is_set():
            now_s = time.monotonic()
            late_s = self._core.next_s
            sleep_s = _LONGEST_SLEEP_S if late_s is None else min(_LONGEST_SLEEP_S, max(0.0, late_s - now_s))
            for number, _ in self._epoll.poll(sleep_s):
                if number in self._udp:
                    self._answer_packets(self._udp[number])
                else:
                    self._answer_or_mirror(self._mirrors[number])
            self._answer_late()
            now_s = time.monotonic()
            if now_s >= expire_s:
                self._core.kernel_drops = self.kernel_drops
                self._core.expire(now_s)
                expire_s = now_s + _EXPIRE_EVERY_S
            if now_s >= say_s:
                say(self.line())
                say_s = now_s + _SAY_EVERY_S

    def line(self) -> str:
        """The counters in one line."""
        c = self.counters
        return (
            f"received {c.received} answered {c.answered} sessions {self._core.sessions} "
            f"limited {c.limited} not-allowed {c.not_allowed} unsigned {c.unsigned} old {c.old} short {c.too_short} "
            f"bad-source {c.bad_source} kernel-drops {self.kernel_drops} "
            f"mirrored {self.mirrored} not-mirrored {self.not_mirrored}"
        )

    def _answer_packets(self, end: UdpEnd) -> None:
        core = self._core
        core.kernel_drops = self.kernel_drops
        for _ in range(_AT_ONCE):
            packet = end.receive()
            if packet is None:
                return
            answer = core.receive(*packet, time.monotonic(), time.time_ns)
            if answer is not None:
                end.send(answer)

    def _answer_late(self) -> None:
        while answer := self._core.due(time.monotonic(), time.time_ns):
            number = answer.arrival.number
            (self._udp.get(number) or self._mirrors[number]).send(answer)

    def _answer_or_mirror(self, end: UdpEnd) -> None:
        """What begins with a capital letter is SIP; a STAMP packet begins with its number, which never gets so high."""
        for _ in range(_AT_ONCE):
            packet = end.receive()
            if packet is None:
                return
            if packet[0][:1].isupper():
                self._mirror.hand_over(end, *packet, time.monotonic())
            else:
                answer = self._core.receive(*packet, time.monotonic(), time.time_ns)
                if answer is not None:
                    end.send(answer)


def _udp_end(undo: contextlib.ExitStack, address: str, port: int, marks: bool = False) -> UdpEnd:
    try:
        end = UdpEnd(address, port, marks)
    except OSError as error:
        raise _cannot_listen(error, address, f"{port}/UDP") from error
    undo.callback(end.close)
    return end


def _listener(undo: contextlib.ExitStack, address: str, port: int) -> socket.socket:
    try:
        return undo.enter_context(mirror_streams.open_listener(address, port))
    except OSError as error:
        raise _cannot_listen(error, address, f"{port}/TCP") from error


def _cannot_listen(error: OSError, address: str, port: str) -> OSError:
    return OSError(error.errno, f"cannot listen on {address} port {port}: {error.strerror}")
