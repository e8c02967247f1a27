"""The reflector on loopback, asked by packets that nobody here wrote (scapy) and by what the internet will send it."""

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from ipaddress import ip_network
from typing import Any

import pytest

from gosip_check.servers.limits import Limits
from gosip_check.servers.reflector import Reflector, ReflectorOptions
from gosip_check.servers.stamp_reflector import Arrival, StampReflector
from gosip_check.wire import sip, sip_mirror, stamp, stamp_tlv
from gosip_check.wire.sip_stream import take_from_stream
from gosip_check.wire.stamp_tlv import Tlv

pytestmark = pytest.mark.waits

KEY = b"0123456789abcdef"
OPTIONS = (
    b"OPTIONS sip:trunk.example SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.1:5555;rport;branch=z9hG4bK1\r\n"
    b"From: <sip:a@trunk.example>;tag=1\r\nTo: <sip:trunk.example>\r\nCall-ID: c@127.0.0.1\r\nCSeq: 1 OPTIONS\r\n"
    b"Max-Forwards: 70\r\nX-Padding: " + b"a" * 600 + b"\r\nContent-Length: 0\r\n\r\n"
)


@contextmanager
def reflecting(**options: Any) -> Iterator[Reflector]:
    stop = threading.Event()
    with Reflector.open(ReflectorOptions(**{"addresses": ("127.0.0.1",), "ports": (0,), **options})) as reflector:
        thread = threading.Thread(target=reflector.serve, args=(stop,))
        thread.start()
        try:
            yield reflector
        finally:
            stop.set()
            thread.join()


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def exchange(sock: socket.socket, data: bytes, port: int) -> bytes:
    sock.sendto(data, ("127.0.0.1", port))
    return sock.recv(4096)


def sender(**options: Any) -> stamp.SenderPacket:
    return stamp.SenderPacket(**{"length": 44, **options})


def arrival(host: str = "192.0.2.1", port: int = 40000) -> Arrival:
    return Arrival((host, port), 862, 64, 0, time.time_ns())


def core(**options: Any) -> StampReflector:
    return StampReflector(Limits((), 1e9), **options)


def test_scapys_packets_are_answered_and_scapy_reads_the_answers(client: socket.socket) -> None:
    scapy = import_module("scapy.contrib.stamp")
    request = scapy.STAMPSessionSenderTestUnauthenticated(
        seq=41,
        ts=3_900_000_000.25,
        ssid=513,
        tlv_objects=[scapy.STAMPTestTLV(flags=0x80, type=1, len=12, value=b"p" * 12)],
    )
    with reflecting() as reflector:
        first = scapy.STAMPSessionReflectorTestUnauthenticated(
            exchange(client, bytes(request), reflector.stamp_ports[0])
        )
        request.seq = 47
        second = scapy.STAMPSessionReflectorTestUnauthenticated(
            exchange(client, bytes(request), reflector.stamp_ports[0])
        )
    assert (first.seq, second.seq) == (0, 1)  # stateful: its own count
    assert (first.seq_sender, second.seq_sender) == (41, 47)
    assert first.ssid == 513
    assert first.ts_sender == pytest.approx(3_900_000_000.25, abs=1e-6)
    assert first.ttl_sender == 64
    assert first.err_estimate_sender.multiplier == 1
    assert 0 <= first.ts - first.ts_rx < 5
    assert (first.tlv_objects[0].type, first.tlv_objects[0].value) == (1, b"p" * 12)
    assert int(first.tlv_objects[0].flags) == 0


def test_our_packets_are_read_by_scapy(client: socket.socket) -> None:
    scapy = import_module("scapy.contrib.stamp")
    octets = bytes(sender(length=222, ssid=7, tlvs=[Tlv(4, bytes(4))]).fill(5, 1_700_000_000_500_000_000))
    read = scapy.STAMPSessionSenderTestUnauthenticated(octets)
    assert (read.seq, read.ssid) == (5, 7)
    assert read.ts == pytest.approx(1_700_000_000.5 + 2_208_988_800, abs=1e-6)
    assert (read.err_estimate.S, read.err_estimate.Z, read.err_estimate.multiplier) == (0, 0, 163)
    # By number: scapy names the flag bits from the wrong end (RFC 8972 4 puts U first).
    assert [(tlv.type, tlv.len, int(tlv.flags)) for tlv in read.tlv_objects] == [(4, 4, 0x80), (1, 166, 0x80)]


