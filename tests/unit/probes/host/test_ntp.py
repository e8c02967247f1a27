"""Time servers that lie: what cannot be true is not believed, and one liar among others is outvoted."""

import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from gosip_check.probes.host import ntp
from gosip_check.probes.host.ntp import Facts, Options
from gosip_check.probes.probe import Context
from gosip_check.records import Link

pytestmark = pytest.mark.waits

CONTEXT = Context(Link(name="Internet-1", source="127.0.0.1", interface="lo"))
_LAYOUT = struct.Struct("!BBbbIII4Q")
_NTP_S = 2_208_988_800
SECOND = 1 << 32

Times = Callable[[int], tuple[int, int]]
"The true time of arrival -> what the server says of arrival and sending, as NTP timestamps (RFC 5905 6)."


def honest(now: int) -> tuple[int, int]:
    return now, now


def off_by(seconds: float) -> Times:
    return lambda now: (now + int(seconds * SECOND), now + int(seconds * SECOND))


@contextmanager
def server(address: str, port: int, times: Times = honest, error_s: float = 0.0) -> Iterator[int]:
    """Its port. error_s: the root dispersion that it admits."""
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                data, peer = sock.recvfrom(1024)
            except TimeoutError:
                continue
            received, sent = (at % (1 << 64) for at in times(int((time.time() + _NTP_S) * SECOND)))
            question = int.from_bytes(data[40:48], "big")
            sock.sendto(
                _LAYOUT.pack(0x24, 2, 6, -20, 0, int(error_s * 65536), 0x0A000001, 0, question, received, sent), peer
            )

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, port))
        sock.settimeout(0.05)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            stop.set()
            thread.join()


def told(*servers: tuple[Times, float]) -> Facts:
    """What servers with these times and errors, all on one port, come to."""
    port = 0
    with ExitStack() as opened:
        names = []
        for number, (times, error_s) in enumerate(servers):
            names.append(f"127.0.0.{number + 1}")
            port = opened.enter_context(server(names[-1], port, times, error_s))
        return ntp.measure(Options(ntp_servers=names, ntp_port=port, system_resolvers=False), CONTEXT)


IMPOSSIBLE = {
    "answered before it was asked": lambda now: (now, now - SECOND),
    "does not say when it was asked": lambda now: (0, now),
    "kept the question for a minute": lambda now: (now - 60 * SECOND, now),
    "sends an era later": lambda now: (now, now + (1 << 62)),
}


@pytest.mark.parametrize("times", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_times_that_cannot_be_are_no_time(times: Times) -> None:
    alone = told((times, 0.0))
    assert (alone.servers[0].result, alone.offset_ms, alone.error_ms) == ("malformed", None, None)
    assert "answered times by which it" in alone.evidence["error_ms"]
    beside = told((times, 0.0), (honest, 0.0))
    assert beside.offset_ms == pytest.approx(0, abs=200)
    assert beside.any_server_tells_time is True


def test_a_server_that_admits_a_large_error_does_not_tell_the_time() -> None:
    facts = told((honest, 2.0))
    assert (facts.servers[0].result, facts.error_ms) == ("unsynchronised", None)
    assert "may itself be 2000 ms off" in facts.evidence["error_ms"]


def test_one_liar_is_outvoted_however_near_it_is() -> None:
    facts = told((off_by(-86_400), 0.0), (honest, 0.3), (honest, 0.3))
    assert facts.offset_ms == pytest.approx(0, abs=200)


def test_servers_that_contradict_each_other_tell_nothing() -> None:
    facts = told((off_by(-86_400), 0.0), (honest, 0.0))
    assert (facts.any_server_tells_time, facts.offset_ms, facts.error_ms) == (True, None, None)
    assert "contradict each other" in facts.evidence["error_ms"]


def test_a_clock_that_is_off_by_all_servers_is_off() -> None:
    facts = told((off_by(7), 0.0), (off_by(7.1), 0.2))
    assert facts.offset_ms == pytest.approx(7000, abs=300)


@pytest.mark.skipif(shutil.which("chronyd") is None or os.geteuid() != 0, reason="needs Debian's chrony, and root")
def test_chronyd_is_believed(tmp_path: Path) -> None:
    """chronyd tells this machine's own time."""
    tmp_path.chmod(0o700)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "chrony.conf"
    lines = ("local stratum 3", "allow", f"port {port}", "cmdport 0", "bindcmdaddress /", f"pidfile {tmp_path}/pid")
    config.write_text("\n".join(lines))
    argv = ["chronyd", "-x", "-d", "-U", "-u", "root", "-f", str(config)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        names = ["127.0.0.1", "127.0.0.2"]
        options = Options(ntp_servers=names, ntp_port=port, system_resolvers=False)
        until_s = time.monotonic() + 20
        facts = ntp.measure(options, CONTEXT)
        while any(s.result != "answered" for s in facts.servers) and time.monotonic() < until_s:
            assert process.poll() is None  # it begins to answer at some moment, perhaps between the two
            facts = ntp.measure(options, CONTEXT)
    finally:
        process.terminate()
        process.communicate()
    assert [s.result for s in facts.servers] == ["answered", "answered"]
    assert facts.offset_ms == pytest.approx(0, abs=200)
