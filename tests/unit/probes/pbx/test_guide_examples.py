"""The provider's own header examples, with the numbers as printed: what its tables accept passes, all else not."""

import threading
from pathlib import Path

import pytest

from gosip_check.checklist import load
from gosip_check.plan import Plan
from gosip_check.records import Link, Outcome, Settings
from gosip_check.rejudge import contradictions
from gosip_check.run import Observer, run
from gosip_check.trace.reading import read
from gosip_check.trace.sides import Account, Trunk, heard_in

REGISTER = """\
REGISTER sip:trunk.gotel.com.mt SIP/2.0
CSeq: 2138474475 REGISTER
Expires: 300
To: <sip:35621669015@trunk.gotel.com.mt;user=phone>
From: <sip:35621669015@trunk.gotel.com.mt;user=phone>;tag=9da4cdebc6ece68120ca9e40dbd4c9b6
Contact: <sip:35621669015@203.0.113.7:5060;transport=UDP;user=phone>;audio;class="business, personal"
Call-ID: a910f9a988bebd20dc4c55e535d7e660@192.168.1.10
Via: SIP/2.0/UDP 203.0.113.7:5060;rport;branch=z9hG4bKc0690fd85cc2be9e2f0844b6b5fb821a
Max-Forwards: 70
Content-Length: 0

SIP/2.0 200 OK
Via: SIP/2.0/UDP 203.0.113.7:5060;rport=5060;branch=z9hG4bKc0690fd85cc2be9e2f0844b6b5fb821a
To: <sip:35621669015@trunk.gotel.com.mt;user=phone>;tag=h7g4Esbg_1111985430
From: <sip:35621669015@trunk.gotel.com.mt;user=phone>;tag=9da4cdebc6ece68120ca9e40dbd4c9b6
Call-ID: a910f9a988bebd20dc4c55e535d7e660@192.168.1.10
CSeq: 2138474475 REGISTER
Content-Length: 0

"""
INVITE = """\
INVITE sip:79019648@trunk.gotel.com.mt;user=phone SIP/2.0
Supported: 100rel, from-change, timer
Session-Expires: 900
P-Preferred-Identity: sip:35621669015@trunk.gotel.com.mt;user=phone
P-Early-Media: supported
To: <sip:79019648@trunk.gotel.com.mt;user=phone>
From: <sip:21669015@trunk.gotel.com.mt;user=phone>;tag=31a3ble43f58c19bfb3c7f6efe49a7be
Contact: <sip:21669015@203.0.113.7:5060;transport=UDP;user=phone>
Content-Type: application/sdp
Call-ID: 8f36a8af2b894653dbcb859651491ac6@192.168.1.10
CSeq: 380634015 INVITE
Via: SIP/2.0/UDP 203.0.113.7:5060;rport;branch=z9hG4bK300675143a10359c56fb4310c735da0f
Max-Forwards: 70
Content-Length: 323

v=0
c=IN IP4 203.0.113.7
m=audio 30000 RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
"""
GUIDE = REGISTER + INVITE


def outcomes(text: str, folder: Path, numbers: tuple[str, ...] = ("21669015",)) -> dict[str, Outcome]:
    (folder / "log").write_text(text)
    checklist = load("go-native")
    trunk = Trunk(checklist.trunk.domain, checklist.trunk.networks)
    heard = heard_in(read([folder / "log"]), trunk, account=Account(None, numbers))
    plan = Plan(checklist, checklist.requirements, [Link("PBX")], Settings(), command="pbx trace", heard=heard)
    report = run(plan, threading.Event(), Observer())
    assert contradictions(report, checklist) == []  # judged again offline, it says the same
    assert "21669015" not in str(report.verdicts) + str(report.measurements)  # numbers are masked
    assert all(verdict.id.startswith("pbx.") for verdict in report.verdicts)
    return {verdict.id: verdict.outcome for verdict in report.verdicts}


ACCEPTED = ("register-ruri", "register-from", "register-contact", "contact-public", "rport", "expires", "ppi")
ALSO_ACCEPTED = ("from-national", "to-format", "invite-contact", "session-timer", "codec-alaw", "no-extras", "udp-only")


def test_what_the_guide_prints_passes(tmp_path: Path) -> None:
    said = outcomes(GUIDE, tmp_path)
    assert {name: said[f"pbx.{name}"] for name in ACCEPTED + ALSO_ACCEPTED} == dict.fromkeys(
        ACCEPTED + ALSO_ACCEPTED, Outcome.PASS
    )
    assert "pbx.fails-over" not in said  # by its nature no trace can show it
    assert said["pbx.rtp-both-ways"] is Outcome.UNKNOWN  # a text log holds no RTP