def test_a_twamp_light_sender_with_random_padding_keeps_one_session(client: socket.socket) -> None:
    """RFC 5357 4.1.2: sequence, timestamp, error estimate, then padding that may be random."""
    chance = random.Random(5357)
    with reflecting() as reflector:
        counts = []
        for number in range(3):
            packet = number.to_bytes(4, "big") + bytes(8) + b"\0\x01" + chance.randbytes(60)
            answer = exchange(client, packet, reflector.stamp_ports[0])
            assert len(answer) == len(packet)
            counts.append((int.from_bytes(answer[0:4], "big"), int.from_bytes(answer[24:28], "big")))
    assert counts == [(0, 0), (1, 1), (2, 2)]


def test_the_mapping_the_marking_and_the_port_are_told(client: socket.socket) -> None:
    tlvs = [Tlv(stamp_tlv.CLASS_OF_SERVICE, bytes([34 << 2, 0, 0, 0])), stamp_tlv.LOCATION_REQUEST]
    client.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 46 << 2)
    client.setsockopt(socket.IPPROTO_IP, 13, 1)
    with reflecting() as reflector:
        port = reflector.stamp_ports[0]
        client.sendto(sender(length=222, tlvs=tlvs).fill(0, time.time_ns()), ("127.0.0.1", port))
        data, ancillary, _, _ = client.recvmsg(4096, 100)
    reply = stamp.parse_reply(data)
    assert stamp_tlv.ClassOfService.parse(reply.tlv(4) or b"") == (34, 46, 0, False)
    assert [value[0] >> 2 for _, kind, value in ancillary if kind == 1] == [34]
    location = stamp_tlv.Location.parse(reply.tlv(2) or b"")
    assert location == (port, client.getsockname()[1], bytes([127, 0, 0, 1]))


def test_only_signed_packets_are_answered_when_there_is_a_key(client: socket.socket) -> None:
    signed = sender(length=222, tlvs=[Tlv(4, bytes(4))], key=KEY)
    now_ns = time.time_ns()
    with reflecting(key=KEY) as reflector:
        client.sendto(sender(length=222).fill(0, now_ns), ("127.0.0.1", reflector.stamp_ports[0]))
        client.sendto(
            sender(length=222, key=b"another key of ours").fill(0, now_ns), ("127.0.0.1", reflector.stamp_ports[0])
        )
        reply = stamp.parse_reply(exchange(client, bytes(signed.fill(3, now_ns)), reflector.stamp_ports[0]), KEY)
    assert reply.sender_sequence == 3
    assert reply.tlv(4) is not None
    assert reflector.counters.unsigned == 2


DAY_S = 86_400


@pytest.mark.parametrize(
    ("late_s", "answered"), [(0, True), (14 * 3600, True), (-14 * 3600, True), (2 * DAY_S, False), (-2 * DAY_S, False)]
)
def test_a_signed_packet_is_answered_on_its_own_day(late_s: int, answered: bool) -> None:
    """A recording is worth nothing the day after; a clock in the wrong time zone is off by 14 hours at most."""
    packet = bytes(sender(length=222, key=KEY).fill(0, time.time_ns() - late_s * 10**9))
    reflector = core(key=KEY)
    assert (reflector.receive(packet, arrival(), 0.0, time.time_ns) is not None) == answered
    assert reflector.counters.old == (not answered)


def test_without_a_key_any_time_is_answered() -> None:
    assert core().receive(bytes(sender().fill(0, 0)), arrival(), 0.0, time.time_ns) is not None


def later(wait_ms: int, proof: bytes = bytes(8)) -> list[Tlv]:
    return [Tlv(stamp_tlv.ANSWER_LATER, wait_ms.to_bytes(4, "big")), Tlv(stamp_tlv.PROOF, proof)]


def proven(reflector: StampReflector, host: str = "192.0.2.1") -> bytes:
    answer = reflector.receive(bytes(sender(length=64, tlvs=later(0)).fill(0, 0)), arrival(host), 0.0, time.time_ns)
    assert answer is not None
    return stamp.parse_reply(answer.data).tlv(stamp_tlv.PROOF) or b""


