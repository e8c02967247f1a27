"""Does the PBX offer and send A-law, both ways, with RFC 4733 digits? Does hold work? Reads SDP and RTP counts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from gosip_check.heard import Heard, Said, Stream, Transaction
from gosip_check.probes import probe
from gosip_check.probes.pbx.seen import Seen, facts_of, furthest, heard_by, unseen
from gosip_check.probes.probe import Context, Probe
from gosip_check.wire import sdp
from gosip_check.wire.sdp import Media

Codec = Literal["first", "not-first", "answered-otherwise", "refused", "not-offered"]
Extras = Literal["none", "ice", "video", "fax", "srtp", "srtp-only"]
Rtp = Literal["both-ways", "another-port", "silence-suppressed", "only-from-pbx", "only-from-trunk", "none"]
Digits = Literal["events", "few-ends", "unusual-type", "another-clock", "info", "not-offered"]
Hold = Literal["held", "zero-address", "dropped"]

_NO_SDP = "No SDP of the PBX was seen."
_TELEPHONE_EVENT, _CLOCK = "TELEPHONE-EVENT", 8000
_COMFORT_NOISE = (13, 19)
_DYNAMIC = range(96, 128)
_ENDS = 3
"RFC 4733 2.5.1.4: the last packet of an event is sent three times."
_LEAST_S = 1.0
_USUAL_MS = 20.0
_FEW_PACKETS = 10
_DROPPED_S = 2.0
"A call that ends so soon after it was held was not ended by a person."


class Options(probe.Options, frozen=True):
    """codec: from the trunk, as SDP writes it."""

    codec: str


class Facts(probe.Facts, frozen=True):
    """Kinds of what was seen, best first (see the types). packet_ms: of the RTP that the PBX sends."""

    codec: Codec | None
    packet_ms: float | None
    extras: Extras | None
    rtp: Rtp | None
    digits: Digits | None
    digits_were_heard: bool | None
    hold: Hold | None


@dataclass(frozen=True)
class Call:
    """A call that was answered: both audio descriptions, None where one was not seen, and when it was talked."""

    of_pbx: Media | None
    of_trunk: Media | None
    invite: Transaction


def measure(options: Options, context: Context) -> Facts:
    """Takes no time and sends nothing."""
    heard = heard_by(context)
    calls = list(_calls(heard))
    up = [stream for stream in heard.streams if stream.direction == "up" and stream.packets >= _FEW_PACKETS]
    return facts_of(
        Facts,
        codec=furthest(get_args(Codec), _codecs(heard, options.codec.upper()), _NO_SDP, heard),
        packet_ms=_packet_ms(heard, up),
        extras=furthest(get_args(Extras), _extras(heard), "No offer of the PBX was seen.", heard),
        rtp=_rtp(heard, calls),
        digits=_digits(heard),
        digits_were_heard=_answered(heard, "dtmf-receives", "our digits were heard"),
        hold=_hold(heard),
    )


def _body(said: Said | None) -> bytes:
    return b"" if said is None or said.message.cut else said.sip.body


def _calls(heard: Heard) -> Iterator[Call]:
    """Those with a 200 to their INVITE."""
    for each in heard.transactions:
        if each.method != "INVITE" or each.status != 200 or not each.starts_dialog:
            continue
        offer, answer = sdp.audio(_body(each.request)), sdp.audio(_body(each.final))
        yield Call(offer, answer, each) if each.goes_up else Call(answer, offer, each)


def _codecs(heard: Heard, codec: str) -> Iterator[Seen]:
    for each in heard.transactions:
        if each.method != "INVITE":
            continue
        said = each.request if each.goes_up else next((one for one in each.responses if _body(one)), None)
        media = sdp.audio(_body(said))
        if not each.goes_up and each.starts_dialog and each.status == 488:
            yield Seen("refused", "The PBX refuses the trunk's offer of A-law (488).")
        if media is None:
            if said is not None and said.message.cut:
                yield Seen(None, "The SDP of the PBX was cut.")
            continue
        names = [entry[0] for payload in media.payloads if (entry := media.codec_of(payload)) is not None]
        voice = [name for name in names if name not in (_TELEPHONE_EVENT, "CN")]
        listed = ", ".join(voice) or "nothing that is known"
        if codec not in voice:
            kind = "not-offered" if each.goes_up else "answered-otherwise"
            yield Seen(kind, f"The PBX {'offers' if each.goes_up else 'answers with'} {listed}, and not {codec}.")
        elif voice[0] == codec:
            yield Seen("first", f"The PBX {'offers' if each.goes_up else 'answers with'} {codec} first.")
        else:
            kind = "not-first" if each.goes_up else "answered-otherwise"
            yield Seen(kind, f"The PBX prefers {voice[0]} to {codec} ({listed}).")


def _packet_ms(heard: Heard, up: list[Stream]) -> Seen:
    measured = [stream.packet_ms for stream in up if stream.packet_ms is not None]
    if not measured:
        return unseen("No RTP of the PBX was seen.", heard)
    furthest_ms = max(measured, key=lambda value: abs(value - 20))
    return Seen(furthest_ms, f"The PBX sends {furthest_ms:g} ms of sound in a packet.")


def _extras(heard: Heard) -> Iterator[Seen]:
    for each in heard.requests("INVITE"):
        media = sdp.read(_body(each.request)) if each.starts_dialog else []
        if not media:
            continue
        audio = [one for one in media if one.kind == "audio"]
        secure = [one for one in audio if "SAVP" in one.protocol]
        if secure and len(secure) == len(audio):
            yield Seen("srtp-only", "The first offer has encrypted audio (SRTP) alone.")
        elif secure:
            yield Seen("srtp", "The first offer has encrypted audio (SRTP) beside the plain one.")
        elif any(one.kind == "image" for one in media):
            yield Seen("fax", "The first offer has T.38 fax.")
        elif any(one.kind == "video" for one in media):
            yield Seen("video", "The first offer has video.")
        elif any(one.has_ice for one in media):
            yield Seen("ice", "The first offer has ICE candidates.")
        else:
            yield Seen("none", "The first offer has audio alone.")


def _rtp(heard: Heard, calls: list[Call]) -> Seen:
    if not calls:
        return unseen("No answered call was seen.", heard)
    if not heard.has_media:
        return unseen("No RTP could be seen.", heard)
    seen = [_rtp_of(heard, call) for call in calls]
    return furthest(get_args(Rtp), seen, "No RTP could be seen.", heard)


def _rtp_of(heard: Heard, call: Call) -> Seen:
    """By the addresses of both descriptions; behind a NAT by their ports."""
    if call.of_pbx is None or call.of_trunk is None:
        return Seen(None, "The SDP of one side of the call was not seen, so its RTP is not known.")
    up = [one for one in heard.streams if one.direction == "up" and one.destination[1] == call.of_trunk.port]
    down = [one for one in heard.streams if one.direction == "down" and one.source[1] == call.of_trunk.port]
    sent, came = sum(one.packets for one in up), sum(one.packets for one in down)
    counted = f"{sent} packets from the PBX, {came} from the trunk"
    if min(sent, came) == 0:
        if _talked_s(heard, call) < _LEAST_S:
            return Seen(None, "The call was too short for RTP to be expected.")
        if not _sees_both_ways(heard, call):
            return Seen(None, f"RTP: {counted}. It may go another way than this capture sees.")
        kind = "none" if sent == came else "only-from-pbx" if sent else "only-from-trunk"
        return Seen(kind, f"RTP of an answered call: {counted}.")
    shape = _figures(up, down)
    if any(payload in _COMFORT_NOISE for one in up for payload in one.payloads):
        return Seen(
            "silence-suppressed", f"RTP flows both ways, and the PBX sends silence in place of sound: {counted}{shape}."
        )
    for who, streams in (("PBX", up), ("trunk", down)):
        if sum(one.packets * (one.packet_ms or _USUAL_MS) for one in streams) < 1000 * _LEAST_S:
            why = "It may suppress silence, or have stopped"
            return Seen(None, f"Less than {_LEAST_S:g} s of RTP came from the {who}. {why}: {counted}{shape}.")
    if all(one.source[1] != call.of_pbx.port for one in up):
        return Seen(
            "another-port",
            f"The PBX sends RTP from port {up[0].source[1]}, and wants it at {call.of_pbx.port}: {counted}.",
        )
    return Seen("both-ways", f"RTP flows both ways: {counted}{shape}.")


def _figures(up: list[Stream], down: list[Stream]) -> str:
    lost = [f"{sum(one.lost for one in side)} {name}" for side, name in ((up, "up"), (down, "down"))]
    jitter = [one.jitter_mean_ms for one in down if one.jitter_mean_ms is not None]
    shown = f", jitter {max(jitter):.1f} ms" if jitter else ""
    return f", lost {' and '.join(lost)}{shown}"


def _talked_s(heard: Heard, call: Call) -> float:
    """From the 200 to the BYE, or to the end of what was heard."""
    answered = call.invite.final
    if answered is None or answered.time_s is None:
        return 0.0
    ended = [
        each.sent_s[0]
        for each in heard.transactions
        if each.method == "BYE" and each.call_id == call.invite.call_id and each.sent_s
    ]
    return (ended[0] if ended else heard.ends_s or answered.time_s) - answered.time_s


def _sees_both_ways(heard: Heard, call: Call) -> bool:
    """SIP of both ways was seen here, and each side wants RTP where its SIP comes from: so RTP passes here as well."""
    if heard.way == "rehearsal":
        return True
    if call.of_pbx is None or call.of_trunk is None:
        return False
    places = {"up": {m.source[0] for m in heard.messages if m.direction == "up" and m.source}}
    places["down"] = {m.source[0] for m in heard.messages if m.direction == "down" and m.source}
    return call.of_pbx.host in places["up"] and call.of_trunk.host in places["down"]


def _digits(heard: Heard) -> Seen:
    """An INFO with a digit (RFC 6086), else events in RTP, else what SDP says of them."""
    if any("dtmf" in (each.request.header("Content-Type") or "").lower() for each in heard.requests("INFO")):
        return Seen("info", "The PBX sends digits as SIP INFO, not as RTP events.")
    offers = [media for media in _descriptions(heard) if media.payloads]
    events = {
        (payload, clock)
        for media in offers
        for payload in media.payloads
        for name, clock in [media.codec_of(payload) or ("", 0)]
        if name == _TELEPHONE_EVENT
    }
    if not offers:
        return unseen(_NO_SDP, heard)
    if not events:
        return Seen("not-offered", "The SDP of the PBX has no telephone-event: digits do not go as RFC 4733 events.")
    if all(clock != _CLOCK for _, clock in events):
        return Seen("another-clock", "The PBX offers telephone-event for another clock than 8000 only.")
    types = {payload for payload, clock in events if clock == _CLOCK}
    digits = [one for stream in heard.streams if stream.direction == "up" for one in stream.digits]
    known = [one for one in digits if one.payload in types]
    if not known:
        return unseen("telephone-event/8000 is in the SDP; no digit was pressed, or none was seen as an event.", heard)
    shown = f"{len(known)} digits came as events"
    if any(payload not in _DYNAMIC for payload in types):
        return Seen("unusual-type", f"{shown}, of payload type {min(types)}, outside 96 to 127.")
    if any(one.ends < _ENDS for one in known[:-1] or known):
        return Seen("few-ends", f"{shown}; some ended with fewer than {_ENDS} packets.")
    return Seen("events", f"{shown} (payload type {known[0].payload}).")


def _descriptions(heard: Heard) -> Iterator[Media]:
    """Every audio description that the PBX sent."""
    for said in heard.said:
        if said.message.direction == "up" and (media := sdp.audio(_body(said))) is not None:
            yield media


def _answered(heard: Heard, question: str, what: str) -> Seen:
    answer = heard.answers.get(question)
    if answer is None:
        return unseen("Nobody said what was heard.", heard)
    return Seen(answer, f"The installer says: {what}." if answer else f"The installer says that it is not so: {what}.")


def _hold(heard: Heard) -> Seen:
    """A re-INVITE of the PBX with sendonly or inactive, and one that takes it back (RFC 3264 8.4)."""
    asked = [each for each in heard.requests("INVITE") if not each.starts_dialog]
    held, last = None, None
    for each in asked:
        media = sdp.audio(_body(each.request))
        if media is None:
            continue
        if media.host == "0.0.0.0":
            last = each
            held = Seen("zero-address", "Hold is asked for with the address 0.0.0.0, the old way.")
        elif media.direction in ("sendonly", "inactive"):
            last = each
            held = Seen("held", f"Hold is asked for with {media.direction}.")
        elif held is not None and each.status == 200:
            return Seen(held.value, f"{held.sentence} The call goes on afterwards.")
    if held is None:
        return unseen("No call was put on hold.", heard)
    if last is not None and any(_ends_soon_after(last, each) for each in heard.requests("BYE")):
        return Seen("dropped", f"{held.sentence} The call ended with it.")
    return unseen(f"{held.sentence} It was not taken back.", heard)


def _ends_soon_after(hold: Transaction, bye: Transaction) -> bool:
    """Sooner than a person who holds a call hangs up; without times it may be so."""
    if bye.call_id != hold.call_id:
        return False
    return not hold.sent_s or not bye.sent_s or 0 <= bye.sent_s[0] - hold.sent_s[0] <= _DROPPED_S


PROBE = Probe("pbx_media", Options, Facts, measure, subject=lambda _: "audio of the PBX", local=True, listens=True)
