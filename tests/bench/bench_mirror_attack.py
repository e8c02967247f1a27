"""The reflector while strangers attack its SIP mirror over TCP; loopback, one address of 127.0.0.0/8 for each source.

    python -m tests.bench.bench_mirror_attack

Wanted: a third party's 500 STAMP packets are all answered, none late, and its own SIP is mirrored over TCP meanwhile.
"""

import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gosip_check.wire import sip_mirror, stamp, stamp_tlv
from gosip_check.wire.stamp_tlv import Tlv

PORT, SIP_PORT = 18620, 18650
PACKETS, EVERY_S = 500, 0.01
HEAD = (
    b"OPTIONS sip:trunk.example SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1:5555;rport;branch=z9hG4bK1\r\n"
    b"From: <sip:a@trunk.example>;tag=1\r\nTo: <sip:trunk.example>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n"
)
MESSAGE = HEAD + b"Content-Length: 0\r\n\r\n"


def main() -> None:
    """Print the table."""
    print(f"{'attack':22} | STAMP lost of {PACKETS} | round trip ms: median, worst | mirrored over TCP")
    for name, attack in ATTACKS.items():
        with _reflector(), _in_threads(attack):
            time.sleep(1.0)
            mirrored = 0
            round_trips_ms: list[float] = []
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind(("127.0.9.9", 0))
                sock.settimeout(1.0)
                for number in range(PACKETS):
                    round_trips_ms += _asked(sock, number)
                    if number % 50 == 0:
                        mirrored += _is_mirrored()
                    time.sleep(EVERY_S)
        middle = statistics.median(round_trips_ms or [0.0])
        print(
            f"{name:22} | {PACKETS - len(round_trips_ms)} | {middle:.2f}, {max(round_trips_ms, default=0):.1f} | "
            f"{mirrored} of {PACKETS // 50}",
            flush=True,
        )


def _asked(sock: socket.socket, number: int) -> list[float]:
    """One round trip in ms; none where no answer came within a second."""
    sent_ns = time.time_ns()
    sock.sendto(stamp.SenderPacket(length=200).fill(number, sent_ns), ("127.0.0.1", PORT))
    try:
        while stamp.parse_reply(sock.recv(4096)).sender_sequence != number:
            pass
    except TimeoutError:
        return []
    return [(time.time_ns() - sent_ns) / 1e6]


def _is_mirrored() -> bool:
    try:
        with _connected("127.0.9.9") as sock:
            sock.sendall(MESSAGE)
            return sip_mirror.read(sock.recv(65535)).received == MESSAGE
    except OSError:
        return False


def _connected(source: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", SIP_PORT), 1, source_address=(source, 0))


@contextmanager
def _reflector() -> Iterator[None]:
    command = [sys.executable, "-m", "gosip_check", "reflector", "--bind", "127.0.0.1", "--port", str(PORT)]
    process = subprocess.Popen([*command, "--sip-port", str(SIP_PORT)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.terminate()
        process.communicate(timeout=10)


Attack = Callable[[threading.Event], None]


@contextmanager
def _in_threads(attack: Attack) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=attack, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _trickle(stop: threading.Event) -> None:
    """200 connections of 25 sources, one octet a time into a head that is nearly 8 KiB long."""
    octets = HEAD + b"a: b\r\n" * 1_200
    at: dict[socket.socket, int] = {}
    number = 0
    while not stop.is_set():
        while len(at) < 200 and not stop.is_set():
            number += 1
            try:
                sock = _connected(f"127.0.1.{number % 25 + 1}")
                sock.setblocking(False)
                sock.send(octets[:7_500])
                at[sock] = 7_500
            except OSError:
                break
        for sock in list(at):
            try:
                at[sock] += sock.send(octets[at[sock] : at[sock] + 1])
            except OSError:
                sock.close()
                del at[sock]
        stop.wait(0.1)
    for sock in at:
        sock.close()


def _pipeline(stop: threading.Event) -> None:
    """One source that sends as many messages as it can over one connection, again and again."""
    while not stop.is_set():
        try:
            with _connected("127.0.1.1") as sock:
                for _ in range(100):
                    sock.sendall(MESSAGE * 50)
        except OSError:
            stop.wait(0.01)


def _long(stop: threading.Event) -> None:
    """Three sources that have messages of 8 KiB mirrored, as many as they get."""
    message = MESSAGE.replace(b"Call-ID: c", b"Call-ID: " + b"c" * 7_800)
    while not stop.is_set():
        for number in range(3):
            try:
                with _connected(f"127.0.1.{number + 1}") as sock:
                    sock.sendall(message * 20)
                    while sock.recv(65_535):
                        pass
            except OSError:
                stop.wait(0.01)


def _idle_of(sources: int) -> Attack:
    """400 connections that say nothing, opened again where they were closed."""

    def attack(stop: threading.Event) -> None:
        socks: list[socket.socket] = []
        number = 0
        while not stop.is_set():
            if len(socks) >= 400:
                socks.pop(0).close()
            number += 1
            try:
                socks.append(_connected(f"127.0.{1 + number % sources // 250}.{number % sources % 250 + 1}"))
            except OSError:
                stop.wait(0.01)
            if number >= 400:
                stop.wait(0.05)
        for sock in socks:
            sock.close()

    return attack


def _late_answers(stop: threading.Event) -> None:
    """Packets of thousands of sources that ask for an answer in ten minutes."""
    packet = stamp.SenderPacket(length=64, tlvs=[Tlv(stamp_tlv.ANSWER_LATER, (600_000).to_bytes(4, "big"))])
    number = 0
    while not stop.is_set():
        number += 1
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((f"127.{1 + number // 250 % 60}.0.{number % 250 + 1}", 0))
            sock.sendto(packet.fill(0, time.time_ns()), ("127.0.0.1", PORT))
        stop.wait(0.002)


ATTACKS: dict[str, Attack] = {
    "none": lambda stop: None,
    "trickle, 200": _trickle,
    "pipelined, 1": _pipeline,
    "long messages, 3": _long,
    "idle, 1 source": _idle_of(1),
    "idle, 50 sources": _idle_of(50),
    "idle, 400 sources": _idle_of(400),
    "late answers": _late_answers,
}


if __name__ == "__main__":
    main()
