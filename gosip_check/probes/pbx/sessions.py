"""Do calls last and end as they should: session timer (RFC 4028), PRACK (RFC 3262), BYE? Reads dialogs."""

from collections.abc import Iterator
from typing import Literal, get_args

from gosip_check.heard import Heard, Transaction
from gosip_check.probes import probe
from gosip_check.probes.pbx.seen import Seen, facts_of, furthest, heard_by, unseen
from gosip_check.probes.probe import Context, Probe
from gosip_check.wire.sip import split_list

Timer = Literal["as-wanted", "another-value", "supported-only", "required-only", "none"]
Refresh = Literal["refreshed", "ended", "silent"]
Refreshed = Literal["accepted", "refused", "silence"]
Reliable = Literal["not-used", "acknowledged", "refused"]
HangUp = Literal["answered", "without-route", "refused", "silence"]

_NOTHING = "No outgoing call was seen."
_LEAST_S = 90
"RFC 4028 5: the smallest Session-Expires."
_BYE_WITHIN_S = 32.0
"Timer F of RFC 3261."


class Options(probe.Options, frozen=True):
    """session_timer_s: from the trunk; None where its provider names none."""

    session_timer_s: int | None = None


class Facts(probe.Facts, frozen=True):
    """Kinds of what was seen, best first (see the types)."""

    timer: Timer | None
    refresh: Refresh | None
    refreshed: Refreshed | None
    reliable: Reliable | None
    hang_up: HangUp | None


def measure(options: Options, context: Context) -> Facts:
    """Takes no time and sends nothing."""
    heard = heard_by(context)
    return facts_of(
        Facts,
        timer=furthest(get_args(Timer), _timers(heard, options.session_timer_s), _NOTHING, heard),
        refresh=_refresh(heard),
        refreshed=furthest(get_args(Refreshed), _refreshed(heard), "The trunk refreshed no session.", heard),
        reliable=_reliable(heard),
        hang_up=furthest(get_args(HangUp), _hang_ups(heard), "No call was seen to end.", heard),
    )


def _words(transaction: Transaction, name: str) -> list[str]:
    return [word.lower() for value in transaction.request.sip.headers(name) for word in split_list(value, ",")]


def _seconds(value: str | None) -> int | None:
    text = (value or "").partition(";")[0].strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _timers(heard: Heard, wanted_s: int | None) -> Iterator[Seen]:
    """Of each call, its last INVITE: after a 422 the next one holds the greater value."""
    last = {each.call_id: each for each in heard.requests("INVITE") if each.starts_dialog}
    for call in last.values():
        value_s = _seconds(call.request.header("Session-Expires"))
        if value_s is not None:
            is_wanted = value_s == wanted_s
            yield Seen(
                "as-wanted" if is_wanted else "another-value", f"INVITE asks for a session timer of {value_s} s."
            )
        elif not call.request.is_without("Session-Expires"):
            yield Seen(None, "INVITE was cut before a session timer could be seen.")
        elif "timer" in _words(call, "Require"):
            yield Seen("required-only", "INVITE requires a session timer, and names no time.")
        elif "timer" in _words(call, "Supported"):
            yield Seen("supported-only", "INVITE supports session timers, and asks for none.")
        else:
            yield Seen("none", "INVITE does not support session timers.")


def _refresh(heard: Heard) -> Seen:
    """After our 200 with a Session-Expires of which the PBX is the refresher (uac of its own INVITE)."""
    for call in heard.requests("INVITE"):
        value = call.final.header("Session-Expires") if call.final is not None and call.status == 200 else None
        asked_s = _seconds(value)
        if asked_s is None or asked_s < _LEAST_S or "refresher=uac" not in (value or "").lower().replace(" ", ""):
            continue
        answered_s = call.final.time_s if call.final is not None else None
        later = [
            each
            for each in heard.transactions
            if each.call_id == call.call_id and each.request.position > call.request.position
        ]
        again = next((each for each in later if each.goes_up and each.method in ("UPDATE", "INVITE")), None)
        ended = next((each for each in later if each.method == "BYE"), None)
        if again is not None and answered_s is not None and again.sent_s:
            after_s = again.sent_s[0] - answered_s
            return Seen(
                "refreshed", f"The PBX refreshes a session of {asked_s} s by {again.method} after {after_s:.0f} s."
            )
        ended_s = ended.sent_s[0] if ended is not None and ended.goes_up and ended.sent_s else 0.0
        if answered_s is not None and ended_s - answered_s >= asked_s / 2:  # sooner somebody hung up
            return Seen("ended", f"The PBX ended a call with a session timer of {asked_s} s and did not refresh it.")
        over_s = ended.sent_s[0] if ended is not None and ended.sent_s else heard.ends_s
        if answered_s is not None and over_s is not None and over_s - answered_s > asked_s:
            return Seen("silent", f"The PBX did not refresh a session of {asked_s} s.")
    return unseen("No session of which the PBX is the refresher lasted long enough.", heard)


