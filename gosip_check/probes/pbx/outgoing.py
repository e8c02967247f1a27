"""Do the outgoing calls of the PBX carry the numbers and headers that the guide shows? Reads INVITE and REFER."""

import re
from collections.abc import Iterator
from typing import Literal, get_args

from gosip_check.heard import Heard, Transaction
from gosip_check.probes import probe
from gosip_check.probes.pbx.numbers import Numbers, host_form, is_masked, numbers_of, uri, uri_of
from gosip_check.probes.pbx.registers import credentials_of
from gosip_check.probes.pbx.seen import Seen, facts_of, furthest, heard_by, unseen
from gosip_check.probes.probe import Context, Probe
from gosip_check.wire.sip import Request
from gosip_check.wire.sip_fields import contact_items

Site = Literal["registered", "other"]
UriHost = Literal["domain", "address", "other-domain"]
Identity = Literal["username", "tagged", "asserted", "national", "other", "other-domain", "none"]
From = Literal["national", "with-country-code", "anonymous", "other", "address", "other-domain"]
To = Literal["national", "international", "short", "with-country-code", "overlap", "line-access", "star", "other"]
Contact = Literal["own-number", "other"]
Withheld = Literal["private", "shown"]
Forwarded = Literal["own", "foreign"]

_NOTHING = "No outgoing call was seen."
_OVERLAP_S = 20.0
_FORWARD_TO = ("Diversion", "History-Info")
_FORWARD = "forward"
"The step of a rehearsal in which a call is forwarded; what such a call shows is another question."


class Options(probe.Options, frozen=True):
    """All from the trunk."""

    domain: str
    country_code: str = ""
    national_digits: int = 0


class Facts(probe.Facts, frozen=True):
    """Kinds of what was seen, best first (see the types)."""

    site: Site | None
    uri_host: UriHost | None
    identity: Identity | None
    caller: From | None
    caller_is_own: bool | None
    dialled: To | None
    contact: Contact | None
    answers_challenge: bool | None
    withheld: Withheld | None
    forwarded: Forwarded | None


def measure(options: Options, context: Context) -> Facts:
    """Takes no time and sends nothing."""
    heard = heard_by(context)
    numbers = numbers_of(heard, options.country_code, options.national_digits)
    calls = [each for each in heard.requests("INVITE") if each.starts_dialog]
    refers = heard.requests("REFER")
    domain = options.domain
    forwarded = [call for step in heard.steps_named(_FORWARD) for call in _during(calls, step.began_s, step.ended_s)]
    shown = [each for each in calls if not _is_private(each) and each not in forwarded]
    return facts_of(
        Facts,
        site=furthest(get_args(Site), _sites(heard, calls), _NOTHING, heard),
        uri_host=furthest(get_args(UriHost), _uri_hosts(calls, domain), _NOTHING, heard),
        identity=furthest(get_args(Identity), _identities([*calls, *refers], domain, numbers), _NOTHING, heard),
        caller=furthest(get_args(From), _callers(shown, domain, numbers), _NOTHING, heard),
        caller_is_own=_caller_is_own(heard, shown, numbers),
        dialled=furthest(get_args(To), _dialled(calls, numbers), _NOTHING, heard),
        contact=furthest(get_args(Contact), _contacts(calls, numbers), _NOTHING, heard),
        answers_challenge=_answers_challenge(heard, calls),
        withheld=_withheld(heard, calls, numbers),
        forwarded=_forwarded(heard, forwarded, numbers),
    )


def _is_private(call: Transaction) -> bool:
    """The caller withholds the number (RFC 3323)."""
    return any(word in (call.request.header("Privacy") or "").lower() for word in ("id", "user", "header"))


def _sites(heard: Heard, calls: list[Transaction]) -> Iterator[Seen]:
    """The site of the last registration that succeeded, as long as that one has not gone silent."""
    for call in calls:
        before = [
            each
            for each in heard.requests("REGISTER")
            if each.status == 200 and each.request.position < call.request.position
        ]
        site, registered = heard.site_of(call), heard.site_of(before[-1]) if before else None
        if site is None or registered is None:
            yield Seen(None, "At which site the PBX is registered was not seen.")
        elif site == registered:
            yield Seen("registered", "INVITE goes to the site at which the PBX is registered.")
        elif _is_silent(heard, registered, call):
            yield Seen("registered", "INVITE goes to the other site, because the registered one is silent.")
        else:
            yield Seen("other", f"INVITE goes to {site}, and the PBX is registered at {registered}.")


def _is_silent(heard: Heard, site: str, call: Transaction) -> bool:
    asked = [each for each in heard.transactions if each.goes_up and heard.site_of(each) == site]
    before = [each for each in asked if each.request.position < call.request.position and each.method != "ACK"]
    return bool(before) and (not before[-1].responses or before[-1].status == 503)


