"""REGISTER: what is written, and what is read of bindings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gosip_check.wire import sip
from gosip_check.wire.register import Bound, bound, contact_uri, granted_s, ours, register_request, same_place

OURS = contact_uri("35621000000", "192.0.2.7", 40000, "UDP")
PBX = Bound("sip:35621000000@203.0.113.4:5060", 200)


def answer(*contacts: str, expires: str = "") -> sip.Response:
    lines = ["SIP/2.0 200 OK", *(f"Contact: {contact}" for contact in contacts)]
    lines += [f"Expires: {expires}"] if expires else []
    message = sip.parse("\r\n".join([*lines, "", ""]).encode())
    assert isinstance(message, sip.Response)
    return message


def test_a_request_without_a_contact_only_asks() -> None:
    asked = {
        "user": "35621000000", "domain": "trunk.example", "transport": "UDP", "host": "192.0.2.7", "port": 40000,
        "branch": "z9hG4bKx", "call_id": "c@h", "from_tag": "t", "cseq": 3, "user_agent": "x",
    }  # fmt: skip
    request = sip.parse(register_request(**asked))  # type: ignore[arg-type]
    assert (request.header("Contact"), request.header("Expires")) == (None, None)
    request = sip.parse(register_request(**asked, contact=OURS, expires_s=0))  # type: ignore[arg-type]
    assert request.header("Contact") == "<sip:35621000000@192.0.2.7:40000;transport=udp>"
    assert (request.header("Expires"), request.cseq.number) == ("0", 3)


def test_contacts_that_can_be_read() -> None:
    response = answer(
        '"a, b" <sip:1@h:1>;expires=20, <sip:2@h>;q=0.5;expires="30"', "<sip:broken", "*", "sip:3@h;expires=x",
        "<sip:4@h>;expires=0",
    )  # fmt: skip
    assert bound(response) == [Bound("sip:1@h:1", 20), Bound("sip:2@h", 30), Bound("sip:3@h", None)]


@pytest.mark.parametrize(
    ("contacts", "uri"),
    [
        ([f"<{OURS}>;expires=60"], OURS),
        (["<sip:35621000000@192.0.2.7:40000>;expires=60"], "sip:35621000000@192.0.2.7:40000"),  # parameters went
        (["<sip:%335621000000@192.0.2.7:40000;ob>"], "sip:%335621000000@192.0.2.7:40000;ob"),  # escaped (19.1.4)
        (["<sip:35621000000@192.0.2.7:5099>"], "sip:35621000000@192.0.2.7:5099"),  # altered port
        (["<sip:35621000000@198.51.100.1:40001>", f"<{PBX.uri}>"], "sip:35621000000@198.51.100.1:40001"),
        ([f"<{PBX.uri}>", "<sip:else@192.0.2.7:5099>"], None),  # nothing new of our user
        (["<sip:35621000000@192.0.2.7:1>", "<sip:35621000000@192.0.2.7:2>"], None),  # which of them?
        ([], None),
    ],
)
def test_our_own_binding(contacts: list[str], uri: str | None) -> None:
    own = ours(bound(answer(*contacts)), OURS, [PBX])
    assert (own.uri if own else None) == uri


def test_the_port_is_compared_as_a_whole() -> None:
    """4000 and 40000 begin the same."""
    near = contact_uri("35621000000", "192.0.2.7", 4000, "UDP")
    held = bound(answer(f"<{OURS}>;expires=3600", f"<{near}>;expires=60"))
    own = ours(held, near, [])
    assert own is not None
    assert own.expires_s == 60


@pytest.mark.parametrize(
    ("response", "granted"),
    [
        (answer(f"<{OURS}>;expires=60", expires="3600"), 60),
        (answer(f"<{OURS}>", expires="3600"), 3600),
        (answer(expires="300"), 300),
        (answer(f"<{PBX.uri}>;expires=200"), None),
        (answer(), None),
        (answer(expires="soon"), None),
    ],
)
def test_the_time_granted(response: sip.Response, granted: int | None) -> None:
    assert granted_s(response, ours(bound(response), OURS, [PBX])) == granted


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sip:a@H.example", "SIP:a@h.EXAMPLE:5060;x=y", True),
        ("sip:A@h", "sip:a@h", False),
        ("sip:a@[2001:db8::1]:5061", "sip:a@[2001:DB8::1]:5061?x", True),
        ("sip:h", "sip:@h", True),
        ("tel:1", "tel:1", True),
        ("tel:1", "tel:2", False),
    ],
)
def test_places(one: str, other: str, same: bool) -> None:
    assert same_place(one, other) is same


@given(st.text(max_size=100), st.text(max_size=100))
def test_no_text_does_more_than_differ(one: str, other: str) -> None:
    assert same_place(one, one)
    same_place(one, other)
