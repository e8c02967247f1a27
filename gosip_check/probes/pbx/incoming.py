"""Does the PBX take the trunk's calls, with all their headers, and ring the right phone? Reads answers to INVITE."""

from collections.abc import Iterator
from typing import Literal, get_args

from gosip_check.heard import Heard, Transaction, tag_of
from gosip_check.probes import probe
from gosip_check.probes.pbx.numbers import address_of
from gosip_check.probes.pbx.seen import Seen, facts_of, furthest, heard_by, unseen
from gosip_check.probes.probe import Context, Probe

Call = Literal["answered", "refused", "silence"]
Routing = Literal["by-to", "one-phone", "refused"]
Headers = Literal["taken", "to-changed", "refused"]

_REFUSALS = (400, 401, 403, 404, 407, 415, 420, 482, 483, 488, 500, 503)
"By the PBX itself; whatever else there is may be what a person or a phone did."
_ODD = ("Recv-Info", "P-Early-Media", "X-Broadworks-Correlation-Info")
_SILENT_AFTER_S = 5.0


class Options(probe.Options, frozen=True):
    """Nothing to choose."""


class Facts(probe.Facts, frozen=True):
    """Kinds of what was seen, best first (see the types). What only the installer can hear is what he said."""

    call: Call | None
    routing: Routing | None
    number_is_shown: bool | None
    headers: Headers | None
    early_media_is_heard: bool | None


def measure(options: Options, context: Context) -> Facts:
    """Takes no time and sends nothing."""
    del options
    heard = heard_by(context)
    calls = [each for each in heard.requests("INVITE", "down") if each.starts_dialog]
    return facts_of(
        Facts,
        call=furthest(get_args(Call), _calls(heard, _plain(heard, calls)), "No incoming call was seen.", heard),
        routing=_routing(heard, calls),
        number_is_shown=_said(heard, "incoming-number", "the phone showed the number of the caller"),
        headers=furthest(get_args(Headers), _headers(calls), "No call with the trunk's own headers was seen.", heard),
        early_media_is_heard=_said(heard, "early-media", "the announcement before the answer was heard"),
    )


def _plain(heard: Heard, calls: list[Transaction]) -> list[Transaction]:
    """Without those to another number and from the second site, of which others judge."""
    others = heard.steps_named("routing", "site-b-call")
    return [call for call in calls if not any(_is_during(call, step.began_s, step.ended_s) for step in others)]


def _calls(heard: Heard, calls: list[Transaction]) -> Iterator[Seen]:
    for call in calls:
        if call.status is None and not call.responses:
            silent_s = (heard.ends_s or 0) - call.sent_s[0] if call.sent_s and heard.ends_s else 0.0
            if silent_s > _SILENT_AFTER_S and len(call.sent_s) > 1:
                yield Seen("silence", f"INVITE of the trunk was not answered at all ({len(call.sent_s)} packets).")
            else:
                yield Seen(None, "An INVITE of the trunk was seen, and not what became of it.")
        elif call.status in _REFUSALS:
            unknown = ": the PBX does not know the trunk's address" if call.status in (401, 407) else ""
            yield Seen("refused", f"INVITE of the trunk is answered with {call.status}{unknown}.")
        elif call.status == 200:
            acknowledged = any(one.method == "ACK" and one.call_id == call.call_id for one in heard.transactions)
            yield Seen(
                "answered", f"An incoming call is answered with 200{', and acknowledged' if acknowledged else ''}."
            )
        else:
            yield Seen(None, f"Nobody took the incoming call ({call.status or 'no final answer'}).")


def _routing(heard: Heard, calls: list[Transaction]) -> Seen:
    """Two calls with the same request line and two numbers in To."""
    asked = [
        call for step in heard.steps_named("routing") for call in calls if _is_during(call, step.began_s, step.ended_s)
    ]
    refused = next((call for call in asked if call.status in (404, 484, 604)), None)
    if refused is not None:
        return Seen("refused", f"A call to the second number is answered with {refused.status}.")
    answer = heard.answers.get("routes-by-to")
    if answer is None:
        return unseen("Nobody said which phones rang.", heard)
    return (
        Seen("by-to", "The installer says: each number rang its own phone.")
        if answer
        else Seen("one-phone", "The installer says: one phone rang for both numbers.")
    )


def _is_during(call: Transaction, began_s: float, ended_s: float) -> bool:
    return bool(call.sent_s) and began_s <= call.sent_s[0] <= ended_s


def _headers(calls: list[Transaction]) -> Iterator[Seen]:
    """RFC 3261 8.2.2: what is not understood is ignored. 8.2.6.2: To comes back as it was, but for the tag."""
    plain = any(call.status == 200 and not _odd(call) for call in calls)
    for call in calls:
        odd = _odd(call)
        if not odd or not call.responses:
            continue
        if call.status in (400, 415, 420, 500):
            if plain:
                yield Seen(
                    "refused", f"An INVITE with {', '.join(odd)} is answered with {call.status}; one without is taken."
                )
            else:
                yield Seen(
                    None, f"An INVITE with {', '.join(odd)} is answered with {call.status}; none without it was tried."
                )
            continue
        if call.status in (*_REFUSALS, 405, 501):
            continue  # for another reason
        answered = next((one for one in call.responses if tag_of(one.header("To"))), None)
        if answered is None:
            continue
        asked_to, said_to = address_of(call.request.header("To")), address_of(answered.header("To"))
        if asked_to is None or said_to is None or answered.message.cut:
            continue
        if asked_to.uri != said_to.uri:
            yield Seen("to-changed", "The PBX does not return To as it came: its parameters changed.")
        else:
            yield Seen("taken", f"An INVITE with {', '.join(odd)} is taken, and To returned as it came.")


def _odd(call: Transaction) -> list[str]:
    return [name for name in _ODD if call.request.header(name) is not None]


def _said(heard: Heard, question: str, what: str) -> Seen:
    answer = heard.answers.get(question)
    if answer is None:
        return unseen("Nobody said it.", heard)
    return Seen(answer, f"The installer says: {what}." if answer else f"The installer says that it is not so: {what}.")


PROBE = Probe("pbx_incoming", Options, Facts, measure, subject=lambda _: "incoming calls", local=True, listens=True)
