"""Captures of every kind that a site brings: the SIP in them is what tshark finds, and damage raises nothing."""

import gzip
import random
import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gosip_check.trace import captures
from gosip_check.trace.reading import CUT, FILTERED, Trace, TraceError, read
from gosip_check.trace.sides import Trunk, heard_in
from gosip_check.wire.sip import parse

PBX, SITE = b"\xc0\x00\x02\x32", b"\xd9\x16\xb8\x1b"
START_S = 1_700_000_000


def sip(first: str, cseq: str, pad: int = 0, body: str = "") -> bytes:
    lines = [first, "Via: SIP/2.0/UDP 192.0.2.50;rport;branch=z9hG4bK1", "Call-ID: a", f"CSeq: {cseq}"]
    lines += ["From: <sip:35621669015@trunk.gotel.com.mt>;tag=1", "To: <sip:35621669015@trunk.gotel.com.mt>"]
    lines += [f"X-Pad: {'p' * pad}", f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()


REGISTER = sip("REGISTER sip:trunk.gotel.com.mt SIP/2.0", "1 REGISTER")
ANSWER = sip("SIP/2.0 200 OK", "1 REGISTER")
OPTIONS = sip("OPTIONS sip:35621669015@192.0.2.50 SIP/2.0", "7 OPTIONS", pad=2500)
TALK = [(PBX, SITE, REGISTER), (SITE, PBX, ANSWER), (SITE, PBX, OPTIONS)]


def ipv4(source: bytes, destination: bytes, payload: bytes, number: int, protocol: int = 17, flags: int = 0) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), number, flags, 64, protocol, 0) + source + destination
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack("!H", ~total & 0xFFFF) + head[12:] + payload


def udp(content: bytes) -> bytes:
    return struct.pack("!HHHH", 5060, 5060, 8 + len(content), 0) + content


def datagrams(pieces: int = 1480) -> list[bytes]:
    """IP packets of TALK; what is longer than `pieces` goes in fragments."""
    packets = []
    for number, (source, destination, content) in enumerate(TALK, 1):
        payload = udp(content)
        for at in range(0, len(payload), pieces):
            more = 0x2000 if at + pieces < len(payload) else 0
            piece = payload[at : at + pieces]
            packets.append(ipv4(source, destination, piece, number, flags=more | at // 8))
    return packets


def segments() -> list[bytes]:
    """REGISTER over TCP in three pieces, the last two in the wrong order, after its SYN."""
    content = REGISTER
    cuts = [(0, content[:100]), (300, content[300:]), (100, content[100:300])]

    def tcp(sequence: int, flags: int, piece: bytes, number: int) -> bytes:
        head = struct.pack("!HHIIBBHHH", 40000, 5060, sequence, 1, 0x50, flags, 8192, 0, 0)
        return ipv4(PBX, SITE, head + piece, number, protocol=6)

    return [tcp(999, 2, b"", 1)] + [tcp(1000 + at, 16, piece, 9 + at) for at, piece in cuts]


def ethernet(packet: bytes, tags: bytes = b"") -> bytes:
    return b"\x02" * 12 + tags + b"\x08\x00" + packet


def pcap(frames: list[bytes], link: int = 1, order: str = "<", magic: int = 0xA1B2C3D4, keep: int = 65535) -> bytes:
    parts = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, keep, link)]
    for number, frame in enumerate(frames):
        kept = frame[:keep]
        parts.append(struct.pack(f"{order}IIII", START_S + number, 0, len(kept), len(frame)) + kept)
    return b"".join(parts)


def pcapng(frames: list[bytes]) -> bytes:
    """Two interfaces, the second raw IP with nanoseconds, and a block that nobody knows between them."""

    def block(kind: int, body: bytes) -> bytes:
        body += b"\0" * (-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    parts = [block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)), block(1, struct.pack("<HHI", 1, 0, 0))]
    parts += [
        block(1, struct.pack("<HHI", 101, 0, 0) + b"\x09\x00\x01\x00\x09\0\0\0" + b"\0\0\0\0"),
        block(0xBAD, b"x"),
    ]
    for number, frame in enumerate(frames):
        ticks = (START_S + number) * (10**9 if number % 2 else 10**6)
        data = frame[14:] if number % 2 else frame
        parts.append(
            block(6, struct.pack("<IIIII", number % 2, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data)) + data)
        )
    return b"".join(parts)


