"""`schedule install`, `show` and `remove`, against stand-ins for the programs that would change this very machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gosip_check.health.schedule import systemd_service


def run(*arguments: str, path: Path, config: Path, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}", "XDG_CONFIG_HOME": str(config)}
    # The units of the machine that the tests run on are not to be touched.
    moved = (
        "import sys; from pathlib import Path; from gosip_check.cli import schedule; "
        f"schedule.SYSTEM_UNITS = Path({str(config / 'system')!r}); from gosip_check.__main__ import main; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", moved, "schedule", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        stdin=subprocess.DEVNULL,
        cwd=cwd,
    )


def program(folder: Path, name: str, script: str) -> None:
    """A stand-in for one of the system's own programs, which would change this very machine."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_install_show_and_remove_with_systemd(tmp_path: Path) -> None:
    bin_, config = tmp_path / "bin", tmp_path / "config"
    program(bin_, "systemctl", f'echo "$@" >>{tmp_path}/log')
    asked = run("install", "--kind", "systemd", "--every", "15m", path=bin_, config=config)
    assert asked.returncode == 2
    assert "OnUnitActiveSec=900s" in asked.stdout  # shown first
    assert "there is nobody to ask here" in asked.stderr
    assert not config.exists()
    options = ["--", "--checklist", "go-gateway"]
    done = run("install", "--kind", "systemd", "--every", "15m", "--yes", *options, path=bin_, config=config)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "log").read_text() == "--user daemon-reload\n--user enable --now gosip-check.timer\n"
    units = config / "systemd" / "user"
    assert '"health" "--quiet" "--checklist" "go-gateway"' in (units / "gosip-check.service").read_text()
    assert run("show", "--kind", "systemd", path=bin_, config=config).stdout.count("[Timer]") == 1
    assert run("remove", "--kind", "systemd", path=bin_, config=config).returncode == 0
    assert list(units.iterdir()) == []
    assert run("show", "--kind", "systemd", path=bin_, config=config).returncode == 3


def test_a_unit_of_the_machine_says_where_its_history_is(tmp_path: Path) -> None:
    bin_, config = tmp_path / "bin", tmp_path / "config"
    program(bin_, "systemctl", f'echo "$@" >>{tmp_path}/log')
    done = run("install", "--kind", "systemd", "--system", "--yes", path=bin_, config=config)
    assert done.stdout.endswith(
        "See what it finds: gosip-check history show --history /var/lib/gosip-check/history.sqlite\n"
    )
    text = (config / "system" / "gosip-check.service").read_text()
    assert "\nStateDirectory=gosip-check\n" in text
    assert "network-online.target" in text
    own = systemd_service(["x"], "/")
    assert "network" not in own  # a user's manager has no such target
    assert "StateDirectory" not in own


def test_a_timer_of_a_user_says_that_it_ends_with_the_session(tmp_path: Path) -> None:
    program(tmp_path / "bin", "systemctl", "exit 0")
    done = run("install", "--kind", "systemd", "--yes", path=tmp_path / "bin", config=tmp_path / "config")
    assert "It stops when you log out. To go on: loginctl enable-linger " in done.stdout


