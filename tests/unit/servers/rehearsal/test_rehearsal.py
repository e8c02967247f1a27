"""The rehearsal's far end, with a scripted PBX on loopback, judged by the probes that judge captures."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import dns.message
import dns.rcode
import pytest

from gosip_check.heard import Heard, Place
from gosip_check.probes.pbx import keepalive, names, refusals, registration, renewal
from gosip_check.probes.probe import Context
from gosip_check.records import Link
from gosip_check.servers.rehearsal.forward import Forward
from gosip_check.servers.rehearsal.phases import PHASES, Phase
from gosip_check.servers.rehearsal.rehearsal import Rehearsal, RehearsalStop, Slip, made_up_password
from gosip_check.wire import digest, sip
from gosip_check.wire.register import register_request

DOMAIN, USER = "trunk.example", "35621669015"
SITE_A, SITE_B = "127.22.184.27", "127.22.185.27"
PBX = "127.0.0.50"
SRV = f"_sip._udp.{DOMAIN}"
ONE_REGISTRATION = Phase("register", "registered", 20, listens_s=0.2)

pytestmark = pytest.mark.waits


@dataclass
class Pbx:
    """One PBX, step by step. Every wait ends with what was waited for."""

    rehearsal: Rehearsal
    sock: socket.socket
    password: str
    cseq: int = 0
    options: list[sip.Request] = field(default_factory=list)

    def look_up(self, name: str, kind: str) -> dns.message.Message:
        self.sock.sendto(dns.message.make_query(name, kind).to_wire(), self.rehearsal.dns_place)
        return dns.message.from_wire(self.sock.recv(4096))

    def send(self, site: int, user: str = USER, credentials: tuple[str, str] | None = None, branch: str = "") -> None:
        self.cseq += 1
        host, port = self.sock.getsockname()
        request = register_request(
            user=user,
            domain=DOMAIN,
            transport="UDP",
            host=host,
            port=port,
            branch=branch or f"z9hG4bK{self.cseq}",
            call_id="one@pbx",
            from_tag="1",
            cseq=self.cseq,
            user_agent="a PBX",
            contact=f"sip:{USER}@{host}:{port};line=a1b2",
            expires_s=300,
            credentials=credentials,
        )
        self.sock.sendto(request, self.rehearsal.sites[site])

    def answer(self) -> sip.Response:
        """The next response; keep-alive requests before it are answered."""
        while True:
            data, peer = self.sock.recvfrom(65535)
            message = sip.parse(data)
            if isinstance(message, sip.Response):
                return message
            self.options.append(message)
            self.sock.sendto(sip.response(message, 200, "OK", to_tag="1", received=peer), peer)

    def register(self, site: int = 0) -> sip.Response:
        """Challenged, and answered with the slip's password."""
        self.send(site)
        challenge = digest.parse_challenge(self.answer().header("WWW-Authenticate") or "")
        value = digest.authorization(challenge, USER, self.password, "REGISTER", f"sip:{DOMAIN}", "c0ffee")
        self.send(site, credentials=("Authorization", value))
        return self.answer()


@pytest.fixture
def rehearsal() -> Iterator[Rehearsal]:
    slip = Slip(DOMAIN, USER, made_up_password())
    with Rehearsal(slip, PBX, ("127.0.0.1", 0), ((SITE_A, 0), (SITE_B, 0)), keepalive_s=0.1) as rehearsal:
        yield rehearsal


@pytest.fixture
def pbx(rehearsal: Rehearsal) -> Iterator[Pbx]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((PBX, 0))
        sock.settimeout(20)
        yield Pbx(rehearsal, sock, rehearsal.slip.password)


class Playing:
    """The rehearsal in a thread of its own; `heard()` waits for its end. `began` is set as a phase begins."""

    def __init__(self, rehearsal: Rehearsal, phases: tuple[Phase, ...]) -> None:
        self.began = {phase.name: threading.Event() for phase in phases}
        self._rehearsal, self._phases = rehearsal, phases
        self._heard: Heard | None = None
        self.stopped: RehearsalStop | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._heard = self._rehearsal.run(self._phases, lambda phase: self.began[phase.name].set())
        except RehearsalStop as stop:
            self.stopped = stop

    def heard(self) -> Heard:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self._heard or self._rehearsal.heard()


Play = Callable[..., Playing]


@pytest.fixture
def play(rehearsal: Rehearsal) -> Iterator[Play]:
    """Begins phases; waits for their end before the ports are closed."""
    begun: list[Playing] = []

    def begin(*phases: Phase) -> Playing:
        begun.append(Playing(rehearsal, phases))
        return begun[-1]

    yield begin
    for playing in begun:
        playing.heard()


def context(heard: Heard) -> Context:
    return Context(link=Link(name="PBX"), heard=heard)