def _uri_hosts(calls: list[Transaction], domain: str) -> Iterator[Seen]:
    for call in calls:
        assert isinstance(call.request.sip, Request)
        read = uri(call.request.sip.uri)
        if read is None:
            yield Seen(None, "The request line of INVITE was masked, or is no SIP URI.")
            continue
        kind = host_form(read, domain)
        yield Seen(kind, f"The request line of INVITE names {domain if kind == 'domain' else read.host}.")


def _identities(calls: list[Transaction], domain: str, numbers: Numbers) -> Iterator[Seen]:
    """P-Preferred-Identity (RFC 3325 9.2). Without <>, what follows ; belongs to the field: the guide writes it so."""
    for call in calls:
        values = [item for value in call.request.sip.headers("P-Preferred-Identity") for item in contact_items(value)]
        values = [value for value in values if not value.lower().lstrip("<").startswith("tel:")] or values
        if not values:
            yield _asserted(call, numbers)
            continue
        read = uri_of(values[0])
        if read is None or numbers.form_of(read.user or "") is None:
            yield Seen(None, "P-Preferred-Identity was masked, cut, or is of a form that is not known here.")
            continue
        form, shown = numbers.form_of(read.user or ""), numbers.shown(read.user or "nobody")
        if host_form(read, domain) != "domain":
            yield Seen("other-domain", f"P-Preferred-Identity of {call.method} holds the host {read.host}.")
        elif form == "username" or (form == "country" and numbers.user is None):
            tagged = ";tag=" in values[0].lower().rpartition(">")[2]
            said = f"P-Preferred-Identity of {call.method} holds the user name ({shown})"
            yield Seen("tagged", f"{said}, with a tag.") if tagged else Seen("username", f"{said}.")
        else:
            yield Seen(
                "national" if form == "national" else "other",
                f"P-Preferred-Identity of {call.method} holds {shown}, which is not the user name.",
            )


def _asserted(call: Transaction, numbers: Numbers) -> Seen:
    for name in ("P-Asserted-Identity", "Remote-Party-ID"):
        read = uri_of(call.request.header(name))
        if read is not None and read.user and numbers.form_of(read.user) in ("username", "country"):
            return Seen("asserted", f"{call.method} has {name} with the user name in place of P-Preferred-Identity.")
    if not call.request.is_without("P-Preferred-Identity"):
        return Seen(None, f"{call.method} was cut before P-Preferred-Identity could be seen.")
    return Seen("none", f"{call.method} has no P-Preferred-Identity.")


def _callers(calls: list[Transaction], domain: str, numbers: Numbers) -> Iterator[Seen]:
    for call in calls:
        value = call.request.header("From")
        read = uri_of(value)
        if read is None:
            certain = value is not None and not is_masked(value)
            yield (
                Seen("other", "From of INVITE holds no SIP URI.")
                if certain
                else Seen(None, "From of INVITE was masked or cut.")
            )
            continue
        form, shown = numbers.form_of(read.user or ""), numbers.shown(read.user or "nobody")
        host = host_form(read, domain)
        if (read.user or "").lower() == "anonymous":
            yield Seen("anonymous", "From of INVITE is anonymous, and no Privacy says why.")
        elif host != "domain":
            yield Seen(host, f"From of INVITE holds the host {read.host}, not {domain}.")
        elif form is None:
            yield Seen(None, f"From of INVITE holds {shown}: masked, or of a form that is not known here.")
        elif form == "national":
            yield Seen("national", f"From of INVITE holds a national number ({shown}).")
        elif form in ("username", "country", "plus"):
            yield Seen("with-country-code", f"From of INVITE holds a number with the country code ({shown}).")
        else:
            yield Seen("other", f"From of INVITE holds {shown}: an extension, or no number of this country.")


def _caller_is_own(heard: Heard, calls: list[Transaction], numbers: Numbers) -> Seen:
    asked = [
        (read.user, numbers.is_own(read.user))
        for call in calls
        if (read := uri_of(call.request.header("From"))) is not None and read.user and not is_masked(read.user)
    ]
    foreign = next((user for user, own in asked if own is False), None)
    if foreign is not None:
        return Seen(False, f"From of INVITE holds {numbers.shown(foreign)}, which is not a number of the account.")
    unknown = next((user for user, own in asked if own is None), None)
    if unknown is not None:
        return unseen(
            f"From of INVITE holds {numbers.shown(unknown)}; name the account's numbers with --numbers.", heard
        )
    return Seen(True, "From of INVITE holds a number of the account.") if asked else unseen(_NOTHING, heard)


