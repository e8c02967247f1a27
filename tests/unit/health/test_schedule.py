"""Schedules: every text is read by what it is meant for, with the words of the command as they were given."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gosip_check.health.schedule import (
    MARK,
    ScheduleError,
    cron_line,
    systemd_service,
    systemd_timer,
    without_cron_line,
)

AWKWARD = [sys.executable, "-c", "pass", "a b", 'q"q', "back\\slash", "100%d", "$HOME", "it's", "ħ", "; rm -x", "<&>"]
ANALYZE = shutil.which("systemd-analyze")


@pytest.mark.waits
@pytest.mark.skipif(ANALYZE is None, reason="needs systemd-analyze (Debian package systemd)")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    assert ANALYZE is not None
    (tmp_path / "gosip-check.service").write_text(systemd_service(AWKWARD, str(tmp_path), system=True))
    (tmp_path / "gosip-check.timer").write_text(systemd_timer(900))
    units = [str(path) for path in sorted(tmp_path.iterdir())]
    done = subprocess.run([ANALYZE, "verify", *units], capture_output=True, text=True, timeout=60)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "gosip-check" in line]
    assert (done.returncode, ours) == (0, [])  # systemd complains of other packages' units as well
    (tmp_path / "gosip-check.service").write_text(systemd_service(["relative/program"], str(tmp_path)))
    assert subprocess.run([ANALYZE, "verify", *units], capture_output=True, timeout=60).returncode != 0


@pytest.mark.waits
def test_cron_hands_the_words_to_a_shell_as_they_were(tmp_path: Path) -> None:
    words = ["printf", r"%s\n", *AWKWARD[3:]]
    line = cron_line(words, str(tmp_path), 900)
    assert line.startswith("*/15 * * * * cd ")
    command = line.removeprefix("*/15 * * * * ").replace(r"\%", "%").replace(" >/dev/null", "")
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.splitlines() == AWKWARD[3:]


@pytest.mark.parametrize(
    ("every_s", "when"),
    [(60, "* * * * *"), (300, "*/5 * * * *"), (3600, "0 * * * *"), (21600, "0 */6 * * *"), (86400, "0 6 * * *")],
)
def test_what_cron_can_say(every_s: int, when: str) -> None:
    assert cron_line(["x"], "/", every_s).startswith(f"{when} cd / && x ")


@pytest.mark.parametrize("every_s", [30, 90, 420, 3000, 18000, 172800])
def test_what_cron_cannot_say_is_refused(every_s: int) -> None:
    with pytest.raises(ScheduleError, match=f"cron cannot keep an interval of {every_s} s"):
        cron_line(["x"], "/", every_s)


def test_other_lines_of_a_crontab_stay() -> None:
    table = f"MAILTO=x\n*/5 * * * * theirs\n{cron_line(['x'], '/', 300)}\n# end\n"
    assert without_cron_line(table) == "MAILTO=x\n*/5 * * * * theirs\n# end\n"
    assert MARK in table


@pytest.mark.parametrize("character", ["\x0c", "\x0b", "\x85", "\u2028", "\r"])
def test_a_foreign_line_stays_whole_whatever_it_holds(character: str) -> None:
    foreign = f"0 1 * * * echo 'a{character}b'\n"
    assert without_cron_line(f"{foreign}{cron_line(['x'], '/', 300)}\n") == foreign
    assert without_cron_line("last line\n\n") == "last line\n\n"
    assert without_cron_line("no line end") == "no line end\n"  # so that ours is a line of its own
    assert without_cron_line("") == ""


@pytest.mark.parametrize("word", ["a\nb", "\x1b[0m", "\u202e", "\x00"])
def test_what_cannot_be_quoted_is_refused(word: str) -> None:
    with pytest.raises(ScheduleError, match="cannot stand in a schedule"):
        systemd_service([word], "/")
    with pytest.raises(ScheduleError, match="cannot stand in a schedule"):
        cron_line([word], "/", 300)


def test_a_folder_that_would_swallow_the_next_line_of_a_unit_is_refused() -> None:
    with pytest.raises(ScheduleError, match="cannot stand in a unit"):
        systemd_service(["x"], "/a\\")
