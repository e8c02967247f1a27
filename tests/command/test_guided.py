"""`gosip-check` alone: at a terminal it asks, and runs what it says; what it says can be typed."""

import re
import shlex
from pathlib import Path

import pytest

from gosip_check.form.form import to_toml
from gosip_check.probes.net.interfaces import addresses
from gosip_check.records import Form
from tests.command.test_form import at_a_terminal

SCRIPT = (
    "import sys; from gosip_check.cli import run as command; from gosip_check.cli.app import gosip_check\n"
    "def check(name, ids, options, password=None):\n"
    "    print('RAN', sorted((k, v) for k, v in options.items() if v)); return 3\n"
    "command._check = check\n"
    "print('CODE', gosip_check.main([], prog_name='gosip-check', standalone_mode=False))\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def typed(seen: str) -> list[str]:
    """The command line that it says."""
    found = re.search(r"The same, typed:  gosip-check (.*)\r", seen)
    assert found is not None, seen
    return shlex.split(found[1])


def test_return_takes_what_is_usual(folder: Path) -> None:
    answers = {"Number [2]: ": "", "at the same time [10]: ": "", "internet lines [1]: ": "", "Start now? [Y/n]: ": ""}
    seen = at_a_terminal(SCRIPT, answers)
    assert typed(seen) == ["run"]
    assert "RAN [('channels', 10), ('checklist', 'go-native'), ('duration_s', 20.0)]" in seen
    assert "CODE 3" in seen


def test_what_is_answered_stands_in_the_command_line(folder: Path) -> None:
    (folder / "form.toml").write_text(to_toml(Form(company_name="Żebbuġ Ltd")))
    (folder / "other.toml").write_text("x = 1")
    interface = next(name for name in addresses() if name != "lo")
    answers = {
        "Number [2]: ": "1",
        "at the same time [10]: ": "30",
        "internet lines [1]: ": "2",
        "Interface of Internet-1": interface,
        "Interface of Internet-2": interface,
        "Use the form form.toml (Żebbuġ Ltd)? [Y/n]: ": "",
        "Start now? [Y/n]: ": "n",
    }
    seen = at_a_terminal(SCRIPT, answers)
    links = ["--link", f"Internet-1={interface}", "--link", f"Internet-2={interface}"]
    assert typed(seen) == ["run", "--checklist", "go-gateway", "--channels", "30", *links, "--form", "form.toml"]
    assert "RAN" not in seen
    assert "CODE 0" in seen


def test_a_default_of_the_file_is_what_return_takes(folder: Path) -> None:
    (folder / "gosip-check").mkdir()
    (folder / "gosip-check" / "config.toml").write_text('checklist = "go-gateway"\nchannels = 4\n')
    answers = {"Number [1]: ": "", "at the same time [4]: ": "", "internet lines [1]: ": "", "Start now? [Y/n]: ": ""}
    seen = at_a_terminal(SCRIPT, answers)
    assert typed(seen) == ["run"]
    assert "('channels', 4), ('checklist', 'go-gateway')" in seen
