"""`pbx rehearse` before and beside its phases: what is refused and why, the slip, what is left out, the screen."""

import contextlib
import io
import signal
import socket
import threading
from datetime import UTC, datetime
from ipaddress import ip_interface

import pytest
from rich.console import Console

from gosip_check.checklist import load
from gosip_check.cli.exits import UsageProblem
from gosip_check.cli.rehearsal import place, put_back
from gosip_check.cli.rehearsal.place import Ground, ground_of, taken
from gosip_check.cli.rehearsal.put_back import Begun, PutBack
from gosip_check.cli.rehearsal.rehearse import SHOWN_BY, _national, _Signals, not_shown, phases_of
from gosip_check.cli.rehearsal.screen import TEXTS, Screen
from gosip_check.cli.rehearsal.slip import slip_text
from gosip_check.heard import Heard, Lookup, Message
from gosip_check.probes.net import interfaces, sockets
from gosip_check.probes.probe import ProbeFailed
from gosip_check.records import FailureKind
from gosip_check.servers import second_address
from gosip_check.servers.rehearsal.phases import PHASES, Phase
from gosip_check.servers.rehearsal.rehearsal import Slip, made_up_password
from tests.saved import here

LAPTOP = "127.0.0.71"
GROUND = Ground(LAPTOP, None, None, True, None)
OPTIONS = {"pbx": None, "second": None, "address": LAPTOP, "no_dns": False, "no_forward": True}
BEGUN = Begun(datetime(2026, 11, 27, 12, 0, tzinfo=UTC), "trunk.example", LAPTOP, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "--user: name the SIP user"),
        (("--user", "356", "--checklist", "go-gateway"), "there the gateway registers at the trunk."),
        (("--user", "356", "--skip", "lnog"), "there is no such phase; there are register, "),
        (("--user", "356", "--only", "long"), "--only 'long': there is no such phase"),
        (("--user", "356", "--skip", "pbx.nothing"), "matches nothing"),
        (("--user", "356", "--numbers", "101a"), "digits alone would be right"),
        (("--user", "356", "--pbx", "8.8.8.8", "--address", LAPTOP), "a hosted PBX cannot reach this laptop"),
        (("--user", "356", "--pbx", "pbx.example"), "use an IPv4 address"),
        (("--user", "356", "--address", "203.0.113.7"), "this machine does not have that address."),
        (("--user", "356", "--json", "/no/such/folder/pbx.json"), "cannot be written"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    code, said = here("pbx", "rehearse", *arguments)
    assert code == 2
    assert sentence in " ".join(said.split())
    assert "THE SLIP" not in said


def test_a_port_that_is_taken_names_its_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "DNS_PORT", 15354)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as softphone:
        softphone.bind((LAPTOP, 5060))
        with pytest.raises(UsageProblem, match=r"UDP port 5060 of 127.0.0.71 is taken by \S+ \(process \d+\)"):
            taken(GROUND).__enter__()


def test_a_port_that_is_not_allowed_says_how_to_allow_it_and_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "trouble_at", lambda _: PermissionError(13, "Permission denied"))
    with pytest.raises(UsageProblem, match=r"sudo sysctl net\.ipv4\.ip_unprivileged_port_start=53`\. Or .* --no-dns"):
        taken(GROUND).__enter__()


def test_a_second_address_must_be_another_one() -> None:
    with pytest.raises(UsageProblem, match="it is the first one"):
        taken(ground_of({**OPTIONS, "second": LAPTOP})).__enter__()


def test_whether_a_machine_has_the_second_address_stands_in_the_table_of_arp() -> None:
    table = (
        "IP address       HW type     Flags       HW address            Mask     Device\n"
        "192.0.2.9        0x1         0x2         02:00:00:00:00:09     *        eth0\n"
        "192.0.2.10       0x1         0x0         00:00:00:00:00:00     *        eth0\n"
    )
    assert second_address._is_resolved("192.0.2.9", table)
    assert not second_address._is_resolved("192.0.2.10", table)
    assert not second_address._is_resolved("192.0.2.11", table)