def test_show_and_remove_look_everywhere(tmp_path: Path) -> None:
    bin_, config, table = tmp_path / "bin", tmp_path / "config", tmp_path / "table"
    program(bin_, "systemctl", f'echo "$@" >>{tmp_path}/log')
    program(bin_, "crontab", f'if [ "$1" = -l ]; then cat {table}; else cat >{table}; fi')
    table.write_text("# theirs\n")
    for kind in (["systemd"], ["systemd", "--system"], ["cron"]):
        assert run("install", "--yes", "--kind", *kind, path=bin_, config=config).returncode == 0
    shown = run("show", path=bin_, config=config)
    assert (shown.stdout.count("[Timer]"), shown.stdout.count("*/15 * * * *"), shown.returncode) == (2, 1, 0)
    assert run("show", "--system", path=bin_, config=config).stdout.count("[Timer]") == 1
    (tmp_path / "log").unlink()
    removed = run("remove", path=bin_, config=config)
    assert (removed.returncode, removed.stderr) == (0, "")
    assert removed.stdout.count("gosip-check.timer") == 2
    assert "crontab of this user" in removed.stdout
    assert table.read_text() == "# theirs\n"
    assert (tmp_path / "log").read_text().splitlines() == [
        "--user disable --now gosip-check.timer",
        "--user daemon-reload",
        "disable --now gosip-check.timer",
        "daemon-reload",
    ]
    assert run("show", path=bin_, config=config).returncode == 3
    assert run("remove", path=bin_, config=config).stdout == "Nothing is scheduled.\n"


def test_a_timer_that_systemd_does_not_let_go_is_said(tmp_path: Path) -> None:
    bin_, config, table = tmp_path / "bin", tmp_path / "config", tmp_path / "table"
    program(bin_, "systemctl", "exit 0")
    program(bin_, "crontab", f'if [ "$1" = -l ]; then cat {table}; else cat >{table}; fi')
    table.touch()
    for kind in ("systemd", "cron"):
        assert run("install", "--yes", "--kind", kind, path=bin_, config=config).returncode == 0
    program(bin_, "systemctl", 'echo "Failed to connect to bus" >&2; exit 1')
    done = run("remove", path=bin_, config=config)
    assert done.returncode == 4
    assert done.stdout == "Removed: crontab of this user.\n"
    assert "removed, but systemd may run it until the next start: Failed to connect to bus. `su` and" in done.stderr
    assert list((config / "systemd" / "user").iterdir()) == []


def test_install_show_and_remove_with_cron(tmp_path: Path) -> None:
    bin_, table = tmp_path / "bin", tmp_path / "table"
    program(bin_, "crontab", f'if [ "$1" = -l ]; then cat {table}; else cat >{table}; fi')
    table.write_text("*/5 * * * * theirs\n")
    for _ in range(2):  # the second one replaces the first
        assert run("install", "--kind", "cron", "--yes", path=bin_, config=tmp_path).returncode == 0
    lines = table.read_text().splitlines()
    assert lines[0] == "*/5 * * * * theirs"
    assert len(lines) == 2
    assert lines[1].startswith("*/15 * * * * cd ")
    assert "health --quiet" in run("show", "--kind", "cron", path=bin_, config=tmp_path).stdout
    assert run("remove", "--kind", "cron", path=bin_, config=tmp_path).returncode == 0
    assert table.read_text() == "*/5 * * * * theirs\n"


def test_a_crontab_that_cannot_be_read_is_not_written_over(tmp_path: Path) -> None:
    bin_, table = tmp_path / "bin", tmp_path / "table"
    table.write_bytes(b"0 1 * * * theirs \xff\r\n")
    refused = "You (x) are not allowed to use this program (crontab)"
    program(bin_, "crontab", f'if [ "$1" = -l ]; then echo "{refused}" >&2; exit 1; else cat >{table}; fi')
    for command in (["install", "--yes"], ["show"], ["remove"]):
        done = run(*command, "--kind", "cron", path=bin_, config=tmp_path)
        assert (done.returncode, refused in done.stderr) == (4, True)
    assert table.read_bytes() == b"0 1 * * * theirs \xff\r\n"
    program(bin_, "crontab", f'if [ "$1" = -l ]; then echo "no crontab for x" >&2; exit 1; else cat >{table}; fi')
    assert run("install", "--yes", "--kind", "cron", path=bin_, config=tmp_path).returncode == 0
    assert table.read_text().startswith("*/15 ")
    table.write_bytes(b"0 1 * * * theirs \xff\r\n")
    program(bin_, "crontab", f'if [ "$1" = -l ]; then cat {table}; else cat >{table}; fi')
    assert run("install", "--yes", "--kind", "cron", path=bin_, config=tmp_path).returncode == 0
    assert run("remove", "--kind", "cron", path=bin_, config=tmp_path).returncode == 0
    assert table.read_bytes() == b"0 1 * * * theirs \xff\r\n"