def _dialled(calls: list[Transaction], numbers: Numbers) -> Iterator[Seen]:
    for number, call in enumerate(calls):
        for value in _dialled_in(call):
            read = uri_of(value)
            if value is not None and "tel:" in value.lower():
                yield Seen("other", "A called number stands in a tel: URI, not in a sip: one.")
                continue
            if read is None or not read.user or is_masked(read.user):
                yield Seen(None, "The called number was masked or cut.")
                continue
            kind = _dialled_form(read.user, numbers)
            shown = numbers.shown(read.user)
            if _grows(calls[:number], call, read.user):
                kind = "overlap"
            yield Seen(
                kind,
                f"The called number is sent as {_SAYS.get(kind or '', 'a form that is not known here')} ({shown}).",
            )


_SAYS = {
    "national": "a national number",
    "international": "an international number",
    "short": "a short number",
    "with-country-code": "a number of this country with the country code",
    "overlap": "digits that grow from INVITE to INVITE",
    "line-access": "a number with the digit for an outside line before it",
    "star": "a code with * or #",
    "other": "something that is no number of the plan",
}


def _dialled_in(call: Transaction) -> list[str | None]:
    assert isinstance(call.request.sip, Request)
    return [call.request.header("To"), f"<{call.request.sip.uri}>"]


def _dialled_form(user: str, numbers: Numbers) -> str | None:
    text = user.partition(";")[0]
    if re.search(r"[*#]|%23", text):
        return "star"
    form = numbers.form_of(text)
    if form in ("username", "country", "plus"):
        return "with-country-code"
    if form == "other" and text[:1] in ("0", "9") and numbers.form_of(text[1:]) in ("national", "international"):
        return "line-access"
    return form


def _grows(before: list[Transaction], call: Transaction, user: str) -> bool:
    """Overlap dialling (RFC 3578): the digits of one INVITE begin those of the next, soon after."""
    for earlier in before:
        read = uri_of(earlier.request.header("To"))
        is_soon = bool(call.sent_s and earlier.sent_s) and 0 <= call.sent_s[0] - earlier.sent_s[0] < _OVERLAP_S
        if is_soon and read is not None and read.user and read.user != user and user.startswith(read.user):
            return True
    return False


def _contacts(calls: list[Transaction], numbers: Numbers) -> Iterator[Seen]:
    for call in calls:
        read = uri_of(next(iter(call.request.sip.headers("Contact")), None))
        if read is None or is_masked(read.user):
            yield Seen(None, "Contact of INVITE was masked or cut.")
            continue
        user = read.user or ""
        form = numbers.form_of(user)
        is_own = form in ("national", "country", "plus", "username") and numbers.is_own(user) is not False
        yield Seen("own-number" if is_own else "other", f"Contact of INVITE holds {numbers.shown(user or 'no user')}.")


def _answers_challenge(heard: Heard, calls: list[Transaction]) -> Seen:
    """RFC 3261 22.2: the same Call-ID, a CSeq that is one higher, and credentials."""
    challenged = [call for call in calls if call.status in (401, 407)]
    if not challenged:
        return unseen("No INVITE was challenged.", heard)
    for call in challenged:
        again = [one for one in calls if one.call_id == call.call_id and one.cseq > call.cseq]
        if not any(credentials_of(one) for one in again):
            return Seen(False, f"INVITE was challenged with {call.status}, and not sent again with a password.")
    return Seen(True, "A challenged INVITE is sent again with the password.")


def _withheld(heard: Heard, calls: list[Transaction], numbers: Numbers) -> Seen:
    asked = [call for step in heard.steps_named("withheld") for call in _during(calls, step.began_s, step.ended_s)]
    for call in asked:
        read = uri_of(call.request.header("From"))
        is_anonymous = read is not None and (read.user or "").lower() == "anonymous"
        has_identity = call.request.header("P-Preferred-Identity") is not None
        if _is_private(call) or (is_anonymous and has_identity):
            return Seen("private", "The withheld call says so, and still tells the trunk who calls.")
        return Seen("shown", "The call that was to be withheld does not say so (Privacy: id).")
    return unseen("No withheld call was made.", heard)


def _forwarded(heard: Heard, asked: list[Transaction], numbers: Numbers) -> Seen:
    if not asked:
        return unseen("No call was forwarded.", heard)
    call = asked[-1]
    read = uri_of(call.request.header("From"))
    user = read.user if read is not None and read.user else ""
    if numbers.is_own(user):
        told = next((name for name in _FORWARD_TO if call.request.header(name)), None)
        return Seen(
            "own",
            f"From of the forwarded call holds a number of the account{f'; {told} tells the rest' if told else ''}.",
        )
    return Seen(
        "foreign",
        f"From of the forwarded call holds {numbers.shown(user or 'nobody')}: the caller's, not the account's.",
    )


def _during(calls: list[Transaction], began_s: float, ended_s: float) -> list[Transaction]:
    return [call for call in calls if call.sent_s and began_s <= call.sent_s[0] <= ended_s]


PROBE = Probe("pbx_outgoing", Options, Facts, measure, subject=lambda _: "outgoing calls", local=True, listens=True)