def test_phases_are_left_out_by_name_all_long_ones_or_all_but_one() -> None:
    names = [phase.name for phase in PHASES]
    assert phases_of([], [], has_dns=True) == list(PHASES)
    assert [each.name for each in phases_of(["a-back"], [], has_dns=True)] == [n for n in names if n != "a-back"]
    assert not any(each.is_long for each in phases_of(["long"], [], has_dns=True))
    assert [each.name for each in phases_of([], ["a-503"], has_dns=True)] == ["register", "a-503"]
    assert phases_of(["register"], [], has_dns=True)[0].name == "register"
    assert "a-silent" not in [each.name for each in phases_of([], [], has_dns=False)]


def test_what_no_phase_shows_any_more_is_left_out_and_not_unknown() -> None:
    assert not_shown(PHASES, has_dns=True) == []
    assert "pbx.fails-over" in not_shown(phases_of(["long"], [], has_dns=True), has_dns=True)
    assert not_shown(phases_of([], [], has_dns=False), has_dns=False) == []
    assert {name for names in SHOWN_BY.values() for name in names} <= set(TEXTS)
    assert {phase.name for phase in PHASES} <= set(TEXTS)


@pytest.mark.parametrize("has_dns", [True, False])
def test_the_slip_fits_80_columns_and_says_what_to_enter(has_dns: bool) -> None:
    slip = Slip("trunk.gotel.com.mt", "35621669015", made_up_password())
    ground = Ground("192.168.100.100", "192.168.100.101", None, has_dns, ("192.168.100.1", 53))
    text = slip_text(slip, ground, PHASES, "GO")
    assert max(map(len, text.splitlines())) <= 80
    for words in (slip.domain, slip.user, slip.password, ground.address, "192.168.100.101", "112", "Note down"):
        assert words in text
    assert ("outbound proxy" in text) is not has_dns


def test_what_to_put_back_is_noted_until_it_was_put_back(capsys: pytest.CaptureFixture[str]) -> None:
    put_back.say_what_was_left()
    assert capsys.readouterr().err == ""
    with contextlib.suppress(KeyboardInterrupt), PutBack(BEGUN):
        assert put_back.left() == BEGUN
        raise KeyboardInterrupt
    assert "PUT BACK\n  1  DNS server of the PBX: the old one, not 127.0.0.71." in capsys.readouterr().err
    put_back.say_what_was_left()
    assert "The rehearsal of 2026-11-27 12:00 UTC was not seen to be put back." in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"began": 1}', b"\xff" * 99])
def test_a_note_that_is_something_else_is_none(content: bytes) -> None:
    path = put_back._path()
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert put_back.left() is None


class Still:
    """A rehearsal that was left so many times."""

    def __init__(self) -> None:
        self.left = 0
        request = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP b;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
        request += b"To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
        up = Message(10.0, "up", "UDP", ("192.0.2.50", 5060), (LAPTOP, 5062), request)
        sites = [f"{LAPTOP}:5060", f"{LAPTOP}:5062"]
        lookup = Lookup(9.0, "_sip._udp.trunk.example" + "x" * 99, "SRV", [])
        self._heard = Heard("rehearsal", [up], [lookup] * 3, sites=sites)

    def latest(self) -> Heard:
        return self._heard

    def leave(self) -> None:
        self.left += 1


def drawn(shown: Screen, width: int) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(shown.drawn())
    return [line.rstrip() for line in file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [80, 120])
def test_the_screen_says_what_to_do_and_what_came_last(width: int) -> None:
    shown = Screen(Still(), 10, None, asks=True)
    shown.began(PHASES[0])
    shown.say("Dial 79019648 from any phone.")
    lines = drawn(shown, width)
    assert max(map(len, lines)) <= width
    assert lines[0].startswith("[1 of 10] The PBX registers   at most ")
    assert lines[1].split(maxsplit=1) == ["Do", "Dial 79019648 from any phone."]
    assert "DNS  SRV _sip._udp.trunk.example" in lines[2]
    assert lines[3].endswith("SIP  OPTIONS to site B: no answer")


