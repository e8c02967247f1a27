"""Requests over UDP, several at once: sends each with its copies and collects what comes back. Judges nothing.

The client's side of RFC 3261 17.1.2. Branch and method say whose an answer is; where it came from is noted.
"""

import contextlib
import socket
import time
from collections.abc import Sequence

from gosip_check.probes.dns.servers import Server
from gosip_check.probes.net import sockets
from gosip_check.probes.net.icmp import IcmpError
from gosip_check.probes.net.sockets import Datagram
from gosip_check.probes.probe import Context
from gosip_check.wire import sip
from gosip_check.wire.sip import Message, Response, WireError
from gosip_check.wire.sip_head import described, head_of
from gosip_check.wire.transaction import ClientTransaction

_KEEP_ALIVE = b"\r\n\0"
"A datagram of nothing else keeps a NAT's table entry alive (RFC 5626 3.5.1 and older customs)."

_ERRORS_KEPT = 8
_LONGEST_STATUS = 80


class Transaction(ClientTransaction):
    """One request to one server from one socket, and what came of it. The first copy is due after `delay_s`.

    any_source: an answer counts wherever it came from. icmp_ends: so many ICMP errors end it; None: none does.
    """

    answer: Datagram | None
    "What held the final response."

    answered_at: socket.socket | None
    "The socket that it came to: `sock`, or a listener."

    elsewhere: Datagram | None
    "The first answer to this request that came from somewhere else than the server's address and port."

    noise: str
    "What else came from the server: the latest thing that is not SIP, or answers another request."

    flaw: str
    "What is wrong with the final response, which a phone system may drop for it (RFC 3261 18.3); empty if nothing."

    errors: list[IcmpError]
    "The first few ICMP errors."

    def __init__(
        self,
        context: Context,
        sock: socket.socket,
        server: Server,
        request: bytes,
        timeout_s: float,
        *,
        delay_s: float = 0.0,
        once: bool = False,
        any_source: bool = False,
        icmp_ends: int | None = None,
    ) -> None:
        start_s = time.monotonic() + delay_s
        super().__init__(request, start_s, context.t1_s, timeout_s=timeout_s, reliable=once)
        self.sock, self.server, self.noise, self.flaw, self.errors = sock, server, "", "", []
        self.answer = self.answered_at = self.elsewhere = None
        self._any_source, self._icmp_ends, self._sent_s = any_source, icmp_ends, 0.0

    @property
    def is_over(self) -> bool:
        return super().is_over or (self._icmp_ends is not None and len(self.errors) >= self._icmp_ends)

    @property
    def rtt_ms(self) -> float | None:
        """None without a final response, and after a second copy: nobody knows which one was answered."""
        return (self.answer.at_s - self._sent_s) * 1000 if self.answer and self.sent == 1 else None

    def send_if_due(self) -> None:
        """Raises ProbeFailed when this machine cannot send."""
        copy = self.due(time.monotonic())
        if copy is not None:
            self._sent_s = time.monotonic()
            sockets.send_to(self.sock, copy, self.server.address, self.server.port)

    def deliver(self, datagram: Datagram, message: Message | WireError, sock: socket.socket, flaw: str) -> None:
        """One datagram, with what it holds, what is wrong with that, and the socket that it came to.

        Whatever is no answer is waited past.
        """
        if not self._any_source and not datagram.is_from(self.server.address, self.server.port):
            if not isinstance(message, WireError) and self.is_answered_by(message):
                self.elsewhere = self.elsewhere or datagram
        elif isinstance(message, WireError):
            self.noise = described(datagram.data, message)
        elif self.take(message) is None:
            self.noise = (
                other_request(self.request, [*self.foreign, message]) if isinstance(message, Response) else self.noise
            )
        elif self.final is not None:
            self.answer, self.answered_at, self.flaw = datagram, sock, flaw


def run(context: Context, transactions: Sequence[Transaction], listener: socket.socket | None = None) -> None:
    """Until each has a final response, or is over without one. Their sockets may be shared.

    listener: another socket to which answers may come. Raises ProbeFailed when this machine cannot send, or the run
    was stopped.
    """
    socks = dict.fromkeys([each.sock for each in transactions] + ([listener] if listener else []))
    while pending := [each for each in transactions if not each.is_over]:
        for each in pending:
            each.send_if_due()
        until_s = min((each.next_at for each in pending if each.next_at is not None), default=0.0)
        for sock, datagrams, errors in sockets.arrivals(context, socks, until_s):
            for datagram in datagrams:
                _deliver(datagram, sock, [each for each in pending if sock in (each.sock, listener)])
            for each in pending:
                each.errors += errors[:_ERRORS_KEPT] if each.sock is sock and len(each.errors) < _ERRORS_KEPT else []
            if all(each.is_over for each in pending):
                break


def _deliver(datagram: Datagram, sock: socket.socket, transactions: Sequence[Transaction]) -> None:
    """To the transaction that it answers; to all that share the socket where it answers none."""
    pending = [each for each in transactions if not each.is_over]
    if not datagram.data.strip(_KEEP_ALIVE):
        return
    message, flaw = _read(datagram.data)
    try:
        owners = [] if isinstance(message, WireError) else [each for each in pending if each.is_answered_by(message)]
    except WireError as error:
        message, owners = error, []
    for each in owners or pending:
        each.deliver(datagram, message, sock, flaw)


def _read(data: bytes) -> tuple[Message | WireError, str]:
    """The message and what is wrong with it: of a response whose Content-Length is wrong, the head counts."""
    try:
        return sip.parse(data), ""
    except WireError as error:
        with contextlib.suppress(WireError):
            message, is_whole = head_of(data)
            if is_whole and isinstance(message, Response):
                return message, str(error)
        return error, ""


def other_request(request: bytes, messages: Sequence[Message]) -> str:
    """In words: what came is an answer, but not one to `request` by its branch and method (RFC 3261 17.1.3)."""
    call_id = sip.parse(request).call_id
    for message in messages:
        with contextlib.suppress(WireError):
            if isinstance(message, Response) and message.call_id == call_id:
                came = f"{message.status} {message.reason}".strip()[:_LONGEST_STATUS]
                return (
                    f"answered {came}, but with another branch or method than we sent, so that no phone system takes "
                    "it for its answer: the server, or a device on the way, changed it"
                )
    return "answered SIP, but its answers belong to another request than ours"
