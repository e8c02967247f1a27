"""A call of the PBX into the trunk: answered by a melody, first before the answer (early media), then after it."""

import math
from dataclasses import dataclass

from gosip_check.servers.rehearsal.call import (
    ALLOW,
    EVENT,
    Call,
    Line,
    contact_uri,
    session_headers,
    takes_alaw,
    tokens,
)
from gosip_check.servers.rehearsal.transactions import Served
from gosip_check.wire import sdp, sip
from gosip_check.wire.sip import Request


@dataclass(frozen=True)
class Plan:
    """How the next call of the PBX is answered. early_s: melody before the answer.

    session_s: the session timer of the answer, of which the PBX is the refresher; None: as the PBX asks.
    """

    early_s: float = 1.0
    session_s: int | None = None
    is_challenged: bool = False


class FromPbx(Call):
    """It begins to be answered when it is made. OSError where no ports are free; ValueError for what cannot be read."""

    def __init__(self, line: Line, served: Served, plan: Plan) -> None:
        request = served.request
        super().__init__(
            line,
            served.site,
            served.peer,
            call_id=request.call_id,
            local=f"{request.header('To') or ''};tag={served.to_tag}",
            remote=request.header("From") or "",
            target=contact_uri(request, request.from_.uri),
        )
        self.routes = [item for value in request.headers("Record-Route") for item in sip.split_list(value, ",")]
        self.allows = ",".join(request.headers("Allow")).upper()
        self.served, self._plan = served, plan
        self.refreshes_soon = False
        "The PBX has agreed to refresh as the plan says."
        self._route_headers = [("Record-Route", value) for value in request.headers("Record-Route")]
        self._described = sdp.audio(request.body)
        self._event = EVENT if self._described is None else sdp.event_payload(self._described)
        self._is_early = False
        self._answers_s = line.world.monotonic() + plan.early_s
        if self._described is not None and not takes_alaw(self._described):
            served.respond(488, "Not Acceptable Here")
            self.status = 488
            self.ends("trunk")
            return
        served.respond(100, "Trying")
        self.next_s = line.world.monotonic()

    def tick(self, now_s: float) -> None:
        if not self.is_answered and not self.is_over and now_s >= self.next_s:
            if self.served.next_s != math.inf:  # a reliable 183 comes first (RFC 3262 3)
                self.next_s = max(self._answers_s, now_s + 0.1)
            elif now_s >= self._answers_s:
                self._answer()
            elif not self._is_early:
                self._begin_early()
        super().tick(now_s)

    def _begin_early(self) -> None:
        """183 with SDP, reliably where the PBX requires it (RFC 3262 3)."""
        self._is_early, self.next_s = True, self._answers_s
        if self._described is None:
            return
        self.media.describe(self._described)
        is_reliable = "100rel" in tokens(self.served.request, "Require")
        headers = [*self._route_headers, *([("Require", "100rel"), ("RSeq", "1")] if is_reliable else [])]
        self.respond(self.served, 183, "Session Progress", headers, self.described(self._event), again=is_reliable)

    def _answer(self) -> None:
        """Without an offer in INVITE ours is in the 200, and the answer in ACK (RFC 3261 13.2.1)."""
        request = self.served.request
        session = session_headers(request, self._plan.session_s)
        headers = [*self._route_headers, ("Allow", ALLOW), ("Supported", "timer"), *session]
        self.refreshes_soon = ("Session-Expires", f"{self._plan.session_s};refresher=uac") in session
        if self._described is not None:
            self.media.describe(self._described)
        self._version = 1  # the same description as in the 183
        self.respond(self.served, 200, "OK", headers, self.described(self._event), again=True)
        self.answer()
        self.next_s = math.inf

    def cancelled(self, served: Served) -> None:
        """RFC 3261 9.2."""
        served.respond(200, "OK")
        if not self.is_answered and not self.is_over:
            self.served.respond(487, "Request Terminated")
            self.status = 487
            self.ends("pbx")

    def _end_early(self) -> None:
        self.served.respond(480, "Temporarily Unavailable")
        self.status = 480

    def is_of(self, request: Request) -> bool:
        """The CANCEL belongs to this INVITE: the same branch (RFC 3261 9.1)."""
        return request.vias[0].branch == self.served.request.vias[0].branch