def test_a_pbx_that_looks_up_registers_and_answers_is_heard_as_such(pbx: Pbx, play: Play) -> None:
    playing = play(Phase("register", "registered", 20, listens_s=1.0))
    assert [record.priority for record in pbx.look_up(SRV, "SRV").answer[0]] == [60, 45]
    pbx.look_up(f"site-a.{DOMAIN}", "A")
    granted = pbx.register()
    assert granted.status == 200
    assert granted.contacts[0].uri.endswith(";line=a1b2")
    assert granted.contacts[0].params["expires"] == "60"
    pbx.sock.settimeout(2)
    with pytest.raises(TimeoutError):
        pbx.answer()  # answers keep-alive until the rehearsal ends
    heard = playing.heard()
    found = names.measure(names.Options(domain=DOMAIN, service="sip", transport="udp"), context(heard))
    assert (found.asked, found.order) == ("srv", "best")
    alive = keepalive.measure(keepalive.Options(), context(heard))
    assert (alive.answer, alive.second_site) == ("200", "accepted")
    assert {request.uri for request in pbx.options} == {granted.contacts[0].uri}
    registered = registration.measure(registration.Options(domain=DOMAIN), context(heard))
    assert registered.credentials == "right"


def test_a_wrong_password_is_refused_and_heard_as_wrong(pbx: Pbx, play: Play) -> None:
    playing = play(Phase("register", "registered", 0.5))
    pbx.password = "of the provider"
    assert pbx.register().status == 401
    found = registration.measure(registration.Options(domain=DOMAIN), context(playing.heard()))
    assert found.credentials == "wrong"


def test_a_retransmission_gets_the_same_answer_and_no_new_nonce(pbx: Pbx, play: Play) -> None:
    play(Phase("register", "registered", 0.5))
    pbx.send(0)
    first = pbx.answer()
    pbx.cseq -= 1
    pbx.send(0)
    assert pbx.answer().raw == first.raw


def test_site_a_is_silent_then_unavailable_and_site_b_answers(pbx: Pbx, play: Play) -> None:
    playing = play(
        Phase("a-silent", "registered", 20, site_a="silent"),
        Phase("a-503", "registered", 20, site_a="503"),
    )
    pbx.send(0)
    assert pbx.register(1).status == 200  # the next answer is that of B: A gave none
    assert playing.began["a-503"].wait(20)
    pbx.send(0)
    unavailable = pbx.answer()
    assert (unavailable.status, unavailable.header("Retry-After")) == (503, "30")
    assert pbx.register(1).status == 200
    assert [step.name for step in playing.heard().steps] == ["a-silent", "a-503"]


@pytest.mark.parametrize(("refuses", "status"), [("401-new", 401), ("401-same", 401), ("403", 403)])
def test_a_right_password_is_refused_three_ways(pbx: Pbx, play: Play, refuses: str, status: int) -> None:
    phase = next(phase for phase in PHASES if phase.refuses == refuses)
    playing = play(Phase(phase.name, "refused", 20, 0.3, refuses=phase.refuses))
    refused = pbx.register()
    assert refused.status == status
    value = refused.header("WWW-Authenticate") or ""
    used = playing.heard().requests("REGISTER")[-1].request.header("Authorization") or ""
    if status == 401:
        assert (digest.parse_challenge(value).nonce in used) is (refuses == "401-same")
    found = refusals.measure(refusals.Options(), context(playing.heard()))
    assert found.third_try == "never"


def test_who_is_not_the_pbx_gets_no_answer_and_is_not_written_down(rehearsal: Rehearsal, pbx: Pbx, play: Play) -> None:
    playing = play(ONE_REGISTRATION)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.51", 0))
        other = Pbx(rehearsal, stranger, rehearsal.slip.password)
        other.send(0)
        stranger.sendto(dns.message.make_query(SRV, "SRV").to_wire(), rehearsal.dns_place)
        assert pbx.register().status == 200
        heard = playing.heard()
        stranger.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.recv(4096)
    assert not heard.lookups
    assert {message.source and message.source[0] for message in heard.messages} <= {PBX, SITE_A, SITE_B}


def test_another_user_stops_it_even_at_the_silent_site(pbx: Pbx, play: Play) -> None:
    playing = play(Phase("a-silent", "registered", 20, site_a="silent"))
    pbx.send(0, user="35699999999")
    playing.heard()
    assert "another user" in str(playing.stopped)


def test_it_is_no_open_resolver(pbx: Pbx, play: Play) -> None:
    playing = play(Phase("register", "registered", 0.5))
    assert pbx.look_up("example.com", "A").rcode() == dns.rcode.REFUSED
    assert pbx.look_up(f"_sips._tcp.{DOMAIN}", "SRV").rcode() == dns.rcode.NXDOMAIN
    nothing = pbx.look_up(DOMAIN, "NAPTR")
    assert (nothing.rcode(), nothing.answer) == (dns.rcode.NOERROR, [])
    assert [lookup.kind for lookup in playing.heard().lookups] == ["SRV", "NAPTR"]


