"""Every command on machines that are not as they should be (root): its exit code, its last sentence, what it left.

    python -m tests.bench.bench_odd_machines [MACHINE or COMMAND ...]

Wanted: an exit code that is told in --help, one sentence, no traceback, no result lost without a word. Every command
runs in namespaces of its own, without any network but loopback.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

REPOSITORY = Path(__file__).parents[2]
LIMIT_S = 60

COMMANDS: dict[str, str] = {
    "version": "--version",
    "help": "run --help",
    "checklist list": "checklist list",
    "checklist show": "checklist show go-native",
    "schema": "schema",
    "report show": "report show report.json --details",
    "report check": "report check report.json",
    "report html": "report html report.json out/page.html",
    "report svg": "report svg report.json out/page.svg",
    "report judge": "report judge report.json --checklist go-native --json out/judged.json",
    "report compare": "report compare report.json report.json",
    "report pdf": "report pdf report.json out/page.pdf",
    "report text": "report text report.json --for customer",
    "report table": "report table report.json",
    "report list": "report list",
    "report form": "report form report.json form.toml",
    "report bundle": "report bundle report.json report.json out/order.json",
    "form new": "form new out/form.toml",
    "form check": "form check form.toml",
    "form show": "form show form.toml",
    "form fill": "form fill out/form.toml --no-questions",
    "checklist check": "checklist check go-native",
    "explain": "explain alg.absent",
    "config show": "config show",
    "pbx trace": "pbx trace trace.log",
    "pbx rehearse": "pbx rehearse --yes --user 1 --address 127.0.0.1 --no-dns --json out/rehearsed.json",
    "demo --pbx": "demo --pbx --json out/pbx.json",
    "fleet files": "fleet files out/fleet",
    "guided": "",
    "recommend": "recommend --calls 5",
    "history path": "history path",
    "history show": "history show",
    "schedule show": "schedule show",
    "demo": "demo --skip [!d]* --json out/demo.json",
    "run": "run --json out/run.json",
    "register": "register --user 1 --skip [!a]*",
    "health": "health --demo nxdomain --history out/history.sqlite --json out/health.json",
    "health --nagios": "health --demo nxdomain --nagios",
    "health of a site": "health --nagios",
    "watch": "watch --demo nxdomain --every 2s --listen 19799",
    "reflector": "reflector --bind 127.0.0.1 --port 18620",
}
RESULT = re.compile(r" (out/[a-z.]+)")
"The file that a command is to leave; where its exit code speaks of a site, it must be there."
STOPPED_AFTER_S = {"watch": 15, "reflector": 6, "pbx rehearse": 6}
"What does not end by itself where all is well. Long enough for a busy machine to have begun."


CALL = """OPTIONS sip:trunk.example SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1
From: <sip:a@trunk.example>;tag=1
To: <sip:trunk.example>
Call-ID: c
CSeq: 1 OPTIONS
"""


@dataclass(frozen=True)
class Machine:
    """How a command is started there. setup: shell lines before it; prefix: before its words; suffix: after them."""

    setup: str = ""
    prefix: str = ""
    suffix: str = ""

    @property
    def is_heard(self) -> bool:
        """Whether what it says can be heard at all."""
        return not self.suffix


_NOBODY = "setpriv --reuid 54321 --regid 54321 --clear-groups --inh-caps -all --bounding-set -all,+dac_read_search "
MACHINES: dict[str, Machine] = {
    "as it should be": Machine(),
    "no HOME": Machine(setup="unset HOME XDG_STATE_HOME XDG_CONFIG_HOME"),
    "no passwd entry": Machine(setup="unset HOME XDG_STATE_HOME XDG_CONFIG_HOME; chmod 777 . out", prefix=_NOBODY),
    "no /proc": Machine(setup="mount -t tmpfs none /proc"),
    "closed stdout": Machine(suffix=">&-"),
    "closed stdout, stderr, stdin": Machine(suffix=">&- 2>&- <&-"),
    "full stdout": Machine(suffix=">/dev/full"),
    "a pipe that nobody reads": Machine(suffix="| true"),
    "read-only disk": Machine(setup="mount -t tmpfs -o ro none out; export XDG_STATE_HOME=$PWD/out TMPDIR=$PWD/out"),
    "full disk": Machine(
        setup="mount -t tmpfs -o size=64k none out; head -c 100000 /dev/zero > out/zeros 2>/dev/null;"
        " export XDG_STATE_HOME=$PWD/out TMPDIR=$PWD/out"
    ),
    "16 descriptors": Machine(setup="ulimit -n 16"),
    "64 descriptors": Machine(setup="ulimit -n 64"),
    "128 MiB of memory": Machine(setup="ulimit -v 131072"),
    "C locale": Machine(setup="export LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0"),
}
CODES = {0, 1, 2, 3, 4}


@dataclass(frozen=True)
class Ended:
    """code: None where it had to be killed. left: the files that are there after it."""

    code: int | None
    last_line: str
    printed: str
    left: Sequence[str]
    took_s: float

    @property
    def faults(self) -> list[str]:
        """What must not be."""
        found = []
        if "Traceback" in self.printed or "fault of gosip-check" in self.printed:
            found.append("traceback")
        if self.code not in CODES:
            found.append(f"ended with {self.code}")
        return found


def main(names: Sequence[str]) -> None:
    """Print a row for each cell, faults first in it, and how many cells have one."""
    with_fault = cells = 0
    for name in [name for name in names if name in MACHINES] or MACHINES:
        print(f"## {name}")
        for command in [name for name in names if name in COMMANDS] or COMMANDS:
            ended = run(command, MACHINES[name])
            faults = [*ended.faults]
            named = RESULT.search(COMMANDS[command])
            if ended.code in (0, 1, 3) and named and named[1] not in ended.left:
                faults.append(f"lost {named[1]}")
            if not ended.last_line and MACHINES[name].is_heard:
                faults.append("says nothing")
            cells, with_fault = cells + 1, with_fault + bool(faults)
            mark = f"FAULT {', '.join(faults)}: " if faults else ""
            print(f"{command:16} {ended.code!s:>4} {ended.took_s:5.1f} s  {mark}{ended.last_line[:160]}", flush=True)
            if faults:
                print(ended.printed[-1500:])
    print(f"{with_fault} of {cells} cells with a fault")


def run(command: str, machine: Machine) -> Ended:
    """One cell of the table."""
    with TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "out").mkdir()
        (work / "report.json").write_bytes((REPOSITORY / "tests/data/demo-ready.json").read_bytes())
        (work / "form.toml").write_text('company_name = "Example Ltd"\n')
        (work / "trace.log").write_text(CALL)
        words = COMMANDS[command]
        stops = f"timeout --preserve-status -s TERM {STOPPED_AFTER_S[command]} " if command in STOPPED_AFTER_S else ""
        script = "\n".join(
            [
                "set -f; ip link set lo up",
                machine.setup,
                f"{machine.prefix}{stops}{sys.executable} -m gosip_check {words} {machine.suffix}",
                "echo ${PIPESTATUS[0]} >&9",
            ]
        )
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "XDG_STATE_HOME": f"{folder}/state"}
        started_s = time.monotonic()
        reader, writer = os.pipe()
        with subprocess.Popen(
            ["unshare", "-n", "-m", "bash", "-c", script.replace(">&9", f">&{writer}")],
            cwd=work, env=environment, pass_fds=[writer], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            os.close(writer)
            try:
                printed = process.communicate(timeout=LIMIT_S)[0].decode(errors="replace")
            except subprocess.TimeoutExpired:
                process.kill()
                printed = process.communicate()[0].decode(errors="replace")
        with os.fdopen(reader) as answer:
            code = answer.read().strip()
        left = sorted(str(path.relative_to(work)) for path in (work / "out").rglob("*"))
        lines = [line for line in printed.splitlines() if line.strip()]
        known = int(code) if code else None
        return Ended(known, lines[-1] if lines else "", printed, left, time.monotonic() - started_s)


if __name__ == "__main__":
    main(sys.argv[1:])
