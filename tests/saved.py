"""Reports of the demo as saved documents, made once, for tests that read, edit or show them."""

import copy
import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

TOOL = [sys.executable, "-m", "gosip_check"]
DATA = Path(__file__).parent / "data"


@functools.cache
def _demo(fault: str) -> str:
    command = [*TOOL, "demo", "--json", "-", "--quiet", "--skip", "host.*"]
    command += [] if fault == "ready" else ["--fault", fault]
    return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout


def demo(fault: str = "ready") -> dict[str, Any]:
    """A fresh copy of the demo's report; the verdicts on this very machine are skipped in it."""
    document: dict[str, Any] = copy.deepcopy(json.loads(_demo(fault)))
    return document


def save(document: Any, folder: Path, name: str = "report.json") -> Path:
    """The document as a file."""
    path = folder / name
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def tool(*arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run gosip-check."""
    return subprocess.run(
        [*TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False, **options
    )


def here(*arguments: object) -> tuple[int, str]:
    """Run gosip-check in this process: (exit code, everything that it printed)."""
    import contextlib
    import io

    import click

    from gosip_check.cli.app import gosip_check

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            code = gosip_check.main(list(map(str, arguments)), standalone_mode=False)
        except click.ClickException as error:
            error.show(printed)
            code = error.exit_code
    return int(code or 0), printed.getvalue()
