"""What happens in each phase of a rehearsal that has calls, from its first sentence to its last BYE."""

from gosip_check.servers.rehearsal.call import Call
from gosip_check.servers.rehearsal.from_pbx import Plan
from gosip_check.servers.rehearsal.stage import Script, Stage
from gosip_check.servers.rehearsal.to_pbx import ToPbx

LOCAL, ABROAD, ABROAD_DIALLED = "79019648", "+442035982801", "00442035982801"
"The numbers of the guide's examples. Nobody is called there."

_REFUSED = (400, 415, 420, 500)
"What unusual header fields may bring about."
_RINGS_S = 8.0
_MOVE_S = 330.0
"One refresh, 32 s for it to fail, and a margin."
_CALL_S = 45.0
_TTL_S, _GRANTED_S = 30, 60
"Of the SRV records, and of the registrations meanwhile."


def incoming(stage: Stage) -> Script:
    """Answer, refresh, digits both ways, hold, hang-up by the PBX."""
    stage.say(f"A call from {LOCAL} comes in now. Answer it.")
    call = stage.call(LOCAL, stage.numbers[0])
    if call is None:
        return False
    if not (yield from stage.answered(call, 30)):
        yield from _not_taken(stage, call)
        return None
    stage.ask("incoming-number", number=LOCAL)
    yield from stage.pause(1.0)
    call.refresh("INVITE")
    yield from stage.pause(0.5)
    if "UPDATE" in call.allows:
        call.refresh("UPDATE")
    stage.say("Press 1 2 3 on the phone.")
    yield from stage.until_done(lambda: len(call.media.digits) >= 3 or call.is_over, 15)
    stage.say("Put the call on hold, then take it back.")
    yield from stage.until_done(lambda: call.was_retrieved or call.is_over, 20)
    if call.is_held and not call.is_over:
        stage.say("Take the call back now.")
        yield from stage.until_done(lambda: call.was_retrieved or call.is_over, 20)
    if not call.is_over and not call.is_held and call.media.press("123"):
        stage.say("Listen: three key tones come now.")
        yield from stage.until(lambda: not call.media.is_pressing, 5)
        stage.ask("dtmf-receives")
        yield from stage.answer("dtmf-receives")
    stage.say("Hang up the phone.")
    yield from stage.finish(call, after_s=15)
    yield from stage.answer("incoming-number")
    return None


def _not_taken(stage: Stage, call: ToPbx) -> Script:
    """CANCEL where it rings; where it was refused, once more without what is unusual."""
    yield from stage.finish(call)
    if call.status in _REFUSED:
        stage.say("The PBX refused that call. Another one with fewer header fields comes now. Answer it.")
        plain = stage.call(LOCAL, stage.numbers[0], is_plain=True)
        if plain is not None:
            yield from stage.answered(plain, 30)
            yield from stage.finish(plain, after_s=2)
    return None


def routing(stage: Stage) -> Script:
    """One call to each number, with the same request line."""
    if len(stage.numbers) < 2:
        return False
    for number in stage.numbers[:2]:
        stage.say(f"{number} is called now. Look which phone rings, and do not answer.")
        call = stage.call(LOCAL, number)
        if call is None:
            return False
        yield from _ring(stage, call)
    stage.ask("routes-by-to")
    yield from stage.answer("routes-by-to")
    return None


def _ring(stage: Stage, call: ToPbx) -> Script:
    """For as long as a person needs to look; then CANCEL."""
    yield from stage.until(lambda: call.rang or call.is_over, 10)
    yield from stage.until_done(lambda: call.is_answered or call.is_over, _RINGS_S)
    yield from stage.finish(call)
    return None


def second_site(stage: Stage) -> Script:
    """A call from the site at which the PBX is not registered, from abroad. Nobody has to answer."""
    stage.say(f"A call from {ABROAD} comes in now. Look at the number, and do not answer.")
    bound = stage.registered.bound
    call = stage.call(ABROAD, stage.numbers[0], site=1 - bound.site) if bound else None
    if call is None:
        return False
    yield from _ring(stage, call)
    if call.rang:
        stage.ask("incoming-number", number=ABROAD)
        yield from stage.answer("incoming-number")
    return None


