"""A call of the trunk to the PBX, with the header fields that the provider's guide shows (second incoming example)."""

import secrets
import uuid
from typing import Literal

from gosip_check.heard import Place
from gosip_check.servers.rehearsal.call import (
    ALLOW,
    EVENT,
    SESSION_S,
    Call,
    Line,
    contact_uri,
    new_branch,
    new_tag,
    tokens,
)
from gosip_check.servers.rehearsal.transactions import Headers
from gosip_check.wire import sdp, sip
from gosip_check.wire.sip import Response

_ODD: Headers = (
    ("P-Early-Media", "supported"),
    ("Recv-Info", "x-broadworks-client-session-info"),
    (
        "Accept",
        "application/btbc-session-info, application/dtmf-relay, application/media_control+xml, application/sdp, "
        "application/vnd.etsi.aoc+xml, multipart/mixed",
    ),
)


class ToPbx(Call):
    """It rings from its beginning. target: the contact as registered, octet by octet (some PBXs look for their own).

    caller: with + where it comes from abroad. number: that of the account that is called; it stands in To alone.
    is_plain: without the header fields that are unusual.
    """

    def __init__(
        self, line: Line, site: int, peer: Place, target: str, caller: str, number: str, *, is_plain: bool = False
    ) -> None:
        address = line.sites[site][0]
        place = f"{line.domain};user=phone"
        own = f"eribindingid={secrets.randbelow(10**14):014};eribind-generated-at={address}"
        super().__init__(
            line,
            site,
            peer,
            call_id=f"BW{secrets.randbelow(10**24):024}@{address}",
            local=f"<sip:{caller}@{place}>;tag={new_tag()}",
            remote=f'"ess_admins_2 ess_admins_2" <sip:{number}@{place};{own}>',
            target=target,
        )
        self.caller, self.number = caller, number
        self.rang = False
        self._cancels: Literal["no", "wanted", "sent"] = "no"
        self._branch, self._invite_cseq = new_branch(), self.cseq
        self._acknowledged: set[str] = set()
        odd = () if is_plain else [*_ODD, ("X-Broadworks-Correlation-Info", str(uuid.uuid4()))]
        headers = [
            ("Record-Route", f"<sip:{line.site(site)};transport=udp;lr>"),
            ("Min-SE", str(SESSION_S)),
            ("P-Asserted-Identity", f"<sip:{caller}@{place}>"),
            ("Privacy", "none"),
            ("Session-Expires", f"{SESSION_S};refresher=uac"),
            ("Supported", "100rel"),
            ("Supported", "timer"),
            ("Content-Type", "application/sdp"),
            ("Allow", ALLOW),
            *odd,
        ]
        self._headers, self._body = headers, self.described(EVENT)

    def begin(self) -> None:
        """ValueError where the contact breaks a message."""
        invite = self.written("INVITE", self._invite_cseq, self._headers, self._body, self._branch)
        self._first = (self.target, self.remote)
        self.line.transactions.ask(self.site, invite, self.peer, self._heard)

    def cancel(self) -> None:
        """Nobody answered. It waits for a provisional response (RFC 3261 9.1); the 487 ends it."""
        if self._cancels == "no" and not self.is_answered and not self.is_over:
            self._cancels = "wanted"
            if self.status is None and self._is_known:
                self._send_cancel()

    _is_known = False

    def _end_early(self) -> None:
        self.cancel()

    def _send_cancel(self) -> None:
        self._cancels = "sent"
        (target, remote), kept = self._first, (self.target, self.remote)
        self.target, self.remote = target, remote
        request = self.written("CANCEL", self._invite_cseq, branch=self._branch)
        self.target, self.remote = kept
        self.line.transactions.ask(self.site, request, self.peer)

    def _heard(self, response: Response | None) -> None:
        if response is None:
            self.ends(None)
        elif response.status < 200:
            self._provisional(response)
        elif response.status < 300:
            self._accepted(response)
        else:
            self.remote = response.header("To") or self.remote
            self.status = response.status
            target, self.target = self.target, self._first[0]
            self.send_ack(self._invite_cseq, self._branch)
            self.target = target
            self.ends("trunk" if self._cancels != "no" else "pbx")

    def _provisional(self, response: Response) -> None:
        self._is_known = True
        self.rang = self.rang or response.status > 100
        number = response.header("RSeq")
        if self._cancels == "wanted":
            self._send_cancel()
        elif number is not None and "100rel" in tokens(response, "Require") and number not in self._acknowledged:
            self._acknowledged.add(number)  # RFC 3262 4
            self._enter(response)
            self.request("PRACK", [("RAck", f"{number} {self._invite_cseq} INVITE")])

    def _accepted(self, response: Response) -> None:
        self._enter(response)
        self.send_ack(self._invite_cseq)
        if self._cancels != "no" or self.is_over:  # both crossed on the way
            self.request("BYE")
            self.ends("trunk")
            return
        self.answer()
        self.allows = ",".join(response.headers("Allow")).upper()
        if (described := sdp.audio(response.body)) is not None:
            self.media.describe(described)

    def _enter(self, response: Response) -> None:
        """The dialog begins (RFC 3261 12.1.2). Our own Record-Route is not a way to somewhere else."""
        self.remote = response.header("To") or self.remote
        self.target = contact_uri(response, self.target)
        routes = [item for value in response.headers("Record-Route") for item in sip.split_list(value, ",")]
        self.routes = [route for route in reversed(routes) if f"sip:{self.line.site(self.site)};" not in route]
