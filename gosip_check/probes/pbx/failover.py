"""Does the PBX move to the second site when the first is silent, and back? Reads the times of a rehearsal's steps."""

from itertools import pairwise
from typing import Literal

from gosip_check.heard import Heard, Step, Transaction
from gosip_check.probes import probe
from gosip_check.probes.pbx.seen import Seen, facts_of, heard_by, unseen
from gosip_check.probes.probe import Context, Probe

Back = Literal["returned", "stays", "flapping"]

_ALL_IN_S = 325.0
"So long the first site is silent, all but some seconds: a PBX that has not moved by then does not move."
_CALL_S = 40.0
_FLAPS = 3

SILENT, BACK = "a-silent", "a-back"


class Options(probe.Options, frozen=True):
    """Nothing to choose."""


class Facts(probe.Facts, frozen=True):
    """registered_after_s: from the first request that A left unanswered to the registration at B; None: see `moves`.

    call_after_s: from an outgoing INVITE at A to the same call at B.
    """

    moves: bool | None
    registered_after_s: float | None
    call_moves: bool | None
    call_after_s: float | None
    back: Back | None


def measure(options: Options, context: Context) -> Facts:
    """Takes no time and sends nothing."""
    del options
    heard = heard_by(context)
    moves, after = _registration(heard)
    call_moves, call_after = _call(heard)
    return facts_of(
        Facts,
        moves=moves,
        registered_after_s=after,
        call_moves=call_moves,
        call_after_s=call_after,
        back=_back(heard),
    )


def _unanswered(heard: Heard, step: Step, method: str) -> list[Transaction]:
    """What the PBX asked the silent site."""
    first = heard.sites[0] if heard.sites else None
    return [
        each
        for each in heard.requests(method)
        if heard.site_of(each) == first and each.sent_s and step.began_s <= each.sent_s[0] <= step.ended_s
    ]


def _at_second(heard: Heard, method: str, from_s: float) -> list[Transaction]:
    second = heard.sites[1] if len(heard.sites) > 1 else None
    return [
        each
        for each in heard.requests(method)
        if heard.site_of(each) == second and each.sent_s and each.sent_s[0] >= from_s
    ]


def _registration(heard: Heard) -> tuple[Seen, Seen]:
    nothing = unseen("The first site was not silent while the PBX wanted to register.", heard)
    for step in heard.steps_named(SILENT):
        asked = _unanswered(heard, step, "REGISTER")
        if not asked:
            continue
        since_s = asked[0].sent_s[0]
        tried = [each for each in _at_second(heard, "REGISTER", since_s) if each.sent_s[0] <= step.ended_s]
        there = next((each for each in tried if each.status == 200), None)
        if there is not None and there.final is not None and there.final.time_s is not None:
            after_s = there.final.time_s - since_s
            said = f"The PBX was registered at the second site {after_s:.0f} s after its first unanswered REGISTER."
            return Seen(True, said), Seen(round(after_s, 1), said)
        waited_s = step.ended_s - since_s
        said = f"The PBX did not register at the second site in {waited_s:.0f} s of silence."
        if step.ended_s - step.began_s < _ALL_IN_S:
            short = unseen(f"{said} That is too short to say that it never does.", heard)
            return short, short
        return Seen(False, said), unseen(said, heard)
    return nothing, nothing


def _call(heard: Heard) -> tuple[Seen, Seen]:
    nothing = unseen("No outgoing call was made while the first site was silent.", heard)
    for step in heard.steps_named(SILENT):
        first = _unanswered(heard, step, "INVITE")
        there = _at_second(heard, "INVITE", step.began_s)
        there = [each for each in there if each.sent_s[0] <= step.ended_s + _CALL_S]
        if not first and there:
            nothing = unseen("The call went to the second site at once: the PBX was there already.", heard)
        if not first:
            continue
        since_s = first[0].sent_s[0]
        later = [each for each in there if each.sent_s[0] >= since_s]
        if later:
            after_s = later[0].sent_s[0] - since_s
            said = f"The call was tried at the second site after {after_s:.1f} s."
            return Seen(True, said), Seen(round(after_s, 1), said)
        waited_s = step.ended_s - since_s
        said = f"The call was not tried at the second site in {waited_s:.0f} s."
        if waited_s < _CALL_S:
            short = unseen(said, heard)
            return short, short
        return Seen(False, said), unseen(said, heard)
    return nothing, nothing


def _back(heard: Heard) -> Seen:
    """After the first site has come back: one registration only, at one of them."""
    for step in heard.steps_named(BACK):
        during = [
            each
            for each in heard.requests("REGISTER")
            if each.status == 200 and each.sent_s and step.began_s <= each.sent_s[0] <= step.ended_s
        ]
        sites = [heard.site_of(each) for each in during]
        changes = sum(one != other for one, other in pairwise(sites))
        if changes >= _FLAPS:
            return Seen("flapping", f"The PBX changed the site {changes} times after the first one came back.")
        if sites:
            is_back = sites[-1] == heard.sites[0]
            return Seen(
                "returned" if is_back else "stays",
                f"The PBX {'went back to' if is_back else 'did not go back to'} the first site.",
            )
    return unseen("The first site did not come back while the PBX registered.", heard)


PROBE = Probe("pbx_failover", Options, Facts, measure, subject=lambda _: "the second site", local=True, listens=True)
