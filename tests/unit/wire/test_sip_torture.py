"""The 49 messages of RFC 4475 (SIP torture tests), bit-exact, one file each.

They are no part of this repository: the environment variable GOSIP_RFC4475 names the folder in which each lies as
`<name>.dat`. torture.py holds messages of our own of the same kinds, which are always read.
"""

import os
from pathlib import Path

import pytest

from gosip_check.wire.sip import CSeq, Request, Response, parse
from tests.unit.wire.torture import first_refusal

FOLDER = Path(os.environ.get("GOSIP_RFC4475", ""))

pytestmark = pytest.mark.skipif(
    not os.environ.get("GOSIP_RFC4475"), reason="GOSIP_RFC4475 names no folder with the messages of RFC 4475"
)

# Section 3.1.1: name -> hosts of all Vias, From URI, To URI, CSeq, Contact URIs.
VALID = {
    "wsinv": (
        ["192.0.2.2", "spindle.example.com", "192.168.255.111"],
        "sip:jdrosen@example.com",
        "sip:vivekg@chair-dnrc.example.com",
        CSeq(9, "INVITE"),
        ["sip:jdrosen@example.com"],
    ),
    "intmeth": (
        ["host1.example.com"],
        "sip:mundane@example.com",
        "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com",
        CSeq(139122385, "!interesting-Method0123456789_*+`.%indeed'~"),
        [],
    ),
    "esc01": (
        ["host5.example.net"],
        "sip:I%20have%20spaces@example.net",
        "sip:%75se%72@example.com",
        CSeq(234234, "INVITE"),
        ["sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31"],
    ),
    "escnull": (
        ["host5.example.com"],
        "sip:null-%00-null@example.com",
        "sip:null-%00-null@example.com",
        CSeq(14398234, "REGISTER"),
        ["sip:%00@host5.example.com", "sip:%00%00@host5.example.com"],
    ),
    "esc02": (
        ["host.example.com"],
        "sip:resource@example.com",
        "sip:resource@example.com",
        CSeq(29344, "RE%47IST%45R"),
        ["sip:alias1@host1.example.com", "sip:alias3@host3.example.com"],
    ),
    "lwsdisp": (
        ["funky.example.com"],
        "sip:caller@example.com",
        "sip:user@example.com",
        CSeq(60, "OPTIONS"),
        [],
    ),
    "longreq": (
        [*(f"sip{number}.example.com" for number in range(33, 0, -1)), "host.example.com"],
        "sip:" + 5 * "amazinglylongcallername" + "@example.net",
        None,  # 1200 characters: only that it can be read
        CSeq(3882340, "INVITE"),
        ["sip:" + 5 * "amazinglylongcallername" + "@host5.example.net"],
    ),
    "dblreq": (
        ["192.0.2.125"],
        "sip:j.user@example.com",
        "sip:j.user@example.com",
        CSeq(8, "REGISTER"),
        ["sip:j.user@host.example.com"],
    ),
    "semiuri": (
        ["192.0.2.1"],
        "sip:caller@example.org",
        "sip:j_user@example.com",
        CSeq(8, "OPTIONS"),
        [],
    ),
    "transports": (
        ["t1.example.com", "t2.example.com", "t3.example.com", "t4.example.com", "t5.example.com"],
        "sip:caller@example.com",
        "sip:user@example.com",
        CSeq(60, "OPTIONS"),
        [],
    ),
    "mpart01": (
        ["127.0.0.1"],
        "sip:fluffy@example.com",
        "sip:kumiko@example.org",
        CSeq(1, "MESSAGE"),
        ["sip:fluffy@127.0.0.1:5070"],
    ),
    "unreason": (
        ["192.0.2.198"],
        "sip:user@example.com",
        "sip:user@example.edu",
        CSeq(35, "INVITE"),
        ["sip:user@host198.example.com"],
    ),
    "noreason": (
        ["192.0.2.105"],
        "sip:user@example.com",
        "sip:user@example.edu",
        CSeq(35, "INVITE"),
        ["sip:user@host105.example.com"],
    ),
}

