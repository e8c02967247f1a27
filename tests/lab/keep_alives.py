"""`run --account FILE --bind` in a room of the lab, registered for as long as a test can wait, and what came of it."""

import json
from typing import Any

from .kamailio import PASSWORD, USER
from .machine import Machine
from .quick import quick_checklist
from .tool import verdict_of


def bound_run(at: Machine, listen_s: float = 130) -> list[str]:
    """The command line."""
    lines = f'user = "{USER}"\npassword = "{PASSWORD}"\n'
    checklist = quick_checklist("go-native", at.folder, listen_s)
    arguments = ["run", "--account", str(at.private("account.toml", lines)), "--bind", "--gentle"]
    arguments += ["--checklist", str(checklist), "--json", str(at.home() / "report.json")]
    return at.tool(*arguments)


def came_of(at: Machine) -> tuple[dict[str, Any], dict[str, Any]]:
    """The verdict on keep-alives, and the facts behind it. Asserts that nothing stayed bound."""
    report = json.loads((at.home() / "report.json").read_text())
    facts = next(m["facts"] for m in report["measurements"] if m["probe"] == "registration")
    assert facts["removed"], facts["evidence"]["registered"]
    return verdict_of(report, "nat.keepalive-arrives"), facts
