"""UDP that dies at a hop behind the edge: it loads the way up, and nothing comes back but a quote now and then.

It is addressed to the provider's network, but never reaches it: one packet must be seen to die at the hop before more
are sent, and whatever else answers afterwards, a server or another router, ends it.
"""

import contextlib
import select
import socket
import struct
import time
from collections.abc import Iterator, Sequence

from gosip_check.probes.net import sockets
from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.probe import ProbeFailed
from gosip_check.records import Link, Record
from gosip_check.wire import linux

MARK = b" gosip-check measures this line for its user; at most 300 packets a second for a minute. "
_HEADERS_OCTETS = 28
_NUMBER = struct.Struct("!I")
_TRIES, _QUOTED_WITHIN_S = 3, 1.1
"A hop that quotes once a second has had time for it."
_SENDING_TRIES = 4


class DyingStream(Record, frozen=True):
    """UDP towards `address` that dies at `hop`, `ttl` hops away. octets: of each, with its headers; dscp: their mark.

    flows: so many take turns, each with a port of its own.
    Where `address` is the hop itself it ends there all the same: the hop says that nobody listens.
    """

    address: str
    port: int
    ttl: int
    hop: str
    pps: float
    octets: int
    dscp: int = 0
    flows: int = 1


class DyingSocket:
    """Made by `open_dying`."""

    def __init__(self, socks: Sequence[socket.socket], stream: DyingStream) -> None:
        self._socks, self._stream = socks, stream
        self._text = (MARK * 17)[: stream.octets - _HEADERS_OCTETS - _NUMBER.size]
        self.went_elsewhere = False
        "As far as was read: whether anything but a quote of the hop has come."

    def send(self, number: int = 0) -> bool:
        """False where this machine did not let it out. number: what its quote will say."""
        sock = self._socks[number % len(self._socks)]
        for _ in range(_SENDING_TRIES):  # each quote that has come meanwhile stops one
            with contextlib.suppress(ProbeFailed):
                sockets.send_to(sock, _NUMBER.pack(number) + self._text, self._stream.address, self._stream.port)
                return True
        return False

    def dies_there(self) -> bool:
        """One packet after the other, until one is quoted by the hop."""
        for _ in range(_TRIES):
            until_s = time.monotonic() + _QUOTED_WITHIN_S
            self.send()
            while (left_s := until_s - time.monotonic()) > 0:
                poll = select.poll()
                poll.register(self._socks[0], select.POLLIN)
                if poll.poll(left_s * 1000) and self.quotes() is not None:
                    return not self.went_elsewhere
                if self.went_elsewhere:
                    return False
        return False

    def goes_elsewhere(self) -> bool:
        """Whether anything but a quote of the hop has come."""
        self.quotes()
        return self.went_elsewhere

    def quotes(self) -> list[tuple[int, int]] | None:
        """What the hop has quoted since: the number, and when that came, in Unix nanoseconds. None: it quoted nothing.

        A short quote shows no number.
        """
        errors = [error for sock in self._socks for error in sockets.read_icmp_errors(sock)]
        datagrams = [datagram for sock in self._socks for datagram in sockets.read_datagrams(sock)]
        there = [error for error in errors if self._ended_there(error)]
        self.went_elsewhere |= len(there) < len(errors) or bool(datagrams)
        if not there:
            return None
        whole = [error for error in there if error.quoted[_NUMBER.size :][:8] == MARK[:8]]
        return [(_NUMBER.unpack_from(error.quoted)[0], error.arrived_ns or time.time_ns()) for error in whole]

    def _ended_there(self, error: IcmpError) -> bool:
        return error.sender == self._stream.hop and (error.is_time_exceeded or self._stream.address == error.sender)


@contextlib.contextmanager
def open_dying(link: Link, stream: DyingStream) -> Iterator[DyingSocket]:
    """Raises ProbeFailed where this machine refuses a socket."""
    with contextlib.ExitStack() as opened:
        socks = [opened.enter_context(sockets.udp_socket(link)) for _ in range(stream.flows)]
        for sock in socks:
            sockets.limit_ttl(sock, stream.ttl)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, stream.dscp << 2)
            sock.setsockopt(socket.SOL_SOCKET, linux.SO_TIMESTAMPNS, 1)
        yield DyingSocket(socks, stream)
