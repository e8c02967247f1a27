"""Which site a PBX registers at first: the best SRV record, unless that one was of no use just before."""

import pytest

from gosip_check.heard import Heard, Lookup, Message
from gosip_check.probes.pbx import names

PBX, SITE_A, SITE_B = ("192.168.1.20", 5060), ("217.22.184.27", 5060), ("217.22.185.27", 5060)
SRV = "_sip._udp.trunk.gotel.com.mt"
LOOKUP = Lookup(
    1.0,
    SRV,
    "SRV",
    [
        (SRV, "SRV", "45 50 5060 a.trunk.gotel.com.mt"),
        (SRV, "SRV", "50 50 5060 b.trunk.gotel.com.mt"),
        ("a.trunk.gotel.com.mt", "A", SITE_A[0]),
        ("b.trunk.gotel.com.mt", "A", SITE_B[0]),
    ],
)


def register(time_s: float, site: tuple[str, int], status: int | None, *, with_password: bool = False) -> list[Message]:
    """A REGISTER, and its answer where there is one."""
    head = (
        f"Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bK{time_s}\r\n"
        f"From: <sip:1@trunk.gotel.com.mt>;tag=a\r\nTo: <sip:1@trunk.gotel.com.mt>\r\nCall-ID: c{time_s}\r\n"
        "CSeq: 1 REGISTER\r\nContent-Length: 0\r\n"
    )
    login = 'Authorization: Digest username="1"\r\n' if with_password else ""
    asked = f"REGISTER sip:trunk.gotel.com.mt SIP/2.0\r\n{login}{head}\r\n".encode()
    said = [Message(time_s, "up", "UDP", PBX, site, asked)]
    if status is not None:
        said.append(Message(time_s + 0.1, "down", "UDP", site, PBX, f"SIP/2.0 {status} X\r\n{head}\r\n".encode()))
    return said


def order(*registers: list[Message]) -> object:
    heard = Heard("trace", [message for each in registers for message in each], lookups=[LOOKUP])
    return names._order(heard, SRV).value


@pytest.mark.parametrize(
    ("status", "with_password", "kind"),
    [
        (None, False, "best"),
        (503, False, "best"),
        (403, True, "best"),
        (401, True, "best"),
        (401, False, "worse"),  # a challenge is to be answered where it came from
        (200, True, "worse"),
    ],
)
def test_the_second_site_after_the_first(status: int | None, with_password: bool, kind: str) -> None:
    after = order(register(2.0, SITE_A, status, with_password=with_password), register(4.0, SITE_B, 200))
    assert after == kind


def test_the_second_site_alone() -> None:
    assert order(register(2.0, SITE_B, 200)) == "worse"
