"""The calls of a rehearsal, with a scripted phone in virtual time: what it sends is written out here."""

import functools
from collections.abc import Callable

import pytest

from gosip_check.heard import Heard, Place
from gosip_check.probes.pbx import incoming, media, sessions
from gosip_check.probes.probe import Context
from gosip_check.records import Link
from gosip_check.servers.rehearsal import scripts
from gosip_check.servers.rehearsal.media import Media
from gosip_check.servers.rehearsal.phases import PHASES, Phase
from gosip_check.servers.rehearsal.rehearsal import Rehearsal, Slip
from gosip_check.servers.rehearsal.stage import Bound, Script, Stage
from gosip_check.servers.virtual import VirtualWorld
from gosip_check.wire import rtp, sdp, sip
from gosip_check.wire.sip import Request, Response

DOMAIN = "trunk.example"
PBX, RTP = ("127.0.0.50", 5060), ("127.0.0.50", 4000)
SITES = (("127.22.184.27", 5060), ("127.22.185.27", 5060))
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.50\r\ns=-\r\nc=IN IP4 127.0.0.50\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/8000\r\na={}\r\n"
)


class Phone:
    """It answers each request by `answers[method]`, a status and header fields, and sends what a test says."""

    def __init__(self, rehearsal: Rehearsal, world: VirtualWorld) -> None:
        self.world = world
        self.socket = world.bound(PBX, self._arrived)
        self.sound = world.bound(RTP, lambda data, _: self.heard_sound.append(data))
        self.heard_sound: list[bytes] = []
        self.requests: list[Request] = []
        self.responses: list[Response] = []
        self.answers: dict[str, tuple[int, list[tuple[str, str]]]] = {}
        self.then: Callable[[Request], object] = lambda _: None
        rehearsal._trunk.registered.bound = Bound(f"sip:35621669015@{PBX[0]};line=a1", PBX, 0)  # registered before

    def _arrived(self, data: bytes, peer: Place) -> None:
        message = sip.parse(data)
        if isinstance(message, Response):
            self.responses.append(message)
            return
        self.requests.append(message)
        self.then(message)
        status, headers = self.answers.get(message.method, (200, []))
        if message.method != "ACK" and status:
            body = SDP.format("sendrecv").encode() if message.method == "INVITE" and status < 300 else b""
            fields = [*headers, ("Contact", f"<sip:phone@{PBX[0]}>"), ("Content-Type", "application/sdp")]
            self.socket.sendto(
                sip.response(message, status, "As written", to_tag="pbx", received=peer, headers=fields, body=body),
                peer,
            )

    def send(
        self,
        start: str,
        call_id: str,
        cseq: str,
        body: str = "",
        to: str = f"<sip:79019648@{DOMAIN}>",
        branch: str = "b",
    ) -> None:
        lines = [
            f"{start} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.50;branch=z9hG4bK{branch}",
            f"From: <sip:21669015@{DOMAIN}>;tag=1",
            f"To: {to}",
            f"Call-ID: {call_id}",
            f"CSeq: {cseq}",
            "Contact: <sip:21669015@127.0.0.50>",
            "Content-Type: application/sdp",
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
        self.socket.sendto("\r\n".join(lines).encode(), SITES[0])

    def methods(self) -> list[str]:
        return [request.method for request in self.requests if request.method != "OPTIONS"]

    def statuses(self) -> list[int]:
        return [response.status for response in self.responses]

    def last(self, method: str) -> Request:
        return next(request for request in reversed(self.requests) if request.method == method)


def play(
    acts: Callable[[Phone], object],
    script: Callable[[Stage], Script],
    within_s: float = 60,
    answer: bool | None = True,
    **phase: object,
) -> tuple[Phone, Heard]:
    world = VirtualWorld()
    slip = Slip(DOMAIN, "35621669015", "x", ("21669015", "21669016"))
    with Rehearsal(slip, PBX[0], ("127.0.0.1", 53), SITES, world=world) as rehearsal:
        phone = Phone(rehearsal, world)
        acts(phone)
        row = Phase("test", "script", within_s, script=script, **phase)  # type: ignore[arg-type]
        heard = rehearsal.run([row], ask=lambda _question, _text: answer)
        return phone, heard


def context(heard: Heard) -> Context:
    return Context(link=Link(name="PBX"), heard=heard)


def one_call(stage: Stage) -> Script:
    call = stage.call("79019648", "21669015")
    assert call is not None
    if (yield from stage.answered(call)):
        yield from stage.pause(2)
    yield from stage.finish(call)
    return None


def waiting(stage: Stage) -> Script:
    yield from stage.pause(20)
    return None


def test_a_call_to_the_pbx_has_what_the_guide_shows_and_the_contact_as_registered() -> None:
    phone, heard = play(lambda _: None, one_call)
    assert phone.methods() == ["INVITE", "ACK", "BYE"]
    invite, ack = phone.requests[0], phone.last("ACK")
    assert invite.uri == "sip:35621669015@127.0.0.50;line=a1"
    assert invite.header("Max-Forwards") == "9"
    assert invite.header("Session-Expires") == "900;refresher=uac"
    assert invite.headers("Supported") == ["100rel", "timer"]
    assert "eribind-generated-at=" in (invite.header("To") or "")
    assert ack.uri == "sip:phone@127.0.0.50"
    assert ack.to.tag == "pbx"
    found = incoming.measure(incoming.Options(), context(heard))
    assert (found.call, found.headers) == ("answered", "taken")
    assert {heard.streams[0].direction, heard.streams[0].destination} == {"down", RTP}
    assert len(phone.heard_sound) == heard.streams[0].packets > 90


def test_nobody_answers_and_it_is_cancelled() -> None:
    def acts(phone: Phone) -> None:
        phone.answers["INVITE"] = (180, [])

        def then(request: Request) -> None:
            if request.method == "CANCEL":
                invite = phone.last("INVITE")
                phone.socket.sendto(sip.response(invite, 487, "Over", to_tag="pbx", received=None), SITES[0])

        phone.then = then

    phone, heard = play(acts, one_call)
    assert phone.methods() == ["INVITE", "CANCEL", "ACK"]
    assert (
        phone.last("CANCEL").vias[0].branch == phone.last("INVITE").vias[0].branch == phone.last("ACK").vias[0].branch
    )
    assert incoming.measure(incoming.Options(), context(heard)).call is None


def test_a_reliable_ring_is_acknowledged() -> None:
    def acts(phone: Phone) -> None:
        phone.answers["INVITE"] = (180, [("Require", "100rel"), ("RSeq", "7")])

    phone, heard = play(acts, one_call)
    invite = phone.last("INVITE").cseq.number
    assert phone.last("PRACK").header("RAck") == f"7 {invite} INVITE"
    assert sessions.measure(sessions.Options(), context(heard)).reliable == "acknowledged"


def test_an_invite_that_is_not_answered_is_sent_seven_times() -> None:
    phone, heard = play(lambda phone: phone.answers.update(INVITE=(0, [])), one_call)
    assert [
        round(at_s - heard.requests("INVITE", "down")[0].sent_s[0], 1)
        for at_s in heard.requests("INVITE", "down")[0].sent_s
    ] == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert set(phone.methods()) == {"INVITE"}
    assert incoming.measure(incoming.Options(), context(heard)).call == "silence"


def test_what_the_trunk_refreshes_is_heard_and_the_unusual_is_left_out_after_a_refusal() -> None:
    phone, heard = play(
        lambda phone: phone.answers.update(INVITE=(200, [("Allow", "INVITE, ACK, BYE, UPDATE")])), scripts.incoming, 100
    )
    assert phone.methods()[:5] == ["INVITE", "ACK", "INVITE", "ACK", "UPDATE"]
    assert sessions.measure(sessions.Options(), context(heard)).refreshed == "accepted"
    assert heard.answers == {"incoming-number": True, "dtmf-receives": True}
    assert [digit.digit for stream in heard.streams for digit in stream.digits] == ["1", "2", "3"]
    phone, heard = play(lambda phone: phone.answers.update(INVITE=(420, [])), scripts.incoming)
    assert [request.header("Recv-Info") is None for request in phone.requests if request.method == "INVITE"] == [
        False,
        True,
    ]
    found = incoming.measure(incoming.Options(), context(heard))
    assert (found.call, found.headers) == ("refused", None)


def outgoing(phone: Phone) -> None:
    """A call that is held, taken back, referred and ended."""

    def within(after_s: float, method: str, cseq: int, body: str = "", more: str = "") -> None:
        def act() -> None:
            to = next((one.header("To") or "" for one in phone.responses if one.status == 200), "")
            phone.send(
                f"{method} sip:sgc_c@{SITES[0][0]}{more}", "c1", f"{cseq} {method}", body, to=to, branch=f"w{cseq}"
            )

        phone.world.after(after_s, act)

    phone.send(f"INVITE sip:79019648@{DOMAIN}", "c1", "1 INVITE", SDP.format("sendrecv"))
    within(3.0, "ACK", 1)
    within(4.0, "INVITE", 2, SDP.format("sendonly"))
    within(4.5, "ACK", 2)
    within(5.0, "INVITE", 3, SDP.format("sendrecv"))
    within(5.5, "ACK", 3)
    within(6.0, "REFER", 4)
    within(8.0, "BYE", 5)
    for number in range(100):
        phone.world.after(3 + number / 50, functools.partial(_speak, phone, number))


def _speak(phone: Phone, number: int) -> None:
    phone.sound.sendto(rtp.packet(8, number, number * 160, 9, b"\xd5" * 160), _sound_of(phone))


def _sound_of(phone: Phone) -> Place:
    body = next(one.body for one in phone.responses if one.body).decode()
    return SITES[0][0], int(body.partition("m=audio ")[2].split()[0])


def test_a_call_of_the_pbx_is_answered_held_referred_and_ended() -> None:
    phone, heard = play(outgoing, waiting)
    assert phone.statuses()[:3] == [100, 183, 200]
    answers = {response.cseq.number: response for response in phone.responses}
    assert b"a=recvonly" in answers[2].body
    assert b"a=sendrecv" in answers[3].body
    assert (answers[4].status, answers[5].status) == (202, 200)
    assert [request.body for request in phone.requests if request.method == "NOTIFY"] == [
        b"SIP/2.0 100 Trying\r\n",
        b"SIP/2.0 200 OK\r\n",
    ]
    found = media.measure(media.Options(codec="PCMA"), context(heard))
    assert (found.rtp, found.hold, found.packet_ms) == ("both-ways", "held", 20)


def test_a_200_is_sent_again_until_it_is_acknowledged() -> None:
    def acts(phone: Phone) -> None:
        phone.send(f"INVITE sip:79019648@{DOMAIN}", "c1", "1 INVITE", SDP.format("sendrecv"))
        phone.world.after(4.0, lambda: phone.send("ACK sip:x@y", "c1", "1 ACK"))

    phone, _ = play(acts, waiting)
    assert phone.statuses() == [100, 183, 200, 200, 200]  # after 1, 1.5 and 2.5 s


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("BYE sip:nobody@x", 481),
        ("CANCEL sip:79019648@x", 481),
        ("INVITE sip:112@x", 503),
        ("INVITE urn:service:sos", 503),
        ("SUBSCRIBE sip:x", 405),
    ],
)
def test_what_belongs_to_no_call(request_line: str, status: int) -> None:
    method = request_line.partition(" ")[0]
    to = f"<sip:x@{DOMAIN}>;tag=9" if method == "BYE" else f"<sip:x@{DOMAIN}>"
    phone, _ = play(lambda phone: phone.send(request_line, "c2", f"1 {method}", to=to), waiting)
    assert phone.statuses() == [status]


