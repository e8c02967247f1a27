"""How long it takes to prove 64,512 ports, both ways, and `nmap -sU` on a thousand of them (root).

    python -m tests.bench.bench_all_ports

Wanted: every port proven in at most 20 s.
"""

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from ..lab.media_rooms import FAR, near_and_far, reflector
from ..lab.tool import REPOSITORY

_REACH = f"""
import json
from gosip_check.probes.far_end import Reflector
from gosip_check.probes.firewall.port_range import reach
from gosip_check.probes.probe import Context
from gosip_check.records import Link
found = reach(Context(Link(name="x")), Reflector("{FAR}", 8620), range(1024, 65536))
print(json.dumps([len(found.proven), found.elapsed_s]))
"""


def main() -> None:
    """Print the table."""
    with TemporaryDirectory() as folder, near_and_far() as ends:
        options = ("--all-ports", "--port", "8620", "--no-sip", "--max-rate", "100000")
        with reflector(ends, "far", Path(folder) / "log", *options):
            tool = ["env", f"PYTHONPATH={REPOSITORY}", sys.executable, "-c", _REACH]
            proven, elapsed_s = json.loads(ends.run("near", tool, timeout_s=120).stdout)
            print(f"gosip-check: {proven} of 64512 ports proven both ways in {elapsed_s:.1f} s")
            started_s = time.monotonic()
            scan = ["nmap", "-sU", "-Pn", "-n", "-T4", "--max-retries", "2", "-p", "20000-20999", FAR]
            said = ends.run("near", scan, timeout_s=900).stdout
            taken_s = time.monotonic() - started_s
            print(f"nmap -sU -T4: 1000 ports in {taken_s:.1f} s, {_decided(said)} of them called open or closed:")
            print("  " + "\n  ".join(line for line in said.splitlines() if "shown" in line or "scanned ports" in line))


def _decided(said: str) -> int:
    return sum("open|filtered" not in line and line.partition(" ")[0].endswith("/udp") for line in said.splitlines())


if __name__ == "__main__":
    main()