def test_whose_number_it_is_stays_open_where_nobody_has_said_so(tmp_path: Path) -> None:
    foreign = GUIDE.replace("<sip:21669015@", "<sip:21669016@")
    assert outcomes(foreign, tmp_path, ())["pbx.from-national"] is Outcome.UNKNOWN
    assert outcomes(foreign, tmp_path)["pbx.from-national"] is Outcome.FAIL


VARIATIONS = [
    ("register-ruri", "REGISTER sip:trunk.gotel", "REGISTER sip:217.22.184.27", "fail"),
    ("register-ruri", "REGISTER sip:trunk.gotel.com.mt", "REGISTER sip:trunk.gotel.com.mt:5060", "warn"),
    ("register-from", "To: <sip:35621669015@", "To: <sip:21669015@", "fail"),
    ("register-from", "To: <sip:35621669015@", "To: <sip:+35621669015@", "fail"),
    ("register-from", "To: <sip:35621669015@trunk.gotel.com.mt", "To: <sip:35621669015@217.22.184.27", "fail"),
    ("register-contact", "Contact: <sip:35621669015@", "Contact: <sip:s@", "warn"),
    ("rport", ";rport;", ";", "warn"),
    ("expires", "Expires: 300", "Expires: 3600", "warn"),
    ("ppi", "P-Preferred-Identity: sip:35621669015@", "P-Preferred-Identity: sip:21669015@", "fail"),
    ("ppi", "P-Preferred-Identity", "P-Asserted-Identity", "warn"),
    ("ppi", "P-Preferred-Identity", "X-Other", "fail"),
    ("from-national", "From: <sip:21669015@", "From: <sip:101@", "fail"),
    ("from-national", "From: <sip:21669015@", "From: <sip:+35621669015@", "warn"),
    ("from-national", "From: <sip:21669015@trunk.gotel.com.mt", "From: <sip:21669015@10.0.0.5", "fail"),
    ("to-format", "sip:79019648@", "sip:00442035982801@", "pass"),
    ("to-format", "sip:79019648@", "sip:+442035982801@", "pass"),
    ("to-format", "sip:79019648@", "sip:35679019648@", "warn"),
    ("to-format", "sip:79019648@", "sip:079019648@", "fail"),
    ("to-format", "sip:79019648@", "sip:*21@", "fail"),
    ("to-format", "sip:79019648@", "sip:xxxxxxxx@", "unknown"),
    ("session-timer", "Session-Expires: 900\n", "Session-Expires: 1800\n", "warn"),
    ("session-timer", "Session-Expires: 900\n", "", "warn"),
    ("codec-alaw", "RTP/AVP 8 101", "RTP/AVP 0 8 101", "warn"),
    ("codec-alaw", "RTP/AVP 8 101\na=rtpmap:8 PCMA/8000", "RTP/AVP 0 101", "fail"),
    ("no-extras", "RTP/AVP 8", "RTP/SAVP 8", "warn"),
    ("dtmf-rfc2833", "a=rtpmap:101 telephone-event/8000\n", "", "fail"),
    ("invite-contact", "Contact: <sip:21669015@", "Contact: <sip:pbx@", "warn"),
    ("contact-public", "@203.0.113.7:5060;transport", "@192.168.1.10:5060;transport", "unknown"),
]


@pytest.mark.parametrize(("row", "printed", "instead", "outcome"), VARIATIONS)
def test_each_variation_is_judged_as_the_guide_says(
    row: str, printed: str, instead: str, outcome: str, tmp_path: Path
) -> None:
    assert printed in GUIDE
    assert outcomes(GUIDE.replace(printed, instead), tmp_path)[f"pbx.{row}"] == outcome


@pytest.mark.parametrize(
    ("printed", "instead"),
    [
        ("Content-Length: 323", "Content-Length: \x1d323"),
        ("Content-Length: 323", "Content-Length: \xb2"),
        ("8 101", "8 \xb2"),
    ],
)
def test_a_digit_that_is_none_of_ascii_is_no_number(printed: str, instead: str, tmp_path: Path) -> None:
    assert outcomes(GUIDE.replace(printed, instead), tmp_path)["pbx.codec-alaw"] is Outcome.PASS


def test_a_plain_run_leaves_the_pbx_out() -> None:
    from gosip_check.links import of_one_link
    from gosip_check.probes import PROBES

    every = load("go-native").requirements
    assert sum(bool(requirement.ways) for requirement in every) == 47
    assert not [each for each in of_one_link(every, PROBES, logs_in=True) if each.ways]
    assert len(of_one_link(every, PROBES, logs_in=False, way="rehearsal")) == 46