def test_a_late_answer_comes_when_it_was_asked_for(client: socket.socket) -> None:
    with reflecting() as reflector:
        port = reflector.stamp_ports[0]
        ask = sender(length=64, tlvs=later(0))
        proof = stamp.parse_reply(exchange(client, bytes(ask.fill(0, time.time_ns())), port)).tlv(stamp_tlv.PROOF)
        late = sender(length=64, tlvs=later(300, proof or b""))
        client.sendto(late.fill(1, time.time_ns()), ("127.0.0.1", port))
        prompt = stamp.parse_reply(exchange(client, bytes(sender().fill(2, time.time_ns())), port))
        reply = stamp.parse_reply(client.recv(4096))
    assert prompt.sender_sequence == 2
    assert reply.sender_sequence == 1
    assert reply.tlv(stamp_tlv.ANSWER_LATER) == (300).to_bytes(4, "big")
    assert reply.sent_ns is not None
    assert reply.received_ns is not None
    assert reply.sent_ns - reply.received_ns >= 300_000_000


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "signed"])
def test_who_has_proven_nothing_is_answered_at_once_and_hears_so(key: bytes | None) -> None:
    reflector = core(key=key)
    for tlvs in (later(1000), later(1000, b"invented"), later(1000)[:1]):
        packet = bytes(sender(length=212, tlvs=tlvs, key=key).fill(0, time.time_ns()))
        answer = reflector.receive(packet, arrival(), 0.0, time.time_ns)
        assert answer is not None
        reply = stamp.parse_reply(answer.data, key)
        assert [tlv.flags for tlv in reply.tlvs if tlv.type == stamp_tlv.ANSWER_LATER] == [stamp_tlv.UNRECOGNIZED]
    assert reflector.next_s is None


def test_the_proof_of_one_address_is_none_of_another_nor_of_another_reflector() -> None:
    reflector, other = core(), core()
    proofs = {proven(reflector), proven(reflector, "192.0.2.2"), proven(other)}
    assert len(proofs) == 3
    assert proven(reflector) in proofs
    packet = bytes(sender(length=64, tlvs=later(1000, proven(reflector, "192.0.2.2"))).fill(0, 0))
    assert reflector.receive(packet, arrival(), 0.0, time.time_ns) is not None


def test_made_up_sources_leave_room_for_late_answers() -> None:
    reflector = core()
    packet = bytes(sender(length=64, tlvs=later(600_000)).fill(0, 0))
    for number in range(10_000):
        reflector.receive(packet, arrival(f"10.0.{number >> 8}.{number & 255}"), 0.0, time.time_ns)
    honest = bytes(sender(length=64, tlvs=later(1000, proven(reflector))).fill(1, 0))
    assert reflector.receive(honest, arrival(), 0.0, time.time_ns) is None
    assert reflector.next_s == 1.0


def test_short_packets_and_well_known_source_ports_get_no_answer() -> None:
    reflector = core()
    packet = bytes(sender().fill(0, 0))
    assert reflector.receive(packet[:43], arrival(), 0.0, time.time_ns) is None
    for port in (7, 19, 53, 862, 1023):
        assert reflector.receive(packet, arrival(port=port), 0.0, time.time_ns) is None
    assert reflector.receive(packet, arrival(), 0.0, time.time_ns) is not None
    assert (reflector.counters.too_short, reflector.counters.bad_source) == (1, 5)


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "signed"])
@pytest.mark.parametrize("tlvs", [[], [Tlv(stamp_tlv.LOCATION, bytes(4))]], ids=["bare", "tlv"])
def test_two_reflectors_do_not_keep_each_other_busy(key: bytes | None, tlvs: list[Tlv]) -> None:
    """What one of them answers, sent on to the other from any port, ends there."""
    one, other = core(key=key), core(key=key)
    packet = sender(length=200, tlvs=tlvs, key=key).fill(7, time.time_ns())
    answer = one.receive(bytes(packet), arrival(port=50000), 0.0, time.time_ns)
    assert answer is not None
    assert other.receive(answer.data, arrival("192.0.2.2", 40000), 0.0, time.time_ns) is None
    assert other.counters.bad_source == 1