@pytest.mark.parametrize(("key", "answer"), [("y", True), ("n", False)])
def test_a_question_is_answered_by_a_key(key: str, answer: bool) -> None:
    shown = Screen(Still(), 1, None, asks=True)
    said: list[bool | None] = []
    asking = threading.Thread(target=lambda: said.append(shown.ask("early-media", "Did you hear it?")))
    shown.began(PHASES[0])
    asking.start()
    while asking.is_alive() and "?" not in " ".join(drawn(shown, 80)):
        pass
    assert "Did you hear it?  y / n  (" in " ".join(drawn(shown, 80))
    shown.key("x")
    shown.key(key)
    asking.join(20)
    assert said == [answer]


def test_a_question_that_nobody_answers_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gosip_check.cli.rehearsal.screen.ANSWER_WITHIN_S", 0.01)
    shown = Screen(Still(), 1, None, asks=True)
    assert shown.ask("early-media", "Did you hear it?") is None
    lines: list[str] = []
    assert Screen(Still(), 1, lines.append, asks=False).ask("early-media", "Did you hear it?") is None
    assert lines[0].endswith("  Not asked, because there is no terminal: Did you hear it?")


def test_what_was_said_as_a_phase_ended_is_still_to_be_done_in_the_next_one() -> None:
    shown = Screen(Still(), 3, None, asks=True)
    for phase in PHASES[:2]:
        shown.began(phase)
        shown.say("Take the forwarding back.")
    shown.began(PHASES[2])
    shown.say("Dial 79019648.")
    assert "Take the forwarding back. Then: Dial 79019648." in " ".join(" ".join(drawn(shown, 80)).split())


def test_a_step_is_left_out_or_done_again_by_a_key() -> None:
    rehearsal = Still()
    shown = Screen(rehearsal, 2, None, asks=True)
    phase = Phase("register", "registered", 1)
    shown.began(phase)
    assert not shown.repeats
    shown.key("r")
    assert (rehearsal.left, shown.repeats) == (1, True)
    shown.began(phase)
    assert drawn(shown, 80)[0].startswith("[1 of 2]")
    shown.key("s")
    assert (rehearsal.left, shown.repeats) == (2, False)


def test_a_signal_between_the_phases_and_the_report_loses_neither() -> None:
    stopped: list[str] = []
    signals = _Signals()
    with signals.heeded():
        with pytest.raises(KeyboardInterrupt):  # the slip: nothing was measured
            signal.raise_signal(signal.SIGTERM)
        signals = _Signals()
    with signals.heeded():
        with signals.stopping(lambda: stopped.append("phases")):
            pass
        signal.raise_signal(signal.SIGINT)
        assert signals.first == signal.SIGINT
        with signals.stopping(lambda: stopped.append("watching")):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert stopped == ["watching"]


@pytest.mark.parametrize(
    ("number", "national"),
    [("35621669015", "21669015"), ("+35621669015", "21669015"), ("21669015", "21669015"), ("35621669", "35621669")],
)
def test_calls_go_to_the_national_form_of_a_number(number: str, national: str) -> None:
    assert _national(number, load("go-native").trunk) == national


@pytest.mark.parametrize(
    ("here", "address"), [(["10.0.0.9/24"], "10.0.0.9"), ([], None), (["10.0.0.9/24", "10.1.0.9/24"], None)]
)
def test_without_a_route_the_only_address_is_the_laptops(
    monkeypatch: pytest.MonkeyPatch, here: list[str], address: str | None
) -> None:
    def no_route(*_: object) -> str:
        raise ProbeFailed(FailureKind.UNSUPPORTED, "There is no route.")

    addresses = {"lo": [ip_interface("127.0.0.1/8")], "eth0": [ip_interface(each) for each in here]}
    monkeypatch.setattr(sockets, "source_address", no_route)
    monkeypatch.setattr(interfaces, "addresses", lambda: addresses)
    if address is not None:
        assert ground_of({**OPTIONS, "address": None}).address == address
        return
    with pytest.raises(UsageProblem, match=r"There is no route\. Name this laptop's address with --address\."):
        ground_of({**OPTIONS, "address": None})