@pytest.mark.parametrize("number", ["112", "999", "+356112", "00356112", "9112", "*31#112"])
def test_an_emergency_call_gets_503_at_once(rehearsal: Rehearsal, pbx: Pbx, play: Play, number: str) -> None:
    play(Phase("register", "registered", 0.5))
    invite = (
        f"INVITE sip:{number}@{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP {PBX}:5060;branch=z9hG4bKi\r\n"
        f"From: <sip:21669015@{DOMAIN}>;tag=1\r\nTo: <sip:{number}@{DOMAIN}>\r\nCall-ID: i\r\nCSeq: 1 INVITE\r\n\r\n"
    )
    pbx.sock.sendto(invite.encode(), rehearsal.sites[0])
    assert pbx.answer().status == 503


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\r\n\r\n", b"\0" * 40, b"REGISTER sip:x SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", b"\xff" * 999],
)
def test_garbage_is_no_reason_to_stop(rehearsal: Rehearsal, pbx: Pbx, play: Play, garbage: bytes) -> None:
    playing = play(ONE_REGISTRATION)
    for place in (rehearsal.dns_place, *rehearsal.sites):
        pbx.sock.sendto(garbage, place)
    assert pbx.register().status == 200
    playing.heard()
    assert playing.stopped is None


def test_its_ports_are_free_after_its_end() -> None:
    slip = Slip(DOMAIN, USER, "x")
    with Rehearsal(slip, PBX, ("127.0.0.1", 0), ((SITE_A, 0), (SITE_B, 0))) as rehearsal:
        places = (rehearsal.dns_place, *rehearsal.sites)
    for place in places:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(place)


def test_the_phases_are_in_an_order_that_a_stubborn_pbx_survives() -> None:
    """A PBX may stop for good after a refusal, so nothing else comes after the first."""
    first = next(number for number, phase in enumerate(PHASES) if phase.refuses)
    assert all(phase.refuses for phase in PHASES[first:])
    assert sum(phase.typical_s for phase in PHASES) <= 25 * 60
    assert sum(phase.typical_s for phase in PHASES if not phase.is_long) <= 6 * 60


@pytest.fixture
def resolver() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.53", 0))
        sock.settimeout(20)
        yield sock


@contextlib.contextmanager
def rehearsed(pbx: str | None, resolver: Place | None = None) -> Iterator[tuple[Rehearsal, Playing]]:
    """With one phase that lasts until it is left."""
    slip = Slip(DOMAIN, USER, made_up_password())
    sites = ((SITE_A, 0), (SITE_B, 0))
    with Rehearsal(slip, pbx, ("127.0.0.1", 0), sites, resolver=resolver) as rehearsal:
        playing = Playing(rehearsal, (Phase("register", "refused", 60),))
        try:
            yield rehearsal, playing
        finally:
            rehearsal.stop()
            playing.heard()


def a_socket_at(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 0))
    sock.settimeout(20)
    return sock


def test_other_names_are_asked_of_the_resolver_for_the_pbx_alone(resolver: socket.socket) -> None:
    question = dns.message.make_query("time.example.net", "A")
    with rehearsed(PBX, resolver.getsockname()) as (rehearsal, _), a_socket_at(PBX) as pbx:
        with a_socket_at("127.0.0.51") as stranger:
            stranger.sendto(question.to_wire(), rehearsal.dns_place)
        pbx.sendto(dns.message.make_query(SRV, "SRV").to_wire(), rehearsal.dns_place)
        assert dns.message.from_wire(pbx.recv(4096)).answer  # the trunk's own names are answered here
        pbx.sendto(question.to_wire(), rehearsal.dns_place)
        handed_on, place = resolver.recvfrom(4096)
        asked = dns.message.from_wire(handed_on)
        assert asked.question == question.question
        resolver.sendto(dns.message.make_response(dns.message.make_query("other.example", "A")).to_wire(), place)
        resolver.sendto(dns.message.make_response(asked).to_wire(), place)
        assert question.is_response(dns.message.from_wire(pbx.recv(4096)))
        resolver.setblocking(False)
        with pytest.raises(BlockingIOError):
            resolver.recv(4096)


def test_at_most_twenty_questions_a_second_are_handed_on() -> None:
    forward = Forward(100.0)
    question = dns.message.make_query("time.example.net", "A").to_wire()
    assert sum(forward.question(question, (PBX, 1), 100.0) is not None for _ in range(200)) == 20
    assert forward.question(question, (PBX, 1), 100.01) is None
    assert forward.question(question, (PBX, 1), 100.06) is not None


