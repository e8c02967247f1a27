"""`pbx rehearse` as a program with short phases on loopback, and a scripted PBX for it.

Its DNS listens on a port that needs no root, and a second without a sign of the PBX is long enough to be put back.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

DOMAIN, USER = "trunk.gotel.com.mt", "35621669015"
DNS_PORT = 15353
CHILD = f"""
import sys
from gosip_check.cli.rehearsal import place, put_back, rehearse
from gosip_check.servers.rehearsal.phases import Phase
place.DNS_PORT = {DNS_PORT}
put_back.QUIET_S = 1.0
rehearse.PHASES = (Phase("register", "registered", 30, 0.3), Phase("refresh-60", "registered", 30, 0.3))
sys.argv[0] = "gosip-check"
from gosip_check.__main__ import main
main()
"""


@contextmanager
def rehearsing(laptop: str, pbx: str, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """The program; killed when the block ends, should it still run."""
    command = ["pbx", "rehearse", "--user", USER, "--address", laptop, "--pbx", pbx, *map(str, arguments)]
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            yield program
        finally:
            program.kill()


def read_until(program: subprocess.Popen[str], words: str) -> str:
    """What it said until a line with these words; all of it where there is none."""
    assert program.stderr is not None
    said = ""
    for line in program.stderr:
        said += line
        if words in line:
            break
    return said


def password_on(slip: str) -> str:
    return next(line.split()[1] for line in slip.splitlines() if "made up" in line)


def places(laptop: str) -> SimpleNamespace:
    """Where it listens, as a Rehearsal says it."""
    return SimpleNamespace(dns_place=(laptop, DNS_PORT), sites=((laptop, 5060), (laptop, 5062)))
