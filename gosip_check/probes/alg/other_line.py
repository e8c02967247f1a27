"""What does another line of this machine receive of our SIP? A mirror that stands behind the second line's own NAT.

Its outside port must be 5060, or an ALG need not look. What is changed was changed on one of two lines, and nobody can
tell on which: so a change proves nothing of the line under test, and what arrives unchanged proves both.
"""

import contextlib
import socket
import time
from collections.abc import Sequence

from gosip_check.probes.alg.findings import Finding
from gosip_check.probes.alg.mirror import MESSAGES, Mirrored, mirror_request, read_mirrored
from gosip_check.probes.dns.servers import Server
from gosip_check.probes.far_link.pair import Pair, pair
from gosip_check.probes.net import flow, sockets
from gosip_check.probes.probe import Context
from gosip_check.wire import sip_mirror
from gosip_check.wire.sip import WireError

SIP_PORT = 5060
_SENDS_AT_S = (0.0, 0.4, 1.2)
_WITHIN_S = 2.5


def ask_other_line(
    context: Context, named: str, stun_servers: Sequence[str], domain: str, servers: Sequence[Server]
) -> Finding:
    """named and the three after it: see `pair`. Takes two seconds, and three more where nothing comes.

    Raises ProbeFailed: unsupported, with a sentence, where the two lines cannot be brought together, or port 5060 is
    taken here; or interrupted.
    """
    with pair(context, named, stun_servers, domain, servers, far_port=SIP_PORT) as both:
        return finding_of(_mirrored(context, both, domain), both.far_line.name, both.far_outside[1])


def finding_of(mirrored: Sequence[Mirrored], line: str, port: int) -> Finding:
    """port: the outside port of the far side, which the requests went to."""
    changed = [each for each in mirrored if each.request_changes or each.reply_changes]
    if changed:
        changes = [*changed[0].request_changes, *changed[0].reply_changes]
        where = ", ".join(dict.fromkeys(change.where for change in changes))
        sentence = f"SIP to the second line {line} was changed ({where}). On which of the two lines is not known."
        return Finding("mirror", None, sentence, needed=False)
    if not all(each.answered for each in mirrored):
        silent = [each.message for each in mirrored if not each.answered]
        return Finding("mirror", None, f"The second line {line} got no {' and no '.join(silent)}.", needed=False)
    if port != SIP_PORT:
        sentence = (
            f"The second line {line} got SIP unchanged. But its NAT gave it port {port}, where an ALG need not look."
        )
        return Finding("mirror", None, sentence, needed=False)
    sentence = f"At {port}/UDP the second line {line} got {len(mirrored)} requests unchanged, and we its answers."
    return Finding("mirror", False, sentence, needed=False)


def _mirrored(context: Context, both: Pair, domain: str) -> list[Mirrored]:
    """Each request until it is answered; both sides are read here."""
    local = sockets.local_address(both.near)
    requests = {message: mirror_request(domain, message, local) for message in MESSAGES}
    results = {message: Mirrored("UDP", both.far_outside[1], message, local, False) for message in MESSAGES}
    start_s = time.monotonic()
    for until_s in (*_SENDS_AT_S[1:], _WITHIN_S):
        waiting = [message for message, result in results.items() if not result.answered]
        for message in waiting:
            _send(both.near, requests[message])
        for sock, datagrams, _ in sockets.arrivals(context, [both.near, both.far], start_s + until_s):
            for datagram in datagrams:
                if sock is both.far:
                    with contextlib.suppress(WireError):
                        _send(both.far, sip_mirror.answer(datagram.data, both.near_outside))
                    continue
                for message in waiting:
                    answered = read_mirrored(results[message], requests[message], datagram.data)
                    if answered is not None and _is_to(message, datagram.data):
                        results[message] = answered
            if all(result.answered for result in results.values()):
                return list(results.values())
    return list(results.values())


def _is_to(message: str, answer: bytes) -> bool:
    """The answer mirrors a request of this kind: its method survives whatever an ALG does."""
    return sip_mirror.read(answer).received.startswith(message.split()[0].encode())


def _send(sock: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):  # what does not leave this machine is not answered
        flow.send(sock, data)
