"""Does the PBX register as the guide shows it? Request line, names, Contact, and the answer to the challenge."""

import re
from collections.abc import Iterator
from typing import Literal, get_args

from gosip_check.heard import Heard, Transaction
from gosip_check.probes import probe
from gosip_check.probes.pbx.numbers import Numbers, host_form, is_masked, numbers_of, uri, uri_of
from gosip_check.probes.pbx.registers import credentials_of, takes_back
from gosip_check.probes.pbx.seen import Seen, facts_of, furthest, heard_by, unseen
from gosip_check.probes.probe import Context, Probe
from gosip_check.wire import digest
from gosip_check.wire.sip import Request, WireError
from gosip_check.wire.sip_fields import contact_items
from gosip_check.wire.sip_uri import equivalent

RequestUri = Literal["domain", "domain-and-port", "with-user", "address", "other-domain"]
Identity = Literal["username", "username-and-port", "national", "plus", "other", "address", "other-domain"]
Contact = Literal["username", "other-user", "none", "star", "several"]
Credentials = Literal["right", "other-uri", "other-user", "not-echoed", "wrong", "none"]

_NOTHING = "No REGISTER of the PBX was seen."
_ANSWER_WITHIN_S = 32.0
"Timer F of RFC 3261: a challenge that is not answered by then never is."


class Options(probe.Options, frozen=True):
    """All from the trunk."""

    domain: str
    country_code: str = ""
    national_digits: int = 0


class Facts(probe.Facts, frozen=True):
    """Kinds of what was seen, best first (see the types)."""

    request_uri: RequestUri | None
    identity: Identity | None
    contact: Contact | None
    contact_is_public: bool | None
    asks_rport: bool | None
    credentials: Credentials | None


def measure(options: Options, context: Context) -> Facts:
    """Takes no time and sends nothing."""
    heard = heard_by(context)
    numbers = numbers_of(heard, options.country_code, options.national_digits)
    asking = [each for each in heard.requests("REGISTER") if not takes_back(each)]
    return facts_of(
        Facts,
        request_uri=furthest(get_args(RequestUri), _request_uris(asking, options.domain), _NOTHING, heard),
        identity=furthest(get_args(Identity), _identities(asking, options.domain, numbers), _NOTHING, heard),
        contact=furthest(get_args(Contact), _contacts(asking, numbers), _NOTHING, heard),
        contact_is_public=_contact_is_public(heard, asking),
        asks_rport=_asks_rport(heard),
        credentials=_credentials(heard, asking, numbers),
    )


def _request_uris(asking: list[Transaction], domain: str) -> Iterator[Seen]:
    for each in asking:
        assert isinstance(each.request.sip, Request)
        read = uri(each.request.sip.uri)
        if read is None:
            yield Seen(None, "The request line of REGISTER was masked, or cannot be read.")
            continue
        kind = host_form(read, domain)
        if kind == "domain":
            kind = "with-user" if read.user else "domain-and-port" if read.port is not None else kind
        says = {
            "domain": f"REGISTER goes to sip:{domain}.",
            "domain-and-port": f"REGISTER goes to the trunk's domain with a port ({read.port}), which bypasses SRV.",
            "with-user": "The request line of REGISTER holds a user name, where only the domain belongs.",
            "address": f"REGISTER goes to the address {read.host}, not to the trunk's domain.",
            "other-domain": f"REGISTER goes to {read.host}, not to the trunk's domain.",
        }
        yield Seen(kind, says[kind])


def _identities(asking: list[Transaction], domain: str, numbers: Numbers) -> Iterator[Seen]:
    for each in asking:
        for name in ("To", "From"):
            value = each.request.header(name)
            read = uri_of(value)
            if value is None or read is None:
                if each.request.is_without(name) or (value is not None and not is_masked(value)):
                    yield Seen("other", f"{name} of REGISTER holds no SIP URI.")
                else:
                    yield Seen(None, f"{name} of REGISTER was masked or cut.")
                continue
            host, form = host_form(read, domain), numbers.form_of(read.user or "")
            shown = numbers.shown(read.user or "no user name")
            if host != "domain":
                yield Seen(host, f"{name} of REGISTER holds the host {read.host}, not {domain}.")
            elif form is None:
                yield Seen(None, f"{name} of REGISTER holds {shown}: masked, or of a form that is not known here.")
            elif form == "username" or (form == "country" and numbers.user in (None, read.user)):
                kind = "username" if read.port is None else "username-and-port"
                port = "" if read.port is None else f", with the port {read.port} behind the domain"
                yield Seen(kind, f"{name} of REGISTER holds the user name ({shown}){port}.")
            else:
                kind = form if form in ("national", "plus") else "other"
                says = {
                    "national": f"the national number ({shown}) in place of the user name with the country code",
                    "plus": f"a number with + ({shown}) in place of the user name",
                    "other": f"{shown}, which is not the user name",
                }
                yield Seen(kind, f"{name} of REGISTER holds {says[kind]}.")


def _contacts(asking: list[Transaction], numbers: Numbers) -> Iterator[Seen]:
    for each in asking:
        items = [item for value in each.request.sip.headers("Contact") for item in contact_items(value)]
        if not items:
            yield (
                Seen("none", "REGISTER has no Contact.")
                if each.request.is_without("Contact")
                else Seen(None, "The Contact of REGISTER was cut.")
            )
        elif items == ["*"]:
            yield Seen("star", "The Contact of REGISTER is *, which takes every registration away.")
        elif len(items) > 1:
            yield Seen("several", f"REGISTER binds {len(items)} contacts at once.")
        elif (read := uri_of(items[0])) is None or is_masked(read.user):
            yield Seen(None, "The Contact of REGISTER was masked, or cannot be read.")
        else:
            user = read.user or ""
            to = uri_of(each.request.header("To"))
            is_username = user == numbers.user or (to is not None and user == to.user)
            shown = numbers.shown(user or "no user")
            kind = "username" if is_username else "other-user"
            yield Seen(kind, f"Contact holds {'the user name' if is_username else 'another user'} ({shown}).")


