"""What may use the loopback only: a socket that reaches nothing beyond this machine, and a check of names."""

import socket
from ipaddress import ip_address
from typing import Any

from gosip_check.probes.probe import ProbeFailed
from gosip_check.records import FailureKind


class LoopbackSocket(socket.socket):
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
