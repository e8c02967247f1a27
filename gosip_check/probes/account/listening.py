"""What comes to a contact while it is bound: the provider's OPTIONS, answered as a PBX answers them, and nothing else.

A call is refused, so that the caller hears that nobody is there and does not wait. Strangers get no answer.
"""

import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network

from gosip_check.probes.net import sockets
from gosip_check.probes.net.sockets import Datagram
from gosip_check.probes.probe import Context
from gosip_check.records import Record
from gosip_check.wire import sip
from gosip_check.wire.sip import Request, WireError

_ANSWERS = {
    "OPTIONS": (200, "OK"),
    "INVITE": (480, "Temporarily Unavailable"),
    "CANCEL": (481, "Call/Transaction Does Not Exist"),
    "BYE": (481, "Call/Transaction Does Not Exist"),
}
_NOT_ALLOWED = (405, "Method Not Allowed")
_ALLOW = ("Allow", "OPTIONS")
_SLICE_S = 1.0
_MOST = 1000


class KeepAlive(Record, frozen=True):
    """One OPTIONS. after_s: since the contact was bound. silent_s: for so long nothing had passed either way."""

    address: str
    after_s: float
    silent_s: float


class Heard(Record, frozen=True):
    """What came in `listened_s`. calls: INVITEs that were refused, each counted once."""

    keep_alives: list[KeepAlive]
    calls: int
    listened_s: float


def listen(context: Context, sock: socket.socket, networks: Sequence[str], listen_s: float) -> Iterator[Heard]:
    """What was heard so far, whenever something came and once a second. Takes `listen_s`.

    Raises ProbeFailed when the run is stopped, or this machine cannot answer.
    """
    began_s = last_s = time.monotonic()
    until_s = began_s + listen_s
    keep_alives: list[KeepAlive] = []
    calls: set[str] = set()
    branches: set[str] = set()
    inside = [ip_network(network) for network in networks]

    def heard() -> Heard:
        listened_s = min(listen_s, time.monotonic() - began_s)
        return Heard(keep_alives=list(keep_alives), calls=len(calls), listened_s=round(listened_s, 1))

    while (now := time.monotonic()) < until_s:
        so_far = f"{len(keep_alives)} keep-alives so far, {len(calls)} calls refused"
        context.say(f"Registered here, {until_s - now:.0f} s to go: {so_far}")
        yield heard()
        for _, datagrams, _ in sockets.arrivals(context, [sock], min(until_s, now + _SLICE_S)):
            for datagram in datagrams:
                silent_s, last_s = datagram.at_s - last_s, datagram.at_s  # a stranger's keeps a binding, too
                if not any(ip_address(datagram.address) in network for network in inside):
                    continue
                request = _request(datagram)
                if request is None:
                    continue
                branch = _branch(request)
                if request.method == "OPTIONS" and branch not in branches and len(keep_alives) < _MOST:
                    branches.add(branch)
                    keep_alives.append(
                        KeepAlive(
                            address=datagram.address,
                            after_s=round(datagram.at_s - began_s, 1),
                            silent_s=round(silent_s, 1),
                        )
                    )
                if request.method == "INVITE" and len(calls) < _MOST:
                    calls.add(request.call_id)
                _answer(sock, request, datagram)
            yield heard()
    yield heard()


def _request(datagram: Datagram) -> Request | None:
    """None for what is no request that can be answered."""
    try:
        message = sip.parse(datagram.data)
        if isinstance(message, Request) and message.method != "ACK" and message.vias and message.call_id:
            return message
    except WireError:
        pass
    return None


def _branch(request: Request) -> str:
    return (request.vias[0].branch or request.call_id or "").lower()


def _answer(sock: socket.socket, request: Request, datagram: Datagram) -> None:
    """Raises ProbeFailed when this machine cannot send."""
    status, reason = _ANSWERS.get(request.method, _NOT_ALLOWED)
    to = (datagram.address, datagram.port)
    try:
        answer = sip.response(request, status, reason, to_tag=secrets.token_hex(4), received=to, headers=[_ALLOW])
    except (WireError, ValueError):
        return
    sockets.send_to(sock, answer, *to)
