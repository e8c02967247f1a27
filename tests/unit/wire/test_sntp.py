"""SNTP against bytes written out by hand and a real client; the lab asks a real server."""

import os
import re
import shutil
import struct
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gosip_check.servers.endpoint import Answers, Endpoint, Peer
from gosip_check.wire import sntp
from gosip_check.wire.sntp import SntpError

NONCE = 0x1122334455667788
SECOND = 1 << 32
# RFC 5905 figure 8: leap 0, version 4, mode 4; stratum 2; poll 6; precision -20; root delay 1/16 s; dispersion 1/32 s.
HEAD = bytes([0x24, 2, 6, 0xEC]) + struct.pack("!IIII", 0x1000, 0x800, 0x0A000001, 0) + bytes(4)


def reply(head: bytes = HEAD, origin: int = NONCE, receive: int = 0, transmit: int = 1) -> bytes:
    return head + struct.pack("!QQQ", origin, receive, transmit)


def test_the_epochs_are_seventy_years_apart() -> None:
    """RFC 5905 figure 4: 1 January 1970 is second 2 208 988 800, and 8 February 2036 begins era 1."""
    assert sntp.timestamp(0) == 2_208_988_800 << 32
    assert sntp.timestamp(500_000_000) & 0xFFFFFFFF == 0x80000000
    assert sntp.timestamp(2_085_978_496 * 1_000_000_000) == 0


def test_offset_and_delay_are_those_of_the_standard() -> None:
    """T1 = 100, T2 = 103.25, T3 = 103.5, T4 = 101: offset ((T2 - T1) + (T3 - T4)) / 2 = 2.875, delay 0.75."""
    parsed = sntp.parse_reply(reply(receive=103 * SECOND + SECOND // 4, transmit=103 * SECOND + SECOND // 2), NONCE)
    assert parsed.offset_ms(100 * SECOND, 101 * SECOND) == 2875
    assert parsed.delay_ms(100 * SECOND, 101 * SECOND) == 750
    assert (parsed.stratum, parsed.root_delay_ms, parsed.root_dispersion_ms) == (2, 62.5, 31.25)


def test_the_turn_of_the_era_is_no_century() -> None:
    before, after = (1 << 64) - SECOND, SECOND
    parsed = sntp.parse_reply(reply(receive=after, transmit=after), NONCE)
    assert parsed.offset_ms(before, before) == 2000


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "0 octets are too few for NTP"),
        (reply()[:-1], "47 octets are too few for NTP"),
        (reply(bytes([0x23]) + HEAD[1:]), "mode 3, version 4 is no server's answer"),
        (reply(origin=1), "an answer to another question than ours"),
        (reply(bytes([0x24, 17]) + HEAD[2:]), "stratum 17 does not exist"),
        (reply(transmit=0), "it does not tell its time"),
    ],
)
def test_what_is_no_answer_says_why(data: bytes, says: str) -> None:
    with pytest.raises(SntpError, match=f"^{says}$"):
        sntp.parse_reply(data, NONCE)


def test_a_kiss_and_a_server_without_time() -> None:
    kiss = sntp.parse_reply(reply(bytes([0xE4, 0, 6, 0xEC]) + bytes(8) + b"RATE" + bytes(8), transmit=0), NONCE)
    assert kiss.kiss == "RATE"
    lost = sntp.parse_reply(reply(bytes([0xE4, 0, 6, 0xEC]) + bytes(20)), NONCE)  # what chronyd sends without a source
    assert (lost.kiss, lost.unsynchronised) == ("", True)


@given(st.binary(max_size=80))
def test_no_octets_do_more_than_that(data: bytes) -> None:
    try:
        sntp.parse_reply(data, NONCE)
    except SntpError:
        return


@pytest.mark.waits
@pytest.mark.skipif(shutil.which("chronyd") is None or os.geteuid() != 0, reason="needs Debian's chrony, and root")
@pytest.mark.parametrize("offset_s", [-3, 5])
def test_chronyd_reads_what_we_answer(offset_s: int) -> None:
    """A real client, told a time that is wrong by so much, says so, with the sign."""

    def tell(message: bytes, peer: Peer, transport: str) -> Answers:
        now = sntp.timestamp(time.time_ns() + offset_s * 1_000_000_000)
        return sntp.answer(message, 2, now, now)

    with Endpoint("127.0.0.1", tell, lambda buffer: (None, buffer)) as server:
        asking = f"server 127.0.0.1 port {server.port} iburst maxsamples 1"
        done = subprocess.run(
            ["chronyd", "-Q", "-x", "-t", "5", "-f", "/dev/null", asking], capture_output=True, text=True, timeout=20
        )
    said = re.search(r"System clock wrong by (-?[0-9.]+) seconds", done.stderr)
    assert said, done.stderr
    assert float(said[1]) == pytest.approx(offset_s, abs=0.5)
