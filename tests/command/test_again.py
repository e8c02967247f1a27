"""`run --again` and `--until-ready` as commands; the checklist looks at this machine alone, and fails in part."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.command.test_form import at_a_terminal
from tests.saved import DATA, TOOL, here, save, tool

CHECKLIST = """
[checklist]
id = "here"
title = "Here"
version = "1"
source = "a test"
date = "2026-11-27"

[trunk]
domain = "trunk.example"
service = "sip"
transport = "udp"
port = 5060
networks = ["127.0.0.0/8"]
rtp_ports = [1024, 65535]
codec = "PCMA"
dtmf = "telephone-event"
reregistration_s = 295
kbps_per_channel = 100

[[requirement]]
id = "link.wired"
title = "The loopback is used"
level = "must"
probe = "interface"
expect = [{ fact = "medium", operator = "is", value = "loopback" }]
hint = "-"
source = "-"

[[requirement]]
id = "host.memory"
title = "No memory is used"
level = "must"
probe = "host"
expect = [{ fact = "memory_used_pct", operator = "max", value = 0 }]
hint = "-"
source = "-"
"""


@pytest.fixture
def checklist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "here.toml"
    path.write_text(CHECKLIST)
    return path


def last() -> dict[str, Any]:
    kept = sorted(Path("state/gosip-check/runs").iterdir())
    document: dict[str, Any] = json.loads(kept[-1].read_text())
    return document


def taken(report: dict[str, Any]) -> dict[str, bool]:
    return {m["probe"]: m["taken_from"] is not None for m in report["measurements"]}


def test_what_passed_is_taken_over_and_every_output_says_so(checklist: Path) -> None:
    assert here("run", "--checklist", checklist, "--quiet", "--channels", "30")[0] == 1
    first = last()
    code, text = here("run", "--checklist", checklist, "--again")
    assert code == 1
    assert "1 of 2 measurements are taken over from an earlier run; the oldest was made 0 min before." in " ".join(
        text.split()
    )
    second = last()
    assert taken(second) == {"interface": True, "host": False}
    assert second["again_of"] == first["id"]
    assert second["asked"]["settings"]["channels"] == 30
    code, text = here("report", "check", "last", "--checklist", checklist)
    assert (code, "holds together" in text) == (0, True)
    assert "1 of 2 measurements are taken over" in text
    here("report", "html", "last")
    assert "1 of 2 measurements are taken over" in Path("last.html").read_text()
    assert here("report", "compare")[1].startswith("fixed 0, worse 0, still open 1 ")


def test_a_file_is_gone_on_from_as_well(checklist: Path) -> None:
    here("run", "--checklist", checklist, "--quiet", "--json", "r.json")
    assert here("run", "--checklist", checklist, "--again", "r.json", "--quiet")[0] == 1
    assert taken(last()) == {"interface": True, "host": False}


def test_what_was_left_out_may_be_named_now(checklist: Path) -> None:
    here("run", "--checklist", checklist, "--quiet")
    assert here("run", "--checklist", checklist, "--again", "--quiet", "--reflector", "127.0.0.1:9")[0] == 1
    assert last()["asked"]["settings"]["reflector"] == "127.0.0.1:9"
    here("run", "--checklist", checklist, "--again", "--quiet")
    assert last()["asked"]["settings"]["reflector"] == "127.0.0.1:9"


def test_what_was_left_out_on_request_stays_so(checklist: Path) -> None:
    here("run", "--checklist", checklist, "--quiet", "--skip", "host.*")
    assert here("run", "--checklist", checklist, "--again", "--quiet")[0] == 3
    assert last()["skip"] == ["host.*"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--channels", "5"], "--channels: the earlier run was made with 10, so this would be another. Nothing was"),
        (["--duration", "5"], "--duration: the earlier run was made with 20.0, so this would be another."),
        (["--link", "Internet-1=lo"], "--link: the earlier run was made with Internet-1=any."),
        (["--until-ready", "--account", "a.toml"], "--until-ready tries no account"),
    ],
)
def test_what_would_be_another_run_is_refused(checklist: Path, arguments: list[str], sentence: str) -> None:
    here("run", "--checklist", checklist, "--quiet")
    code, text = here("run", "--checklist", checklist, "--again", *arguments)
    assert (code, sentence in text) == (2, True), text


def test_a_report_that_is_none_to_go_on_from_is_refused(checklist: Path) -> None:
    assert "No run is kept yet" in here("run", "--again")[1]
    here("run", "--checklist", checklist, "--quiet", "--json", "r.json")
    document = json.loads(Path("r.json").read_text())
    made: dict[str, dict[str, Any]] = {
        "edited.json": {"outcome": "ready"},
        "other.json": {"checklist": {**document["checklist"], "sha256": "0" * 64}},
        "part.json": {"command": "host"},
    }
    for name, change in made.items():
        save({**document, **change}, Path(), name)
    for name, sentence in {
        "edited.json": "edited.json: does not hold together, see `gosip-check report check edited.json`.",
        "other.json": "other.json: was made with the checklist here (SHA-256 000000000000...); name its file",
        "part.json": "part.json: It is no report of `gosip-check run`, but of host. Nothing was measured; ",
        str(DATA / "report-first-minor.json"): "does not say what was asked; an older version wrote it.",
        "gone.json": "gone.json: cannot be read",
    }.items():
        code, text = here("run", "--checklist", checklist, "--again", name)
        assert (code, sentence in text) == (2, True), text
    checklist.write_text(CHECKLIST.replace("No memory", "Little memory"))
    assert "name its file with --checklist" in here("run", "--checklist", checklist, "--again")[1]


def test_until_ready_goes_on_with_enter_and_ends_with_the_input(checklist: Path) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from gosip_check.__main__ import main\n"
        f"sys.argv = ['gosip-check', 'run', '--checklist', {str(checklist)!r}, '--until-ready', '--quiet']; main()"
    )
    end_of_input = "\x04"
    seen = at_a_terminal(script, {"press Enter.": "", "then press Enter.": end_of_input})
    assert "Traceback" not in seen
    assert len(list(Path("state/gosip-check/runs").iterdir())) == 2
    assert taken(last()) == {"interface": True, "host": False}


def test_without_a_terminal_it_waits_and_a_signal_ends_it(checklist: Path) -> None:
    # Whoever runs the tests in the background ignores SIGINT, and so would what they start.
    command = ["env", "--default-signal=INT", *TOOL]
    command += ["run", "--checklist", str(checklist), "--until-ready", "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "The next try begins in 60 s. Ctrl-C ends this.\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in said
    assert len(list(Path("state/gosip-check/runs").iterdir())) == 1


def test_until_ready_ends_when_it_is(checklist: Path) -> None:
    checklist.write_text(re.sub("value = 0", "value = 100", CHECKLIST))
    done = tool("run", "--checklist", checklist, "--until-ready", "--quiet")
    assert done.returncode == 0
    assert done.stdout.startswith("READY")
