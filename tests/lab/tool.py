"""Runs gosip-check in a room of the lab, as the person at the site would, and brings back its report."""

import json
import sys
from pathlib import Path
from typing import Any

from .site import Lab

REPOSITORY = Path(__file__).parents[2]
TIMEOUT_S = 90.0


def run_tool(lab: Lab, *arguments: str, before: tuple[str, ...] = ()) -> dict[str, Any]:
    """The report of one command line in `lan`. `before` stands before the tool's own command line."""
    tool = [sys.executable, "-m", "gosip_check", *arguments, "--json", "-", "--quiet"]
    command = ["env", f"PYTHONPATH={REPOSITORY}", "PYTHONDONTWRITEBYTECODE=1", *tool]
    ended = lab.run("lan", [*before, *command], check=False, timeout_s=TIMEOUT_S)
    if ended.returncode not in (0, 1, 3):
        raise AssertionError(f"exit code {ended.returncode}:\n{ended.stdout}\n{ended.stderr}")
    report: dict[str, Any] = json.loads(ended.stdout)
    return report


def verdict_of(report: dict[str, Any], requirement: str) -> dict[str, Any]:
    """The verdict on one requirement."""
    found: dict[str, Any] = next(verdict for verdict in report["verdicts"] if verdict["id"] == requirement)
    return found


def facts_of(report: dict[str, Any], probe: str) -> dict[str, Any]:
    """What one probe brought; its failure as words where it brought nothing."""
    measured = next(one for one in report["measurements"] if one["probe"] == probe)
    return measured["facts"] or {"failure": measured["failure"]}
