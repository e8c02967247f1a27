"""For how long does the PBX register, and does it renew in time? Reads the times of its REGISTERs."""

from typing import Literal, get_args

from gosip_check.heard import Heard, Transaction
from gosip_check.probes import probe
from gosip_check.probes.pbx.numbers import address_of
from gosip_check.probes.pbx.registers import REFUSING, asked_s, granted_s, takes_back
from gosip_check.probes.pbx.seen import Seen, facts_of, furthest, heard_by, unseen
from gosip_check.probes.probe import Context, Probe
from gosip_check.wire.sip_uri import equivalent

NewChallenge = Literal["answered-once", "answered-often", "not-answered"]

_SECOND_LOOK_S = 30.0


class Options(probe.Options, frozen=True):
    """Nothing to choose."""


class Facts(probe.Facts, frozen=True):
    """refresh_left_s: of the time that was granted, when the PBX registered again; below zero it had run out.

    refresh_after_s, refresh_soonest_s: the longest and the shortest time between two registrations.
    """

    expires_s: int | None
    refresh_left_s: float | None
    refresh_after_s: float | None
    refresh_soonest_s: float | None
    new_challenge: NewChallenge | None
    unregisters: bool | None


def measure(options: Options, context: Context) -> Facts:
    """Takes no time and sends nothing."""
    del options
    heard = heard_by(context)
    every = heard.requests("REGISTER")
    asking = [each for each in every if not takes_back(each)]
    left, after, soonest = _refreshes(heard, asking, _ends_s(heard))
    return facts_of(
        Facts,
        expires_s=_expires(heard, asking),
        refresh_left_s=left,
        refresh_after_s=after,
        refresh_soonest_s=soonest,
        new_challenge=_new_challenge(heard, asking),
        unregisters=_unregisters(heard, every),
    )


def _expires(heard: Heard, asking: list[Transaction]) -> Seen:
    asked = [value for each in asking if (value := asked_s(each)) is not None]
    if not asked:
        open_ = "No REGISTER asks for a time (Expires), so the registrar decides."
        return unseen(open_ if asking else "No REGISTER of the PBX was seen.", heard)
    most = max(asked, key=lambda value: abs(value - 270))
    return Seen(most, f"REGISTER asks for {most} s.")


def _ends_s(heard: Heard) -> float | None:
    """A rehearsal switches the trunk off at its end, or refuses: from there on nothing is renewed."""
    begins = [step.began_s for step in heard.steps_named("trunk-off", *REFUSING)]
    return min(begins, default=heard.ends_s)


def _refreshes(heard: Heard, every: list[Transaction], ends_s: float | None) -> tuple[Seen, Seen, Seen]:
    """(time left, longest time between, shortest time between) of registrations that were granted."""
    left: list[tuple[float, str]] = []
    apart: list[float] = []
    asking = [each for each in every if ends_s is None or not each.sent_s or each.sent_s[0] <= ends_s]
    for number, each in enumerate(asking):
        time_s = granted_s(each)
        if not time_s or not each.sent_s or each.final is None or each.final.time_s is None:
            continue
        later = [one for one in asking[number + 1 :] if one.sent_s]
        rest = [one for one in later if one.call_id == each.call_id] or later
        if rest and _same_contact(each, rest[0]):
            after_s = rest[0].sent_s[0] - each.final.time_s
            apart.append(after_s)
            left.append((time_s - after_s, f"granted {time_s} s, renewed after {after_s:.0f} s"))
        elif not rest and ends_s is not None and ends_s - each.final.time_s > time_s + 5:
            silent_s = ends_s - each.final.time_s
            left.append((time_s - silent_s, f"granted {time_s} s, not renewed in {silent_s:.0f} s"))
    if not left:
        nothing = unseen("No renewal of a registration was seen: listen for more than five minutes.", heard)
        return nothing, nothing, nothing
    worst_s, how = min(left)
    said = f"Of the registration, {how}."
    between = (
        Seen(round(max(apart), 1), f"The longest time between two registrations was {max(apart):.0f} s.")
        if apart
        else unseen(said, heard)
    )
    soonest = (
        Seen(round(min(apart), 1), f"The shortest time between two registrations was {min(apart):.0f} s.")
        if apart
        else unseen(said, heard)
    )
    return Seen(round(worst_s, 1), said), between, soonest


def _same_contact(one: Transaction, other: Transaction) -> bool:
    """A PBX that has just learnt its address registers again at once, with another Contact."""
    contacts = [address_of(next(iter(each.request.sip.headers("Contact")), None)) for each in (one, other)]
    return None not in contacts and equivalent(*(address.uri for address in contacts if address))


def _new_challenge(heard: Heard, asking: list[Transaction]) -> Seen:
    """A renewal that already held credentials, and was challenged again with another nonce."""
    seen = []
    refusing = heard.steps_named(*REFUSING)
    for number, each in enumerate(asking):
        if each.status != 401 or not any(before.status == 200 for before in asking[:number]):
            continue
        if each.sent_s and any(step.began_s <= each.sent_s[0] for step in refusing):
            break  # from there on no answer is taken
        assert each.final is not None
        if "stale" in (each.final.header("WWW-Authenticate") or "").lower() or heard.password is None:
            continue
        following = asking[number + 1 :]
        heeded = [one for one in following if one.status not in (None, 503)]  # a site that is away refuses nothing
        tries = next((n for n, one in enumerate(heeded, 1) if one.status == 200), None)
        if tries is None:
            if following and not heeded:
                continue
            if heeded or not heard.ends_s or not each.sent_s or heard.ends_s - each.sent_s[-1] > _SECOND_LOOK_S:
                seen.append(Seen("not-answered", "A new challenge at the renewal was not answered with success."))
        elif tries == 1:
            seen.append(Seen("answered-once", "A new challenge at the renewal was answered at once."))
        else:
            seen.append(Seen("answered-often", f"A new challenge at the renewal took {tries} tries."))
    return furthest(get_args(NewChallenge), seen, "No renewal was challenged again.", heard)


def _unregisters(heard: Heard, every: list[Transaction]) -> Seen:
    if any(takes_back(each) for each in every):
        return Seen(True, "The PBX takes its registration back (Expires: 0).")
    if heard.steps_named("trunk-off"):
        return Seen(False, "The trunk was switched off, and the registration was not taken back.")
    return unseen("The trunk was not switched off meanwhile.", heard)


PROBE = Probe(
    "pbx_renewal", Options, Facts, measure, subject=lambda _: "registration in time", local=True, listens=True
)
