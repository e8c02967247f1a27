"""Starts gosip-check in a room of the lab, as the person at the site would, and brings back its report."""

import json
import sys
from pathlib import Path
from typing import Any

from gosip_check.vetting import vet
from tests.consistency import contradictions

from .site import Lab

REPOSITORY = Path(__file__).parents[2]
TIMEOUT_S = 90.0
DEPENDS_ON_THE_MACHINE = frozenset({"host.cpu", "host.memory", "host.clock", "link.wired"})
"Requirements whose verdict says nothing of the site: the machine is busy, or a cable is a pair of virtual ones."

PLAIN_USER = (
    *("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"),
    *("--inh-caps", "-all,+dac_read_search", "--ambient-caps", "+dac_read_search"),
    *("--bounding-set", "-all,+dac_read_search"),
)
"""Stands before a command: no privilege on the network. The one left lets it read a checkout in somebody's home."""


def gosip_check(*arguments: str, checkout: Path = REPOSITORY, module: str = "gosip_check") -> list[str]:
    """The command line of the tool in a checkout. One other than this has an interpreter of its own, in its .venv.

    module: another than the tool's own, such as tests.lab.in_a_hurry. With -P nothing is imported from the folder that
    it is started in, which may be another checkout. What was compiled once is kept: it is most of a start's time.
    """
    python = sys.executable if checkout == REPOSITORY else str(checkout / ".venv" / "bin" / "python")
    compiled = ["PYTHONDONTWRITEBYTECODE=", f"PYTHONPYCACHEPREFIX={checkout / '.venv' / 'compiled'}"]
    return ["env", f"PYTHONPATH={checkout}", *compiled, python, "-P", "-m", module, *arguments]


def run_tool(lab: Lab, *arguments: str, before: tuple[str, ...] = (), checkout: Path = REPOSITORY) -> dict[str, Any]:
    """The report of one command line in `lan`. `before` stands before the tool's own command line.

    A whole run fills no line: what it then says of media is looked at in test_alone.py.
    """
    knows_gentle = checkout == REPOSITORY and arguments[0] == "run"
    gentle = ["--gentle"] if knows_gentle and not {"--reflector", "--again"}.intersection(arguments) else []
    command = [*before, *gosip_check(*arguments, *gentle, "--json", "-", "--quiet", checkout=checkout)]
    ended = lab.run("lan", command, check=False, timeout_s=TIMEOUT_S)
    if ended.returncode not in (0, 1, 3):
        raise AssertionError(f"exit code {ended.returncode}:\n{ended.stdout}\n{ended.stderr}")
    report: dict[str, Any] = json.loads(ended.stdout)
    if checkout == REPOSITORY:
        assert contradictions(report) == []
        assert vet("report.json", ended.stdout.encode()).contradictions == []
    return report


def verdict_of(report: dict[str, Any], requirement: str) -> dict[str, Any]:
    """The verdict on one requirement."""
    found: dict[str, Any] = next(verdict for verdict in report["verdicts"] if verdict["id"] == requirement)
    return found


def facts_of(report: dict[str, Any], probe: str) -> dict[str, Any]:
    """What one probe brought; its failure as words where it brought nothing."""
    measured = next(one for one in report["measurements"] if one["probe"] == probe)
    return measured["facts"] or {"failure": measured["failure"]}


def facts_behind(report: dict[str, Any], requirement: str) -> dict[str, Any]:
    """What was measured for this requirement, where a probe was asked in several ways."""
    number = verdict_of(report, requirement)["measurement"]
    measured = next(one for one in report["measurements"] if one["id"] == number)
    return measured["facts"] or {"failure": measured["failure"]}
