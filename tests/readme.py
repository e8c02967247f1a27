"""The commands of README, and what becomes of them one after the other on a machine whose only network is loopback.

    unshare -n sh -c 'ip link set lo up; python -m tests.readme FOLDER'

prints a line of JSON for each: the command, its exit code, what it printed. In FOLDER lie the files that a reader has.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.saved import here
from tests.unit.probes.pbx.test_guide_examples import GUIDE

README = Path(__file__).parents[1] / "README.md"
TOOL = "gosip-check"

ELSEWHERE = {
    "sh tests/run": (".ci/run", "sh tests/run"),
    "python3 -m venv --without-pip .venv && python3 -m pip --python .venv/bin/python install . && "
    ".venv/bin/gosip-check demo": (".ci/run", '"$work/venv/bin/gosip-check" demo'),
    "gosip-check demo": ("tests/scenario/ready.toml", "exit_code = 0"),
    "gosip-check demo --fault sip-alg": ("tests/scenario/sip-alg.toml", 'fault = "sip-alg"'),
    "gosip-check run --again": ("tests/lab/test_again.py", 'repaired("sip-alg"'),
    "gosip-check run --until-ready": ("tests/command/test_again.py", '"--until-ready", "--quiet"'),
}
"Command -> the file that runs it, and the text in it that says so: what takes long, or needs a network."


def commands(text: str) -> list[str]:
    """Every command that a page shows, in its order: lines of shell blocks, and code that begins with the tool."""
    found = []
    for block, code in re.findall(r"```sh\n(.*?)```|(?<!`)`(gosip-check[^`]*)`", text, re.DOTALL):
        lines = block.splitlines() if block else [" ".join(code.split())]
        found += [re.split(r"\s+#", line)[0].strip() for line in lines if line.strip()]
    return list(dict.fromkeys(found))


def to_run() -> list[str]:
    """Those of README that are run here."""
    return [command for command in commands(README.read_text()) if command not in ELSEWHERE]


def run_all(folder: Path) -> Iterator[tuple[str, int, str]]:
    """Command, exit code and what it printed."""
    os.chdir(folder)
    Path("trunk.pcap").write_text(GUIDE)
    for command in to_run():
        name, *arguments = shlex.split(command)
        assert name == TOOL, command
        yield command, *(_served(arguments) if arguments[:1] == ["reflector"] else here(*arguments))


def _served(arguments: list[str]) -> tuple[int, str]:
    """Of what runs until it is stopped: stopped as soon as it has said that it serves."""
    with subprocess.Popen(
        [sys.executable, "-m", "gosip_check", *arguments], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        said = server.stdout.readline()
        server.terminate()
        return server.wait(30), said


if __name__ == "__main__":
    for done in run_all(Path(sys.argv[1])):
        print(json.dumps(done), flush=True)
