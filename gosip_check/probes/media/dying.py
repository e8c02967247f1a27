"""UDP that dies at a hop behind the edge: it loads the way up, and nothing comes back but a quote now and then.

It is addressed to the provider's network, but never reaches it: one packet must be seen to die at the hop before more
are sent, and whatever else answers afterwards, a server or another router, ends it.
"""

import contextlib
import select
import socket
import time
from collections.abc import Iterator

from gosip_check.probes.net import sockets
from gosip_check.probes.probe import ProbeFailed
from gosip_check.records import Link, Record

MARK = b" gosip-check measures this line for its user; at most 300 packets a second for a minute. "
_HEADERS_OCTETS = 28
_TRIES, _QUOTED_WITHIN_S = 3, 1.1
"A hop that quotes once a second has had time for it."


class DyingStream(Record, frozen=True):
    """UDP towards `address` that dies at `hop`, `ttl` hops away. octets: of each, with its headers."""

    address: str
    port: int
    ttl: int
    hop: str
    pps: float
    octets: int


class DyingSocket:
    """Made by `open_dying`."""

    def __init__(self, sock: socket.socket, stream: DyingStream) -> None:
        self._sock, self._stream = sock, stream
        self._payload = (MARK * 17)[: stream.octets - _HEADERS_OCTETS]
        self._elsewhere = False

    def send(self) -> bool:
        """False where this machine did not let it out."""
        try:
            sockets.send_to(self._sock, self._payload, self._stream.address, self._stream.port)
        except ProbeFailed:
            return False
        return True

    def dies_there(self) -> bool:
        """One packet after the other, until one is quoted by the hop."""
        for _ in range(_TRIES):
            until_s = time.monotonic() + _QUOTED_WITHIN_S
            self.send()
            while (left_s := until_s - time.monotonic()) > 0:
                poll = select.poll()
                poll.register(self._sock, select.POLLIN)
                if poll.poll(left_s * 1000) and self._read():
                    return not self._elsewhere
                if self._elsewhere:
                    return False
        return False

    def goes_elsewhere(self) -> bool:
        """Whether anything but a quote of the hop has come."""
        self._read()
        return self._elsewhere

    def _read(self) -> bool:
        """Whether the hop quoted one."""
        quoted = False
        for error in sockets.read_icmp_errors(self._sock):
            is_there = error.is_time_exceeded and error.sender == self._stream.hop
            quoted, self._elsewhere = quoted or is_there, self._elsewhere or not is_there
        self._elsewhere = self._elsewhere or bool(sockets.read_datagrams(self._sock))
        return quoted


@contextlib.contextmanager
def open_dying(link: Link, stream: DyingStream) -> Iterator[DyingSocket]:
    """Raises ProbeFailed where this machine refuses a socket."""
    with sockets.udp_socket(link) as sock:
        sockets.limit_ttl(sock, stream.ttl)
        yield DyingSocket(sock, stream)
