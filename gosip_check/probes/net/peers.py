"""Sockets that know their peers: whom they sent datagrams to, and whom they may send to at all. Opens none."""

import socket
from ipaddress import ip_address
from typing import Any

from gosip_check.probes.probe import ProbeFailed
from gosip_check.records import FailureKind


class LinkSocket(socket.socket):
    """Remembers where its datagrams went: the kernel brings an unconnected socket any ICMP error that names its port,
    whatever destination the quoted datagram had.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sent_to: set[tuple[bytes, int]] = set()

    def sendto(self, *args: Any) -> int:
        self._sent_to.add(self._peer(args[-1]))
        return super().sendto(*args)

    def may_have_sent(self, destination: tuple[Any, ...]) -> bool:
        """True for a socket that sent nothing this way: where it is connected, the kernel has compared them."""
        return not self._sent_to or self._peer(destination) in self._sent_to

    def _peer(self, destination: tuple[Any, ...]) -> tuple[bytes, int]:
        host, port = destination[:2]
        return socket.inet_pton(self.family, host.partition("%")[0]), port


class LoopbackSocket(LinkSocket):
    """Refuses every destination but this machine, before the kernel is asked: nothing of a demo leaves it.

    The kernel would refuse most: not where it routes loopback addresses (`route_localnet`), nor another family.
    """

    def connect(self, address: Any, /) -> None:
        refuse_elsewhere(address[0])
        super().connect(address)

    def connect_ex(self, address: Any, /) -> int:
        refuse_elsewhere(address[0])
        return super().connect_ex(address)

    def sendto(self, *args: Any) -> int:
        refuse_elsewhere(args[-1][0])
        return super().sendto(*args)


def refuse_elsewhere(host: str) -> None:
    """For what may use the loopback only. Raises ProbeFailed(unsupported) for an address beyond it, and for any name:
    looking one up would ask a resolver.
    """
    try:
        is_here = ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        is_here = False
    if not is_here:
        raise ProbeFailed(FailureKind.UNSUPPORTED, f"{host} was not asked: over the loopback only this machine is.")