def test_what_lies_in_the_folder_is_not_run(tmp_path: Path) -> None:
    """The check runs where it was installed, as root perhaps, and somebody has put a click.py there."""
    bin_, table, folder = tmp_path / "bin", tmp_path / "table", tmp_path / "folder"
    program(bin_, "crontab", f'if [ "$1" = -l ]; then echo "no crontab for x" >&2; exit 1; else cat >{table}; fi')
    folder.mkdir()
    options = ["--", "--demo", "nxdomain", "--no-history", "--json", "report.json"]
    done = run("install", "--kind", "cron", "--yes", *options, path=bin_, config=tmp_path, cwd=folder)
    assert done.returncode == 0, done.stderr
    for name in ("click", "gosip_check", "json"):
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'planted')!r}, 'w')")
    line = table.read_text().removeprefix("*/15 * * * * ")
    assert subprocess.run(["sh", "-c", line], timeout=60).returncode == 1
    assert (folder / "report.json").exists()  # a relative name leads there all the same
    assert not (tmp_path / "planted").exists()


def test_units_that_systemd_does_not_take_are_no_success(tmp_path: Path) -> None:
    program(tmp_path / "bin", "systemctl", "exit 1")
    done = run("install", "--kind", "systemd", "--yes", path=tmp_path / "bin", config=tmp_path / "config")
    assert done.returncode == 4
    assert "systemctl --user enable --now gosip-check.timer" in done.stderr
    assert "systemd did not take them: systemctl ended with 1." in done.stderr


@pytest.mark.parametrize(
    "trouble",
    [
        "Failed to connect to bus: No medium found",
        "Failed to connect to bus: $DBUS_SESSION_BUS_ADDRESS and $XDG_RUNTIME_DIR not defined",
        "Failed to connect to user scope bus via local transport: No such file or directory",
    ],
)
def test_where_systemctl_cannot_work_it_is_said_where_it_can(tmp_path: Path, trouble: str) -> None:
    program(tmp_path / "bin", "systemctl", f"echo '{trouble}' >&2; exit 1")
    done = run("install", "--kind", "systemd", "--yes", path=tmp_path / "bin", config=tmp_path / "config")
    assert done.returncode == 4
    assert "Log in as this user, and run: systemctl --user daemon-reload" in done.stderr
    assert "--kind cron" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--checklist", "nothere"], "There is no checklist 'nothere'"),
        (["--checklist", "./none.toml"], "none.toml"),
        (["--skip", "nosuch*"], "--skip 'nosuch*' matches nothing; there are dns.srv-answers,"),
        (["--dns-server", "x"], "--dns-server"),
        (["--demo", "nosuch"], "there is no such fault"),
        (["--json", "/nowhere/report.json"], "--json /nowhere/report.json"),
        (["--prometheus", "/nowhere/x.prom"], "--prometheus /nowhere/x.prom"),
        (["--link", "x"], "--link 'x'"),
        (["--history", "/dev/null"], "/dev/null: is no history"),
    ],
)
def test_what_can_only_fail_is_not_scheduled(options: list[str], words: str, tmp_path: Path) -> None:
    done = run("install", "--kind", "cron", "--yes", "--", *options, path=tmp_path, config=tmp_path)
    assert (done.returncode, words in done.stderr, done.stdout) == (2, True, "")


def test_wrong_options_are_told_at_once(tmp_path: Path) -> None:
    done = run("install", "--yes", "--", "--frob", path=tmp_path, config=tmp_path)
    assert done.returncode == 2
    assert "No such option '--frob'" in done.stderr
