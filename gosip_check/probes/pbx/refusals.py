"""What does the PBX do when the trunk refuses its password, answers 503, or does not answer? Counts tries, never sends.

Three refusals in a row lock an account until an engineer unlocks it, so it counts when the third one comes. A try is a
REGISTER with credentials; a retransmission is none, and a challenge that is then answered with success neither.
"""

from typing import Literal, get_args

from gosip_check.heard import Heard, Transaction
from gosip_check.probes import probe
from gosip_check.probes.pbx.registers import REFUSING, credentials_of
from gosip_check.probes.pbx.seen import Seen, facts_of, furthest, heard_by, unseen
from gosip_check.probes.probe import Context, Probe

ThirdTry = Literal["never", "later", "within-five-minutes"]

_SOON_S = 300.0
"Before anybody can react."
_REFUSED = (401, 403, 407)
_LONGER = 3
"A PBX may wait longer before its third try than before its second: so many times as long, and it has stopped."
_MINUTE_S = 60.0


class Options(probe.Options, frozen=True):
    """Nothing to choose."""


class Facts(probe.Facts, frozen=True):
    """third_try: of REGISTERs with a refused password. retries_per_minute: after 503 or silence, at most."""

    third_try: ThirdTry | None
    retries_per_minute: int | None


def measure(options: Options, context: Context) -> Facts:
    """Takes no time and sends nothing."""
    del options
    heard = heard_by(context)
    return facts_of(Facts, third_try=_third_try(heard), retries_per_minute=_retries(heard))


def _third_try(heard: Heard) -> Seen:
    """Of each kind of refusal: a PBX may stop after a 403, and try a new nonce for ever."""
    nothing = "No REGISTER with a password was refused."
    tries = [each for each in heard.requests("REGISTER") if credentials_of(each) is not None and each.sent_s]
    if heard.way == "rehearsal":
        seen = []
        for step in heard.steps_named(*REFUSING):
            during = [each for each in tries if step.began_s <= each.sent_s[0] <= step.ended_s]
            refused = [each.sent_s[0] for each in during if each.status in _REFUSED]
            seen.append(_third(refused, step.ended_s, step.name))
        return furthest(get_args(ThirdTry), [each for each in seen if each is not None], nothing, heard)
    runs, run = [], list[float]()
    for each in tries:
        if each.status in _REFUSED:
            run.append(each.sent_s[0])
        elif each.status == 200:
            runs.append(run)
            run = []
    # A refusal that success followed was a stale nonce or a changed password; it counts only where it went on.
    seen = [_third(run, heard.ends_s, "") for run in [*(done for done in runs if len(done) > 2), run]]
    return furthest(get_args(ThirdTry), [each for each in seen if each is not None], nothing, heard)


def _third(refused: list[float], ends_s: float | None, step: str) -> Seen | None:
    where = f" ({step.removeprefix('refuse-').replace('-', ', ')} nonce)" if step.startswith("refuse-401") else ""
    if not refused:
        return None
    if len(refused) > 2:
        after_s = refused[2] - refused[0]
        kind = "within-five-minutes" if after_s < _SOON_S else "later"
        return Seen(kind, f"The third try with a refused password came {after_s:.1f} s after the first{where}.")
    listened_s = (ends_s or refused[-1]) - refused[0]
    interval_s = refused[-1] - refused[0]
    after_s = listened_s - interval_s
    if len(refused) == 2 and after_s < _LONGER * interval_s:
        kind = "within-five-minutes" if 2 * interval_s < _SOON_S else "later"
        third = f"the third would come at {2 * interval_s:.0f} s"
        return Seen(kind, f"The second try came {interval_s:.1f} s after the first{where}: {third}.")
    if listened_s < _SOON_S and not step:
        return Seen(None, f"One refusal was seen, and what followed in {listened_s:.0f} s: five minutes would tell.")
    times = {1: "once", 2: "twice"}[len(refused)]
    return Seen("never", f"It tried {times}, and not again in {listened_s:.0f} s{where}.")


def _retries(heard: Heard) -> Seen:
    """New REGISTERs to the same site in the minute after one that got 503 or nothing there."""
    registers = [each for each in heard.requests("REGISTER") if each.sent_s]
    challenged = {(each.call_id, each.cseq) for each in registers if each.status in (401, 407)}
    answers = {(call_id, cseq + 1) for call_id, cseq in challenged}
    tries = [each for each in registers if credentials_of(each) is None or (each.call_id, each.cseq) not in answers]
    most, why = None, ""
    for each in registers:
        if not _is_unheard(each, heard) and each.status != 503:
            continue
        site = heard.site_of(each)
        to_it = [one for one in tries if one is not each and heard.site_of(one) == site]
        after = [one for one in to_it if 0 <= one.sent_s[0] - each.sent_s[0] <= _MINUTE_S]
        if most is None or len(after) > most:
            most, why = len(after), "a 503" if each.status == 503 else "silence"
    if most is None:
        return unseen("Neither a 503 nor silence was the answer to a REGISTER.", heard)
    return Seen(most, f"In the minute after {why}, REGISTER was tried again {most} times.")


def _is_unheard(each: Transaction, heard: Heard) -> bool:
    """No answer at all, though it was waited for."""
    return not each.responses and heard.ends_s is not None and heard.ends_s - each.sent_s[-1] > _MINUTE_S


PROBE = Probe(
    "pbx_refusals", Options, Facts, measure, subject=lambda _: "refusals and silence", local=True, listens=True
)