def outgoing(stage: Stage) -> Script:
    """Early media, digits, hang-up by the trunk."""
    stage.plan(Plan(early_s=4.0))
    stage.say(f"Dial {LOCAL} from any phone. Listen to what comes before the answer.")
    call = yield from stage.next_call()
    if call is None or not (yield from stage.answered(call)):
        return None
    stage.ask("early-media")
    stage.say("Press 1 2 3 on the phone.")
    yield from stage.until_done(lambda: len(call.media.digits) >= 3 or call.is_over, 15)
    yield from stage.answer("early-media")
    yield from stage.pause(1.0)
    yield from stage.finish(call)
    return None


def abroad(stage: Stage) -> Script:
    """The one INVITE that is challenged: should that fail, the others have been seen."""
    stage.plan(Plan(is_challenged=True))
    stage.say(f"Dial {ABROAD_DIALLED}. Hang up after the melody.")
    call = yield from stage.next_call()
    if call is not None and (yield from stage.answered(call)):
        yield from stage.finish(call, after_s=10)
    return None


def withheld(stage: Stage) -> Script:
    stage.say(f"Dial {LOCAL} once more, and withhold your number.")
    call = yield from stage.next_call(30)
    if call is not None:
        yield from stage.answered(call)
        yield from stage.finish(call, after_s=3)
    return None


def forward(stage: Stage) -> Script:
    """Two legs of one call, and both end here."""
    stage.ask("forward-set", number=stage.numbers[0], other=LOCAL)
    if not (yield from stage.answer("forward-set")):
        return False
    first = stage.call(ABROAD, stage.numbers[0])
    second = yield from stage.next_call(20)
    if second is not None:
        yield from stage.answered(second, 10)
        yield from stage.pause(2.0)
    yield from stage.finish(first, second)
    stage.say("Take the forwarding back.")
    return second is not None


def session_refresh(stage: Stage) -> Script:
    """A session of 90 s, which the PBX refreshes after about 45."""
    stage.plan(Plan(session_s=90))
    stage.say(f"Dial {LOCAL}, and leave the call alone for a minute.")
    call = yield from stage.next_call()
    if call is not None and (yield from stage.answered(call)):
        if call.refreshes_soon:
            yield from stage.until(lambda: call.was_refreshed or call.is_over, 95)
        yield from stage.pause(1.0)
        yield from stage.finish(call)
    return None


def transfer(stage: Stage) -> Script:
    """REFER, or a second call: the PBX decides."""
    stage.say(f"Dial {LOCAL}, then transfer the call to {ABROAD_DIALLED}.")
    call = yield from stage.next_call()
    if call is None or not (yield from stage.answered(call)):
        return None
    more: list[Call] = []

    def is_done() -> bool:
        return call.was_referred or call.is_over

    yield from stage.until_done(lambda: is_done() or stage.new_calls(), 40)
    if stage.new_calls() and (second := (yield from stage.next_call())) is not None:
        more.append(second)
        yield from stage.until_done(is_done, 15)
    yield from stage.pause(2.0)
    yield from stage.finish(call, *more)
    return None


def swapped(stage: Stage) -> Script:
    """Site B has the better record now. A REGISTER may still follow the old one until that is out of date."""
    yield from stage.until(lambda: stage.has_registered(1), max(stage.registered.granted_s, _TTL_S + _GRANTED_S) + 10)
    return None


def silence(stage: Stage) -> Script:
    """Registration and one call while site A is silent."""
    stage.say(f"The first site does not answer now. Dial {LOCAL}; if the call fails, dial it again.")
    yield from stage.until(stage.has_moved, _MOVE_S)
    call = yield from stage.next_call(_CALL_S)
    if call is not None:
        yield from stage.answered(call, 10)
        yield from stage.finish(call)
    return None


def trunk_off(stage: Stage) -> Script:
    """Does it take its registration back?"""
    stage.say("Switch the trunk off in the PBX.")
    stage.ask("trunk-off")

    def is_off() -> bool:
        return stage.is_taken_back() or stage.is_yes("trunk-off")

    yield from stage.until_done(is_off, 60)
    is_off_now = stage.is_taken_back() or bool((yield from stage.answer("trunk-off")))
    stage.say("Switch the trunk on again.")
    return is_off_now