PLAIN = [ethernet(packet) for packet in datagrams(pieces=8000)]
PIECES = [ethernet(packet) for packet in datagrams()]
FIXTURES: dict[str, bytes] = {
    "plain": pcap(PLAIN),
    "big-endian": pcap(PLAIN, order=">"),
    "nanoseconds": pcap(PLAIN, magic=0xA1B23C4D),
    "fragments": pcap(PIECES),
    "port-filter": pcap(PIECES[:3]),
    "vlan": pcap([ethernet(p, b"\x88\xa8\x00\x05\x81\x00\x00\x07") for p in datagrams()]),
    "pppoe": pcap(
        [b"\x02" * 12 + b"\x88\x64\x11\x00\x00\x01" + struct.pack("!HH", len(p) + 2, 0x21) + p for p in datagrams()]
    ),
    "sll": pcap([b"\0\0\0\1\0\6" + b"\2" * 8 + b"\x08\x00" + p for p in datagrams()], link=113),
    "sll2": pcap([b"\x08\0\0\0" + b"\0\0\0\1" + b"\0\1\0\6" + b"\2" * 8 + p for p in datagrams()], link=276),
    "raw": pcap(datagrams(), link=101),
    "snaplen-200": pcap(PLAIN, keep=200),
    "tcp-in-pieces": pcap([ethernet(packet) for packet in segments()]),
    "pcapng": pcapng(PLAIN),
    "gzip": gzip.compress(pcap(PIECES), mtime=0),
    "cut-file": pcap(PLAIN)[:-50],
}


def read_bytes(content: bytes, folder: Path) -> Trace:
    path = folder / "trace"
    path.write_bytes(content)
    return read([path])


def first_lines(trace: Trace) -> list[str]:
    return sorted(each.sip.split(b"\r\n")[0].decode() for each in trace.messages)


@pytest.mark.waits
@pytest.mark.parametrize("name", FIXTURES)
def test_the_messages_are_those_of_tshark(name: str, tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    trace = read_bytes(FIXTURES[name], tmp_path)
    fields = ["-T", "fields", "-e", "sip.Request-Line", "-e", "sip.Status-Line"]
    told = subprocess.run(
        ["tshark", "-r", tmp_path / "trace", "-o", "tcp.reassemble_out_of_order:TRUE", "-Y", "sip", *fields],
        capture_output=True,
        text=True,
        check=False,
    )
    theirs = sorted(line.strip() for line in told.stdout.splitlines() if line.strip())
    ours = first_lines(trace)
    if name == "port-filter":  # a message that is not whole: here it is told, and marked as cut
        ours.remove(OPTIONS.split(b"\r\n")[0].decode())
    assert theirs
    assert ours == theirs


@pytest.mark.parametrize(("name", "cut"), [("fragments", 0), ("port-filter", 1), ("snaplen-200", 3), ("plain", 0)])
def test_a_message_whose_end_is_missing_is_marked(name: str, cut: int, tmp_path: Path) -> None:
    trace = read_bytes(FIXTURES[name], tmp_path)
    assert sum(each.cut for each in trace.messages) == cut
    assert (FILTERED in trace.gaps) == (name == "port-filter")
    assert (CUT in trace.gaps) == (name == "snaplen-200")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "trace is empty."),
        (pcap([]), "trace holds no packet."),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)) * 40, "trace is neither a capture nor a text log."),
        (b"a log\nof something else\n", "Is this the right file, and was the PBX calling meanwhile?"),
    ],
)
def test_a_file_that_holds_no_sip_is_called_what_it_is(content: bytes, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=re.escape(f"No SIP message was found. {sentence}")):
        heard_in(read_bytes(content, tmp_path), Trunk("trunk.gotel.com.mt", ["217.22.184.0/24"]))


def test_an_empty_file_beside_a_full_one_is_no_reason_to_stop(tmp_path: Path) -> None:
    """A capture that was begun anew every hour."""
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "full").write_bytes(FIXTURES["plain"])
    trace = read([tmp_path / "empty", tmp_path / "full"])
    assert (len(trace.messages), trace.gaps) == (len(TALK), ["empty is empty."])


