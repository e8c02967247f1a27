"""The client's side of one exchange (RFC 3261 17.1). No socket and no clock: the caller passes `now`.

    transaction = ClientTransaction(request, now=clock(), timeout_s=8)
    loop: send what due(clock()) returns; wait for a datagram until next_at; hand it to receive(); stop when is_over

An INVITE is sent again with growing pauses until anything answers, then it may ring for as long as it likes (17.1.1.2).
Its ACK is the caller's. `now` is monotonic time in seconds. What an answer means is not decided here, only whether it
is ours, and when to send.
"""

import math

from gosip_check.wire.sip import Message, Response, WireError, parse

T1_S = 0.5
T2_S = 4.0
"""Round-trip estimate and longest interval between retransmissions (RFC 3261 17.1.1.1, table 4 in its appendix A)."""

FOREIGN_KEPT = 8


class ClientTransaction:
    """One request, sent until a final response or the timeout.

    request: the whole message; `now` starts timer F. timeout_s: timer F; 64*T1 where not given, as the RFC says.
    reliable: TCP or TLS, which repeat lost bytes themselves, so the request is sent once.
    Raises WireError where the request has no readable Via branch and CSeq: there would be nothing to match answers by.
    """

    provisional: Response | None
    "The latest 1xx that belongs here."

    final: Response | None
    "The first response of 200 and above that belongs here; it ends the transaction."

    foreign: list[Message]
    "The first few messages that belong to something else. An answer whose branch was altered on the way looks so."

    sent: int
    "How often the request was handed out."

    timed_out: bool
    "Timer F fired before a final response."

    def __init__(
        self,
        request: bytes,
        now: float,
        t1: float = T1_S,
        t2: float = T2_S,
        *,
        timeout_s: float | None = None,
        reliable: bool = False,
    ) -> None:
        message = parse(request)
        branch = message.vias[0].branch
        if not branch:
            raise WireError("the request's top Via has no branch")
        self.provisional = None
        self.final = None
        self.foreign = []
        self.sent = 0
        self.timed_out = False
        self.request = request
        self._branch = branch.lower()
        self._method = message.cseq.method
        self._is_invite = self._method == "INVITE"
        self._t2 = math.inf if self._is_invite else t2
        self._reliable = reliable
        self._interval = t1  # what timer E is set to at the next transmission
        self._send_at: float | None = now
        self._timeout_at = now + (64 * t1 if timeout_s is None else timeout_s)

    @property
    def is_over(self) -> bool:
        return self.timed_out or self.final is not None

    @property
    def next_at(self) -> float | None:
        """When to call `due` next; None when the transaction is over."""
        if self.is_over:
            return None
        return self._timeout_at if self._send_at is None else min(self._send_at, self._timeout_at)

    def due(self, now: float) -> bytes | None:
        """The request if it is to be sent now, else None. Notices the timeout.

        Timer E starts again at this call, not when it should have fired: a late caller sends once and not in a burst.
        """
        if not self.is_over and now >= self._timeout_at:
            self.timed_out = True
        if self.is_over or self._send_at is None or now < self._send_at:
            return None
        self.sent += 1
        self._send_at = None if self._reliable else now + self._interval
        self._interval = min(2 * self._interval, self._t2)
        return self.request

    def is_answered_by(self, message: Message) -> bool:
        """Do branch and method say that it belongs here? Raises WireError where that cannot be read."""
        if not isinstance(message, Response):
            return False
        return (message.vias[0].branch or "").lower() == self._branch and message.cseq.method == self._method

    def receive(self, datagram: bytes) -> Response | None:
        """`take()` of what a datagram holds. Raises WireError where that cannot be read; the transaction goes on."""
        return self.take(parse(datagram))

    def take(self, message: Message) -> Response | None:
        """The response if it belongs here, else None; a repetition of the final one is taken in (timer K): None.

        Belongs here: the branch of its top Via and the method of its CSeq are the request's (17.1.3). The branch is a
        token, so case does not matter (7.3.1). Raises WireError where these cannot be read; the transaction goes on.
        """
        if not isinstance(message, Response) or not self.is_answered_by(message):
            if len(self.foreign) < FOREIGN_KEPT:
                self.foreign.append(message)
            return None
        if self.final is not None:
            return None
        if message.status < 200:
            self.provisional = message
            self._interval = self._t2  # Proceeding: timer E, when it fires, is set to T2 (17.1.2.2)
            if self._is_invite:
                self._send_at, self._timeout_at = None, math.inf
        else:
            self.final = message
        return message