# Everything else (3.1.2, 3.2, 3.3, 3.4): None where all of it can be read, as a lenient reader can do with most; else
# what cannot be read and why.
OTHERS = {
    "badinv01": "vias: Via ';' is not SIP/2.0/transport and host",
    "clerr": "parse: Content-Length is 9999 but only 154 octets follow (RFC 3261 18.3)",
    "ncl": "parse: Content-Length '-999' is not a number",
    "scalar02": "cseq: CSeq '36893488147419103232' is larger than 4294967295",
    "scalarlg": "cseq: CSeq '9292394834772304023312' is larger than 4294967295",
    "quotbal": None,
    "ltgtruri": None,
    "lwsruri": None,
    "lwsstart": None,
    "trws": None,
    "escruri": None,
    "baddate": None,
    "regbadct": None,
    "badaspec": None,
    "baddn": None,
    "badvers": "parse: version 'SIP/7.0' is not SIP/2.0",
    "mismatch01": None,
    "mismatch02": None,
    "bigcode": "parse: status '4294967301' is not a number from 100 to 699",
    "badbranch": None,
    "insuf": "from_: no From header field",
    "unkscm": None,
    "novelsc": None,
    "unksm2": None,
    "bext01": None,
    "invut": None,
    "regaut01": None,
    "multi01": None,
    "mcl01": "parse: several Content-Length header fields that differ: the end of the message is unknown",
    "bcast": None,
    "zeromf": None,
    "cparam01": None,
    "cparam02": None,
    "regescrt": None,
    "sdp01": None,
    "inv2543": None,
}


def read(name: str) -> Request | Response:
    return parse((FOLDER / f"{name}.dat").read_bytes())


def test_all_messages_are_looked_at() -> None:
    assert {file.stem for file in FOLDER.glob("*.dat")} == VALID.keys() | OTHERS.keys()
    assert (len(VALID), len(OTHERS)) == (13, 36)


@pytest.mark.parametrize("name", VALID)
def test_valid_messages_are_read(name: str) -> None:
    message = read(name)
    hosts, from_uri, to_uri, cseq, contacts = VALID[name]
    assert [via.host for via in message.vias] == hosts
    assert message.from_.uri == from_uri
    assert to_uri is None or message.to.uri == to_uri
    assert message.cseq == cseq
    assert [contact.uri for contact in message.contacts] == contacts
    assert message.call_id.startswith(f"{name}." if name != "mpart01" else "3d9485ad")
    assert message.raw == (FOLDER / f"{name}.dat").read_bytes()


@pytest.mark.parametrize("name", OTHERS)
def test_other_messages_are_read_or_refused_with_a_reason(name: str) -> None:
    assert first_refusal((FOLDER / f"{name}.dat").read_bytes()) == OTHERS[name]


def test_short_tortuous_invite() -> None:
    message = read("wsinv")
    assert message.from_.display == 'J Rosenberg \\"'
    assert message.from_.tag == "98asjd8"
    assert message.to.tag == "1918181833n"
    assert message.header("newfangledheader") == "newfangled value continued newfangled value"
    assert [(via.transport, via.branch) for via in message.vias] == [
        ("UDP", "390skdjuw"),
        ("TCP", "z9hG4bK9ikj8"),
        ("UDP", "z9hG4bK30239"),
    ]
    assert message.contacts[0].display == 'Quoted string ""'
    assert message.contacts[0].params == {"newparam": "newvalue", "secondparam": None, "q": "0.33"}
    assert len(message.body) == 150


def test_wide_characters_stay_as_they_are() -> None:
    message = read("intmeth")
    assert message.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.from_.params["fromparam''~+*_!.-%"] == "работающий"
    assert message.header("extensionHeader-!.%*+_`'~") == "\ufeff大停電"


def test_octets_behind_the_body_are_cut_off() -> None:
    message = read("dblreq")
    assert message.body == b""
    assert b"INVITE sip:joe@example.com" in message.raw


def test_reason_phrases_may_be_unusual_or_empty() -> None:
    unusual, empty = read("unreason"), read("noreason")
    assert isinstance(unusual, Response)
    assert isinstance(empty, Response)
    assert (unusual.status, unusual.reason[:18]) == (200, "= 2**3 * 5**2 но с")
    assert (empty.status, empty.reason) == (100, "")


def test_a_binary_multipart_body_is_kept() -> None:
    assert len(read("mpart01").body) == 553
