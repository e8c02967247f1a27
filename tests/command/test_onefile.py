"""What the one file starts must take every way in which the tool starts itself. The file itself: tests/onefile/try."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gosip_check import __version__
from tests.onefile.start import give_back_library_path

REPOSITORY = Path(__file__).parents[2]

START = [sys.executable, str(REPOSITORY / "tests" / "onefile" / "start.py")]


def _run(*arguments: str, given: str = "") -> str:
    command = [*START, *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=True, timeout=60).stdout


def test_it_is_the_tool() -> None:
    assert __version__ in _run("--version")


def test_it_starts_what_a_schedule_names() -> None:
    assert __version__ in _run("-P", "-m", "gosip_check", "--version")


def test_it_starts_a_process_that_measures() -> None:
    link = {"name": "none", "source": "192.0.2.1", "interface": "no-such"}
    line = _run("-m", "gosip_check.probes.media.echoes", given=json.dumps(link) + "\n")
    assert json.loads(line)["failure"]["kind"]


def test_the_tool_starts_itself_in_no_other_way() -> None:
    places = (REPOSITORY / "gosip_check").rglob("*.py")
    starts = {place.relative_to(REPOSITORY).as_posix() for place in places if "sys.executable" in place.read_text()}
    assert starts == {"gosip_check/cli/schedule.py", "gosip_check/probes/media/child.py"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"LD_LIBRARY_PATH": "/tmp/_MEI1"}, {}),
        ({"LD_LIBRARY_PATH": "/tmp/_MEI1:/a", "LD_LIBRARY_PATH_ORIG": "/a"}, {"LD_LIBRARY_PATH": "/a"}),
    ],
)
def test_other_programs_get_their_own_libraries(before: dict[str, str], after: dict[str, str]) -> None:
    environment = {**before, "HOME": "/home/a"}
    give_back_library_path(environment)
    assert environment == {**after, "HOME": "/home/a"}
