"""Reports of the demo as saved documents, for tests that read, edit or show them, and gosip-check run either way.

The demo takes ten seconds and starts programs, so what it measured lies in tests/data as it was recorded, and is judged
under the checklist of today before a test gets the report. Record them again when what a probe brings or what a
checklist asks for has changed, which tests/scenario/test_scenarios.py notices:

    .venv/bin/python -m tests.saved
"""

import contextlib
import copy
import functools
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import msgspec

from gosip_check import __version__
from gosip_check.cli.app import gosip_check
from gosip_check.probes import PROBES
from gosip_check.records import Trunk
from tests.timely import going_first, in_time, kept_time

TOOL = [sys.executable, "-m", "gosip_check"]
DATA = Path(__file__).parent / "data"
DNS_ALONE = ("demo", "--skip", "[!d]*")
"A demo of a second, for what has nothing to do with what is measured. It ends in 3: hardly anything was looked at."
RECORDED = ("ready", "malformed", "nxdomain", "silent", "loss")
"Of these faults the report of a demo is recorded."


def demo(fault: str = "ready") -> dict[str, Any]:
    """A copy of the demo's report; the verdicts on the machine that it was recorded on are skipped in it."""
    return copy.deepcopy(_demo(fault))


@functools.cache
def _demo(fault: str) -> dict[str, Any]:
    document = json.loads(recording(fault).read_text())
    document["tool_version"] = __version__
    document["measurements"] = [m for m in document["measurements"] if m["probe"] in PROBES]
    trunk = {n: v for m in document["measurements"] for n, v in m["options"].items() if n in Trunk.__struct_fields__}
    for measurement in document["measurements"]:
        options = PROBES[measurement["probe"]].options
        measurement["options"] = trunk | measurement["options"]
        known = {name: value for name, value in measurement["options"].items() if name in options.__struct_fields__}
        measurement["options"] = msgspec.to_builtins(msgspec.convert(known, options))  # with options that are new
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder) / "again.json"
        here("report", "judge", save(document, Path(folder)), "--checklist", "go-native", "--json", again)
        judged: dict[str, Any] = json.loads(again.read_text())
    return judged


def recording(fault: str) -> Path:
    """Where the demo's report with a fault, or `ready`, is kept."""
    return DATA / f"demo-{fault}.json"


def save(document: Any, folder: Path, name: str = "report.json") -> Path:
    """The document as a file."""
    path = folder / name
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def tool(*arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run gosip-check as a program of its own."""
    return subprocess.run(
        [*TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False, **options
    )


def fresh_demo(*arguments: str, **options: Any) -> tuple["subprocess.CompletedProcess[str]", dict[str, Any]]:
    """Run the demo: how it ended and its report. On a machine that did not keep time it is run again."""

    def run() -> tuple["subprocess.CompletedProcess[str]", dict[str, Any]]:
        with going_first():
            done = tool("demo", "--json", "-", *arguments, **options)
        return done, json.loads(done.stdout)

    return in_time(run, lambda ran: kept_time(ran[1]))


def here(*arguments: object) -> tuple[int, str]:
    """Run gosip-check in this process: (exit code, everything that it printed)."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            code = gosip_check.main(list(map(str, arguments)), standalone_mode=False)
        except click.ClickException as error:
            error.show(printed)
            code = error.exit_code
    return int(code or 0), printed.getvalue()


def record() -> None:
    """Record the demo's reports again."""
    for fault in RECORDED:
        _, document = fresh_demo("--quiet", "--skip", "host.*", *([] if fault == "ready" else ["--fault", fault]))
        document.update(verdicts=[], counts={}, host={**document["host"], "name": "laptop"})
        recording(fault).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record()