def _refreshed(heard: Heard) -> Iterator[Seen]:
    """What the PBX says to an UPDATE or a re-INVITE of the trunk."""
    for each in heard.transactions:
        if each.goes_up or each.starts_dialog or each.method not in ("UPDATE", "INVITE"):
            continue
        if each.status == 200:
            yield Seen("accepted", f"{each.method} of the trunk within a call is answered with 200.")
        elif each.status is not None and each.status not in (401, 407, 422, 491):
            yield Seen("refused", f"{each.method} of the trunk within a call is answered with {each.status}.")
        elif not each.responses and _is_over(heard, each):
            yield Seen("silence", f"{each.method} of the trunk within a call is not answered.")


def _is_over(heard: Heard, each: Transaction) -> bool:
    """Nothing more can come: 32 s have gone."""
    return bool(each.sent_s) and heard.ends_s is not None and heard.ends_s - each.sent_s[0] > _BYE_WITHIN_S


def _reliable(heard: Heard) -> Seen:
    """18x with RSeq are acknowledged by PRACK (RFC 3262 3)."""
    calls = [each for each in heard.requests("INVITE", "down") if each.starts_dialog and _has_rung(each)]
    if not calls:
        return unseen("No incoming call was seen.", heard)
    used = [each for each in calls if any(said.header("RSeq") for said in each.responses)]
    if not used:
        return Seen("not-used", "The PBX does not ask for reliable provisional responses.")
    for call in used:
        pracks = [each for each in heard.requests("PRACK", "down") if each.call_id == call.call_id]
        refused = next((each.status for each in pracks if each.status is not None and each.status != 200), None)
        if refused is not None:
            return Seen("refused", f"PRACK of the trunk is answered with {refused}.")
        if any(each.status == 200 for each in pracks):
            return Seen("acknowledged", "18x is sent reliably, and PRACK answered with 200.")
    return unseen("18x was sent reliably; no PRACK was seen.", heard)


def _has_rung(call: Transaction) -> bool:
    """It was taken so far that a provisional response could be reliable."""
    return call.status == 200 or any(100 < call.status_of(each) < 200 for each in call.responses)


def _hang_ups(heard: Heard) -> Iterator[Seen]:
    for each in heard.transactions:
        if each.method != "BYE":
            continue
        who = "the PBX" if each.goes_up else "the trunk"
        if each.goes_up and _has_record_route(heard, each) and each.request.is_without("Route"):
            yield Seen("without-route", "BYE of the PBX does not follow the Record-Route of the call.")
        elif each.status is None:
            if not each.responses and _is_over(heard, each):
                yield Seen("silence", f"BYE of {who} was not answered.")
        elif each.status == 200:
            yield Seen("answered", f"BYE of {who} is answered with 200.")
        elif each.status not in (401, 407):
            yield Seen("refused", f"BYE of {who} is answered with {each.status}.")


def _has_record_route(heard: Heard, bye: Transaction) -> bool:
    """The trunk's INVITE of this call had one."""
    invites = [one for one in heard.requests("INVITE", "down") if one.call_id == bye.call_id]
    return any(one.request.header("Record-Route") for one in invites)


PROBE = Probe(
    "pbx_sessions", Options, Facts, measure, subject=lambda _: "what happens within calls", local=True, listens=True
)