@pytest.mark.parametrize("padding", [b"\0" * 28, b"\xff" * 28, bytes(range(28)), b"perfSONAR".ljust(28, b"\0")])
def test_a_twamp_sender_may_pad_as_it_likes(padding: bytes) -> None:
    """RFC 5357 4.1.2: random padding, or zeros, where STAMP has MBZ."""
    packet = bytes(sender().fill(0, time.time_ns()))[:16] + padding
    assert core().receive(packet, arrival(), 0.0, time.time_ns) is not None


def test_only_allowed_prefixes_are_answered() -> None:
    limits = Limits([ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")], 1e9)
    reflector = StampReflector(limits)
    packet = bytes(sender().fill(0, 0))
    answered = [
        host
        for host in ("192.0.2.9", "198.51.100.1", "2001:db8::5", "2001:db9::5", "fe80::1%eth0")
        if reflector.receive(packet, arrival(host), 0.0, time.time_ns)
    ]
    assert answered == ["192.0.2.9", "2001:db8::5"]
    assert reflector.counters.not_allowed == 3


def test_one_source_is_limited_and_told_so_and_others_are_not() -> None:
    reflector = StampReflector(Limits((), 100))
    ask = sender(length=56, tlvs=[Tlv(stamp_tlv.FAR_DROPS, bytes(8))])
    for _ in range(150):
        reflector.receive(bytes(ask.fill(0, 0)), arrival(), 10.0, time.time_ns)
    assert reflector.counters.answered == 100
    assert reflector.receive(bytes(ask.fill(0, 0)), arrival("192.0.2.2"), 10.0, time.time_ns) is not None
    answer = reflector.receive(bytes(ask.fill(0, 0)), arrival(), 10.5, time.time_ns)
    assert answer is not None
    drops = stamp_tlv.FarDrops.parse(stamp.parse_reply(answer.data).tlv(stamp_tlv.FAR_DROPS) or b"")
    assert drops == (0, 50)


def test_made_up_sources_push_out_each_other_but_no_session_that_speaks() -> None:
    reflector = core()
    packet = sender(ssid=1)
    now_s = 0.0
    sequences = []
    for number in range(40_000):
        now_s += 0.00001
        spoofed = arrival(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")
        reflector.receive(bytes(packet.fill(0, 0)), spoofed, now_s, time.time_ns)
        if number % 1000 == 0:
            answer = reflector.receive(bytes(packet.fill(number, 0)), arrival(), now_s, time.time_ns)
            assert answer is not None
            sequences.append(stamp.parse_reply(answer.data).sequence)
    assert sequences == list(range(40))
    assert reflector.sessions <= 8_192 + 1
    assert reflector.limits.remembered <= 2 * 8_192
    reflector.expire(now_s + 61)
    assert reflector.sessions == 0


def test_waiting_answers_are_bounded_per_source() -> None:
    reflector = core()
    packet = bytes(sender(length=64, tlvs=later(1000, proven(reflector))).fill(0, 0))
    at_once = [
        reflector.receive(packet, arrival(port=2000 + number), 0.0, time.time_ns) is not None for number in range(100)
    ]
    assert at_once == [False] * 64 + [True] * 36
    answers = 0
    while reflector.due(2.0, time.time_ns):
        answers += 1
    assert answers == 64
    assert reflector.next_s is None


def test_garbage_is_survived_and_never_answered_with_more(client: socket.socket) -> None:
    chance = random.Random(8762)
    with reflecting() as reflector:
        place = ("127.0.0.1", reflector.stamp_ports[0])
        for _ in range(40):
            sizes = [chance.randrange(0, 300) for _ in range(50)]
            for size in sizes:
                client.sendto(chance.randbytes(size), place)
            client.sendto(sender(length=512).fill(1, 0), place)
            answers = [client.recv(4096)]
            while len(answers[-1]) != 512:
                answers.append(client.recv(4096))
            assert [len(answer) for answer in answers[:-1]] == [size for size in sizes if size >= 44]
    assert reflector.counters.received == reflector.counters.answered + reflector.counters.too_short


def test_the_mirror_returns_what_arrived_and_from_where(client: socket.socket) -> None:
    with reflecting(sip_ports=(0,)) as reflector:
        answer = exchange(client, OPTIONS, reflector.sip_ports[0])
    assert len(answer) <= len(OPTIONS)
    mirrored = sip_mirror.read(answer)
    assert mirrored.received == OPTIONS
    assert mirrored.source == client.getsockname()
    assert mirrored.answer == answer
    response = sip.parse(answer)
    assert isinstance(response, sip.Response)
    assert (response.status, response.vias[0].rport, response.cseq.method) == (200, client.getsockname()[1], "OPTIONS")


def test_the_mirror_shows_a_rewriting_in_either_direction() -> None:
    rewritten = OPTIONS.replace(b"Call-ID: c@127.0.0.1", b"Call-ID: c@203.0.113.9")
    answer = sip_mirror.answer(rewritten, ("203.0.113.9", 5555))
    assert sip_mirror.read(answer).received == rewritten
    changed = answer.replace(b"Call-ID: c@203.0.113.9", b"Call-ID: c@127.0.0.1")
    assert sip_mirror.read(changed).received == rewritten
    assert sip_mirror.read(changed).answer != changed


def test_the_mirror_answers_nothing_longer_than_its_request(client: socket.socket) -> None:
    short = OPTIONS.replace(b"X-Padding: " + b"a" * 600 + b"\r\n", b"")
    with reflecting(sip_ports=(0,)) as reflector:
        client.sendto(short, ("127.0.0.1", reflector.sip_ports[0]))
        client.sendto(b"SIP/2.0 200 OK\r\nVia: x\r\n\r\n" + bytes(600), ("127.0.0.1", reflector.sip_ports[0]))
        client.sendto(OPTIONS.replace(b"OPTIONS", b"ACK"), ("127.0.0.1", reflector.sip_ports[0]))
        answer = exchange(client, OPTIONS, reflector.sip_ports[0])
    assert sip_mirror.read(answer).received == OPTIONS
    assert (reflector.mirrored, reflector.not_mirrored) == (1, 3)


def test_sip_ports_answer_stamp_as_well(client: socket.socket) -> None:
    """Else a far end with --all-ports would seem to be blocked there."""
    packet = bytes(sender(length=52, tlvs=[Tlv(stamp_tlv.LOCATION, bytes(4))]).fill(9, time.time_ns()))
    with reflecting(sip_ports=(0,)) as reflector:
        port = reflector.sip_ports[0]
        reply = stamp.parse_reply(exchange(client, packet, port))
        mirrored = sip_mirror.read(exchange(client, OPTIONS, port))
    location = stamp_tlv.Location.parse(reply.tlv(stamp_tlv.LOCATION) or b"")
    assert (reply.sender_sequence, location.destination_port) == (9, port)
    assert mirrored.received == OPTIONS


def test_the_mirror_works_over_tcp_in_pieces_and_needs_no_padding() -> None:
    short = OPTIONS.replace(b"X-Padding: " + b"a" * 600 + b"\r\n", b"")
    with (
        reflecting(sip_ports=(0,)) as reflector,
        socket.create_connection(("127.0.0.1", reflector.sip_ports[0]), 5) as sock,
    ):
        sock.sendall(short[:50])
        sock.sendall(short[50:] + short)
        data = b""
        answers: list[bytes] = []
        while len(answers) < 2:
            message, data = take_from_stream(data)
            if message is None:
                data += sock.recv(4096)
            else:
                answers.append(message.raw)
        source = sock.getsockname()
    assert [sip_mirror.read(answer) for answer in answers] == [(short, source, answer) for answer in answers]


def test_a_tcp_peer_that_sends_nonsense_is_cut_off() -> None:
    with (
        reflecting(sip_ports=(0,)) as reflector,
        socket.create_connection(("127.0.0.1", reflector.sip_ports[0]), 5) as sock,
    ):
        sock.sendall(b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")
        assert sock.recv(4096) == b""


def test_a_taken_port_is_named() -> None:
    with reflecting() as reflector, pytest.raises(OSError, match=rf"127.0.0.1 port {reflector.stamp_ports[0]}/UDP"):
        Reflector.open(ReflectorOptions(addresses=("127.0.0.1",), ports=(reflector.stamp_ports[0],)))
