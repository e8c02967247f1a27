"""`reflector` as a program."""

import os
import socket
import subprocess
from pathlib import Path

from tests.saved import TOOL, tool
from tests.unit.servers.test_reflector import exchange, sender


def test_it_serves_without_root_and_counts_at_the_end() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*TOOL, "reflector", "--bind", "127.0.0.1", "--port", str(port), "--no-sip"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"STAMP on UDP {port}")
        status = Path(f"/proc/{process.pid}/status").read_text()
        users = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind(("127.0.0.1", 0))
            client.settimeout(5)
            assert len(exchange(client, bytes(sender().fill(0, 0)), port)) == 44
        process.terminate()
        last = process.stdout.read()
        assert process.wait(10) == 0
    assert set(users) == {"65534"} if os.geteuid() == 0 else set(users) == {str(os.geteuid())}
    assert last.startswith("received 1 answered 1 sessions 1 ")


def test_all_ports_and_one_address_do_not_go_together() -> None:
    done = tool("reflector", "--bind", "127.0.0.1", "--all-ports", "--port", "8620")
    assert done.returncode == 2
    assert "leave --bind out" in done.stderr
