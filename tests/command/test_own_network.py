"""No program that a test starts reaches anybody, and one that tries fails the run. Skipped where that is unproven."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.own_network import LEFT, OUTSIDE, PROOF, interfaces

NOBODY = "192.0.2.1"
"RFC 5737."

SEND = """
import os, socket, sys
_, words, address = sys.argv
try:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(words.encode(), (address, 5060))
except OSError as error:
    sys.exit(error.errno)
finally:
    print(os.readlink("/proc/self/ns/net"), *sorted(name for _, name in socket.if_nameindex()))
"""


@pytest.fixture(autouse=True)
def _proof_is_possible() -> None:
    if LEFT not in os.environ:
        pytest.skip("cannot be proven here: the tests may not have a network of their own")


def gateways() -> list[str]:
    """Those of this machine, as the first of its processes sees them; none where that cannot be read."""
    try:
        routes = [line.split() for line in Path("/proc/1/net/route").read_text().splitlines()[1:]]
    except OSError:
        return []
    found = [bytes.fromhex(route[2])[::-1] for route in routes]
    return sorted({".".join(map(str, octets)) for octets in found if any(octets)} - {NOBODY})


@pytest.mark.parametrize("address", [NOBODY, *gateways()])
def test_a_started_program_reaches_nobody(address: str) -> None:
    command = [sys.executable, "-c", SEND, PROOF.decode(), address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    network, *found = done.stdout.split()
    assert network != os.environ[LEFT]
    assert found == interfaces()
    assert found in (["lo"], ["lo", OUTSIDE])
    assert done.returncode == (0 if OUTSIDE in found else errno.ENETUNREACH)


RUN = f"""
import subprocess, sys
def test_a():
    subprocess.run([sys.executable, "-c", {SEND!r}, "words", "127.0.0.1"], check=True)
def test_b():
    subprocess.run([sys.executable, "-c", {SEND!r}, "words", "192.0.2.1"], check=True)
"""


def test_a_packet_that_would_leave_fails_the_run_and_names_the_test(tmp_path: Path) -> None:
    if OUTSIDE not in interfaces():
        pytest.skip("cannot be proven here: there is no /dev/net/tun to watch what would leave")
    (tmp_path / "test_run.py").write_text(RUN)
    command = [sys.executable, "-m", "pytest", "-p", "tests.own_network", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = {
        name: subprocess.run(
            [*command, "-k", name, str(tmp_path / "test_run.py")],
            capture_output=True, text=True, timeout=60, cwd=tmp_path, env=environment,
        )
        for name in ("test_a", "test_b")
    }  # fmt: skip
    assert done["test_a"].returncode == 0
    assert "network: one of the tests' own" in done["test_a"].stdout
    assert "1 passed" in done["test_b"].stdout
    assert "UDP to 192.0.2.1 port 5060, seen at the end of test_run.py::test_b" in done["test_b"].stdout
    assert done["test_b"].returncode == 1
