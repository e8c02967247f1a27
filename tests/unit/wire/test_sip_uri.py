"""Equivalent SIP URIs: the pairs that RFC 3261 19.1.4 lists, and garbage."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gosip_check.wire.sip_fields import WireError
from gosip_check.wire.sip_uri import equivalent, read_uri


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("SIP:probe@[2001:DB8::0:1]:5070", "sip:probe@[2001:db8::1]:5070"),
    ],
)
def test_equivalent(one: str, other: str) -> None:
    assert equivalent(one, other)
    assert equivalent(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:a%40b@example.com", "sip:a@b@example.com"),
        ("sips:bob@biloxi.com", "sip:bob@biloxi.com"),
        ("tel:+35621000000", "tel:+35621000001"),
    ],
)
def test_not_equivalent(one: str, other: str) -> None:
    assert not equivalent(one, other)
    assert not equivalent(other, one)


@given(st.text(), st.text())
def test_only_wire_errors_escape(one: str, other: str) -> None:
    assert equivalent(one, one)
    assert equivalent(one, other) == equivalent(other, one)
    with contextlib.suppress(WireError):
        read_uri("sip:" + one)
