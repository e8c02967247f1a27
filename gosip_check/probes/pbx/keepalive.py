"""Does the PBX answer the trunk's keep-alive, from either site, and does it send any of its own? Reads OPTIONS."""

from itertools import pairwise
from typing import Literal, get_args

from gosip_check.heard import Heard, Transaction
from gosip_check.probes import probe
from gosip_check.probes.pbx.seen import Seen, facts_of, furthest, heard_by, unseen
from gosip_check.probes.probe import Context, Probe

Answer = Literal["200", "another-answer", "silence"]
SecondSite = Literal["accepted", "refused", "silence"]
OwnTo = Literal["nobody", "every-site", "one-site"]

_ANSWER_WITHIN_S = 5.0
_TRIES = 3
"Silence counts after so many packets, whether retransmissions or new requests."


class Options(probe.Options, frozen=True):
    """Nothing to choose."""


class Facts(probe.Facts, frozen=True):
    """Kinds of what was seen, best first. own_interval_s: shortest time between its own OPTIONS to one site.

    own_interval_s is 86,400 where it sends none.
    """

    answer: Answer | None
    second_site: SecondSite | None
    own_interval_s: float | None
    own_to: OwnTo | None


def measure(options: Options, context: Context) -> Facts:
    """Takes no time and sends nothing."""
    del options
    heard = heard_by(context)
    own = heard.requests("OPTIONS")
    return facts_of(
        Facts,
        answer=_answer(heard),
        second_site=_second_site(heard),
        own_interval_s=_own_interval(heard, own),
        own_to=_own_to(heard, own),
    )


def _answer(heard: Heard) -> Seen:
    asked = heard.requests("OPTIONS", "down")
    seen, silent = [], []
    for each in asked:
        if each.status is None:
            silent.append(each)
            continue
        assert each.final is not None
        took_s = (each.final.time_s or 0) - each.sent_s[0] if each.sent_s and each.final.time_s is not None else 0.0
        if took_s > _ANSWER_WITHIN_S:
            seen.append(Seen("silence", f"OPTIONS of the trunk was answered after {took_s:.0f} s only."))
        elif each.status == 200:
            seen.append(Seen("200", f"OPTIONS of the trunk is answered with 200 ({_times(asked)})."))
        else:
            seen.append(
                Seen("another-answer", f"OPTIONS of the trunk is answered with {each.status}; the PBX is alive.")
            )
    sent = sum(max(1, len(each.sent_s)) for each in silent)
    if silent and sent >= _TRIES and _waited(heard, silent[-1]):
        seen.append(Seen("silence", f"OPTIONS of the trunk was not answered ({sent} packets, {len(asked)} requests)."))
    elif silent and not seen:
        return unseen("OPTIONS of the trunk was seen, and too little of it to call it unanswered.", heard)
    return furthest(get_args(Answer), seen, "No OPTIONS of the trunk was seen.", heard)


def _times(asked: list[Transaction]) -> str:
    return f"{len(asked)} requests" if len(asked) > 1 else "1 request"


def _waited(heard: Heard, last: Transaction) -> bool:
    return not last.sent_s or heard.ends_s is None or heard.ends_s - last.sent_s[-1] >= _ANSWER_WITHIN_S


def _second_site(heard: Heard) -> Seen:
    """What comes from the site at which the PBX is not registered."""
    if len(heard.sites) < 2:
        return unseen("One site only spoke to the PBX.", heard)
    asked = [*heard.requests("OPTIONS", "down"), *heard.requests("INVITE", "down")]
    asked = [each for each in asked if each.starts_dialog]
    of_first = [each for each in asked if heard.site_of(each) == heard.sites[0]]
    seen = []
    for each in asked:
        if heard.site_of(each) != heard.sites[1]:
            continue
        if any(_is_alike(each, other) for other in of_first) and each.status != 200:
            seen.append(Seen(None, f"{each.method} from the second site is treated like that from the first."))
            continue
        if each.status in (401, 403, 407):
            seen.append(Seen("refused", f"{each.method} from the second site is answered with {each.status}."))
        elif each.responses:
            seen.append(Seen("accepted", f"{each.method} from the second site is answered."))
        elif _waited(heard, each):
            seen.append(Seen("silence", f"{each.method} from the second site is not answered."))
    return furthest(get_args(SecondSite), seen, "Nothing came from the second site.", heard)


def _is_alike(one: Transaction, other: Transaction) -> bool:
    return one.method == other.method and one.status == other.status and bool(one.responses) == bool(other.responses)


def _own_interval(heard: Heard, own: list[Transaction]) -> Seen:
    if not own:
        has_spoken = any(each.goes_up for each in heard.transactions)
        return (
            Seen(86_400.0, "The PBX sends no OPTIONS.") if has_spoken else unseen("Nothing of the PBX was seen.", heard)
        )
    apart = []
    for site in {heard.site_of(each) for each in own}:
        times = [each.sent_s[0] for each in own if heard.site_of(each) == site and each.sent_s]
        apart += [later - earlier for earlier, later in pairwise(times)]
    if not apart:
        return unseen("The PBX sent OPTIONS once.", heard)
    return Seen(round(min(apart), 1), f"The PBX sends OPTIONS every {min(apart):.0f} s.")


def _own_to(heard: Heard, own: list[Transaction]) -> Seen:
    if not own:
        return Seen("nobody", "The PBX sends no OPTIONS.") if heard.transactions else unseen("Nothing was seen.", heard)
    if len(heard.sites) < 2:
        return unseen("One site only is known here.", heard)
    asked = {heard.site_of(each) for each in own}
    return (
        Seen("every-site", "The PBX asks both sites.")
        if len(asked) > 1
        else Seen("one-site", "The PBX asks one of the sites only.")
    )


PROBE = Probe("pbx_keepalive", Options, Facts, measure, subject=lambda _: "OPTIONS", local=True, listens=True)