def test_a_packet_that_a_mirror_shows_twice_is_one(tmp_path: Path) -> None:
    twice = bytearray(pcap([frame for frame in PLAIN for _ in (1, 2)]))
    at = 24
    for number in range(len(PLAIN) * 2):  # the copy comes 10 ms after
        struct.pack_into("<II", twice, at, START_S + number // 2, 10_000 * (number % 2))
        at += 16 + struct.unpack_from("<I", twice, at + 8)[0]
    assert len(read_bytes(bytes(twice), tmp_path).messages) == len(PLAIN)
    assert len(read_bytes(pcap([PLAIN[0], PLAIN[1], PLAIN[0]]), tmp_path).messages) == 3  # 2 s apart: a retransmission


def test_times_and_the_whole_message_come_through(tmp_path: Path) -> None:
    for name in ("nanoseconds", "pcapng", "gzip", "big-endian"):
        trace = read_bytes(FIXTURES[name], tmp_path)
        assert trace.messages[0].time_s == pytest.approx(START_S)
        assert trace.messages[-1].sip == OPTIONS
        parse(trace.messages[0].sip)


LOGS: dict[str, Callable[[bool, str], str]] = {
    "asterisk-pjsip": lambda sent, m: (
        f"<--- {'Transmitting' if sent else 'Received'} SIP request (9 bytes) {'to' if sent else 'from'} "
        f"UDP:217.22.184.27:5060 --->\n{m}\n"
    ),
    "asterisk-sip": lambda sent, m: (
        f"Reliably Transmitting (NAT) to 217.22.184.27:5060:\n{m}\n---\n"
        if sent
        else f"\n<--- SIP read from UDP:217.22.184.27:5060 --->\n{m}\n<------------->\n--- (9 headers 0 lines) ---\n"
    ),
    "pjsua": lambda sent, m: (
        f"08:00:01.123   pjsua_core.c  .{'TX' if sent else 'RX'} 9 bytes Request msg X/cseq=1 (tdta0x1) "
        f"{'to' if sent else 'from'} UDP 217.22.184.27:5060:\n{m}\n--end msg--\n"
    ),
    "freeswitch": lambda sent, m: (
        f"{'send' if sent else 'recv'} 9 bytes {'to' if sent else 'from'} udp/[217.22.184.27]:5060 at 08:00:01.123:\n"
        f"   {'-' * 72}\n" + "".join(f"   {line}\n" for line in m.split("\n")) + f"   {'-' * 72}\n"
    ),
    "cube": lambda sent, m: (
        f"*Nov 27 08:00:01.123: //1/SIP/Msg/ccsipDisplayMsg:\n{'Sent' if sent else 'Received'}:\n{m}\n"
    ),
    "prefixed": lambda sent, m: "".join(
        f"Nov 27 08:00:01 pbx sip[{n}]: {line}\n" for n, line in enumerate(m.split("\n"))
    ),
    "bare": lambda sent, m: f"{m}\n",
}


@pytest.mark.parametrize("form", LOGS)
def test_a_log_gives_the_same_messages_with_their_directions(form: str, tmp_path: Path) -> None:
    said = [(True, REGISTER), (False, ANSWER)]
    text = "".join(LOGS[form](sent, content.decode().replace("\r\n", "\n").rstrip() + "\n") for sent, content in said)
    trace = read_bytes(text.encode(), tmp_path)
    heard = heard_in(trace, Trunk("trunk.gotel.com.mt", ["217.22.184.0/24"]))
    assert [each.direction for each in heard.messages] == ["up", "down"]
    (register,) = heard.transactions
    assert (register.method, register.status) == ("REGISTER", 200)
    assert register.request.header("To") == "<sip:35621669015@trunk.gotel.com.mt>"


def test_which_side_is_the_pbx_is_asked_with_the_candidates(tmp_path: Path) -> None:
    only = sip("OPTIONS sip:x@192.0.2.50 SIP/2.0", "1 OPTIONS")
    frames = [ethernet(ipv4(PBX, b"\xc0\x00\x02\x33", udp(only), 1))]
    trace = read_bytes(pcap(frames), tmp_path)
    trunk = Trunk("trunk.gotel.com.mt", ["217.22.184.0/24"])
    with pytest.raises(TraceError, match=r"Which side is the PBX\? .*192\.0\.2\.50, 192\.0\.2\.51\."):
        heard_in(trace, trunk)
    assert heard_in(trace, trunk, pbx="192.0.2.50").messages[0].direction == "up"


@pytest.mark.parametrize("name", ["plain", "sll", "sll2", "vlan", "pppoe", "raw", "pcapng", "tcp-in-pieces"])
def test_a_packet_may_end_after_any_octet(name: str, tmp_path: Path) -> None:
    """A snaplen of any length, and one more packet that is whole."""
    content = FIXTURES[name]
    if name == "pcapng":
        cut = [pcapng([frame[:keep] for frame in PLAIN]) for keep in range(15, 70)]
    else:
        link = struct.unpack_from("<I", content, 20)[0]
        frames, at = [], 24
        while at < len(content):
            size = struct.unpack_from("<I", content, at + 8)[0]
            frames.append(content[at + 16 : at + 16 + size])
            at += 16 + size
        cut = [pcap(frames, link=link, keep=keep) for keep in range(70)]
    for each in cut:
        assert read_bytes(each, tmp_path).is_capture


def test_damage_raises_nothing_but_a_sentence(tmp_path: Path) -> None:
    """A fixed share; tests/bench/bench_trace.py takes a million."""
    chance = random.Random(1)
    names = sorted(FIXTURES)
    for number in range(400):
        content = bytearray(FIXTURES[names[number % len(names)]])
        for _ in range(chance.randint(1, 12)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        try:
            heard = heard_in(read_bytes(bytes(content[: chance.randrange(len(content))]), tmp_path), Trunk("t", []))
            assert heard.transactions is not None
        except TraceError:
            continue


def test_what_unpacks_to_more_than_any_capture_is_read_to_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million empty packets in a thousand octets, and a gigabyte of nothing in a megabyte."""
    empty = gzip.compress(pcap([]) + bytes(16) * 100_000)
    assert any("more packets than anything" in gap for gap in read_bytes(empty, tmp_path).gaps)
    monkeypatch.setattr(captures, "_LARGEST_BLOCK", 1 << 16)
    large = gzip.compress(pcap([bytes(60_000)] * 60), 9)
    assert any("unpacks to more than 256 times its size." in gap for gap in read_bytes(large, tmp_path).gaps)
