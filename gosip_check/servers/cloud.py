"""What a gateway finds on the internet beside the trunk, on loopback: a management that accepts connections; the time.

For the demo and the tests, as servers/trunk.py is.
"""

import contextlib
import time
from typing import Self

from gosip_check.servers.endpoint import Answers, Endpoint, Peer
from gosip_check.wire import sntp
from gosip_check.wire.sntp import SntpError

ADDRESS = "127.40.246.217"
_MANAGEMENT_PORTS = 2
_STRATUM = 2


class Cloud:
    """`with Cloud() as cloud`: serves until the block ends. management_ports: TCP; ntp_port: UDP; all on ADDRESS."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self.management_ports: list[int] = []
        self.ntp_port = 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for _ in range(_MANAGEMENT_PORTS):
                self.management_ports.append(stack.enter_context(Endpoint(ADDRESS, _no_answer, _nothing)).port)
            self.ntp_port = stack.enter_context(Endpoint(ADDRESS, _tell_time, _nothing)).port
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _no_answer(message: bytes, peer: Peer, transport: str) -> Answers:
    del message, peer, transport
    return None


def _tell_time(message: bytes, peer: Peer, transport: str) -> Answers:
    del peer
    now = sntp.timestamp(time.time_ns())
    try:
        return sntp.answer(message, _STRATUM, now, now) if transport == "UDP" else None
    except SntpError:
        return None


def _nothing(buffer: bytes) -> tuple[bytes | None, bytes]:
    """No message ever comes out of a stream."""
    del buffer
    return None, b""
