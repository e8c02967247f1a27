"""As what is a socket seen from outside? What two servers say, and whether it can be spoken to at all.

Asked are STUN servers where some were named, else the trunk's own, which say it in `received` and `rport` (RFC 3581).
"""

import socket
from collections.abc import Sequence

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.far_link import stun
from gosip_check.probes.net import interfaces
from gosip_check.probes.path import hops
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.probes.sip import mapping
from gosip_check.probes.sip.mapping import SeenBy
from gosip_check.records import FailureKind

_STUN = "Name two STUN servers (--stun HOST, twice)."


def ask(
    context: Context, sock: socket.socket, stun_servers: Sequence[str], domain: str, servers: Sequence[Server]
) -> tuple[str, int]:
    """The address and port. servers: the trunk's, none where they say nothing of UDP.

    Raises ProbeFailed(unsupported) where nobody says it, or where nothing can be sent to it; with a sentence.
    """
    seen = stun.ask(context, sock, stun_servers) if stun_servers else []
    if not seen:
        seen = mapping.ask(context, sock, domain, servers)
    return place_of(context.link.name, seen, asked_stun=bool(stun_servers))


def place_of(line: str, seen: Sequence[SeenBy], *, asked_stun: bool = False) -> tuple[str, int]:
    """The address and port that all servers saw. Raises ProbeFailed(unsupported) with a sentence."""
    if not seen:
        hint = "The STUN servers that were named do not answer over it." if asked_stun else _STUN
        raise _no(f"No server says as what {line} is seen from outside. {hint}")
    places = {(each.address, each.port) for each in seen}
    if len(places) > 1:
        listed = " and ".join(f"{each.address}:{each.port}" for each in seen[:2])
        raise _no(
            f"The NAT of {line} gives every destination a port of its own ({listed}). So nothing from outside gets in."
        )
    address, port = places.pop()
    if hops.kind_of(address) != "public":
        raise _no(f"{line} is said to be seen as {address}, which is not a public address: something edited it.")
    if interfaces.is_this_machine(address):
        raise _no(f"{line} has its public address {address} on this machine itself, so packets would not leave it.")
    return address, port


def _no(sentence: str) -> ProbeFailed:
    return ProbeFailed(FailureKind.UNSUPPORTED, sentence)