@pytest.mark.parametrize("wire", [b"", b"\0", b"\0" * 12, b"\xff" * 600])
def test_what_nobody_asked_for_is_not_handed_on(wire: bytes) -> None:
    forward = Forward(0.0)
    forward.question(b"\0\1\1\0", (PBX, 1), 0.0)
    assert forward.answer(wire) is None


def test_the_first_that_registers_is_the_pbx_where_no_address_was_named() -> None:
    with rehearsed(None) as (rehearsal, _), a_socket_at(PBX) as sock, a_socket_at("127.0.0.51") as other:
        pbx = Pbx(rehearsal, sock, rehearsal.slip.password)
        assert pbx.look_up(SRV, "SRV").answer
        assert pbx.register().status == 200
        Pbx(rehearsal, other, rehearsal.slip.password).send(0)
        pbx.send(0)
        assert pbx.answer().status == 401
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.recv(4096)
        assert rehearsal.pbx == PBX


def test_it_stops_at_once_and_then_watches_without_asking_for_a_password() -> None:
    with rehearsed(PBX) as (rehearsal, playing), a_socket_at(PBX) as sock:
        pbx = Pbx(rehearsal, sock, rehearsal.slip.password)
        assert pbx.register().status == 200
        rehearsal.stop()
        heard = playing.heard()
        assert [step.name for step in heard.steps] == ["register"]
        rehearsal.signs.clear()
        watching = threading.Thread(target=rehearsal.watch, args=(60,))
        watching.start()
        pbx.send(0, user="35699999999", branch="z9hG4bKreal")
        refused = pbx.answer()
        assert (refused.status, refused.header("WWW-Authenticate")) == (503, None)
        assert list(rehearsal.signs) == ["REGISTER"]
        rehearsal.leave()
        watching.join(20)
        assert not watching.is_alive()


def test_two_sites_that_share_an_address_differ_by_their_ports() -> None:
    slip = Slip(DOMAIN, USER, made_up_password())
    sites = ((SITE_A, 0), (SITE_A, 0))
    with Rehearsal(slip, PBX, ("127.0.0.1", 0), sites, keepalive_s=0.1) as rehearsal, a_socket_at(PBX) as sock:
        playing = Playing(rehearsal, (Phase("srv-swapped", "registered", 20, listens_s=0.2, swapped=True),))
        pbx = Pbx(rehearsal, sock, slip.password)
        pbx.look_up(SRV, "SRV")
        pbx.look_up(f"site-a.{DOMAIN}", "A")
        pbx.look_up(f"site-b.{DOMAIN}", "A")
        assert pbx.register(0).status == 200
        heard = playing.heard()
    found = names.measure(names.Options(domain=DOMAIN, service="sip", transport="udp"), context(heard))
    assert (found.order, found.follows_change) == ("worse", False)
    asked_from = {heard.site_of(each) for each in heard.requests("OPTIONS", "down")}
    assert asked_from == set(heard.sites)
    assert len(asked_from) == 2


def test_who_tries_the_second_site_because_the_first_refuses_still_follows_the_records(pbx: Pbx, play: Play) -> None:
    refuses = Phase("refuse-403", "refused", 20, listens_s=0.5, refuses="403")
    playing = play(ONE_REGISTRATION, refuses)
    pbx.look_up(SRV, "SRV")
    pbx.look_up(f"site-a.{DOMAIN}", "A")
    pbx.look_up(f"site-b.{DOMAIN}", "A")
    assert pbx.register(0).status == 200
    assert playing.began["refuse-403"].wait(20)
    assert pbx.register(0).status == 403
    pbx.send(1)
    found = names.measure(names.Options(domain=DOMAIN, service="sip", transport="udp"), context(playing.heard()))
    assert found.order == "best"


@pytest.mark.parametrize("site_a", ["silent", "503"])
def test_a_try_at_a_site_that_is_away_is_no_second_answer_to_a_challenge(pbx: Pbx, play: Play, site_a: str) -> None:
    away = next(phase for phase in PHASES if phase.site_a == site_a)
    playing = play(ONE_REGISTRATION, Phase(away.name, "registered", 20, listens_s=0.2, site_a=away.site_a))
    assert pbx.register(0).status == 200
    assert playing.began[away.name].wait(20)
    pbx.send(1)
    challenge = digest.parse_challenge(pbx.answer().header("WWW-Authenticate") or "")
    pbx.send(0)  # as baresip does: it looks the names up again for the request with credentials
    if site_a == "503":
        assert pbx.answer().status == 503
    value = digest.authorization(challenge, USER, pbx.password, "REGISTER", f"sip:{DOMAIN}", "c0ffee")
    pbx.send(1, credentials=("Authorization", value))
    assert pbx.answer().status == 200
    found = renewal.measure(renewal.Options(), context(playing.heard()))
    assert found.new_challenge == "answered-once"