def _contact_is_public(heard: Heard, asking: list[Transaction]) -> Seen:
    """Inside the site a private address says nothing: a NAT behind it may write the public one."""
    for each in [*asking, *heard.requests("INVITE")]:
        read = uri_of(next(iter(each.request.sip.headers("Contact")), None))
        if read is None or is_masked(read.user):
            continue
        if _is_public(read.host):
            return Seen(True, f"Contact holds the public address {read.host}.")
        if heard.is_inside is False:
            return Seen(False, f"Contact holds the private address {read.host}, and left the site with it.")
        return unseen(f"Contact holds {read.host}; this was seen inside the site, and the edge may change it.", heard)
    return unseen("No Contact of the PBX was seen.", heard)


_PRIVATE = re.compile(
    r"10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[789]\d|1[01]\d|12[0-7])\.|169\.254\.|127\.|f[cde]",
    re.ASCII,
)
"RFC 1918, RFC 6598, RFC 3927, RFC 4193 and link-local."


def _is_public(host: str) -> bool:
    is_address = ":" in host or host.replace(".", "").isdigit()
    return is_address and _PRIVATE.match(host) is None


def _asks_rport(heard: Heard) -> Seen:
    without = None
    for each in heard.transactions:
        if not each.goes_up or each.method == "ACK":
            continue
        try:
            via = each.request.sip.vias[0]
        except WireError:
            continue
        if via.transport == "UDP" and "rport" not in via.params:
            without = without or each
    if without is not None:
        return Seen(False, f"Via of {without.method} does not ask for rport (RFC 3581).")
    if not any(each.goes_up for each in heard.transactions):
        return unseen("No request of the PBX was seen.", heard)
    return Seen(True, "Via asks for rport.")


def _credentials(heard: Heard, asking: list[Transaction], numbers: Numbers) -> Seen:
    """What a trace cannot know is the password: there, the digest itself is left alone.

    A 401 to credentials that nobody answers is a refusal, or a renewal that failed: other probes look at these.
    """
    seen = []
    for number, each in enumerate(asking):
        if each.status not in (401, 407):
            continue
        answer = _next_with_credentials(each, asking[number + 1 :])
        if answer is None and credentials_of(each) is not None:
            continue
        if answer is None:
            waited_s = (heard.ends_s or 0) - (each.sent_s[-1] if each.sent_s else heard.ends_s or 0)
            if waited_s >= _ANSWER_WITHIN_S:
                seen.append(Seen("none", f"The challenge was not answered within {waited_s:.0f} s."))
            continue
        seen.append(_answer(heard, each, answer, numbers))
    nothing = "No challenge of the trunk, with the answer of the PBX, was seen."
    return furthest(get_args(Credentials), seen, nothing, heard)


def _next_with_credentials(challenged: Transaction, later: list[Transaction]) -> Transaction | None:
    """Before the same registration begins again without any."""
    for each in later:
        if credentials_of(each) is not None:
            return each
        if each.call_id == challenged.call_id and each.status in (401, 407):
            return None
    return None


def _answer(heard: Heard, challenged: Transaction, answer: Transaction, numbers: Numbers) -> Seen:
    given = credentials_of(answer) or {}
    assert challenged.final is not None
    field = challenged.final.header("WWW-Authenticate") or challenged.final.header("Proxy-Authenticate") or ""
    offered = next(iter(digest.parse_challenges(field)), None)
    if offered is None or is_masked(" ".join(given.values())) or not given:
        return Seen(None, "Challenge or answer was cut, masked or taken out.")
    if numbers.user is not None and given.get("username") != numbers.user:
        return Seen("other-user", "The answer to the challenge names another user name than the account's.")
    if given.get("realm") != offered.realm or given.get("nonce") != offered.nonce:
        return Seen("not-echoed", "The answer does not repeat realm and nonce of the challenge as they were.")
    if heard.password is not None and not _is_right(given, offered, answer.method, heard.password):
        return Seen("wrong", "The answer to the challenge is wrong, though the password of the slip was to be used.")
    assert isinstance(answer.request.sip, Request)
    if not equivalent(given.get("uri", ""), answer.request.sip.uri):
        return Seen("other-uri", "The uri in the answer is not that of the request line.")
    if heard.password is None and answer.status not in (None, 200):
        return Seen(
            None,
            f"The trunk refused the answer ({answer.status}): a trace cannot show whether password or user is wrong.",
        )
    return Seen("right", "The challenge is answered with user name, realm and nonce as they must be.")


def _is_right(given: dict[str, str], offered: digest.Challenge, method: str, password: str) -> bool:
    """Computed again from what was sent (RFC 7616 3.4.1)."""
    try:
        count = int(given.get("nc", "1"), 16)
        expected = digest.response(
            offered, given.get("username", ""), password, method, given.get("uri", ""), given.get("cnonce", ""), count
        )
    except ValueError:
        return False
    return given.get("response", "").lower() == expected


PROBE = Probe(
    "pbx_registration", Options, Facts, measure, subject=lambda _: "REGISTER of the PBX", local=True, listens=True
)