def test_an_emergency_call_gets_503_even_where_the_site_is_silent() -> None:
    def acts(phone: Phone) -> None:
        phone.send(f"INVITE sip:112@{DOMAIN}", "c3", "1 INVITE", SDP.format("sendrecv"))
        phone.send(f"INVITE sip:79019648@{DOMAIN}", "c4", "1 INVITE", SDP.format("sendrecv"), branch="c")

    phone, _ = play(acts, waiting, site_a="silent")
    assert [(response.call_id, response.status) for response in phone.responses] == [("c3", 503)]


def test_a_codec_that_the_trunk_has_not_is_refused() -> None:
    offer = SDP.format("sendrecv").replace("RTP/AVP 8", "RTP/AVP 0")
    phone, _ = play(lambda phone: phone.send(f"INVITE sip:79019648@{DOMAIN}", "c5", "1 INVITE", offer), waiting)
    assert phone.statuses() == [488]


def test_every_phase_ends_though_nothing_comes() -> None:
    """Not one waits for more than it may: nobody registers, dials or answers."""
    world = VirtualWorld()
    with Rehearsal(Slip(DOMAIN, "1", "x"), PBX[0], ("127.0.0.1", 53), SITES, world=world) as rehearsal:
        heard = rehearsal.run(PHASES)
    assert {step.name for step in heard.steps} <= {phase.name for phase in PHASES}
    assert not heard.streams


@pytest.mark.parametrize(
    ("host", "goes_to"),
    [("10.0.0.9", "10.0.0.9"), ("127.0.0.1", PBX[0]), ("217.22.184.27", PBX[0]), ("0.0.0.0", PBX[0]), ("pbx", PBX[0])],
)
def test_sound_stays_at_the_site_whatever_the_sdp_says(host: str, goes_to: str) -> None:
    world = VirtualWorld()
    sound = Media(world, SITES[0][0], PBX[0])
    sound.describe(sdp.Media("audio", 4000, "RTP/AVP", ["8"], host))
    assert sound._to == (goes_to, 4000)
    sound.close()
